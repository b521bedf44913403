//! What backends say of their load, and what that takes from their share.
//!
//! A load of 0 is idle, 1 is all that the backend can do at once, more is too much. A share is 1 / (1 + 3 × load): all of
//! the weight when idle, 2/5 at half load, a quarter at full load, and less beyond, but never nothing: to take a backend
//! out is its check's to do. The slope is gentle on purpose: at no load does the share change by a larger part than the
//! load does, so that backends that follow their share in turn settle instead of swinging.

/// A load in 1/1,000.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Load(u32);

/// The whole of a weight, in the unit of [`Load::share`].
pub const SHARE_FULL: u32 = 256;

impl Load {
    /// `None`: it is no number from 0 to [`MAX`](Self::MAX).
    #[must_use]
    pub fn of(load: f64) -> Option<Load> {
        (0.0..=Load::MAX).contains(&load).then(|| Load((load * 1_000.0).round() as u32))
    }

    /// As it was reported.
    #[must_use]
    pub fn as_f64(self) -> f64 {
        f64::from(self.0) / 1_000.0
    }

    /// What counts after another report: each one moves it halfway, so that one peak does not turn all traffic away.
    #[must_use]
    pub(super) fn moved(self, report: Option<Load>) -> Load {
        let to = report.unwrap_or_default().0;
        // Rounded towards the report, so that it is reached.
        Load(if to > self.0 { (self.0 + to).div_ceil(2) } else { (self.0 + to) / 2 })
    }

    /// The share of its weight that a backend gets, in 1/256; never 0.
    #[must_use]
    pub fn share(self) -> u32 {
        (SHARE_FULL * 1_000 / (1_000 + 3 * self.0)).max(1)
    }

    /// No backend reports more.
    pub const MAX: f64 = 100.0;
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_share_falls_from_all_to_a_quarter_at_full_load() {
        let share = |load| Load::of(load).unwrap().share();
        assert_eq!([0.0, 0.5, 1.0, 2.0, 100.0].map(share), [256, 102, 64, 36, 1]);
        assert!([-0.1, 100.1, f64::NAN, f64::INFINITY].map(Load::of).iter().all(Option::is_none));
    }

    #[test]
    fn reports_move_it_halfway_and_what_is_not_reported_any_more_is_forgotten() {
        let mut load = Load::default();
        let mut seen = Vec::new();
        for report in [Some(0.8), Some(0.8), None, None] {
            load = load.moved(report.and_then(Load::of));
            seen.push(load.as_f64());
        }
        assert_eq!(seen, [0.4, 0.6, 0.3, 0.15]);
    }

    /// Backends of these capacities, that get what their shares say of a demand, and report what that makes of them.
    fn settle(capacities: &[f64], demand: f64) -> Vec<f64> {
        let mut loads = vec![Load::default(); capacities.len()];
        let mut last = Vec::new();
        for _ in 0..60 {
            let all: f64 = loads.iter().map(|load| f64::from(load.share())).sum();
            last = loads.iter().zip(capacities).map(|(load, c)| demand * f64::from(load.share()) / all / c).collect();
            loads = loads.iter().zip(&last).map(|(load, now)| load.moved(Load::of(now.min(Load::MAX)))).collect();
        }
        last
    }

    proptest! {
        #[test]
        fn a_steady_report_is_reached_from_anywhere(from in 0u32..100_000, to in 0u32..100_000) {
            let mut load = Load(from);
            for _ in 0..20 {
                load = load.moved(Some(Load(to)));
            }
            prop_assert_eq!(load, Load(to));
        }

        #[test]
        fn who_can_do_less_gets_less_and_nobody_swings(capacities in prop::collection::vec(1.0f64..8.0, 2..6), demand in 0.5f64..40.0) {
            let once = settle(&capacities, demand);
            let even: Vec<f64> = capacities.iter().map(|c| demand / capacities.len() as f64 / c).collect();
            let spread = |loads: &[f64]| loads.iter().copied().fold(0.0, f64::max) - loads.iter().copied().fold(f64::MAX, f64::min);
            // The integers that shares are in make some of it: at a load of 3, one step is a 25th, at 7.5 a tenth.
            let most = once.iter().copied().fold(0.0, f64::max);
            let step = most / f64::from(Load::of(most.min(Load::MAX)).unwrap().share());
            prop_assert!(spread(&once) <= spread(&even) + 0.05 + step, "{once:?} {even:?}");
        }
    }
}
