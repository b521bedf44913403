use super::pace::nanos;
use super::sets::{At, Key, Sets, Step};
use std::time::Duration;

/// When each key may send its next bytes, for all workers: a word is the time at which all that was sent is paid for.
pub struct Bandwidth {
    sets: Sets,
}

/// Bytes a second, and what may be saved up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flow {
    /// Bytes a second.
    rate: u64,
    /// The burst, in nanoseconds.
    tolerance: u64,
}

impl Flow {
    /// So many bytes a second, and `burst` at once.
    #[must_use]
    pub fn new(rate: u64, burst: u64) -> Flow {
        let flow = Flow { rate: rate.max(1), tolerance: 0 };
        Flow { tolerance: flow.cost(burst), ..flow }
    }

    /// Nanoseconds that so many bytes take; rounded up.
    fn cost(self, bytes: u64) -> u64 {
        let nanos = (u128::from(bytes) * 1_000_000_000).div_ceil(u128::from(self.rate));
        u64::try_from(nanos).unwrap_or(COST_MAX).min(COST_MAX)
    }

    /// Bytes that are sent in one piece: those of 50 ms, within bounds.
    #[must_use]
    pub fn slice(self) -> usize {
        let bytes = u128::from(self.rate) * SLICE.as_nanos() / 1_000_000_000;
        usize::try_from(bytes).unwrap_or(SLICE_BYTES_MAX).clamp(SLICE_BYTES_MIN, SLICE_BYTES_MAX)
    }
}

impl Bandwidth {
    /// A table of so many bytes.
    #[must_use]
    pub fn new(bytes: usize) -> Bandwidth {
        Bandwidth { sets: Sets::new(bytes, false) }
    }

    /// How long so many bytes would have to wait, which are taken of the allowance only if that is not at all.
    pub fn observe(&self, key: Key, flow: Flow, bytes: u64, now: Duration) -> Duration {
        let (now, cost) = (nanos(now), flow.cost(bytes).max(1));
        let (_, wait) = self.sets.change(key, &At { now }, |paid| {
            let paid = paid.max(now).saturating_add(cost).min(PAID_MAX);
            match (paid - now).saturating_sub(flow.tolerance) {
                0 => Step::Set(paid, 0),
                wait => Step::Keep(wait),
            }
        });
        Duration::from_nanos(wait)
    }

    /// Takes so many bytes of the key's allowance, in turn with all who do, and says how long to wait before they are sent.
    pub fn reserve(&self, key: Key, flow: Flow, bytes: u64, now: Duration) -> Duration {
        let (now, cost) = (nanos(now), flow.cost(bytes).max(1));
        let (_, paid) = self.sets.change(key, &At { now }, |paid| {
            let paid = paid.max(now).saturating_add(cost).min(PAID_MAX);
            Step::Set(paid, paid)
        });
        Duration::from_nanos((paid - now).saturating_sub(flow.tolerance))
    }

    /// Takes back what [`reserve`](Self::reserve) took: it is not sent.
    pub fn give_back(&self, key: Key, flow: Flow, bytes: u64, now: Duration) {
        let (now, cost) = (nanos(now), flow.cost(bytes).max(1));
        self.sets.change(key, &At { now }, |paid| match paid > now {
            true => Step::Set(paid.saturating_sub(cost).max(now), ()),
            false => Step::Keep(()),
        });
    }

    /// Keys that are not at their full burst. Of a very large table, an estimate.
    #[must_use]
    pub fn held(&self, now: Duration) -> usize {
        self.sets.held(&At { now: nanos(now) })
    }

    /// Keys that it can hold.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.sets.capacity()
    }
}

