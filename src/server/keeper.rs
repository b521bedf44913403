//! The thread that keeps pools: it probes backends and follows names.

use crate::clock::Clock;
use crate::config::{Health, PoolId};
use crate::exchange::Generation;
use crate::live::{CheckState, LiveBackend, Member};
use crate::pool::health::probe::{Checked, Rules, Turn, first_probe, next_probe};
use crate::telemetry::WorkerMetrics;
use crate::upstream::{ProbeError, Prober};
use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};
use tokio::runtime::LocalRuntime;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, spawn_local};

/// The main thread's end.
pub(super) struct Keeper {
    /// Once a reload: the queue needs no bound.
    orders: UnboundedSender<Order>,
    /// Ends when `orders` is gone.
    _thread: thread::JoinHandle<()>,
}

impl Keeper {
    /// Starts the thread. Its times count from `began`, as those of the workers do.
    pub(super) fn start(began: Instant, counts: WorkerMetrics) -> io::Result<Keeper> {
        let (orders, received) = unbounded_channel();
        let body = move || match LocalRuntime::new() {
            Ok(runtime) => runtime.block_on(keep(began, counts, received)),
            Err(error) => tracing::error!(%error, "no runtime for health checks"),
        };
        let thread = thread::Builder::new().name("weir-keeper".into()).spawn(body)?;
        Ok(Keeper { orders, _thread: thread })
    }

    /// From now on it keeps the pools of that generation. Returns once all that is new in them was asked for the first
    /// time, so that who is sent there finds backends; after [`SETTLE_MAX`] at the latest.
    pub(super) async fn keep(&self, generation: &Arc<Generation>) {
        let (done, settled) = oneshot::channel();
        let order = Order { generation: Arc::clone(generation), settling: Settling(Some(done)) };
        if self.orders.send(order).is_ok() {
            let _ = tokio::time::timeout(SETTLE_MAX, settled).await;
        }
    }
}

/// How long a new configuration waits for the first words of its backends.
const SETTLE_MAX: Duration = Duration::from_secs(5);

struct Order {
    generation: Arc<Generation>,
    settling: Settling,
}

/// Tells the main thread when the last holder lets go of it.
struct Settling(Option<oneshot::Sender<()>>);

impl Drop for Settling {
    fn drop(&mut self) {
        if let Some(done) = self.0.take() {
            let _ = done.send(());
        }
    }
}

/// What all tasks of the thread share.
struct Shared {
    clock: Rc<Clock>,
    prober: Prober,
    counts: WorkerMetrics,
    generation: RefCell<Option<Arc<Generation>>>,
}

async fn keep(began: Instant, counts: WorkerMetrics, mut orders: UnboundedReceiver<Order>) {
    let clock = Rc::new(Clock::starting(began));
    let ticking = clock.clone();
    spawn_local(async move { ticking.run().await });
    let prober = Prober::new(clock.clone());
    let shared = Rc::new(Shared { clock, prober, counts, generation: RefCell::default() });
    let mut watches = Watches::default();
    while let Some(Order { generation, settling }) = orders.recv().await {
        *shared.generation.borrow_mut() = Some(generation);
        watches.follow(&shared, &Rc::new(settling));
    }
}

/// The tasks that probe, one a backend with a check.
#[derive(Default)]
struct Watches(HashMap<*const LiveBackend, JoinHandle<()>>);

impl Watches {
    /// Starts those that are missing, and ends those that are wanted no more.
    fn follow(&mut self, shared: &Rc<Shared>, settling: &Rc<Settling>) {
        let Some(generation) = shared.generation.borrow().clone() else { return };
        let mut wanted = HashMap::new();
        for (pool, live) in generation.snapshot.config.pools.iter().zip(&generation.snapshot.pools) {
            let Some(health) = &pool.health else { continue };
            for member in &live.members.load().list {
                wanted.insert(Arc::as_ptr(&member.backend), (pool, health.clone(), member.clone()));
            }
        }
        self.0.retain(|backend, task| {
            let stays = wanted.remove(backend).is_some();
            if !stays {
                task.abort();
            }
            stays
        });
        let count = wanted.len();
        for (index, (backend, (pool, health, member))) in wanted.into_iter().enumerate() {
            let begin = first_probe(index, count);
            let watch = Watch { shared: shared.clone(), pool: pool.name.clone(), member, health };
            // The task holds the backend, so that the address stays its own.
            self.0.insert(backend, spawn_local(watch.run(begin, settling.clone())));
        }
    }
}

/// Probes one backend for as long as it is wanted.
struct Watch {
    shared: Rc<Shared>,
    pool: String,
    member: Member,
    health: Health,
}

impl Watch {
    async fn run(self, begin: Duration, settling: Rc<Settling>) {
        let backend = self.member.backend.clone();
        let Health { every, rise, fall, .. } = self.health;
        let rules = Rules { every, rise, fall };
        let mut checked = Checked::default();
        let mut settling = Some(settling);
        tokio::time::sleep(begin).await;
        loop {
            let began = Instant::now();
            let Some(result) = self.probe().await else { return };
            self.shared.counts.probed(&backend.metrics, result.is_ok());
            backend.set_why_down(result.as_ref().err().map(ToString::to_string));
            if let Some(turn) = checked.judge(result.is_ok(), &rules) {
                self.turned(turn, result.err());
            }
            settling.take();
            let next = next_probe(began.elapsed(), &rules, random());
            tokio::time::sleep(next).await;
        }
    }

    /// `None` if the pool is gone.
    async fn probe(&self) -> Option<Result<(), ProbeError>> {
        let generation = self.shared.generation.borrow().clone()?;
        let at = generation.snapshot.config.pools.iter().position(|pool| pool.name == self.pool)?;
        let dialer = generation.dialers.pool(PoolId(at)).clone();
        drop(generation);
        Some(self.shared.prober.probe(&dialer, &self.member, &self.health).await)
    }

    /// Says so to the workers and to the operator.
    fn turned(&self, turn: Turn, error: Option<ProbeError>) {
        let backend = &self.member.backend;
        let state = match turn {
            Turn::Up => CheckState::Up,
            Turn::Down => CheckState::Down,
        };
        backend.set_check_state(state, self.shared.clock.coarse());
        if let Some((_, live)) = self.shared.generation.borrow().as_ref().and_then(|it| it.snapshot.pool(&self.pool)) {
            live.state.turned();
        }
        match error {
            None => tracing::info!(pool = self.pool, backend = backend.name, "up"),
            Some(why) => tracing::warn!(pool = self.pool, backend = backend.name, %why, "down"),
        }
    }
}

fn random() -> u64 {
    let mut bytes = [0; 8];
    // Without random bytes probes are merely made in step.
    let _ = getrandom::fill(&mut bytes);
    u64::from_le_bytes(bytes)
}
