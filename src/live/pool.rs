use super::members::{Names, seats};
use super::snapshot::fresh;
use super::{CheckState, Endpoint, LiveBackend, Member, Members, Queue};
use crate::config::{self, Health, Outlier, Statuses};
use crate::pool::StickyValues;
use crate::pool::health::breaker::Trial;
use crate::pool::health::outlier::{Case, Room, has_room, is_outlier};
use crate::pool::health::{Admit, Breaker, Budget, Counts, Standing};
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
    trial: Option<(&'p Breaker, Cell<(Trial, Duration)>)>,
}

impl Drop for Admitted<'_> {
    fn drop(&mut self) {
        if let Some((breaker, how)) = &self.trial {
            let (how, when) = how.get();
            breaker.tried(how, when);
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
            Some((old, live)) if old.retry.budget == pool.retry.budget => Arc::clone(&live.budget),
            _ => Arc::new(Budget::new(pool.retry.budget)),
        };
        let breaker = pool.breaker.map(|rules| match before.and_then(|(_, live)| live.breaker.clone()) {
            Some(breaker) if *breaker.rules() == rules => breaker,
            _ => Arc::new(Breaker::new(rules)),
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
            breaker_open: self.breaker.as_ref().is_some_and(|breaker| !breaker.is_closed()),
            backends: self.members.load().list.iter().map(backend).collect(),
            unresolved: self.state.unresolved(),
        }
    }

    /// Lets an exchange through, unless the pool is given a rest.
    #[must_use]
    pub fn admit(&self, now: Duration) -> Option<Admitted<'_>> {
        let Some(breaker) = self.breaker.as_deref().filter(|breaker| !breaker.is_closed()) else {
            return Some(Admitted { trial: None });
        };
        match breaker.admit(now) {
            Admit::Pass => Some(Admitted { trial: None }),
            Admit::Trial => Some(Admitted { trial: Some((breaker, Cell::new((Trial::Unknown, now)))) }),
            Admit::Refuse(_) => None,
        }
    }

    /// An attempt ended. Whether its backend was ejected for it.
    pub fn note(&self, pool: &config::Pool, members: &Members, admitted: &Admitted<'_>, ended: Ended) -> bool {
        let Ended { at, outcome, now } = ended;
        if let (Some(breaker), Some(rules)) = (&self.breaker, &pool.breaker) {
            let failed = outcome.failed(rules.statuses);
            match &admitted.trial {
                Some((_, how)) => how.set((if failed { Trial::Failed } else { Trial::Passed }, now)),
                None => breaker.count(failed, now),
            }
        }
        let Some(rules) = &pool.outlier else { return false };
        let tally = &members.list[at].backend.tally;
        if !outcome.failed(rules.statuses) {
            tally.succeeded(rules, now);
            return false;
        }
        tally.failed(rules, now);
        self.judge(pool, rules, members, at, now)
    }

    /// Ejects a backend that failed, if that is called for.
    fn judge(&self, pool: &config::Pool, rules: &Outlier, members: &Members, at: usize, now: Duration) -> bool {
        let backend = &members.list[at].backend;
        let others =
            || members.list.iter().enumerate().filter(|(other, _)| *other != at).map(|(_, other)| &other.backend);
        let counts = |sum: Counts, other: &Arc<LiveBackend>| sum.and(other.tally.counts(rules, now));
        let own = backend.tally.counts(rules, now);
        let mut case = Case { in_a_row: backend.tally.in_a_row(), own, others: Counts::default() };
        if rules.failure_rate > 0 {
            case.others = others().fold(case.others, counts);
        }
        if !is_outlier(&case, rules) {
            return false;
        }
        let _alone = lock(&self.state.judging);
        let standing = |backend: &Arc<LiveBackend>| backend.standing(now, pool.slow_start);
        let is_ejected = |standing: &Standing| matches!(standing, Standing::Ejected { .. });
        let room = Room {
            size: others().map(standing).filter(|standing| *standing != Standing::Draining).count() + 1,
            ejected: others().map(standing).filter(is_ejected).count(),
            available_others: others().map(standing).filter(|standing| standing.available()).count(),
        };
        if is_ejected(&standing(backend)) || !has_room(&room, rules) {
            return false;
        }
        backend.eject(backend.tally.eject(rules, now));
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
                let checked = first_state(before.as_deref(), &key);
                let name = seat.endpoint.to_string();
                let backend = LiveBackend::new(name.clone(), metrics.backend(&pool.name, &name), checked, now);
                // An operator's word holds, whatever the check.
                backend.set_draining(before.is_some_and(|before| before.is_draining()), now);
                let backend = Arc::new(backend);
                known.insert(key, Arc::downgrade(&backend));
                backend
            });
            Member { endpoint: seat.endpoint, host: seat.host, weight: seat.weight, backend }
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

/// Where a backend begins: one that served under another check goes on until the new one says otherwise.
fn first_state(before: Option<&LiveBackend>, (_, health): &Key) -> CheckState {
    match (health, before.map(LiveBackend::check_state)) {
        (None, _) | (Some(_), Some(CheckState::Up)) => CheckState::Up,
        (Some(_), _) => CheckState::Unknown,
    }
}

/// What keys are looked up in, where the policy hashes.
fn table(pool: &config::Pool, list: &[Member]) -> Option<Arc<Table>> {
    let config::Policy::Hash(hash) = &pool.balance.policy else { return None };
    let backends: Vec<_> = list.iter().map(|member| (member.backend.name.as_str(), member.weight)).collect();
    Some(Arc::new(Table::build(hash.table, &backends)))
}

/// A panic elsewhere leaves these whole: each change is one call.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
