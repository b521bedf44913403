use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// What a cohort of exchanges showed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cohort {
    /// Exchanges whose latency is known.
    pub count: u32,
    /// Exchanges that the backend gave up on: it said 503, or nothing in time.
    pub overloads: u32,
    /// The mean of the logarithms of latencies in nanoseconds: that of the geometric mean. It says by which factor all
    /// got slower, however much fast and slow ones differ.
    pub ln_latency: f64,
    /// How many were in flight when they began, themselves among them, in the mean.
    pub in_flight: f64,
    /// The share that took the last place.
    pub full: f64,
}

/// The cohort that is collected: what threads add to.
#[derive(Debug, Default)]
pub(super) struct Sums {
    /// The count and the sum of logarithms in one word, so that a mean is of what was counted.
    latency: AtomicU64,
    /// The sum of those in flight, and how many found it full.
    places: AtomicU64,
    overloads: AtomicU32,
    lost: AtomicU32,
}

impl Sums {
    /// Adds an exchange with its latency.
    pub(super) fn add(&self, latency: Duration, in_flight: u32, full: bool) {
        if self.count() >= COUNT_MAX {
            return;
        }
        let nanos = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX).max(1);
        let ln = ((nanos as f32).ln() * LN_UNIT) as u64;
        self.latency.fetch_add(COUNT_ONE + ln, Relaxed);
        self.places.fetch_add(u64::from(in_flight.min(IN_FLIGHT_MAX)) + u64::from(full) * FULL_ONE, Relaxed);
    }

    /// Adds one that the backend gave up on.
    pub(super) fn add_overload(&self) {
        self.overloads.fetch_add(1, Relaxed);
    }

    /// Adds one that showed nothing.
    pub(super) fn add_lost(&self) {
        self.lost.fetch_add(1, Relaxed);
    }

    /// How many ended, whatever way.
    pub(super) fn ended(&self) -> u64 {
        self.count() + u64::from(self.overloads.load(Relaxed)) + u64::from(self.lost.load(Relaxed))
    }

    fn count(&self) -> u64 {
        self.latency.load(Relaxed) / COUNT_ONE
    }

    /// Takes it all out.
    pub(super) fn take(&self) -> Cohort {
        let (latency, places) = (self.latency.swap(0, Relaxed), self.places.swap(0, Relaxed));
        self.lost.store(0, Relaxed);
        let count = latency / COUNT_ONE;
        let mean = |sum: u64| sum as f64 / count.max(1) as f64;
        Cohort {
            count: count as u32,
            overloads: self.overloads.swap(0, Relaxed),
            ln_latency: mean(latency % COUNT_ONE) / f64::from(LN_UNIT),
            in_flight: mean(places % FULL_ONE),
            full: mean(places / FULL_ONE).min(1.0),
        }
    }
}

/// Logarithms are kept to 0.4 %: that of 2^64 ns is 11,357 then, and those of [`COUNT_MAX`] fit in 40 bits.
const LN_UNIT: f32 = 256.0;
const COUNT_ONE: u64 = 1 << 40;
/// What comes above says nothing new. Threads that meet here go over by one each.
const COUNT_MAX: u64 = 1 << 20;
const FULL_ONE: u64 = 1 << 42;
/// The sum of so many of [`COUNT_MAX`] exchanges fits in 42 bits.
const IN_FLIGHT_MAX: u32 = 1 << 21;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_added_comes_out_as_means() {
        let sums = Sums::default();
        sums.add(Duration::from_millis(10), 4, false);
        sums.add(Duration::from_millis(40), 8, true);
        sums.add_overload();
        sums.add_lost();
        assert_eq!(sums.ended(), 4);
        let cohort = sums.take();
        assert_eq!((cohort.count, cohort.overloads), (2, 1));
        let geometric = cohort.ln_latency.exp() / 1e6;
        assert!((geometric - 20.0).abs() < 0.1, "{geometric} ms");
        assert_eq!((cohort.in_flight, cohort.full), (6.0, 0.5));
        assert_eq!((sums.take().count, sums.ended()), (0, 0));
    }

    #[test]
    fn a_word_never_runs_over() {
        let sums = Sums::default();
        (0..COUNT_MAX + 10).for_each(|_| sums.add(Duration::MAX, u32::MAX, true));
        let cohort = sums.take();
        assert_eq!(u64::from(cohort.count), COUNT_MAX);
        assert!((cohort.ln_latency - (u64::MAX as f64).ln()).abs() < 0.01);
        assert_eq!((cohort.in_flight, cohort.full), (f64::from(IN_FLIGHT_MAX), 1.0));
    }

    #[test]
    fn threads_lose_nothing() {
        let sums = Sums::default();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..5_000).for_each(|_| sums.add(Duration::from_millis(1), 2, false)));
            }
        });
        let cohort = sums.take();
        assert_eq!((cohort.count, cohort.in_flight), (20_000, 2.0));
        assert!((cohort.ln_latency - 1e6f64.ln()).abs() < 0.005);
    }
}
