//! Finding and adding in the memory tier, at a thousand items and at a million.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::AtomicU8;
use weir::cache::memory::{Held, Memory};

struct Object {
    hash: u128,
    bytes: usize,
    mark: AtomicU8,
}

impl Held for Object {
    fn hash(&self) -> u128 {
        self.hash
    }

    fn bytes(&self) -> usize {
        self.bytes
    }

    fn mark(&self) -> &AtomicU8 {
        &self.mark
    }
}

/// Spread as the keyed hash spreads keys.
fn hash(key: u64) -> u128 {
    let spread = |key: u64| {
        let mixed = (key ^ key >> 33).wrapping_mul(0xFF51_AFD7_ED55_8CCD);
        let mixed = (mixed ^ mixed >> 33).wrapping_mul(0xC4CE_B9FE_1A85_EC53);
        mixed ^ mixed >> 33
    };
    u128::from(spread(key + 1)) << 64 | u128::from(spread(!key))
}

fn object(key: u64) -> Arc<Object> {
    Arc::new(Object { hash: hash(key), bytes: BYTES, mark: AtomicU8::new(0) })
}

/// A tier that holds `count` objects; `spare` times as many would fit.
fn filled(count: u64, spare: usize) -> Memory<Object> {
    let memory = Memory::new((count as usize * (BYTES + 80)).next_multiple_of(1 << 20) * spare, 4);
    (0..count).for_each(|key| drop(memory.insert(object(key), |_| false)));
    memory
}

fn next(random: &mut u64) -> u64 {
    *random = random.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(1);
    *random >> 33
}

fn memory(c: &mut Criterion) {
    let mut group = c.benchmark_group("memory");
    for count in [1_000u64, 1_000_000] {
        let memory = filled(count, 2);
        let mut random = 1;
        group.bench_function(BenchmarkId::new("find, at random", count), |b| {
            b.iter(|| black_box(memory.find(hash(next(&mut random) % count), |object| Some(Arc::clone(object)))));
        });
        group.bench_function(BenchmarkId::new("find, of a hundred", count), |b| {
            b.iter(|| black_box(memory.find(hash(next(&mut random) % 100), |object| Some(Arc::clone(object)))));
        });
        group.bench_function(BenchmarkId::new("find what is not there", count), |b| {
            b.iter(|| black_box(memory.find(hash(count + next(&mut random)), |object| Some(Arc::clone(object)))));
        });
        let full = filled(count, 1);
        let mut key = count;
        group.bench_function(BenchmarkId::new("add, and let one go", count), |b| {
            b.iter(|| {
                key += 1;
                black_box(full.insert(object(key), |_| false))
            });
        });
    }
    group.finish();
}

criterion_group!(benches, memory);
criterion_main!(benches);

/// What an object counts for; it holds nothing.
const BYTES: usize = 4_400;
