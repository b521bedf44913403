use rustix::process::{Pid, Signal, kill_process};
use std::ffi::OsString;
use std::io;
use std::process::ExitStatus;
use tokio::process;

/// The command at work.
pub(super) struct Child {
    child: process::Child,
    ended: Option<ExitStatus>,
}

impl Child {
    /// Starts it, in a process group of its own: what a terminal sends to ours comes to it only after the drain.
    pub(super) fn start(command: &[OsString]) -> io::Result<Child> {
        let (program, arguments) = command.split_first().ok_or(io::ErrorKind::InvalidInput)?;
        let started = process::Command::new(program).args(arguments).process_group(0).spawn();
        let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", program.display()));
        Ok(Child { child: started.map_err(named)?, ended: None })
    }

    /// Waits for its end. Cancel-safe, and says it again.
    pub(super) async fn ends(&mut self) -> io::Result<ExitStatus> {
        if let Some(ended) = self.ended {
            return Ok(ended);
        }
        let ended = self.child.wait().await?;
        self.ended = Some(ended);
        Ok(ended)
    }

    /// Passes a signal on.
    pub(super) fn hears(&self, signal: i32) {
        // None once its end was waited for: the number may be another process's.
        let pid = self.child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        if let (Some(pid), Some(signal)) = (pid, Signal::from_named_raw(signal)) {
            // One that has just ended hears nothing any more.
            let _ = kill_process(pid, signal);
        }
    }
}
