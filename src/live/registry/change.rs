use crate::registry::{Lease, Leave};
use std::net::SocketAddr;

/// Something that happened to a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseChange {
    /// Its pool.
    pub pool: String,
    /// Its backend.
    pub address: SocketAddr,
    /// As it is now; none once it has left.
    pub lease: Option<Lease>,
    /// What.
    pub what: LeaseTurn,
}

/// What happened to a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseTurn {
    /// It was granted, or renewed.
    Granted {
        /// There was none before.
        is_new: bool,
    },
    /// It ran out, and is kept.
    Kept,
    /// Its backend gets nothing new.
    Draining(Leave),
    /// It is gone.
    Left(Leave),
}
