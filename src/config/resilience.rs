//! What a pool does about failures.

use std::time::Duration;

/// `outlier = { … }`: backends are ejected for a while for what exchanges saw of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outlier {
    /// Failures in a row; 0: they do not count. Default 5.
    pub consecutive_failures: u32,
    /// Failures among the exchanges of `window`, in 1/10,000; 0: they do not count.
    pub failure_rate: u16,
    /// Default 10 s.
    pub window: Duration,
    /// Exchanges within `window` below which the rate says nothing; default 20.
    pub requests_min: u32,
    /// How long the first ejection lasts; each further in a row lasts so much longer.
    pub eject: Duration,
    /// The share of the backends that may be ejected at once, in 1/10,000; default 50 %.
    pub max_ejected: u16,
    /// Statuses that are failures, beside connections that fail, break off or time out.
    pub statuses: Statuses,
}

/// `retry = { … }`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retry {
    /// At most, the first included; default 3.
    pub attempts: u32,
    /// A connection could not be made.
    pub on_connect: bool,
    /// Statuses that the client would see, of the backend's response or of ours for its failure.
    pub statuses: Statuses,
    /// Retries for each first attempt, in 1/10,000; default 20 %.
    pub budget: u16,
    /// Bytes of request content that are kept to be sent again; default 64 KiB.
    pub content: usize,
}

/// `breaker = { … }`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Breaker {
    /// Failures among the exchanges of `window` that open it, in 1/10,000; default 50 %.
    pub failure_rate: u16,
    /// Default 10 s.
    pub window: Duration,
    /// Exchanges within `window` below which the rate says nothing; default 20.
    pub requests_min: u32,
    /// How long it stays open; default 5 s.
    pub open: Duration,
    /// Exchanges that must succeed after that before it closes; default 3.
    pub trials: u32,
    /// Statuses that are failures, beside connections that fail, break off or time out.
    pub statuses: Statuses,
}

/// A set of statuses from 500 to 599.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statuses(u128);

impl Statuses {
    /// The set of these; what is no status of a server's error is left out.
    #[must_use]
    pub fn of(statuses: impl IntoIterator<Item = u16>) -> Statuses {
        let bits = statuses.into_iter().filter(|status| (500..=599).contains(status)).map(|status| 1 << (status - 500));
        Statuses(bits.fold(0, |set: u128, bit: u128| set | bit))
    }

    /// Whether `status` is in it.
    #[must_use]
    pub fn has(self, status: u16) -> bool {
        (500..=599).contains(&status) && self.0 & (1 << (status - 500)) != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_has_what_it_was_made_of() {
        let set = Statuses::of([500, 503, 599, 200, 600]);
        let found: Vec<u16> = (0..=u16::MAX).filter(|status| set.has(*status)).collect();
        assert_eq!(found, [500, 503, 599]);
    }
}
