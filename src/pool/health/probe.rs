//! Active checks: what passed and failed probes make of a backend, and when the next one is due.
//!
//! `rise` and `fall` as HAProxy has them (configuration manual, "rise", "fall"), and its `spread-checks` as
//! [`JITTER_PERCENT`].

use std::time::Duration;

/// How far a probe may be before or after its time, in percent of the interval.
pub const JITTER_PERCENT: u32 = 10;

/// The shortest time between the first probes of two backends, unless that takes more than [`FIRST_SPREAD_MAX`] for
/// all.
pub const FIRST_GAP: Duration = Duration::from_millis(1);

/// All first probes are made within this time.
pub const FIRST_SPREAD_MAX: Duration = Duration::from_secs(2);

/// How a backend is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// From the start of a probe to the start of the next, on average.
    pub every: Duration,
    /// How long a probe may take; then it has failed.
    pub timeout: Duration,
    /// So many passed probes in a row bring a backend back; 0 counts as 1.
    pub rise: u32,
    /// So many failed probes in a row take it out; 0 counts as 1.
    pub fall: u32,
}

/// What is known of a backend that has a check.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Checked {
    /// No probe has ended yet: no traffic.
    #[default]
    Unknown,
    /// Gets traffic.
    Up {
        /// Failed probes in a row.
        failures: u32,
    },
    /// Gets none.
    Down {
        /// Passed probes in a row.
        passes: u32,
    },
}

/// A change that a probe made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It may be used from now on.
    Up,
    /// It may not.
    Down,
}

impl Checked {
    /// Takes the outcome of a probe. The first one of all decides at once, so that a pool that starts need not wait for
    /// `rise` of them.
    pub fn judge(&mut self, passed: bool, rules: &Rules) -> Option<Turn> {
        let (next, turn) = match (*self, passed) {
            (Checked::Unknown, true) => (Checked::UP, Some(Turn::Up)),
            (Checked::Unknown, false) => (Checked::DOWN, Some(Turn::Down)),
            (Checked::Up { .. }, true) => (Checked::UP, None),
            (Checked::Down { .. }, false) => (Checked::DOWN, None),
            (Checked::Up { failures }, false) => match failures.saturating_add(1) {
                n if n >= rules.fall => (Checked::DOWN, Some(Turn::Down)),
                failures => (Checked::Up { failures }, None),
            },
            (Checked::Down { passes }, true) => match passes.saturating_add(1) {
                n if n >= rules.rise => (Checked::UP, Some(Turn::Up)),
                passes => (Checked::Down { passes }, None),
            },
        };
        *self = next;
        turn
    }

    /// Whether it may be used as far as its check goes.
    #[must_use]
    pub fn passes(&self) -> bool {
        matches!(self, Checked::Up { .. })
    }

    const UP: Checked = Checked::Up { failures: 0 };
    const DOWN: Checked = Checked::Down { passes: 0 };
}

/// When the probe after one that started at `now` is due: `every` later, give or take [`JITTER_PERCENT`], so that
/// probes of many backends do not fall into step. `random` is uniform over all of `u64`.
#[must_use]
pub fn next_probe(now: Duration, rules: &Rules, random: u64) -> Duration {
    // 584 years fit.
    let every = u64::try_from(rules.every.as_nanos()).unwrap_or(u64::MAX);
    let jitter = every / 100 * u64::from(JITTER_PERCENT);
    let above = (u128::from(jitter) * 2 * u128::from(random)) >> 64;
    let above = u64::try_from(above).expect("below twice a tenth of a u64");
    now.saturating_add(Duration::from_nanos((every - jitter).saturating_add(above)))
}

