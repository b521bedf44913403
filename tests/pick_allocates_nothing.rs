//! A pick takes no memory from the heap, whatever the policy.

#![allow(unsafe_code, reason = "an allocator that counts cannot be written without")]
#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;
use weir::config::HashTable;
use weir::pool::policy::{Ask, Look, Policy, Table, View};

struct Counting;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call is passed on to the system's allocator as it is; counting touches no heap.
unsafe impl GlobalAlloc for Counting {
    // SAFETY: as the caller promises.
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        // SAFETY: the caller's layout.
        unsafe { System.alloc(layout) }
    }

    // SAFETY: as the caller promises.
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: what the system's allocator gave.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

struct Yard;

impl Look for Yard {
    fn in_flight(&self, at: usize) -> u32 {
        at as u32 % 5
    }

    fn latency(&self, at: usize) -> u64 {
        at as u64 % 3 * 1_000
    }

    fn may(&self, at: usize) -> bool {
        at % 4 != 1
    }
}

#[test]
fn no_policy_allocates_at_a_pick() {
    for count in [10usize, 1_000] {
        let names: Vec<_> = (0..count).map(|at| format!("10.0.{}.{}:80", at / 250, at % 250)).collect();
        let backends: Vec<_> = names.iter().map(|name| (name.as_str(), 1u16)).collect();
        let view = View::new(&vec![256; count]);
        let weighted = View::new(&(0..count).map(|at| 256 * (at as u32 % 3)).collect::<Vec<_>>());
        let hash = |kind, bounded| Policy::hash(Arc::new(Table::build(kind, &backends)), bounded);
        for mut policy in [
            Policy::round_robin(0),
            Policy::random(),
            Policy::least_connections(0),
            Policy::peak_ewma(),
            hash(HashTable::Ketama, None),
            hash(HashTable::Maglev, Some(125)),
        ] {
            for view in [&view, &weighted] {
                policy.refresh(view);
                let before = COUNT.get();
                for random in 0..200u64 {
                    let random = random.wrapping_mul(0x9E37_79B9_7F4A_7C15);
                    assert!(policy.pick(view, &Yard, &Ask { random, hash: Some(random) }).is_some());
                }
                assert_eq!(COUNT.get(), before, "{policy:.40?} of {count}");
            }
        }
    }
    // The test can fail: this is seen.
    let before = COUNT.get();
    drop(Vec::<u8>::with_capacity(1));
    assert_eq!(COUNT.get(), before + 1);
}
