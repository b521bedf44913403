use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// A learnt latency: a moving average that follows peaks at once and comes down slowly (Finagle's peak EWMA), shared by
/// threads.
///
/// Average and time are one word: a race loses a sample, but never joins the average of one with the time of another, which
/// would bring a forgotten peak back.
#[derive(Debug, Default)]
pub struct Latency(AtomicU64);

/// In which time an old value loses all but 1/e of its say.
const DECAY: Duration = Duration::from_secs(10);

impl Latency {
    /// A response began after `sample`; `now` since a start that all callers have in common.
    pub fn record(&self, sample: Duration, now: Duration) {
        let nanos = u64::try_from(sample.as_nanos()).unwrap_or(u64::MAX).max(1);
        let before = Average::unpack(self.0.load(Relaxed));
        self.0.store(before.after(nanos as f32, Ticks::of(now)).pack(), Relaxed);
    }

    /// In nanoseconds, decayed to `now`; 0 if nothing is known. One that was not asked for a while comes down, and so is
    /// asked again.
    #[must_use]
    pub fn read(&self, now: Duration) -> u64 {
        Average::unpack(self.0.load(Relaxed)).at(Ticks::of(now))
    }
}

/// An average and when it was that; 0 nanoseconds: nothing is known.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Average {
    nanos: f32,
    at: Ticks,
}

impl Average {
    fn unpack(word: u64) -> Average {
        Average { nanos: f32::from_bits((word >> 32) as u32), at: Ticks(word as u32) }
    }

    fn pack(self) -> u64 {
        u64::from(self.nanos.to_bits()) << 32 | u64::from(self.at.0)
    }

    fn after(self, nanos: f32, now: Ticks) -> Average {
        if nanos >= self.nanos {
            return Average { nanos, at: now };
        }
        let kept = kept(now.since(self.at));
        Average { nanos: self.nanos * kept + nanos * (1.0 - kept), at: now }
    }

    fn at(self, now: Ticks) -> u64 {
        let passed = now.since(self.at);
        // Most reads come right after a sample: no exponential then.
        let nanos = if passed < SETTLED_TICKS { self.nanos } else { self.nanos * kept(passed) };
        (nanos as u64).max(u64::from(self.nanos > 0.0))
    }
}

/// Time in units of 2^24 ns (17 ms). It begins anew after 2.3 years: half of that is the longest that can be told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ticks(u32);

impl Ticks {
    fn of(now: Duration) -> Ticks {
        Ticks((now.as_nanos() >> 24) as u32)
    }

    /// 0 if `before` is after it: the threads' clocks are not read at once.
    fn since(self, before: Ticks) -> u32 {
        let passed = self.0.wrapping_sub(before.0);
        if passed > u32::MAX / 2 { 0 } else { passed }
    }
}

/// What is left of an old value.
fn kept(ticks: u32) -> f32 {
    const DECAY_TICKS: f32 = DECAY.as_nanos() as f32 / (1 << 24) as f32;
    (-(ticks as f32) / DECAY_TICKS).exp()
}

/// Within so long, 0.1 s, nothing decays that would be worth the sum.
const SETTLED_TICKS: u32 = 6;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    #[test]
    fn a_peak_counts_at_once_and_is_forgotten_slowly() {
        let latency = Latency::default();
        assert_eq!(latency.read(MS(0)), 0);
        latency.record(MS(5), MS(1_000));
        assert_eq!(latency.read(MS(1_050)), 5_000_000);
        latency.record(MS(500), MS(2_000));
        assert_eq!(latency.read(MS(2_000)), 500_000_000);
        latency.record(MS(5), MS(3_000));
        assert!((400_000_000..490_000_000).contains(&latency.read(MS(3_000))));
        assert!(latency.read(MS(60_000)) < 5_000_000, "who is not asked comes down");
        assert_eq!(latency.read(MS(10_000_000)), 1, "known stays known");
    }

    #[test]
    fn after_the_time_constant_all_but_one_part_in_e_is_forgotten() {
        let latency = Latency::default();
        latency.record(MS(1_000), MS(0));
        let left = latency.read(DECAY) as f64 / 1e9;
        assert!((left - (-1f64).exp()).abs() < 0.002, "{left}");
        latency.record(Duration::ZERO, DECAY);
        let mixed = latency.read(DECAY) as f64 / 1e9;
        assert!((mixed - (-1f64).exp()).abs() < 0.002, "{mixed}");
    }

    #[test]
    fn a_clock_that_is_behind_counts_as_no_time_and_one_that_begins_anew_goes_on() {
        let latency = Latency::default();
        latency.record(MS(100), MS(60_000));
        assert_eq!(latency.read(MS(50_000)), 100_000_000);
        latency.record(MS(5), MS(50_000));
        assert_eq!(latency.read(MS(50_000)), 100_000_000);
        let end = Duration::from_nanos(1 << 56);
        latency.record(MS(100), end - MS(5_000));
        assert!((35_000_000..39_000_000).contains(&latency.read(end + MS(5_000))));
    }

    proptest! {
        #[test]
        fn an_average_lies_between_what_it_was_and_the_sample(
            samples in proptest::collection::vec((any::<u64>(), 0u64..200_000_000_000), 1..20),
        ) {
            let mut before = Average { nanos: 0.0, at: Ticks(0) };
            for (nanos, at) in samples {
                let sample = nanos.max(1) as f32;
                let after = before.after(sample, Ticks::of(Duration::from_nanos(at)));
                prop_assert_eq!(Average::unpack(after.pack()), after);
                // One part in 2^23 for rounding.
                let highest = before.nanos.max(sample) * 1.000_001;
                prop_assert!(after.nanos >= sample * 0.999_999 && after.nanos <= highest, "{after:?} of {before:?}, {sample}");
                let mut last = u64::MAX;
                for later in (0..100).map(|seconds| after.at(Ticks::of(Duration::from_nanos(at) + MS(1_000 * seconds)))) {
                    prop_assert!((1..=last).contains(&later), "it only comes down");
                    last = later;
                }
                before = after;
            }
        }
    }
}
