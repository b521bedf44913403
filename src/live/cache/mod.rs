//! A cache that runs: what is stored, what was purged, and what is known not to be storable.

mod disk;
mod forms;
mod news;
mod purging;
mod reads;
mod room;

pub use forms::FormKept;
pub use news::{Change, Confirmer, Listener, News, Teller, line};
pub use purging::Done;
pub use room::Tier;

use crate::cache::disk::{Disk, DiskError};
use crate::cache::entry::Entry;
use crate::cache::key::{KeyRules, Secret};
use crate::cache::memory::Memory;
use crate::cache::purge::Purges;
use crate::cache::search::Searches;
use crate::cache::top::Top;
use crate::cache::unstorable::Unstored;
use crate::config::{self, CacheId, Config};
use crate::http::{Defaults, Normal};
use crate::telemetry::Metrics;
use crate::telemetry::metrics::{CacheLook, CacheMetrics, DiskLook};
use arc_swap::ArcSwapOption;
use reads::Reads;
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use twox_hash::XxHash3_64;

/// A cache as it runs; it goes on through reloads.
pub struct LiveCache {
    /// Its name.
    pub name: String,
    /// What hashes its keys.
    pub secret: Secret,
    /// The memory tier.
    pub memory: Memory<Entry>,
    /// What was purged.
    pub purges: Purges,
    /// Keys whose responses are not storable.
    pub unstored: Unstored,
    /// What responses say of their queries.
    pub searches: Searches,
    /// Keys that miss most.
    pub misses: Top,
    reads: Reads,
    /// The disk tier, unless another process has it.
    disk: ArcSwapOption<Disk>,
    wants_disk: bool,
    /// While another process has the same cache.
    teller: ArcSwapOption<Teller>,
}

/// What one configuration says of a cache, as the rules want it.
pub struct CacheRules {
    /// The cache.
    pub cache: Arc<LiveCache>,
    /// How keys are made.
    pub key: KeyRules,
    /// How variants are made alike.
    pub normal: Normal,
    /// Its counters.
    pub metrics: CacheMetrics,
    /// What keys of routes begin with that use it.
    scopes: Vec<Box<str>>,
}

impl CacheRules {
    /// Builds what `config` asks for of one of its caches.
    #[must_use]
    pub fn build(config: &Config, id: CacheId, metrics: &Metrics, cache: Arc<LiveCache>) -> CacheRules {
        let own = &config.caches[id.0];
        let bytes = |names: &[String]| names.iter().map(|name| name.as_bytes().into()).collect();
        let routes = config.routes.iter().filter(|route| route.cache == Some(id));
        let mut scopes: Vec<Box<str>> = routes.map(|route| scope(config, route).into()).collect();
        scopes.sort_unstable();
        scopes.dedup();
        CacheRules {
            cache,
            key: KeyRules { ignore_query: bytes(&own.key.ignore_query) },
            normal: Normal { fields: bytes(&own.key.normalise) },
            metrics: metrics.cache(&own.name),
            scopes,
        }
    }
}

/// What parts the keys of routes that meet the same URLs by conditions which the URL does not show. What is stored for
/// those whom an access lets in is apart from what is stored for all, and for those of another.
pub(super) fn scope(config: &Config, route: &config::Route) -> String {
    let mut scope = String::new();
    if !route.fields.is_empty() || !route.clients.is_empty() {
        // Routes without a name of their own may have the same one.
        let mut conditions = String::new();
        route.fields.iter().for_each(|(name, value)| conditions += &format!("{name}\n{value}\n"));
        route.clients.iter().for_each(|network| conditions += &format!("{network}\n"));
        scope = format!("{}#{:016x}", route.name, XxHash3_64::oneshot(conditions.as_bytes()));
    }
    if let Some(id) = route.access {
        scope += &format!("access={}", config.accesses[id.0].name);
    }
    scope
}

