//! What the configuration says of failures, as the rules of `pool::health`.

use crate::config;
use crate::pool::concurrency;
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

/// How what backends bear is found out, if it is.
pub(super) fn concurrency(pool: &config::Pool) -> Option<concurrency::Rules> {
    let config::Concurrency { min, tolerance } = pool.concurrency?;
    let max = pool.connections.max.unwrap_or(LIMIT_MAX);
    Some(concurrency::Rules { min, max: max.max(min), tolerance })
}

/// No backend is found to bear more where the configuration has no maximum.
const LIMIT_MAX: u32 = 100_000;

/// How backends are checked.
#[must_use]
pub fn probes(health: &config::Health) -> probe::Rules {
    probe::Rules { every: health.every, timeout: health.timeout, rise: health.rise, fall: health.fall }
}
