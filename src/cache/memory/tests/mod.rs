//! What callers may rely on: bounds, order, and that nothing removed is found again.

use super::shard::OVERHEAD_BYTES;
use super::slab::UNIT_BYTES;
use super::*;

mod model;
mod threads;

/// An item of a declared size.
#[derive(Debug)]
struct Thing {
    key: u64,
    variant: u8,
    serial: u64,
    bytes: usize,
    mark: AtomicU8,
}

impl Held for Thing {
    fn hash(&self) -> u128 {
        hash(self.key)
    }

    fn bytes(&self) -> usize {
        self.bytes
    }

    fn mark(&self) -> &AtomicU8 {
        &self.mark
    }
}

/// Keys are spread, as the keyed hash spreads them; a few share their low half, which the index must bear.
fn hash(key: u64) -> u128 {
    let spread = |key: u64| {
        let mixed = (key.wrapping_add(1)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        (mixed ^ mixed >> 29).wrapping_mul(0xBF58_476D_1CE4_E5B9)
    };
    u128::from(spread(key)) << 64 | u128::from(spread(key / 3) >> 7)
}

fn thing(key: u64, variant: u8, serial: u64, bytes: usize) -> Arc<Thing> {
    Arc::new(Thing { key, variant, serial, bytes, mark: AtomicU8::new(0) })
}

fn add(memory: &Memory<Thing>, key: u64, bytes: usize) -> Inserted<Thing> {
    memory.insert(thing(key, 0, 0, bytes), |_| false)
}

fn has(memory: &Memory<Thing>, key: u64) -> bool {
    memory.find(hash(key), |thing| (thing.key == key).then_some(())).is_some()
}

fn counted(bytes: usize) -> usize {
    (bytes + OVERHEAD_BYTES).next_multiple_of(UNIT_BYTES)
}

#[test]
fn variants_are_shown_newest_first_until_one_is_taken_and_that_one_is_used() {
    let memory = Memory::new(1 << 20, 8);
    let all: Vec<_> = (0..3).map(|variant| thing(7, variant, 0, 100)).collect();
    all.iter().for_each(|thing| assert!(memory.insert(Arc::clone(thing), |_| false).is_held()));
    let mut seen = Vec::new();
    let found = memory.find(hash(7), |thing| {
        seen.push(thing.variant);
        (thing.variant == 1).then_some("it")
    });
    assert_eq!((found, seen), (Some("it"), vec![2, 1]));
    let marks: Vec<_> = memory.variants(hash(7)).iter().map(|thing| thing.mark.load(Relaxed)).collect();
    assert_eq!(marks, [0, 1, 0]);
    (0..9).for_each(|_| assert!(memory.find(hash(7), |thing| (thing.variant == 1).then_some(())).is_some()));
    assert_eq!(all[1].mark.load(Relaxed), 3, "uses are counted up to three");
    assert_eq!(memory.find(hash(8), |_| Some(())), None);
}

#[test]
fn the_oldest_variant_over_the_cap_is_dropped() {
    let memory = Memory::new(1 << 20, 2);
    assert!(memory.insert(thing(7, 0, 0, 100), |_| false).dropped.is_empty());
    assert!(memory.insert(thing(7, 1, 0, 100), |_| false).dropped.is_empty());
    let inserted = memory.insert(thing(7, 2, 0, 100), |_| false);
    assert_eq!(inserted.dropped.iter().map(|thing| thing.variant).collect::<Vec<_>>(), [0]);
    let inserted = memory.insert(thing(7, 1, 1, 100), |old| old.variant == 1);
    assert_eq!(inserted.replaced.iter().map(|thing| thing.serial).collect::<Vec<_>>(), [0]);
    assert!(inserted.dropped.is_empty(), "what was replaced made room");
    let left: Vec<_> = memory.variants(hash(7)).iter().map(|thing| (thing.variant, thing.serial)).collect();
    assert_eq!(left, [(1, 1), (2, 0)]);
    assert_eq!((memory.len(), memory.evictions()), (2, 0));
    assert_eq!(memory.bytes(), 2 * counted(100));
    memory.cap_variants(1);
    assert_eq!(memory.insert(thing(7, 3, 0, 100), |_| false).dropped.len(), 2);
}

#[test]
fn what_is_too_large_is_refused_but_what_it_replaces_is_gone() {
    let memory = Memory::new(1 << 20, 8);
    assert!(add(&memory, 1, 1_000).is_held());
    let inserted = memory.insert(thing(1, 0, 1, memory.largest() + 1), |_| true);
    assert_eq!((inserted.refused, inserted.replaced.len()), (Some(Refused::TooLarge), 1));
    assert!(!has(&memory, 1));
    assert!(add(&memory, 1, memory.largest()).is_held());
    assert_eq!(add(&memory, 2, usize::MAX).refused, Some(Refused::TooLarge));
    assert_eq!(add(&Memory::new(0, 0), 1, 0).refused, Some(Refused::TooLarge));
}

#[test]
fn sixty_four_mebibytes_hold_an_object_of_almost_eight() {
    assert!(Memory::<Thing>::new(64 << 20, 1).largest() > (8 << 20) - 128);
    assert!(Memory::<Thing>::new(1 << 30, 1).largest() > (32 << 20) - 128);
    let counts: Vec<_> = [0, 1, 16 << 20, 64 << 20, 1 << 30, 16 << 30, usize::MAX].map(shards_for).into();
    assert_eq!(counts, [1, 1, 2, 4, 16, 64, 64]);
}

#[test]
fn a_large_object_drives_nothing_out_until_it_is_asked_for_again() {
    let memory = Memory::new(1 << 20, 8);
    (0..2_000).for_each(|key| assert!(add(&memory, key, 1_000).is_held()));
    let before = memory.len();
    let inserted = add(&memory, 9_999, 400_000);
    assert_eq!((inserted.refused, inserted.evicted.len(), memory.len()), (Some(Refused::AskedOnce), 0, before));
    let inserted = add(&memory, 9_999, 400_000);
    assert!(inserted.is_held() && inserted.evicted.len() > 300);
    assert!(has(&memory, 9_999));
    let memory = Memory::new(1 << 20, 8);
    assert!(add(&memory, 9_999, 400_000).is_held(), "there is free room");
}

#[test]
fn a_large_object_that_was_asked_for_already_comes_in_at_once() {
    let memory = Memory::new(1 << 20, 8);
    (0..2_000).for_each(|key| assert!(add(&memory, key, 1_000).is_held()));
    let inserted = memory.insert_asked(thing(9_999, 0, 0, 400_000), |_| false);
    assert!(inserted.is_held() && inserted.evicted.len() > 300 && has(&memory, 9_999));
    let inserted = memory.insert_asked(thing(9_998, 0, 0, memory.largest() + 1), |_| false);
    assert_eq!(inserted.refused, Some(Refused::TooLarge));
}

#[test]
fn whoever_asks_is_told_what_an_insertion_would_say() {
    let memory = Memory::new(1 << 20, 8);
    let ask = |key, bytes| memory.ask(hash(key), bytes, |thing: &Thing| thing.key == key);
    assert_eq!(ask(9_999, 400_000), Ok(()), "there is free room");
    assert_eq!(ask(9_999, memory.largest()), Ok(()));
    assert_eq!(ask(9_999, memory.largest() + 1), Err(Refused::TooLarge));
    (0..2_000).for_each(|key| assert!(add(&memory, key, 1_000).is_held()));
    assert_eq!(ask(9_999, 1_000), Ok(()), "it is not large");
    assert_eq!(ask(9_999, 400_000), Err(Refused::AskedOnce));
    assert_eq!(ask(9_999, 400_000), Ok(()), "it was asked for before");
    assert!(memory.insert_asked(thing(9_999, 0, 0, 400_000), |_| false).is_held());
    assert_eq!(ask(9_999, 300_000), Ok(()), "it takes the place of one that is there");
    assert_eq!(ask(9_998, 400_000), Err(Refused::AskedOnce));
    assert!(add(&memory, 9_998, 400_000).is_held(), "an insertion knows who asked");
}

#[test]
fn what_is_used_outlives_a_scan() {
    let memory = Memory::new(1 << 20, 1);
    (0..300).for_each(|key| assert!(add(&memory, key, 1_000).is_held()));
    for _ in 0..3 {
        (0..300).for_each(|key| assert!(has(&memory, key)));
    }
    (1_000..21_000).for_each(|key| assert!(add(&memory, key, 1_000).is_held()));
    let left = (0..300).filter(|&key| has(&memory, key)).count();
    assert!(left >= 295, "{left} of 300 are left; one in 64 may go when all are in use");
    assert!(memory.evictions() > 19_000);
}

#[test]
fn what_replaces_a_used_item_inherits_its_place() {
    let memory = Memory::new(1 << 20, 1);
    assert!(add(&memory, 0, 1_000).is_held());
    (0..3).for_each(|_| assert!(has(&memory, 0)));
    assert_eq!(memory.insert(thing(0, 0, 1, 1_000), |_| true).replaced.len(), 1);
    (1_000..3_000).for_each(|key| assert!(add(&memory, key, 1_000).is_held()));
    assert!(has(&memory, 0));
}

#[test]
fn what_is_marked_everywhere_is_let_go_all_the_same() {
    let memory = Memory::new(1 << 20, 1);
    for key in 0..5_000 {
        assert!(add(&memory, key, 1_000).is_held());
        (0..3).for_each(|_| assert!(has(&memory, key)));
        assert!(memory.bytes() <= 1 << 20);
    }
}

#[test]
fn retain_and_clear_tell_how_many_went() {
    let memory = Memory::new(64 << 20, 8);
    (0..5_000).for_each(|key| assert!(add(&memory, key, 100).is_held()));
    assert_eq!(memory.retain(|thing| thing.key % 5 != 0), 1_000);
    assert!((0..5_000).all(|key| has(&memory, key) == (key % 5 != 0)));
    assert_eq!(memory.retain(|_| true), 0);
    assert_eq!(memory.clear(), 4_000);
    assert_eq!((memory.len(), memory.bytes(), memory.is_empty(), memory.evictions()), (0, 0, true, 0));
    assert!((0..5_000).all(|key| !has(&memory, key)));
}

#[test]
fn a_smaller_capacity_holds_at_once() {
    let memory = Memory::new(1 << 20, 8);
    (0..900).for_each(|key| assert!(add(&memory, key, 1_000).is_held()));
    let held = memory.len();
    let gone = memory.resize(100_000);
    assert!(memory.bytes() <= 100_000 && memory.bytes() > 90_000);
    assert_eq!(gone.len() + memory.len(), held);
    assert_eq!(memory.evictions(), gone.len() as u64);
    assert_eq!(memory.capacity(), 100_000);
    assert!(memory.resize(1 << 20).is_empty());
    (2_000..2_900).for_each(|key| assert!(add(&memory, key, 1_000).is_held()));
    assert!(memory.bytes() > 900_000);
}

#[test]
fn what_an_item_costs_beyond_itself_is_what_it_is_charged() {
    let mut worst: f64 = 0.0;
    let mut shard = Shard::new(usize::MAX / 2);
    for key in 0..40_000 {
        assert!(shard.insert(thing(key, 0, 0, 0), 1, false, |_| false).is_held());
        shard.forget(hash(key + 1_000_000));
        if key >= 1_000 {
            worst = worst.max(shard.own_bytes() as f64 / shard.items() as f64);
        }
    }
    assert!(worst <= OVERHEAD_BYTES as f64, "{worst} bytes an item");
    assert!(worst > OVERHEAD_BYTES as f64 * 0.9, "{worst} bytes an item");
}
