//! Connections to backends: how they are made, kept and used again. Each worker has its own.

mod dial;
mod dialers;
mod grpc;
mod keys;
mod line;
pub mod names;
mod probe;

pub use dial::{DialError, Dialer};
pub use dialers::{Dialers, PoolDialer};
pub use keys::{FETCH_MAX, FetchError, KeyFetcher};
pub use line::{Connection, Line, Lines, Taken};
pub use probe::{ProbeError, Prober};
