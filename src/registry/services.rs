//! Services that are registered as an agent of another registry takes them: what is known of each, and what that makes of leases.

use super::{Moment, Registration, Service, ServiceCheck, Status};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// All services, by their own names.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Services {
    by_id: BTreeMap<String, Service>,
    swept: Duration,
    /// What is to survive a restart is another than when somebody asked last.
    changed: bool,
}

/// What is to become of a lease.
#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    /// To be granted or renewed, for who registered the service.
    Put(String, SocketAddr, Registration, Arc<str>),
    /// To be taken back, if it is there.
    Remove(String, SocketAddr),
}

impl Services {
    /// Registers a service, in the place of one of the same name. A check that there was keeps its standing. `None`: the pool
    /// has too many.
    pub fn register(&mut self, mut service: Service, now: Duration) -> Option<Vec<Act>> {
        let is_there = self.by_id.get(&service.id).is_some_and(|before| before.pool == service.pool);
        if !is_there && self.is_full(&service.pool) {
            return None;
        }
        let before = self.by_id.remove(&service.id);
        let mut left = None;
        self.changed |= before.is_none();
        if let Some(before) = before {
            for check in &mut service.checks {
                let known = before.checks.iter().find(|known| known.id == check.id && known.ttl == check.ttl);
                if let Some(known) = known {
                    (check.status, check.heard, check.note) = (known.status, known.heard, known.note.clone());
                    check.critical_since = known.critical_since;
                }
            }
            self.changed |= before.kept() != service.kept();
            if (&before.pool, before.address) != (&service.pool, service.address) {
                left = Some((before.pool, before.address));
            }
        }
        let id = service.id.clone();
        self.by_id.insert(id.clone(), service);
        let left = left.map(|(pool, address)| self.act_at(pool, address, now));
        Some(left.into_iter().chain(self.act(&id, now)).collect())
    }

    /// Forgets a service. `None`: there is none.
    pub fn deregister(&mut self, id: &str, now: Duration) -> Option<Act> {
        let service = self.by_id.remove(id)?;
        self.changed = true;
        Some(self.act_at(service.pool, service.address, now))
    }

    /// Forgets all services at an address of which nothing later was said; whether there were any.
    pub fn forget_at(&mut self, pool: &str, address: SocketAddr, said: Moment) -> bool {
        self.retain(|service| !service.is_at(pool, address) || service.said() > said)
    }

    /// A service says how a check of it stands. `None`: there is no such check that is said.
    pub fn hear(&mut self, id: &str, check: &str, status: Status, note: &str, now: Duration) -> Option<Act> {
        let service = self.by_id.get_mut(id)?;
        let known = service.checks.iter_mut().find(|known| known.id == check && known.ttl.is_some())?;
        self.changed |= known.status != status;
        known.says(status, note.chars().take(NOTE_CHARS_MAX).collect(), now);
        self.act(id, now)
    }

    /// Adds a check to a service, or replaces one. `None`: there is no such service, or it has too many.
    pub fn add_check(&mut self, id: &str, check: ServiceCheck, now: Duration) -> Option<Act> {
        let service = self.by_id.get_mut(id)?;
        let others = service.checks.iter().filter(|known| known.id != check.id);
        if others.count() >= Services::CHECKS_MAX {
            return None;
        }
        self.changed |= !service.checks.iter().any(|known| known.kept() == check.kept());
        service.checks.retain(|known| known.id != check.id);
        service.checks.push(check);
        self.act(id, now)
    }

    /// Takes a check away. `None`: there is none.
    pub fn remove_check(&mut self, id: &str, check: &str, now: Duration) -> Option<Act> {
        let service = self.by_id.get_mut(id).filter(|service| service.has_check(check))?;
        service.checks.retain(|known| known.id != check);
        self.changed = true;
        self.act(id, now)
    }

