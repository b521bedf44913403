use super::Refusal;
use super::crew::Crew;
use super::reuse::Failure;
use crate::cache::flight::Flights;
use crate::clock::Clock;
use crate::config::{self, PoolId};
use crate::http::coding::Encoders;
use crate::live::{CacheRules, Change, Members, News, Pressure, Snapshot};
use crate::pool::policy::Policy;
use crate::telemetry::{AccessWorker, WorkerMetrics};
use crate::upstream::{Dialers, Lines};
use crate::wire::Buffers;
use arc_swap::{ArcSwap, Cache};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::Notify;

/// One configuration as it runs: what is looked up, and how backends are reached.
pub struct Generation {
    /// Routes, pools, counters.
    pub snapshot: Snapshot,
    /// By pool.
    pub dialers: Dialers,
    /// Fetches under way, by cache.
    pub(super) flights: Vec<Arc<Flights<Failure>>>,
}

impl Generation {
    /// A generation in which what is under way `before` goes on: who asks may share it, and a write takes it back.
    #[must_use]
    pub fn new(snapshot: Snapshot, dialers: Dialers, before: Option<&Generation>) -> Generation {
        let flights = snapshot.caches.iter().map(|rules| {
            let is_same = |other: &CacheRules| Arc::ptr_eq(&other.cache, &rules.cache);
            let known = before.and_then(|it| Some(&it.flights[it.snapshot.caches.iter().position(is_same)?]));
            known.map(Arc::clone).unwrap_or_default()
        });
        Generation { flights: flights.collect(), snapshot, dialers }
    }

    /// Another process tells what changed: it is not used any more, and what is being fetched of it is not stored.
    pub fn hear(&self, news: &News) {
        for (rules, flights) in self.snapshot.caches.iter().zip(&self.flights) {
            if !news.is_of(&rules.cache.name) {
                continue;
            }
            match &news.change {
                Change::Gone(key) => {
                    let hash = rules.cache.secret.hash(key);
                    flights.bar(hash);
                    rules.cache.forget(hash, key);
                }
                Change::Purged(what, mode) => {
                    // Who was asked for it says so if it is not written down.
                    if let Err(error) = rules.purge_here(what, *mode) {
                        tracing::debug!(cache = rules.cache.name, %error, "a purge by another process");
                    }
                }
            }
        }
    }
}

/// What one worker's exchanges share. Nothing of it is shared between threads but the current [`Generation`].
pub struct Worker {
    /// Its number, from 0.
    pub index: usize,
    /// Its timer.
    pub clock: Rc<Clock>,
    /// Its read buffers.
    pub buffers: Rc<Buffers>,
    /// Its shard of the counters.
    pub metrics: WorkerMetrics,
    /// Its way to the access log.
    pub log: RefCell<AccessWorker>,
    /// How near the ceiling of memory is.
    pub pressure: Arc<Pressure>,
    was_full: Cell<bool>,
    /// Exchanges that were begun though there is no memory left.
    reserved: Cell<u32>,
    /// Exchanges under way, and how many there were at most of late: their memory is there.
    exchanges: Cell<u32>,
    exchanges_most: Cell<u32>,
    /// The process is about to end: connections are closed after their exchange.
    pub draining: Cell<bool>,
    drain: Notify,
    lines: Lines,
    latest: RefCell<Latest>,
    current: RefCell<Rc<Held>>,
    /// The wall clock when the worker's clock began, in milliseconds: steps of the wall clock change no age.
    epoch_ms: u64,
    random: Cell<u128>,
    /// Copies of requests that are collected or under way.
    pub(super) mirrors: Cell<usize>,
    /// Questions to authorising backends under way.
    pub(super) asks: Cell<usize>,
    /// Stored responses that are being encoded beside it.
    pub(super) encodings: Cell<usize>,
    /// For responses that are compressed.
    pub(super) encoders: RefCell<Encoders>,
    #[expect(clippy::vec_box, reason = "lent as a box, so that a large value is never moved")]
    pub(super) scratch: RefCell<Vec<Box<super::Scratch>>>,
}

/// Asks for the latest generation with one load, as long as it is the same.
type Latest = Cache<Arc<ArcSwap<Generation>>, Arc<Generation>>;

/// A generation as one worker holds it, with what it keeps for it.
pub(super) struct Held {
    pub(super) generation: Arc<Generation>,
    pub(super) pools: Vec<HeldPool>,
}

