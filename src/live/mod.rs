//! What runs now: the immutable set built from one configuration. An exchange takes one and holds it to its end.

use crate::config::Config;
use crate::route::Table;
use crate::telemetry::Metrics;
use crate::telemetry::metrics::{BackendMetrics, PoolMetrics, RouteMetrics};

/// Everything that exchanges look up, built once a configuration.
pub struct Snapshot {
    /// What it was built from.
    pub config: Config,
    /// Finds the route of a request.
    pub table: Table,
    /// Counters, in the order of `config.routes`.
    pub routes: Vec<RouteMetrics>,
    /// Counters of what meets no route.
    pub unrouted: RouteMetrics,
    /// Counters, in the order of `config.pools`.
    pub pools: Vec<LivePool>,
}

/// What runs of a pool.
pub struct LivePool {
    /// Its counters.
    pub metrics: PoolMetrics,
    /// In the order of the pool's backends.
    pub backends: Vec<LiveBackend>,
}

/// What runs of a backend.
pub struct LiveBackend {
    /// As it stands in logs.
    pub name: String,
    /// Its counters.
    pub metrics: BackendMetrics,
}

impl Snapshot {
    /// Builds what `config` asks for. Counters of the same name go on.
    #[must_use]
    pub fn build(config: Config, metrics: &Metrics) -> Snapshot {
        let routes = config.routes.iter().map(|route| metrics.route(&route.name)).collect();
        let pools = config
            .pools
            .iter()
            .map(|pool| LivePool {
                metrics: metrics.pool(&pool.name),
                backends: pool
                    .backends
                    .iter()
                    .map(|backend| {
                        let name = backend.address.to_string();
                        LiveBackend { metrics: metrics.backend(&pool.name, &name), name }
                    })
                    .collect(),
            })
            .collect();
        Snapshot { table: Table::build(&config.routes), config, routes, unrouted: metrics.unrouted(), pools }
    }
}
