use aws_lc_rs::hmac;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Stands for something secret: by a keyed hash, so that nobody finds another with the same, and what it stands for is
/// not in memory.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Tag([u8; 32]);

impl Tag {
    /// Of the concatenation of `parts`, which the caller keeps apart.
    #[must_use]
    pub fn of(secret: &hmac::Key, parts: &[&[u8]]) -> Tag {
        let mut context = hmac::Context::with_key(secret);
        parts.iter().for_each(|part| context.update(part));
        let mut bytes = [0; 32];
        let signed = context.sign();
        let len = signed.as_ref().len().min(bytes.len());
        bytes[..len].copy_from_slice(&signed.as_ref()[..len]);
        Tag(bytes)
    }
}

/// What was found out a moment ago, so that it is not found out again: bounded, shared by all workers, forgotten in time.
/// Only what was right is ever put in, so that strangers push nobody out.
#[derive(Debug)]
pub struct Recent<V> {
    shards: Vec<Mutex<HashMap<Tag, Known<V>>>>,
}

#[derive(Debug)]
struct Known<V> {
    until: Duration,
    value: V,
}

/// Parts with a lock each.
const SHARDS: usize = 16;
/// Entries of one part.
const SHARD_MAX: usize = 256;

impl<V> Default for Recent<V> {
    fn default() -> Self {
        Recent { shards: (0..SHARDS).map(|_| Mutex::default()).collect() }
    }
}

impl<V: Clone> Recent<V> {
    /// What is known at `now`.
    #[must_use]
    pub fn get(&self, tag: &Tag, now: Duration) -> Option<V> {
        let shard = self.shard(tag).lock().unwrap_or_else(PoisonError::into_inner);
        shard.get(tag).filter(|known| now < known.until).map(|known| known.value.clone())
    }

    /// Remembers it `until` then; of those that are too many, the one goes that would be forgotten first.
    pub fn put(&self, tag: Tag, value: V, now: Duration, until: Duration) {
        let mut shard = self.shard(&tag).lock().unwrap_or_else(PoisonError::into_inner);
        if shard.len() >= SHARD_MAX {
            shard.retain(|_, known| now < known.until);
        }
        if shard.len() >= SHARD_MAX
            && let Some(first) = shard.iter().min_by_key(|(_, known)| known.until).map(|(tag, _)| tag.clone())
        {
            shard.remove(&first);
        }
        shard.insert(tag, Known { until, value });
    }

    fn shard(&self, tag: &Tag) -> &Mutex<HashMap<Tag, Known<V>>> {
        &self.shards[usize::from(tag.0[0]) % SHARDS]
    }
}

impl std::fmt::Debug for Tag {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tag(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tag(n: u32) -> Tag {
        Tag::of(&hmac::Key::new(hmac::HMAC_SHA256, b"secret"), &[&n.to_le_bytes()])
    }

    const fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn what_is_known_is_forgotten_in_time() {
        let recent = Recent::default();
        recent.put(tag(1), "a", seconds(0), seconds(10));
        assert_eq!((recent.get(&tag(1), seconds(9)), recent.get(&tag(1), seconds(10))), (Some("a"), None));
        assert_eq!(recent.get(&tag(2), seconds(0)), None);
    }

    #[test]
    fn there_are_never_more_than_fit() {
        let recent = Recent::default();
        let all = (SHARDS * SHARD_MAX) as u32;
        for n in 0..3 * all {
            recent.put(tag(n), n, seconds(0), seconds(u64::from(n) + 1));
        }
        let held: usize = recent.shards.iter().map(|shard| shard.lock().unwrap().len()).sum();
        assert!(held <= all as usize);
        // The last are those that would be forgotten last.
        assert!((3 * all - 100..3 * all).all(|n| recent.get(&tag(n), seconds(0)) == Some(n)));
    }

    proptest! {
        #[test]
        fn it_never_knows_more_than_a_plain_map(
            steps in prop::collection::vec((any::<bool>(), 0..20u32, 0..50u64), 0..200),
        ) {
            let (recent, mut model) = (Recent::default(), HashMap::new());
            for (at, (puts, n, life)) in steps.into_iter().enumerate() {
                let now = seconds(at as u64);
                if puts {
                    recent.put(tag(n), at, now, now + seconds(life));
                    model.insert(n, (at, now + seconds(life)));
                }
                let wanted = model.get(&n).filter(|(_, until)| now < *until).map(|(value, _)| *value);
                prop_assert_eq!(recent.get(&tag(n), now), wanted);
            }
        }
    }
}
