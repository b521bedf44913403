//! What probes make of a backend: HAProxy's `rise` and `fall`.

use std::time::Duration;

/// How a pool's backends are checked.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// From one probe to the next.
    pub every: Duration,
    /// Passes in a row that bring a backend up.
    pub rise: u32,
    /// Failures in a row that bring it down.
    pub fall: u32,
}

/// What the probes so far say of a backend.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Checked {
    /// No probe has ended: its first decides alone.
    #[default]
    Unknown,
    /// It gets traffic; so many probes in a row failed since.
    Up {
        /// Fewer than `fall`.
        failed: u32,
    },
    /// It gets none; so many probes in a row passed since.
    Down {
        /// Fewer than `rise`.
        passed: u32,
    },
}

/// A change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It may be used now.
    Up,
    /// It may not.
    Down,
}

impl Checked {
    /// A probe ended.
    pub fn judge(&mut self, passed: bool, rules: &Rules) -> Option<Turn> {
        let (next, turn) = match (*self, passed) {
            (Checked::Unknown, true) => (Checked::Up { failed: 0 }, Some(Turn::Up)),
            (Checked::Unknown, false) => (Checked::Down { passed: 0 }, Some(Turn::Down)),
            (Checked::Up { .. }, true) => (Checked::Up { failed: 0 }, None),
            (Checked::Down { .. }, false) => (Checked::Down { passed: 0 }, None),
            (Checked::Up { failed }, false) if failed + 1 >= rules.fall => {
                (Checked::Down { passed: 0 }, Some(Turn::Down))
            }
            (Checked::Up { failed }, false) => (Checked::Up { failed: failed + 1 }, None),
            (Checked::Down { passed }, true) if passed + 1 >= rules.rise => (Checked::Up { failed: 0 }, Some(Turn::Up)),
            (Checked::Down { passed }, true) => (Checked::Down { passed: passed + 1 }, None),
        };
        *self = next;
        turn
    }
}

/// How long to wait for the next probe after one that took `took`: [`every`](Rules::every), give or take a tenth by
/// `random`, so that the probes of many backends do not stay in step.
#[must_use]
pub fn next_probe(took: Duration, rules: &Rules, random: u64) -> Duration {
    let tenth = rules.every / JITTER_DIVISOR;
    let jitter = (tenth.as_nanos() * 2 * u128::from(random >> 32)) >> 32;
    let from_begin = rules.every - tenth + Duration::from_nanos(u64::try_from(jitter).unwrap_or(0));
    from_begin.saturating_sub(took).max(PAUSE_MIN)
}

/// When the first probe of the backend at `index` of `count` new ones is made: at once, but many not all at once.
#[must_use]
pub fn first_probe(index: usize, count: usize) -> Duration {
    let step = FIRST_STEP_MAX.min(FIRST_SPREAD_MAX / u32::try_from(count.max(1)).unwrap_or(u32::MAX));
    step * u32::try_from(index).unwrap_or(u32::MAX)
}

/// Which part of the interval is left to chance, to either side.
const JITTER_DIVISOR: u32 = 10;

/// Between two probes of one backend, however long they take.
const PAUSE_MIN: Duration = Duration::from_millis(10);

/// Between the first probes of two backends.
const FIRST_STEP_MAX: Duration = Duration::from_millis(1);

/// Until the last backend's first probe.
const FIRST_SPREAD_MAX: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RULES: Rules = Rules { every: Duration::from_secs(5), rise: 2, fall: 3 };

    fn turns(probes: &str) -> Vec<(usize, Turn)> {
        let mut checked = Checked::default();
        let judged = probes.chars().enumerate().map(|(at, probe)| (at, checked.judge(probe == '+', &RULES)));
        judged.filter_map(|(at, turn)| Some((at, turn?))).collect()
    }

    #[test]
    fn the_first_probe_decides_alone_and_later_ones_in_a_row() {
        assert_eq!(turns("+"), [(0, Turn::Up)]);
        assert_eq!(turns("-++"), [(0, Turn::Down), (2, Turn::Up)]);
        assert_eq!(turns("+--+--+---"), [(0, Turn::Up), (9, Turn::Down)]);
        assert_eq!(turns("-+-+-++"), [(0, Turn::Down), (6, Turn::Up)]);
    }

    proptest! {
        #[test]
        fn a_turn_is_always_a_change_and_needs_its_row(probes: Vec<bool>, rise in 1u32..5, fall in 1u32..5) {
            let rules = Rules { rise, fall, ..RULES };
            let (mut checked, mut up, mut row, mut last) = (Checked::default(), None, 0, None);
            for probe in probes {
                row = if last == Some(probe) { row + 1 } else { 1 };
                last = Some(probe);
                let expected = match up {
                    None => true,
                    Some(up) => up != probe && row >= if probe { rise } else { fall },
                };
                let turn = checked.judge(probe, &rules);
                prop_assert_eq!(turn.is_some(), expected);
                if expected {
                    prop_assert_eq!(turn, Some(if probe { Turn::Up } else { Turn::Down }));
                    up = Some(probe);
                    // A row that turned has been used up only in the other direction.
                }
            }
        }

        #[test]
        fn probes_keep_their_interval_to_a_tenth(took in 0u64..20_000, random: u64) {
            let took = Duration::from_millis(took);
            let period = took + next_probe(took, &RULES, random);
            prop_assert!(period >= Duration::from_millis(4_500));
            prop_assert!(period <= Duration::from_millis(5_500).max(took + PAUSE_MIN));
        }
    }

    #[test]
    fn the_first_probes_of_many_are_spread_over_a_bounded_time() {
        assert_eq!(first_probe(0, 3), Duration::ZERO);
        assert_eq!(first_probe(2, 3), Duration::from_millis(2));
        assert!(first_probe(9_999, 10_000) <= FIRST_SPREAD_MAX);
        assert!(first_probe(9_999, 10_000) > FIRST_SPREAD_MAX / 2);
    }
}