impl LiveCache {
    /// What there was of a cache, or a new one. Blocks, where it has a disk tier.
    ///
    /// # Errors
    /// Its directory cannot be used.
    pub fn open(
        config: &config::Cache,
        before: Option<&Arc<LiveCache>>,
        now_ms: u64,
    ) -> Result<Arc<LiveCache>, DiskError> {
        if let Some(before) = before {
            return Ok(before.resized(config));
        }
        let disk = disk::open(config, now_ms)?;
        let secret = disk.as_ref().map_or_else(secret, |disk| Secret(disk.secret()));
        let cache = LiveCache {
            name: config.name.clone(),
            secret,
            memory: Memory::new(memory_bytes(config), config.variants),
            purges: Purges::new(secret),
            unstored: Unstored::default(),
            searches: Searches::default(),
            misses: Top::default(),
            reads: Reads::default(),
            wants_disk: disk.is_some(),
            disk: ArcSwapOption::empty(),
            teller: ArcSwapOption::empty(),
        };
        if let Some(disk) = disk {
            cache.replay(&disk);
            cache.disk.store(Some(Arc::new(disk)));
        }
        Ok(Arc::new(cache))
    }

    fn resized(self: &Arc<LiveCache>, config: &config::Cache) -> Arc<LiveCache> {
        if self.memory.capacity() != memory_bytes(config) {
            self.let_go(&self.memory.resize(memory_bytes(config)));
        }
        Arc::clone(self)
    }

    /// From now on another process is told what changes, or none is.
    pub fn tells(&self, teller: Option<Teller>) {
        self.teller.store(teller.map(Arc::new));
    }

    /// Waits (blocks) until another process knows all that it was told; for a bounded time.
    pub fn is_told(&self) {
        if let Some(teller) = self.teller.load_full() {
            teller.ends(&self.name);
        }
    }

    /// Nobody listens any more at the other end of that line.
    pub fn hang_up(&self, line: &Confirmer) {
        let teller = self.teller.load_full();
        if teller.as_ref().is_some_and(|teller| line.is_of(teller)) {
            self.teller.compare_and_swap(&teller, None);
        }
    }

    /// Its memory tier may hold so much now, whatever the configuration gives it.
    pub fn limit_memory(&self, bytes: usize) {
        if self.memory.capacity() != bytes {
            self.let_go(&self.memory.resize(bytes));
        }
    }

    /// How its tiers are now.
    pub fn look(&self, out: &mut Vec<CacheLook>, disks: &mut Vec<DiskLook>) {
        let memory = &self.memory;
        let (bytes, capacity, objects) = (memory.bytes() as u64, memory.capacity() as u64, memory.len() as u64);
        out.push(CacheLook { cache: self.name.clone(), tier: "memory", bytes, capacity, objects });
        if let Some(disk) = self.disk() {
            let counts = disk.counts();
            let (bytes, capacity, objects) = (counts.bytes, counts.bytes_allocated, counts.records);
            out.push(CacheLook { cache: self.name.clone(), tier: "disk", bytes, capacity, objects });
            disks.push(disk::look(&self.name, &counts));
        }
    }
}

impl Drop for LiveCache {
    /// A reload took it away, and its last request has ended, perhaps on a worker: that does not wait for the disk.
    fn drop(&mut self) {
        if let Some(disk) = self.disk.swap(None) {
            // Without a thread to be had it is closed here.
            drop(thread::Builder::new().name("weir-disk-end".into()).spawn(move || disk.close()));
        }
    }
}

/// What the configuration says where a response with `status` says nothing.
#[must_use]
pub fn cache_defaults(config: &config::Cache, status: u16) -> Defaults {
    Defaults {
        ttl: config.ttl(status).map(|ttl| ttl.as_secs()),
        stale_while_revalidate: config.stale_while_revalidate.as_secs(),
        stale_if_error: config.stale_if_error.unwrap_or_default().as_secs(),
        stale_if_disconnected: config.stale_if_error.unwrap_or(DISCONNECTED).as_secs(),
    }
}

/// How long what is stale bridges a pool of which nobody can be reached, unless the configuration says something.
const DISCONNECTED: Duration = Duration::from_secs(600);

fn memory_bytes(config: &config::Cache) -> usize {
    usize::try_from(config.memory).unwrap_or(usize::MAX)
}

fn secret() -> Secret {
    let mut bytes = [0; 16];
    // Without the system's randomness keys could be made to collide, which the full key still tells apart.
    let _ = getrandom::fill(&mut bytes);
    Secret(bytes)
}
