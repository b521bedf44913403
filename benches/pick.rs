//! Picking a backend, of ten and of a thousand, by each policy.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use weir::config::HashTable;
use weir::pool::policy::{Ask, Look, Policy, Table, View};

/// Backends as the engine has them: each in memory of its own, counted by atomics.
#[expect(clippy::vec_box, reason = "as scattered as in the process")]
struct Yard(Vec<Box<AtomicU32>>);

impl Look for Yard {
    fn in_flight(&self, at: usize) -> u32 {
        self.0[at].load(Relaxed)
    }

    fn latency(&self, at: usize) -> u64 {
        1_000_000 + at as u64
    }

    fn may(&self, at: usize) -> bool {
        self.in_flight(at) < 1_000_000
    }
}

fn pick(c: &mut Criterion) {
    let mut group = c.benchmark_group("pick");
    for count in [10usize, 1_000] {
        let names: Vec<_> = (0..count).map(|at| format!("10.0.{}.{}:80", at / 250, at % 250)).collect();
        let even = vec![1u16; count];
        let uneven: Vec<u16> = (0..count).map(|at| 1 + (at % 3) as u16).collect();
        let table = |kind| {
            let backends: Vec<_> = names.iter().map(String::as_str).zip(even.iter().copied()).collect();
            Arc::new(Table::build(kind, &backends))
        };
        for (name, weights, mut policy) in [
            ("round_robin", &even, Policy::round_robin(0)),
            ("round_robin, weighted", &uneven, Policy::round_robin(0)),
            ("random", &even, Policy::random()),
            ("random, weighted", &uneven, Policy::random()),
            ("least_connections", &even, Policy::least_connections(0)),
            ("least_connections, weighted", &uneven, Policy::least_connections(0)),
            ("peak_ewma", &even, Policy::peak_ewma()),
            ("ketama", &even, Policy::hash(table(HashTable::Ketama), None)),
            ("maglev", &even, Policy::hash(table(HashTable::Maglev), None)),
            ("ketama, bounded load", &even, Policy::hash(table(HashTable::Ketama), Some(125))),
        ] {
            let view = View::new(&weights.iter().map(|weight| u32::from(*weight) * 256).collect::<Vec<_>>());
            let yard = Yard((0..count).map(|at| Box::new(AtomicU32::new(at as u32 % 7))).collect());
            policy.refresh(&view);
            let mut random = 1u64;
            group.bench_function(BenchmarkId::new(name, count), |b| {
                b.iter(|| {
                    random = random.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(1);
                    let ask = Ask { random, hash: Some(random.rotate_left(32)) };
                    black_box(policy.pick(&view, &yard, &ask))
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, pick);
criterion_main!(benches);
