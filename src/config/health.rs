//! Active checks.

use std::ops::RangeInclusive;
use std::time::Duration;

/// `health = { … }`: what is asked of each backend, and how often.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Health {
    /// What is asked.
    pub check: Check,
    /// Another port than the backend's own.
    pub port: Option<u16>,
    /// From one probe to the next, give or take a tenth; default 5 s.
    pub every: Duration,
    /// How long a probe may take; default 1 s.
    pub timeout: Duration,
    /// Probes in a row that must pass before a backend that was down is up; default 2.
    pub rise: u32,
    /// Probes in a row that must fail before a backend that was up is down; default 3.
    pub fall: u32,
}

/// What a probe asks.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Check {
    /// `path = "/healthz"`: GET, and a status that is allowed.
    Http {
        /// With its query.
        path: String,
        /// Host; default: the backend's address.
        host: Option<String>,
        /// Statuses that pass; default 200 to 399.
        expect: Vec<RangeInclusive<u16>>,
    },
    /// `tcp = true`: a connection can be made, with TLS where the pool has it.
    Tcp,
    /// `grpc = "service"`: grpc.health.v1 says SERVING.
    Grpc(String),
}
