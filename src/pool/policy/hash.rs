use super::maglev::Maglev;
use super::ring::Ring;
use super::{Ask, Look, View, mix, random};
use crate::config::HashTable;
use std::sync::Arc;

/// What keys are looked up in; shared by all workers, and made anew only when the backends are others.
#[derive(Debug)]
pub enum Table {
    /// A ring of points.
    Ketama(Ring),
    /// A table of equal shares.
    Maglev(Maglev),
}

impl Table {
    /// The table of these backends, by name and weight; their index is their place.
    #[must_use]
    pub fn build(kind: HashTable, backends: &[(&str, u16)]) -> Table {
        match kind {
            HashTable::Ketama => Table::Ketama(Ring::new(backends)),
            HashTable::Maglev => Table::Maglev(Maglev::new(backends)),
        }
    }

    /// The backend that `hash` leads to, or the next on its way that `may` be used.
    pub(super) fn find(&self, hash: u64, may: impl Fn(usize) -> bool) -> Option<usize> {
        match self {
            Table::Ketama(ring) => ring.find(hash, may),
            Table::Maglev(maglev) => maglev.find(hash, may),
        }
    }
}

/// The hash of a key: FNV-1a over its bytes, then mixed. The same in all processes of a fleet, and in all versions, so that
/// they agree on where a key belongs. Therefore it has no secret: a client who chooses its key and knows the backends can
/// choose one of them, as it can by asking for one key only; a bounded load is what holds against both.
#[must_use]
pub fn hash_key(key: &[u8]) -> u64 {
    hash_bytes(key.iter().copied())
}

/// The same of a key that comes byte by byte.
pub fn hash_bytes(key: impl Iterator<Item = u8>) -> u64 {
    mix(key.fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)))
}

#[derive(Debug)]
pub(super) struct Hash {
    table: Arc<Table>,
    /// In 1/100.
    bounded_load: Option<u16>,
}

impl Hash {
    pub(super) fn new(table: Arc<Table>, bounded_load: Option<u16>) -> Hash {
        Hash { table, bounded_load }
    }

    pub(super) fn pick(&self, view: &View, look: &impl Look, ask: &Ask) -> Option<usize> {
        let Some(hash) = ask.hash else { return random::pick(view, look, ask.random) };
        let may = |at: usize| view.weight(at) > 0 && look.may(at);
        let found = match self.bounded_load {
            None => self.table.find(hash, may),
            Some(factor) => {
                let bound = Bound::new(view, look, factor);
                let has_room = |at: usize| may(at) && bound.has_room(view.weight(at), look.in_flight(at));
                self.table.find(hash, has_room).or_else(|| view.scan(mix(hash), has_room))
            }
        };
        // Each that may is full; or the way that is looked along is too short for a pool of which most are down.
        found.or_else(|| view.scan(mix(hash), |at| look.may(at)))
    }
}

/// Consistent hashing with bounded loads (Mirrokni, Thorup, Zadimoghaddam 2016): no backend gets more than `factor` times its
/// share of what is in flight, the new exchange included. Looks at all backends.
struct Bound {
    /// Exchanges in flight times the factor, for one unit of weight: `allowed / total_weight`.
    allowed: u128,
    total_weight: u128,
}

impl Bound {
    fn new(view: &View, look: &impl Look, factor: u16) -> Bound {
        let in_flight: u64 = view.usable().iter().map(|at| u64::from(look.in_flight(*at as usize))).sum();
        Bound { allowed: u128::from(in_flight + 1) * u128::from(factor), total_weight: u128::from(view.total()) * 100 }
    }

    fn has_room(&self, weight: u32, in_flight: u32) -> bool {
        let cap = (self.allowed * u128::from(weight)).div_ceil(self.total_weight);
        u128::from(in_flight) < cap
    }
}
