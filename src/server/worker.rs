use super::accept::{Door, accept, accept_rest};
use super::listener::{ListenerState, Open};
use crate::clock::TICK;
use crate::exchange::{Generation, Worker};
use crate::live::Pressure;
use crate::telemetry::access::FLUSH_EVERY;
use crate::telemetry::{AccessWorker, WorkerMetrics};
use arc_swap::ArcSwap;
use std::cell::RefCell;
use std::collections::HashMap;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsFd;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};
use std::{io, thread};
use tokio::runtime::LocalRuntime;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, spawn_local};

/// What the main thread tells a worker. Rare: once a reload or less, so that the queue needs no bound.
pub(super) enum Order {
    /// Serve another address, on these sockets.
    Open(Vec<TcpListener>, Arc<ListenerState>, Arc<Open>),
    /// Serve new connections of that address differently.
    Change(Arc<ListenerState>),
    /// Accept no more there; connections go on.
    Close(SocketAddr),
    /// Give out the sockets that are served, each once more, by their address in the configuration.
    Lend(oneshot::Sender<io::Result<Vec<(SocketAddr, TcpListener)>>>),
    /// Say that orders are heard.
    Ping(oneshot::Sender<()>),
    /// Accept no more, and say so; finish what is in flight, then end. Idle connections may ask once more for so long.
    Drain(Duration, oneshot::Sender<()>),
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

/// How long a thread may take to start.
const START_MAX: Duration = Duration::from_secs(10);

/// A worker whose thread may not run yet.
pub(super) struct Starting {
    handle: Handle,
    begins: Receiver<io::Result<()>>,
}

impl Starting {
    /// Waits until it runs.
    ///
    /// # Errors
    /// The system gives it no runtime, or no time.
    pub(super) fn begun(self) -> io::Result<Handle> {
        self.begins.recv_timeout(START_MAX).map_err(|_| io::Error::other("a worker does not start"))??;
        Ok(self.handle)
    }
}

/// What all workers share.
pub(super) struct Shared<'a> {
    /// All clocks count from here.
    pub(super) began: Instant,
    pub(super) latest: &'a Arc<ArcSwap<Generation>>,
    pub(super) pressure: &'a Arc<Pressure>,
}

/// Starts a worker's thread.
pub(super) fn start(
    index: usize,
    shared: &Shared<'_>,
    metrics: WorkerMetrics,
    log: AccessWorker,
) -> io::Result<Starting> {
    let Shared { began, latest, pressure } = *shared;
    let (latest, pressure) = (Arc::clone(latest), Arc::clone(pressure));
    let (orders, received) = unbounded_channel();
    let (begun, begins) = sync_channel(1);
    let body = move || {
        let runtime = match LocalRuntime::new() {
            Ok(runtime) => runtime,
            Err(error) => return drop(begun.send(Err(error))),
        };
        let _ = begun.send(Ok(()));
        runtime.block_on(work(Worker::new(index, began, latest, pressure, metrics, log), received));
    };
    let thread = thread::Builder::new().name(format!("weir-{index}")).spawn(body)?;
    Ok(Starting { handle: Handle { orders, thread }, begins })
}

/// An address that a worker serves.
struct Served {
    /// More than one if a process with more workers had them before.
    sockets: Vec<(Rc<tokio::net::TcpListener>, JoinHandle<()>)>,
    door: Rc<RefCell<Rc<Door>>>,
    open: Arc<Open>,
}

async fn work(worker: Worker, mut orders: UnboundedReceiver<Order>) {
    let worker = Rc::new(worker);
    let chores = [
        spawn_local({
            let worker = worker.clone();
            async move { worker.clock.run().await }
        }),
        spawn_local(every(SWEEP_EVERY, worker.clone(), |worker| worker.sweep())),
        spawn_local(every(TICK, worker.clone(), |worker| worker.relieve())),
        spawn_local(every(FLUSH_EVERY, worker.clone(), |worker| worker.log.borrow_mut().flush())),
    ];
    let mut served: HashMap<SocketAddr, Served> = HashMap::new();
    let (mut patience, mut stopped) = (Duration::ZERO, None);
    while let Some(order) = orders.recv().await {
        match order {
            Order::Open(sockets, state, open) => {
                served.insert(state.config.address, serve(sockets, state, open, &worker));
            }
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
            Order::Lend(answer) => drop(answer.send(lend(&served))),
            Order::Ping(answer) => drop(answer.send(())),
            Order::Drain(idle, answer) => {
                (patience, stopped) = (idle, Some(answer));
                break;
            }
            Order::End => break,
        }
    }
    for (_, it) in served {
        stop(it, &worker).await;
    }
    if let Some(stopped) = stopped {
        let _ = stopped.send(());
    }
    drain(&worker, &mut orders, patience).await;
    chores.iter().for_each(JoinHandle::abort);
    worker.log.borrow_mut().flush();
}

fn serve(sockets: Vec<TcpListener>, state: Arc<ListenerState>, open: Arc<Open>, worker: &Rc<Worker>) -> Served {
    let door = Rc::new(RefCell::new(Door::new(state)));
    let task = |socket: TcpListener| {
        let socket = tokio::net::TcpListener::from_std(socket)
            .inspect_err(|error| tracing::error!(%error, "cannot serve a socket"))
            .ok()?;
        let socket = Rc::new(socket);
        let task = spawn_local(accept(socket.clone(), door.clone(), open.clone(), worker.clone()));
        Some((socket, task))
    };
    Served { sockets: sockets.into_iter().filter_map(task).collect(), door, open }
}

async fn stop(it: Served, worker: &Rc<Worker>) {
    let door = it.door.borrow().clone();
    for (socket, task) in it.sockets {
        task.abort();
        // The task lets go of the socket, so that nothing comes in between the last accept and the close.
        let _ = task.await;
        accept_rest(&socket, &door, &it.open, worker);
    }
}

fn lend(served: &HashMap<SocketAddr, Served>) -> io::Result<Vec<(SocketAddr, TcpListener)>> {
    let sockets = served.iter().flat_map(|(address, it)| it.sockets.iter().map(|(socket, _)| (*address, socket)));
    sockets.map(|(address, socket)| Ok((address, socket.as_fd().try_clone_to_owned()?.into()))).collect()
}

/// Ends idle connections and waits for the others; whoever sent the order bounds the time.
async fn drain(worker: &Rc<Worker>, orders: &mut UnboundedReceiver<Order>, patience: Duration) {
    /// How often we look whether all are done.
    const LOOK: Duration = Duration::from_millis(20);
    worker.start_drain();
    // Whoever was let in last has a request on its way, and gets an answer to it.
    let patience = patience.max(LOOK);
    let begun = tokio::time::Instant::now();
    /// What the chores and this function hold.
    const OWN: usize = 5;
    while Rc::strong_count(worker) > OWN {
        if begun.elapsed() >= patience {
            worker.clock.end_idle();
        }
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
