//! One judgement of limits: of one key, and of a hundred thousand.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use weir::config::{Bound, HashBy, KeyPart, Prefix, Rate};
use weir::http::RequestHead;
use weir::limit::{Ask, Asked, Each, Keys, Limiter, Secret, admit};

const SECOND: Duration = Duration::from_secs(1);
/// The default of the configuration.
const MEMORY: usize = 4 << 20;

/// `count` a second, of a burst that is never used up, or of one that is after the first request.
fn rate(count: u32, burst: u32) -> Limiter {
    Limiter::new(&Bound::Rate { rate: Rate { count, per: SECOND }, burst }, MEMORY, None)
}

fn client(n: u32) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from(0x0A00_0000 + n))
}

fn limit(c: &mut Criterion) {
    let keys = Keys::new(&[KeyPart::Of(HashBy::ClientIp)], Prefix { v4: 32, v6: 64 }, Arc::new(Secret::new([7; 16])));
    let both = [KeyPart::Of(HashBy::Field("x-api-key".into())), KeyPart::Route];
    let both = Keys::new(&both, Prefix { v4: 32, v6: 64 }, Arc::new(Secret::new([9; 16])));
    let mut head = RequestHead { target: b"/api/items?page=2".into(), ..Default::default() };
    head.fields.push(b"user-agent", b"bench");
    head.fields.push(b"x-api-key", b"8a7b9c6d5e4f3a2b1c0d");
    let asked = |n| Asked { head: &head, client: client(n), route: "api" };
    let began = Instant::now();
    let mut group = c.benchmark_group("limit");
    for count in [1u32, 100_000] {
        // A step that visits all of them in an order that no prefetcher guesses.
        let mut at = 0u32;
        let mut next = move || {
            at = (at + 61_803) % count;
            at
        };
        let id = |name| BenchmarkId::new(name, count);
        group.bench_function(id("key"), |b| b.iter(|| black_box(keys.key(asked(next())))));
        let passing = rate(1_000_000, 1_000_000);
        group.bench_function(id("passes"), |b| {
            b.iter(|| black_box(passing.charge(keys.key(asked(next())), began.elapsed())));
        });
        let refusing = rate(1, 1);
        group.bench_function(id("is refused"), |b| {
            b.iter(|| black_box(refusing.charge(keys.key(asked(next())), SECOND)));
        });
        let places = Limiter::new(&Bound::Concurrency(100), MEMORY, None);
        group.bench_function(id("enters and leaves"), |b| {
            b.iter(|| {
                if let (_, Some(charge)) = places.charge(keys.key(asked(next())), SECOND) {
                    places.release(charge.place());
                }
            });
        });
        let (one, two) = (rate(1_000_000, 1_000_000), rate(1_000_000, 1_000_000));
        group.bench_function(id("two limits"), |b| {
            b.iter(|| {
                let asked = asked(next());
                let ask = |limiter, keys: &Keys| Some(Ask { limiter, key: keys.key(asked), observe: false });
                let mut each = [Each::Unasked; 2];
                black_box(admit(&[ask(&one, &keys), ask(&two, &both)], began.elapsed(), &mut each))
            });
        });
    }
    group.finish();
}

criterion_group!(benches, limit);
criterion_main!(benches);
