use super::members::{Names, seats};
use super::snapshot::fresh;
use super::{Endpoint, LiveBackend, Member, Members, Queue, rules};
use crate::config::{self, Health, Statuses};
use crate::pool::StickyValues;
use crate::pool::health::breaker::State;
use crate::pool::health::outlier::{Company, judge};
use crate::pool::health::standing::Facts;
use crate::pool::health::{Admit, Breaker, Budget, Checked, Counts, Standing};
use crate::pool::policy::Table;
use crate::telemetry::Metrics;
use crate::telemetry::metrics::{BackendLook, PoolLook, PoolMetrics};
use arc_swap::ArcSwap;
use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
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

/// What is known of a pool, whatever configuration it comes from.
pub struct PoolState {
    /// Exchanges that wait for room.
    pub queue: Queue,
    turns: AtomicU64,
    backends: Mutex<HashMap<Key, Weak<LiveBackend>>>,
    names: Mutex<Names>,
    /// Names whose last lookup failed, and why.
    unresolved: Mutex<BTreeMap<String, String>>,
    /// Held while a failure is judged, so that no more are ejected at once than may be.
    judging: Mutex<()>,
    /// Signs sticky cookies where the configuration has no secret; `None` if the system gives no random bytes.
    secret: Option<[u8; 32]>,
}

impl Default for PoolState {
    fn default() -> Self {
        let mut secret = [0; 32];
        PoolState {
            queue: Queue::default(),
            turns: AtomicU64::default(),
            backends: Mutex::default(),
            names: Mutex::default(),
            unresolved: Mutex::default(),
            judging: Mutex::default(),
            secret: getrandom::fill(&mut secret).is_ok().then_some(secret),
        }
    }
}

/// Under which a backend's state is found again.
type Key = (Endpoint, Option<Health>);

/// What an attempt showed of its backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A final response with that status, whole.
    Status(u16),
    /// No connection, no response in time, or a broken one.
    Failed,
}

impl Outcome {
    fn failed(self, statuses: Statuses) -> bool {
        match self {
            Outcome::Status(status) => statuses.has(status),
            Outcome::Failed => true,
        }
    }
}

/// An exchange that the pool's breaker let through.
#[derive(Debug)]
pub struct Admitted<'p> {
    trial: Option<(&'p Breaker, Cell<Option<(bool, Duration)>>)>,
}

impl Drop for Admitted<'_> {
    /// The last attempt of an exchange on trial decides how it ended.
    fn drop(&mut self) {
        let Some((breaker, how)) = &self.trial else { return };
        match how.get() {
            Some((true, when)) => _ = breaker.failed(when, true),
            Some((false, when)) => breaker.succeeded(when, true),
            None => breaker.forget(true),
        }
    }
}

/// An attempt that ended.
#[derive(Clone, Copy, Debug)]
pub struct Ended {
    /// Index of its backend.
    pub at: usize,
    /// What it showed.
    pub outcome: Outcome,
    /// When.
    pub now: Duration,
}

