//! The leases of one pool.

use super::lease::{GivenBack, Lease, Leave, Registrant, State};
use super::{Moment, Registration};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

/// The leases of one pool, by address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leases {
    pub(super) leases: BTreeMap<SocketAddr, Lease>,
    /// When some were given back, for as long as an older word on them may come.
    pub(super) given_back: BTreeMap<SocketAddr, GivenBack>,
    /// When time passed last.
    looked: Duration,
    /// Some were kept then.
    keeps: bool,
    counts: Counts,
}

/// What happened so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Leases renewed, here.
    pub renewals: u64,
    /// Leases that ran out, and whose backends had to go.
    pub expiries: u64,
    /// Leases that ran out, and were kept.
    pub kept: u64,
}

/// What a pool says of its leases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// How long a lease lasts at most.
    pub ttl: Duration,
    /// How long a backend that leaves may take to end its exchanges.
    pub drain: Duration,
}

/// What the outside shows of the backends of a pool.
pub trait Signs {
    /// Exchanges that it has.
    fn in_flight(&self, address: SocketAddr) -> u32;
    /// Whether it answers, as far as anybody knows.
    fn is_up(&self, address: SocketAddr) -> bool;
}

/// A lease that was granted or renewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Granted {
    /// There was none before, or one that was on its way out.
    pub is_new: bool,
    /// How long it lasts.
    pub ttl: Duration,
    /// What of the pool changes for it.
    pub touched: Touched,
    /// What of it that is to survive a restart is another than before.
    pub changed: Changed,
}

/// What of a lease that is to survive a restart is another than before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Changed {
    /// Nothing.
    Nothing,
    /// Only how long it lasts.
    Ttl,
    /// All else.
    Terms,
}

/// What of a pool is to be made anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Touched {
    /// Nothing.
    Nothing,
    /// How much of its weight a backend gets.
    Share,
    /// Who is in it, with which weight, or who is looked at more closely.
    Seats,
}

/// The pool has as many leases as it may have: [`Leases::MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// What happened by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Nothing is heard of a backend: whether it answers is to be found out.
    Silent(SocketAddr),
    /// A lease ran out and is kept.
    Kept(SocketAddr),
    /// A lease ran out; its backend drains.
    RanOut(SocketAddr),
    /// A backend has left; why.
    Left(SocketAddr, Leave),
    /// More than half of a pool is silent, and leases that run out are kept from now on; how many are silent, and of how
    /// many.
    KeepBegins(usize, usize),
    /// No lease is kept any more.
    KeepEnds,
}

impl Leases {
    /// Grants or renews a lease, for no longer than `rules` allow. All that is not said of it has its default.
    ///
    /// # Errors
    /// [`Full`]: it would be a new one, and there are too many.
    pub fn put(
        &mut self,
        address: SocketAddr,
        wish: &Registration,
        by: &Registrant,
        rules: Rules,
        now: Duration,
    ) -> Result<Granted, Full> {
        self.grant(address, wish, by, rules, (Moment::at(now), now))
    }

    /// The same, of what was said at a moment and is heard now.
    pub(super) fn grant(
        &mut self,
        address: SocketAddr,
        wish: &Registration,
        by: &Registrant,
        rules: Rules,
        (said, now): (Moment, Duration),
    ) -> Result<Granted, Full> {
        let ttl = wish.ttl.unwrap_or(rules.ttl).min(rules.ttl);
        let is_full = self.leases.len() >= Leases::MAX;
        let Some(lease) = self.leases.get_mut(&address) else {
            if is_full {
                return Err(Full);
            }
            self.leases.insert(address, Lease::granted(address, wish, ttl, by.clone(), said, now));
            return Ok(Granted { is_new: true, ttl, touched: Touched::Seats, changed: Changed::Terms });
        };
        let before = lease.clone();
        let is_new = lease.is_draining();
        *lease = Lease::granted(address, wish, ttl, by.clone(), said, now);
        if !is_new {
            lease.since = before.since;
            lease.load = before.load.moved(wish.load);
            self.counts.renewals += u64::from(by.member.is_none());
        }
        Ok(Granted { is_new, ttl, touched: touched(&before, lease), changed: changed(&before, lease, is_new) })
    }

