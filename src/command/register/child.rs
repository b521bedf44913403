use super::session::{ALONE, SELF};
use rustix::process::{Pid, Signal, kill_process};
use std::ffi::OsString;
use std::io;
use std::process::ExitStatus;
use std::time::{Duration, Instant};
use tokio::process;
use tokio::time::timeout;

/// The command at work.
pub(super) struct Child {
    child: process::Child,
    ended: Option<ExitStatus>,
}

impl Child {
    /// Starts it, in a session of its own: what a terminal sends to ours comes to it only after the drain. Waits until it is there, so that
    /// whatever is passed on is passed to the command.
    pub(super) async fn start(command: &[OsString]) -> io::Result<Child> {
        let mut alone = process::Command::new(SELF);
        alone.arg(ALONE).arg("--").args(command);
        let mut child = Child { child: alone.spawn()?, ended: None };
        let begun = Instant::now();
        while !child.is_alone() && begun.elapsed() < ALONE_MAX {
            // It may have ended already.
            if timeout(ALONE_EACH, child.ends()).await.is_ok() {
                break;
            }
        }
        Ok(child)
    }

    fn is_alone(&self) -> bool {
        self.pid().is_none_or(|pid| session_of(pid) == Some(pid))
    }

    /// None once its end was waited for: the number may be another process's.
    fn pid(&self) -> Option<Pid> {
        self.child.id().and_then(|id| Pid::from_raw(id.cast_signed()))
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
        if let (Some(pid), Some(signal)) = (self.pid(), Signal::from_named_raw(signal)) {
            // One that has just ended hears nothing any more.
            let _ = kill_process(pid, signal);
        }
    }
}

/// The session of a process; `None` also if its leader is not of this PID namespace, as in a container somebody entered: rustix's
/// `getsid` counts on a number there.
fn session_of(pid: Pid) -> Option<Pid> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    // proc_pid_stat(5): the name, in parentheses, may hold anything; the session is the fourth after it.
    let (_, after) = stat.rsplit_once(')')?;
    Pid::from_raw(after.split_ascii_whitespace().nth(3)?.parse().ok()?)
}

/// How soon it is looked whether the session has begun.
const ALONE_EACH: Duration = Duration::from_millis(1);

/// A machine on which that takes longer is not waited for.
const ALONE_MAX: Duration = Duration::from_secs(5);
