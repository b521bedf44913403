//! What is looked up at the moment of a scrape, as nobody counts it.

use super::labels::{DiskRead, DiskWrite, TicketFault};

/// What runs, as it is now.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Look {
    /// In the order of the configuration.
    pub pools: Vec<PoolLook>,
    /// By cache and tier.
    pub caches: Vec<CacheLook>,
    /// The fleet, if this process belongs to one.
    pub fleet: Option<FleetLook>,
    /// Of caches that have a disk.
    pub disks: Vec<DiskLook>,
    /// Those that fetch keys.
    pub accesses: Vec<AccessLook>,
    /// In the order of the configuration.
    pub limits: Vec<LimitLook>,
    /// The memory of the process, where it is watched.
    pub memory: Option<MemoryLook>,
    /// In the order of the configuration.
    pub rooms: Vec<RoomLook>,
    /// What the configuration that runs warned of.
    pub warnings: Vec<String>,
}

/// A tier of a cache as it is now.
#[derive(Clone, Debug, PartialEq)]
pub struct CacheLook {
    /// The cache's name.
    pub cache: String,
    /// `memory` or `disk`.
    pub tier: &'static str,
    /// Bytes held.
    pub bytes: u64,
    /// Bytes that it may hold.
    pub capacity: u64,
    /// Responses held.
    pub objects: u64,
}

/// The fleet as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FleetLook {
    /// As counted last, this one among them.
    pub members: u32,
    /// Redis can be reached.
    pub is_up: bool,
    /// Why it cannot.
    pub why: Option<String>,
    /// Each member hears in time what the others let in within limits; else each has its part.
    pub shares_limits: bool,
}

/// What the disk of a cache did since it was opened.
#[derive(Clone, Debug, PartialEq)]
pub struct DiskLook {
    /// The cache's name.
    pub cache: String,
    /// Reads, in the order of [`DiskRead::ALL`].
    pub reads: [u64; DiskRead::ALL.len()],
    /// Responses that were to be written, in the order of [`DiskWrite::ALL`].
    pub writes: [u64; DiskWrite::ALL.len()],
    /// Bytes written.
    pub written_bytes: u64,
    /// Nothing is written for a while, as it failed several times in a row.
    pub rests: bool,
}

/// An access whose keys are fetched, as it is now.
#[derive(Clone, Debug, PartialEq)]
pub struct AccessLook {
    /// Its name.
    pub access: String,
    /// Keys that are known.
    pub keys: usize,
    /// Since they were fetched; none: they never were.
    pub age: Option<std::time::Duration>,
    /// Why the last try to fetch them failed, if it did.
    pub why: Option<String>,
}

/// A waiting room as it is now, and what happened since the process began.
#[derive(Clone, Debug, PartialEq)]
pub struct RoomLook {
    /// Its name.
    pub room: String,
    /// Visitors who wait.
    pub waiting: u32,
    /// Visitors whose turn it is, and who did not come in yet.
    pub called: u32,
    /// Visitors inside; in a fleet, those whom this member heard of last.
    pub inside: u32,
    /// Whether it acts as one with the other members of the fleet; `None`: there is none.
    pub shared: Option<bool>,
    /// Visitors who may be.
    pub active: Option<u32>,
    /// How long one who comes now will wait, if that is known.
    pub wait_seconds: Option<f64>,
    /// Visitors who came in.
    pub entered: u64,
    /// Visitors who got a place.
    pub queued: u64,
    /// Visitors who gave their place up.
    pub left: u64,
    /// Visitors who got no place.
    pub turned_away: u64,
    /// Tickets that were none, in the order of [`TicketFault::ALL`].
    pub refused: [u64; TicketFault::ALL.len()],
}

