//! The leases of this process: asked by the admin listener, kept by the keeper, told to whoever listens.
//!
//! Any thread may [`put`](LiveRegistry::put), [`remove`](LiveRegistry::remove) and look. The keeper's thread lets time
//! pass ([`tick`](LiveRegistry::tick)) and gives pools their members; what it has done so far is
//! [`applied`](LiveRegistry::applied). Other interfaces to register by come in through the same methods. What
//! other members of a fleet say comes in by [`hear`](LiveRegistry::hear); what is to be told to them is in
//! [`changes`](LiveRegistry::changes), and all of it in [`words`](LiveRegistry::words).

mod change;
mod judge;
mod look;
mod others;
mod refused;
mod rules;
mod services;

pub use change::{LeaseChange, LeaseTurn};
pub use look::{LeaseLook, LeasedHealth};
pub use refused::Refused;
pub use rules::Who;
pub use services::ServiceLook;

use super::state::lock;
use super::{Snapshot, StateDir, StateError, StateFile};
use crate::registry::{
    self, Changed, Clocks, Granted, Heard, Lease, Moment, Registrant, Registration, Registry, Services, Touched, Turn,
    Word,
};
use crate::telemetry::metrics::{LeasesLook, Look};
use rules::PoolRules;
use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{Notify, broadcast, watch};

/// The leases of all pools, with all that is to happen for them.
pub struct LiveRegistry {
    book: Mutex<Book>,
    /// There is something to do for the keeper.
    turned: Notify,
    applied: watch::Sender<u64>,
    changes: broadcast::Sender<LeaseChange>,
    state: Arc<StateDir>,
}

#[derive(Default)]
struct Book {
    registry: Registry,
    /// Services that an agent of another registry would have.
    services: Services,
    /// Pools that take registrations, by name.
    rules: HashMap<String, PoolRules>,
    /// All pools that there are.
    pools: Vec<String>,
    /// Counts what changed.
    version: u64,
    /// What the keeper has to make anew.
    touched: BTreeMap<String, Touched>,
    /// It is to be written down.
    unwritten: bool,
    /// Another process keeps them.
    is_over: bool,
}

/// What the keeper has to do.
#[derive(Debug, PartialEq, Eq)]
pub struct Work {
    /// Pools, and what of them is to be made anew.
    pub touched: BTreeMap<String, Touched>,
    /// To be [applied](LiveRegistry::has_applied) then.
    pub version: u64,
}

/// A registration that holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registered {
    /// As it was granted.
    pub granted: Granted,
    /// To be waited for by who wants it to be in the pool: [`LiveRegistry::applied`].
    pub version: u64,
}

impl LiveRegistry {
    /// An empty one, which keeps its leases in `state`.
    #[must_use]
    pub fn new(state: Arc<StateDir>) -> LiveRegistry {
        LiveRegistry {
            book: Mutex::default(),
            turned: Notify::new(),
            applied: watch::Sender::new(0),
            changes: broadcast::Sender::new(CHANGES_MAX),
            state,
        }
    }

    /// Takes what was kept by the process before in the place of what is known, with all of its time before it. Gives what
    /// is to be waited for until it is in the pools.
    ///
    /// # Errors
    /// A newer version wrote it, or it cannot be read.
    pub fn recall(&self, now: Duration) -> Result<u64, StateError> {
        let kept = match self.state.read(&LEASES)?.map(|kept| registry::decode(&kept.content)) {
            Some(Some(kept)) => kept,
            Some(None) => {
                self.state.set_aside(&LEASES, "its content is none of leases");
                registry::Kept::default()
            }
            None => registry::Kept::default(),
        };
        let mut book = lock(&self.book);
        book.registry = Registry::default();
        book.services = Services::default();
        // Of a pool that takes none any more nothing is due ever again.
        let Book { registry, services, rules, .. } = &mut *book;
        let kept_services = kept.services.into_iter().filter(|service| rules.contains_key(&service.pool));
        kept_services.for_each(|service| services.restore(service, now));
        for (pool, mut lease) in kept.leases {
            let Some(rules) = rules.get(&pool).map(|rules| rules.rules) else { continue };
            // How long that of a service lasts was not written down each time.
            if let Some(wish) = services.lease_at(&pool, lease.address, &lease.by.name, now) {
                lease.ttl = wish.ttl.unwrap_or(rules.ttl).min(rules.ttl);
            }
            registry.restore(&pool, lease, now);
        }
        self.judge(&mut book, now);
        let pools: Vec<String> = book.rules.keys().cloned().collect();
        pools.iter().for_each(|pool| book.touch(pool, Touched::Seats));
        self.turned.notify_one();
        Ok(book.version)
    }

