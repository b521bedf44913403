//! Random lives of a pool's leases, held against what is promised of them.

use super::*;
use proptest::prelude::*;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

const RULES: Rules = Rules { ttl: Duration::from_secs(10), drain: Duration::from_secs(4) };
const STEP: Duration = Duration::from_millis(100);

/// What the outside shows.
#[derive(Default)]
struct World {
    busy: BTreeSet<SocketAddr>,
    dead: BTreeSet<SocketAddr>,
}

impl Signs for World {
    fn in_flight(&self, address: SocketAddr) -> u32 {
        self.busy.contains(&address).into()
    }

    fn is_up(&self, address: SocketAddr) -> bool {
        !self.dead.contains(&address)
    }
}

/// A pool at work, ticked as a keeper does it: when it is due.
struct Pool {
    leases: Leases,
    world: World,
    now: Duration,
    turns: RefCell<Vec<Turn>>,
}

impl Pool {
    fn new(backends: u8) -> Pool {
        let mut pool =
            Pool { leases: Leases::default(), world: World::default(), now: Duration::ZERO, turns: RefCell::default() };
        (0..backends).for_each(|n| pool.put(n));
        pool
    }

    fn put(&mut self, n: u8) {
        self.put_for(n, None);
    }

    fn put_for(&mut self, n: u8, seconds: Option<u64>) {
        let wish = Registration { ttl: seconds.map(Duration::from_secs), ..Registration::default() };
        self.leases.put(at(n), &wish, &Registrant::here("a"), RULES, self.now).unwrap();
    }

    fn remove(&mut self, n: u8) -> Option<Touched> {
        self.leases.remove(at(n), true, RULES, self.now)
    }

    /// Lets time pass, while those that `renews` names do so at a third of their time.
    fn pass(&mut self, time: Duration, renews: &[u8]) {
        let until = self.now + time;
        while self.now < until {
            self.now += STEP;
            for &n in renews {
                self.renew(n);
            }
            self.tick();
        }
    }

    /// As a backend does it: when a third of its time is over, or it is not in the pool.
    fn renew(&mut self, n: u8) {
        let is_time = |lease: &Lease| lease.is_draining() || lease.renewed.plus(lease.ttl / 3) <= self.now;
        if self.leases.get(at(n)).is_none_or(is_time) {
            self.put(n);
        }
    }

    fn tick(&mut self) {
        if self.leases.due().is_some_and(|due| due <= self.now) {
            let turns = self.leases.tick(RULES, &self.world, self.now);
            self.turns.borrow_mut().extend(turns);
        }
    }

    fn state(&self, n: u8) -> &'static str {
        self.leases.get(at(n)).map_or("gone", |lease| lease.state.label())
    }

    fn states(&self, of: impl IntoIterator<Item = u8>) -> Vec<&'static str> {
        of.into_iter().map(|n| self.state(n)).collect()
    }

    /// How often leases began to be kept, which is said in logs.
    fn keeps_begun(&self) -> usize {
        self.turns.borrow().iter().filter(|turn| matches!(turn, Turn::KeepBegins(..))).count()
    }
}

fn at(n: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, n], 80))
}

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[test]
fn one_that_falls_silent_goes_when_its_time_is_over_and_not_before() {
    for size in [2u8, 3, 10] {
        let mut pool = Pool::new(size);
        let others: Vec<u8> = (1..size).collect();
        pool.pass(secs(10) - STEP, &others);
        assert_eq!(pool.state(0), "serving");
        pool.pass(STEP, &others);
        assert_eq!(pool.state(0), "draining", "{size}");
        pool.pass(secs(1), &others);
        assert_eq!(pool.state(0), "gone");
        pool.pass(secs(60), &others);
        assert!(others.iter().all(|&n| pool.state(n) == "serving") && pool.keeps_begun() == 0);
    }
}

#[test]
fn a_network_that_is_cut_empties_no_pool_and_is_said_once() {
    for size in [1u8, 2, 3, 10] {
        let mut pool = Pool::new(size);
        let all: Vec<u8> = (0..size).collect();
        // They come to renew at different times.
        for n in 0..size {
            pool.pass(Duration::from_millis(300), &all[..usize::from(n)]);
        }
        pool.pass(secs(300), &[]);
        assert!(pool.states(0..size).iter().all(|state| *state == "kept"), "{:?}", pool.states(0..size));
        assert_eq!(pool.keeps_begun(), 1);
        pool.pass(secs(5), &all);
        assert!(pool.states(0..size).iter().all(|state| *state == "serving"));
        assert_eq!(pool.turns.borrow().last(), Some(&Turn::KeepEnds));
    }
}

#[test]
fn those_that_do_not_come_back_with_the_others_get_one_more_turn() {
    let mut pool = Pool::new(10);
    pool.pass(secs(20), &[]);
    let back: Vec<u8> = (0..6).collect();
    pool.pass(secs(9), &back);
    assert_eq!(pool.state(9), "kept");
    pool.pass(secs(3), &back);
    assert_eq!(pool.states(5..8), ["serving", "gone", "gone"]);
    assert_eq!(pool.leases.len(), 6);
}

