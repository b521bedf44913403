use super::build::{Built, LoadError, build};
use super::keeper::Keeper;
use super::listener::{ListenerState, Open, bind, is_taken};
use super::signals::{Signals, Wish};
use super::worker::{self, Handle, Order};
use crate::admin::{self, AdminState};
use crate::config::{self, Config};
use crate::exchange::Generation;
use crate::telemetry::access::AccessError;
use crate::telemetry::{AccessLog, Events, Metrics};
use crate::wire::tls::{Tickets, install_provider};
use arc_swap::ArcSwap;
use std::collections::HashMap;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{fmt, io};

/// Where the configuration comes from.
#[derive(Clone, Debug)]
pub enum Source {
    /// A file, read again on reload.
    File(PathBuf),
    /// `weir run --to ADDRESS`
    To(String),
    /// A text in the binary, and the name that errors show.
    Text(&'static str, String),
}

impl Source {
    fn load(&self) -> Result<Config, LoadError> {
        match self {
            Source::File(path) => config::load(path),
            Source::To(address) => config::for_backend(address),
            Source::Text(name, text) => config::load_text(name.as_ref(), text, &|_| None),
        }
        .map_err(LoadError::Config)
    }
}

/// Why the process cannot serve.
#[derive(Debug)]
pub enum RunError {
    /// The configuration.
    Load(LoadError),
    /// An address cannot be bound.
    Bind(SocketAddr, io::Error),
    /// The admin listener cannot be bound.
    Admin(config::AdminListen, io::Error),
    /// The access log cannot be opened.
    Access(AccessError),
    /// The system gives no thread, signal or runtime.
    System(io::Error),
    /// A reload cannot change that key.
    NeedsRestart(&'static str),
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RunError::Load(error) => error.fmt(f),
            RunError::Bind(address, error) => {
                write!(f, "error: cannot listen on {address}: {error}")?;
                match error.kind() {
                    io::ErrorKind::AddrInUse => write!(f, "\n  = another process serves it: `ss -ltnp` shows which"),
                    io::ErrorKind::PermissionDenied => {
                        write!(f, "\n  = ports below 1024 need the capability CAP_NET_BIND_SERVICE")
                    }
                    io::ErrorKind::AddrNotAvailable => write!(f, "\n  = this machine has no such address"),
                    _ => Ok(()),
                }
            }
            RunError::Admin(listen, error) => write!(f, "error: cannot listen on {listen} for [admin]: {error}"),
            RunError::Access(error) => write!(f, "error: [log] access: {error}"),
            RunError::System(error) => write!(f, "error: {error}"),
            RunError::NeedsRestart(key) => {
                write!(f, "error: a reload cannot change {key}\n  = put it back, or start the process anew")
            }
        }
    }
}

impl std::error::Error for RunError {}

/// Serves until SIGTERM or SIGINT; reloads on SIGHUP.
///
/// # Errors
/// [`RunError`] if it cannot start. Later errors are logged, and what worked goes on.
pub fn run(source: &Source) -> Result<ExitCode, RunError> {
    run_then(source, || ())
}

/// As [`run`], and calls `serving` once connections are accepted.
///
/// # Errors
/// As [`run`].
pub fn run_then(source: &Source, serving: impl FnOnce()) -> Result<ExitCode, RunError> {
    install_provider();
    raise_descriptor_limit();
    let config = source.load().map_err(RunError::Load)?;
    // Another subscriber may be there already, in tests: events then go to it.
    let events = Events::install(config.log.level).ok();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(RunError::System)?;
    runtime.block_on(async {
        let mut signals = Signals::take().map_err(RunError::System)?;
        let mut server = Server::start(source.clone(), config, events).await?;
        serving();
        while signals.next().await == Wish::Reload {
            server.reload().await;
        }
        Ok(server.drain(&mut signals).await)
    })
}

/// Everything that runs.
struct Server {
    source: Source,
    /// All clocks count from here.
    began: Instant,
    keeper: Keeper,
    metrics: Arc<Metrics>,
    tickets: Tickets,
    latest: Arc<ArcSwap<Generation>>,
    workers: Vec<Handle>,
    listeners: HashMap<SocketAddr, Arc<Open>>,
    access: AccessLog,
    admin: Option<Arc<AdminState>>,
    events: Option<Events>,
}

impl Server {
    async fn start(source: Source, config: Config, events: Option<Events>) -> Result<Server, RunError> {
        let began = Instant::now();
        let count = config.server.workers;
        let metrics = Metrics::new(count);
        let tickets = Tickets::new();
        let access = AccessLog::open(&config.log.access, Arc::clone(&metrics)).map_err(RunError::Access)?;
        let admin_listen = config.admin.clone();
        let Built { generation, listeners, warnings } =
            build(config, &metrics, &tickets, None, Duration::ZERO).map_err(RunError::Load)?;
        warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
        let mut sockets = bind_all(&listeners, count.get())?;
        let generation = Arc::new(generation);
        let counts = metrics.keeper().expect("one keeper asks once");
        let keeper = Keeper::start(began, metrics.clone(), counts).map_err(RunError::System)?;
        keeper.keep(&generation).await;
        let latest = Arc::new(ArcSwap::new(generation));
        let looked_at = latest.clone();
        metrics.set_looker(Box::new(move || looked_at.load().snapshot.look(began.elapsed())));
        let mut workers = Vec::new();
        for index in 0..count.get() {
            let shard = metrics.worker(index).expect("each worker asks once");
            workers
                .push(worker::start(index, began, latest.clone(), shard, access.worker()).map_err(RunError::System)?);
        }
        let mut server = Server {
            source,
            began,
            keeper,
            metrics,
            tickets,
            latest,
            workers,
            listeners: HashMap::new(),
            access,
            admin: None,
            events,
        };
        for state in &listeners {
            let own = sockets.remove(&state.config.address).unwrap_or_default();
            server.open(state, own);
        }
        server.start_admin(admin_listen)?;
        tracing::info!(workers = count, listeners = listeners.len(), took = ?began.elapsed(), "serving");
        Ok(server)
    }

