//! A part of the tier under one lock: which items it holds, and which it lets go (S3-FIFO, Yang et al., SOSP 2023).

use super::ghost::Ghost;
use super::index::Index;
use super::mark::uses;
use super::slab::{Kind, NONE, Queue, Slab, UNIT_BYTES, units_of};
use super::{Held, Inserted, Refused};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// Items by hash, in two queues.
pub(super) struct Shard<T> {
    index: Index<T>,
    slab: Slab<T>,
    small: Queue,
    main: Queue,
    ghost: Ghost,
    items: usize,
    capacity: usize,
    evictions: u64,
}

/// What an item that replaces others takes over from them: it is the same thing, only newer.
struct Heritage {
    kind: Kind,
    mark: u8,
}

impl<T: Held> Shard<T> {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            index: Index::new(),
            slab: Slab::new(),
            small: Queue::new(Kind::Small),
            main: Queue::new(Kind::Main),
            ghost: Ghost::new(),
            items: 0,
            capacity,
            evictions: 0,
        }
    }

    /// The items under `hash`, newest first.
    pub(super) fn under(&self, hash: u128) -> impl Iterator<Item = &Arc<T>> {
        self.chain(hash).map(|(_, item)| item)
    }

    /// Adds an item, in the stead of those that `replaces` names; `asked`: it was asked for before.
    pub(super) fn insert(
        &mut self,
        item: Arc<T>,
        variants_max: usize,
        asked: bool,
        replaces: impl Fn(&T) -> bool,
    ) -> Inserted<T> {
        let hash = item.hash();
        let (replaced, heritage) = self.replace(hash, replaces);
        let mut inserted = Inserted { replaced, ..Inserted::default() };
        let (units, kind) = match self.admit(&item, hash, asked, heritage.as_ref()) {
            Ok(admitted) => admitted,
            Err(why) => {
                inserted.refused = Some(why);
                return inserted;
            }
        };
        inserted.dropped = self.drop_oldest(hash, variants_max.max(1) - 1);
        let bytes = units as usize * UNIT_BYTES;
        while self.bytes() + bytes > self.capacity {
            let Some(gone) = self.let_go() else { break };
            inserted.evicted.push(gone);
        }
        item.mark().store(heritage.map_or(0, |heritage| heritage.mark), Relaxed);
        self.add(hash, item, units, kind);
        inserted
    }

    /// Whether an item of so many bytes would come in, in the stead of those that `replaces` names.
    pub(super) fn ask(&mut self, hash: u128, bytes: usize, replaces: impl Fn(&T) -> bool) -> Result<(), Refused> {
        let (bytes, units) = self.weigh(bytes)?;
        let is_known = !self.named(hash, replaces).is_empty();
        if is_known || !self.is_intruder(bytes, units) || self.ghost.take(hash, self.items.max(GHOST_ITEMS_MIN)) {
            return Ok(());
        }
        self.ghost.remember(hash, self.items);
        Err(Refused::AskedOnce)
    }

    /// Removes the items under `hash` that `which` names.
    pub(super) fn remove(&mut self, hash: u128, which: impl Fn(&T) -> bool) -> Vec<Arc<T>> {
        let named = self.named(hash, which);
        named.into_iter().filter_map(|at| self.take(at)).collect()
    }

    /// The items in `places` that `keep` does not want, with their places.
    pub(super) fn unwanted(&self, places: Range<u32>, keep: impl Fn(&T) -> bool) -> Vec<(u32, Arc<T>)> {
        let places = places.start..places.end.min(self.places());
        let items = places.filter_map(|at| Some((at, self.slab.node(at).item()?)));
        items.filter(|(_, item)| !keep(item)).map(|(at, item)| (at, Arc::clone(item))).collect()
    }

    /// Removes `item` if it still stands at `at`.
    pub(super) fn remove_at(&mut self, at: u32, item: &Arc<T>) -> Option<Arc<T>> {
        let stands = at < self.places() && self.slab.node(at).item().is_some_and(|found| Arc::ptr_eq(found, item));
        if stands { self.take(at) } else { None }
    }

    /// One past the last place that may hold an item.
    pub(super) fn places(&self) -> u32 {
        self.slab.places() as u32
    }

    /// Lets go up to `items_max` of the items over `capacity`; the room that is left is the capacity until then.
    pub(super) fn shrink(&mut self, capacity: usize, items_max: usize, gone: &mut Vec<Arc<T>>) -> bool {
        let before = gone.len();
        while self.bytes() > capacity && gone.len() - before < items_max {
            gone.extend(self.let_go());
        }
        self.capacity = capacity.max(self.bytes());
        self.capacity == capacity
    }

    /// Takes everything out, to be freed where no lock is held.
    pub(super) fn empty(&mut self) -> Self {
        let fresh = Self { evictions: self.evictions, ..Self::new(self.capacity) };
        std::mem::replace(self, fresh)
    }

    /// What the items count for, overhead included.
    pub(super) fn bytes(&self) -> usize {
        self.small.bytes() + self.main.bytes()
    }

    pub(super) fn items(&self) -> usize {
        self.items
    }

    pub(super) fn evictions(&self) -> u64 {
        self.evictions
    }

    /// What the shard itself takes.
    #[cfg(test)]
    pub(super) fn own_bytes(&self) -> usize {
        self.index.bytes() + self.slab.bytes() + self.ghost.bytes()
    }

    /// Notes a hash as one that was let go.
    #[cfg(test)]
    pub(super) fn forget(&mut self, hash: u128) {
        self.ghost.remember(hash, self.items);
    }

    /// The items under `hash` and where they stand, newest first. The slab is not touched for the newest.
    fn chain(&self, hash: u128) -> impl Iterator<Item = (u32, &Arc<T>)> {
        let mut shown = None;
        std::iter::from_fn(move || {
            let next = match shown {
                None => self.index.get(hash),
                Some(at) => self.older(at),
            };
            shown = Some(next.map_or(NONE, |(at, _)| at));
            next
        })
    }

    /// The next older variant than what stands at `at`.
    fn older(&self, at: u32) -> Option<(u32, &Arc<T>)> {
        let older = self.slab.get(at)?.older;
        Some((older, self.slab.get(older)?.item()?))
    }

    fn named(&self, hash: u128, which: impl Fn(&T) -> bool) -> Vec<u32> {
        self.chain(hash).filter(|(_, item)| which(item)).map(|(at, _)| at).collect()
    }

    fn replace(&mut self, hash: u128, replaces: impl Fn(&T) -> bool) -> (Vec<Arc<T>>, Option<Heritage>) {
        let (mut replaced, mut heritage) = (Vec::new(), None::<Heritage>);
        for at in self.named(hash, replaces) {
            let kind = self.slab.node(at).kind();
            let Some(item) = self.take(at) else { continue };
            let old = heritage.unwrap_or(Heritage { kind, mark: 0 });
            heritage = Some(Heritage {
                kind: if kind == Kind::Main { kind } else { old.kind },
                mark: old.mark.max(uses(item.mark())),
            });
            replaced.push(item);
        }
        (replaced, heritage)
    }

    /// What an item counts for and where it goes, or why it does not come in.
    fn admit(
        &mut self,
        item: &T,
        hash: u128,
        asked: bool,
        heritage: Option<&Heritage>,
    ) -> Result<(u32, Kind), Refused> {
        let (bytes, units) = self.weigh(item.bytes())?;
        if let Some(heritage) = heritage {
            return Ok((units, heritage.kind));
        }
        if self.ghost.take(hash, self.items.max(GHOST_ITEMS_MIN)) {
            return Ok((units, Kind::Main));
        }
        if self.is_intruder(bytes, units) {
            if asked {
                return Ok((units, Kind::Main));
            }
            self.ghost.remember(hash, self.items);
            return Err(Refused::AskedOnce);
        }
        Ok((units, Kind::Small))
    }

    /// What an item of so many bytes counts for: with its overhead, and in units.
    fn weigh(&self, bytes: usize) -> Result<(usize, u32), Refused> {
        let bytes = bytes.saturating_add(OVERHEAD_BYTES);
        let units = units_of(bytes).filter(|_| bytes <= self.capacity / HELD_OF && self.slab.has_room());
        Ok((bytes, units.ok_or(Refused::TooLarge)?))
    }

    /// Whether an item would drive too much out of the small queue to be there on trial.
    fn is_intruder(&self, bytes: usize, units: u32) -> bool {
        bytes > self.capacity / LARGE_OF && self.bytes() + units as usize * UNIT_BYTES > self.capacity
    }

    /// Removes the oldest variants until `rest` are left.
    fn drop_oldest(&mut self, hash: u128, rest: usize) -> Vec<Arc<T>> {
        let over: Vec<_> = self.chain(hash).skip(rest).map(|(at, _)| at).collect();
        over.into_iter().filter_map(|at| self.take(at)).collect()
    }

    fn add(&mut self, hash: u128, item: Arc<T>, units: u32, kind: Kind) {
        let newest = self.index.get(hash).map(|(at, _)| at);
        let at = self.slab.add(Arc::clone(&item), units);
        match newest {
            Some(newest) => {
                self.slab.node_mut(at).older = newest;
                self.index.replace(newest, at, item);
            }
            None => self.index.insert(at, item),
        }
        self.items += 1;
        self.push(at, kind);
    }

    /// Lets one item go: of the small queue while that has more than its share, else of the main one.
    fn let_go(&mut self) -> Option<Arc<T>> {
        let mut spared = 0;
        loop {
            let from_main = self.small.bytes() <= self.capacity / SMALL_OF;
            let oldest = if from_main { self.main.oldest() } else { self.small.oldest() };
            let at = oldest.or(self.small.oldest()).or(self.main.oldest())?;
            if spared == SPARED_MAX || !self.spare(at) {
                return self.evict(at);
            }
            spared += 1;
        }
    }

    /// Keeps an item that was asked for since it came, and makes it the newest of the main queue.
    fn spare(&mut self, at: u32) -> bool {
        let node = self.slab.node(at);
        let (kind, Some(item)) = (node.kind(), node.item()) else { return false };
        let mark = uses(item.mark());
        let left = match kind {
            Kind::Small if mark >= PROMOTED_MARK => 0,
            Kind::Main if mark > 0 => mark - 1,
            _ => return false,
        };
        item.mark().store(left, Relaxed);
        self.unlink(at);
        self.push(at, Kind::Main);
        true
    }

    fn evict(&mut self, at: u32) -> Option<Arc<T>> {
        let node = self.slab.node(at);
        if let (Kind::Small, Some(item)) = (node.kind(), node.item()) {
            self.ghost.remember(item.hash(), self.items);
        }
        self.evictions += 1;
        self.take(at)
    }

    /// Takes an item out of its queue, out of the variants of its hash, and its place.
    fn take(&mut self, at: u32) -> Option<Arc<T>> {
        self.unlink(at);
        let hash = self.slab.node(at).item()?.hash();
        let older = self.older(at).map(|(older, item)| (older, Arc::clone(item)));
        let newer = self.chain(hash).map(|(other, _)| other).take_while(|&other| other != at).last();
        match (newer, older) {
            (Some(newer), older) => self.slab.node_mut(newer).older = older.map_or(NONE, |(older, _)| older),
            (None, None) => self.index.remove(hash, at),
            (None, Some((older, item))) => self.index.replace(at, older, item),
        }
        self.items -= 1;
        self.slab.take(at)
    }

    fn push(&mut self, at: u32, kind: Kind) {
        let queue = match kind {
            Kind::Small => &mut self.small,
            Kind::Main => &mut self.main,
        };
        queue.push(&mut self.slab, at);
    }

    fn unlink(&mut self, at: u32) {
        let queue = match self.slab.node(at).kind() {
            Kind::Small => &mut self.small,
            Kind::Main => &mut self.main,
        };
        queue.unlink(&mut self.slab, at);
    }
}

/// What an item costs beyond itself: a node of 24 bytes, up to 61 of the index, up to 16 of the ghost (tests measure it).
pub(super) const OVERHEAD_BYTES: usize = 104;

/// An item may be at most this part of a shard.
pub(super) const HELD_OF: usize = 2;

/// An item over this part of a shard has no trial in the small queue: when there is no free room, it must be asked for twice.
pub(super) const LARGE_OF: usize = 32;

/// The small queue has this part of a shard.
const SMALL_OF: usize = 10;

/// Uses after which an item of the small queue goes over to the main one.
const PROMOTED_MARK: u8 = 2;

/// Items that may be spared for one that is let go: bounds how long the lock is held.
const SPARED_MAX: usize = 64;

/// Fingerprints that count even where few items are held.
const GHOST_ITEMS_MIN: usize = 64;