    /// The pools are those of `snapshot` from now on. Leases of those that take none any more are forgotten, and others are
    /// judged anew.
    pub fn configure(&self, snapshot: &Snapshot, now: Duration) {
        let mut book = lock(&self.book);
        book.rules = PoolRules::of(snapshot);
        book.pools = snapshot.config.pools.iter().map(|pool| pool.name.clone()).collect();
        let Book { registry, services, rules, .. } = &mut *book;
        let forgot = services.retain(|service| rules.contains_key(&service.pool));
        if registry.retain(|pool| rules.contains_key(pool)) || forgot {
            book.unwritten = true;
            self.turned.notify_one();
        }
        self.judge(&mut book, now);
    }

    /// Registers a backend, or renews its lease, if `who` may: by the same words, so that what was given back stays out until it
    /// has left, whoever still renews it.
    ///
    /// # Errors
    /// [`Refused`]
    pub fn put(
        &self,
        pool: &str,
        address: SocketAddr,
        wish: &Registration,
        who: Who<'_>,
        now: Duration,
    ) -> Result<Registered, Refused> {
        let mut book = lock(&self.book);
        book.rules(pool, who)?.may_stand(address, who)?;
        if book.lease(pool, address).is_some_and(Lease::is_leaving) {
            return Err(Refused::Leaves);
        }
        self.put_by(&mut book, pool, address, wish, who, now)
    }

    /// Registers a backend, if `who` may, where renewals are other words than that: one that was given back is there again at once.
    ///
    /// # Errors
    /// [`Refused`]
    pub fn register(
        &self,
        pool: &str,
        address: SocketAddr,
        wish: &Registration,
        who: Who<'_>,
        now: Duration,
    ) -> Result<Registered, Refused> {
        let mut book = lock(&self.book);
        book.rules(pool, who)?.may_stand(address, who)?;
        self.put_by(&mut book, pool, address, wish, who, now)
    }

    /// Renews a lease as it is, if `who` may.
    ///
    /// # Errors
    /// [`Refused`]: among it, that there is none, or only one that is on its way out, and whether that was asked for.
    pub fn renew(&self, pool: &str, address: SocketAddr, who: Who<'_>, now: Duration) -> Result<Registered, Refused> {
        let mut book = lock(&self.book);
        book.rules(pool, who)?.may_stand(address, who)?;
        let as_it_is = match book.lease(pool, address) {
            Some(lease) if lease.is_leaving() => return Err(Refused::Leaves),
            Some(lease) if !lease.is_draining() => Registration::of(lease),
            _ => return Err(Refused::NoLease),
        };
        self.put_by(&mut book, pool, address, &as_it_is, who, now)
    }

    fn put_by(
        &self,
        book: &mut Book,
        pool: &str,
        address: SocketAddr,
        wish: &Registration,
        who: Who<'_>,
        now: Duration,
    ) -> Result<Registered, Refused> {
        let (rules, by) = (book.rules.get(pool).ok_or(Refused::NoPool)?.rules, Registrant::here(who.name()));
        let granted =
            book.registry.put(pool, address, wish, &by, rules, now).map_err(|registry::Full| Refused::Full)?;
        self.granted(book, pool, address, granted, false);
        Ok(Registered { granted, version: book.version })
    }

    /// Takes the word of another member of the fleet. What is to be waited for until it is in the pool; `None`: it was no news.
    ///
    /// # Errors
    /// [`Refused`]: here there is no such pool, no room, or the address is this process's own or stands in the configuration.
    pub fn hear(&self, word: &Word, clocks: Clocks) -> Result<Option<u64>, Refused> {
        let mut book = lock(&self.book);
        let rules = book.rules.get(&word.pool).ok_or_else(|| book.why_no_rules(&word.pool))?;
        rules.may_stand_at_all(word.address)?;
        let rules = rules.rules;
        let (pool, address) = (&*word.pool, word.address);
        let heard = book.registry.hear(word, rules, clocks).map_err(|registry::Full| Refused::Full)?;
        let said = Moment::of_fleet(word.said, clocks);
        let forgot = word.is_for_good() && book.services.forget_at(pool, address, said);
        // What this process renewed since then was renewed for the services that are forgotten; not so what others registered,
        // or another service here.
        let is_theirs = forgot
            && !book.services.is_any_at(pool, address)
            && book.lease(pool, address).is_some_and(|lease| lease.probed && lease.by.member.is_none());
        match heard {
            Heard::Old if is_theirs => {
                let touched = book.registry.remove(pool, address, true, rules, clocks.now);
                self.given_back(&mut book, pool, address, touched.unwrap_or(Touched::Nothing), false);
            }
            Heard::Old => return Ok(None),
            Heard::Granted(granted) => self.granted(&mut book, pool, address, granted, true),
            Heard::GivenBack(touched) => self.given_back(&mut book, pool, address, touched, true),
        }
        Ok(Some(book.version))
    }