    /// A service is to get nothing for now, or something again. `None`: there is none.
    pub fn maintain(&mut self, id: &str, maintenance: bool, now: Duration) -> Option<Act> {
        let service = self.by_id.get_mut(id)?;
        self.changed |= service.maintenance != maintenance;
        service.maintenance = maintenance;
        self.act(id, now)
    }

    /// Lets time pass: renews those that do not answer for themselves, and forgets those that were critical for too long.
    pub fn sweep(&mut self, is_up: impl Fn(&str, SocketAddr) -> bool, now: Duration) -> Vec<Act> {
        self.swept = now;
        let mut over = Vec::new();
        self.by_id.retain(|_, service| {
            let is_ill = !service.has_ttl() && !is_up(&service.pool, service.address);
            service.ill_since = if is_ill { service.ill_since.or(Some(now)) } else { None };
            let is_over = service.is_over(now);
            if is_over {
                over.push((service.pool.clone(), service.address));
            }
            !is_over
        });
        self.changed |= !over.is_empty();
        let over = over.into_iter().map(|(pool, address)| self.act_at(pool, address, now));
        let renewed = self.by_id.values().filter(|service| !service.has_ttl() && !service.maintenance);
        over.chain(renewed.filter_map(|service| self.act(&service.id, now))).collect()
    }

    /// What a service makes of the lease at its address; while it wants none, another one that is there may.
    fn act(&self, id: &str, now: Duration) -> Option<Act> {
        let service = self.by_id.get(id)?;
        Some(put(service, now).unwrap_or_else(|| self.act_at(service.pool.clone(), service.address, now)))
    }

    /// What the services at an address make of its lease.
    fn act_at(&self, pool: String, address: SocketAddr, now: Duration) -> Act {
        let there = self.by_id.values().filter(|service| service.is_at(&pool, address));
        there.filter_map(|service| put(service, now)).next().unwrap_or(Act::Remove(pool, address))
    }

    /// The lease that a service at an address wants now, if one does that was registered by that token.
    #[must_use]
    pub fn lease_at(&self, pool: &str, address: SocketAddr, by: &str, now: Duration) -> Option<Registration> {
        let there = self.by_id.values().filter(|service| service.is_at(pool, address) && &*service.by == by);
        there.filter_map(|service| service.lease(now)).next()
    }

    /// Whether what is to survive a restart is another than when this was asked last.
    pub fn takes_change(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// When [`sweep`](Self::sweep) has something to do next.
    #[must_use]
    pub fn due(&self) -> Option<Duration> {
        let passes = |service: &Service| {
            !service.has_ttl() || service.checks.iter().any(|check| check.deregister_after.is_some())
        };
        self.by_id.values().any(passes).then(|| self.swept.saturating_add(SWEEP))
    }

    /// Puts back what was known before a restart: checks have all of their time before them.
    pub fn restore(&mut self, mut service: Service, now: Duration) {
        for check in &mut service.checks {
            check.heard = now;
            check.critical_since = (check.status == Status::Critical).then_some(now);
        }
        if !self.is_full(&service.pool) {
            self.by_id.insert(service.id.clone(), service);
        }
    }

    /// Forgets those that are not `wanted`; whether there were any.
    pub fn retain(&mut self, wanted: impl Fn(&Service) -> bool) -> bool {
        let before = self.by_id.len();
        self.by_id.retain(|_, service| wanted(service));
        self.changed |= self.by_id.len() < before;
        self.by_id.len() < before
    }

    /// One.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Service> {
        self.by_id.get(id)
    }

    /// Those that have a check of that name: one at most of those that [may register](Self::is_check_taken).
    pub fn of_check(&self, check: &str) -> impl Iterator<Item = &Service> {
        self.by_id.values().filter(move |service| service.has_check(check))
    }

    /// Whether a check of a service has the name of another one, its own or another service's.
    #[must_use]
    pub fn is_check_taken(&self, service: &Service) -> bool {
        let mut names: Vec<&str> = service.checks.iter().map(|check| &*check.id).collect();
        names.sort_unstable();
        let is_twice = names.windows(2).any(|pair| pair[0] == pair[1]);
        let others = || self.by_id.values().filter(|other| other.id != service.id);
        is_twice || others().any(|other| names.iter().any(|name| other.has_check(name)))
    }

