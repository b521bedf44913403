//! Where each record is: 40 bytes a slot, in shards of open addressing. The whole hash stands in the record on the disk.

use super::place::Place;
use super::table::{Table, mixed};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A record that can be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    /// The lower half of the hash.
    pub(super) hash: u64,
    pub(super) variant: u64,
    pub(super) born: u64,
    pub(super) place: Place,
    /// Seconds since the epoch, rounded up.
    pub(super) expires_s: u32,
    /// The lower 31 bits of the segment's turn; above them, whether it was read since it was written.
    turn_read: u32,
}

impl Slot {
    pub(super) fn new(hash: u128, variant: u64, born: u64, expires_ms: u64, place: Place, turn: u64) -> Slot {
        let expires_s = u32::try_from(expires_ms.div_ceil(1000)).unwrap_or(u32::MAX);
        Slot { hash: hash as u64, variant, born, place, expires_s, turn_read: short(turn) }
    }

    /// The lower 31 bits of the turn of its segment.
    pub(super) fn turn(&self) -> u32 {
        self.turn_read & TURN_MASK
    }

    pub(super) fn was_read(&self) -> bool {
        self.turn_read & READ_BIT != 0
    }

    fn is_same(&self, other: &Slot) -> bool {
        (self.hash, self.variant, self.place, self.turn()) == (other.hash, other.variant, other.place, other.turn())
    }
}

/// The lower 31 bits of a turn: enough to tell the lives of a segment apart while a read waits.
pub(super) fn short(turn: u64) -> u32 {
    turn as u32 & TURN_MASK
}

/// All records that can be found.
#[derive(Debug)]
pub(super) struct Index {
    shards: Box<[Mutex<Table>]>,
    records: AtomicU64,
    bytes: AtomicU64,
}

impl Default for Index {
    fn default() -> Index {
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        Index { shards, records: AtomicU64::new(0), bytes: AtomicU64::new(0) }
    }
}

impl Index {
    /// Calls `each` with the slots under `hash`.
    pub(super) fn find(&self, hash: u128, each: impl FnMut(&Slot)) {
        let hash = hash as u64;
        self.shard(hash).under(hash).for_each(each);
    }

    /// Puts a record in; one of the same hash and variant goes.
    pub(super) fn put(&self, slot: Slot) {
        let replaced = self.shard(slot.hash).put(slot);
        self.count(1, slot.place.len());
        if let Some(old) = replaced {
            self.uncount(1, old.place.len());
        }
    }

    /// Removes the record of this variant, or all under the hash.
    pub(super) fn remove(&self, hash: u128, variant: Option<u64>) -> u64 {
        let hash = hash as u64;
        self.remove_where(hash, |slot| variant.is_none_or(|variant| slot.variant == variant))
    }

    /// Removes just this record, if it is still there.
    pub(super) fn remove_slot(&self, slot: &Slot) -> bool {
        self.remove_where(slot.hash, |other| other.is_same(slot)) > 0
    }

    /// Puts `new` in the place of `old`, if that is still there.
    pub(super) fn moved(&self, old: &Slot, new: Slot) -> bool {
        let mut shard = self.shard(old.hash);
        let found = shard.find_mut(old.hash, |slot| slot.is_same(old));
        found.map(|slot| *slot = new).is_some()
    }

    /// The slot as it is now, if it is still there.
    pub(super) fn now(&self, slot: &Slot) -> Option<Slot> {
        self.shard(slot.hash).under(slot.hash).find(|other| other.is_same(slot)).copied()
    }

    /// Notes that a record is read, and gives where it is now: it may have been written anew since it was found.
    pub(super) fn mark_read(&self, found: &Slot) -> Option<Slot> {
        let mut shard = self.shard(found.hash);
        let slot = shard.find_mut(found.hash, |slot| (slot.variant, slot.born) == (found.variant, found.born))?;
        slot.turn_read |= READ_BIT;
        Some(*slot)
    }

    /// Removes what is in a segment, slot by slot: for when nothing else says what it held.
    pub(super) fn clear_segment(&self, segment: u32) -> u64 {
        let mut removed = 0;
        for shard in &self.shards {
            let mut shard = lock(shard);
            let there: Vec<Slot> = shard.all().filter(|slot| slot.place.segment() == segment).copied().collect();
            for slot in there {
                shard.remove_first(slot.hash, |other| other.is_same(&slot));
                self.uncount(1, slot.place.len());
                removed += 1;
            }
        }
        removed
    }

