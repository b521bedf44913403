use super::access::own_of_all;
use super::cache::scope;
use super::{CacheRules, Fleet, Hashing, Ledger, LiveAccess, LiveCache, LiveLimit, LivePool, RoomRules};
use crate::access::Own;
use crate::clock::boot_time;
use crate::config::{self, CacheId, Config, WaitingRoomId};
use crate::limit::Limiter;
use crate::route::Table;
use crate::telemetry::Metrics;
use crate::telemetry::metrics::{Look, RouteMetrics};
use std::sync::Arc;
use std::time::Duration;

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
    /// What runs, in the order of `config.pools`.
    pub pools: Vec<LivePool>,
    /// In the order of `config.caches`.
    pub caches: Vec<CacheRules>,
    /// In the order of `config.accesses`.
    pub accesses: Vec<LiveAccess>,
    /// What clients may not say, whatever their route.
    pub own: Own,
    /// What bounds the checking of passwords.
    pub hashing: Arc<Hashing>,
    /// What parts the keys of routes in a cache, in the order of `config.routes`.
    pub scopes: Vec<Box<str>>,
    /// The fleet that this process belongs to, if it does.
    pub fleet: Option<Arc<Fleet>>,
    /// In the order of `config.limits`.
    pub limits: Vec<LiveLimit>,
    /// In the order of `config.waiting_rooms`.
    pub rooms: Vec<RoomRules>,
    /// What rooms must remember.
    pub ledger: Arc<Ledger>,
}

impl Snapshot {
    /// Builds what `config` asks for, over `caches` and `accesses` in its order, in that fleet, at `now`, the time since the
    /// process began. What `before` knew of pools and backends of the same name goes on, as counters do.
    #[must_use]
    pub fn build(
        config: Config,
        caches: Vec<Arc<LiveCache>>,
        accesses: Vec<LiveAccess>,
        fleet: Option<Arc<Fleet>>,
        metrics: &Metrics,
        before: Option<&Snapshot>,
        now: Duration,
    ) -> Snapshot {
        let routes = config.routes.iter().map(|route| metrics.route(&route.name)).collect();
        let pools =
            config.pools.iter().map(|pool| LivePool::build(pool, metrics, standing(before, pool), now)).collect();
        let rules = |(at, cache)| CacheRules::build(&config, CacheId(at), metrics, cache);
        let caches = caches.into_iter().enumerate().map(rules).collect();
        let own = own_of_all(&config);
        let limit = |limit: &config::Limit| {
            LiveLimit::build(
                limit,
                &own,
                metrics,
                fleet.as_deref(),
                before.and_then(|before| before.limit(&limit.name)),
            )
        };
        let limits = config.limits.iter().map(limit).collect();
        let ledger = before.map_or_else(
            || Arc::new(Ledger::new(fleet_size(&config, fleet.as_deref()))),
            |before| Arc::clone(&before.ledger),
        );
        let room = |at| RoomRules::build(&config, WaitingRoomId(at), &ledger, now);
        let rooms = (0..config.waiting_rooms.len()).map(room).collect();
        Snapshot {
            caches,
            accesses,
            limits,
            rooms,
            ledger,
            own,
            hashing: before.map(|before| Arc::clone(&before.hashing)).unwrap_or_default(),
            scopes: config.routes.iter().map(|route| scope(&config, route).into()).collect(),
            table: Table::build(&config.routes),
            config,
            routes,
            unrouted: metrics.unrouted(),
            pools,
            fleet,
        }
    }

    /// Whether what is stored may be reused without a word from its backend: no purge was missed.
    #[must_use]
    pub fn may_reuse(&self) -> bool {
        // The exact time, as this thread may have slept since it looked last.
        self.fleet.as_ref().is_none_or(|fleet| fleet.is_sure(boot_time()))
    }

    /// How it is at `now`.
    #[must_use]
    pub fn look(&self, now: Duration) -> Look {
        let pools = self.config.pools.iter().zip(&self.pools).map(|(config, live)| live.look(config, now)).collect();
        let accesses = self.accesses.iter().filter_map(|access| access.look(now)).collect();
        let limits = self.config.limits.iter().zip(&self.limits).map(|(config, live)| live.look(config, now)).collect();
        let (mut caches, mut disks) = (Vec::new(), Vec::new());
        self.caches.iter().for_each(|rules| rules.cache.look(&mut caches, &mut disks));
        let fleet = self.fleet.as_ref().map(|fleet| fleet.look(now));
        let (memory, warnings) = (None, self.config.warnings.clone());
        let rooms = self.rooms.iter().map(|rules| rules.look(now, (&self.config, &self.pools))).collect();
        Look { pools, caches, disks, limits, rooms, accesses, fleet, memory, warnings }
    }

    /// Takes a backend out, or back; `false` if there is none of that name.
    #[must_use]
    pub fn drain(&self, pool: &str, backend: &str, drain: bool, now: Duration) -> bool {
        let Some((_, live)) = self.pool(pool) else { return false };
        let members = live.members.load();
        let Some(member) = members.list.iter().find(|member| member.backend.name == backend) else { return false };
        member.backend.set_draining(drain, now);
        live.state.turned();
        true
    }

    /// The cache of that name.
    #[must_use]
    pub fn cache(&self, name: &str) -> Option<&Arc<LiveCache>> {
        self.caches.iter().map(|rules| &rules.cache).find(|cache| cache.name == name)
    }

    /// The caches that have a disk, by name, with what tells its directory from others.
    #[must_use]
    pub fn disks(&self) -> Vec<(String, String)> {
        let of = |rules: &CacheRules| Some((rules.cache.name.clone(), rules.cache.disk()?.identity()));
        self.caches.iter().filter_map(of).collect()
    }

    /// What all members of a fleet share, by name.
    #[must_use]
    pub fn shared_limits(&self) -> Vec<(String, Arc<Limiter>)> {
        let limits = self.config.limits.iter().zip(&self.limits);
        limits.map(|(limit, live)| (limit.name.clone(), Arc::clone(&live.limiter))).collect()
    }

    /// Whether each room is full is judged by these.
    #[must_use]
    pub fn headroom(&self) -> (&Config, &[LivePool]) {
        (&self.config, &self.pools)
    }

    /// The limit of that name, with its configuration.
    fn limit(&self, name: &str) -> Option<(&config::Limit, &LiveLimit)> {
        self.config.limits.iter().zip(&self.limits).find(|(limit, _)| limit.name == name)
    }

    /// The pool of that name, with its configuration.
    #[must_use]
    pub fn pool(&self, name: &str) -> Option<(&config::Pool, &LivePool)> {
        self.config.pools.iter().zip(&self.pools).find(|(pool, _)| pool.name == name)
    }
}

/// How many members are reckoned with before they are counted, in a fleet.
fn fleet_size(config: &Config, fleet: Option<&Fleet>) -> Option<u32> {
    fleet.map(|_| config.cluster.as_ref().map_or(1, |cluster| cluster.members))
}

/// What there was of a pool.
fn standing<'a>(before: Option<&'a Snapshot>, pool: &config::Pool) -> Option<(&'a config::Pool, &'a LivePool)> {
    before?.pool(&pool.name)
}
