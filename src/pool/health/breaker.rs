//! Whether a pool is tried at all: a circuit breaker.
//!
//! After Michael Nygard, "Release It!" (2007, "Circuit Breaker"): closed, all pass; too many fail, it opens and refuses
//! for a while; then it is half open, lets a few through on trial, and closes when those succeed or opens again when
//! one fails.

use super::tally::Counts;
use super::window::{Pace, Sliding};
use super::{millis, reaches};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// No more trials than this are let through at once, whatever the rules say.
pub const PROBES_MAX: u32 = (1 << COUNT_BITS) - 1;

/// When a breaker opens and closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreakerRules {
    /// It opens when this share of exchanges in the window failed, in 1/10,000; 0: never.
    pub failure_rate: u16,
    /// What the rate is taken over: at least the last half of it, at most all.
    pub window: Duration,
    /// A rate of fewer exchanges than this says nothing.
    pub requests_min: u32,
    /// How long it stays open, each time; and how long it waits for trials that nobody reports.
    pub open: Duration,
    /// So many trials, at once or one after the other, must all succeed to close it; 0 counts as 1, at most
    /// [`PROBES_MAX`].
    pub probes: u32,
}

/// Whether an exchange is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admit {
    /// As ever.
    Pass,
    /// As one of the few that show whether the pool is well again. Its end is to be reported as that of a trial.
    Trial,
    /// Not at all.
    Refuse {
        /// When to ask again.
        retry_after: Duration,
    },
}

/// A pool's breaker; shared between threads.
///
/// All of its state is one number, so that no thread ever waits for another. Closed, which it mostly is, it costs a
/// load to ask and a locked addition to report. A trial that is never reported holds it up for [`BreakerRules::open`]
/// at most: then as many others are let through.
#[derive(Debug)]
// Two lines of its own: each exchange reads and writes it.
#[repr(align(128))]
pub struct Breaker {
    /// A packed [`State`].
    state: AtomicU64,
    successes: Sliding,
    failures: Sliding,
    rules: BreakerRules,
    pace: Pace,
}

/// What a breaker does with exchanges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// All pass.
    Closed,
    /// All are refused.
    Open {
        /// Until then, to the millisecond.
        until: Duration,
    },
    /// A few pass on trial.
    HalfOpen {
        /// When the first of these was let through, to the millisecond.
        since: Duration,
        /// Trials let through, the successful ones counted in.
        admitted: u32,
        /// Trials that succeeded.
        succeeded: u32,
    },
}

impl Breaker {
    /// Closed.
    #[must_use]
    pub fn new(rules: BreakerRules) -> Breaker {
        let rules = BreakerRules { probes: rules.probes.clamp(1, PROBES_MAX), ..rules };
        Breaker {
            state: AtomicU64::new(CLOSED),
            successes: Sliding::default(),
            failures: Sliding::default(),
            pace: Pace::new(rules.window),
            rules,
        }
    }

    /// What it was made with, `probes` within its bounds.
    #[must_use]
    pub fn rules(&self) -> &BreakerRules {
        &self.rules
    }

    /// How it stands, for metrics.
    #[must_use]
    pub fn state(&self) -> State {
        State::unpack(self.state.load(Relaxed))
    }

    /// Whether an exchange is tried now.
    #[inline]
    #[must_use]
    pub fn admit(&self, now: Duration) -> Admit {
        match self.state.load(Relaxed) {
            CLOSED => Admit::Pass,
            _ => self.admit_on_trial(now),
        }
    }

    /// An exchange that was let through has succeeded; `trial` as it was admitted.
    #[inline]
    pub fn succeeded(&self, now: Duration, trial: bool) {
        if self.state.load(Relaxed) == CLOSED {
            if self.rules.failure_rate != 0 {
                self.successes.add(self.pace.epoch(now));
            }
        } else if trial {
            self.change(|state| state.succeed(&self.rules));
        }
    }

    /// An exchange that was let through has failed; `trial` as it was admitted. Whether the breaker opened because of
    /// it.
    pub fn failed(&self, now: Duration, trial: bool) -> bool {
        let opened = State::Open { until: now.saturating_add(self.rules.open) };
        if self.state.load(Relaxed) != CLOSED {
            // What was let through before it opened says nothing new.
            return trial && self.change(|state| matches!(state, State::HalfOpen { .. }).then_some(opened));
        }
        if self.rules.failure_rate == 0 {
            return false;
        }
        self.failures.add(self.pace.epoch(now));
        let opens = self.is_too_much(now) && self.change(|state| (state == State::Closed).then_some(opened));
        if opens {
            // Nothing is counted until it closes; then it begins anew.
            self.successes.clear();
            self.failures.clear();
        }
        opens
    }

