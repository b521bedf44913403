use super::session::{ALONE, SELF};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, wait};
use std::ffi::OsString;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};
use tokio::signal::unix::{self, SignalKind, signal};
use tokio::time::timeout;

/// The command at work.
pub(super) struct Child {
    pid: Pid,
    ended: Option<ExitStatus>,
    deaths: unix::Signal,
}

impl Child {
    /// Starts it, in a session of its own: what a terminal sends to ours comes to it only after the drain. Waits until it is there, so that
    /// whatever is passed on is passed to the command.
    pub(super) async fn start(command: &[OsString]) -> io::Result<Child> {
        let deaths = signal(SignalKind::child())?;
        let started = Command::new(SELF).arg(ALONE).arg("--").args(command).spawn()?;
        let pid = Pid::from_raw(started.id().cast_signed()).ok_or(io::ErrorKind::InvalidData)?;
        let mut child = Child { pid, ended: None, deaths };
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
        self.ended.is_some() || session_of(self.pid) == Some(self.pid)
    }

    /// Waits for its end. Cancel-safe, and says it again.
    pub(super) async fn ends(&mut self) -> io::Result<ExitStatus> {
        loop {
            if let Some(ended) = self.bury()? {
                return Ok(ended);
            }
            self.deaths.recv().await;
        }
    }

    /// Waits for all that have ended: as the first process of a container we are the parent of whatever lost its own there, and each
    /// counts as a process until then.
    fn bury(&mut self) -> io::Result<Option<ExitStatus>> {
        while self.ended.is_none()
            && let Some((pid, status)) = wait(WaitOptions::NOHANG)?
        {
            if pid == self.pid {
                self.ended = Some(ExitStatus::from_raw(status.as_raw()));
            }
        }
        Ok(self.ended)
    }

    /// Passes a signal on.
    pub(super) fn hears(&self, signal: i32) {
        // Once its end was waited for, the number may be another process's.
        if let (None, Some(signal)) = (self.ended, Signal::from_named_raw(signal)) {
            // One that has just ended hears nothing any more.
            let _ = kill_process(self.pid, signal);
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
