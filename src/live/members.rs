use super::{Endpoint, LiveBackend};
use crate::config::{self, BackendAddress};
use crate::pool::StickyValues;
use crate::pool::concurrency::Limiter;
use crate::pool::health::standing::Facts;
use crate::pool::health::{Standing, Tally};
use crate::pool::policy::Table;
use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// The backends of a pool as they are now: immutable, replaced as a whole.
#[derive(Default)]
pub struct Members {
    /// In the order of the configuration; those of a name in the order of their addresses; last those that registered.
    pub list: Vec<Member>,
    /// The values of the pool's sticky cookie, if it has one.
    pub sticky: Option<StickyValues>,
    /// What a policy that hashes looks keys up in.
    pub table: Option<Arc<Table>>,
}

/// One backend with its part in a pool.
#[derive(Clone)]
pub struct Member {
    /// Where it is.
    pub endpoint: Endpoint,
    /// The name that it was found under: what TLS asks for.
    pub host: Option<String>,
    /// Its share relative to the others.
    pub weight: u16,
    /// It registered, and nothing was heard of it for long: whether it answers is to be found out.
    pub is_doubted: bool,
    /// What is known of it.
    pub backend: Arc<LiveBackend>,
    /// What exchanges saw of its failures, where that counts.
    pub tally: Option<Arc<Tally>>,
    /// What it bears, where that is found out.
    pub limiter: Option<Arc<Limiter>>,
}

impl Member {
    /// Whether and why it may be used at `now`.
    #[must_use]
    pub fn standing(&self, now: Duration, slow_start: Duration) -> Standing {
        self.standing_by(&self.backend.facts(), now, slow_start)
    }

    /// The same, by what is known of it.
    #[must_use]
    pub fn standing_by(&self, facts: &Facts, now: Duration, slow_start: Duration) -> Standing {
        match self.weight {
            0 => Standing::Draining,
            _ => Standing::of(facts, slow_start, now),
        }
    }

    /// Exchanges that it takes at once, where each backend takes `max`, and how many more it takes now; `None`: nothing
    /// bounds them.
    pub(super) fn room(&self, max: Option<u32>) -> Option<(u32, u32)> {
        let said = max.map(|max| (max, max.saturating_sub(self.backend.in_flight())));
        let found = self.limiter.as_ref().map(|limiter| (limiter.limit(), limiter.room()));
        let both = |(max, free): (u32, u32), (limit, room): (u32, u32)| (max.min(limit), free.min(room));
        said.into_iter().chain(found).reduce(both)
    }
}

/// What a name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Where.
    pub endpoint: Endpoint,
    /// By an SRV record; 1 where there is none.
    pub weight: u16,
    /// By an SRV record: its target.
    pub host: Option<String>,
}

/// What the names of a pool stand for; names not yet found are missing.
pub type Names = HashMap<BackendAddress, Vec<Found>>;

/// A backend that registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leased {
    /// Where it is.
    pub address: SocketAddr,
    /// Its share relative to the others; 0: it is on its way out.
    pub weight: u16,
    /// Nothing was heard of it for long.
    pub is_doubted: bool,
}

/// A place in a pool that a backend is to fill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seat {
    pub(super) endpoint: Endpoint,
    pub(super) host: Option<String>,
    pub(super) weight: u16,
    pub(super) is_doubted: bool,
}

/// Who belongs to the pool, each endpoint once; what the configuration says of one counts.
pub(super) fn seats(pool: &config::Pool, names: &Names, leased: &[Leased]) -> Vec<Seat> {
    let mut seen = HashSet::new();
    let mut seats = Vec::new();
    for backend in &pool.backends {
        let found = match Endpoint::of(&backend.address) {
            Some(endpoint) => vec![Found { endpoint, weight: 1, host: None }],
            None => names.get(&backend.address).cloned().unwrap_or_default(),
        };
        let host = match &backend.address {
            BackendAddress::Name(name, _) => Some(name.clone()),
            _ => None,
        };
        for Found { endpoint, weight, host: target } in found {
            if seats.len() < MEMBERS_MAX && seen.insert(endpoint.clone()) {
                let weight = backend.weight.saturating_mul(weight);
                seats.push(Seat { endpoint, host: target.or_else(|| host.clone()), weight, is_doubted: false });
            }
        }
    }
    for Leased { address, weight, is_doubted } in leased.iter().filter(|_| pool.register.is_some()) {
        let endpoint = Endpoint::Ip(*address);
        if seats.len() < MEMBERS_MAX && seen.insert(endpoint.clone()) {
            seats.push(Seat { endpoint, host: None, weight: *weight, is_doubted: *is_doubted });
        }
    }
    seats
}

/// Backends of one pool, those of names and those that registered included.
const MEMBERS_MAX: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::load_text;

    fn pool(backends: &str) -> config::Pool {
        let text = format!(
            "version = 1\n[[listener]]\naddress = \"127.0.0.1:1\"\n[pool.a]\nbackends = [{backends}]\n[[route]]\npool = \"a\""
        );
        load_text("a.toml".as_ref(), &text, &|_| None).unwrap().pools.remove(0)
    }

    fn found(address: &str, weight: u16) -> Found {
        Found { endpoint: Endpoint::Ip(address.parse().unwrap()), weight, host: None }
    }

    #[test]
    fn names_become_what_they_stand_for_and_each_endpoint_sits_once() {
        let pool = pool("\"127.0.0.1:1\", { address = \"app:80\", weight = 3 }, \"srv:_http._tcp.app\"");
        let none = seats(&pool, &Names::new(), &[]);
        assert_eq!(none.len(), 1);
        let names = Names::from([
            (BackendAddress::Name("app".into(), 80), vec![found("127.0.0.1:1", 1), found("127.0.0.2:80", 1)]),
            (BackendAddress::Srv("_http._tcp.app".into()), vec![found("127.0.0.3:81", 5)]),
        ]);
        let all = seats(&pool, &names, &[]);
        let shown: Vec<_> =
            all.iter().map(|seat| (seat.endpoint.to_string(), seat.weight, seat.host.clone())).collect();
        let name = Some("app".to_owned());
        let expected = [
            ("127.0.0.1:1".to_owned(), 1, None),
            ("127.0.0.2:80".to_owned(), 3, name),
            ("127.0.0.3:81".to_owned(), 5, None),
        ];
        assert_eq!(shown, expected);
    }

    #[test]
    fn who_registered_sits_last_where_that_is_taken_and_not_beside_itself() {
        let leased = |address: &str, weight| Leased { address: address.parse().unwrap(), weight, is_doubted: false };
        let all = [leased("127.0.0.1:1", 9), leased("127.0.0.2:1", 2), leased("127.0.0.3:1", 0)];
        let mut pool = pool("\"127.0.0.1:1\"");
        assert_eq!(seats(&pool, &Names::new(), &all).len(), 1);
        let (ttl, drain) = (Duration::from_secs(10), Duration::ZERO);
        pool.register = Some(config::Register { tokens: Vec::new(), ttl, drain });
        let weights: Vec<_> = seats(&pool, &Names::new(), &all).iter().map(|seat| seat.weight).collect();
        assert_eq!(weights, [1, 2, 0]);
    }
}
