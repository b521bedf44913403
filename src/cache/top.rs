//! Which keys miss most, and which bring most bytes: sketches of bounded size (Space-Saving: Metwally, Agrawal, El Abbadi
//! 2005, "Efficient Computation of Frequent and Top-k Elements in Data Streams").

mod sketch;

use sketch::Sketch;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError, TryLockError};

/// Keys that each order watches. One that made more than this share (1 / `KEYS_MAX`) of all there was is among them.
pub const KEYS_MAX: usize = 1_024;

/// Bytes of a key that are watched; longer keys that begin alike count as one.
pub const KEY_BYTES_MAX: usize = 512;

/// In which order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// How often a key missed.
    Misses,
    /// How many bytes came of it.
    Bytes,
}

/// A key, and what it cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopKey {
    /// The key, or its first [`KEY_BYTES_MAX`] bytes.
    pub key: Vec<u8>,
    /// Misses. In their order: at least the true number, and at most `error` more; else those since it is watched.
    pub count: u64,
    /// Bytes, likewise.
    pub bytes: u64,
    /// By how much at most what it is ordered by is too high.
    pub error: u64,
}

/// The sketches of one cache.
#[derive(Debug, Default)]
pub struct Top {
    sketches: Mutex<Sketches>,
    skipped: AtomicU64,
}

#[derive(Debug)]
struct Sketches {
    misses: Sketch,
    bytes: Sketch,
}

impl Top {
    /// Notes a miss that brought `bytes`. It never waits: while another thread is at it, a miss is not noted but counted as
    /// [`skipped`](Self::skipped).
    pub fn note(&self, key: &[u8], bytes: u64) {
        let mut sketches = match self.sketches.try_lock() {
            Ok(sketches) => sketches,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => {
                self.skipped.fetch_add(1, Relaxed);
                return;
            }
        };
        let key = &key[..key.len().min(KEY_BYTES_MAX)];
        sketches.misses.add(key, 1, bytes);
        sketches.bytes.add(key, bytes, 1);
    }

    /// The first `n` in that order, at most [`KEYS_MAX`].
    #[must_use]
    pub fn top(&self, by: By, n: usize) -> Vec<TopKey> {
        let sketches = self.sketches.lock().unwrap_or_else(PoisonError::into_inner);
        // Copied, so that nobody misses a turn while it is sorted.
        let mut keys = match by {
            By::Misses => sketches.misses.keys(|key, count, bytes, error| TopKey { key, count, bytes, error }),
            By::Bytes => sketches.bytes.keys(|key, bytes, count, error| TopKey { key, count, bytes, error }),
        };
        drop(sketches);
        let weight = |key: &TopKey| if by == By::Misses { key.count } else { key.bytes };
        keys.sort_unstable_by(|a, b| weight(b).cmp(&weight(a)).then_with(|| a.key.cmp(&b.key)));
        keys.truncate(n);
        keys
    }

    /// Misses that were not noted.
    #[must_use]
    pub fn skipped(&self) -> u64 {
        self.skipped.load(Relaxed)
    }
}

impl Default for Sketches {
    fn default() -> Self {
        Sketches { misses: Sketch::new(KEYS_MAX), bytes: Sketch::new(KEYS_MAX) }
    }
}

impl By {
    /// `misses` or `bytes`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            By::Misses => "misses",
            By::Bytes => "bytes",
        }
    }

    /// What [`name`](Self::name) gives.
    #[must_use]
    pub fn of(name: &str) -> Option<By> {
        [By::Misses, By::Bytes].into_iter().find(|by| by.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_order_has_its_own_first() {
        let top = Top::default();
        (0..5).for_each(|_| top.note(b"often", 10));
        top.note(b"large", 1_000);
        top.note(b"little", 0);
        let names = |by| top.top(by, 2).into_iter().map(|key| (key.key, key.count, key.bytes)).collect::<Vec<_>>();
        assert_eq!(names(By::Misses), [(b"often".to_vec(), 5, 50), (b"large".to_vec(), 1, 1_000)]);
        assert_eq!(names(By::Bytes), [(b"large".to_vec(), 1, 1_000), (b"often".to_vec(), 5, 50)]);
        assert_eq!(top.skipped(), 0);
    }

    #[test]
    fn a_long_key_takes_no_more_room_than_is_said() {
        let top = Top::default();
        top.note(&[b'a'; 2 * KEY_BYTES_MAX], 1);
        assert_eq!(top.top(By::Misses, 9)[0].key.len(), KEY_BYTES_MAX);
    }

    #[test]
    fn a_miss_never_waits() {
        let top = Top::default();
        let held = top.sketches.lock().unwrap();
        top.note(b"a", 1);
        drop(held);
        assert_eq!((top.skipped(), top.top(By::Misses, 1).len()), (1, 0));
    }

    #[test]
    fn orders_are_read_by_their_names() {
        assert_eq!([By::of("misses"), By::of("bytes"), By::of("hits")], [Some(By::Misses), Some(By::Bytes), None]);
    }
}