/// What is sent in one piece takes so long at the key's bandwidth: about as exact as the timer that it waits by.
const SLICE: Duration = Duration::from_millis(50);
/// Smaller pieces cost more than they carry.
const SLICE_BYTES_MIN: usize = 256;
/// Larger pieces would hold up other exchanges of a worker.
const SLICE_BYTES_MAX: usize = 64 * 1024;
/// A year: sums stay far from overflow.
const COST_MAX: u64 = 365 * 86_400 * 1_000_000_000;
/// Far below what has a meaning of its own.
const PAID_MAX: u64 = u64::MAX / 2;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn seconds(s: f64) -> Duration {
        Duration::from_secs_f64(s)
    }

    #[test]
    fn a_burst_goes_at_once_and_the_rest_at_the_rate() {
        let (table, key, flow) = (Bandwidth::new(1 << 12), Key::of(7), Flow::new(1_000, 500));
        let now = seconds(100.0);
        assert_eq!(table.reserve(key, flow, 500, now), Duration::ZERO);
        assert_eq!(table.reserve(key, flow, 250, now), seconds(0.25));
        // Another exchange of the key stands behind it.
        assert_eq!(table.reserve(key, flow, 250, now), seconds(0.5));
        assert_eq!(table.reserve(Key::of(u64::MAX), flow, 500, now), Duration::ZERO);
        assert_eq!(table.reserve(key, flow, 1, seconds(101.0)), Duration::ZERO);
        // Who only looks takes nothing that is not there.
        assert_eq!(table.observe(key, flow, 500, seconds(101.0)), seconds(0.001));
        assert_eq!(table.observe(key, flow, 500, seconds(101.0)), seconds(0.001));
        assert_eq!(table.held(seconds(101.0)), 1);
        assert_eq!(table.held(seconds(1000.0)), 0);
    }

    #[test]
    fn what_is_given_back_is_for_others_and_never_more_than_was_taken() {
        let (table, flow, key) = (Bandwidth::new(1 << 12), Flow::new(1_000, 500), Key::of(1 << 60));
        let now = seconds(100.0);
        assert_eq!(table.reserve(key, flow, 500, now), Duration::ZERO);
        for _ in 0..1_000 {
            assert_eq!(table.reserve(key, flow, 250, now), seconds(0.25));
            table.give_back(key, flow, 250, now);
        }
        table.give_back(key, flow, 10_000, now);
        assert_eq!(table.reserve(key, flow, 500, now), Duration::ZERO, "all of it was given back");
        assert_eq!(table.reserve(key, flow, 250, now), seconds(0.25));
        table.give_back(Key::of(9), flow, 250, now);
        assert_eq!(table.held(now), 1, "nothing is kept of who took nothing");
    }

    #[test]
    fn slices_are_a_twentieth_of_a_second_within_bounds() {
        let slices = [1, 100_000, 1 << 20, 1 << 40].map(|rate| Flow::new(rate, rate).slice());
        assert_eq!(slices, [256, 5_000, 52_428, 65_536]);
    }

    #[test]
    fn what_is_far_from_sane_does_not_overflow() {
        let (table, flow) = (Bandwidth::new(1), Flow::new(0, u64::MAX));
        for n in 1..100 {
            let wait = table.reserve(Key::of(n << 58), flow, u64::MAX, Duration::from_nanos(n));
            assert!(wait <= Duration::from_nanos(PAID_MAX));
        }
    }

    proptest! {
        /// Sent when it may be, in no stretch of time is it more than rate × time + burst.
        #[test]
        fn never_more_than_the_rate_and_the_burst(
            rate in 1u64..10_000_000,
            burst in 1u64..1_000_000,
            sends in prop::collection::vec((0u64..2_000_000_000, 1u64..100_000), 1..80),
        ) {
            let (table, key, flow) = (Bandwidth::new(1), Key::of(3), Flow::new(rate, burst));
            let (mut now, mut sent) = (0, Vec::new());
            for (gap, bytes) in sends {
                now += gap;
                now += table.reserve(key, flow, bytes, Duration::from_nanos(now)).as_nanos() as u64;
                sent.push((now, bytes));
            }
            for from in 0..sent.len() {
                let mut bytes = 0;
                for (at, more) in &sent[from..] {
                    bytes += u128::from(*more);
                    let allowed = u128::from(at - sent[from].0) * u128::from(rate) / 1_000_000_000 + u128::from(burst);
                    // The piece that begins may end later.
                    prop_assert!(bytes <= allowed + u128::from(sent[from].1), "{bytes} of {allowed}");
                }
            }
        }
    }
}
