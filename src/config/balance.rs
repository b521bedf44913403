//! How a pool chooses among its backends.

use std::time::Duration;

/// `balance = { … }` and `sticky = { … }`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Balance {
    /// How the next backend is found.
    pub policy: Policy,
    /// Keeps a client with its backend.
    pub sticky: Option<Sticky>,
}

/// How the next backend is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Policy {
    /// In turn, smoothly by weight.
    RoundRobin,
    /// By lot, weighted.
    Random,
    /// The one with the fewest exchanges in flight for its weight.
    LeastConnections,
    /// The better of two drawn by lot, by learnt latency and exchanges in flight.
    PeakEwma,
    /// The one that a part of the request leads to.
    Hash(HashPolicy),
}

/// `policy = "hash"`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HashPolicy {
    /// The part of the request that is hashed.
    pub by: HashBy,
    /// How backends share the space of hashes.
    pub table: HashTable,
    /// A backend with more than this many times (in 1/100) its share of the exchanges in flight is passed over.
    pub bounded_load: Option<u16>,
}

/// The part of a request that is hashed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HashBy {
    /// The client's address.
    ClientIp,
    /// A cookie's value.
    Cookie(String),
    /// A field's value, its name in lower case.
    Field(String),
    /// A query parameter's value.
    Query(String),
    /// The path without the query.
    Path,
    /// A segment of the path, counted from 1.
    PathPart(u8),
}

/// How backends share the space of hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HashTable {
    /// A ring with many points a backend.
    Ketama,
    /// A table in which each backend has the same share.
    Maglev,
}

/// `sticky = { … }`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sticky {
    /// The cookie's name.
    pub cookie: String,
    /// What it is signed with; `None`: made up at start, so that cookies do not outlive the process.
    pub secret: Option<Vec<u8>>,
    /// How long the browser keeps it; `None`: as long as it runs.
    pub ttl: Option<Duration>,
}
