use super::demand::Watched;
use super::members::{Leased, Names, seats};
use super::{Endpoint, LiveBackend, Member, Members, Queue, rules};
use crate::config::{self, HashTable, Health};
use crate::pool::StickyValues;
use crate::pool::health::Checked;
use crate::pool::health::standing::Facts;
use crate::pool::policy::Table;
use crate::telemetry::Metrics;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

/// What is known of a pool, whatever configuration it comes from.
pub struct PoolState {
    /// Exchanges that wait for room.
    pub queue: Queue,
    /// How many backends it needs.
    pub(super) demand: Watched,
    turns: AtomicU64,
    backends: Mutex<HashMap<Key, Weak<LiveBackend>>>,
    names: Mutex<Names>,
    leased: Mutex<Vec<Leased>>,
    /// What keys were looked up in last.
    table: Mutex<Option<KnownTable>>,
    /// Names whose last lookup failed, and why.
    unresolved: Mutex<BTreeMap<String, String>>,
    /// Held while a failure is judged, so that no more are ejected at once than may be.
    pub(super) judging: Mutex<()>,
    /// Signs sticky cookies where the configuration has no secret; `None` if the system gives no random bytes.
    secret: Option<[u8; 32]>,
}

impl Default for PoolState {
    fn default() -> Self {
        let mut secret = [0; 32];
        PoolState {
            queue: Queue::default(),
            demand: Watched::default(),
            turns: AtomicU64::default(),
            backends: Mutex::default(),
            names: Mutex::default(),
            leased: Mutex::default(),
            table: Mutex::default(),
            unresolved: Mutex::default(),
            judging: Mutex::default(),
            secret: getrandom::fill(&mut secret).is_ok().then_some(secret),
        }
    }
}

/// Under which a backend's state is found again.
type Key = (Endpoint, Option<Health>);

/// A table, and what it was made of.
struct KnownTable {
    kind: HashTable,
    backends: Vec<(String, u16)>,
    table: Arc<Table>,
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

    /// Who registered.
    pub fn set_leased(&self, leased: Vec<Leased>) {
        *lock(&self.leased) = leased;
    }

    /// Whether somebody has.
    #[must_use]
    pub fn has_leased(&self) -> bool {
        !lock(&self.leased).is_empty()
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

    pub(super) fn unresolved(&self) -> Vec<(String, String)> {
        lock(&self.unresolved).iter().map(|(name, why)| (name.clone(), why.clone())).collect()
    }

    /// The backends of `pool`, with what is known of those that were there before.
    #[must_use]
    pub fn members(&self, pool: &config::Pool, metrics: &Metrics, now: Duration) -> Members {
        let (names, leased) = (self.names(), lock(&self.leased).clone());
        let mut known = lock(&self.backends);
        known.retain(|_, backend| backend.strong_count() > 0);
        let limits = rules::concurrency(pool);
        let start = limits.and_then(|_| usual_limit(known.values()));
        let list = seats(pool, &names, &leased).into_iter().map(|seat| {
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
            let limiter = limits.map(|rules| backend.limiter(rules, start, now));
            Member {
                endpoint: seat.endpoint,
                host: seat.host,
                weight: seat.weight,
                is_doubted: seat.is_doubted,
                backend,
                tally,
                limiter,
            }
        });
        let list: Vec<_> = list.collect();
        Members { sticky: self.sticky(pool, &list), table: self.table(pool, &list), list }
    }

    /// What keys are looked up in, where the policy hashes; the same as before for the same backends, as it is costly.
    fn table(&self, pool: &config::Pool, list: &[Member]) -> Option<Arc<Table>> {
        let config::Policy::Hash(hash) = &pool.balance.policy else { return None };
        let backends: Vec<_> = list.iter().map(|member| (member.backend.name.clone(), member.weight)).collect();
        let mut known = lock(&self.table);
        if let Some(known) = &*known
            && known.kind == hash.table
            && known.backends == backends
        {
            return Some(Arc::clone(&known.table));
        }
        let named: Vec<_> = backends.iter().map(|(name, weight)| (name.as_str(), *weight)).collect();
        let table = Arc::new(Table::build(hash.table, &named));
        *known = Some(KnownTable { kind: hash.table, table: Arc::clone(&table), backends });
        Some(table)
    }

    fn sticky(&self, pool: &config::Pool, list: &[Member]) -> Option<StickyValues> {
        let sticky = pool.balance.sticky.as_ref()?;
        let secret = sticky.secret.as_deref().or(self.secret.as_ref().map(<[u8; 32]>::as_slice))?;
        Some(StickyValues::new(secret, &pool.name, list.iter().map(|member| member.backend.name.as_str())))
    }
}

/// What the backends that are known bear, in the mean: a new one is likely one of their kind.
fn usual_limit<'a>(known: impl Iterator<Item = &'a Weak<LiveBackend>>) -> Option<u32> {
    let limiters = known.filter_map(|backend| backend.upgrade()?.known_limiter());
    let limits: Vec<u64> = limiters.map(|limiter| u64::from(limiter.sustainable())).collect();
    let count = u64::try_from(limits.len()).ok().filter(|count| *count > 0)?;
    u32::try_from(limits.iter().sum::<u64>() / count).ok()
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
        eased: before.map_or(0, |before| before.eased),
    }
}

/// A panic elsewhere leaves these whole: each change is one call.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
