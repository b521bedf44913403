//! Passive checks: whether a backend is ejected, taken out for a while because of what exchanges saw.
//!
//! After Envoy's outlier detection (architecture overview, "Outlier detection"): so many failures in a row, or a rate
//! of failures that stands out from the other backends', as Envoy's success rate does. Where all fail alike, nothing is
//! won by taking one out. An ejection grows with each that follows another, and never more than a share of the pool is
//! out.
//!
//! The order of calls: [`Tally::failed`](super::Tally::failed) says that a backend is worth judging; the caller locks
//! the pool's ejections, reads [`Counts`] and calls [`judge`]; on an ejection it stores it, calls
//! [`Tally::restart`](super::Tally::restart) with its end, and unlocks. The lock makes the bound on ejections hold; no
//! other path takes it. Nobody has to do anything when an ejection ends.

use super::{Counts, SHARE_WHOLE, reaches};
use std::time::Duration;

/// An ejection lasts at most so many times [`OutlierRules::eject`].
pub const EJECT_GROWTH_MAX: u32 = 10;

/// How many times the rate of the others a rate of failures must be to stand out.
pub const STANDS_OUT_FACTOR: u64 = 2;

/// When a backend is ejected, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutlierRules {
    /// So many failures in a row eject; 0: none do.
    pub consecutive_failures: u32,
    /// This share of failures in the window ejects if the other backends fail half as often or less; 0: none does.
    pub failure_rate: u16,
    /// What the rate is taken over: at least the last half of it, at most all.
    pub window: Duration,
    /// A rate of fewer exchanges than this says nothing.
    pub requests_min: u32,
    /// How long a first ejection lasts; the second in a row twice as long, up to [`EJECT_GROWTH_MAX`].
    pub eject: Duration,
    /// The share of the pool that may be out at once, rounded down; but one of two or more, unless it is 0.
    pub max_ejected: u16,
}

/// The last ejection of a backend; kept when it is over, for the next one's length and the ramp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ejection {
    /// When it ends, or ended.
    pub until: Duration,
    /// Which one it is of those that followed each other closely, from 1.
    pub in_a_row: u32,
    /// What led to it.
    pub cause: Cause,
}

/// Why a backend was ejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// It failed so many times in a row.
    Consecutive,
    /// It failed more often than the others.
    Rate,
}

/// What a judgement has to know of the pool, beside the backend that is judged. Backends without weight and those that
/// are draining are not of the pool here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Company {
    /// All backends, the judged one, too.
    pub size: usize,
    /// Those that are ejected now, whatever their checks say.
    pub ejected: usize,
    /// How many other backends may be used now.
    pub others_usable: usize,
    /// What exchanges saw of the others.
    pub others: Counts,
}

/// Whether a backend is to be ejected, by what exchanges saw of it and its `last` ejection.
#[must_use]
pub fn judge(
    counts: &Counts,
    last: Option<Ejection>,
    company: &Company,
    rules: &OutlierRules,
    now: Duration,
) -> Option<Ejection> {
    let cause = cause(counts, &company.others, rules)?;
    let spared = last.is_some_and(|last| last.holds(now)) || !may_eject(company, rules);
    (!spared).then(|| {
        let in_a_row = last.map_or(0, |last| last.weight(rules, now)).saturating_add(1).min(EJECT_GROWTH_MAX);
        Ejection { until: now.saturating_add(rules.eject.saturating_mul(in_a_row)), in_a_row, cause }
    })
}

/// How many backends of a pool of `size` may be ejected at once.
#[must_use]
pub fn ejected_max(size: usize, rules: &OutlierRules) -> usize {
    match (rules.max_ejected, size) {
        (0, _) | (_, 0 | 1) => 0,
        (share, _) => (size.saturating_mul(usize::from(share.min(SHARE_WHOLE))) / usize::from(SHARE_WHOLE)).max(1),
    }
}

impl Ejection {
    /// Whether the backend is out because of it.
    #[must_use]
    pub fn holds(&self, now: Duration) -> bool {
        now < self.until
    }

    /// Ends it early: for a backend that its check has seen go down and come up since. That is another life than the
    /// one that was ejected. The caller calls [`Tally::restart`](super::Tally::restart) with `now`, too.
    pub fn lift(&mut self, now: Duration) {
        self.until = self.until.min(now);
    }

    /// What it still counts for in the length of the next: one less for each [`OutlierRules::eject`] without another,
    /// as Envoy lowers its multiplier for each interval that a host stays healthy.
    fn weight(&self, rules: &OutlierRules, now: Duration) -> u32 {
        let quiet = now.saturating_sub(self.until).as_nanos() / rules.eject.as_nanos().max(1);
        self.in_a_row.saturating_sub(u32::try_from(quiet).unwrap_or(u32::MAX))
    }
}

impl Cause {
    /// As it stands in metrics and logs.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Cause::Consecutive => "consecutive_failures",
            Cause::Rate => "failure_rate",
        }
    }

    /// All of them.
    pub const ALL: [Cause; 2] = [Cause::Consecutive, Cause::Rate];
}

impl OutlierRules {
    /// Whether so many failures in a row eject.
    pub(super) fn is_row(&self, in_a_row: u32) -> bool {
        self.consecutive_failures != 0 && in_a_row >= self.consecutive_failures
    }

    /// Whether the rate of failures ejects if it stands out.
    pub(super) fn is_rate(&self, counts: &Counts) -> bool {
        let requests = counts.requests();
        self.failure_rate != 0
            && requests >= u64::from(self.requests_min)
            && reaches(counts.failures, requests, self.failure_rate)
    }
}

fn cause(counts: &Counts, others: &Counts, rules: &OutlierRules) -> Option<Cause> {
    if rules.is_row(counts.in_a_row) {
        return Some(Cause::Consecutive);
    }
    (rules.is_rate(counts) && stands_out(counts, others)).then_some(Cause::Rate)
}

/// Compares two rates crosswise, so that nobody divides. Others that nothing is known of do not fail.
fn stands_out(counts: &Counts, others: &Counts) -> bool {
    let cross = |failures: u64, requests: u64| u128::from(failures) * u128::from(requests);
    cross(counts.failures, others.requests())
        >= u128::from(STANDS_OUT_FACTOR) * cross(others.failures, counts.requests())
}

fn may_eject(company: &Company, rules: &OutlierRules) -> bool {
    company.others_usable > 0 && company.ejected < ejected_max(company.size, rules)
}

#[cfg(test)]
#[path = "outlier_tests.rs"]
mod tests;
