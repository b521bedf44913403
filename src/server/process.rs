use super::away::Away;
use super::build::{Built, build};
use super::keeper::Keeper;
use super::listener::{ListenerState, Open};
use super::rooms::Scribe;
use super::sockets::{Inherited, Shares};
use super::systemd::{Manager, State, interval, state_directory, watch};
use super::warden::Warden;
use super::worker::{self, Handle, Order, Shared, Starting};
use super::{RunError, Source, caches};
use crate::admin::{self, Admin, AdminState, Ask, Drain, Gate, Purged};
use crate::config::{AdminListen, Config};
use crate::exchange::Generation;
use crate::fleet::{Hands, Speaker};
use crate::live::{LiveRegistry, Outgoing, Pressure, StateDir, WAITING_ROOMS};
use crate::telemetry::metrics::Look;
use crate::telemetry::{AccessLog, Events, Metrics};
use crate::wire::tls::Tickets;
use arc_swap::ArcSwap;
use std::cell::Cell;
use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroUsize;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinHandle};

/// Everything that runs.
pub(super) struct Process {
    pub(super) source: Source,
    pub(super) metrics: Arc<Metrics>,
    pub(super) tickets: Tickets,
    pub(super) latest: Arc<ArcSwap<Generation>>,
    pub(super) listeners: HashMap<SocketAddr, Arc<Open>>,
    pub(super) inherited: Inherited,
    pub(super) access: AccessLog,
    /// What is to survive a restart, or an upgrade at least.
    pub(super) state: Arc<StateDir>,
    pub(super) registry: Arc<LiveRegistry>,
    pub(super) events: Option<Events>,
    pub(super) manager: Rc<Manager>,
    /// Held by a thread that reads the configuration, too.
    pub(super) reading: Arc<()>,
    pub(super) workers: Vec<Handle>,
    pub(super) admin: Option<(Admin, Arc<AdminState>)>,
    pub(super) watchdog: Option<JoinHandle<()>>,
    pub(super) keeper: Rc<Keeper>,
    /// Keeps memory below its ceiling, as long as it is there.
    pub(super) _warden: Warden,
    /// Writes for waiting rooms.
    pub(super) scribe: Scribe,
    /// Speaks to the fleet, if there is one.
    pub(super) speaker: Option<Speaker>,
    pub(super) away: Arc<Away>,
    /// What takes the directories of caches back.
    pub(super) taking_back: Cell<Option<AbortHandle>>,
    /// All clocks count from here.
    pub(super) began: Instant,
}

/// What a process that is about to serve stands ready with.
pub(super) struct Ready {
    pub(super) listeners: Vec<Arc<ListenerState>>,
    pub(super) shares: Shares,
    pub(super) asks: mpsc::Receiver<Ask>,
}

impl Process {
    /// Does all that can fail. Nothing is accepted before [`serve`](Self::serve).
    pub(super) fn start(
        source: Source,
        config: Config,
        events: Option<Events>,
        mut inherited: Inherited,
    ) -> Result<(Process, Ready), RunError> {
        let began = Instant::now();
        let count = config.server.workers;
        let metrics = Metrics::new(count);
        let tickets = Tickets::new();
        let access = AccessLog::open(&config.log.access, Arc::clone(&metrics)).map_err(RunError::Access)?;
        let state_dir = open_state(&config, &mut inherited)?;
        let admin_listen = config.admin.clone();
        inherited.unwanted(&config).iter().for_each(|warning| tracing::warn!("{warning}"));
        let Built { generation, listeners, warnings, inbox } =
            build(config, &metrics, &tickets, None, Duration::ZERO).map_err(RunError::Load)?;
        warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
        let shares = inherited.shares(listeners.iter().map(|state| state.config.address), count, &[])?;
        let latest = Arc::new(ArcSwap::new(generation));
        let pressure = Arc::<Pressure>::default();
        let registry = Arc::new(LiveRegistry::new(Arc::clone(&state_dir)));
        registry.configure(&latest.load().snapshot, began.elapsed());
        registry.recall(began.elapsed()).map_err(RunError::State)?;
        let watched = Watched { latest: &latest, pressure: &pressure, registry: &registry };
        let keeper = Rc::new(start_keeper(&metrics, &watched, began).map_err(RunError::System)?);
        let speaker = inbox
            .map(|inbox| start_speaker(&latest, inbox, &registry, &state_dir, began))
            .transpose()
            .map_err(RunError::System)?;
        let shared = Shared { began, latest: &latest, pressure: &pressure };
        let workers = start_workers(count, &shared, &metrics, &access).map_err(RunError::System)?;
        let warden = Warden::start(&latest, &pressure).map_err(RunError::System)?;
        let scribe = Scribe::start(&latest, &state_dir, began).map_err(RunError::System)?;
        let (asker, asks) = mpsc::channel(admin::ASKS_MAX);
        let state = admin_state(&metrics, &latest, asker, began);
        state.set_gate(gate(&latest.load().snapshot.config));
        state.set_registry(Arc::clone(&registry), began);
        let admin = admin_listen.map(|listen| start_admin(listen, &mut inherited, state)).transpose()?;
        let process = Process {
            source,
            metrics,
            tickets,
            latest,
            listeners: HashMap::new(),
            inherited,
            access,
            state: state_dir,
            registry,
            events,
            manager: Rc::new(Manager::of_this_process()),
            reading: Arc::default(),
            workers,
            admin,
            watchdog: None,
            keeper,
            _warden: warden,
            scribe,
            speaker: speaker.flatten(),
            away: Arc::default(),
            taking_back: Cell::default(),
            began,
        };
        Ok((process, Ready { listeners, shares, asks }))
    }

