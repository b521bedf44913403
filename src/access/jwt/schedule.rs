use std::time::Duration;

/// When keys are fetched next. Times count from any start.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    every: Duration,
    /// When the last try began.
    tried: Option<Duration>,
    /// When the last try for a key that is not known began.
    wanted: Option<Duration>,
    /// Failures since the last success.
    failures: u32,
}

/// A token with a key that is not known makes keys be fetched before their time, this often at most: whoever makes up
/// names of keys cannot use us against the issuer.
pub const REFETCH_EVERY: Duration = Duration::from_secs(10);
/// The first wait after a failure; it doubles.
const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(60);

impl Schedule {
    /// Nothing was fetched yet.
    #[must_use]
    pub fn new(every: Duration) -> Schedule {
        Schedule { every, tried: None, wanted: None, failures: 0 }
    }

    /// When the next try is due; at once if there was none.
    #[must_use]
    pub fn due(&self) -> Duration {
        let Some(tried) = self.tried else { return Duration::ZERO };
        let wait = match self.failures {
            0 => self.every,
            n => RETRY_FIRST.saturating_mul(1 << (n - 1).min(6)).min(RETRY_MAX).min(self.every),
        };
        tried.saturating_add(wait)
    }

    /// When one is due for a key that is not known.
    #[must_use]
    pub fn due_if_wanted(&self) -> Duration {
        let Some(wanted) = self.wanted else { return Duration::ZERO };
        self.due().min(wanted.saturating_add(REFETCH_EVERY))
    }

    /// A try that began then ended; `wanted`: it was for a key that is not known.
    pub fn tried(&mut self, began: Duration, wanted: bool, ok: bool) {
        self.tried = Some(began);
        if wanted {
            self.wanted = Some(began);
        }
        self.failures = if ok { 0 } else { self.failures.saturating_add(1) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn keys_are_fetched_at_once_then_again_and_again() {
        let mut schedule = Schedule::new(seconds(300));
        assert_eq!((schedule.due(), schedule.due_if_wanted()), (seconds(0), seconds(0)));
        schedule.tried(seconds(5), false, true);
        assert_eq!((schedule.due(), schedule.due_if_wanted()), (seconds(305), seconds(0)));
        schedule.tried(seconds(6), true, true);
        assert_eq!((schedule.due(), schedule.due_if_wanted()), (seconds(306), seconds(16)));
    }

    #[test]
    fn failures_are_tried_again_soon_and_then_less_often() {
        let mut schedule = Schedule::new(seconds(300));
        let mut waits = Vec::new();
        for _ in 0..9 {
            let began = schedule.due();
            schedule.tried(began, false, false);
            waits.push((schedule.due() - began).as_secs());
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        schedule.tried(seconds(1000), false, true);
        assert_eq!(schedule.due(), seconds(1300));
        let mut often = Schedule::new(seconds(10));
        (0..40).for_each(|_| often.tried(seconds(7), true, false));
        assert_eq!(often.due(), seconds(17));
    }

    #[test]
    fn unknown_keys_make_no_more_than_one_try_in_their_time() {
        let mut schedule = Schedule::new(seconds(300));
        let (mut now, mut tries) = (seconds(0), 0);
        // Somebody asks every 100 ms for a hundred seconds.
        while now < seconds(100) {
            if now >= schedule.due_if_wanted() {
                schedule.tried(now, true, true);
                tries += 1;
            }
            now += Duration::from_millis(100);
        }
        assert_eq!(tries, 10);
    }
}
