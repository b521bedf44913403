//! Text to checked values. What a [`Config`] holds is valid: names resolve, ranges hold, files were read.

mod access;
mod balance;
mod cache;
mod cluster;
mod compress;
mod error;
mod file;
mod health;
mod limit;
mod listener;
mod load;
mod log;
mod pool;
mod precedence;
mod priority;
mod read;
mod resilience;
mod route;
mod ties;
mod token;
mod users;
mod waiting;

pub use access::{Access, AccessId, Algorithm, AskAccess, Basic, Claim, Jwt, KeySource, KeyUrl, Proof, TokenFrom};
pub use balance::{Balance, HashBy, HashPolicy, HashTable, Policy, Sticky};
pub use cache::{Cache, CacheId, CacheKey, Disk};
pub use cluster::{Cluster, Password, Redis, Url};
pub use compress::Compress;
pub use error::{ConfigError, ConfigErrors, Excerpt};
pub use file::docs::docs;
pub use file::schema::schema;
pub use file::units::{duration as parse_duration, show_duration};
pub use health::{Check, Health};
pub use limit::{Bound, KeyPart, Limit, LimitId, Prefix, Rate};
pub use load::{TO_LISTEN, admin_of, for_backend, load, load_text, text_for_backend};
pub use precedence::{Rank, order};
pub use priority::{Priority, RoutePriority};

pub use listener::{
    Certificate, ClientAuth, H2Limits, HeadLimits, Listener, ListenerTimeouts, ListenerTls, Protocols, TlsVersion,
};
pub use log::{AccessFormat, AccessLog, Destination, Level, Log};
pub use pool::{
    Backend, BackendAddress, Concurrency, Connections, Pool, PoolProtocol, PoolTimeouts, PoolTls, ProxyProtocolOut,
    Register, Resolve,
};
pub use resilience::{Breaker, Outlier, Retry, Statuses};
pub use route::{
    Action, ErrorPage, FieldEdits, HostPattern, Mirror, PathPattern, Rewrite, Route, RouteTimeouts, ValuePattern,
};
pub use token::{Dialect, Interfaces, Role, SecretSum, Token};
pub use users::{BCRYPT_HASH_BYTES, PasswordHash, Users};
pub use waiting::{Bind, WaitingRoom, WaitingRoomId};

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

/// A whole, valid configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// Process-wide settings.
    pub server: Server,
    /// The admin listener, if there is one.
    pub admin: Option<AdminListen>,
    /// The fleet that this process belongs to, if it does.
    pub cluster: Option<Cluster>,
    /// `[admin] tokens`; who may change what.
    pub tokens: Vec<Token>,
    /// `[admin] speaks` and `loopback_as`.
    pub interfaces: Interfaces,
    /// Events and access log.
    pub log: Log,
    /// In the order of the file.
    pub listeners: Vec<Listener>,
    /// In the order of the file; a [`PoolId`] is an index here.
    pub pools: Vec<Pool>,
    /// In the order of the file; a [`CacheId`] is an index here.
    pub caches: Vec<Cache>,
    /// In the order of the file; an [`AccessId`] is an index here.
    pub accesses: Vec<Access>,
    /// In the order of the file; a [`LimitId`] is an index here.
    pub limits: Vec<Limit>,
    /// In the order of the file; a [`WaitingRoomId`] is an index here.
    pub waiting_rooms: Vec<WaitingRoom>,
    /// In the order of the file. Precedence does not depend on it.
    pub routes: Vec<Route>,
    /// What is allowed but likely not meant, ready to print.
    pub warnings: Vec<String>,
}

/// Index into [`Config::pools`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PoolId(pub usize);

/// `[server]`
#[derive(Clone, Debug)]
pub struct Server {
    /// Threads that serve; default: the cores the process may use.
    pub workers: NonZeroUsize,
    /// How long exchanges in flight may take to end on SIGTERM; default 30 s.
    pub drain: Duration,
    /// How long a new binary may take until it serves, on SIGUSR2; default 30 s.
    pub upgrade_timeout: Duration,
    /// Bytes: the ceiling for caches, tables and buffers; `None`: a share of what the machine, or the control group, has.
    pub memory: Option<u64>,
    /// The directory of what is to survive a restart; default: the one that systemd gives, or none.
    pub state: Option<PathBuf>,
}

/// `[admin] listen`
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdminListen {
    /// An address.
    Tcp(SocketAddr),
    /// A path of a Unix-domain socket.
    Unix(PathBuf),
}

impl std::fmt::Display for AdminListen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            AdminListen::Tcp(address) => address.fmt(f),
            AdminListen::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl std::str::FromStr for AdminListen {
    type Err = String;

    /// Reads what [`Display`](std::fmt::Display) writes; a path is relative to the working directory.
    fn from_str(text: &str) -> Result<AdminListen, String> {
        match text.strip_prefix("unix:") {
            Some("") => Err("a path must follow `unix:`".into()),
            Some(path) => Ok(AdminListen::Unix(path.into())),
            None => text
                .parse()
                .map(AdminListen::Tcp)
                .map_err(|_| format!("`{text}` is no address: wanted is one such as 127.0.0.1:9180, or unix:/path")),
        }
    }
}

/// Where in which file something was said; for messages.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// The file as the operator named it.
    pub file: PathBuf,
    /// Counted from 1.
    pub line: usize,
}
