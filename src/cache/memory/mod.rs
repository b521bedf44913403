//! The memory tier: items by a 128-bit hash, bounded by bytes, let go by S3-FIFO (Yang et al., SOSP 2023).
//!
//! A hit takes a read lock on one shard and writes at most the item's own counter. What comes in, is replaced or let go
//! is handed back, so that it is freed, or taken by another tier, where no lock is held.

mod ghost;
mod index;
mod mark;
mod prefetch;
mod shard;
mod slab;
#[cfg(test)]
mod tests;

use shard::Shard;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// What a memory tier holds.
pub trait Held: Send + Sync + 'static {
    /// The keyed hash of its primary key. Variants share one.
    fn hash(&self) -> u128;

    /// Bytes that it holds, all of them: content, head, what the allocator rounds up. Must not change while it is held.
    fn bytes(&self) -> usize;

    /// How often it was used lately, up to three; the tier alone writes it.
    fn mark(&self) -> &AtomicU8;

    /// What its finder reads beside itself: stays where it is while it is held.
    fn reads(&self) -> [&[u8]; 2] {
        [&[], &[]]
    }
}

/// A memory tier.
pub struct Memory<T> {
    shards: Box<[RwLock<Shard<T>>]>,
    capacity: AtomicUsize,
    variants_max: AtomicUsize,
    /// Held through a change of capacity, so that two of them do not mix.
    resizing: Mutex<()>,
}

/// What came of an insertion. What is in it is no longer held by the tier.
#[derive(Debug)]
#[must_use = "what was evicted may go to another tier"]
pub struct Inserted<T> {
    /// Why the item is not held, if it is not. What it replaces is gone nevertheless.
    pub refused: Option<Refused>,
    /// Let go to make room, the first to go first.
    pub evicted: Vec<Arc<T>>,
    /// The oldest variants, over the cap.
    pub dropped: Vec<Arc<T>>,
    /// What the item replaces.
    pub replaced: Vec<Arc<T>>,
}

/// Why an item does not come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It is larger than half a shard.
    TooLarge,
    /// It is large, there is no free room, and nobody asked for it before; the next time it comes in.
    AskedOnce,
}

impl<T: Held> Memory<T> {
    /// A tier of `capacity_bytes`, its own overhead included, with at most `variants_max` items (at least one) a hash.
    #[must_use]
    pub fn new(capacity_bytes: usize, variants_max: usize) -> Self {
        let shards = shards_for(capacity_bytes);
        let shards = (0..shards).map(|_| RwLock::new(Shard::new(capacity_bytes / shards))).collect();
        Self {
            shards,
            capacity: AtomicUsize::new(capacity_bytes),
            variants_max: AtomicUsize::new(variants_max),
            resizing: Mutex::new(()),
        }
    }

    /// Shows the items under `hash` to `look`, newest first, until it gives something; that item counts as used.
    /// `look` is called under a read lock: it must be short, and must not call the tier.
    pub fn find<R>(&self, hash: u128, mut look: impl FnMut(&Arc<T>) -> Option<R>) -> Option<R> {
        let shard = self.read(self.at(hash));
        shard.under(hash).find_map(|item| {
            let found = look(item)?;
            mark::count(item.mark());
            Some(found)
        })
    }

    /// The items under `hash`, newest first; none counts as used.
    #[must_use]
    pub fn variants(&self, hash: u128) -> Vec<Arc<T>> {
        self.read(self.at(hash)).under(hash).map(Arc::clone).collect()
    }

    /// Adds `item` as the newest under its hash, in the stead of those that `replaces` names there.
    pub fn insert(&self, item: Arc<T>, replaces: impl Fn(&T) -> bool) -> Inserted<T> {
        self.write(self.at(item.hash())).insert(item, self.variants_max.load(Relaxed), false, replaces)
    }

    /// As [`insert`](Self::insert), of something that was asked for already: what is large comes in at once.
    pub fn insert_asked(&self, item: Arc<T>, replaces: impl Fn(&T) -> bool) -> Inserted<T> {
        self.write(self.at(item.hash())).insert(item, self.variants_max.load(Relaxed), true, replaces)
    }

    /// Whether an item of so many [`bytes`](Held::bytes) would come in under `hash` now, in the stead of those that `replaces`
    /// names there. What was asked for once is remembered, as by [`insert`](Self::insert): the next time it would.
    ///
    /// # Errors
    /// Why it would not.
    pub fn ask(&self, hash: u128, bytes: usize, replaces: impl Fn(&T) -> bool) -> Result<(), Refused> {
        // What is not large always comes in.
        if bytes <= self.largest() / shard::LARGE_OF {
            return Ok(());
        }
        self.write(self.at(hash)).ask(hash, bytes, replaces)
    }

