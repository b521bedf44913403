use super::members::Members;
use super::outcome::{Admitted, Ended};
use super::state::{PoolState, lock};
use super::{Member, rules};
use crate::config;
use crate::pool::health::breaker::State;
use crate::pool::health::outlier::{Company, judge};
use crate::pool::health::{Breaker, Budget, Counts, Standing};
use crate::telemetry::Metrics;
use crate::telemetry::metrics::{BackendLook, PoolLook, PoolMetrics};
use arc_swap::ArcSwap;
use std::sync::Arc;
use std::time::Duration;

/// What runs of a pool in one snapshot.
pub struct LivePool {
    /// Its counters.
    pub metrics: PoolMetrics,
    /// What outlives a reload.
    pub state: Arc<PoolState>,
    /// Its backends now.
    pub members: Arc<ArcSwap<Members>>,
    /// What bounds its retries.
    pub budget: Arc<Budget>,
    /// What gives it a rest.
    pub breaker: Option<Arc<Breaker>>,
}

impl LivePool {
    /// What runs of `pool`, with what `before` knew.
    pub(super) fn build(
        pool: &config::Pool,
        metrics: &Metrics,
        before: Option<(&config::Pool, &LivePool)>,
        now: Duration,
    ) -> LivePool {
        let counters = metrics.pool(&pool.name);
        let state = before.map(|(_, live)| Arc::clone(&live.state)).unwrap_or_else(|| {
            let state = Arc::<PoolState>::default();
            state.demand.begin(&counters, now);
            state
        });
        let budget = match before {
            Some((_, live)) if live.budget.share() == pool.retry.budget => Arc::clone(&live.budget),
            _ => Arc::new(Budget::new(pool.retry.budget)),
        };
        let breaker = pool.breaker.map(|config| {
            let new = Breaker::new(rules::breaker(&config));
            match before.and_then(|(_, live)| live.breaker.clone()) {
                Some(breaker) if breaker.rules() == new.rules() => breaker,
                _ => Arc::new(new),
            }
        });
        let members = state.members(pool, metrics, now);
        LivePool { metrics: counters, members: Arc::new(ArcSwap::from_pointee(members)), state, budget, breaker }
    }

    /// How it is at `now`.
    pub(super) fn look(&self, pool: &config::Pool, now: Duration) -> PoolLook {
        let backend = |member: &Member| {
            let backend = &member.backend;
            let standing = member.standing(now, pool.slow_start);
            BackendLook {
                backend: backend.name.clone(),
                state: standing.label(),
                available: standing.available(),
                in_flight: backend.in_flight(),
                limit: member.limiter.as_ref().map(|limiter| limiter.sustainable()),
                latency_nanos: backend.latency.read(now),
                why: backend.why_down(),
            }
        };
        PoolLook {
            pool: pool.name.clone(),
            queue: self.state.queue.len(),
            breaker_open: self.breaker.as_ref().is_some_and(|breaker| breaker.state() != State::Closed),
            backends: self.members.load().list.iter().map(backend).collect(),
            unresolved: self.state.unresolved(),
            leases: None,
            demand: self.demand(pool, now),
        }
    }

    /// Exchanges that its usable backends take at once, and how many more they take now; `None`: nothing bounds them.
    pub(super) fn room(&self, pool: &config::Pool, now: Duration) -> Option<(u32, u32)> {
        let max = pool.connections.max;
        let members = self.members.load();
        let usable = members.list.iter().filter(|member| member.standing(now, pool.slow_start).available());
        let mut rooms = usable.map(|member| member.room(max));
        rooms.try_fold((0u32, 0u32), |(capacity, free), room| {
            let (more, more_free) = room?;
            Some((capacity.saturating_add(more), free.saturating_add(more_free)))
        })
    }

    /// Exchanges that wait for room.
    pub(super) fn queued(&self) -> u32 {
        self.state.queue.len()
    }

    /// Lets an exchange through, unless the pool is given a rest.
    #[must_use]
    pub fn admit(&self, now: Duration) -> Option<Admitted<'_>> {
        Admitted::by(self.breaker.as_deref(), now)
    }

    /// An attempt ended. Whether its backend was ejected for it.
    pub fn note(&self, pool: &config::Pool, members: &Members, admitted: &Admitted<'_>, ended: Ended) -> bool {
        let Ended { at, outcome, now } = ended;
        if let (Some(breaker), Some(rules)) = (&self.breaker, &pool.breaker)
            && admitted.note(breaker, outcome.failed(rules.statuses), now)
        {
            tracing::warn!(pool = pool.name, "too much fails: its exchanges are refused for a while");
        }
        let (Some(rules), Some(tally)) = (&pool.outlier, &members.list[at].tally) else { return false };
        if !outcome.failed(rules.statuses) {
            tally.succeeded(now);
            return false;
        }
        tally.failed(now) && self.judge(pool, members, at, now)
    }

    /// Ejects a backend that is worth judging, if that is called for.
    fn judge(&self, pool: &config::Pool, members: &Members, at: usize, now: Duration) -> bool {
        let Some(tally) = &members.list[at].tally else { return false };
        let _alone = lock(&self.state.judging);
        let mut company = Company { size: 0, ejected: 0, others_usable: 0, others: Counts::default() };
        for (other, member) in members.list.iter().enumerate() {
            let facts = member.backend.facts();
            let standing = member.standing_by(&facts, now, pool.slow_start);
            if standing == Standing::Draining {
                continue;
            }
            company.size += 1;
            company.ejected += usize::from(facts.ejection.is_some_and(|ejection| ejection.holds(now)));
            if other != at {
                company.others_usable += usize::from(standing.available());
                company.others += member.tally.as_ref().map(|tally| tally.counts(now)).unwrap_or_default();
            }
        }
        let backend = &members.list[at].backend;
        let last = backend.facts().ejection;
        let Some(ejection) = judge(&tally.counts(now), last, &company, tally.rules(), now) else { return false };
        backend.eject(ejection);
        tally.restart(ejection.until);
        self.state.turned();
        true
    }
}