    /// Gives a lease back, [for good](GivenBack::for_good) or not: its backend drains, if it does not already. `None`: there is none.
    pub fn remove(&mut self, address: SocketAddr, for_good: bool, rules: Rules, now: Duration) -> Option<Touched> {
        self.take_back(address, GivenBack { said: Moment::at(now), for_good }, rules, now)
    }

    pub(super) fn take_back(
        &mut self,
        address: SocketAddr,
        back: GivenBack,
        rules: Rules,
        now: Duration,
    ) -> Option<Touched> {
        let lease = self.leases.get_mut(&address)?;
        if self.given_back.len() < Leases::MAX {
            self.given_back.insert(address, back);
        }
        if let State::Draining { why, .. } = &mut lease.state {
            *why = Leave::Asked;
            return Some(Touched::Nothing);
        }
        lease.drain(Leave::Asked, rules, now);
        Some(Touched::Seats)
    }

    /// Forgets a lease at once, as if it had never been; whether there was one.
    pub fn forget(&mut self, address: SocketAddr) -> bool {
        self.leases.remove(&address).is_some()
    }

    /// Puts what was known of a lease before a restart back, with all of its time before it.
    pub fn restore(&mut self, lease: Lease, now: Duration) {
        if self.leases.len() < Leases::MAX {
            let fresh = Lease { since: now, renewed: Moment::at(now), state: State::Serving, silent: false, ..lease };
            self.leases.insert(fresh.address, fresh);
        }
    }

    /// Lets time pass: leases run out, backends that left are gone. To be called when it is [`due`](Self::due).
    pub fn tick(&mut self, rules: Rules, signs: &impl Signs, now: Duration) -> Vec<Turn> {
        self.looked = now;
        self.given_back.retain(|_, back| back.said.plus(rules.ttl) > now);
        let mut turns = Vec::new();
        for lease in self.leases.values_mut().filter(|lease| !lease.is_draining()) {
            if !lease.silent && lease.falls_silent() <= now {
                lease.silent = true;
                turns.push(Turn::Silent(lease.address));
            }
        }
        let (silent, present) = self.silent();
        let keeps = silent * 2 > present;
        for lease in self.leases.values_mut() {
            turns.extend(lease.turn(keeps, rules, signs, now));
        }
        let count = |wanted: fn(&Turn) -> bool| turns.iter().filter(|turn| wanted(turn)).count() as u64;
        self.counts.expiries += count(|turn| matches!(turn, Turn::RanOut(_)));
        self.counts.kept += count(|turn| matches!(turn, Turn::Kept(_)));
        self.leases.retain(|_, lease| !lease.has_left(signs, now, &mut turns));
        let kept = self.leases.values().any(|lease| matches!(lease.state, State::Kept { .. }));
        match (std::mem::replace(&mut self.keeps, kept), kept) {
            (false, true) => turns.push(Turn::KeepBegins(silent, present)),
            (true, false) => turns.push(Turn::KeepEnds),
            _ => {}
        }
        turns
    }

    /// When [`tick`](Self::tick) has something to do next.
    #[must_use]
    pub fn due(&self) -> Option<Duration> {
        let of = |lease: &Lease| match lease.state {
            State::Draining { until, .. } => until.min(self.looked + DRAIN_LOOK),
            State::Kept { leaves, .. } => leaves.unwrap_or(Duration::MAX),
            State::Serving if lease.silent => lease.ends(),
            State::Serving => lease.falls_silent(),
        };
        // That nothing is kept any more is to be said soon.
        let look = self.keeps.then(|| self.looked + KEPT_LOOK);
        self.leases.values().map(of).chain(look).min()
    }