#[test]
fn others_that_come_end_it_as_well() {
    let mut pool = Pool::new(3);
    pool.pass(secs(20), &[]);
    assert_eq!(pool.states(0..3), ["kept"; 3]);
    pool.pass(secs(12), &[10, 11, 12]);
    assert_eq!((pool.states(0..3), pool.leases.len()), (vec!["gone"; 3], 3));
}

#[test]
fn what_is_kept_and_does_not_answer_goes_at_last() {
    let mut pool = Pool::new(3);
    pool.world.dead.insert(at(1));
    pool.pass(secs(10) + Leases::DEAD_MAX - secs(2), &[]);
    assert_eq!(pool.states(0..3), ["kept"; 3]);
    pool.pass(secs(5), &[]);
    assert_eq!(pool.states(0..3), ["kept", "gone", "kept"]);
    // One that answers again in between stays.
    pool.world.dead.insert(at(0));
    pool.pass(secs(500), &[]);
    pool.world.dead.remove(&at(0));
    pool.pass(secs(500), &[]);
    assert_eq!(pool.state(0), "kept");
}

#[test]
fn one_that_leaves_waits_for_its_exchanges_and_no_longer_than_the_pool_allows() {
    let mut pool = Pool::new(3);
    pool.world.busy.extend([at(0), at(1)]);
    assert_eq!([0, 1, 2, 9].map(|n| pool.remove(n).is_some()), [true, true, true, false]);
    assert_eq!((pool.leases.get(at(0)).unwrap().seat_weight(), pool.remove(0)), (0, Some(Touched::Nothing)));
    pool.pass(secs(1), &[]);
    assert_eq!(pool.states(0..3), ["draining", "draining", "gone"]);
    pool.world.busy.remove(&at(0));
    pool.pass(secs(1), &[]);
    assert_eq!(pool.states(0..3), ["gone", "draining", "gone"]);
    pool.pass(secs(2), &[]);
    assert_eq!(pool.leases.len(), 0);
    assert!(pool.turns.borrow().contains(&Turn::Left(at(1), Leave::Asked)));
}

#[test]
fn one_that_comes_back_while_it_leaves_is_new() {
    let mut pool = Pool::new(1);
    pool.world.busy.insert(at(0));
    pool.remove(0);
    pool.pass(secs(1), &[]);
    let granted = pool.leases.put(at(0), &Registration::default(), &Registrant::here("b"), RULES, pool.now).unwrap();
    assert_eq!((granted.is_new, granted.touched, pool.state(0)), (true, Touched::Seats, "serving"));
    assert_eq!(pool.leases.get(at(0)).unwrap().since, pool.now);
}

#[test]
fn a_renewal_touches_only_what_it_changes() {
    let mut pool = Pool::new(2);
    let mut put = |text: &str| {
        let wish = Registration::read(text.as_bytes()).unwrap();
        pool.leases.put(at(0), &wish, &Registrant::here("a"), RULES, pool.now).unwrap()
    };
    assert_eq!(put("{}").touched, Touched::Nothing);
    assert_eq!(put("{\"zone\": \"b\"}").touched, Touched::Nothing);
    assert_eq!(put("{\"load\": 0.5}").touched, Touched::Share);
    assert_eq!(put("{\"load\": 0.5, \"weight\": 2}").touched, Touched::Seats);
    let granted = put("{\"ttl\": \"3s\"}");
    assert_eq!((granted.is_new, granted.ttl), (false, secs(3)));
    // No lease lasts longer than the pool says.
    assert_eq!(put("{\"ttl\": \"1h\"}").ttl, secs(10));
}

#[test]
fn there_are_so_many_and_no_more() {
    let mut leases = Leases::default();
    let mut put = |n: u32| {
        let address = SocketAddr::from((n.to_be_bytes(), 80));
        leases.put(address, &Registration::default(), &Registrant::here("a"), RULES, Duration::ZERO).is_ok()
    };
    let max = u32::try_from(Leases::MAX).unwrap();
    assert!((0..max).all(&mut put) && !put(max) && put(0));
}

#[derive(Clone, Debug)]
enum Step {
    Put(u8, Option<u64>),
    Remove(u8),
    Busy(u8, bool),
    Dead(u8, bool),
    Pass(u64),
    /// Time in which those below that number renew as they should.
    Renewed(u64, u8),
    /// The process ends, and another one reads what was kept.
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let who = || 0u8..6;
    let step = prop_oneof![
        4 => (who(), prop::option::of(1u64..20)).prop_map(|(n, ttl)| Step::Put(n, ttl)),
        2 => who().prop_map(Step::Remove),
        1 => (who(), any::<bool>()).prop_map(|(n, is)| Step::Busy(n, is)),
        1 => (who(), any::<bool>()).prop_map(|(n, is)| Step::Dead(n, is)),
        4 => (1u64..150).prop_map(Step::Pass),
        2 => (1u64..150, 0u8..7).prop_map(|(time, n)| Step::Renewed(time, n)),
        1 => Just(Step::Restart),
    ];
    prop::collection::vec(step, 1..40)
}