    /// All that is to be told of leases to a member that knows of none, those heard from others included; what this process
    /// granted as that of `me`.
    #[must_use]
    pub fn words(&self, me: &Arc<str>, clocks: Clocks) -> Vec<Word> {
        lock(&self.book).registry.words(me, clocks)
    }

    fn granted(&self, book: &mut Book, pool: &str, address: SocketAddr, granted: Granted, heard: bool) {
        if granted.touched > Touched::Nothing {
            book.touch(pool, granted.touched);
        }
        book.unwritten |= granted.changed > Changed::Nothing;
        if granted.is_new {
            tracing::info!(pool, %address, ttl = ?granted.ttl, elsewhere = heard, "registered");
        }
        self.tell(book, pool, address, LeaseTurn::Granted { is_new: granted.is_new }, heard);
        self.turned.notify_one();
    }

    /// Takes a backend out: it drains, and goes, and services that are there are forgotten. What is to be waited for by who wants it to get nothing new.
    ///
    /// # Errors
    /// [`Refused`]
    pub fn remove(&self, pool: &str, address: SocketAddr, who: Who<'_>, now: Duration) -> Result<u64, Refused> {
        let mut book = lock(&self.book);
        let rules = book.rules(pool, who)?;
        rules.may_change(address, who)?;
        let rules = rules.rules;
        let forgot = book.services.forget_at(pool, address, Moment::at(now));
        let touched = match book.registry.remove(pool, address, true, rules, now) {
            Some(touched) => touched,
            None if forgot => Touched::Nothing,
            None => return Err(Refused::NoLease),
        };
        self.given_back(&mut book, pool, address, touched, false);
        Ok(book.version)
    }

    fn given_back(&self, book: &mut Book, pool: &str, address: SocketAddr, touched: Touched, heard: bool) {
        if touched > Touched::Nothing {
            tracing::info!(pool, %address, elsewhere = heard, "given back: it drains");
            book.touch(pool, touched);
            book.unwritten = true;
            self.tell(book, pool, address, LeaseTurn::Draining(registry::Leave::Asked), heard);
            self.turned.notify_one();
        }
    }

    /// Whether there is a lease, on its way out or not.
    #[must_use]
    pub fn has(&self, pool: &str, address: SocketAddr) -> bool {
        lock(&self.book).lease(pool, address).is_some()
    }

    /// Whether there is a lease that nobody gave back.
    #[must_use]
    pub fn stays(&self, pool: &str, address: SocketAddr) -> bool {
        lock(&self.book).lease(pool, address).is_some_and(|lease| !lease.is_leaving())
    }

    /// From now on another process keeps them: here no lease runs out any more.
    pub fn hand_over(&self) {
        lock(&self.book).is_over = true;
    }

    /// Lets time pass, and gives what is to be done for all that changed since it was asked last.
    pub fn tick(&self, now: Duration) -> Work {
        let mut book = lock(&self.book);
        let due = if book.is_over { Vec::new() } else { book.registry.due_by(now) };
        for pool in due {
            let Some(rules) = book.rules.get(&pool) else { continue };
            let (its, signs) = (rules.rules, rules.signs());
            let turns = book.registry.tick(&pool, its, &signs, now);
            self.turned_by_itself(&mut book, &pool, &turns);
        }
        if !book.is_over {
            self.sweep(&mut book, now);
        }
        Work { touched: std::mem::take(&mut book.touched), version: book.version }
    }

    fn turned_by_itself(&self, book: &mut Book, pool: &str, turns: &[Turn]) {
        for turn in turns {
            turn_said(pool, turn);
            book.touch(pool, Touched::Seats);
            let (address, what) = match turn {
                Turn::Silent(_) | Turn::KeepBegins(..) | Turn::KeepEnds => continue,
                Turn::Kept(address) => (*address, LeaseTurn::Kept),
                Turn::RanOut(address) => (*address, LeaseTurn::Draining(registry::Leave::RanOut)),
                Turn::Left(address, why) => (*address, LeaseTurn::Left(*why)),
            };
            book.unwritten = true;
            self.tell(book, pool, address, what, false);
        }
    }

    /// Waits until there may be something to do: somebody came or went, or it is time. Cancel-safe.
    pub async fn due(&self, now: impl Fn() -> Duration) {
        let due = Some(lock(&self.book))
            .filter(|book| !book.is_over)
            .and_then(|book| book.registry.due().into_iter().chain(book.services.due()).min());
        let wait = due.map_or(Duration::MAX, |due| due.saturating_sub(now()));
        tokio::select! {
            () = self.turned.notified() => {}
            () = tokio::time::sleep(wait.min(WAIT_MAX)) => {}
        }
    }

