//! The command's session: one of its own, without a terminal that controls it.
//!
//! In the background of our session its output would stop it where `stty tostop` is set, or be a signal to whoever catches SIGTTOU, which to
//! gunicorn means to have one worker less; in the foreground what a terminal sends would come to it before the drain. The system begins
//! a session only for the process that asks, so this binary does it and becomes the command.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// The verb of that.
pub const ALONE: &str = "alone";

/// This binary, also once its file was replaced.
pub(super) const SELF: &str = "/proc/self/exe";

/// `weir alone -- COMMAND…`: begins a session and becomes the command. Comes back only if that fails.
#[must_use]
pub fn alone(command: &[OsString]) -> io::Error {
    let Some((program, arguments)) = command.split_first() else { return io::ErrorKind::InvalidInput.into() };
    if let Err(error) = rustix::process::setsid() {
        return error.into();
    }
    named(program, &Command::new(program).args(arguments).exec())
}

fn named(program: &OsStr, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", program.display()))
}
