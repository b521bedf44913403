//! Keys whose responses turned out not to be storable: for a while nobody waits for another's fetch of them.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Remembers them, bounded in number and time.
#[derive(Debug)]
pub struct Unstored {
    shards: Vec<Mutex<HashMap<u128, u64>>>,
}

/// Locks.
const SHARDS: usize = 16;
/// Keys of one shard.
const KEYS_MAX: usize = 4096;
/// How long a key is remembered, in milliseconds.
pub const REMEMBERED_MS: u64 = 10_000;

impl Default for Unstored {
    fn default() -> Self {
        Unstored { shards: (0..SHARDS).map(|_| Mutex::default()).collect() }
    }
}

impl Unstored {
    /// Remembers a key.
    pub fn note(&self, hash: u128, now_ms: u64) {
        let mut shard = self.shard(hash);
        if shard.len() >= KEYS_MAX {
            shard.retain(|_, until| *until > now_ms);
        }
        if shard.len() >= KEYS_MAX {
            // Forgetting costs a wait, no more.
            shard.clear();
        }
        shard.insert(hash, now_ms + REMEMBERED_MS);
    }

    /// Forgets a key: its response was stored.
    pub fn forget(&self, hash: u128) {
        self.shard(hash).remove(&hash);
    }

    /// Whether a key is remembered.
    #[must_use]
    pub fn knows(&self, hash: u128, now_ms: u64) -> bool {
        self.shard(hash).get(&hash).is_some_and(|until| *until > now_ms)
    }

    fn shard(&self, hash: u128) -> MutexGuard<'_, HashMap<u128, u64>> {
        self.shards[hash as usize % SHARDS].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_remembered_for_a_while_and_the_table_stays_small() {
        let unstored = Unstored::default();
        unstored.note(1, 0);
        assert!(unstored.knows(1, REMEMBERED_MS - 1) && !unstored.knows(1, REMEMBERED_MS) && !unstored.knows(2, 0));
        (0..1_000_000u128).for_each(|hash| unstored.note(hash, 5));
        let kept: usize = unstored.shards.iter().map(|shard| shard.lock().unwrap().len()).sum();
        assert!(kept <= SHARDS * KEYS_MAX && unstored.knows(999_999, 6));
        unstored.forget(999_999);
        assert!(!unstored.knows(999_999, 6));
    }
}
