use std::time::Duration;

/// A rate and what it may save up, as GCRA has them: a cell's word is the theoretical arrival time (TAT) of its next
/// request, in nanoseconds (ITU-T I.371, the virtual scheduling form; here the TAT is what is stored, so that a word that
/// has passed says nothing more and may be forgotten).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Nanoseconds from one request to the next at the rate.
    interval: u64,
    /// How far the TAT may be ahead of now: the burst, in nanoseconds.
    tolerance: u64,
}

/// What a limit says of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It passes, and so would `left` more right behind it.
    Pass {
        /// How many.
        left: u64,
    },
    /// It does not; after `wait` it would, if nobody else comes before.
    Refuse {
        /// Above zero.
        wait: Duration,
    },
}

impl Pace {
    /// `count` requests in each `per`, and `burst` at once. Rounded so that it is never more: a request may cost up to 1 ns
    /// too much.
    #[must_use]
    pub fn new(count: u32, per: Duration, burst: u32) -> Pace {
        let interval = nanos(per).div_ceil(u64::from(count.max(1))).max(1);
        Pace { interval, tolerance: interval.saturating_mul(u64::from(burst.max(1))).min(AHEAD_MAX) }
    }

    /// What one of `members` may let in by itself, so that together they let in no more, but for the rounding of a burst
    /// below one each.
    #[must_use]
    pub fn share(self, members: u32) -> Pace {
        let interval = self.interval.saturating_mul(u64::from(members.max(1)));
        Pace { interval, tolerance: self.tolerance.max(interval).min(AHEAD_MAX) }
    }

    /// The TAT after a request at `now`, or how many nanoseconds it is too early.
    pub(super) fn next(self, tat: u64, now: u64) -> Result<u64, u64> {
        let next = tat.max(now).saturating_add(self.interval);
        match next - now {
            ahead if ahead > self.tolerance => Err(ahead - self.tolerance),
            _ => Ok(next),
        }
    }

    /// What a cell with that TAT says.
    pub(super) fn verdict(self, tat: u64, now: u64) -> Verdict {
        match self.next(tat, now) {
            Ok(next) => Verdict::Pass { left: self.left(next, now) },
            Err(early) => Verdict::Refuse { wait: Duration::from_nanos(early) },
        }
    }

    /// Requests that would pass at once.
    pub(super) fn left(self, tat: u64, now: u64) -> u64 {
        self.tolerance.saturating_sub(tat.saturating_sub(now)) / self.interval
    }

    /// A TAT with one request less.
    pub(super) fn undone(self, tat: u64, now: u64) -> u64 {
        tat.saturating_sub(self.interval).max(now).min(tat)
    }

    /// From one request to the next.
    #[must_use]
    pub fn interval(self) -> Duration {
        Duration::from_nanos(self.interval)
    }

    /// How far a key may be ahead: the time in which a burst is saved up.
    #[must_use]
    pub fn full(self) -> Duration {
        Duration::from_nanos(self.tolerance)
    }

    /// How many may pass at once.
    #[must_use]
    pub fn burst(self) -> u64 {
        self.tolerance / self.interval
    }
}

/// 584 years fit.
pub(super) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// A burst takes no longer than ten years to save up: sums of times stay far from overflow.
const AHEAD_MAX: u64 = 10 * 365 * 86_400 * 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A bucket that is filled continuously, counted exactly: in units of one request times `per` nanoseconds.
    struct Bucket {
        level: u128,
        seen: u64,
    }

    impl Bucket {
        fn admits(&mut self, count: u32, per: u64, burst: u32, now: u64) -> bool {
            let full = u128::from(burst) * u128::from(per);
            self.level = (self.level + u128::from(now - self.seen) * u128::from(count)).min(full);
            self.seen = now;
            let admits = self.level >= u128::from(per);
            if admits {
                self.level -= u128::from(per);
            }
            admits
        }
    }

    proptest! {
        /// Where the interval is a whole number of nanoseconds, GCRA and the bucket are the same.
        #[test]
        fn gcra_is_a_token_bucket(
            interval in 1u64..5_000,
            burst in 1u32..20,
            gaps in prop::collection::vec(0u64..12_000, 1..200),
        ) {
            let pace = Pace::new(1, Duration::from_nanos(interval), burst);
            let (mut tat, mut now) = (0, 1_000_000);
            let mut bucket = Bucket { level: u128::from(burst) * u128::from(interval), seen: now };
            for gap in gaps {
                now += gap;
                let next = pace.next(tat, now);
                prop_assert_eq!(next.is_ok(), bucket.admits(1, interval, burst, now));
                match next {
                    Ok(next) => tat = next,
                    // As early as it says, and not a nanosecond more.
                    Err(early) => {
                        prop_assert!(pace.next(tat, now + early).is_ok());
                        prop_assert!(pace.next(tat, now + early - 1).is_err());
                    }
                }
            }
        }

        /// Whatever the rate, in no stretch of time is more let in than rate × time + burst.
        #[test]
        fn never_more_than_the_rate_and_the_burst(
            count in 1u32..1_000_000,
            per in prop::sample::select(vec![1u64, 60, 3_600, 86_400]),
            burst in 1u32..50,
            gaps in prop::collection::vec(0u64..3_000_000_000, 1..150),
        ) {
            let pace = Pace::new(count, Duration::from_secs(per), burst);
            let (mut tat, mut now, mut admitted) = (0, 0, Vec::new());
            for gap in gaps {
                now += gap;
                if let Ok(next) = pace.next(tat, now) {
                    tat = next;
                    admitted.push(now);
                }
            }
            for (from, start) in admitted.iter().enumerate() {
                for (to, end) in admitted.iter().enumerate().skip(from) {
                    let time = u128::from(end - start) * u128::from(count);
                    let may = time / u128::from(per * 1_000_000_000) + u128::from(burst);
                    prop_assert!((to - from + 1) as u128 <= may);
                }
            }
        }
    }

    #[test]
    fn a_burst_passes_at_once_and_then_one_an_interval() {
        let pace = Pace::new(50, Duration::from_secs(1), 3);
        assert_eq!(pace.verdict(0, 100), Verdict::Pass { left: 2 });
        let mut tat = 0;
        for left in [2, 1, 0] {
            assert_eq!(pace.verdict(tat, 100), Verdict::Pass { left });
            tat = pace.next(tat, 100).unwrap();
        }
        assert_eq!(pace.verdict(tat, 100), Verdict::Refuse { wait: Duration::from_millis(20) });
        assert_eq!(pace.verdict(pace.undone(tat, 100), 100), Verdict::Pass { left: 0 });
    }

    #[test]
    fn shares_of_members_are_no_more_than_the_whole() {
        let whole = Pace::new(1_000, Duration::from_secs(1), 100);
        let part = whole.share(4);
        assert_eq!((part.interval(), part.burst()), (Duration::from_millis(4), 25));
        assert_eq!(whole.share(1), whole);
        assert_eq!(whole.share(1_000).burst(), 1);
    }

    #[test]
    fn what_is_far_from_sane_does_not_overflow() {
        let pace = Pace::new(0, Duration::MAX, u32::MAX);
        assert!(matches!(pace.verdict(u64::MAX - 1, 5), Verdict::Refuse { .. }));
        assert!(pace.burst() <= u64::from(u32::MAX));
    }
}