    /// Waits for the first words of backends, so that whoever is let in finds some; for a bounded time.
    pub(super) async fn settle(&self) {
        self.keeper.keep(&self.latest.load_full()).await;
    }

    /// Takes over what the process before has kept to its end, before that is asked for here.
    pub(super) async fn recall(&self) {
        match self.registry.recall(self.began.elapsed()) {
            Ok(version) => self.registry.applied(version).await,
            // The other process is told nothing any more: what cannot be read is missing here.
            Err(error) => tracing::error!("{}", RunError::State(error)),
        }
    }

    /// Accepts from now on; `has_predecessor`: in the place of another process.
    pub(super) fn serve(&mut self, listeners: &[Arc<ListenerState>], mut shares: Shares, has_predecessor: bool) {
        // Of what another process handed over nothing was written so far.
        self.state.resume();
        self.scribe.open();
        self.warn_of_rooms();
        for state in listeners {
            let share = shares.remove(&state.config.address).unwrap_or_default();
            self.open(state, share);
        }
        self.inherited.settle();
        if let Some((admin, state)) = &mut self.admin {
            state.set_ready(true);
            admin.begin();
        }
        if has_predecessor {
            self.metrics.upgraded(true);
            self.manager.tell(&[State::MainPid(std::process::id())]);
        }
        self.tell_ready();
        self.watchdog = interval().map(|interval| {
            let workers = self.workers.iter().map(|worker| worker.orders.clone()).collect();
            tokio::task::spawn_local(watch(interval, Rc::clone(&self.manager), workers))
        });
        let workers = self.workers.len();
        tracing::info!(workers, listeners = listeners.len(), took = ?self.began.elapsed(), "serving");
    }

    /// Says what a restart will do to those who wait.
    pub(super) fn warn_of_rooms(&self) {
        if self.state.path().is_none() && !self.latest.load().snapshot.rooms.is_empty() {
            tracing::warn!(
                "waiting rooms without `[server] state`: a restart loses all places (a reload or upgrade does not)"
            );
        }
    }

    /// Tells the service manager that all is as it should be.
    pub(super) fn tell_ready(&self) {
        let (listeners, workers) = (self.listeners.len(), self.workers.len());
        let status = format!("serving; listeners {listeners}, workers {workers}");
        self.manager.tell(&[State::Ready, State::Status(&status)]);
    }

    pub(super) fn open(&mut self, state: &Arc<ListenerState>, share: Vec<Vec<TcpListener>>) {
        let open = Arc::<Open>::default();
        for (worker, sockets) in self.workers.iter().zip(share) {
            let _ = worker.orders.send(Order::Open(sockets, state.clone(), open.clone()));
        }
        self.listeners.insert(state.config.address, open);
    }

    pub(super) fn order(&self, order: impl Fn() -> Order) {
        for worker in &self.workers {
            let _ = worker.orders.send(order());
        }
    }

    pub(super) fn worker_count(&self) -> NonZeroUsize {
        NonZeroUsize::new(self.workers.len()).expect("there is one at least")
    }
}

/// The directory of what is to survive a restart, or memory: from the process before, or anew.
fn open_state(config: &Config, inherited: &mut Inherited) -> Result<Arc<StateDir>, RunError> {
    let path = config.server.state.clone().or_else(state_directory);
    let opened = match (&path, inherited.state(path.as_deref())) {
        (Some(path), Some(lock)) => StateDir::adopt(path, lock),
        (Some(path), None) => StateDir::open(path),
        (None, Some(memory)) => StateDir::adopt_memory(memory),
        (None, None) => StateDir::in_memory(),
    };
    // What a newer version wrote is not overwritten.
    let readable = opened.and_then(|state| state.read(&WAITING_ROOMS).map(|_| state));
    readable.map(Arc::new).map_err(RunError::State)
}

