use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// A learnt latency: a moving average that follows peaks at once and comes down slowly (Finagle's peak EWMA), shared by
/// threads. A race loses a sample.
#[derive(Debug, Default)]
pub struct Latency {
    nanos: AtomicU64,
    at_ms: AtomicU64,
}

/// In which time an old value loses all but 1/e of its say.
const DECAY: Duration = Duration::from_secs(10);

impl Latency {
    /// A response began after `sample`.
    pub fn record(&self, sample: Duration, now: Duration) {
        let sample = u64::try_from(sample.as_nanos()).unwrap_or(u64::MAX).max(1);
        let now_ms = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        let passed = Duration::from_millis(now_ms.saturating_sub(self.at_ms.swap(now_ms, Relaxed)));
        self.nanos.store(after(self.nanos.load(Relaxed), sample, passed), Relaxed);
    }

    /// In nanoseconds, decayed to `now`; 0 if nothing is known. One that was not asked for a while comes down, and so is
    /// asked again.
    #[must_use]
    pub fn read(&self, now: Duration) -> u64 {
        let nanos = self.nanos.load(Relaxed);
        let passed = now.saturating_sub(Duration::from_millis(self.at_ms.load(Relaxed)));
        // Most reads come right after a sample: no exponential then.
        if passed < SETTLED { nanos } else { ((nanos as f64 * kept(passed)) as u64).max(u64::from(nanos > 0)) }
    }
}

/// The average after a sample that came `passed` after the last.
fn after(before: u64, sample: u64, passed: Duration) -> u64 {
    if before == 0 || sample >= before {
        return sample;
    }
    let kept = kept(passed);
    ((before as f64 * kept + sample as f64 * (1.0 - kept)) as u64).max(1)
}

/// What is left of an old value.
fn kept(passed: Duration) -> f64 {
    (-passed.as_secs_f64() / DECAY.as_secs_f64()).exp()
}

/// Within so long nothing decays that would be worth the sum.
const SETTLED: Duration = Duration::from_millis(100);

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
    }

    proptest! {
        #[test]
        fn an_average_lies_between_what_it_was_and_the_sample(before in 1u64..1_000_000_000_000, sample in 1u64..1_000_000_000_000, passed in 0u64..100_000) {
            let now = after(before, sample, MS(passed));
            prop_assert!(now >= before.min(sample) && now <= before.max(sample));
        }
    }
}