/// A pool's members as one worker holds them; they may change within a generation.
pub(super) struct HeldPool {
    latest: RefCell<Cache<Arc<ArcSwap<Members>>, Arc<Members>>>,
    crew: RefCell<Option<Rc<Crew>>>,
}

impl Worker {
    /// A worker that serves what `latest` holds. Its clock counts from `start`, as those of all workers do.
    #[must_use]
    pub fn new(
        index: usize,
        start: Instant,
        latest: Arc<ArcSwap<Generation>>,
        pressure: Arc<Pressure>,
        metrics: WorkerMetrics,
        log: AccessWorker,
    ) -> Worker {
        let current = RefCell::new(Rc::new(Held::new(latest.load_full())));
        Worker {
            index,
            clock: Rc::new(Clock::starting(start)),
            buffers: Rc::new(Buffers::counted(Arc::clone(&pressure))),
            metrics,
            log: RefCell::new(log),
            pressure,
            was_full: Cell::new(false),
            reserved: Cell::new(0),
            exchanges: Cell::new(0),
            exchanges_most: Cell::new(0),
            draining: Cell::new(false),
            drain: Notify::new(),
            lines: Lines::default(),
            latest: RefCell::new(Cache::new(latest)),
            current,
            epoch_ms: epoch_ms(start),
            random: Cell::new(seed()),
            mirrors: Cell::new(0),
            asks: Cell::new(0),
            encodings: Cell::new(0),
            encoders: RefCell::default(),
            scratch: RefCell::default(),
        }
    }

    /// From now on connections end with their exchange.
    pub fn start_drain(&self) {
        self.draining.set(true);
        self.drain.notify_waiters();
    }

    /// Returns once [`start_drain`](Self::start_drain) was called.
    pub async fn drain_started(&self) {
        let started = self.drain.notified();
        if !self.draining.get() {
            started.await;
        }
    }

    /// The generation that new exchanges take; those in flight keep theirs.
    pub(super) fn current(&self) -> Rc<Held> {
        let mut latest = self.latest.borrow_mut();
        let latest = latest.load();
        let mut current = self.current.borrow_mut();
        if !Arc::ptr_eq(latest, &current.generation) {
            let new = Rc::new(Held::new(Arc::clone(latest)));
            // While the old one still holds the connections that the new one takes over.
            self.man(&new);
            *current = new;
        }
        Rc::clone(&current)
    }

    /// Sees to it that all pools have the crews of their members.
    fn man(&self, held: &Held) {
        (0..held.pools.len()).for_each(|at| drop(self.crew(held, PoolId(at))));
    }

    /// The backends of a pool as they are now, with the connections to them.
    pub(super) fn crew(&self, held: &Held, pool: PoolId) -> Rc<Crew> {
        let HeldPool { latest, crew } = &held.pools[pool.0];
        let mut latest = latest.borrow_mut();
        let members = latest.load();
        let mut crew = crew.borrow_mut();
        match &*crew {
            Some(crew) if Arc::ptr_eq(&crew.members, members) => Rc::clone(crew),
            _ => {
                let config = &held.generation.snapshot.config.pools[pool.0];
                let dialers = held.generation.dialers.pool(pool);
                let line = |member| self.lines.line(dialers.dialer(member), config.connections.idle);
                let lines = members.list.iter().map(line).collect();
                let policy = policy(config, members, self.index);
                let new = Rc::new(Crew::new(Arc::clone(members), lines, policy));
                Rc::clone(crew.insert(new))
            }
        }
    }

    /// Milliseconds since the epoch, to the tick of the clock.
    pub(super) fn now_ms(&self) -> u64 {
        self.epoch_ms + self.clock.coarse().as_millis() as u64
    }

    /// To be called about once a second: closes connections to backends that are of no more use.
    pub fn sweep(&self) {
        // What left a pool is let go of, also where nobody asks for that pool any more.
        let held = self.current();
        self.man(&held);
        self.stir(&held);
        self.lines.sweep(self.clock.coarse());
        if self.pressure.is_full() {
            self.clock.end_unasked();
        }
    }

