use super::{Settling, Shared};
use crate::config::{Check, Health, PoolId};
use crate::live::{LiveBackend, Member, PoolState, probes};
use crate::pool::health::probe::{Checked, Rules, Turn, first_probe, next_probe};
use crate::upstream::ProbeError;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::{JoinHandle, spawn_local};

/// The tasks that probe, one a backend with a check, or that is doubted.
#[derive(Default)]
pub(super) struct Watches(HashMap<*const LiveBackend, Watched>);

struct Watched {
    task: JoinHandle<()>,
    /// There is no check: it is only doubted.
    doubted: Option<(Arc<LiveBackend>, Arc<PoolState>)>,
}

impl Watches {
    /// Starts those that are missing, and ends those that are wanted no more.
    pub(super) fn follow(&mut self, shared: &Rc<Shared>, settling: Option<&Rc<Settling>>) {
        let Some(generation) = shared.generation.borrow().clone() else { return };
        let mut wanted = HashMap::new();
        for (pool, live) in generation.snapshot.config.pools.iter().zip(&generation.snapshot.pools) {
            for member in &live.members.load().list {
                let doubted = || member.is_doubted.then(doubt);
                let Some(health) = pool.health.clone().or_else(doubted) else { continue };
                wanted.insert(Arc::as_ptr(&member.backend), (pool, live, health, member.clone()));
            }
        }
        let now = shared.clock.coarse();
        self.0.retain(|backend, watched| {
            let stays = wanted.remove(backend).is_some();
            if !stays {
                watched.end(now);
            }
            stays
        });
        let count = wanted.len();
        for (index, (backend, (pool, live, health, member))) in wanted.into_iter().enumerate() {
            let begin = first_probe(index, count, &probes(&health));
            let is_doubted = pool.health.is_none();
            let doubted = is_doubted.then(|| (Arc::clone(&member.backend), Arc::clone(&live.state)));
            let watch = Watch { shared: shared.clone(), pool: pool.name.clone(), member, health, is_doubted };
            // The task holds the backend, so that the address stays its own.
            let task = spawn_local(watch.run(begin, settling.cloned()));
            self.0.insert(backend, Watched { task, doubted });
        }
    }
}

impl Watched {
    fn end(&self, now: Duration) {
        self.task.abort();
        if let Some((backend, state)) = &self.doubted {
            backend.forget_check(now);
            state.turned();
        }
    }
}

/// How a backend is looked at that registered in a pool without a check, and of which nothing was heard for long.
fn doubt() -> Health {
    let (every, timeout) = (Duration::from_secs(1), Duration::from_secs(1));
    Health { check: Check::Tcp, port: None, every, timeout, rise: 1, fall: 1 }
}

/// Probes one backend for as long as it is wanted.
struct Watch {
    shared: Rc<Shared>,
    pool: String,
    member: Member,
    health: Health,
    /// The pool has no check: that it answers is no news.
    is_doubted: bool,
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
            let is_news = !self.is_doubted || backend.facts().checked.is_some() || !checked.passes();
            if is_news {
                backend.set_checked(checked, self.shared.clock.coarse());
            }
            if let Some(turn) = turn.filter(|_| is_news) {
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
