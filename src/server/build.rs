use super::listener::ListenerState;
use crate::access::jwt::KeysFault;
use crate::cache::disk::DiskError;
use crate::cache::purge::{Mode, What};
use crate::config::{self, Config, ConfigErrors, Listener};
use crate::exchange::Generation;
use crate::live::{CacheRules, Fleet, LiveAccess, LiveCache, Outgoing, Snapshot};
use crate::telemetry::Metrics;
use crate::upstream::Dialers;
use crate::wire::tls::{Tickets, TlsError};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::mpsc;

/// Why a configuration cannot be served.
#[derive(Debug)]
pub enum LoadError {
    /// What is written is wrong.
    Config(ConfigErrors),
    /// A certificate, key or authority that it names is not usable; where that is asked for.
    Tls(String, TlsError),
    /// The keys of an access are not usable; where that is said.
    Keys(String, KeysFault),
    /// The directory of a cache of that name is not usable.
    Cache(String, DiskError),
}

impl LoadError {
    pub(super) fn of_listener(listener: &Listener, error: TlsError) -> LoadError {
        let place = &listener.place;
        LoadError::Tls(format!("{}:{}: [[listener]]", place.file.display(), place.line), error)
    }

    pub(super) fn of_keys((place, fault): (String, KeysFault)) -> LoadError {
        LoadError::Keys(place, fault)
    }

    pub(super) fn of_pool((pool, error): (String, TlsError)) -> LoadError {
        LoadError::Tls(format!("[pool.{pool}]"), error)
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LoadError::Config(errors) => errors.fmt(f),
            LoadError::Cache(name, error) => write!(f, "error: [cache.{name}] disk: {error}"),
            LoadError::Keys(place, fault) => write!(f, "error: {place}: {fault}"),
            LoadError::Tls(place, error) => write!(f, "error: {place}: {error}"),
        }
    }
}

impl std::error::Error for LoadError {}

/// All that is made of a configuration, before anything of it is in use.
pub(super) struct Built {
    pub(super) generation: Arc<Generation>,
    pub(super) listeners: Vec<Arc<ListenerState>>,
    pub(super) warnings: Vec<String>,
    /// What is said to a fleet that begins with this configuration.
    pub(super) inbox: Option<mpsc::Receiver<Outgoing>>,
}

/// The caches of a configuration, those that run already among them.
fn open_caches(config: &Config, before: Option<&Snapshot>) -> Result<Vec<Arc<LiveCache>>, LoadError> {
    let open = |cache: &config::Cache| {
        let running = before.and_then(|before| before.cache(&cache.name));
        LiveCache::open(cache, running, wall_ms()).map_err(|error| LoadError::Cache(cache.name.clone(), error))
    };
    config.caches.iter().map(open).collect()
}

/// A member of a fleet may have heard of purges while it had not opened a directory: what that holds is purged.
fn forget_the_past(snapshot: &Snapshot, before: &Snapshot) {
    let is_new = |rules: &&CacheRules| before.cache(&rules.cache.name).is_none() && rules.cache.disk().is_some();
    for rules in snapshot.caches.iter().filter(is_new) {
        if let Err(error) = rules.purge(&What::All, Mode::Hard) {
            tracing::warn!(cache = rules.cache.name, %error, "what was stored before may come back after a crash");
        }
    }
}

/// Milliseconds since the epoch.
pub(super) fn wall_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

/// Makes all of it, or nothing.
pub(super) fn build(
    mut config: Config,
    metrics: &Metrics,
    tickets: &Tickets,
    before: Option<&Generation>,
    now: Duration,
) -> Result<Built, LoadError> {
    let mut warnings = config.warnings.clone();
    let mut listeners = Vec::new();
    for listener in &config.listeners {
        let state = ListenerState::build(listener, metrics, tickets, &mut warnings);
        listeners.push(Arc::new(state.map_err(|error| LoadError::of_listener(listener, error))?));
    }
    let dialers = Dialers::build(&config.pools).map_err(LoadError::of_pool)?;
    let standing = before.map(|before| before.snapshot.accesses.as_slice()).unwrap_or_default();
    let accesses = LiveAccess::build_all(&config, metrics, standing).map_err(LoadError::of_keys)?;
    config.warnings.clone_from(&warnings);
    // Last of what can fail, as it is what others could see.
    let running = before.map(|before| &before.snapshot);
    let caches = open_caches(&config, running)?;
    let mut inbox = None;
    let mut fleet = running.and_then(|running| running.fleet.clone());
    if before.is_none() && config.cluster.is_some() {
        let (new, receiver) = Fleet::new();
        (fleet, inbox) = (Some(Arc::new(new)), Some(receiver));
    }
    let snapshot = Snapshot::build(config, caches, accesses, fleet, metrics, running, now);
    if let Some(before) = running.filter(|before| before.fleet.is_some()) {
        forget_the_past(&snapshot, before);
    }
    Ok(Built { generation: Arc::new(Generation::new(snapshot, dialers, before)), listeners, warnings, inbox })
}
