use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

/// Exchanges and failures of about the last [`window`](Window::counts), written by many threads: the current half of it
/// and the one before. A race at the turn of a half loses a count or two, and nothing more.
#[derive(Debug, Default)]
pub(super) struct Window([Half; 2]);

#[derive(Debug, Default)]
struct Half {
    number: AtomicU32,
    total: AtomicU32,
    failed: AtomicU32,
}

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Exchanges.
    pub total: u64,
    /// Those that failed.
    pub failed: u64,
}

impl Window {
    pub(super) fn count(&self, failed: bool, now: Duration, window: Duration) {
        let number = number(now, window);
        let half = &self.0[number as usize % 2];
        let seen = half.number.load(Relaxed);
        if seen != number && half.number.compare_exchange(seen, number, Relaxed, Relaxed).is_ok() {
            half.total.store(0, Relaxed);
            half.failed.store(0, Relaxed);
        }
        half.total.fetch_add(1, Relaxed);
        if failed {
            half.failed.fetch_add(1, Relaxed);
        }
    }

    pub(super) fn counts(&self, now: Duration, window: Duration) -> Counts {
        let number = number(now, window);
        let recent = self.0.iter().filter(|half| number.wrapping_sub(half.number.load(Relaxed)) <= 1);
        recent.fold(Counts::default(), |sum, half| {
            let (total, failed) = (u64::from(half.total.load(Relaxed)), u64::from(half.failed.load(Relaxed)));
            Counts { total: sum.total + total, failed: sum.failed + failed.min(total) }
        })
    }

    pub(super) fn clear(&self) {
        for half in &self.0 {
            half.total.store(0, Relaxed);
            half.failed.store(0, Relaxed);
        }
    }
}

impl Counts {
    /// Both together.
    #[must_use]
    pub fn and(self, other: Counts) -> Counts {
        Counts { total: self.total + other.total, failed: self.failed + other.failed }
    }

    /// Whether at least `share` (in 1/10,000) of at least `min` exchanges failed.
    pub(super) fn reach(self, share: u16, min: u32) -> bool {
        self.total >= u64::from(min) && self.failed * WHOLE >= self.total * u64::from(share)
    }
}

/// Halves since the beginning; the first is 1, so that a half that was never used is no recent one for long.
fn number(now: Duration, window: Duration) -> u32 {
    let half = (window.as_millis() / 2).max(1);
    u32::try_from(now.as_millis() / half).unwrap_or(u32::MAX - 1).saturating_add(1)
}

/// The unit of a share.
pub(super) const WHOLE: u64 = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    #[test]
    fn what_is_older_than_a_window_is_forgotten() {
        let (window, counts) = (Window::default(), |window: &Window, now| window.counts(MS(now), MS(1_000)));
        window.count(true, MS(100), MS(1_000));
        window.count(false, MS(400), MS(1_000));
        window.count(false, MS(600), MS(1_000));
        assert_eq!(counts(&window, 700), Counts { total: 3, failed: 1 });
        assert_eq!(counts(&window, 1_100), Counts { total: 1, failed: 0 });
        assert_eq!(counts(&window, 1_600), Counts::default());
        window.count(true, MS(9_000), MS(1_000));
        assert_eq!(counts(&window, 9_400), Counts { total: 1, failed: 1 });
    }

    #[test]
    fn threads_lose_nothing_within_a_half() {
        let window = Window::default();
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let window = &window;
                scope.spawn(move || (0..10_000).for_each(|_| window.count(thread == 0, MS(10), MS(10_000))));
            }
        });
        let Counts { total, failed } = window.counts(MS(20), MS(10_000));
        // Only the first counts of each thread may meet the turn.
        assert!((39_990..=40_000).contains(&total), "{total}");
        assert!((9_990..=10_000).contains(&failed), "{failed}");
    }
}
