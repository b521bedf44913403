//! What the configuration says of failures, as the rules of `pool::health`.

use crate::config;
use crate::pool::health::BreakerRules;
use crate::pool::health::outlier::OutlierRules;
use crate::pool::health::probe;

/// When a backend is ejected.
pub(super) fn outlier(outlier: &config::Outlier) -> OutlierRules {
    OutlierRules {
        consecutive_failures: outlier.consecutive_failures,
        failure_rate: outlier.failure_rate,
        window: outlier.window,
        requests_min: outlier.requests_min,
        eject: outlier.eject,
        max_ejected: outlier.max_ejected,
    }
}

/// When a pool is given a rest.
pub(super) fn breaker(breaker: &config::Breaker) -> BreakerRules {
    BreakerRules {
        failure_rate: breaker.failure_rate,
        window: breaker.window,
        requests_min: breaker.requests_min,
        open: breaker.open,
        probes: breaker.trials,
    }
}

/// How backends are checked.
#[must_use]
pub fn probes(health: &config::Health) -> probe::Rules {
    probe::Rules { every: health.every, timeout: health.timeout, rise: health.rise, fall: health.fall }
}