    /// Removes the items under `hash` that `which` names, newest first.
    pub fn remove(&self, hash: u128, which: impl Fn(&T) -> bool) -> Vec<Arc<T>> {
        self.write(self.at(hash)).remove(hash, which)
    }

    /// Removes what `keep` does not want, in short steps, and tells how many went. `keep` is asked under a read lock.
    /// What comes in meanwhile may or may not be asked about.
    pub fn retain(&self, keep: impl Fn(&T) -> bool) -> usize {
        (0..self.shards.len()).map(|at| self.retain_in(at, &keep)).sum()
    }

    /// Removes everything, and tells how many went.
    pub fn clear(&self) -> usize {
        let mut count = 0;
        for at in 0..self.shards.len() {
            let old = self.write(at).empty();
            count += old.items();
        }
        count
    }

    /// Changes the capacity, and lets go at once what is over it. The number of shards stays: a tier that grew much, or
    /// shrank much, is better made anew.
    pub fn resize(&self, capacity_bytes: usize) -> Vec<Arc<T>> {
        let _alone = self.resizing.lock().unwrap_or_else(PoisonError::into_inner);
        self.capacity.store(capacity_bytes, Relaxed);
        let mut gone = Vec::new();
        for at in 0..self.shards.len() {
            while !self.write(at).shrink(capacity_bytes / self.shards.len(), STEP_ITEMS, &mut gone) {}
        }
        gone
    }

    /// Changes the cap on variants; a hash that has more loses them when it is added to.
    pub fn cap_variants(&self, variants_max: usize) {
        self.variants_max.store(variants_max, Relaxed);
    }

    /// What the items count for, overhead included.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.each().map(|shard| shard.bytes()).sum()
    }

    /// How many items there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.each().map(|shard| shard.items()).sum()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many items were let go for want of room.
    #[must_use]
    pub fn evictions(&self) -> u64 {
        self.each().map(|shard| shard.evictions()).sum()
    }

    /// Bytes that the items may count for.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.capacity.load(Relaxed)
    }

    /// The largest item, by its own [`bytes`](Held::bytes), that can come in.
    #[must_use]
    pub fn largest(&self) -> usize {
        (self.capacity() / self.shards.len() / shard::HELD_OF).saturating_sub(shard::OVERHEAD_BYTES)
    }

    fn retain_in(&self, at: usize, keep: &impl Fn(&T) -> bool) -> usize {
        let (mut count, mut from) = (0, 0);
        loop {
            let shard = self.read(at);
            if from >= shard.places() {
                return count;
            }
            let unwanted = shard.unwanted(from..from + STEP_ITEMS as u32, keep);
            drop(shard);
            if !unwanted.is_empty() {
                let mut shard = self.write(at);
                count += unwanted.iter().filter(|(at, item)| shard.remove_at(*at, item).is_some()).count();
            }
            from += STEP_ITEMS as u32;
        }
    }

    /// The highest bits choose: the index and the ghost use others.
    fn at(&self, hash: u128) -> usize {
        (hash >> (u128::BITS - SHARDS_BITS_MAX)) as usize & (self.shards.len() - 1)
    }

    fn each(&self) -> impl Iterator<Item = RwLockReadGuard<'_, Shard<T>>> {
        (0..self.shards.len()).map(|at| self.read(at))
    }

    // A panic under the lock cannot come of what is stored: what callers give is called before anything is changed.
    fn read(&self, at: usize) -> RwLockReadGuard<'_, Shard<T>> {
        self.shards[at].read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, at: usize) -> RwLockWriteGuard<'_, Shard<T>> {
        self.shards[at].write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Inserted<T> {
    /// Whether the item is held.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.refused.is_none()
    }
}

impl<T> Default for Inserted<T> {
    fn default() -> Self {
        Self { refused: None, evicted: Vec::new(), dropped: Vec::new(), replaced: Vec::new() }
    }
}

/// As many shards as a capacity bears: each time it grows fourfold, twice as many, twice as large. So 64 MiB are four
/// shards that hold objects up to 8 MiB, 1 GiB are sixteen with up to 32 MiB.
fn shards_for(capacity_bytes: usize) -> usize {
    let quarters = (capacity_bytes / SHARD_BYTES_MIN).checked_ilog2().map_or(0, |log| log.div_ceil(2) + 1);
    1 << quarters.min(SHARDS_BITS_MAX)
}

/// No tier is divided into shards smaller than half of this.
const SHARD_BYTES_MIN: usize = 16 << 20;

/// Powers of two up to this: 64 shards.
const SHARDS_BITS_MAX: u32 = 6;

/// Items that are seen to, or let go, under one lock.
const STEP_ITEMS: usize = 256;
