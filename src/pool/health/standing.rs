use super::slow_start;
use std::time::Duration;

/// Why a backend gets traffic, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Its full share.
    Up,
    /// A share that grows: it came up a moment ago.
    Ramping,
    /// It has a check, and no probe has ended yet.
    Unchecked,
    /// Its check fails.
    Down,
    /// Exchanges saw too many failures of it.
    Ejected {
        /// When it is tried again.
        until: Duration,
    },
    /// An operator takes it out.
    Draining,
}

impl Standing {
    /// Whether it may be used.
    #[must_use]
    pub fn available(self) -> bool {
        matches!(self, Standing::Up | Standing::Ramping)
    }

    /// When it changes by itself, if it does.
    #[must_use]
    pub fn changes_at(self, now: Duration) -> Option<Duration> {
        match self {
            Standing::Ejected { until } => Some(until),
            Standing::Ramping => Some(now + slow_start::STEP),
            Standing::Up | Standing::Unchecked | Standing::Down | Standing::Draining => None,
        }
    }

    /// Its name for operators; it never changes.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Standing::Up => "up",
            Standing::Ramping => "ramping",
            Standing::Unchecked => "unchecked",
            Standing::Down => "down",
            Standing::Ejected { .. } => "ejected",
            Standing::Draining => "draining",
        }
    }
}
