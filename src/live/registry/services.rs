//! Services that are registered as an agent of another registry takes them: each is a lease for as long as its checks allow.

use super::rules::Shown;
use super::{Book, LeaseLook, LiveRegistry, Refused, Who, lock, look};
use crate::registry::{self, Act, Changed, Registrant, Registration, Service, ServiceCheck, Status};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

/// A service as it is now.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceLook {
    /// All that is known of it.
    pub service: Service,
    /// How each of its checks stands, in their order.
    pub checks: Vec<Status>,
    /// Its lease, if it has one.
    pub lease: Option<LeaseLook>,
}

impl ServiceLook {
    /// How it stands: as the worst of its checks; whether its backend answers is one more, where it does not say so itself.
    #[must_use]
    pub fn status(&self) -> Status {
        let is_down =
            self.lease.as_ref().is_none_or(|lease| lease.health.as_ref().is_none_or(|health| !health.available));
        match self.checks.iter().copied().max().unwrap_or(Status::Passing) {
            _ if self.service.maintenance || is_down => Status::Critical,
            worst => worst,
        }
    }
}

impl LiveRegistry {
    /// Registers a service, in the place of one of the same name, if `who` may. Gives what is to be waited for until its backend is in
    /// the pool.
    ///
    /// # Errors
    /// [`Refused`]
    pub fn serve(&self, service: Service, who: Who<'_>, now: Duration) -> Result<u64, Refused> {
        let mut book = lock(&self.book);
        let rules = book.rules(&service.pool, who)?;
        rules.may_stand(service.address, who)?;
        if service.checks.iter().filter_map(|check| check.ttl).any(|ttl| ttl > rules.rules.ttl) {
            return Err(Refused::TooLong);
        }
        // Nobody takes the name of somebody else's service.
        if let Some(before) = book.services.get(&service.id) {
            book.may_change_that(before, who)?;
        }
        if book.services.is_check_taken(&service) {
            return Err(Refused::CheckTaken);
        }
        let (id, is_new) = (service.id.clone(), book.services.get(&service.id).is_none());
        let acts = book.services.register(service, now).ok_or(Refused::Full)?;
        let done = self.act_all(&mut book, acts, now);
        if done.is_err() && is_new {
            // Who is told that it was refused does not expect it to come later.
            book.services.deregister(&id, now);
        }
        done
    }

    /// Forgets a service; its backend drains and goes.
    ///
    /// # Errors
    /// [`Refused`]
    pub fn withdraw(&self, id: &str, who: Who<'_>, now: Duration) -> Result<u64, Refused> {
        let mut book = lock(&self.book);
        book.may_change(id, who)?;
        let act = book.services.deregister(id, now).ok_or(Refused::NoService)?;
        self.act_all(&mut book, vec![act], now)
    }

    /// A service says how one of its checks stands.
    ///
    /// # Errors
    /// [`Refused`]
    pub fn says(&self, check: &str, status: Status, note: &str, who: Who<'_>, now: Duration) -> Result<u64, Refused> {
        let mut book = lock(&self.book);
        let id = book.may_change_check(check, who)?;
        let act = book.services.hear(&id, check, status, note, now).ok_or(Refused::NoCheck)?;
        self.act_all(&mut book, vec![act], now)
    }

    /// Adds a check to a service.
    ///
    /// # Errors
    /// [`Refused`]
    pub fn add_check(&self, id: &str, check: ServiceCheck, who: Who<'_>, now: Duration) -> Result<u64, Refused> {
        let mut book = lock(&self.book);
        book.may_change(id, who)?;
        let longest =
            book.services.get(id).and_then(|service| book.rules.get(&service.pool)).map(|rules| rules.rules.ttl);
        if check.ttl > longest {
            return Err(Refused::TooLong);
        }
        if book.services.of_check(&check.id).any(|other| other.id != id) {
            return Err(Refused::CheckTaken);
        }
        let act = book.services.add_check(id, check, now).ok_or(Refused::TooManyChecks)?;
        self.act_all(&mut book, vec![act], now)
    }

    /// Takes a check away from its service.
    ///
    /// # Errors
    /// [`Refused`]
    pub fn remove_check(&self, check: &str, who: Who<'_>, now: Duration) -> Result<u64, Refused> {
        let mut book = lock(&self.book);
        let id = book.may_change_check(check, who)?;
        let act = book.services.remove_check(&id, check, now).ok_or(Refused::NoCheck)?;
        self.act_all(&mut book, vec![act], now)
    }

    /// A service is to get nothing for now, or something again.
    ///
    /// # Errors
    /// [`Refused`]
    pub fn maintain(&self, id: &str, maintenance: bool, who: Who<'_>, now: Duration) -> Result<u64, Refused> {
        let mut book = lock(&self.book);
        book.may_change(id, who)?;
        let act = book.services.maintain(id, maintenance, now).ok_or(Refused::NoService)?;
        self.act_all(&mut book, vec![act], now)
    }

