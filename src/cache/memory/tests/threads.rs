//! Many at once.

use super::*;
use std::sync::atomic::AtomicU64;

#[test]
fn a_hit_holds_up_no_other_hit() {
    let memory = Memory::new(1 << 20, 1);
    assert!(add(&memory, 7, 100).is_held());
    let meanwhile = || std::thread::scope(|scope| scope.spawn(|| has(&memory, 7)).join().unwrap());
    assert_eq!(memory.find(hash(7), |_| Some(meanwhile())), Some(true));
}

#[test]
fn many_threads_at_once_leave_the_count_exact() {
    let memory = Memory::new(32 << 20, 4);
    let (handed_back, put_in) = (AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for thread in 0..4u64 {
            let (memory, handed_back, put_in) = (&memory, &handed_back, &put_in);
            scope.spawn(move || hammer(memory, thread, handed_back, put_in));
        }
    });
    assert!(memory.bytes() <= memory.capacity());
    assert_eq!(memory.len() as u64, put_in.load(Relaxed) - handed_back.load(Relaxed));
    let bytes = AtomicU64::new(0);
    let count = memory.retain(|thing| {
        bytes.fetch_add(counted(thing.bytes) as u64, Relaxed);
        true
    });
    assert_eq!((count, bytes.load(Relaxed) as usize), (0, memory.bytes()));
    let left = memory.len();
    assert_eq!(memory.clear(), left);
    assert_eq!((memory.len(), memory.bytes()), (0, 0));
}

fn hammer(memory: &Memory<Thing>, thread: u64, handed_back: &AtomicU64, put_in: &AtomicU64) {
    let back = |count: usize| handed_back.fetch_add(count as u64, Relaxed);
    let mut random = thread + 1;
    for serial in 0..6_000 {
        random = random.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(0x1405_7B7E_F767_814F);
        let (key, variant) = ((random >> 40) % 3_000, (random >> 33) as u8 % 6);
        match (random >> 56) % 16 {
            0..8 => {
                let new = thing(key, variant, serial, (random >> 20) as usize % 30_000);
                let inserted = memory.insert(new, |old| old.variant == variant);
                put_in.fetch_add(u64::from(inserted.is_held()), Relaxed);
                back(inserted.evicted.len() + inserted.dropped.len() + inserted.replaced.len());
            }
            8..14 => {
                let found = memory.find(hash(key), |thing| Some(thing.key));
                assert!(found.is_none_or(|found| found == key));
            }
            14 => drop(back(memory.remove(hash(key), |thing| thing.variant == variant).len())),
            _ if serial % 64 == 0 => drop(back(memory.resize((16 << 20) + (random >> 36) as usize % (16 << 20)).len())),
            _ if serial % 64 == 1 => drop(back(memory.retain(|thing| thing.key % 97 != key % 97))),
            _ => assert!(memory.variants(hash(key)).len() <= 4),
        }
    }
}
