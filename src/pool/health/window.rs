use super::millis;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Cuts time into half-windows: what is counted is that of the current one and of the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pace {
    half_millis: u64,
}

/// The number of a half-window. It wraps after years; only neighbours are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Epoch(u32);

/// A count over a sliding window, added to by any thread: a cell each for even and odd half-windows, which holds the
/// number of its half-window and the count in it. Nobody has to turn it; what is too old is seen as such.
#[derive(Debug)]
pub(super) struct Sliding([AtomicU64; 2]);

/// The shortest half-window, a tick of the workers' clocks; so short ones, too, take years to wrap.
const HALF_MIN_MILLIS: u64 = 50;

/// More in one half-window are counted as this many.
const COUNT_MAX: u64 = 1 << 31;

const COUNT_BITS: u32 = 32;

impl Pace {
    /// What happened half a `window` ago or less is counted, what happened a whole one ago is not.
    pub(super) fn new(window: Duration) -> Pace {
        Pace { half_millis: (millis(window) / 2).max(HALF_MIN_MILLIS) }
    }

    pub(super) fn epoch(self, now: Duration) -> Epoch {
        // The low bits are meant.
        Epoch((millis(now) / self.half_millis) as u32)
    }
}

impl Epoch {
    fn before(self) -> Epoch {
        Epoch(self.0.wrapping_sub(1))
    }

    fn is_after(self, other: Epoch) -> bool {
        (self.0.wrapping_sub(other.0) as i32) > 0
    }
}

impl Default for Sliding {
    /// No cell holds the number of a half-window that it could be used for, so nothing is counted.
    fn default() -> Sliding {
        Sliding([AtomicU64::new(pack(Epoch(u32::MAX), 0)), AtomicU64::new(pack(Epoch(0), 0))])
    }
}

impl Sliding {
    /// One more; one locked instruction but at the turn of a half-window.
    #[inline]
    pub(super) fn add(&self, epoch: Epoch) {
        let before = self.cell(epoch).fetch_add(1, Relaxed);
        if tag(before) != epoch || count(before) >= COUNT_MAX {
            self.correct(epoch, before);
        }
    }

    /// The current half-window and the one before.
    pub(super) fn sum(&self, epoch: Epoch) -> u64 {
        let of = |epoch| {
            let value = self.cell(epoch).load(Relaxed);
            if tag(value) == epoch { count(value).min(COUNT_MAX) } else { 0 }
        };
        of(epoch) + of(epoch.before())
    }

    /// Forgets all. What is added meanwhile may stay.
    pub(super) fn clear(&self) {
        for cell in &self.0 {
            cell.fetch_and(u64::MAX << COUNT_BITS, Relaxed);
        }
    }

    /// After an addition to a cell that was full, or held another half-window.
    #[cold]
    fn correct(&self, epoch: Epoch, before: u64) {
        let cell = self.cell(epoch);
        if tag(before) == epoch {
            cell.fetch_sub(1, Relaxed);
            return;
        }
        // Whoever replaces the old half-window replaces also what others have just added to it; each of them comes
        // here, too.
        let _ = cell.fetch_update(Relaxed, Relaxed, |value| match tag(value) {
            held if held == epoch => Some(value + 1),
            // This thread is late by a whole window.
            held if held.is_after(epoch) => None,
            _ => Some(pack(epoch, 1)),
        });
    }

    fn cell(&self, Epoch(epoch): Epoch) -> &AtomicU64 {
        &self.0[(epoch & 1) as usize]
    }
}

fn pack(Epoch(tag): Epoch, count: u64) -> u64 {
    u64::from(tag) << COUNT_BITS | count
}

fn tag(value: u64) -> Epoch {
    Epoch((value >> COUNT_BITS) as u32)
}

fn count(value: u64) -> u64 {
    value & u64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::sync::Barrier;

    fn at(millis: u64) -> Epoch {
        Pace::new(Duration::from_millis(200)).epoch(Duration::from_millis(millis))
    }

    #[test]
    fn what_is_a_window_old_is_forgotten_without_anybody_turning_it() {
        let sliding = Sliding::default();
        assert_eq!(sliding.sum(at(0)), 0);
        for _ in 0..3 {
            sliding.add(at(99));
        }
        assert_eq!([99, 100, 199, 200, 299].map(|now| sliding.sum(at(now))), [3, 3, 3, 0, 0]);
        sliding.add(at(250));
        assert_eq!(sliding.sum(at(250)), 1);
        sliding.clear();
        assert_eq!(sliding.sum(at(250)), 0);
        sliding.add(at(260));
        assert_eq!(sliding.sum(at(260)), 1);
    }

    #[test]
    fn a_full_count_stays_full_and_spares_the_number_beside_it() {
        let sliding =
            Sliding([AtomicU64::new(pack(Epoch(0), COUNT_MAX - 1)), AtomicU64::new(pack(Epoch(u32::MAX), 7))]);
        for _ in 0..5 {
            sliding.add(Epoch(0));
        }
        assert_eq!(sliding.sum(Epoch(0)), COUNT_MAX + 7);
        assert_eq!(count(sliding.0[0].load(Relaxed)), COUNT_MAX, "it does not grow on");
    }

    #[test]
    fn a_thread_that_is_late_by_a_window_turns_nothing_back() {
        let sliding = Sliding::default();
        sliding.add(at(250));
        sliding.add(at(0));
        assert_eq!(sliding.sum(at(250)), 2);
    }

    #[test]
    fn two_that_both_found_an_old_half_window_are_both_counted() {
        let sliding = Sliding::default();
        let before = [(), ()].map(|()| sliding.cell(at(0)).fetch_add(1, Relaxed));
        before.into_iter().for_each(|before| sliding.correct(at(0), before));
        assert_eq!(sliding.sum(at(0)), 2);
    }

    #[test]
    fn threads_that_meet_at_the_turn_lose_nothing() {
        const THREADS: u64 = 4;
        const EACH: u64 = 20;
        let (sliding, barrier) = (Sliding::default(), Barrier::new(THREADS as usize));
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    for epoch in (0..400).map(Epoch) {
                        barrier.wait();
                        (0..EACH).for_each(|_| sliding.add(epoch));
                        barrier.wait();
                        assert_eq!(sliding.sum(epoch), THREADS * EACH * if epoch.0 == 0 { 1 } else { 2 });
                    }
                });
            }
        });
    }

    proptest! {
        #[test]
        fn it_counts_what_happened_in_this_half_window_and_the_last(steps in proptest::collection::vec(0u64..150, 0..60)) {
            let (sliding, mut now, mut seen) = (Sliding::default(), 0, Vec::new());
            for step in steps {
                now += step;
                seen.push(now);
                sliding.add(at(now));
                let recent = seen.iter().filter(|&&then| now / 100 - then / 100 <= 1).count();
                prop_assert_eq!(sliding.sum(at(now)), recent as u64);
            }
        }
    }
}