/// A limit as it is now.
#[derive(Clone, Debug, PartialEq)]
pub struct LimitLook {
    /// Its name.
    pub limit: String,
    /// What it bounds, as it is written.
    pub bound: String,
    /// It only counts.
    pub observe: bool,
    /// Keys that are not as if they had never come.
    pub keys: u64,
    /// Keys that it can tell apart at once.
    pub capacity: u64,
    /// Requests since the start, by [`LimitOutcome`](super::LimitOutcome).
    pub requests: [u64; super::LimitOutcome::ALL.len()],
}

/// The memory of the process as it is now, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryLook {
    /// What the process may hold.
    pub ceiling: u64,
    /// What it holds.
    pub held: u64,
    /// What caches may hold of that.
    pub caches: u64,
    /// How near the ceiling is; of a fixed set of words, [`PRESSURES`].
    pub pressure: &'static str,
}
/// How near the ceiling may be, the farthest first.
pub const PRESSURES: [&str; 3] = ["calm", "tight", "full"];
/// A pool as it is now.
#[derive(Clone, Debug, PartialEq)]
pub struct PoolLook {
    /// Its name.
    pub pool: String,
    /// Exchanges that wait for room.
    pub queue: u32,
    /// Its breaker, if it has one, refuses exchanges or tries a few.
    pub breaker_open: bool,
    /// In the order of the pool.
    pub backends: Vec<BackendLook>,
    /// Names of it that cannot be resolved, and why.
    pub unresolved: Vec<(String, String)>,
    /// How many backends it needs.
    pub demand: DemandLook,
    /// Its leases, if backends may register.
    pub leases: Option<LeasesLook>,
}

/// The leases of a pool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeasesLook {
    /// How many are serving, kept, draining.
    pub by_state: [u32; 3],
    /// Renewals so far.
    pub renewals: u64,
    /// Leases that ran out so far, and whose backends had to go.
    pub expiries: u64,
    /// Leases that ran out so far, and were kept.
    pub kept: u64,
}

impl LeasesLook {
    /// How a lease may stand, in the order of [`by_state`](Self::by_state).
    pub const STATES: [&'static str; 3] = ["serving", "kept", "draining"];
}

/// How many backends a pool needs, and by what.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct DemandLook {
    /// Exchanges that backends have, as far as they count for what a backend bears.
    pub in_flight: u32,
    /// Exchanges that come in a second.
    pub arrivals: f64,
    /// Exchanges that backends answer in a second.
    pub served: f64,
    /// Exchanges refused in a second for want of room.
    pub shed: f64,
    /// What a backend bears at once, in the mean; `None`: nobody knows.
    pub bears: Option<f64>,
    /// What a backend does in a second; `None`: nobody knows.
    pub capacity: Option<f64>,
    /// How busy the backends are, 1 being all that they can.
    pub busy: Option<f64>,
    /// How busy they may be.
    pub busy_max: f64,
    /// 99 of 100 exchanges are to be answered within that.
    pub objective: Option<std::time::Duration>,
    /// The share of exchanges that were, lately; `None`: too few.
    pub on_time: Option<f64>,
    /// The objective is missed, and more backends do not help.
    pub is_out_of_reach: bool,
    /// Backends that may be used.
    pub available: u32,
    /// Backends that are wanted; `None`: nobody knows what one bears.
    pub wanted: Option<u32>,
}

/// A backend as it is now.
#[derive(Clone, Debug, PartialEq)]
pub struct BackendLook {
    /// Its address.
    pub backend: String,
    /// Why it gets traffic, or none; of a fixed set of words.
    pub state: &'static str,
    /// It may be used.
    pub available: bool,
    /// Exchanges that it has.
    pub in_flight: u32,
    /// How many it was found to bear, where that is found out.
    pub limit: Option<u32>,
    /// What was learnt of its latency, in nanoseconds; 0: nothing.
    pub latency_nanos: u64,
    /// What the last probe said, if it failed.
    pub why: Option<String>,
}

/// Looks at the moment of a scrape; from any thread.
pub type Looker = Box<dyn Fn() -> Look + Send + Sync>;
