//! The slots of one shard: open addressing, as dense as it can be while a search stays short.

use super::index::Slot;

/// Slots with linear probing: those of one hash stand in one run, and none is ever marked as deleted.
#[derive(Debug, Default)]
pub(super) struct Table {
    slots: Vec<Option<Slot>>,
    len: usize,
}

impl Table {
    /// All slots.
    pub(super) fn all(&self) -> impl Iterator<Item = &Slot> {
        self.slots.iter().flatten()
    }

    /// The slots under a hash.
    pub(super) fn under(&self, hash: u64) -> impl Iterator<Item = &Slot> {
        self.run(hash).filter_map(|at| self.slots[at].as_ref()).filter(move |slot| slot.hash == hash)
    }

    /// The first slot under a hash that `which` names.
    pub(super) fn find_mut(&mut self, hash: u64, which: impl Fn(&Slot) -> bool) -> Option<&mut Slot> {
        let at = self.position(hash, which)?;
        self.slots[at].as_mut()
    }

    fn position(&self, hash: u64, mut which: impl FnMut(&Slot) -> bool) -> Option<usize> {
        self.run(hash).find(|&at| self.slots[at].as_ref().is_some_and(|slot| slot.hash == hash && which(slot)))
    }

    /// The places from where `hash` belongs to the next empty one.
    fn run(&self, hash: u64) -> impl Iterator<Item = usize> + use<'_> {
        let capacity = self.slots.len();
        let home = home(hash, capacity);
        (home..capacity).chain(0..home).take_while(|&at| self.slots[at].is_some())
    }

    /// Puts a slot in; gives the one of the same hash and variant that goes.
    pub(super) fn put(&mut self, slot: Slot) -> Option<Slot> {
        if let Some(at) = self.position(slot.hash, |other| other.variant == slot.variant) {
            return self.slots[at].replace(slot);
        }
        if (self.len + 1) * LOAD_MAX.1 > self.slots.len() * LOAD_MAX.0 {
            self.grow();
        }
        self.put_new(slot);
        None
    }

    fn put_new(&mut self, slot: Slot) {
        let mut at = home(slot.hash, self.slots.len());
        while self.slots[at].is_some() {
            at = next(at, self.slots.len());
        }
        self.slots[at] = Some(slot);
        self.len += 1;
    }

    fn grow(&mut self) {
        let capacity = (self.slots.len() * GROWTH.0 / GROWTH.1).max(CAPACITY_MIN);
        let mut slots = Vec::new();
        slots.resize_with(capacity, || None);
        let old = std::mem::replace(&mut self.slots, slots);
        self.len = 0;
        old.into_iter().flatten().for_each(|slot| self.put_new(slot));
    }

    /// Removes the first one under `hash` that `which` names, and closes the gap.
    pub(super) fn remove_first(&mut self, hash: u64, which: impl FnMut(&Slot) -> bool) -> Option<Slot> {
        let mut gap = self.position(hash, which)?;
        let removed = self.slots[gap].take();
        self.len -= 1;
        let capacity = self.slots.len();
        let mut at = next(gap, capacity);
        while let Some(slot) = self.slots[at] {
            let from_home = (at + capacity - home(slot.hash, capacity)) % capacity;
            if from_home >= (at + capacity - gap) % capacity {
                self.slots[gap] = self.slots[at].take();
                gap = at;
            }
            at = next(at, capacity);
        }
        removed
    }
}

/// Where a hash belongs in a table of so many slots: no power of two is needed.
fn home(hash: u64, capacity: usize) -> usize {
    ((u128::from(mixed(hash)) * capacity as u128) >> 64) as usize
}

fn next(at: usize, capacity: usize) -> usize {
    if at + 1 == capacity { 0 } else { at + 1 }
}

/// Spreads hashes that differ in few bits.
pub(super) fn mixed(hash: u64) -> u64 {
    let hash = (hash ^ (hash >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    hash ^ (hash >> 29)
}

/// Five sixths: a search that finds nothing looks at 18 slots at the worst, on average.
const LOAD_MAX: (usize, usize) = (5, 6);
/// A quarter more at a time: between two thirds and five sixths of the memory hold records.
const GROWTH: (usize, usize) = (5, 4);
const CAPACITY_MIN: usize = 16;
const _: () = assert!(std::mem::size_of::<Option<Slot>>() == 40);
