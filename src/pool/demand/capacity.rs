use super::Sample;
use super::rates::{Mean, weight};

/// What one backend does.
#[derive(Clone, Debug, Default)]
pub(super) struct Capacity {
    served: Mean,
    in_flight: Mean,
    /// Exchanges at once; kept while there is no backend.
    bears: Option<f64>,
    /// Exchanges that end in a second for each that is in flight, where a backend has all that it bears.
    turnover: Option<f64>,
    /// Seconds in which there was something to see.
    seen_secs: f64,
}

impl Capacity {
    pub(super) fn add(&mut self, sample: &Sample, served: f64, span: f64) {
        self.served.add(served, span);
        self.in_flight.add(sample.in_flight, span);
        let Some(bears) = sample.bears.filter(|_| sample.available > 0) else { return };
        // Found to be more, it is so at once. Found to be less, that may be a moment's.
        self.bears = Some(match self.bears {
            Some(known) if bears < known => known + weight(span, BEARS_LESS_SECS) * (bears - known),
            _ => bears,
        });
        let full = (sample.in_flight / (bears * f64::from(sample.available))).min(1.0);
        let Some(seen) = self.seen(full, sample.tolerance) else { return };
        self.seen_secs += span;
        let secs = if full >= FULL { FULL_SECS } else { TURNOVER_SECS };
        self.turnover = Some(self.turnover.map_or(seen, |known| known + weight(span, secs) * (seen - known)));
    }

    /// Exchanges at once.
    pub(super) fn bears(&self) -> Option<f64> {
        self.bears
    }

    /// Exchanges in a second; `None`: not known yet.
    pub(super) fn rate(&self) -> Option<f64> {
        Some(self.bears? * self.turnover?).filter(|rate| *rate > 0.0 && self.seen_secs >= SEEN_SECS_LEAST)
    }

    /// By Little's law, one in flight ends as many in a second as it takes seconds. It takes longer once a backend has all
    /// that it bears, up to the tolerance; a part of that is there already.
    fn seen(&self, full: f64, tolerance: f64) -> Option<f64> {
        let (served, in_flight) = (self.served.value(), self.in_flight.value());
        let is_enough = served >= SERVED_LEAST && in_flight >= IN_FLIGHT_LEAST;
        is_enough.then(|| served / in_flight * tolerance.max(1.0).powf(full - 1.0))
    }
}

/// So near to all that they bear, backends show what they do.
const FULL: f64 = 0.9;
const FULL_SECS: f64 = 5.0;
const TURNOVER_SECS: f64 = 30.0;
const BEARS_LESS_SECS: f64 = 15.0;

/// What backends bear may be found out in these seconds.
const SEEN_SECS_LEAST: f64 = 5.0;

/// With less, Little's law multiplies noise.
const SERVED_LEAST: f64 = 1.0;
const IN_FLIGHT_LEAST: f64 = 0.05;

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn sample(in_flight: f64, bears: f64) -> Sample {
        let span = Duration::from_secs(1);
        Sample { span, in_flight, bears: Some(bears), available: 2, tolerance: 1.25, ..Sample::default() }
    }

    fn after(seconds: u32, served: f64, sample: &Sample) -> Capacity {
        let mut capacity = Capacity::default();
        (0..seconds).for_each(|_| capacity.add(sample, served, 1.0));
        capacity
    }

    fn is_about(capacity: &Capacity, wanted: f64) -> bool {
        capacity.rate().is_some_and(|rate| (rate / wanted - 1.0).abs() < 0.02)
    }

    #[test]
    fn a_full_backend_does_what_is_seen_and_one_with_little_what_it_would() {
        // Two that bear ten each, in a tenth of a second: at most an eighth of a second once they are full.
        assert!(is_about(&after(60, 160.0, &sample(20.0, 10.0)), 80.0));
        assert!(is_about(&after(60, 20.0, &sample(2.0, 10.0)), 100.0 * 0.8f64.powf(0.9)));
    }

    #[test]
    fn few_say_nothing_and_what_was_known_is_kept() {
        assert_eq!(after(60, 0.5, &sample(0.01, 10.0)).rate(), None);
        let mut capacity = after(60, 160.0, &sample(20.0, 10.0));
        let known = capacity.rate();
        let none = Sample { available: 0, bears: None, ..sample(0.0, 0.0) };
        (0..600).for_each(|_| capacity.add(&none, 0.0, 1.0));
        assert_eq!(capacity.rate(), known);
    }

    #[test]
    fn more_that_it_bears_counts_at_once_and_less_after_a_while() {
        let mut capacity = after(60, 80.0, &sample(10.0, 5.0));
        assert!(is_about(&capacity, 40.0));
        capacity.add(&sample(10.0, 10.0), 80.0, 1.0);
        assert!(capacity.rate().is_some_and(|rate| rate > 75.0), "{capacity:?}");
        capacity.add(&sample(10.0, 5.0), 80.0, 1.0);
        assert!(capacity.rate().is_some_and(|rate| rate > 70.0), "{capacity:?}");
        (0..60).for_each(|_| capacity.add(&sample(10.0, 5.0), 80.0, 1.0));
        assert!(is_about(&capacity, 40.0), "{capacity:?}");
    }
}
