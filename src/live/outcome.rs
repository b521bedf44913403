use crate::config::Statuses;
use crate::pool::health::{Admit, Breaker};
use std::cell::Cell;
use std::time::Duration;

/// What an attempt showed of its backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A final response with that status, whole.
    Status(u16),
    /// No connection, no response in time, or a broken one.
    Failed,
}

impl Outcome {
    pub(super) fn failed(self, statuses: Statuses) -> bool {
        match self {
            Outcome::Status(status) => statuses.has(status),
            Outcome::Failed => true,
        }
    }
}

/// An exchange that the pool's breaker let through.
#[derive(Debug)]
pub struct Admitted<'p> {
    trial: Option<Trial<'p>>,
}

/// An exchange that shows whether the pool is well again.
#[derive(Debug)]
struct Trial<'p> {
    breaker: &'p Breaker,
    /// Whether its last attempt failed, and when.
    last: Cell<Option<(bool, Duration)>>,
}

impl<'p> Admitted<'p> {
    /// Asks the breaker, if there is one; `None`: it refuses.
    pub(super) fn by(breaker: Option<&'p Breaker>, now: Duration) -> Option<Admitted<'p>> {
        let Some(breaker) = breaker else { return Some(Admitted { trial: None }) };
        match breaker.admit(now) {
            Admit::Pass => Some(Admitted { trial: None }),
            Admit::Trial => Some(Admitted { trial: Some(Trial { breaker, last: Cell::new(None) }) }),
            Admit::Refuse { .. } => None,
        }
    }

    /// An attempt of it ended. Whether the breaker opened for that.
    pub(super) fn note(&self, breaker: &Breaker, failed: bool, now: Duration) -> bool {
        match (&self.trial, failed) {
            (Some(trial), _) => trial.last.set(Some((failed, now))),
            (None, false) => breaker.succeeded(now, false),
            (None, true) => return breaker.failed(now, false),
        }
        false
    }
}

impl Drop for Admitted<'_> {
    /// The last attempt of an exchange on trial decides how it ended.
    fn drop(&mut self) {
        let Some(Trial { breaker, last }) = &self.trial else { return };
        match last.get() {
            Some((true, when)) => _ = breaker.failed(when, true),
            Some((false, when)) => breaker.succeeded(when, true),
            None => breaker.forget(true),
        }
    }
}

/// An attempt that ended.
#[derive(Clone, Copy, Debug)]
pub struct Ended {
    /// Index of its backend.
    pub at: usize,
    /// What it showed.
    pub outcome: Outcome,
    /// When.
    pub now: Duration,
}
