use crate::config::BackendAddress;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Where one backend is reached: an address of the configuration, or one that a name stands for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Endpoint {
    /// `127.0.0.1:9000`
    Ip(SocketAddr),
    /// `unix:/path`
    Unix(PathBuf),
}

impl Endpoint {
    /// The endpoint of an address that is not a name.
    #[must_use]
    pub fn of(address: &BackendAddress) -> Option<Endpoint> {
        match address {
            BackendAddress::Ip(address) => Some(Endpoint::Ip(*address)),
            BackendAddress::Unix(path) => Some(Endpoint::Unix(path.clone())),
            BackendAddress::Name(..) | BackendAddress::Srv(_) => None,
        }
    }

    /// The same host on another port; a socket has none.
    #[must_use]
    pub fn with_port(&self, port: Option<u16>) -> Endpoint {
        match (self, port) {
            (Endpoint::Ip(address), Some(port)) => Endpoint::Ip(SocketAddr::new(address.ip(), port)),
            _ => self.clone(),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Endpoint::Ip(address) => address.fmt(f),
            Endpoint::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}
