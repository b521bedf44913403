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

    /// Whether any service is at an address.
    #[must_use]
    pub fn is_any_at(&self, pool: &str, address: SocketAddr) -> bool {
        self.by_id.values().any(|service| service.is_at(pool, address))
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
#[path = "services_tests.rs"]
mod tests;