    /// All, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &Service> {
        self.by_id.values()
    }

    fn is_full(&self, pool: &str) -> bool {
        self.by_id.values().filter(|service| service.pool == pool).count() >= Services::MAX
    }

    /// So many services a pool.
    pub const MAX: usize = 4_096;

    /// So many checks a service.
    pub const CHECKS_MAX: usize = 16;
}

/// The lease that a service wants, if it wants one.
fn put(service: &Service, now: Duration) -> Option<Act> {
    let wish = service.lease(now)?;
    Some(Act::Put(service.pool.clone(), service.address, wish, Arc::clone(&service.by)))
}

/// How often those are renewed that do not answer for themselves: more than twice in the shortest lease that there is.
const SWEEP: Duration = Duration::from_millis(300);

/// Characters of what is said with a check that are kept.
const NOTE_CHARS_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn check(id: &str, ttl: Option<u64>, deregister: Option<u64>) -> ServiceCheck {
        ServiceCheck {
            id: id.into(),
            name: id.into(),
            ttl: ttl.map(secs),
            status: if ttl.is_some() { Status::Critical } else { Status::Passing },
            heard: secs(0),
            critical_since: ttl.map(|_| secs(0)),
            note: String::new(),
            deregister_after: deregister.map(secs),
        }
    }

    fn service(port: u16, checks: Vec<ServiceCheck>) -> Service {
        Service {
            id: "a".into(),
            pool: "app".into(),
            address: SocketAddr::from(([127, 0, 0, 1], port)),
            weights: (10, 1),
            by: "workers".into(),
            checks,
            registered: Moment::at(secs(1)),
            maintenance: false,
            ill_since: None,
            shown: json!({}),
        }
    }

    /// The weight and the time of a lease; `None`: it is taken back.
    fn lease(act: &Act) -> Option<(u16, Option<Duration>)> {
        match act {
            Act::Put(_, _, wish, _) => Some((wish.weight, wish.ttl)),
            Act::Remove(..) => None,
        }
    }

    #[test]
    fn one_that_answers_for_itself_has_a_lease_from_its_first_word_until_its_time_is_over() {
        let mut all = Services::default();
        let acts = all.register(service(1, vec![check("c", Some(10), None)]), secs(1)).unwrap();
        assert_eq!(acts.iter().map(lease).collect::<Vec<_>>(), [None], "nothing was heard of it yet");
        let mut hear = |status, now| lease(&all.hear("a", "c", status, "", secs(now)).unwrap());
        assert_eq!(hear(Status::Passing, 2), Some((10, Some(secs(10)))));
        assert_eq!(hear(Status::Warning, 3), Some((1, Some(secs(10)))));
        assert_eq!(hear(Status::Critical, 4), None);
        assert_eq!(hear(Status::Passing, 20), Some((10, Some(secs(10)))));
        let it = all.get("a").unwrap();
        assert_eq!([29, 30].map(|now| it.status(secs(now))), [Status::Passing, Status::Critical]);
        assert_eq!(all.hear("a", "other", Status::Passing, "", secs(20)), None);
        assert_eq!((all.due(), all.deregister("b", secs(20))), (None, None));
        assert_eq!(all.deregister("a", secs(20)).map(|act| lease(&act)), Some(None));
        assert_eq!(all.hear("a", "c", Status::Passing, "", secs(20)), None);
    }

    #[test]
    fn of_several_checks_the_worst_counts_and_the_first_that_lapses() {
        let mut all = Services::default();
        all.register(service(1, vec![check("c", Some(10), None), check("d", Some(4), None)]), secs(0)).unwrap();
        assert_eq!(lease(&all.hear("a", "c", Status::Passing, "", secs(1)).unwrap()), None);
        assert_eq!(lease(&all.hear("a", "d", Status::Warning, "", secs(3)).unwrap()), Some((1, Some(secs(4)))));
        assert_eq!(lease(&all.hear("a", "c", Status::Passing, "", secs(6)).unwrap()), Some((1, Some(secs(1)))));
        assert_eq!(lease(&all.hear("a", "c", Status::Passing, "", secs(7)).unwrap()), None);
        assert_eq!(lease(&all.remove_check("a", "d", secs(7)).unwrap()), Some((10, Some(secs(10)))));
        assert_eq!(lease(&all.maintain("a", true, secs(7)).unwrap()), None);
        assert_eq!(lease(&all.maintain("a", false, secs(8)).unwrap()), Some((10, Some(secs(9)))));
        // Registered again it goes on where it was; elsewhere it leaves the place that it had.
        let again = all.register(service(1, vec![check("c", Some(10), None)]), secs(9)).unwrap();
        assert_eq!(again.iter().map(lease).collect::<Vec<_>>(), [Some((10, Some(secs(8))))]);
        let moved = all.register(service(2, vec![check("c", Some(10), None)]), secs(9)).unwrap();
        assert_eq!(moved.iter().map(lease).collect::<Vec<_>>(), [None, Some((10, Some(secs(8))))]);
    }

    #[test]
    fn a_pool_that_is_full_fills_no_other() {
        let mut all = Services::default();
        let named =
            |n: usize, pool: &str| Service { id: format!("{pool}{n}"), pool: pool.into(), ..service(1, vec![]) };
        let mut put = |n, pool| all.register(named(n, pool), secs(0)).is_some();
        assert!((0..Services::MAX).all(|n| put(n, "app")) && !put(Services::MAX, "app"));
        assert!(put(0, "app") && put(0, "other"));
        // Nor does one move into it.
        assert_eq!(all.register(Service { id: "other0".into(), ..named(0, "app") }, secs(0)), None);
        assert_eq!(all.get("other0").map(|it| &*it.pool), Some("other"));
    }

    #[test]
    fn of_several_at_one_address_one_that_leaves_or_is_ill_takes_the_lease_from_none_that_wants_it() {
        let mut all = Services::default();
        let named = |id: &str, port, checks| Service { id: id.into(), ..service(port, checks) };
        all.register(named("a", 1, vec![check("c", Some(10), None)]), secs(0)).unwrap();
        all.register(named("b", 1, vec![]), secs(0)).unwrap();
        let stays = Some((10, None));
        assert_eq!(lease(&all.hear("a", "c", Status::Critical, "", secs(1)).unwrap()), stays);
        assert_eq!(lease(&all.deregister("a", secs(1)).unwrap()), stays);
        all.register(named("a", 1, vec![check("c", None, Some(5))]), secs(1)).unwrap();
        let moved = all.register(named("b", 2, vec![]), secs(1)).unwrap();
        assert_eq!(moved.iter().map(lease).collect::<Vec<_>>(), [stays, stays]);
        assert_eq!(lease(&all.deregister("a", secs(2)).unwrap()), None);
        let now = Moment::at(secs(3));
        assert!(!all.forget_at("other", SocketAddr::from(([127, 0, 0, 1], 2)), now));
        assert!(!all.forget_at("app", SocketAddr::from(([127, 0, 0, 1], 2)), Moment::at(Duration::ZERO)));
        assert!(all.forget_at("app", SocketAddr::from(([127, 0, 0, 1], 2)), now) && all.iter().count() == 0);
    }

    #[test]
    fn one_that_does_not_is_renewed_and_one_that_is_ill_for_long_is_forgotten() {
        let mut all = Services::default();
        let acts = all.register(service(1, vec![check("c", None, Some(60))]), secs(0)).unwrap();
        assert_eq!(acts.iter().map(lease).collect::<Vec<_>>(), [Some((10, None))]);
        assert_eq!(all.hear("a", "c", Status::Passing, "", secs(1)), None, "nobody answers for that");
        let mut sweep = |is_up: bool, now| all.sweep(|_, _| is_up, secs(now)).iter().map(lease).collect::<Vec<_>>();
        let (stays, goes) = (vec![Some((10, None))], vec![None]);
        assert_eq!((sweep(true, 1), sweep(false, 2), sweep(true, 60)), (stays.clone(), stays.clone(), stays.clone()));
        assert_eq!(
            (sweep(false, 61), sweep(false, 120), sweep(false, 121), sweep(false, 122)),
            (stays.clone(), stays, goes, vec![])
        );
        let mut all = Services::default();
        all.register(service(1, vec![check("c", Some(10), Some(60))]), secs(0)).unwrap();
        all.hear("a", "c", Status::Passing, "", secs(5));
        assert_eq!(all.sweep(|_, _| true, secs(74)), []);
        assert_eq!(all.sweep(|_, _| true, secs(75)).len(), 1);
    }

    #[test]
    fn what_is_said_again_is_no_change() {
        let mut all = Services::default();
        let both = || vec![check("c", Some(10), None), check("d", None, None)];
        let mut changes = |what: &str, does: &mut dyn FnMut(&mut Services)| {
            does(&mut all);
            assert_eq!((what, all.takes_change(), all.takes_change()), (what, !what.starts_with("again"), false));
        };
        changes("registers", &mut |all| drop(all.register(service(1, both()), secs(1))));
        changes("passes", &mut |all| drop(all.hear("a", "c", Status::Passing, "fine", secs(2))));
        changes("again passes", &mut |all| drop(all.hear("a", "c", Status::Passing, "finer", secs(3))));
        changes("again registers", &mut |all| drop(all.register(service(1, both()), secs(4))));
        changes("again is swept", &mut |all| drop(all.sweep(|_, _| false, secs(5))));
        changes("warns", &mut |all| drop(all.hear("a", "c", Status::Warning, "", secs(5))));
        changes("moves", &mut |all| drop(all.register(service(2, both()), secs(6))));
        changes("is maintained", &mut |all| drop(all.maintain("a", true, secs(6))));
        changes("again is maintained", &mut |all| drop(all.maintain("a", true, secs(6))));
        changes("has another check", &mut |all| drop(all.add_check("a", check("e", Some(4), None), secs(6))));
        changes("again has it", &mut |all| drop(all.add_check("a", check("e", Some(4), None), secs(7))));
        changes("has none", &mut |all| drop(all.remove_check("a", "e", secs(7))));
        changes("again nobody leaves", &mut |all| drop(all.deregister("b", secs(7))));
        changes("leaves", &mut |all| drop(all.deregister("a", secs(7))));
    }

    #[test]
    fn one_that_says_again_and_again_that_it_fails_is_forgotten_like_one_that_falls_silent() {
        let ill = |words: &[(u64, Status)]| {
            let mut all = Services::default();
            all.register(service(1, vec![check("c", Some(10), Some(60))]), secs(0)).unwrap();
            let gone = (0..200).find(|now| {
                for (_, status) in words.iter().filter(|(at, _)| at == now) {
                    all.hear("a", "c", *status, "", secs(*now));
                }
                !all.sweep(|_, _| true, secs(*now)).is_empty()
            });
            gone.unwrap()
        };
        let fails = |from: u64| (from..200).step_by(5).map(|at| (at, Status::Critical));
        let with = |first: &[(u64, Status)], from| first.iter().copied().chain(fails(from)).collect::<Vec<_>>();
        let (passing, warning) = (Status::Passing, Status::Warning);
        assert_eq!(ill(&with(&[(1, passing)], 7)), 67);
        assert_eq!(ill(&with(&[(1, passing), (7, Status::Critical), (30, warning)], 31)), 91);
        // It fell silent, and then began to say so.
        assert_eq!(ill(&with(&[(1, passing)], 25)), 71);
        // It never was well.
        assert_eq!((ill(&with(&[], 3)), ill(&[])), (60, 60));
    }
}
