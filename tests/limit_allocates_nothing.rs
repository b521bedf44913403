//! A judgement of limits takes no memory from the heap, of old keys and new ones, whether it lets in or refuses.

#![allow(unsafe_code, reason = "an allocator that counts cannot be written without")]
#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use weir::config::{Bound, HashBy, KeyPart, Prefix, Rate};
use weir::http::RequestHead;
use weir::limit::{Admit, Ask, Asked, Each, Keys, Limiter, Secret, admit};

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

#[test]
fn neither_keys_nor_judgements_allocate() {
    let parts = [
        KeyPart::Of(HashBy::ClientIp),
        KeyPart::Of(HashBy::Field("x-user".into())),
        KeyPart::Of(HashBy::Cookie("sid".into())),
        KeyPart::Of(HashBy::Query("page".into())),
        KeyPart::Of(HashBy::Path),
        KeyPart::Of(HashBy::PathPart(2)),
        KeyPart::Host,
        KeyPart::Route,
    ];
    let keys = Keys::new(&parts, Prefix { v4: 32, v6: 64 }, Arc::new(Secret::new([1; 16])));
    let mut head = RequestHead { target: b"/a/%62//c?page=%31&x".into(), ..Default::default() };
    head.authority.extend_from_slice(b"Shop.example:8080");
    head.fields.push(b"x-user", b"ann");
    head.fields.push(b"cookie", b"a=1; sid=42");
    let rate = Rate { count: 10, per: Duration::from_secs(1) };
    // Small, so that sets are full and cells change hands.
    let limiters = [
        Limiter::new(&Bound::Rate { rate, burst: 2 }, 1 << 12, None),
        Limiter::new(&Bound::Rate { rate, burst: 5 }, 1 << 12, None),
        Limiter::new(&Bound::Concurrency(3), 1 << 12, None),
    ];
    let (mut passed, mut refused) = (0, 0);
    let before = COUNT.get();
    for n in 0..10_000u32 {
        let client = IpAddr::from((n % 1_000).to_be_bytes());
        let key = keys.key(Asked { head: &head, client, route: "shop" });
        let asks = [0, 1, 2].map(|at| Some(Ask { limiter: &limiters[at], key, observe: at == 0 && n % 2 == 0 }));
        let mut each = [Each::Unasked; 3];
        match admit(&asks, Duration::from_millis(u64::from(n) / 20), &mut each) {
            Admit::Pass => passed += 1,
            Admit::Refuse { .. } => refused += 1,
        }
        if let Each::Passed { charge: Some(charge), .. } = each[2] {
            limiters[2].release(charge.place());
        }
    }
    assert_eq!(COUNT.get(), before);
    assert!(passed > 100 && refused > 100, "{passed} {refused}");
    // The test can fail: this is seen.
    drop(Vec::<u8>::with_capacity(1));
    assert_eq!(COUNT.get(), before + 1);
}
