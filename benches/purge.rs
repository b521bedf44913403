//! Purging: 200,000 of a million stored responses by one tag, and what a look at one response costs after many purges.

use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use std::time::Instant;
use weir::cache::key::Secret;
use weir::cache::purge::{Marks, Mode, Purges, Verdict, What};

struct Stored {
    born: u64,
    url: Box<[u8]>,
    tags: Box<[u64]>,
}

impl Stored {
    fn marks(&self) -> Marks<'_> {
        Marks { born: self.born, url: &self.url, tags: &self.tags }
    }
}

const OBJECTS: usize = 1_000_000;
const NAMED: usize = 200_000;

fn purges() -> Purges {
    Purges::new(Secret([7; 16]))
}

/// One fifth of them has the tag `sale`, each has one of its own.
fn yard(purges: &Purges) -> Vec<Stored> {
    let make = |at: usize| {
        let mut tags = vec![purges.tag(format!("product-{at}").as_bytes())];
        tags.extend(at.is_multiple_of(OBJECTS / NAMED).then(|| purges.tag(b"sale")));
        let url = format!("https://shop.example/products/{at}?size=large").into_bytes();
        Stored { born: purges.generation(), url: url.into(), tags: tags.into() }
    };
    (0..OBJECTS).map(make).collect()
}

fn acknowledge(c: &mut Criterion) {
    let purges = purges();
    let yard = yard(&purges);
    let began = Instant::now();
    purges.purge(&What::Tag(b"sale".to_vec()), Mode::Hard);
    let took = began.elapsed();
    let gone = yard.iter().filter(|stored| purges.judge(&stored.marks()) == Verdict::Gone).count();
    assert_eq!(gone, NAMED);
    println!("purge of {NAMED} of {OBJECTS} by a tag: acknowledged after {took:?}, all of them gone");
    let mut group = c.benchmark_group("purge");
    group.bench_function("tag, again", |b| b.iter(|| purges.purge(&What::Tag(b"sale".to_vec()), Mode::Hard)));
    let mut number = 0u64;
    group.bench_function("tag, new", |b| {
        let next = || {
            number += 1;
            What::Tag(number.to_le_bytes().to_vec())
        };
        b.iter_batched(next, |what| purges.purge(&what, Mode::Hard), BatchSize::SmallInput);
    });
    group.finish();
}

fn judge(c: &mut Criterion) {
    let mut group = c.benchmark_group("judge");
    for notes in [0usize, 1_000, 100_000] {
        for (kind, prefixes) in [("tags", 0), ("tags, urls, hosts, 16 lengths of prefixes", 16)] {
            let purges = purges();
            let stored = Stored {
                born: purges.generation(),
                url: b"https://shop.example/products/7?size=large"[..].into(),
                tags: [purges.tag(b"a"), purges.tag(b"b")].into(),
            };
            for at in 0..notes {
                let what = match at % 4 {
                    1 if prefixes > 0 => What::Url(format!("https://other.example/{at}").into()),
                    2 if prefixes > 0 => What::Host(format!("{at}.example").into()),
                    3 if prefixes > 0 => {
                        What::Prefix(format!("https://other{at:06}.example/{}", "a".repeat(at / 4 % prefixes)).into())
                    }
                    _ => What::Tag(at.to_le_bytes().to_vec()),
                };
                purges.purge(&what, Mode::Hard);
            }
            group.bench_function(BenchmarkId::new(kind, notes), |b| {
                b.iter(|| black_box(purges.judge(black_box(&stored.marks()))));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, acknowledge, judge);
criterion_main!(benches);