/// What a scrape looks at.
struct Watched<'a> {
    latest: &'a Arc<ArcSwap<Generation>>,
    pressure: &'a Arc<Pressure>,
    registry: &'a Arc<LiveRegistry>,
}

fn start_keeper(metrics: &Arc<Metrics>, watched: &Watched<'_>, began: Instant) -> io::Result<Keeper> {
    let latest = Arc::clone(watched.latest);
    let (pressure, registry) = (Arc::clone(watched.pressure), Arc::clone(watched.registry));
    metrics.set_looker(Box::new(move || {
        let mut look = Look { memory: pressure.look(), ..latest.load().snapshot.look(began.elapsed()) };
        registry.look_into(&mut look);
        look
    }));
    let counts = metrics.keeper().expect("one keeper asks once");
    let leases = (Arc::clone(watched.registry), Arc::clone(watched.latest));
    Keeper::start(began, Arc::clone(metrics), counts, leases)
}

/// `None`: this process belongs to no fleet.
fn start_speaker(
    latest: &Arc<ArcSwap<Generation>>,
    inbox: mpsc::Receiver<Outgoing>,
    registry: &Arc<LiveRegistry>,
    state: &Arc<StateDir>,
    began: Instant,
) -> io::Result<Option<Speaker>> {
    let now = latest.load();
    let (Some(cluster), Some(fleet)) = (now.snapshot.config.cluster.clone(), now.snapshot.fleet.clone()) else {
        return Ok(None);
    };
    let (purged, limited, looked_at) = (Arc::clone(latest), Arc::clone(latest), Arc::clone(latest));
    let waited = Arc::clone(latest);
    let hands = Hands {
        purge: Box::new(move |purge| !matches!(caches::purge(&purged.load().snapshot, purge), Purged::Failed(_))),
        disks: Box::new(move || looked_at.load().snapshot.disks()),
        registry: Arc::clone(registry),
        state: Arc::clone(state),
        limits: Box::new(move || limited.load().snapshot.shared_limits()),
        latest: Box::new(move || waited.load_full()),
        now: Box::new(move || began.elapsed()),
    };
    Speaker::start(cluster, fleet, inbox, hands).map(Some)
}

/// Who may ask the admin listener for what.
pub(super) fn gate(config: &Config) -> Gate {
    Gate::new(config.tokens.clone(), config.interfaces.clone())
}

fn admin_state(
    metrics: &Arc<Metrics>,
    latest: &Arc<ArcSwap<Generation>>,
    asker: mpsc::Sender<Ask>,
    began: Instant,
) -> Arc<AdminState> {
    let state = AdminState::new(Arc::clone(metrics), asker);
    let drained = Arc::clone(latest);
    state.set_drainer(Box::new(move |Drain { pool, backend, drain }| {
        drained.load().snapshot.drain(pool, backend, *drain, began.elapsed())
    }));
    let purged = Arc::clone(latest);
    state.set_purger(Box::new(move |purge| caches::purge(&purged.load().snapshot, purge)));
    let told = Arc::clone(latest);
    state.set_teller(Box::new(move |purge| {
        let (fleet, purge) = (told.load().snapshot.fleet.clone(), purge.clone());
        Box::pin(async move { Some(fleet?.tell(purge).await) })
    }));
    let topped = Arc::clone(latest);
    state.set_topper(Box::new(move |ask| caches::top(&topped.load().snapshot, ask)));
    state
}

/// Starts them all, then waits for each.
fn start_workers(
    count: NonZeroUsize,
    shared: &Shared<'_>,
    metrics: &Arc<Metrics>,
    access: &AccessLog,
) -> io::Result<Vec<Handle>> {
    let start = |index| {
        let shard = metrics.worker(index).expect("each worker asks once");
        worker::start(index, shared, shard, access.worker())
    };
    let starting: Vec<_> = (0..count.get()).map(start).collect::<Result<_, _>>()?;
    starting.into_iter().map(Starting::begun).collect()
}

fn start_admin(
    listen: AdminListen,
    inherited: &mut Inherited,
    state: Arc<AdminState>,
) -> Result<(Admin, Arc<AdminState>), RunError> {
    let mut start = || match inherited.admin(&listen)? {
        None => admin::start(admin::bind(&listen)?, Arc::clone(&state)),
        Some((socket, is_foreign)) => {
            let mut admin = admin::start(admin::adopt(&listen, socket)?, Arc::clone(&state))?;
            if is_foreign {
                admin.leave_file();
            }
            Ok(admin)
        }
    };
    match start() {
        Ok(admin) => Ok((admin, state)),
        Err(error) => Err(RunError::Admin(listen, error)),
    }
}
