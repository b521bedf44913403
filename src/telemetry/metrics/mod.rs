//! What is counted, and the page that shows it.
//!
//! Each worker writes to shards of its own with a plain load and store (one writer, no shared cache line);
//! a scrape sums them. Series are keyed by names from the configuration and found once, when a snapshot is built.

mod cells;
mod exposition;
mod families;
mod labels;
mod look;
mod process;
mod registry;
mod render;
mod rooms;
mod worker;

pub use exposition::Exposition;
pub use families::reference;
pub use labels::{
    AccessVerdict, AttemptFailure, CacheOutcome, DiskRead, DiskWrite, Encoded, LimitOutcome, Mirrored, ProtocolError,
    RefusalReason, TicketFault,
};
pub use look::{
    AccessLook, BackendLook, CacheLook, DemandLook, DiskLook, FleetLook, LeasesLook, LimitLook, Look, Looker,
    MemoryLook, PRESSURES, PoolLook, RoomLook,
};
pub use worker::{Done, InFlight, WorkerMetrics};

use crate::config::Priority;
use cells::{
    AccessCells, BackendCells, CacheCells, Count, LimitCells, ListenerCells, PoolCells, RouteCells, Series, WorkerCells,
};
use registry::Registry;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// All counters of the process. One exists; it outlives every reload.
pub struct Metrics {
    workers: Series<WorkerCells>,
    claimed: Box<[AtomicBool]>,
    routes: Registry<String, RouteCells>,
    pools: Registry<String, PoolCells>,
    caches: Registry<String, CacheCells>,
    accesses: Registry<String, AccessCells>,
    limits: Registry<String, LimitCells>,
    backends: Registry<(String, String), BackendCells>,
    listeners: Registry<String, ListenerCells>,
    rare: RareCells,
    started: SystemTime,
    looker: OnceLock<Looker>,
}

/// The counters of one route, held by the snapshot that the route is part of.
#[derive(Clone)]
pub struct RouteMetrics(Arc<Series<RouteCells>>);

/// The counters of one pool.
#[derive(Clone)]
pub struct PoolMetrics(Arc<Series<PoolCells>>);

/// What was counted of a pool for whoever wants to know how many backends it needs; each only rises.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DemandCounts {
    /// Exchanges that wanted a backend.
    pub arrived: u64,
    /// Exchanges that one answered, errors of its own not among them.
    pub served: u64,
    /// Exchanges that met the objective.
    pub on_time: u64,
    /// Exchanges that did not.
    pub late: u64,
    /// Exchanges refused for want of room.
    pub shed: u64,
}

impl PoolMetrics {
    /// How much it is now.
    #[must_use]
    pub fn demand(&self) -> DemandCounts {
        let sum = |read: fn(&PoolCells) -> &Count| self.0.sum(read);
        DemandCounts {
            arrived: sum(|cells| &cells.arrived),
            served: sum(|cells| &cells.served),
            on_time: sum(|cells| &cells.on_time),
            late: sum(|cells| &cells.late),
            shed: (0..Priority::ALL.len()).map(|at| self.0.sum(|cells| &cells.shed[at])).sum(),
        }
    }
}

/// The counters of one cache.
#[derive(Clone)]
pub struct CacheMetrics(Arc<Series<CacheCells>>);

/// The counters of one access.
#[derive(Clone)]
pub struct AccessMetrics(Arc<Series<AccessCells>>);

/// The counters of one limit.
#[derive(Clone)]
pub struct LimitMetrics(Arc<Series<LimitCells>>);

impl PoolMetrics {
    /// Exchanges ended since the start.
    #[must_use]
    pub fn exchanges(&self) -> u64 {
        (0..cells::CLASSES.len()).map(|class| self.0.sum(|cells| &cells.classes[class])).sum()
    }
}

impl LimitMetrics {
    /// Requests since the start, by outcome.
    #[must_use]
    pub fn requests(&self) -> [u64; LimitOutcome::ALL.len()] {
        std::array::from_fn(|outcome| self.0.sum(|cells| &cells.requests[outcome]))
    }
}