impl LivePool {
    /// What runs of `pool`, with what `before` knew.
    pub(super) fn build(
        pool: &config::Pool,
        metrics: &Metrics,
        before: Option<(&config::Pool, &LivePool)>,
        now: Duration,
    ) -> LivePool {
        let state = before.map_or_else(fresh, |(_, live)| Arc::clone(&live.state));
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
        LivePool {
            metrics: metrics.pool(&pool.name),
            members: Arc::new(ArcSwap::from_pointee(members)),
            state,
            budget,
            breaker,
        }
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
        }
    }

    /// Lets an exchange through, unless the pool is given a rest.
    #[must_use]
    pub fn admit(&self, now: Duration) -> Option<Admitted<'_>> {
        let Some(breaker) = self.breaker.as_deref() else { return Some(Admitted { trial: None }) };
        match breaker.admit(now) {
            Admit::Pass => Some(Admitted { trial: None }),
            Admit::Trial => Some(Admitted { trial: Some((breaker, Cell::new(None))) }),
            Admit::Refuse { .. } => None,
        }
    }

    /// An attempt ended. Whether its backend was ejected for it.
    pub fn note(&self, pool: &config::Pool, members: &Members, admitted: &Admitted<'_>, ended: Ended) -> bool {
        let Ended { at, outcome, now } = ended;
        if let (Some(breaker), Some(rules)) = (&self.breaker, &pool.breaker) {
            let failed = outcome.failed(rules.statuses);
            match (&admitted.trial, failed) {
                (Some((_, how)), failed) => how.set(Some((failed, now))),
                (None, false) => breaker.succeeded(now, false),
                (None, true) if breaker.failed(now, false) => {
                    tracing::warn!(pool = pool.name, "too much fails: its exchanges are refused for a while");
                }
                (None, true) => {}
            }
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

impl PoolState {
    /// Changes whenever a backend's standing did: views made before are to be made anew.
    #[must_use]
    pub fn turns(&self) -> u64 {
        self.turns.load(Relaxed)
    }

    /// A backend's standing, or the members, changed.
    pub fn turned(&self) {
        self.turns.fetch_add(1, Relaxed);
        self.queue.changed();
    }

    /// What its names stand for.
    #[must_use]
    pub fn names(&self) -> Names {
        lock(&self.names).clone()
    }

    /// Names stand for something else.
    pub fn set_names(&self, change: impl FnOnce(&mut Names)) {
        change(&mut lock(&self.names));
    }

    /// The last lookup of a name failed, or did not.
    pub fn set_unresolved(&self, name: &str, why: Option<String>) {
        let mut unresolved = lock(&self.unresolved);
        match why {
            Some(why) => drop(unresolved.insert(name.to_owned(), why)),
            None => drop(unresolved.remove(name)),
        }
    }

    /// Forgets the trouble with names that are not `wanted` any more.
    pub fn keep_unresolved(&self, wanted: impl Fn(&str) -> bool) {
        lock(&self.unresolved).retain(|name, _| wanted(name));
    }

    fn unresolved(&self) -> Vec<(String, String)> {
        lock(&self.unresolved).iter().map(|(name, why)| (name.clone(), why.clone())).collect()
    }

    /// The backends of `pool`, with what is known of those that were there before.
    #[must_use]
    pub fn members(&self, pool: &config::Pool, metrics: &Metrics, now: Duration) -> Members {
        let names = self.names();
        let mut known = lock(&self.backends);
        known.retain(|_, backend| backend.strong_count() > 0);
        let list = seats(pool, &names).into_iter().map(|seat| {
            let key = (seat.endpoint.clone(), pool.health.clone());
            let backend = known.get(&key).and_then(Weak::upgrade).unwrap_or_else(|| {
                let before = known.iter().filter(|((other, _), _)| *other == key.0).find_map(|(_, it)| it.upgrade());
                let facts = first_facts(before.map(|before| before.facts()), pool.health.is_some(), now);
                let name = seat.endpoint.to_string();
                let backend = Arc::new(LiveBackend::new(name.clone(), metrics.backend(&pool.name, &name), facts));
                known.insert(key, Arc::downgrade(&backend));
                backend
            });
            let tally = pool.outlier.as_ref().map(|outlier| backend.tally(&rules::outlier(outlier)));
            Member { endpoint: seat.endpoint, host: seat.host, weight: seat.weight, backend, tally }
        });
        let list: Vec<_> = list.collect();
        Members { sticky: self.sticky(pool, &list), table: table(pool, &list), list }
    }

    fn sticky(&self, pool: &config::Pool, list: &[Member]) -> Option<StickyValues> {
        let sticky = pool.balance.sticky.as_ref()?;
        let secret = sticky.secret.as_deref().or(self.secret.as_ref().map(<[u8; 32]>::as_slice))?;
        Some(StickyValues::new(secret, &pool.name, list.iter().map(|member| member.backend.name.as_str())))
    }
}

/// With what a backend begins. One that served under another check goes on until the new one says otherwise, and an
/// operator's word holds whatever the check. Who is there from the start does not ramp.
fn first_facts(before: Option<Facts>, has_check: bool, now: Duration) -> Facts {
    let served = before.is_some_and(|before| before.checked.is_none_or(|checked| checked.passes()));
    Facts {
        draining: before.is_some_and(|before| before.draining),
        checked: has_check.then_some(if served { Checked::Up { failures: 0 } } else { Checked::Unknown }),
        ejection: before.and_then(|before| before.ejection),
        up_since: if before.is_some() {
            before.and_then(|before| before.up_since)
        } else {
            Some(now).filter(|now| !now.is_zero())
        },
    }
}

/// What keys are looked up in, where the policy hashes.
fn table(pool: &config::Pool, list: &[Member]) -> Option<Arc<Table>> {
    let config::Policy::Hash(hash) = &pool.balance.policy else { return None };
    let backends: Vec<_> = list.iter().map(|member| (member.backend.name.as_str(), member.weight)).collect();
    Some(Arc::new(Table::build(hash.table, &backends)))
}

/// A panic elsewhere leaves these whole: each change is one call.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
