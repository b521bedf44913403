//! Backends that fail exchanges are ejected for a while (Envoy's outlier detection): for failures in a row, or for a rate
//! of failures that is high in itself and against the other backends. If all fail alike, ejecting one helps nobody.

use super::window::{Counts, WHOLE, Window};
use crate::config::Outlier;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// What exchanges saw of a backend; any thread writes.
#[derive(Debug, Default)]
pub struct Tally {
    in_a_row: AtomicU32,
    window: Window,
    /// Ejections in a row, and when the last of them ended.
    ejections: AtomicU32,
    ended_ms: AtomicU64,
}

/// How a backend stands when one of its exchanges failed.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// Failures in a row.
    pub in_a_row: u32,
    /// Its own exchanges.
    pub own: Counts,
    /// Those of the pool's other backends.
    pub others: Counts,
}

/// How a pool stands when a backend is to be ejected.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// Backends that are not draining.
    pub size: usize,
    /// Backends that are ejected.
    pub ejected: usize,
    /// Other backends that may be used.
    pub available_others: usize,
}

impl Tally {
    /// An exchange went well. A load, where rates do not count.
    pub fn succeeded(&self, rules: &Outlier, now: Duration) {
        if self.in_a_row.load(Relaxed) != 0 {
            self.in_a_row.store(0, Relaxed);
        }
        if rules.failure_rate > 0 {
            self.window.count(false, now, rules.window);
        }
    }

    /// An exchange failed.
    pub fn failed(&self, rules: &Outlier, now: Duration) {
        // Saturates: a wrap would be a success.
        if self.in_a_row.fetch_add(1, Relaxed) == u32::MAX {
            self.in_a_row.store(u32::MAX, Relaxed);
        }
        if rules.failure_rate > 0 {
            self.window.count(true, now, rules.window);
        }
    }

    /// Failures since the last success.
    #[must_use]
    pub fn in_a_row(&self) -> u32 {
        self.in_a_row.load(Relaxed)
    }

    /// What was counted within the window.
    #[must_use]
    pub fn counts(&self, rules: &Outlier, now: Duration) -> Counts {
        self.window.counts(now, rules.window)
    }

    /// It is ejected: until when. What led to it is forgotten, so that it comes back with a clean slate.
    pub fn eject(&self, rules: &Outlier, now: Duration) -> Duration {
        let ended = Duration::from_millis(self.ended_ms.load(Relaxed));
        let count = in_a_row_after(self.ejections.load(Relaxed), now.saturating_sub(ended), rules.eject);
        let until = now + rules.eject * count;
        self.ejections.store(count, Relaxed);
        self.ended_ms.store(u64::try_from(until.as_millis()).unwrap_or(u64::MAX), Relaxed);
        self.in_a_row.store(0, Relaxed);
        self.window.clear();
        until
    }
}

/// Whether a backend fails enough to be ejected.
#[must_use]
pub fn is_outlier(case: &Case, rules: &Outlier) -> bool {
    let in_a_row = rules.consecutive_failures > 0 && case.in_a_row >= rules.consecutive_failures;
    in_a_row
        || (rules.failure_rate > 0
            && case.own.reach(rules.failure_rate, rules.requests_min)
            && is_worse(case.own, case.others))
}

/// Whether one more may be ejected: a share of the pool, at least one, and never the last one that may be used.
#[must_use]
pub fn has_room(room: &Room, rules: &Outlier) -> bool {
    let share = room.size as u64 * u64::from(rules.max_ejected) / WHOLE;
    let max = share.max(1) as usize;
    room.ejected < max && room.available_others > 0
}

/// At least twice the rate of the others.
fn is_worse(own: Counts, others: Counts) -> bool {
    others.total == 0
        || u128::from(own.failed) * u128::from(others.total) >= 2 * u128::from(others.failed) * u128::from(own.total)
}