    /// A trial ended without saying anything of the pool, as when its client went away: another one may take its place.
    pub fn forget(&self, trial: bool) {
        if trial {
            self.change(State::forget);
        }
    }

    #[cold]
    fn admit_on_trial(&self, now: Duration) -> Admit {
        let mut admit = Admit::Pass;
        self.change(|state| {
            let (next, answer) = state.admit(&self.rules, now);
            admit = answer;
            next
        });
        admit
    }

    fn is_too_much(&self, now: Duration) -> bool {
        let epoch = self.pace.epoch(now);
        let counts = Counts { in_a_row: 0, successes: self.successes.sum(epoch), failures: self.failures.sum(epoch) };
        counts.requests() >= u64::from(self.rules.requests_min)
            && reaches(counts.failures, counts.requests(), self.rules.failure_rate)
    }

    /// Goes on to what `next` says of the state, if it says so; asks again if another thread was faster. Whether it
    /// did.
    fn change(&self, mut next: impl FnMut(State) -> Option<State>) -> bool {
        self.state.fetch_update(Relaxed, Relaxed, |packed| next(State::unpack(packed)).map(State::pack)).is_ok()
    }
}

impl State {
    /// As it stands in metrics and in `weir status`.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            State::Closed => "closed",
            State::Open { .. } => "open",
            State::HalfOpen { .. } => "half_open",
        }
    }

    fn admit(self, rules: &BreakerRules, now: Duration) -> (Option<State>, Admit) {
        let trial =
            |succeeded| (Some(State::HalfOpen { since: now, admitted: succeeded + 1, succeeded }), Admit::Trial);
        let refuse = |until: Duration| (None, Admit::Refuse { retry_after: until - now });
        match self {
            State::Closed => (None, Admit::Pass),
            State::Open { until } if now < until => refuse(until),
            State::Open { .. } => trial(0),
            State::HalfOpen { since, admitted, succeeded } if admitted < rules.probes => {
                (Some(State::HalfOpen { since, admitted: admitted + 1, succeeded }), Admit::Trial)
            }
            State::HalfOpen { since, .. } if now < since.saturating_add(rules.open) => {
                refuse(since.saturating_add(rules.open))
            }
            // The trials that are missing are taken for lost.
            State::HalfOpen { succeeded, .. } => trial(succeeded),
        }
    }

    fn succeed(self, rules: &BreakerRules) -> Option<State> {
        match self {
            State::HalfOpen { succeeded, .. } if succeeded + 1 >= rules.probes => Some(State::Closed),
            State::HalfOpen { since, admitted, succeeded } => {
                let succeeded = succeeded + 1;
                Some(State::HalfOpen { since, admitted: admitted.max(succeeded), succeeded })
            }
            State::Closed | State::Open { .. } => None,
        }
    }

    fn forget(self) -> Option<State> {
        match self {
            State::HalfOpen { since, admitted, succeeded } if admitted > succeeded => {
                Some(State::HalfOpen { since, admitted: admitted - 1, succeeded })
            }
            _ => None,
        }
    }

    /// Kind, two counts, milliseconds: 2 + 11 + 11 + 40 bits.
    fn pack(self) -> u64 {
        let time = |time| millis(time).min((1 << MILLIS_BITS) - 1) << (2 + 2 * COUNT_BITS);
        match self {
            State::Closed => CLOSED,
            State::Open { until } => OPEN | time(until),
            State::HalfOpen { since, admitted, succeeded } => {
                HALF_OPEN | u64::from(admitted) << 2 | u64::from(succeeded) << (2 + COUNT_BITS) | time(since)
            }
        }
    }

    fn unpack(packed: u64) -> State {
        let count = |shift: u32| (packed >> shift) as u32 & PROBES_MAX;
        let time = Duration::from_millis(packed >> (2 + 2 * COUNT_BITS));
        match packed & 3 {
            CLOSED => State::Closed,
            OPEN => State::Open { until: time },
            _ => State::HalfOpen { since: time, admitted: count(2), succeeded: count(2 + COUNT_BITS) },
        }
    }
}

const CLOSED: u64 = 0;
const OPEN: u64 = 1;
const HALF_OPEN: u64 = 2;

const COUNT_BITS: u32 = 11;

/// 34 years.
const MILLIS_BITS: u32 = 64 - 2 - 2 * COUNT_BITS;

#[cfg(test)]
#[path = "breaker_tests.rs"]
mod tests;
