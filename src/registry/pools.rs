use super::hear::Heard;
use super::leases::{Full, Granted, Leases, Rules, Signs, Touched, Turn};
use super::{Clocks, Lease, Registrant, Registration, Word};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// The leases of all pools, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Registry {
    pools: BTreeMap<String, Leases>,
}

impl Registry {
    /// As [`Leases::put`].
    ///
    /// # Errors
    /// [`Full`]: the pool has as many leases as it may have.
    pub fn put(
        &mut self,
        pool: &str,
        address: SocketAddr,
        wish: &Registration,
        by: &Registrant,
        rules: Rules,
        now: Duration,
    ) -> Result<Granted, Full> {
        match self.pools.get_mut(pool) {
            Some(leases) => leases.put(address, wish, by, rules, now),
            None => self.pools.entry(pool.to_owned()).or_default().put(address, wish, by, rules, now),
        }
    }

    /// As [`Leases::remove`].
    pub fn remove(
        &mut self,
        pool: &str,
        address: SocketAddr,
        for_good: bool,
        rules: Rules,
        now: Duration,
    ) -> Option<Touched> {
        self.pools.get_mut(pool)?.remove(address, for_good, rules, now)
    }

    /// As [`Leases::forget`].
    pub fn forget(&mut self, pool: &str, address: SocketAddr) -> bool {
        self.pools.get_mut(pool).is_some_and(|leases| leases.forget(address))
    }

    /// As [`Leases::hear`].
    ///
    /// # Errors
    /// [`Full`]: the pool has as many leases as it may have.
    pub fn hear(&mut self, word: &Word, rules: Rules, clocks: Clocks) -> Result<Heard, Full> {
        match self.pools.get_mut(&word.pool) {
            Some(leases) => leases.hear(word, rules, clocks),
            None => self.pools.entry(word.pool.clone()).or_default().hear(word, rules, clocks),
        }
    }

    /// As [`Leases::stand_in`], in one pool.
    pub fn stand_in(&mut self, pool: &str, now: Duration, wanted: impl Fn(&Lease, &Arc<str>) -> bool) -> Touched {
        self.pools.get_mut(pool).map_or(Touched::Nothing, |leases| leases.stand_in(now, wanted))
    }

    /// As [`Leases::words`], of all pools.
    #[must_use]
    pub fn words(&self, me: &Arc<str>, clocks: Clocks) -> Vec<Word> {
        self.pools.iter().flat_map(|(pool, leases)| leases.words(pool, me, clocks)).collect()
    }

    /// As [`Leases::restore`].
    pub fn restore(&mut self, pool: &str, lease: Lease, now: Duration) {
        self.pools.entry(pool.to_owned()).or_default().restore(lease, now);
    }

    /// As [`Leases::tick`], in one pool.
    pub fn tick(&mut self, pool: &str, rules: Rules, signs: &impl Signs, now: Duration) -> Vec<Turn> {
        self.pools.get_mut(pool).map(|leases| leases.tick(rules, signs, now)).unwrap_or_default()
    }

    /// The names of pools in which it is time to [`tick`](Self::tick).
    #[must_use]
    pub fn due_by(&self, now: Duration) -> Vec<String> {
        let is_due = |leases: &Leases| leases.due().is_some_and(|due| due <= now);
        self.pools.iter().filter(|(_, leases)| is_due(leases)).map(|(name, _)| name.clone()).collect()
    }

    /// When it is so next.
    #[must_use]
    pub fn due(&self) -> Option<Duration> {
        self.pools.values().filter_map(Leases::due).min()
    }

    /// Those of a pool.
    #[must_use]
    pub fn pool(&self, name: &str) -> Option<&Leases> {
        self.pools.get(name)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Lease)> {
        self.pools.iter().flat_map(|(name, leases)| leases.iter().map(move |lease| (name.as_str(), lease)))
    }

    /// Forgets the pools that are not `wanted`; whether there were any.
    pub fn retain(&mut self, wanted: impl Fn(&str) -> bool) -> bool {
        let before = self.pools.len();
        self.pools.retain(|name, _| wanted(name));
        self.pools.len() < before
    }
}
