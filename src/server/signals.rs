use crate::admin::Job;
use std::io;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What an operator wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// SIGHUP: the configuration anew. SIGUSR2: the binary anew.
    Do(Job),
    /// SIGTERM or SIGINT: finish and leave.
    Drain,
}

/// The signals that we listen to. Those of a kind that come faster than they are asked for are one.
pub(super) struct Signals {
    hangup: Signal,
    user2: Signal,
    terminate: Signal,
    interrupt: Signal,
}

/// SIGXFSZ (signal(7)). Once it was listened to it is handled for good.
const FILE_TOO_LONG: i32 = 25;

impl Signals {
    /// Takes them over; from now on they do not end the process.
    pub(super) fn take() -> io::Result<Signals> {
        // A file that reaches the limit on its length is then an error of the write, and not the end of the process.
        drop(signal(SignalKind::from_raw(FILE_TOO_LONG))?);
        Ok(Signals {
            hangup: signal(SignalKind::hangup())?,
            user2: signal(SignalKind::user_defined2())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// The next one.
    pub(super) async fn next(&mut self) -> Wish {
        tokio::select! {
            _ = self.hangup.recv() => Wish::Do(Job::Reload),
            _ = self.user2.recv() => Wish::Do(Job::Upgrade),
            _ = self.terminate.recv() => Wish::Drain,
            _ = self.interrupt.recv() => Wish::Drain,
        }
    }
}
