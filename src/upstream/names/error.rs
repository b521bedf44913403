use std::fmt;
use std::net::SocketAddr;

/// Why a name has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NameError {
    /// It does not exist, or has no such records: the one error that denies, rather than not knowing.
    NotFound,
    /// No server answered in time.
    Timeout,
    /// The server does not answer us, or not about that name (REFUSED).
    Refused(SocketAddr),
    /// The server failed; what it said.
    Server(SocketAddr, String),
    /// The server is not there, or the network is in the way; what the system said.
    Unreachable(SocketAddr, String),
    /// What came from the server is no reply to what was asked.
    Garbled(SocketAddr),
    /// That is no name.
    Name(String),
    /// A file of the system cannot be read; which, and why.
    System(String),
}

impl NameError {
    /// Whether it says that there is nothing, rather than that nobody knows.
    #[must_use]
    pub fn is_denial(&self) -> bool {
        matches!(self, NameError::NotFound)
    }
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NameError::NotFound => f.write_str("the name does not exist, or has no such records"),
            NameError::Timeout => f.write_str("no name server answered in time"),
            NameError::Refused(server) => write!(f, "the name server {server} refuses to answer"),
            NameError::Server(server, what) => write!(f, "the name server {server} failed: {what}"),
            NameError::Unreachable(server, what) => write!(f, "the name server {server} cannot be reached: {what}"),
            NameError::Garbled(server) => write!(f, "the name server {server} sent what is no reply"),
            NameError::Name(name) => write!(f, "\"{}\" is no name", name.escape_debug()),
            NameError::System(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for NameError {}
