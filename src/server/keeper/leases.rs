//! Gives pools the backends that registered, and lets their leases run out.

use super::Shared;
use crate::exchange::Generation;
use crate::live::{Endpoint, Leased, LivePool, LiveRegistry, Work};
use crate::registry::{Lease, SHARE_FULL, Touched};
use arc_swap::ArcSwap;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// What of it the keeper does.
pub(super) struct Leases {
    registry: Arc<LiveRegistry>,
    /// What serves now; what the keeper keeps may be about to take its place.
    latest: Arc<ArcSwap<Generation>>,
    began: Instant,
    /// When what is to survive is handed over next.
    writes: Option<Instant>,
}

/// What was done.
pub(super) struct Worked {
    /// Pools have other members, or some are doubted, or are not any more.
    pub(super) has_moved: bool,
    version: u64,
}

impl Leases {
    pub(super) fn new(registry: Arc<LiveRegistry>, latest: Arc<ArcSwap<Generation>>, began: Instant) -> Leases {
        Leases { registry, latest, began, writes: None }
    }

    /// Gives the pools of a new generation the backends that are registered.
    pub(super) fn follow(&self, shared: &Shared) {
        let Some(generation) = shared.generation.borrow().clone() else { return };
        for pool in &generation.snapshot.config.pools {
            self.seat(shared, &generation, &pool.name);
        }
    }

    /// Waits until there is something to do. Cancel-safe.
    pub(super) async fn due(&self) {
        let writes = async {
            match self.writes {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.registry.due(|| self.began.elapsed()) => {}
            () = writes => {}
        }
    }

    /// Does it, but for what is [`done`](Self::done) last.
    pub(super) fn work(&mut self, shared: &Shared) -> Worked {
        let Work { touched, version } = self.registry.tick(self.began.elapsed());
        let has_moved = touched.values().any(|touched| *touched == Touched::Seats);
        for (pool, touched) in touched {
            for generation in self.generations(shared) {
                match touched {
                    Touched::Seats => self.seat(shared, &generation, &pool),
                    Touched::Share => self.ease(&generation, &pool),
                    Touched::Nothing => {}
                }
            }
        }
        self.write();
        Worked { has_moved, version }
    }

    /// Says so to whoever waits for it.
    pub(super) fn done(&self, worked: Worked) {
        self.registry.has_applied(worked.version);
    }

    /// What changed meanwhile is written together.
    fn write(&mut self) {
        match self.writes {
            Some(at) if at <= Instant::now() => {
                self.registry.write();
                self.writes = None;
            }
            Some(_) => {}
            None => self.writes = Some(Instant::now() + WRITE_AFTER),
        }
    }

    /// What is kept, and what serves if that is another one.
    fn generations(&self, shared: &Shared) -> Vec<Arc<Generation>> {
        let kept = shared.generation.borrow().clone();
        let latest = self.latest.load_full();
        let is_other = kept.as_ref().is_none_or(|kept| !Arc::ptr_eq(kept, &latest));
        kept.into_iter().chain(is_other.then_some(latest)).collect()
    }

    fn seat(&self, shared: &Shared, generation: &Generation, pool: &str) {
        let Some((config, live)) = generation.snapshot.pool(pool) else { return };
        let leases = if config.register.is_some() { self.registry.of_pool(pool) } else { Vec::new() };
        if config.register.is_none() && !live.state.has_leased() {
            return;
        }
        live.state.set_leased(leases.iter().map(leased).collect());
        let now = shared.clock.coarse();
        live.members.store(Arc::new(live.state.members(config, &shared.metrics, now)));
        ease(live, &leases);
        live.state.turned();
    }

    fn ease(&self, generation: &Generation, pool: &str) {
        let Some((_, live)) = generation.snapshot.pool(pool) else { return };
        ease(live, &self.registry.of_pool(pool));
        live.state.turned();
    }
}

fn leased(lease: &Lease) -> Leased {
    Leased { address: lease.address, weight: lease.seat_weight(), is_doubted: lease.silent || lease.probed }
}

/// Takes from each backend's share what its load takes.
fn ease(live: &LivePool, leases: &[Lease]) {
    let eased: HashMap<SocketAddr, u32> =
        leases.iter().map(|lease| (lease.address, SHARE_FULL - lease.load.share())).collect();
    for member in &live.members.load().list {
        if let Endpoint::Ip(address) = &member.endpoint
            && let Some(eased) = eased.get(address)
        {
            member.backend.set_eased(u8::try_from(*eased).unwrap_or(u8::MAX));
        }
    }
}

/// How long changes are gathered before they are written.
const WRITE_AFTER: Duration = Duration::from_millis(200);
