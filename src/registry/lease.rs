use super::{Load, Moment, Registration};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// A registration of one backend in one pool. Times count from the start of the process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Of the backend.
    pub address: SocketAddr,
    /// How long it lasts after each renewal.
    pub ttl: Duration,
    /// The backend's share relative to the others.
    pub weight: u16,
    /// Where the backend stands.
    pub zone: Option<String>,
    /// What it reported last of its load.
    pub reported: Option<Load>,
    /// What counts of that.
    pub load: Load,
    /// Who registered it last.
    pub by: Registrant,
    /// When it was granted.
    pub since: Duration,
    /// From when its time counts: when it was renewed last.
    pub renewed: Moment,
    /// When its backend said so; long ago if that is not known any more. Of two words on a lease the later one counts.
    pub said: Moment,
    /// How it stands.
    pub state: State,
    /// Nothing was heard of it for more than half of its time.
    pub silent: bool,
    /// Nobody renews it: whether its backend answers is to be looked at all the time.
    pub probed: bool,
}

/// Who registers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registrant {
    /// The name of the token, or of what stands for one.
    pub name: Arc<str>,
    /// The member of the fleet at which it was; `None`: this one.
    pub member: Option<Arc<str>>,
}

/// How a lease stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Its backend is in the pool.
    Serving,
    /// It ran out together with most of its pool: its backend stays in the pool for now.
    Kept {
        /// When its turn to go comes, as the others are back.
        leaves: Option<Duration>,
        /// Since when its backend does not answer.
        dead_since: Option<Duration>,
    },
    /// Its backend gets nothing new.
    Draining {
        /// When it goes, whatever exchanges it still has.
        until: Duration,
        /// Why.
        why: Leave,
        /// It had none when it was looked at last.
        quiet: bool,
    },
}

/// That a lease was given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GivenBack {
    /// When that was said.
    pub said: Moment,
    /// Whoever it is, he is to be forgotten: services at that address, too. Otherwise only its checks were critical.
    pub for_good: bool,
}

/// Why a lease ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leave {
    /// It was given back.
    Asked,
    /// It was not renewed.
    RanOut,
}

impl Registrant {
    /// Somebody who asked this process.
    #[must_use]
    pub fn here(name: &str) -> Registrant {
        Registrant { name: name.into(), member: None }
    }
}

impl Lease {
    pub(super) fn granted(
        address: SocketAddr,
        wish: &Registration,
        ttl: Duration,
        by: Registrant,
        said: Moment,
        now: Duration,
    ) -> Lease {
        Lease {
            address,
            ttl,
            weight: wish.weight,
            zone: wish.zone.clone(),
            reported: wish.load,
            load: Load::default().moved(wish.load),
            by,
            since: now,
            renewed: said,
            said,
            state: State::Serving,
            silent: false,
            probed: wish.probed,
        }
    }

    /// When it runs out unless it is renewed.
    #[must_use]
    pub fn ends(&self) -> Duration {
        self.renewed.plus(self.ttl)
    }

    /// From when on nothing was heard of it for more than half of its time: who renews at a third of it, as is asked of
    /// them, has missed a renewal by then.
    #[must_use]
    pub fn falls_silent(&self) -> Duration {
        self.renewed.plus(self.ttl / 2)
    }

    /// The weight that its backend has in the pool: none while it drains.
    #[must_use]
    pub fn seat_weight(&self) -> u16 {
        if self.is_draining() { 0 } else { self.weight }
    }

    /// Whether it is on its way out.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        matches!(self.state, State::Draining { .. })
    }

    /// Whether it is on its way out because somebody asked for that: who renews it on did not hear of it.
    #[must_use]
    pub fn is_leaving(&self) -> bool {
        matches!(self.state, State::Draining { why: Leave::Asked, .. })
    }
}

impl State {
    /// As it stands in metrics and in `weir status`.
    #[must_use]
    pub fn label(&self) -> &'static str {
        Self::LABELS[self.index()]
    }

    /// Its place in [`State::LABELS`].
    #[must_use]
    pub fn index(&self) -> usize {
        match self {
            State::Serving => 0,
            State::Kept { .. } => 1,
            State::Draining { .. } => 2,
        }
    }

    /// All labels.
    pub const LABELS: [&str; 3] = ["serving", "kept", "draining"];
}