/// Ejections in a row with the one that begins now: each `eject` without one forgives one.
fn in_a_row_after(before: u32, since: Duration, eject: Duration) -> u32 {
    let forgiven = since.as_nanos() / eject.as_nanos().max(1);
    let left = before.saturating_sub(u32::try_from(forgiven).unwrap_or(u32::MAX));
    (left + 1).min(LONGER_MAX)
}

/// An ejection is at most so many times as long as the first.
const LONGER_MAX: u32 = 10;

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::config::Statuses;
    use proptest::prelude::*;

    pub(crate) fn rules() -> Outlier {
        Outlier {
            consecutive_failures: 5,
            failure_rate: 4_000,
            window: Duration::from_secs(10),
            requests_min: 20,
            eject: Duration::from_secs(30),
            max_ejected: 5_000,
            statuses: Statuses::default(),
        }
    }

    const S: fn(u64) -> Duration = Duration::from_secs;

    fn case(tally: &Tally, others: Counts) -> Case {
        Case { in_a_row: tally.in_a_row(), own: tally.counts(&rules(), S(1)), others }
    }

    #[test]
    fn failures_in_a_row_make_an_outlier_and_a_success_breaks_the_row() {
        let (tally, rules) = (Tally::default(), rules());
        let none = Counts::default();
        for _ in 0..4 {
            tally.failed(&rules, S(1));
        }
        assert!(!is_outlier(&case(&tally, none), &rules));
        tally.succeeded(&rules, S(1));
        for _ in 0..4 {
            tally.failed(&rules, S(1));
        }
        assert!(!is_outlier(&case(&tally, none), &rules));
        tally.failed(&rules, S(1));
        assert!(is_outlier(&case(&tally, none), &rules));
    }

    #[test]
    fn half_of_all_failing_makes_an_outlier_unless_the_others_fail_as_well() {
        let (tally, rules) = (Tally::default(), rules());
        for exchange in 0..20 {
            let judged = is_outlier(&case(&tally, Counts { total: 100, failed: 2 }), &rules);
            assert!(!judged, "after {exchange}");
            if exchange % 2 == 0 { tally.failed(&rules, S(1)) } else { tally.succeeded(&rules, S(1)) }
        }
        assert!(is_outlier(&case(&tally, Counts { total: 100, failed: 2 }), &rules));
        assert!(is_outlier(&case(&tally, Counts { total: 100, failed: 25 }), &rules));
        assert!(!is_outlier(&case(&tally, Counts { total: 100, failed: 26 }), &rules));
    }

    #[test]
    fn an_ejected_backend_comes_back_with_a_clean_slate_and_stays_out_longer_if_it_fails_again() {
        let (tally, rules) = (Tally::default(), rules());
        assert_eq!(tally.eject(&rules, S(100)), S(130));
        assert!(!is_outlier(&case(&tally, Counts::default()), &rules));
        assert_eq!(tally.eject(&rules, S(131)), S(191), "twice as long");
        assert_eq!(tally.eject(&rules, S(192)), S(282));
        // After an hour all is forgiven.
        assert_eq!(tally.eject(&rules, S(4_000)), S(4_030));
    }

    proptest! {
        #[test]
        fn there_is_room_for_a_share_but_never_for_the_last(size in 1usize..50, ejected in 0usize..50, max in 1u16..=10_000) {
            let ejected = ejected.min(size);
            let rules = Outlier { max_ejected: max, ..rules() };
            let room = Room { size, ejected, available_others: (size - ejected).saturating_sub(1) };
            if has_room(&room, &rules) {
                prop_assert!(ejected + 1 < size, "one is left");
                prop_assert!(ejected == 0 || (ejected + 1) * 10_000 <= size * usize::from(max));
            }
        }

        #[test]
        fn ejections_are_bounded_in_length(before in 0u32..100, since in 0u64..100_000) {
            let count = in_a_row_after(before, S(since), S(30));
            prop_assert!((1..=LONGER_MAX).contains(&count));
        }
    }
}
