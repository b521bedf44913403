//! What exchanges say of one backend, counted by all threads.

use super::millis;
use super::outlier::OutlierRules;
use super::window::{Pace, Sliding};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// A backend that was judged and spared is judged again after so small a part of the window at the earliest: a pool
/// whose backends all fail is not summed up for each failure.
pub const JUDGEMENTS_PER_WINDOW: u32 = 16;

/// Outcomes of one backend's attempts.
///
/// All of it is relaxed: a number may be a moment old, which can move an ejection by an attempt. What must be exact,
/// the bound on ejections, is decided under the caller's lock.
#[derive(Debug)]
// Two lines, as x86 fetches them in pairs: backends beside each other do not slow each other down.
#[repr(align(128))]
pub struct Tally {
    rules: OutlierRules,
    pace: Pace,
    in_a_row: AtomicU32,
    successes: Sliding,
    failures: Sliding,
    deaf_until_millis: AtomicU64,
    again_millis: AtomicU64,
}

/// What a [`Tally`] holds at one time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Failures since the last success.
    pub in_a_row: u32,
    /// Successes in the window.
    pub successes: u64,
    /// Failures in the window.
    pub failures: u64,
}

impl Tally {
    /// Nothing has happened yet.
    #[must_use]
    pub fn new(rules: OutlierRules) -> Tally {
        Tally {
            rules,
            pace: Pace::new(rules.window),
            in_a_row: AtomicU32::new(0),
            successes: Sliding::default(),
            failures: Sliding::default(),
            deaf_until_millis: AtomicU64::new(0),
            again_millis: AtomicU64::new(0),
        }
    }

    /// What it was made with.
    #[must_use]
    pub fn rules(&self) -> &OutlierRules {
        &self.rules
    }

    /// An attempt succeeded: a load, and one locked addition if rates matter.
    #[inline]
    pub fn succeeded(&self, now: Duration) {
        if self.in_a_row.load(Relaxed) != 0 {
            self.in_a_row.store(0, Relaxed);
        }
        if self.rules.failure_rate != 0 {
            self.successes.add(self.pace.epoch(now));
        }
    }

    /// An attempt failed. Whether the backend is worth a [judgement](super::outlier::judge).
    #[must_use]
    pub fn failed(&self, now: Duration) -> bool {
        if millis(now) < self.deaf_until_millis.load(Relaxed) {
            return false;
        }
        let in_a_row = self.in_a_row.fetch_update(Relaxed, Relaxed, |n| n.checked_add(1)).map_or(u32::MAX, |n| n + 1);
        if self.rules.failure_rate != 0 {
            self.failures.add(self.pace.epoch(now));
        }
        let due = self.is_due(in_a_row, now);
        if due {
            let again = now.saturating_add(self.rules.window / JUDGEMENTS_PER_WINDOW);
            self.again_millis.store(millis(again), Relaxed);
        }
        due
    }

    /// What is known now.
    #[must_use]
    pub fn counts(&self, now: Duration) -> Counts {
        let epoch = self.pace.epoch(now);
        Counts {
            in_a_row: self.in_a_row.load(Relaxed),
            successes: self.successes.sum(epoch),
            failures: self.failures.sum(epoch),
        }
    }

    /// Forgets all, and counts no failure before `from`, the end of an ejection: those are of attempts from before it.
    pub fn restart(&self, from: Duration) {
        self.deaf_until_millis.store(millis(from), Relaxed);
        self.again_millis.store(0, Relaxed);
        self.in_a_row.store(0, Relaxed);
        self.successes.clear();
        self.failures.clear();
    }

    fn is_due(&self, in_a_row: u32, now: Duration) -> bool {
        // Each length of a row is reached by one thread only, so that the limit is never missed; a thread that meets it
        // there may judge, too, which changes nothing.
        let limit = self.rules.is_row(in_a_row) && in_a_row == self.rules.consecutive_failures;
        limit
            || (millis(now) >= self.again_millis.load(Relaxed)
                && (self.rules.is_row(in_a_row) || self.rules.is_rate(&self.counts(now))))
    }
}

impl Counts {
    /// All attempts that ended in the window.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.successes + self.failures
    }
}

impl std::ops::AddAssign for Counts {
    /// Adds up windows. Rows of different backends have nothing to do with each other: the longest stays.
    fn add_assign(&mut self, other: Counts) {
        self.in_a_row = self.in_a_row.max(other.in_a_row);
        self.successes += other.successes;
        self.failures += other.failures;
    }
}

