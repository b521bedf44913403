use std::future::poll_fn;
use std::io;
use std::task::Poll;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What somebody asks of this process by a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// To end, once the backend is drained.
    ToEnd(i32),
    /// Something that is between him and the command.
    Else(i32),
}

/// The signals that are passed on.
pub(super) struct Signals(Vec<(SignalKind, Signal)>);

impl Signals {
    /// Takes them over; from now on they do not end the process.
    pub(super) fn take() -> io::Result<Signals> {
        let kinds = [
            SignalKind::terminate(),
            SignalKind::interrupt(),
            SignalKind::quit(),
            SignalKind::hangup(),
            SignalKind::user_defined1(),
            SignalKind::user_defined2(),
            SignalKind::window_change(),
            SignalKind::alarm(),
            // By the first two gunicorn has one worker more, and one less.
            SignalKind::from_raw(rustix::process::Signal::TTIN.as_raw()),
            SignalKind::from_raw(rustix::process::Signal::TTOU.as_raw()),
            SignalKind::from_raw(rustix::process::Signal::CONT.as_raw()),
        ];
        kinds.into_iter().map(|kind| Ok((kind, signal(kind)?))).collect::<io::Result<_>>().map(Signals)
    }

    /// The next one.
    pub(super) async fn next(&mut self) -> Asked {
        poll_fn(|context| {
            for (kind, signal) in &mut self.0 {
                if signal.poll_recv(context).is_ready() {
                    return Poll::Ready(Asked::of(*kind));
                }
            }
            Poll::Pending
        })
        .await
    }
}

impl Asked {
    fn of(kind: SignalKind) -> Asked {
        let ends = [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::quit()];
        let signal = kind.as_raw_value();
        if ends.contains(&kind) { Asked::ToEnd(signal) } else { Asked::Else(signal) }
    }

    /// Its number.
    pub(super) fn signal(self) -> i32 {
        match self {
            Asked::ToEnd(signal) | Asked::Else(signal) => signal,
        }
    }
}