/// The counters of one backend of one pool.
#[derive(Clone)]
pub struct BackendMetrics(Arc<Series<BackendCells>>);

/// The counters of one listener.
#[derive(Clone)]
pub struct ListenerMetrics(Arc<Series<ListenerCells>>);

impl Metrics {
    /// Counters for `workers` threads and the one that keeps pools, all zero; the process counts as started now.
    #[must_use]
    pub fn new(workers: NonZeroUsize) -> Arc<Metrics> {
        let n = workers.get() + KEEPERS;
        Arc::new(Metrics {
            workers: Series::new(n),
            claimed: (0..n).map(|_| AtomicBool::new(false)).collect(),
            routes: Registry::new(n, ROUTES_MAX, OTHER.to_owned()),
            pools: Registry::new(n, POOLS_MAX, OTHER.to_owned()),
            caches: Registry::new(n, CACHES_MAX, OTHER.to_owned()),
            accesses: Registry::new(n, ACCESSES_MAX, OTHER.to_owned()),
            limits: Registry::new(n, LIMITS_MAX, OTHER.to_owned()),
            backends: Registry::new(n, BACKENDS_MAX, (OTHER.to_owned(), OTHER.to_owned())),
            listeners: Registry::new(n, LISTENERS_MAX, OTHER.to_owned()),
            rare: RareCells::default(),
            started: SystemTime::now(),
            looker: OnceLock::new(),
        })
    }

    /// The handle that worker `index` writes through, or `None` if there is no such worker or its handle is out:
    /// a shard has one writer at a time. Dropping the handle gives it back.
    #[must_use]
    pub fn worker(self: &Arc<Self>, index: usize) -> Option<WorkerMetrics> {
        if index < self.workers() { self.claim(index) } else { None }
    }

    fn workers(&self) -> usize {
        self.claimed.len() - KEEPERS
    }

    fn claim(self: &Arc<Self>, index: usize) -> Option<WorkerMetrics> {
        let claimed = self.claimed.get(index)?;
        // Acquire pairs with the release on drop: the next writer sees what the last one stored.
        (!claimed.swap(true, std::sync::atomic::Ordering::AcqRel)).then(|| WorkerMetrics::new(Arc::clone(self), index))
    }

    /// The handle of the thread that keeps pools, as [`worker`](Self::worker) gives it.
    #[must_use]
    pub fn keeper(self: &Arc<Self>) -> Option<WorkerMetrics> {
        self.claim(self.workers())
    }

    /// The counters of the route `name`: the same ones on each call, so a reload keeps them.
    /// Past [`ROUTES_MAX`] names in use they are those of [`OTHER`].
    #[must_use]
    pub fn route(&self, name: &str) -> RouteMetrics {
        RouteMetrics(self.routes.get(name.to_owned()))
    }

    /// The counters of exchanges that met no route.
    #[must_use]
    pub fn unrouted(&self) -> RouteMetrics {
        self.route(UNROUTED)
    }

    /// The counters of the pool `name`; past [`POOLS_MAX`] names those of [`OTHER`].
    #[must_use]
    pub fn pool(&self, name: &str) -> PoolMetrics {
        PoolMetrics(self.pools.get(name.to_owned()))
    }

    /// The counters of the cache `name`; past [`CACHES_MAX`] names those of [`OTHER`].
    #[must_use]
    pub fn cache(&self, name: &str) -> CacheMetrics {
        CacheMetrics(self.caches.get(name.to_owned()))
    }

    /// The counters of the access `name`; past [`ACCESSES_MAX`] names those of [`OTHER`].
    #[must_use]
    pub fn access(&self, name: &str) -> AccessMetrics {
        AccessMetrics(self.accesses.get(name.to_owned()))
    }

    /// The counters of the limit `name`; past [`LIMITS_MAX`] names those of [`OTHER`].
    #[must_use]
    pub fn limit(&self, name: &str) -> LimitMetrics {
        LimitMetrics(self.limits.get(name.to_owned()))
    }

