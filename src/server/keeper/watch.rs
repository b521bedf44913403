use super::{Settling, Shared};
use crate::config::{Health, PoolId};
use crate::live::{LiveBackend, Member, probes};
use crate::pool::health::probe::{Checked, Rules, Turn, first_probe, next_probe};
use crate::upstream::ProbeError;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::{JoinHandle, spawn_local};

/// The tasks that probe, one a backend with a check.
#[derive(Default)]
pub(super) struct Watches(HashMap<*const LiveBackend, JoinHandle<()>>);

impl Watches {
    /// Starts those that are missing, and ends those that are wanted no more.
    pub(super) fn follow(&mut self, shared: &Rc<Shared>, settling: Option<&Rc<Settling>>) {
        let Some(generation) = shared.generation.borrow().clone() else { return };
        let mut wanted = HashMap::new();
        for (pool, live) in generation.snapshot.config.pools.iter().zip(&generation.snapshot.pools) {
            let Some(health) = &pool.health else { continue };
            for member in &live.members.load().list {
                wanted.insert(Arc::as_ptr(&member.backend), (pool, health.clone(), member.clone()));
            }
        }
        self.0.retain(|backend, task| {
            let stays = wanted.remove(backend).is_some();
            if !stays {
                task.abort();
            }
            stays
        });
        let count = wanted.len();
        for (index, (backend, (pool, health, member))) in wanted.into_iter().enumerate() {
            let begin = first_probe(index, count, &probes(&health));
            let watch = Watch { shared: shared.clone(), pool: pool.name.clone(), member, health };
            // The task holds the backend, so that the address stays its own.
            self.0.insert(backend, spawn_local(watch.run(begin, settling.cloned())));
        }
    }
}

/// Probes one backend for as long as it is wanted.
struct Watch {
    shared: Rc<Shared>,
    pool: String,
    member: Member,
    health: Health,
}

impl Watch {
    async fn run(self, begin: Duration, mut settling: Option<Rc<Settling>>) {
        let backend = self.member.backend.clone();
        let rules = probes(&self.health);
        let mut checked = Checked::default();
        tokio::time::sleep(begin).await;
        loop {
            let began = tokio::time::Instant::now();
            let Some(result) = self.probe().await else { return };
            self.shared.counts.probed(&backend.metrics, result.is_ok());
            backend.set_why_down(result.as_ref().err().map(ToString::to_string));
            let rise = if self.nobody_is_left() { 1 } else { rules.rise };
            let turn = checked.judge(result.is_ok(), &Rules { rise, ..rules });
            backend.set_checked(checked, self.shared.clock.coarse());
            if let Some(turn) = turn {
                self.turned(turn, result.err());
            }
            settling.take();
            tokio::time::sleep_until(began + next_probe(Duration::ZERO, &rules, random())).await;
        }
    }

    /// Whether no backend of the pool may be used: then one that passes once is better than none.
    fn nobody_is_left(&self) -> bool {
        let generation = self.shared.generation.borrow();
        let Some((pool, live)) = generation.as_ref().and_then(|it| it.snapshot.pool(&self.pool)) else { return false };
        let now = self.shared.clock.coarse();
        live.members.load().list.iter().all(|member| !member.standing(now, pool.slow_start).available())
    }

    /// `None` if the pool is gone.
    async fn probe(&self) -> Option<Result<(), ProbeError>> {
        let generation = self.shared.generation.borrow().clone()?;
        let at = generation.snapshot.config.pools.iter().position(|pool| pool.name == self.pool)?;
        let dialer = generation.dialers.pool(PoolId(at)).clone();
        drop(generation);
        Some(self.shared.prober.probe(&dialer, &self.member, &self.health).await)
    }

    /// Says so to the workers and to the operator.
    fn turned(&self, turn: Turn, error: Option<ProbeError>) {
        let backend = &self.member.backend;
        if let Some((_, live)) = self.shared.generation.borrow().as_ref().and_then(|it| it.snapshot.pool(&self.pool)) {
            live.state.turned();
        }
        match (turn, error) {
            (Turn::Down, Some(why)) => tracing::warn!(pool = self.pool, backend = backend.name, %why, "down"),
            _ => tracing::info!(pool = self.pool, backend = backend.name, "up"),
        }
    }
}

fn random() -> u64 {
    let mut bytes = [0; 8];
    // Without random bytes probes are merely made in step.
    let _ = getrandom::fill(&mut bytes);
    u64::from_le_bytes(bytes)
}
