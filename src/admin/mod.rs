//! The admin listener: metrics and health, read-only, on a thread of its own beside the workers.

mod answer;
mod bind;
mod serve;

pub use bind::{AdminListener, bind};
pub use serve::serve;

use crate::telemetry::Metrics;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// What the admin listener shows.
pub struct AdminState {
    /// `/metrics`
    pub metrics: Arc<Metrics>,
    ready: AtomicBool,
}

impl AdminState {
    /// Not ready yet.
    #[must_use]
    pub fn new(metrics: Arc<Metrics>) -> Arc<AdminState> {
        Arc::new(AdminState { metrics, ready: AtomicBool::new(false) })
    }

    /// `/readyz`: true once all listeners are bound, false again from the start of the drain.
    pub fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Relaxed);
    }

    /// What `/readyz` says.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.ready.load(Relaxed)
    }
}

#[cfg(test)]
mod tests;
