use std::time::Duration;

/// A number of backends that rises within seconds, and falls only when less would have done for a while.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wanted {
    count: u32,
    /// Since when more are needed, and the least of that.
    more: Option<(Duration, u32)>,
    /// Since when less would do, and the most of that.
    less: Option<(Duration, u32)>,
}

impl Wanted {
    pub(super) fn count(&self) -> u32 {
        self.count
    }

    /// So many are needed at `now`.
    pub(super) fn follow(&mut self, needed: f64, now: Duration) {
        let count = ceil(needed);
        if count > self.count {
            self.rise(count, now);
        } else {
            self.more = None;
            // A tenth is left, so that a load that moves a little around a whole number does not move it.
            self.fall(ceil(needed * FALL_MARGIN), now);
        }
    }

    fn rise(&mut self, count: u32, now: Duration) {
        self.less = None;
        let (since, least) = self.more.map_or((now, count), |(since, least)| (since, least.min(count)));
        self.more = Some((since, least));
        // Where there is none, whoever comes waits for the first.
        if self.count == 0 || now.saturating_sub(since) >= RISE_AFTER {
            *self = Wanted { count: least, ..Wanted::default() };
        }
    }

    fn fall(&mut self, enough: u32, now: Duration) {
        if enough >= self.count {
            self.less = None;
            return;
        }
        let (since, most) = self.less.map_or((now, enough), |(since, most)| (since, most.max(enough)));
        self.less = Some((since, most));
        if now.saturating_sub(since) >= FALL_AFTER {
            *self = Wanted { count: most, ..Wanted::default() };
        }
    }
}

/// A hair more than a whole number is that number.
fn ceil(needed: f64) -> u32 {
    (needed - 1e-6).ceil().clamp(0.0, f64::from(COUNT_MAX)) as u32
}

/// What is needed for less than that is a moment's.
const RISE_AFTER: Duration = Duration::from_secs(3);

/// A load that is a tenth below what fewer backends can do is let go of, after a minute of that.
const FALL_MARGIN: f64 = 1.1;
const FALL_AFTER: Duration = Duration::from_secs(60);

/// Nobody has so many.
const COUNT_MAX: u32 = 100_000;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The number after each second.
    fn follow(wanted: &mut Wanted, at: &mut u64, needed: impl IntoIterator<Item = f64>) -> Vec<u32> {
        let step = |needed| {
            *at += 1;
            wanted.follow(needed, Duration::from_secs(*at));
            wanted.count()
        };
        needed.into_iter().map(step).collect()
    }

    #[test]
    fn it_rises_to_the_least_that_was_needed_for_three_seconds() {
        let (mut wanted, mut at) = (Wanted::default(), 0);
        assert_eq!(follow(&mut wanted, &mut at, [0.2]), [1], "the first is wanted at once");
        assert_eq!(follow(&mut wanted, &mut at, [9.0, 0.9, 9.0, 9.0, 4.5, 9.0]), [1, 1, 1, 1, 1, 5]);
        assert_eq!(follow(&mut wanted, &mut at, [5.0 + 1e-9; 9]), [5; 9], "no more than that");
    }

    #[test]
    fn it_falls_to_the_most_that_was_needed_in_a_minute() {
        let (mut wanted, mut at) = (Wanted::default(), 0);
        assert_eq!(follow(&mut wanted, &mut at, [9.2]), [10]);
        assert_eq!(follow(&mut wanted, &mut at, [3.0; 59]), [10; 59]);
        assert_eq!(follow(&mut wanted, &mut at, [5.0, 2.0]), [10, 6]);
        let around = (0..200).map(|n| if n % 2 == 0 { 4.9 } else { 5.5 });
        assert_eq!(follow(&mut wanted, &mut at, around), [6; 200], "within a tenth of it, nothing moves");
        assert_eq!(follow(&mut wanted, &mut at, [6.0, 6.1, 6.1, 6.1, 6.1]), [6, 6, 6, 6, 7]);
    }

    proptest! {
        /// Whatever is needed: never more than the most of it, and in any minute it turns down once at most.
        #[test]
        fn it_never_leaves_what_was_needed_and_falls_once_in_a_minute(
            needed in proptest::collection::vec(0.0f64..50.0, 1..400),
        ) {
            let (mut wanted, mut at) = (Wanted::default(), 0);
            let seen = follow(&mut wanted, &mut at, needed.iter().copied());
            let most = needed.iter().copied().fold(0.0, f64::max);
            prop_assert!(seen.iter().all(|count| f64::from(*count) <= (most * FALL_MARGIN).ceil()));
            let falls: Vec<usize> = (1..seen.len()).filter(|at| seen[*at] < seen[at - 1]).collect();
            prop_assert!(falls.windows(2).all(|pair| pair[1] - pair[0] >= 60), "{:?}", falls);
        }
    }
}