    /// Removes all.
    pub(super) fn clear(&self) {
        for shard in &self.shards {
            *lock(shard) = Table::default();
        }
        self.records.store(0, Ordering::Relaxed);
        self.bytes.store(0, Ordering::Relaxed);
    }

    /// Records, and bytes that they take on the disk.
    pub(super) fn totals(&self) -> (u64, u64) {
        (self.records.load(Ordering::Relaxed), self.bytes.load(Ordering::Relaxed))
    }

    fn remove_where(&self, hash: u64, mut which: impl FnMut(&Slot) -> bool) -> u64 {
        let mut shard = self.shard(hash);
        let mut removed = 0;
        while let Some(slot) = shard.remove_first(hash, &mut which) {
            self.uncount(1, slot.place.len());
            removed += 1;
        }
        removed
    }

    fn count(&self, records: u64, bytes: u64) {
        self.records.fetch_add(records, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    fn uncount(&self, records: u64, bytes: u64) {
        self.records.fetch_sub(records, Ordering::Relaxed);
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    fn shard(&self, hash: u64) -> MutexGuard<'_, Table> {
        lock(&self.shards[(mixed(hash) % SHARDS as u64) as usize])
    }
}

fn lock(shard: &Mutex<Table>) -> MutexGuard<'_, Table> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

const SHARDS: usize = 64;
const TURN_MASK: u32 = u32::MAX >> 1;
const READ_BIT: u32 = !TURN_MASK;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[derive(Clone, Debug)]
    enum Act {
        Put(u64, u64, u32),
        Remove(u64, Option<u64>),
        Clear(u32),
    }

    fn act() -> impl Strategy<Value = Act> {
        // Few hashes, some of which meet in one place: 0 and 1 << 63 differ only in what `mixed` makes of them.
        let hash = prop_oneof![0_u64..12, (0_u64..4).prop_map(|n| n << 62)];
        let variant = 0_u64..3;
        prop_oneof![
            6 => (hash.clone(), variant.clone(), 0_u32..4).prop_map(|(h, v, s)| Act::Put(h, v, s)),
            3 => (hash, proptest::option::of(variant)).prop_map(|(h, v)| Act::Remove(h, v)),
            1 => (0_u32..4).prop_map(Act::Clear),
        ]
    }

    fn slot(hash: u64, variant: u64, segment: u32) -> Slot {
        let place = Place::new(segment, 64, 96 + 16 * u32::try_from(variant).unwrap());
        Slot::new(u128::from(hash), variant, 7, 1, place, u64::from(segment))
    }

    proptest! {
        #[test]
        fn it_finds_what_a_plain_map_finds(acts in proptest::collection::vec(act(), 0..200)) {
            let index = Index::default();
            let mut model: BTreeMap<(u64, u64), Slot> = BTreeMap::new();
            for act in acts {
                match act {
                    Act::Put(hash, variant, segment) => {
                        index.put(slot(hash, variant, segment));
                        model.insert((hash, variant), slot(hash, variant, segment));
                    }
                    Act::Remove(hash, variant) => {
                        index.remove(u128::from(hash), variant);
                        model.retain(|key, _| key.0 != hash || variant.is_some_and(|v| v != key.1));
                    }
                    Act::Clear(segment) => {
                        index.clear_segment(segment);
                        model.retain(|_, slot| slot.place.segment() != segment);
                    }
                }
                let bytes = model.values().map(|slot| slot.place.len()).sum();
                prop_assert_eq!(index.totals(), (model.len() as u64, bytes));
                for hash in (0..12).chain((0..4).map(|n| n << 62)) {
                    let mut found = Vec::new();
                    index.find(u128::from(hash), |slot| found.push(*slot));
                    found.sort_by_key(|slot| slot.variant);
                    let wanted: Vec<Slot> = model.range((hash, 0)..=(hash, u64::MAX)).map(|(_, slot)| *slot).collect();
                    prop_assert_eq!(found, wanted);
                }
            }
        }
    }

    #[test]
    fn a_mark_stays_until_the_record_is_replaced_and_a_read_follows_it_where_it_is_moved() {
        let index = Index::default();
        let (old, new) = (slot(1, 2, 3), slot(1, 2, 4));
        index.put(old);
        assert!(index.mark_read(&old).is_some() && index.now(&old).unwrap().was_read());
        assert!(index.moved(&old, new) && !index.now(&new).unwrap().was_read());
        assert!(!index.moved(&old, new) && !index.remove_slot(&old));
        assert_eq!(index.mark_read(&old).unwrap().place, new.place);
        assert!(index.remove_slot(&new) && index.mark_read(&old).is_none());
        assert_eq!(index.totals(), (0, 0));
    }
}
