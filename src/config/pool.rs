use super::{Certificate, Place};
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
    /// At least one.
    pub backends: Vec<Backend>,
    /// What its backends speak; default HTTP/1.1.
    pub protocol: PoolProtocol,
    /// Bounds on waiting for a backend.
    pub timeouts: PoolTimeouts,
    /// How long an unused connection is kept, `connections.idle`; default 60 s.
    pub idle: Duration,
    /// TLS towards the backends.
    pub tls: Option<PoolTls>,
    /// A PROXY header at the start of each connection, which is then used for one client only.
    pub proxy_protocol: Option<ProxyProtocolOut>,
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
    /// `name:port`, resolved at connect.
    Name(String, u16),
    /// `unix:/path`
    Unix(PathBuf),
}

impl std::fmt::Display for BackendAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            BackendAddress::Ip(address) => address.fmt(f),
            BackendAddress::Name(name, port) => write!(f, "{name}:{port}"),
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
