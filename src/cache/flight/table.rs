//! The fetches under way of one cache.

use super::{Flight, Seat};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

type Table<F> = HashMap<(u128, u64), Arc<Flight<F>>>;

/// Fetches under way, by key and variant.
#[derive(Debug)]
pub struct Flights<F> {
    shards: Vec<Mutex<Table<F>>>,
}

impl<F> Default for Flights<F> {
    fn default() -> Self {
        Flights { shards: (0..SHARDS).map(|_| Mutex::default()).collect() }
    }
}

/// Locks, so that fetches of different keys do not meet.
const SHARDS: usize = 16;

impl<F: Clone> Flights<F> {
    /// A place in the fetch for a key; if there was none, it is the leader's, who has to fetch. `None`: others do, and it
    /// cannot be joined.
    pub fn board(&self, key: (u128, u64)) -> Option<Seat<F>> {
        let mut shard = self.shard(key);
        let flight = shard.entry(key).or_default();
        if flight.is_abandoned() {
            // It ends, and another one begins.
            *flight = Arc::default();
        }
        flight.join()
    }

    /// The fetch is over, or can be joined no more.
    pub fn land(&self, key: (u128, u64), flight: &Arc<Flight<F>>) {
        let mut shard = self.shard(key);
        if shard.get(&key).is_some_and(|there| Arc::ptr_eq(there, flight)) {
            shard.remove(&key);
        }
    }

    /// What all fetches for a primary key bring is out of date: nobody joins them, and it is not stored.
    pub fn bar(&self, hash: u128) {
        let mut shard = self.shard((hash, 0));
        shard.retain(|key, flight| {
            if key.0 == hash {
                flight.bar();
            }
            key.0 != hash
        });
    }

    /// How many are under way.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner).len()).sum()
    }

    /// None is under way.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn shard(&self, key: (u128, u64)) -> MutexGuard<'_, Table<F>> {
        self.shards[key.0 as usize % SHARDS].lock().unwrap_or_else(PoisonError::into_inner)
    }
}