    /// To be called at each turn of the clock: once there is no memory left, connections that ask for nothing, or have not yet
    /// said what, are closed, and again each time it is looked whether they are of use.
    pub fn relieve(&self) {
        let is_full = self.pressure.is_full();
        if is_full && !self.was_full.replace(is_full) {
            self.clock.end_unasked();
        }
        self.was_full.set(is_full);
        let most = self.exchanges_most.get();
        self.exchanges_most.set(self.exchanges.get().max(most - most / MOST_FADES));
    }

    /// Memory for one more exchange. While there is none left, a few at once are served all the same: so there is an end to
    /// it, whatever holds the memory, and somebody sees that we live.
    ///
    /// # Errors
    /// [`Refusal::Memory`]
    pub(super) fn memory(&self) -> Result<Reserved<'_>, Refusal> {
        let is_beyond = self.pressure.is_full();
        if is_beyond && self.reserved.get() >= RESERVED_MAX {
            return Err(Refusal::Memory);
        }
        self.reserved.set(self.reserved.get() + u32::from(is_beyond));
        let exchanges = self.exchanges.get() + 1;
        self.exchanges.set(exchanges);
        if exchanges > self.exchanges_most.replace(exchanges.max(self.exchanges_most.get())) {
            // A flood of them may be faster than anybody looks.
            self.pressure.grows(EXCHANGE_BYTES);
        }
        Ok(Reserved { worker: self, is_beyond })
    }

    /// Limits whose exchanges do not end are looked at, also where nobody comes any more.
    fn stir(&self, held: &Held) {
        let snapshot = &held.generation.snapshot;
        let pools = snapshot.config.pools.iter().zip(&snapshot.pools).enumerate();
        for (at, (_, live)) in pools.filter(|(_, (config, _))| config.concurrency.is_some()) {
            self.crew(held, PoolId(at)).stir(live, self.clock.coarse());
        }
    }

    /// The next number of a sequence that nobody outside can guess the start of.
    pub(super) fn random(&self) -> u128 {
        // A 128-bit linear congruential step, its high half mixed down (PCG, O'Neill 2014).
        let state = self
            .random
            .get()
            .wrapping_mul(0x2360_ED05_1FC6_5DA4_4385_DF64_9FCC_F645)
            .wrapping_add(0x5851_F42D_4C95_7F2D_1405_7B7E_F767_814F);
        self.random.set(state);
        state ^ (state >> 64)
    }
}

impl Held {
    fn new(generation: Arc<Generation>) -> Held {
        let pool = |live: &crate::live::LivePool| HeldPool {
            latest: RefCell::new(Cache::new(Arc::clone(&live.members))),
            crew: RefCell::new(None),
        };
        let pools = generation.snapshot.pools.iter().map(pool).collect();
        Held { generation, pools }
    }
}

/// The memory of an exchange, until it is dropped.
pub(super) struct Reserved<'w> {
    worker: &'w Worker,
    /// There was none left.
    is_beyond: bool,
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        let Worker { exchanges, reserved, .. } = self.worker;
        exchanges.set(exchanges.get() - 1);
        reserved.set(reserved.get() - u32::from(self.is_beyond));
    }
}

/// What the most exchanges at once took is given back slowly: of the most a part of this is forgotten at each turn of the clock,
/// rounded down, so that a load that comes in waves is counted once.
const MOST_FADES: u32 = 16;

/// What an exchange under way takes, about, with a small buffer.
const EXCHANGE_BYTES: u64 = 48 * 1024;

/// Exchanges at once that a worker begins however little memory there is.
const RESERVED_MAX: u32 = 8;

/// One worker's state of a pool's policy.
fn policy(pool: &config::Pool, members: &Members, worker: usize) -> Policy {
    match &pool.balance.policy {
        config::Policy::RoundRobin => Policy::round_robin(worker),
        config::Policy::Random => Policy::random(),
        config::Policy::LeastConnections => Policy::least_connections(worker),
        config::Policy::PeakEwma => Policy::peak_ewma(),
        config::Policy::Hash(hash) => match &members.table {
            Some(table) => Policy::hash(Arc::clone(table), hash.bounded_load),
            None => Policy::random(),
        },
    }
}

fn epoch_ms(start: Instant) -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.saturating_sub(start.elapsed()).as_millis()).unwrap_or(0)
}

fn seed() -> u128 {
    let mut bytes = [0; 16];
    // Ids that can be guessed do no harm: they only name exchanges.
    let _ = getrandom::fill(&mut bytes);
    u128::from_le_bytes(bytes) | 1
}