/// What was last heard of each, as a bystander notes it down.
#[derive(Default)]
struct Bystander {
    heard: BTreeMap<SocketAddr, (Duration, Duration)>,
}

impl Bystander {
    fn note(&mut self, leases: &Leases) {
        self.heard.retain(|address, _| leases.get(*address).is_some_and(|lease| !lease.is_draining()));
        for lease in leases.iter().filter(|lease| !lease.is_draining()) {
            self.heard.insert(lease.address, (lease.renewed.plus(Duration::ZERO), lease.ttl));
        }
    }

    /// Holds one step of time against what is promised.
    fn judge(&self, turns: &[Turn], now: Duration) -> Result<(), TestCaseError> {
        let silent = self.heard.values().filter(|(heard, ttl)| *heard + *ttl / 2 <= now).count();
        let most = silent * 2 > self.heard.len();
        for turn in turns {
            match turn {
                Turn::Kept(address) => {
                    let (heard, ttl) = self.heard[address];
                    prop_assert!(most && heard + ttl <= now, "{address} is kept without need");
                }
                Turn::RanOut(address) => {
                    let (heard, ttl) = self.heard[address];
                    prop_assert!(heard + ttl <= now, "{address} runs out too early");
                    // With most of the pool, only what was kept and is dead for long.
                    prop_assert!(!most || heard + ttl + Leases::DEAD_MAX <= now, "{address} runs out with most");
                }
                Turn::Silent(address) => prop_assert!(self.heard[address].0 + self.heard[address].1 / 2 <= now),
                Turn::Left(address, _) => prop_assert!(!self.heard.contains_key(address)),
                Turn::KeepBegins(..) | Turn::KeepEnds => {}
            }
        }
        Ok(())
    }
}

/// One step of time, judged.
fn pass(pool: &mut Pool, by: &mut Bystander, tenths: u64, renewing: u8) -> Result<(), TestCaseError> {
    for _ in 0..tenths {
        let renewing: Vec<u8> = (0..renewing).collect();
        let before = pool.turns.borrow().len();
        pool.now += STEP;
        for &n in &renewing {
            pool.renew(n);
        }
        by.note(&pool.leases);
        pool.tick();
        by.judge(&pool.turns.borrow()[before..], pool.now)?;
        by.note(&pool.leases);
        for lease in pool.leases.iter().filter(|lease| lease.state == State::Serving) {
            prop_assert!(lease.ends() > pool.now, "{} serves beyond its time", lease.address);
        }
        prop_assert!(renewing.iter().all(|&n| pool.state(n) == "serving"), "one that renews does not serve");
        prop_assert!(pool.leases.due().is_none_or(|due| due > pool.now), "what is due is not done");
    }
    Ok(())
}

proptest! {
    #[test]
    fn whatever_happens_what_is_promised_holds(steps in steps()) {
        let (mut pool, mut by) = (Pool::new(0), Bystander::default());
        for step in steps {
            match step {
                Step::Put(n, ttl) => {
                    pool.put_for(n, ttl);
                    prop_assert_eq!(pool.state(n), "serving");
                }
                Step::Remove(n) => {
                    let was = pool.state(n);
                    prop_assert_eq!(pool.remove(n).is_some(), was != "gone");
                    prop_assert!(["gone", "draining"].contains(&pool.state(n)));
                }
                Step::Busy(n, true) => drop(pool.world.busy.insert(at(n))),
                Step::Busy(n, false) => drop(pool.world.busy.remove(&at(n))),
                Step::Dead(n, true) => drop(pool.world.dead.insert(at(n))),
                Step::Dead(n, false) => drop(pool.world.dead.remove(&at(n))),
                Step::Pass(tenths) => pass(&mut pool, &mut by, tenths, 0)?,
                Step::Renewed(tenths, below) => pass(&mut pool, &mut by, tenths, below)?,
                Step::Restart => {
                    let mut registry = Registry::default();
                    pool.leases.iter().for_each(|lease| if !lease.is_draining() { registry.restore("p", lease.clone(), pool.now) });
                    let mut leases = Leases::default();
                    for (_, lease) in decode(&encode(&registry, &Services::default())).unwrap().leases {
                        leases.restore(lease, pool.now);
                    }
                    prop_assert!(leases.iter().all(|lease| lease.ends() == pool.now + lease.ttl));
                    let staying = pool.leases.iter().filter(|lease| !lease.is_draining()).map(|lease| lease.address);
                    prop_assert!(leases.iter().map(|lease| lease.address).eq(staying));
                    pool.leases = leases;
                }
            }
        }
        // Left alone for long enough, nothing is on its way out any more.
        pass(&mut pool, &mut by, 60, 0)?;
        let stuck = |lease: &Lease| matches!(lease.state, State::Draining { until, .. } if until < pool.now);
        prop_assert!(!pool.leases.iter().any(stuck));
    }
}
