//! Exchanges in a second, out of counts.

/// Rises within seconds, falls within a minute or two.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Arrivals {
    rate: f64,
    /// Seconds in which nobody came.
    quiet: f64,
    is_known: bool,
}

impl Arrivals {
    pub(super) fn add(&mut self, rate: f64, span: f64) {
        self.quiet = if rate > 0.0 { 0.0 } else { self.quiet + span };
        self.is_known |= rate > 0.0;
        let secs = if rate > self.rate { RISE_SECS } else { FALL_SECS };
        self.rate += weight(span, secs) * (rate - self.rate);
        if self.is_quiet() {
            self.rate = 0.0;
        }
    }

    pub(super) fn rate(&self) -> f64 {
        self.rate
    }

    /// Nobody has come for long.
    pub(super) fn is_quiet(&self) -> bool {
        !self.is_known || self.quiet >= QUIET_SECS
    }
}

/// A moving average.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Mean {
    sum: f64,
    /// What `sum` is a sum of weights of: less than 1 in the beginning.
    weight: f64,
}

impl Mean {
    pub(super) fn add(&mut self, value: f64, span: f64) {
        let weight = weight(span, MEAN_SECS);
        self.sum += weight * (value - self.sum);
        self.weight += weight * (1.0 - self.weight);
    }

    /// 0 before there was anything.
    pub(super) fn value(&self) -> f64 {
        if self.weight > 0.0 { self.sum / self.weight } else { 0.0 }
    }
}

/// What a sample counts in a moving average over `secs`.
pub(super) fn weight(span: f64, secs: f64) -> f64 {
    1.0 - (-span / secs).exp()
}

const RISE_SECS: f64 = 5.0;
const FALL_SECS: f64 = 30.0;
const MEAN_SECS: f64 = 15.0;

/// Nobody came for so long: none is wanted.
const QUIET_SECS: f64 = 60.0;
