//! The thread that keeps pools: it probes backends, gives pools the addresses that names stand for and the backends that
//! registered, follows how many backends they need, and fetches keys.

mod demand;
mod keys;
mod leases;
mod names;
mod watch;

use crate::clock::Clock;
use crate::exchange::Generation;
use crate::live::LiveRegistry;
use crate::telemetry::{Metrics, WorkerMetrics};
use crate::upstream::Prober;
use arc_swap::ArcSwap;
use keys::Fetches;
use leases::Leases;
use names::Followers;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{io, thread};
use tokio::runtime::LocalRuntime;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio::task::spawn_local;
use watch::Watches;

/// The main thread's end.
pub(super) struct Keeper {
    /// Once a reload: the queue needs no bound.
    orders: UnboundedSender<Order>,
    /// Ends when `orders` is gone.
    _thread: thread::JoinHandle<()>,
}

impl Keeper {
    /// Starts the thread. Its times count from `began`, as those of the workers do.
    pub(super) fn start(
        began: Instant,
        metrics: Arc<Metrics>,
        counts: WorkerMetrics,
        leased: (Arc<LiveRegistry>, Arc<ArcSwap<Generation>>),
    ) -> io::Result<Keeper> {
        let (orders, received) = unbounded_channel();
        let body = move || match LocalRuntime::new() {
            Ok(runtime) => runtime.block_on(keep(began, metrics, counts, leased, received)),
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

    /// It keeps the pools of that generation on, after all: what was to come after it does not.
    pub(super) fn keep_on(&self, generation: Arc<Generation>) {
        let _ = self.orders.send(Order { generation, settling: Settling(None) });
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
    metrics: Arc<Metrics>,
    counts: WorkerMetrics,
    generation: RefCell<Option<Arc<Generation>>>,
}

async fn keep(
    began: Instant,
    metrics: Arc<Metrics>,
    counts: WorkerMetrics,
    (registry, latest): (Arc<LiveRegistry>, Arc<ArcSwap<Generation>>),
    mut orders: UnboundedReceiver<Order>,
) {
    let clock = Rc::new(Clock::starting(began));
    let ticking = clock.clone();
    spawn_local(async move { ticking.run().await });
    let prober = Prober::new(clock.clone());
    let shared = Rc::new(Shared { clock, prober, metrics, counts, generation: RefCell::default() });
    spawn_local(demand::follow(Rc::clone(&shared)));
    let mut watches = Watches::default();
    let mut fetches = Fetches::default();
    let mut leases = Leases::new(registry, latest, began.into());
    // One message a lookup that changed something: names are asked for once a second at most, and bounded in number.
    let (moved, mut moves) = unbounded_channel();
    let mut followers = Followers::new(moved);
    loop {
        tokio::select! {
            order = orders.recv() => {
                let Some(Order { generation, settling }) = order else { return };
                *shared.generation.borrow_mut() = Some(generation);
                let settling = Rc::new(settling);
                followers.follow(&shared, &settling);
                leases.follow(&shared);
                watches.follow(&shared, Some(&settling));
                fetches.follow(&shared, &settling);
            }
            // What is new may be wanted at once: its probes belong to the settling that its name belongs to.
            settling = moves.recv() => watches.follow(&shared, settling.flatten().as_ref()),
            () = leases.due() => {
                let work = leases.work(&shared);
                if work.has_moved {
                    watches.follow(&shared, None);
                }
                leases.done(work);
            }
        }
    }
}
