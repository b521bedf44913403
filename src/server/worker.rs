use super::accept::{Door, accept, accept_rest};
use super::listener::{ListenerState, Open};
use crate::exchange::{Generation, Worker};
use crate::telemetry::access::FLUSH_EVERY;
use crate::telemetry::{AccessWorker, WorkerMetrics};
use arc_swap::ArcSwap;
use std::cell::RefCell;
use std::collections::HashMap;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{io, thread};
use tokio::runtime::LocalRuntime;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::{JoinHandle, spawn_local};

/// What the main thread tells a worker. Rare: once a reload or less, so that the queue needs no bound.
pub(super) enum Order {
    /// Serve another socket.
    Open(TcpListener, Arc<ListenerState>, Arc<Open>),
    /// Serve new connections of that address differently.
    Change(Arc<ListenerState>),
    /// Accept no more there; connections go on.
    Close(SocketAddr),
    /// Accept no more, finish what is in flight, then end.
    Drain,
    /// Leave what is in flight, and end.
    End,
}

/// The main thread's end of a worker.
pub(super) struct Handle {
    pub(super) orders: UnboundedSender<Order>,
    pub(super) thread: thread::JoinHandle<()>,
}

/// How often connections to backends are looked over.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// Starts a worker's thread.
pub(super) fn start(
    index: usize,
    began: Instant,
    latest: Arc<ArcSwap<Generation>>,
    metrics: WorkerMetrics,
    log: AccessWorker,
) -> io::Result<Handle> {
    let (orders, received) = unbounded_channel();
    let body = move || {
        let runtime = match LocalRuntime::new() {
            Ok(runtime) => runtime,
            Err(error) => return tracing::error!(%error, "a worker has no runtime"),
        };
        runtime.block_on(work(Worker::new(index, began, latest, metrics, log), received));
    };
    let thread = thread::Builder::new().name(format!("weir-{index}")).spawn(body)?;
    Ok(Handle { orders, thread })
}

/// A socket that a worker serves.
struct Served {
    socket: Rc<tokio::net::TcpListener>,
    door: Rc<RefCell<Rc<Door>>>,
    open: Arc<Open>,
    task: JoinHandle<()>,
}

async fn work(worker: Worker, mut orders: UnboundedReceiver<Order>) {
    let worker = Rc::new(worker);
    let chores = [
        spawn_local({
            let worker = worker.clone();
            async move { worker.clock.run().await }
        }),
        spawn_local(every(SWEEP_EVERY, worker.clone(), |worker| worker.sweep())),
        spawn_local(every(FLUSH_EVERY, worker.clone(), |worker| worker.log.borrow_mut().flush())),
    ];
    let mut served: HashMap<SocketAddr, Served> = HashMap::new();
    while let Some(order) = orders.recv().await {
        match order {
            Order::Open(socket, state, open) => match serve(socket, state, open, &worker) {
                Ok((address, it)) => drop(served.insert(address, it)),
                Err(error) => tracing::error!(%error, "cannot serve a socket"),
            },
            Order::Change(state) => {
                if let Some(it) = served.get(&state.config.address) {
                    *it.door.borrow_mut() = Door::new(state);
                }
            }
            Order::Close(address) => {
                if let Some(it) = served.remove(&address) {
                    stop(it, &worker).await;
                }
            }
            Order::Drain | Order::End => break,
        }
    }
    for (_, it) in served {
        stop(it, &worker).await;
    }
    drain(&worker, &mut orders).await;
    chores.iter().for_each(JoinHandle::abort);
    worker.log.borrow_mut().flush();
}

fn serve(
    socket: TcpListener,
    state: Arc<ListenerState>,
    open: Arc<Open>,
    worker: &Rc<Worker>,
) -> io::Result<(SocketAddr, Served)> {
    let address = state.config.address;
    let socket = Rc::new(tokio::net::TcpListener::from_std(socket)?);
    let door = Rc::new(RefCell::new(Door::new(state)));
    let task = spawn_local(accept(socket.clone(), door.clone(), open.clone(), worker.clone()));
    Ok((address, Served { socket, door, open, task }))
}

async fn stop(it: Served, worker: &Rc<Worker>) {
    it.task.abort();
    // The task lets go of the socket, so that nothing comes in between the last accept and the close.
    let _ = it.task.await;
    let door = it.door.borrow().clone();
    accept_rest(&it.socket, &door, &it.open, worker);
}

/// Ends idle connections and waits for the others; whoever sent the order bounds the time.
async fn drain(worker: &Rc<Worker>, orders: &mut UnboundedReceiver<Order>) {
    /// How often we look whether all are done.
    const LOOK: Duration = Duration::from_millis(20);
    // Whoever was let in last has a request on its way, and gets an answer to it.
    tokio::time::sleep(LOOK).await;
    worker.start_drain();
    /// What the chores and this function hold.
    const OWN: usize = 4;
    while Rc::strong_count(worker) > OWN {
        worker.clock.end_idle();
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            order = orders.recv() => if matches!(order, None | Some(Order::End)) { break },
        }
    }
}

async fn every(interval: Duration, worker: Rc<Worker>, what: impl Fn(&Worker)) {
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        what(&worker);
    }
}
