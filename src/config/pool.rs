use super::balance::Balance;
use super::resilience::{Breaker, Outlier, Retry};
use super::{Certificate, Health, Place};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// `[pool.NAME]`: a named set of backends.
#[derive(Clone, Debug)]
pub struct Pool {
    /// Where it was declared.
    pub place: Place,
    /// Its name.
    pub name: String,
    /// At least one, unless others `register`.
    pub backends: Vec<Backend>,
    /// What its backends speak; default HTTP/1.1.
    pub protocol: PoolProtocol,
    /// Bounds on waiting for a backend.
    pub timeouts: PoolTimeouts,
    /// Bounds on connections to one backend, and on waiting for one.
    pub connections: Connections,
    /// Finds out how many exchanges each backend bears at once; `None`: only `connections.max` bounds them.
    pub concurrency: Option<Concurrency>,
    /// `objective = { p99 = … }`: 99 of 100 exchanges are to be answered within that; for who asks how many backends are wanted.
    pub objective: Option<Duration>,
    /// TLS towards the backends.
    pub tls: Option<PoolTls>,
    /// A PROXY header at the start of each connection, which is then used for one client only.
    pub proxy_protocol: Option<ProxyProtocolOut>,
    /// Which backend an attempt goes to.
    pub balance: Balance,
    /// The active check, if there is one; without, a backend counts as up.
    pub health: Option<Health>,
    /// When a backend is ejected for what exchanges saw of it; `None`: never.
    pub outlier: Option<Outlier>,
    /// How long a backend that came up takes to get its full share; default 0: at once.
    pub slow_start: Duration,
    /// If less than this share of the backends may be used (in 1/10,000), health is ignored; default: never.
    pub panic: Option<u16>,
    /// When an exchange is tried again.
    pub retry: Retry,
    /// When the whole pool is given a rest.
    pub breaker: Option<Breaker>,
    /// How names are followed.
    pub resolve: Resolve,
    /// Backends that register themselves, if they may.
    pub register: Option<Register>,
}

impl Pool {
    /// Whether its backends may change without a reload.
    #[must_use]
    pub fn has_names(&self) -> bool {
        self.backends.iter().any(|backend| backend.address.is_name())
    }

    /// The addresses of backends that are no names.
    pub fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.backends.iter().filter_map(|backend| match backend.address {
            BackendAddress::Ip(address) => Some(address),
            _ => None,
        })
    }
}

/// `connections = { … }`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connections {
    /// Exchanges that one backend gets at once, over all workers; default: no limit.
    pub max: Option<u32>,
    /// Exchanges of the pool that may wait while all backends have `max`; default 500.
    pub queue: u32,
    /// How long they may wait; default 2 s.
    pub queue_timeout: Duration,
    /// How long an unused connection is kept; default 60 s.
    pub idle: Duration,
}

/// `concurrency = "adaptive"`, or a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Concurrency {
    /// The least that a backend gets; default 2.
    pub min: u32,
    /// How many times as long as with few in flight exchanges may take, in 1/100; default 1.25.
    pub tolerance: u16,
}

/// `resolve = { … }`
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Resolve {
    /// Names are asked for again at least that often; default: when their time to live is over.
    pub every: Option<Duration>,
    /// Servers that are asked; default: the system's.
    pub servers: Vec<SocketAddr>,
}

/// `register = { … }`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Register {
    /// Names of [`Token`](super::Token)s whose holders may register, besides operators.
    pub tokens: Vec<String>,
    /// How long a registration lasts unless it says less; default 10 s.
    pub ttl: Duration,
    /// How long a backend that leaves may take to end its exchanges; default 30 s.
    pub drain: Duration,
}

impl Register {
    /// No registration ends sooner.
    pub const TTL_MIN: Duration = Duration::from_secs(1);
    /// None lasts longer.
    pub const TTL_MAX: Duration = Duration::from_secs(3600);
}

/// One address in a pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backend {
    /// Where it listens.
    pub address: BackendAddress,
    /// Its share relative to the others, 1..=65535; default 1. 0 takes no traffic.
    pub weight: u16,
}

/// Where a backend listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum BackendAddress {
    /// `127.0.0.1:9000`, `[::1]:9000`
    Ip(SocketAddr),
    /// `name:port`, all addresses that the name has.
    Name(String, u16),
    /// `srv:_http._tcp.name`: addresses, ports and weights as SRV records say.
    Srv(String),
    /// `unix:/path`
    Unix(PathBuf),
}

impl BackendAddress {
    /// Whether it stands for addresses that a resolver finds.
    #[must_use]
    pub fn is_name(&self) -> bool {
        matches!(self, BackendAddress::Name(..) | BackendAddress::Srv(_))
    }

    /// The name in `name:port`.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        match self {
            BackendAddress::Name(name, _) => Some(name),
            _ => None,
        }
    }
}

impl std::fmt::Display for BackendAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            BackendAddress::Ip(address) => address.fmt(f),
            BackendAddress::Name(name, port) => write!(f, "{name}:{port}"),
            BackendAddress::Srv(name) => write!(f, "srv:{name}"),
            BackendAddress::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// What backends speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoolProtocol {
    /// HTTP/1.1
    Http1,
    /// HTTP/2; prior knowledge without TLS.
    H2,
    /// What ALPN gives; with TLS only.
    Auto,
}

/// How long a backend may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolTimeouts {
    /// To accept a connection, TLS included; default 1 s.
    pub connect: Duration,
    /// From the end of the request to the head of the response; default 30 s.
    pub first_byte: Duration,
    /// Without any progress of a body in either direction; default 60 s.
    pub idle: Duration,
}

/// `tls = { … }` of a pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolTls {
    /// The name asked for (SNI) and verified; default: the name in the address.
    pub server_name: Option<String>,
    /// PEM: authorities trusted; default: Mozilla's list.
    pub ca: Option<PathBuf>,
    /// The certificate that we show.
    pub certificate: Option<Certificate>,
}

/// Which PROXY header is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyProtocolOut {
    /// Text.
    V1,
    /// Binary.
    V2,
}
