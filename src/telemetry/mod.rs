//! Metrics and logs, handed down as handles: [`Metrics`] counts, [`AccessLog`] writes one line an exchange,
//! [`Events`] writes what happens to the process.

pub mod access;
mod events;
pub mod metrics;

pub use access::{AccessLog, AccessWorker, Record};
pub use events::Events;
pub use metrics::{Exposition, Metrics, WorkerMetrics};

#[cfg(test)]
pub(crate) mod parse;
