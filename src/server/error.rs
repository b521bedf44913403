use super::build::LoadError;
use crate::config::AdminListen;
use crate::live::StateError;
use crate::telemetry::access::AccessError;
use std::net::SocketAddr;
use std::time::Duration;
use std::{fmt, io};

/// Why the process cannot serve, or cannot serve what it is asked to.
#[derive(Debug)]
pub enum RunError {
    /// The configuration.
    Load(LoadError),
    /// An address cannot be bound.
    Bind(SocketAddr, io::Error),
    /// The admin listener cannot be bound.
    Admin(AdminListen, io::Error),
    /// The state directory cannot be used.
    State(StateError),
    /// The access log cannot be opened.
    Access(AccessError),
    /// The system gives no thread, signal or runtime.
    System(io::Error),
    /// The sockets of the process before do not come.
    Inherit(io::Error),
    /// A reload cannot change that key.
    NeedsRestart(&'static str),
    /// The files of the configuration cannot be read in that time.
    Slow(Duration),
}

impl RunError {
    /// What is wrong with the configuration, one by one, if that is it.
    #[must_use]
    pub(super) fn to_json(&self) -> Option<serde_json::Value> {
        match self {
            RunError::Load(LoadError::Config(errors)) => Some(errors.to_json()),
            _ => None,
        }
    }
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
            RunError::State(error) => write!(f, "error: [server] state: {error}"),
            RunError::Access(error) => write!(f, "error: [log] access: {error}"),
            RunError::System(error) => write!(f, "error: {error}"),
            RunError::Inherit(error) => {
                write!(f, "error: cannot take the sockets of the process before this one: {error}")
            }
            RunError::NeedsRestart(key) => {
                write!(f, "error: a reload cannot change {key}\n  = put it back, or start the process anew")
            }
            RunError::Slow(limit) => {
                write!(f, "error: the configuration cannot be read within {limit:?}\n  = one of its files hangs")
            }
        }
    }
}

impl std::error::Error for RunError {}
