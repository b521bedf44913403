//! What the configuration says of registrations in a pool, with what the pool shows of its backends.

use super::Refused;
use crate::config::{AdminListen, Role, Token};
use crate::live::{Endpoint, LiveBackend, Members, Snapshot};
use crate::registry::{Lease, Rules, Service, Signs};
use arc_swap::ArcSwap;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub enum Who<'a> {
    /// Somebody on a unix socket, which is for the user only that this process runs as.
    Socket,
    /// The holder of a token.
    Token(&'a Token),
}

impl Who<'_> {
    /// As leases show it.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Who::Socket => Token::SOCKET,
            Who::Token(token) => &token.name,
        }
    }

    /// Whether he may do all that can be asked.
    #[must_use]
    pub fn is_operator(&self) -> bool {
        match self {
            Who::Socket => true,
            Who::Token(token) => token.role == Role::Operator,
        }
    }
}

/// What becomes of what was granted under another configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It stays.
    Stays,
    /// Who registered it may not any more: it drains.
    Drains(Refused),
    /// Nobody may be there: it goes at once.
    Goes(Refused),
}

/// A pool that takes registrations.
pub(super) struct PoolRules {
    pub(super) rules: Rules,
    pub(super) slow_start: Duration,
    tokens: Vec<String>,
    /// All that there are.
    holders: Arc<[Token]>,
    configured: Vec<SocketAddr>,
    admin: Option<AdminListen>,
    members: Arc<ArcSwap<Members>>,
}

impl PoolRules {
    pub(super) fn of(snapshot: &Snapshot) -> HashMap<String, PoolRules> {
        let holders: Arc<[Token]> = snapshot.config.tokens.clone().into();
        let with_rules = |(pool, live): (&crate::config::Pool, &crate::live::LivePool)| {
            let register = pool.register.as_ref()?;
            let rules = PoolRules {
                rules: Rules { ttl: register.ttl, drain: register.drain },
                slow_start: pool.slow_start,
                tokens: register.tokens.clone(),
                holders: Arc::clone(&holders),
                configured: pool.addresses().collect(),
                admin: snapshot.config.admin.clone(),
                members: Arc::clone(&live.members),
            };
            Some((pool.name.clone(), rules))
        };
        snapshot.config.pools.iter().zip(&snapshot.pools).filter_map(with_rules).collect()
    }

    /// Whether somebody may register here.
    pub(super) fn may_ask(&self, who: Who<'_>) -> Result<(), Refused> {
        let is_named = self.tokens.iter().any(|name| name == who.name());
        if who.is_operator() || is_named { Ok(()) } else { Err(Refused::NotYours) }
    }

    /// Whether he may register that address.
    pub(super) fn may_stand(&self, address: SocketAddr, who: Who<'_>) -> Result<(), Refused> {
        match who {
            Who::Token(token) if !token.reaches(address.ip()) => Err(Refused::Outside),
            _ => self.may_stand_at_all(address),
        }
    }

    /// Whether he may change what stands at that address, or take it out: what he could not register is another's.
    pub(super) fn may_change(&self, address: SocketAddr, who: Who<'_>) -> Result<(), Refused> {
        match who {
            Who::Token(token) if !who.is_operator() && !token.reaches(address.ip()) => Err(Refused::Outside),
            _ => Ok(()),
        }
    }

    /// Whether anybody may.
    pub(super) fn may_stand_at_all(&self, address: SocketAddr) -> Result<(), Refused> {
        match () {
            () if self.is_own(address) => Err(Refused::Own),
            () if self.configured.contains(&address) => Err(Refused::Configured),
            () => Ok(()),
        }
    }

    /// What becomes of a lease that is there already; one that another member of the fleet granted is that member's to judge.
    pub(super) fn of_lease(&self, lease: &Lease) -> Standing {
        self.standing(lease.address, lease.by.member.is_none().then_some(&lease.by.name))
    }

    /// What becomes of a service that is there already.
    pub(super) fn of_service(&self, service: &Service) -> Standing {
        self.standing(service.address, Some(&service.by))
    }

    /// `by`: who registered it here.
    fn standing(&self, address: SocketAddr, by: Option<&str>) -> Standing {
        if let Err(refused) = self.may_stand_at_all(address) {
            return Standing::Goes(refused);
        }
        match by.map_or(Ok(()), |by| self.may_still(address, by)) {
            Ok(()) => Standing::Stays,
            Err(refused) => Standing::Drains(refused),
        }
    }

    /// Whether who is called that might register that address now.
    fn may_still(&self, address: SocketAddr, by: &str) -> Result<(), Refused> {
        let who = match self.holders.iter().find(|token| token.name == by) {
            Some(token) => Who::Token(token),
            None if by == Token::SOCKET => Who::Socket,
            None => return Err(Refused::NotYours),
        };
        self.may_ask(who).and_then(|()| self.may_stand(address, who))
    }

    /// Through a backend at the admin listener's address everybody would come from this machine.
    fn is_own(&self, address: SocketAddr) -> bool {
        let Some(AdminListen::Tcp(own)) = &self.admin else { return false };
        let (ip, own_ip) = (address.ip(), own.ip().to_canonical());
        address.port() == own.port() && (ip == own_ip || ip.is_loopback() || own_ip.is_unspecified())
    }

    /// What the pool shows of its backends now.
    pub(super) fn signs(&self) -> Shown {
        let members = self.members.load();
        let of = |member: &crate::live::Member| match &member.endpoint {
            Endpoint::Ip(address) => Some((*address, Arc::clone(&member.backend))),
            Endpoint::Unix(_) => None,
        };
        Shown(members.list.iter().filter_map(of).collect())
    }
}

/// The backends of a pool, by address.
pub(super) struct Shown(HashMap<SocketAddr, Arc<LiveBackend>>);

impl Shown {
    pub(super) fn get(&self, address: SocketAddr) -> Option<&LiveBackend> {
        self.0.get(&address).map(Arc::as_ref)
    }
}

impl Signs for Shown {
    fn in_flight(&self, address: SocketAddr) -> u32 {
        self.get(address).map_or(0, LiveBackend::in_flight)
    }

    fn is_up(&self, address: SocketAddr) -> bool {
        self.get(address).is_some_and(|backend| backend.facts().checked.is_none_or(|checked| checked.passes()))
    }
}