/// How long after the start the first probe of backend `index` of `count` is made, counted over all pools: at once for
/// the first of them, one every [`FIRST_GAP`] for the others, and for all of them within [`FIRST_SPREAD_MAX`] and one
/// interval.
#[must_use]
pub fn first_probe(index: usize, count: usize, rules: &Rules) -> Duration {
    let all = FIRST_GAP.saturating_mul(u32::try_from(count).unwrap_or(u32::MAX));
    let spread = all.min(FIRST_SPREAD_MAX).min(rules.every).as_nanos();
    let (index, count) = (index.min(count) as u128, count.max(1) as u128);
    // No more than FIRST_SPREAD_MAX, which is 2^31 ns.
    Duration::from_nanos(u64::try_from(spread * index / count).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RULES: Rules = Rules { every: Duration::from_secs(5), timeout: Duration::from_secs(1), rise: 2, fall: 3 };

    #[test]
    fn the_first_probe_decides_at_once() {
        let (mut up, mut down) = (Checked::default(), Checked::default());
        assert!(!up.passes());
        assert_eq!(up.judge(true, &RULES), Some(Turn::Up));
        assert_eq!(down.judge(false, &RULES), Some(Turn::Down));
        assert!(up.passes() && !down.passes());
    }

    #[test]
    fn afterwards_it_takes_rise_or_fall_in_a_row() {
        let mut backend = Checked::default();
        let turns: Vec<_> = [true, false, false, true, false, false, false, true, false, true, true]
            .map(|passed| backend.judge(passed, &RULES))
            .into();
        let mut expected = [None; 11];
        (expected[0], expected[6], expected[10]) = (Some(Turn::Up), Some(Turn::Down), Some(Turn::Up));
        assert_eq!(turns, expected);
    }

    #[test]
    fn a_few_backends_are_probed_at_once_and_thousands_within_seconds() {
        assert_eq!(first_probe(0, 1, &RULES), Duration::ZERO);
        assert_eq!(first_probe(2, 3, &RULES), Duration::from_millis(2));
        assert_eq!(first_probe(5_000, 10_000, &RULES), FIRST_SPREAD_MAX / 2);
        assert_eq!(first_probe(1, 0, &RULES), Duration::ZERO);
        let often = Rules { every: Duration::from_millis(100), ..RULES };
        assert!(first_probe(9_999, 10_000, &often) < often.every);
    }

    /// What the history of outcomes says, read from its end.
    fn naive(history: &[bool], rules: &Rules) -> bool {
        let Some((last, before)) = history.split_last() else { return false };
        if before.is_empty() {
            return *last;
        }
        let was = naive(before, rules);
        let needed = if was { rules.fall } else { rules.rise }.max(1) as usize;
        let row = history.iter().rev().take_while(|&&passed| passed != was).count();
        was ^ (row >= needed)
    }

    proptest! {
        #[test]
        fn it_says_what_the_whole_history_says(
            history in proptest::collection::vec(any::<bool>(), 0..40), rise in 0u32..4, fall in 0u32..4
        ) {
            let rules = Rules { rise, fall, ..RULES };
            let mut backend = Checked::default();
            for end in 0..history.len() {
                let was = backend.passes();
                let turn = backend.judge(history[end], &rules);
                let is = naive(&history[..=end], &rules);
                prop_assert_eq!(backend.passes(), is);
                let expected = if is { Turn::Up } else { Turn::Down };
                prop_assert_eq!(turn, (is != was || end == 0).then_some(expected));
            }
        }

        #[test]
        fn the_next_probe_is_near_its_time(now in any::<u32>(), every in 1u64..1 << 40, random in any::<u64>()) {
            let rules = Rules { every: Duration::from_millis(every), ..RULES };
            let now = Duration::from_millis(u64::from(now));
            let wait = next_probe(now, &rules, random) - now;
            prop_assert!(wait >= rules.every * 9 / 10 && wait <= rules.every * 11 / 10);
        }

        #[test]
        fn first_probes_keep_their_order_and_their_bound(count in 1usize..20_000, index in any::<prop::sample::Index>()) {
            let index = index.index(count);
            let at = first_probe(index, count, &RULES);
            prop_assert!(at < FIRST_SPREAD_MAX);
            prop_assert!(at <= first_probe(index + 1, count, &RULES));
        }
    }

    #[test]
    fn jitter_reaches_both_ends_and_no_time_overflows() {
        let span = |random| next_probe(Duration::ZERO, &RULES, random);
        assert_eq!(span(0), RULES.every * 9 / 10);
        assert!(span(u64::MAX) > RULES.every * 1099 / 1000);
        let never = Rules { every: Duration::MAX, ..RULES };
        assert!(next_probe(Duration::MAX, &never, u64::MAX) == Duration::MAX);
        assert!(next_probe(Duration::ZERO, &never, u64::MAX) > Duration::from_secs(1 << 33));
    }
}
