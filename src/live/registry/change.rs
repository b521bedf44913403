use crate::registry::{Clocks, GivenBack, Lease, Leave, Word};
use std::net::SocketAddr;
use std::sync::Arc;

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
    /// Another member of the fleet said so.
    pub heard: bool,
    /// How it was given back last, if that is not long ago.
    pub(super) given_back: Option<GivenBack>,
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

impl LeaseChange {
    /// What is to be told of it to the other members of a fleet as the word of `me`. `None`: they know it, or find it out by
    /// themselves as time passes.
    #[must_use]
    pub fn word(&self, me: &Arc<str>, clocks: Clocks) -> Option<Word> {
        match (self.what, &self.lease, self.given_back) {
            _ if self.heard => None,
            (LeaseTurn::Granted { .. }, Some(lease), _) => Some(Word::of(&self.pool, lease, me, clocks)),
            (LeaseTurn::Draining(Leave::Asked), _, Some(back)) => {
                Some(Word::of_given_back(&self.pool, self.address, back, me, clocks))
            }
            _ => None,
        }
    }
}