    fn start_admin(&mut self, listen: Option<config::AdminListen>) -> Result<(), RunError> {
        let Some(listen) = listen else { return Ok(()) };
        let listener = admin::bind(&listen).map_err(|error| RunError::Admin(listen, error))?;
        let state = AdminState::new(Arc::clone(&self.metrics));
        admin::serve(listener, Arc::clone(&state), std::future::pending()).map_err(RunError::System)?;
        state.set_ready(true);
        self.admin = Some(state);
        Ok(())
    }

    fn open(&mut self, state: &Arc<ListenerState>, sockets: Vec<TcpListener>) {
        let open = Arc::<Open>::default();
        for (worker, socket) in self.workers.iter().zip(sockets) {
            let _ = worker.orders.send(Order::Open(socket, state.clone(), open.clone()));
        }
        self.listeners.insert(state.config.address, open);
    }

    /// Reads the configuration again and takes it over, or leaves everything as it is and says why.
    async fn reload(&mut self) {
        let result = self.try_reload().await;
        self.metrics.reloaded(result.is_ok());
        match result {
            Ok(()) => tracing::info!("reloaded"),
            Err(error) => tracing::error!("not reloaded, the old configuration serves on\n{error}"),
        }
    }

    async fn try_reload(&mut self) -> Result<(), RunError> {
        let config = self.source.load().map_err(RunError::Load)?;
        self.refuse_what_stays(&config)?;
        let log = config.log.clone();
        let Built { generation, listeners, warnings } =
            build(config, &self.metrics, &self.tickets, Some(&self.latest.load().snapshot), self.began.elapsed())
                .map_err(RunError::Load)?;
        let new: Vec<_> =
            listeners.iter().filter(|state| !self.listeners.contains_key(&state.config.address)).collect();
        let mut sockets = bind_all(new.iter().copied(), self.workers.len())?;
        self.access.apply(&log.access).map_err(RunError::Access)?;
        // From here on nothing can fail.
        warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
        if let Some(events) = &self.events {
            events.set_level(log.level);
        }
        let generation = Arc::new(generation);
        self.keeper.keep(&generation).await;
        self.latest.store(generation);
        for state in &listeners {
            match sockets.remove(&state.config.address) {
                Some(own) => self.open(state, own),
                None => self.tell(|| Order::Change(state.clone())),
            }
        }
        let gone: Vec<_> =
            self.listeners.keys().filter(|at| !listeners.iter().any(|it| it.config.address == **at)).copied().collect();
        for address in gone {
            self.listeners.remove(&address);
            self.tell(|| Order::Close(address));
        }
        Ok(())
    }

    /// What is fixed at start is refused by name, not ignored.
    fn refuse_what_stays(&self, new: &Config) -> Result<(), RunError> {
        let latest = self.latest.load();
        let old = &latest.snapshot.config;
        match () {
            () if old.server.workers != new.server.workers => Err(RunError::NeedsRestart("[server] workers")),
            () if old.admin != new.admin => Err(RunError::NeedsRestart("[admin] listen")),
            () => Ok(()),
        }
    }

    fn tell(&self, order: impl Fn() -> Order) {
        for worker in &self.workers {
            let _ = worker.orders.send(order());
        }
    }

    /// Finishes what is in flight, for as long as the configuration allows or until asked a second time.
    async fn drain(self, signals: &mut Signals) -> ExitCode {
        let limit = self.latest.load().snapshot.config.server.drain;
        tracing::info!(?limit, "draining");
        if let Some(admin) = &self.admin {
            admin.set_ready(false);
        }
        self.tell(|| Order::Drain);
        let Server { workers, access, .. } = self;
        let all = async {
            while !workers.iter().all(|worker| worker.thread.is_finished()) {
                tokio::time::sleep(LOOK).await;
            }
        };
        let asked_again = async { while signals.next().await != Wish::Drain {} };
        tokio::select! {
            () = all => tracing::info!("drained"),
            () = tokio::time::sleep(limit) => {
                tracing::warn!("the time to drain is over: what was left is cut off");
                // The access log is complete once no worker writes to it.
                workers.iter().for_each(|worker| drop(worker.orders.send(Order::End)));
            }
            () = asked_again => return ExitCode::FAILURE,
        }
        let _ = access.close();
        ExitCode::SUCCESS
    }
}

/// How often we look whether the workers are done.
const LOOK: Duration = Duration::from_millis(10);

/// One socket a worker for each listener.
fn bind_all<'a>(
    listeners: impl IntoIterator<Item = &'a Arc<ListenerState>>,
    workers: usize,
) -> Result<HashMap<SocketAddr, Vec<TcpListener>>, RunError> {
    let mut sockets = HashMap::new();
    for state in listeners {
        let address = state.config.address;
        is_taken(address).map_err(|error| RunError::Bind(address, error))?;
        let own: Result<Vec<_>, _> = (0..workers).map(|_| bind(address)).collect();
        sockets.insert(address, own.map_err(|error| RunError::Bind(address, error))?);
    }
    Ok(sockets)
}

/// A connection takes two descriptors: we take as many as we may.
fn raise_descriptor_limit() {
    if let Ok((_, hard)) = rlimit::Resource::NOFILE.get() {
        let _ = rlimit::Resource::NOFILE.set(hard, hard);
    }
}
