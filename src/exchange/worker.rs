use crate::clock::Clock;
use crate::live::Snapshot;
use crate::pool::RoundRobin;
use crate::telemetry::{AccessWorker, WorkerMetrics};
use crate::upstream::{Dialers, Line, Lines};
use crate::wire::Buffers;
use arc_swap::{ArcSwap, Cache};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use tokio::sync::Notify;

/// One configuration as it runs: what is looked up, and how backends are reached.
pub struct Generation {
    /// Routes, pools, counters.
    pub snapshot: Snapshot,
    /// By pool and backend.
    pub dialers: Dialers,
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
    /// The process is about to end: connections are closed after their exchange.
    pub draining: Cell<bool>,
    drain: Notify,
    lines: Lines,
    latest: RefCell<Latest>,
    current: RefCell<Rc<Held>>,
    random: Cell<u128>,
    /// Copies of requests that are collected or under way.
    pub(super) mirrors: Cell<usize>,
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

pub(super) struct HeldPool {
    pub(super) policy: RefCell<RoundRobin>,
    pub(super) lines: Vec<Rc<Line>>,
}

impl Worker {
    /// A worker that serves what `latest` holds.
    #[must_use]
    pub fn new(index: usize, latest: Arc<ArcSwap<Generation>>, metrics: WorkerMetrics, log: AccessWorker) -> Worker {
        let lines = Lines::default();
        let current = RefCell::new(Rc::new(Held::new(latest.load_full(), &lines, index)));
        Worker {
            index,
            clock: Rc::default(),
            buffers: Rc::default(),
            metrics,
            log: RefCell::new(log),
            draining: Cell::new(false),
            drain: Notify::new(),
            lines,
            latest: RefCell::new(Cache::new(latest)),
            current,
            random: Cell::new(seed()),
            mirrors: Cell::new(0),
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
            *current = Rc::new(Held::new(Arc::clone(latest), &self.lines, self.index));
        }
        Rc::clone(&current)
    }

    /// To be called about once a second: closes connections to backends that are of no more use.
    pub fn sweep(&self) {
        let _ = self.current();
        self.lines.sweep(self.clock.coarse());
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
    fn new(generation: Arc<Generation>, lines: &Lines, worker: usize) -> Held {
        let pools = generation
            .snapshot
            .config
            .pools
            .iter()
            .zip(generation.dialers.pools())
            .map(|(pool, dialers)| {
                let weights: Vec<u16> = pool.backends.iter().map(|backend| backend.weight).collect();
                HeldPool {
                    policy: RefCell::new(RoundRobin::new(&weights, worker)),
                    lines: dialers.iter().map(|dialer| lines.line(dialer, pool.idle)).collect(),
                }
            })
            .collect();
        Held { generation, pools }
    }
}

fn seed() -> u128 {
    let mut bytes = [0; 16];
    // Ids that can be guessed do no harm: they only name exchanges.
    let _ = getrandom::fill(&mut bytes);
    u128::from_le_bytes(bytes) | 1
}