    /// All, in the order of their addresses.
    pub fn iter(&self) -> impl Iterator<Item = &Lease> {
        self.leases.values()
    }

    /// One.
    #[must_use]
    pub fn get(&self, address: SocketAddr) -> Option<&Lease> {
        self.leases.get(&address)
    }

    /// When one was given back, for as long as that is remembered.
    #[must_use]
    pub fn given_back(&self, address: SocketAddr) -> Option<GivenBack> {
        self.given_back.get(&address).copied()
    }

    /// What happened so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.leases.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.leases.is_empty()
    }

    /// Of those that do not drain: how many are silent, and how many there are.
    fn silent(&self) -> (usize, usize) {
        let present = || self.leases.values().filter(|lease| !lease.is_draining());
        (present().filter(|lease| lease.silent).count(), present().count())
    }

    /// So many leases a pool.
    pub const MAX: usize = 4_096;

    /// How long a backend whose lease is kept may not answer before the lease ends all the same: by then its address may
    /// have become somebody else's.
    pub const DEAD_MAX: Duration = Duration::from_secs(600);
}

impl Lease {
    /// What becomes of one whose time is over. `keeps`: more than half of the pool is silent.
    fn turn(&mut self, keeps: bool, rules: Rules, signs: &impl Signs, now: Duration) -> Option<Turn> {
        let is_over = self.ends() <= now;
        let ends = match &mut self.state {
            State::Draining { .. } => return None,
            State::Serving if !is_over => return None,
            State::Serving if keeps => {
                self.state = State::Kept { leaves: None, dead_since: None };
                return Some(Turn::Kept(self.address));
            }
            State::Serving => true,
            State::Kept { leaves, dead_since } => {
                // Once the others are back, those that are about to come back get as long as a lease lasts for it.
                *leaves = if keeps { None } else { leaves.or(Some(now.saturating_add(self.ttl))) };
                *dead_since = if signs.is_up(self.address) { None } else { dead_since.or(Some(now)) };
                leaves.is_some_and(|leaves| leaves <= now)
                    || dead_since.is_some_and(|since| now.saturating_sub(since) >= Leases::DEAD_MAX)
            }
        };
        ends.then(|| {
            self.drain(Leave::RanOut, rules, now);
            Turn::RanOut(self.address)
        })
    }

    fn drain(&mut self, why: Leave, rules: Rules, now: Duration) {
        self.state = State::Draining { until: now.saturating_add(rules.drain), why, quiet: false };
        self.silent = false;
    }

    /// Whether a backend that drains is done. It must have nothing to do twice in a row: what was just chosen is on its way.
    fn has_left(&mut self, signs: &impl Signs, now: Duration, turns: &mut Vec<Turn>) -> bool {
        let State::Draining { until, why, quiet } = &mut self.state else { return false };
        let is_idle = signs.in_flight(self.address) == 0;
        let has_left = *until <= now || (is_idle && *quiet);
        *quiet = is_idle;
        if has_left {
            turns.push(Turn::Left(self.address, *why));
        }
        has_left
    }
}

pub(super) fn touched(before: &Lease, after: &Lease) -> Touched {
    let seat = |lease: &Lease| (lease.seat_weight(), lease.silent || lease.probed, lease.state.label());
    match () {
        () if seat(before) != seat(after) => Touched::Seats,
        () if before.load.share() != after.load.share() => Touched::Share,
        () => Touched::Nothing,
    }
}

fn changed(before: &Lease, after: &Lease, is_new: bool) -> Changed {
    let terms = |lease: &Lease| (lease.weight, lease.zone.clone(), lease.by.clone(), lease.probed);
    match () {
        () if is_new || terms(before) != terms(after) => Changed::Terms,
        () if before.ttl != after.ttl => Changed::Ttl,
        () => Changed::Nothing,
    }
}

/// How often a backend that drains is looked at.
const DRAIN_LOOK: Duration = Duration::from_millis(100);

/// How often a pool is where leases are kept.
const KEPT_LOOK: Duration = Duration::from_secs(1);