    /// The counters of the backend `address` in `pool`; past [`BACKENDS_MAX`] pairs those of [`OTHER`].
    #[must_use]
    pub fn backend(&self, pool: &str, address: &str) -> BackendMetrics {
        BackendMetrics(self.backends.get((pool.to_owned(), address.to_owned())))
    }

    /// The counters of the listener on `address`; past [`LISTENERS_MAX`] addresses those of [`OTHER`].
    #[must_use]
    pub fn listener(&self, address: &str) -> ListenerMetrics {
        ListenerMetrics(self.listeners.get(address.to_owned()))
    }

    /// From now on a scrape asks `looker` how pools are. Only the first counts.
    pub fn set_looker(&self, looker: Looker) {
        let _ = self.looker.set(looker);
    }

    /// How it is now; no more than [`BACKENDS_MAX`] backends altogether.
    #[must_use]
    pub fn look(&self) -> Look {
        let mut look = self.looker.get().map(|look| look()).unwrap_or_default();
        look.pools.truncate(POOLS_MAX);
        look.accesses.truncate(ACCESSES_MAX);
        look.limits.truncate(LIMITS_MAX);
        let mut left = BACKENDS_MAX;
        for pool in &mut look.pools {
            pool.backends.truncate(left);
            left -= pool.backends.len();
        }
        look
    }

    /// A reload was applied (`ok`) or refused.
    pub fn reloaded(&self, ok: bool) {
        let cell = if ok { &self.rare.reloads_ok } else { &self.rare.reloads_failed };
        cell.fetch_add(1, Relaxed);
    }

    /// This process took over from another (`ok`), or could not hand over to one.
    pub fn upgraded(&self, ok: bool) {
        let cell = if ok { &self.rare.upgrades_ok } else { &self.rare.upgrades_failed };
        cell.fetch_add(1, Relaxed);
    }

    /// Reloads that were applied, and that were refused.
    #[must_use]
    pub fn reloads(&self) -> (u64, u64) {
        (self.rare.reloads_ok.load(Relaxed), self.rare.reloads_failed.load(Relaxed))
    }

    /// Since the start.
    #[must_use]
    pub fn uptime(&self) -> Duration {
        self.started.elapsed().unwrap_or_default()
    }

    /// Lines of the access log were lost: the queue was full, or the write failed.
    pub fn access_log_dropped(&self, lines: u64) {
        self.rare.access_log_dropped.fetch_add(lines, Relaxed);
    }

    /// Lines of the access log lost since the start.
    #[must_use]
    pub fn access_log_lines_dropped(&self) -> u64 {
        self.rare.access_log_dropped.load(Relaxed)
    }

    /// Appends the whole page to `out`. It may run on any thread, at any time; it stops no worker.
    pub fn render(&self, exposition: Exposition, out: &mut String) {
        render::page(self, exposition, out);
    }

    fn started_seconds(&self) -> f64 {
        self.started.duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
    }
}

/// Counted rarely and from any thread, so by read-modify-write.
#[derive(Default)]
struct RareCells {
    reloads_ok: AtomicU64,
    reloads_failed: AtomicU64,
    upgrades_ok: AtomicU64,
    upgrades_failed: AtomicU64,
    access_log_dropped: AtomicU64,
}

/// Threads that count beside the workers.
const KEEPERS: usize = 1;

/// Routes counted under their own name.
pub const ROUTES_MAX: usize = 1000;
/// Pools counted under their own name.
pub const POOLS_MAX: usize = 1000;
/// Caches counted under their own name.
pub const CACHES_MAX: usize = 100;
/// Accesses counted under their own name.
pub const ACCESSES_MAX: usize = 100;
/// Limits counted under their own name.
pub const LIMITS_MAX: usize = 100;
/// Pairs of pool and backend counted under their own name.
pub const BACKENDS_MAX: usize = 2000;
/// Listeners counted under their own address.
pub const LISTENERS_MAX: usize = 100;
/// The label of what is past a ceiling.
pub const OTHER: &str = "other";
/// The route label of exchanges that met no route.
pub const UNROUTED: &str = "-";

#[cfg(test)]
mod tests;