    /// All services, and the number of changes so far.
    #[must_use]
    pub fn services(&self, now: Duration) -> (Vec<ServiceLook>, u64) {
        let book = lock(&self.book);
        let mut leases: HashMap<(String, SocketAddr), LeaseLook> = HashMap::new();
        for (pool, rules) in &book.rules {
            let known = book.registry.pool(pool).into_iter().flat_map(registry::Leases::iter);
            leases
                .extend(look::of(known, rules, now).into_iter().map(|look| ((pool.clone(), look.lease.address), look)));
        }
        let look = |service: &Service| ServiceLook {
            checks: service.checks.iter().map(|check| check.status_at(now)).collect(),
            lease: leases.get(&(service.pool.clone(), service.address)).cloned(),
            service: service.clone(),
        };
        (book.services.iter().map(look).collect(), book.version)
    }

    /// Waits until more has changed than that, for a bounded time.
    pub async fn changed_since(&self, version: u64, limit: Duration) {
        let mut applied = self.applied.subscribe();
        let _ = tokio::time::timeout(limit, applied.wait_for(|done| *done > version)).await;
    }

    /// Lets time pass for services.
    pub(super) fn sweep(&self, book: &mut Book, now: Duration) {
        if book.services.due().is_none_or(|due| due > now) {
            return;
        }
        let shown: HashMap<&str, Shown> =
            book.rules.iter().map(|(pool, rules)| (pool.as_str(), rules.signs())).collect();
        let is_up = |pool: &str, address| {
            use crate::registry::Signs;
            shown.get(pool).is_some_and(|signs| signs.is_up(address))
        };
        for act in book.services.sweep(is_up, now) {
            if !book.is_fresh(&act, now) {
                // A pool that is full is as full as before.
                let _ = self.act_all(book, vec![act], now);
            }
        }
    }

    fn act_all(&self, book: &mut Book, acts: Vec<Act>, now: Duration) -> Result<u64, Refused> {
        for act in acts {
            match act {
                Act::Put(pool, address, wish, by) => self.put_as(book, &pool, address, &wish, &by, now)?,
                Act::Remove(pool, address) => {
                    let Some(rules) = book.rules.get(&pool).map(|rules| rules.rules) else { continue };
                    if let Some(touched) = book.registry.remove(&pool, address, false, rules, now) {
                        self.given_back(book, &pool, address, touched, false);
                    }
                }
            }
        }
        self.turned.notify_one();
        Ok(book.version)
    }

    fn put_as(
        &self,
        book: &mut Book,
        pool: &str,
        address: SocketAddr,
        wish: &Registration,
        by: &str,
        now: Duration,
    ) -> Result<(), Refused> {
        let rules = book.rules.get(pool).ok_or(Refused::NoPool)?;
        rules.may_stand_at_all(address)?;
        let rules = rules.rules;
        let put = book.registry.put(pool, address, wish, &Registrant::here(by), rules, now);
        let mut granted = put.map_err(|registry::Full| Refused::Full)?;
        // With several checks each word makes it another; a restart makes it of the checks again.
        if granted.changed == Changed::Ttl {
            granted.changed = Changed::Nothing;
        }
        self.granted(book, pool, address, granted, false);
        Ok(())
    }
}

impl Book {
    /// Whether somebody may change a service.
    fn may_change(&self, id: &str, who: Who<'_>) -> Result<(), Refused> {
        self.may_change_that(self.services.get(id).ok_or(Refused::NoService)?, who)
    }

    fn may_change_that(&self, service: &Service, who: Who<'_>) -> Result<(), Refused> {
        self.rules(&service.pool, who)?.may_change(service.address, who)
    }

    /// The name of the service whose check that is, if somebody may change it; those that are not his stand for nothing.
    fn may_change_check(&self, check: &str, who: Who<'_>) -> Result<String, Refused> {
        let mut refused = Refused::NoCheck;
        for service in self.services.of_check(check) {
            match self.may_change_that(service, who) {
                Ok(()) => return Ok(service.id.clone()),
                Err(why) => refused = why,
            }
        }
        Err(refused)
    }

    /// Whether a lease is as it is to be, and need not be renewed yet.
    fn is_fresh(&self, act: &Act, now: Duration) -> bool {
        let Act::Put(pool, address, wish, _) = act else { return false };
        self.lease(pool, *address).is_some_and(|lease| {
            let is_as_wished = lease.state == registry::State::Serving && lease.weight == wish.weight;
            is_as_wished && lease.probed && lease.renewed.plus(lease.ttl / 3) > now
        })
    }
}