    /// All up to that version is in the pools.
    pub fn has_applied(&self, version: u64) {
        self.applied.send_replace(version);
    }

    /// Waits until all up to that version is in the pools, for a bounded time.
    pub async fn applied(&self, version: u64) {
        let mut applied = self.applied.subscribe();
        let _ = tokio::time::timeout(APPLIED_MAX, applied.wait_for(|done| *done >= version)).await;
    }

    /// What changes from now on. Who is too slow misses some, is told so, and may ask for all [words](Self::words).
    #[must_use]
    pub fn changes(&self) -> broadcast::Receiver<LeaseChange> {
        self.changes.subscribe()
    }

    /// Those of a pool, as it stands in it.
    #[must_use]
    pub fn of_pool(&self, pool: &str) -> Vec<Lease> {
        lock(&self.book).registry.pool(pool).map(|leases| leases.iter().cloned().collect()).unwrap_or_default()
    }

    /// Those of a pool, for who wants to know how they are.
    ///
    /// # Errors
    /// [`Refused`]: there is no such pool, or it takes none.
    pub fn look(&self, pool: &str, now: Duration) -> Result<Vec<LeaseLook>, Refused> {
        let book = lock(&self.book);
        let rules = book.rules.get(pool).ok_or_else(|| book.why_no_rules(pool))?;
        let leases = book.registry.pool(pool).into_iter().flat_map(registry::Leases::iter);
        Ok(look::of(leases, rules, now))
    }

    /// Adds to what is looked up at a scrape.
    pub fn look_into(&self, look: &mut Look) {
        let book = lock(&self.book);
        for pool in &mut look.pools {
            pool.leases = book.rules.contains_key(&pool.pool).then(|| {
                let leases = book.registry.pool(&pool.pool);
                leases.map_or_else(LeasesLook::default, look::counted)
            });
        }
    }

    /// Hands what is to survive over to be written, if it changed: who is there and how, not that somebody was heard again.
    pub fn write(&self) {
        let mut book = lock(&self.book);
        book.unwritten |= book.services.takes_change();
        if std::mem::take(&mut book.unwritten) {
            self.state.keep(&LEASES, registry::encode(&book.registry, &book.services));
        }
    }

    fn tell(&self, book: &Book, pool: &str, address: SocketAddr, what: LeaseTurn, heard: bool) {
        if self.changes.receiver_count() > 0 {
            let leases = book.registry.pool(pool);
            let (lease, given_back) =
                (leases.and_then(|it| it.get(address)), leases.and_then(|it| it.given_back(address)));
            let (pool, lease) = (pool.to_owned(), lease.cloned());
            let _ = self.changes.send(LeaseChange { pool, address, lease, what, heard, given_back });
        }
    }
}

impl Book {
    fn touch(&mut self, pool: &str, touched: Touched) {
        self.version += 1;
        let before = self.touched.entry(pool.to_owned()).or_insert(touched);
        *before = touched.max(*before);
    }

    /// What a pool says, if `who` may register there.
    fn rules(&self, pool: &str, who: Who<'_>) -> Result<&PoolRules, Refused> {
        let rules = self.rules.get(pool).ok_or_else(|| self.why_no_rules(pool))?;
        rules.may_ask(who).map(|()| rules)
    }

    fn lease(&self, pool: &str, address: SocketAddr) -> Option<&Lease> {
        self.registry.pool(pool)?.get(address)
    }

    fn why_no_rules(&self, pool: &str) -> Refused {
        if self.pools.iter().any(|name| name == pool) { Refused::Closed } else { Refused::NoPool }
    }
}

fn turn_said(pool: &str, turn: &Turn) {
    match turn {
        Turn::Silent(address) => tracing::debug!(pool, %address, "nothing is heard of a backend"),
        Turn::Kept(address) => tracing::debug!(pool, %address, "a lease ran out, and is kept"),
        Turn::RanOut(address) => tracing::warn!(pool, %address, "a lease ran out: its backend drains"),
        Turn::Left(address, _) => tracing::info!(pool, %address, "left"),
        Turn::KeepBegins(silent, of) => tracing::warn!(
            pool,
            silent,
            of,
            "more than half of a pool is silent: leases that run out are kept, with the backends that answer"
        ),
        Turn::KeepEnds => tracing::info!(pool, "no lease is kept any more"),
    }
}

/// Where leases are kept.
static LEASES: StateFile = StateFile { name: "leases", version: 1, bytes_max: 64 << 20 };

/// Changes that wait for the slowest of those who listen.
const CHANGES_MAX: usize = 1_024;

/// It wakes when it is told to; this only bounds the wait.
const WAIT_MAX: Duration = Duration::from_secs(3600);

/// The keeper does it at once, or hangs.
const APPLIED_MAX: Duration = Duration::from_secs(2);
