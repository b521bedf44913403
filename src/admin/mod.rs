//! The admin listener: metrics and health, and what an operator may ask, on a thread of its own beside the workers.

mod answer;
mod bind;
mod consul;
mod demand;
mod drain;
mod foreign;
mod gate;
mod job;
mod leases;
mod nacos;
mod parameters;
mod purge;
mod serve;
mod status;
mod top;

pub use bind::{AdminListener, adopt, bind, retire};
pub use drain::{Drain, Drainer};
pub use gate::Gate;
pub use job::{ASKS_MAX, Ask, Job, Verdict};
pub use leases::{Place, REGISTRATION_BYTES_MAX};
pub use purge::{PURGE_BYTES_MAX, Purge, Purged, Purger, Teller, WHATS_MAX};
pub use serve::{Admin, END_WAIT, start};
pub use top::{TopAsk, Topper};

use crate::live::{LiveRegistry, Told};
use crate::telemetry::Metrics;
use arc_swap::ArcSwap;
use leases::Registrations;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::Instant;
use tokio::sync::mpsc;

/// What the admin listener shows, and whom it asks.
pub struct AdminState {
    /// `/metrics`
    pub metrics: Arc<Metrics>,
    /// The thread that does what an operator asks for.
    pub asks: mpsc::Sender<Ask>,
    ready: AtomicBool,
    drainer: OnceLock<Drainer>,
    purger: OnceLock<Purger>,
    teller: OnceLock<Teller>,
    topper: OnceLock<Topper>,
    gate: ArcSwap<Gate>,
    registrations: OnceLock<Registrations>,
}

impl AdminState {
    /// Not ready yet.
    #[must_use]
    pub fn new(metrics: Arc<Metrics>, asks: mpsc::Sender<Ask>) -> Arc<AdminState> {
        Arc::new(AdminState {
            metrics,
            asks,
            ready: AtomicBool::new(false),
            drainer: OnceLock::new(),
            purger: OnceLock::new(),
            teller: OnceLock::new(),
            topper: OnceLock::new(),
            gate: ArcSwap::default(),
            registrations: OnceLock::new(),
        })
    }

    /// Who may change what, from now on; until then nobody has a token.
    pub fn set_gate(&self, gate: Gate) {
        self.gate.store(Arc::new(gate));
    }

    /// Where backends register; its times count from `began`. Only the first counts.
    pub fn set_registry(&self, registry: Arc<LiveRegistry>, began: Instant) {
        let _ = self.registrations.set(Registrations::new(registry, began));
    }

    /// Who takes backends out and back. Only the first counts.
    pub fn set_drainer(&self, drainer: Drainer) {
        let _ = self.drainer.set(drainer);
    }

    fn drain(&self, wanted: &Drain) -> bool {
        self.drainer.get().is_some_and(|drainer| drainer(wanted))
    }

    /// Who purges. Only the first counts; until then there is no cache.
    pub fn set_purger(&self, purger: Purger) {
        let _ = self.purger.set(purger);
    }

    /// Who tells the other members of a fleet of purges. Only the first counts; until then there are none.
    pub fn set_teller(&self, teller: Teller) {
        let _ = self.teller.set(teller);
    }

    /// `None`: there is no fleet.
    async fn tell(&self, purge: &Purge) -> Option<Told> {
        self.teller.get()?(purge).await
    }

    fn purge(&self, purge: &Purge) -> Purged {
        self.purger.get().map_or(Purged::NoCache, |purger| purger(purge))
    }

    /// Who knows which keys cost most. Only the first counts.
    pub fn set_topper(&self, topper: Topper) {
        let _ = self.topper.set(topper);
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