impl std::iter::Sum for Counts {
    fn sum<I: Iterator<Item = Counts>>(all: I) -> Counts {
        all.fold(Counts::default(), |mut sum, one| {
            sum += one;
            sum
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::sync::atomic::AtomicUsize;

    const RULES: OutlierRules = OutlierRules {
        consecutive_failures: 5,
        failure_rate: 3_000,
        window: Duration::from_secs(10),
        requests_min: 20,
        eject: Duration::from_secs(30),
        max_ejected: 5_000,
    };

    const AT: Duration = Duration::from_secs(100);

    #[test]
    fn a_row_is_worth_judging_at_its_limit_and_then_now_and_then() {
        let tally = Tally::new(OutlierRules { failure_rate: 0, ..RULES });
        let due: Vec<u64> = (1..=100).filter(|&n| tally.failed(AT + Duration::from_millis(100 * n))).collect();
        assert_eq!(due[..3], [5, 12, 19], "625 ms are a sixteenth of the window");
        tally.succeeded(AT);
        assert_eq!((1..=5).filter(|_| tally.failed(AT)).count(), 1, "a new row has its own limit");
    }

    #[test]
    fn half_of_all_is_worth_judging_as_soon_as_there_are_enough() {
        let tally = Tally::new(RULES);
        let first = (1..=40).find(|n| {
            tally.succeeded(AT);
            tally.failed(AT + Duration::from_millis(*n))
        });
        assert_eq!(first, Some(10));
        assert!(!tally.failed(AT + Duration::from_millis(41)), "again only after a pause");
        assert!(tally.failed(AT + Duration::from_secs(1)));
    }

    #[test]
    fn a_restart_ends_the_pause_between_judgements() {
        let tally = Tally::new(OutlierRules { consecutive_failures: 0, ..RULES });
        for _ in 0..2 {
            (0..14).for_each(|_| tally.succeeded(AT));
            let due: Vec<u32> = (1..=8).filter(|_| tally.failed(AT)).collect();
            assert_eq!(due, [6], "six of twenty");
            tally.restart(AT);
        }
    }

    #[test]
    fn a_rule_that_is_off_is_never_due_and_costs_no_count() {
        let tally = Tally::new(OutlierRules { consecutive_failures: 0, failure_rate: 0, ..RULES });
        tally.succeeded(AT);
        assert!(!(0..1_000).any(|_| tally.failed(AT)));
        assert_eq!(tally.counts(AT).requests(), 0);
    }

    #[test]
    fn after_a_restart_nothing_is_left_and_old_attempts_do_not_count() {
        let tally = Tally::new(RULES);
        tally.succeeded(AT);
        assert_eq!((0..5).filter(|_| tally.failed(AT)).count(), 1);
        let until = AT + RULES.eject;
        tally.restart(until);
        assert!(!(0..50).any(|_| tally.failed(until - Duration::from_millis(1))));
        assert_eq!(tally.counts(AT), Counts::default());
        assert_eq!((0..5).filter(|_| tally.failed(until)).count(), 1);
    }

    #[test]
    fn of_many_threads_one_sees_the_limit_and_none_judges_twice() {
        for _ in 0..50 {
            let (tally, due) = (Tally::new(OutlierRules { failure_rate: 0, ..RULES }), AtomicUsize::new(0));
            let fail = || (0..20).filter(|_| tally.failed(AT)).count();
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| {
                        let mine = fail();
                        assert!(mine <= 1);
                        due.fetch_add(mine, Relaxed)
                    });
                }
            });
            // More than one if they pass the limit before the pause is seen; the caller's lock puts them in order.
            assert!(due.into_inner() >= 1);
            assert_eq!(tally.counts(AT).in_a_row, 80);
        }
    }

    #[test]
    fn threads_lose_no_outcome() {
        let tally = Tally::new(RULES);
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let tally = &tally;
                scope.spawn(move || {
                    for n in 0..10_000 {
                        if (n + thread) % 4 == 0 { _ = tally.failed(AT) } else { tally.succeeded(AT) }
                    }
                });
            }
        });
        let counts = tally.counts(AT);
        assert_eq!((counts.successes, counts.failures), (30_000, 10_000));
    }

    proptest! {
        #[test]
        fn it_counts_as_a_list_of_outcomes_would(
            outcomes in proptest::collection::vec((0u64..4_000, any::<bool>()), 0..60)
        ) {
            let (tally, mut now, mut list) = (Tally::new(RULES), Duration::ZERO, Vec::new());
            for (step, success) in outcomes {
                now += Duration::from_millis(step);
                list.push((now.as_secs() / 5, success));
                if success { tally.succeeded(now) } else { _ = tally.failed(now) }
                let recent = list.iter().filter(|(half, _)| now.as_secs() / 5 - half <= 1);
                let failures = recent.clone().filter(|(_, success)| !success).count() as u64;
                let in_a_row = list.iter().rev().take_while(|(_, success)| !success).count() as u32;
                let expected = Counts { in_a_row, failures, successes: recent.count() as u64 - failures };
                prop_assert_eq!(tally.counts(now), expected);
            }
        }
    }
}
