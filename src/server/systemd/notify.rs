use rustix::time::{ClockId, clock_gettime};
use socket2::{Domain, SockAddr, Socket, Type};
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::time::Duration;

/// The service manager, if one wants to be told.
#[derive(Debug, Default)]
pub(in crate::server) struct Manager(Option<(Socket, SockAddr)>);

/// What it can be told. The field names are those of sd_notify(3).
#[derive(Clone, Copy, Debug)]
pub(in crate::server) enum State<'s> {
    /// It serves, after a start or a reload.
    Ready,
    /// A reload begins.
    Reloading,
    /// It ends.
    Stopping,
    /// For the operator.
    Status(&'s str),
    /// Another process is the main one from now on.
    MainPid(u32),
    /// All is well.
    Watchdog,
}

impl Manager {
    /// The one that `NOTIFY_SOCKET` names.
    pub(in crate::server) fn of_this_process() -> Manager {
        let Some(name) = std::env::var_os("NOTIFY_SOCKET") else { return Manager::default() };
        match reach(&name) {
            Ok(reached) => Manager(Some(reached)),
            Err(error) => {
                tracing::warn!(%error, "NOTIFY_SOCKET is not usable: the service manager is not told anything");
                Manager::default()
            }
        }
    }

    /// Tells it these together. Who does not listen misses it.
    pub(in crate::server) fn tell(&self, states: &[State<'_>]) {
        let Some((socket, address)) = &self.0 else { return };
        let text: String = states.iter().map(State::line).collect();
        if let Err(error) = socket.send_to(text.as_bytes(), address) {
            tracing::debug!(%error, "the service manager was not told");
        }
    }
}

fn reach(name: &OsStr) -> io::Result<(Socket, SockAddr)> {
    // An abstract name is written with `@` for its NUL.
    let name = match name.as_bytes().strip_prefix(b"@") {
        Some(rest) => OsString::from_vec([b"\0", rest].concat()),
        None => name.to_owned(),
    };
    let socket = Socket::new(Domain::UNIX, Type::DGRAM, None)?;
    socket.set_write_timeout(Some(TELL_MAX))?;
    Ok((socket, SockAddr::unix(name)?))
}

impl State<'_> {
    fn line(&self) -> String {
        match self {
            State::Ready => "READY=1\n".into(),
            State::Reloading => {
                let now = clock_gettime(ClockId::Monotonic);
                let micros = i128::from(now.tv_sec) * 1_000_000 + i128::from(now.tv_nsec) / 1_000;
                format!("RELOADING=1\nMONOTONIC_USEC={micros}\n")
            }
            State::Stopping => "STOPPING=1\n".into(),
            State::Status(text) => format!("STATUS={}\n", text.replace('\n', " ")),
            State::MainPid(pid) => format!("MAINPID={pid}\n"),
            State::Watchdog => "WATCHDOG=1\n".into(),
        }
    }
}

/// How long the manager may take to take a message.
const TELL_MAX: Duration = Duration::from_secs(1);
