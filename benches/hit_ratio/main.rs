//! How often the memory tier has what is asked for, against LRU and against what could be had by knowing the future.
//!
//! `cargo bench --bench hit_ratio` prints the table of `docs/benchmarks.md`; without `--bench`, as in `cargo test`, a
//! small one. In both, S3-FIFO must be above LRU in each row, or the program fails.

mod caches;
mod optimum;
mod trace;

use caches::{Lru, S3Fifo};
use optimum::{Optimum, Rule};
use std::fmt;
use trace::{Request, Shape};

/// Hits of a cache, by requests and by bytes, in percent.
#[derive(Clone, Copy, Default)]
pub(crate) struct Ratio {
    requests: f64,
    bytes: f64,
}

/// Something that has an object or takes it in.
pub(crate) trait Cache {
    /// Whether the request was a hit; if not, the object is stored if the cache wants it.
    fn asks(&mut self, request: &Request) -> bool;
}

fn main() {
    let full = std::env::args().any(|arg| arg == "--bench");
    let (requests, keys) = if full { (2_000_000, 200_000) } else { (60_000, 6_000) };
    let capacities: &[usize] = if full { &[64 << 20, 256 << 20, 1 << 30] } else { &[8 << 20] };
    println!("| trace | capacity | S3-FIFO | LRU | Belady | Belady-Size |\n|---|---|---|---|---|---|");
    for scans in [false, true] {
        for skew in [0.8, 0.9, 1.0] {
            let trace = trace::generate(&Shape { requests, keys, skew, scans });
            for &capacity in capacities {
                row(&name(skew, scans), &trace, capacity);
            }
        }
    }
}

fn row(name: &str, trace: &[Request], capacity: usize) {
    let ours = ratio(trace, S3Fifo::new(capacity));
    let lru = ratio(trace, Lru::new(capacity));
    let belady = ratio(trace, Optimum::new(trace, capacity, Rule::Farthest));
    let sized = ratio(trace, Optimum::new(trace, capacity, Rule::FarthestBySize));
    println!("| {name} | {} MiB | {ours} | {lru} | {belady} | {sized} |", capacity >> 20);
    assert!(ours.requests > lru.requests, "{name}: S3-FIFO has fewer hits than LRU");
    assert!(ours.bytes > lru.bytes, "{name}: S3-FIFO has fewer bytes than LRU");
}

fn name(skew: f64, scans: bool) -> String {
    format!("Zipf {skew:.1}{}", if scans { ", scans" } else { "" })
}

fn ratio(trace: &[Request], mut cache: impl Cache) -> Ratio {
    let (mut hits, mut hit_bytes, mut bytes) = (0usize, 0usize, 0usize);
    for request in trace {
        bytes += request.bytes;
        if cache.asks(request) {
            hits += 1;
            hit_bytes += request.bytes;
        }
    }
    let percent = |part: usize, all: usize| 100.0 * part as f64 / all as f64;
    Ratio { requests: percent(hits, trace.len()), bytes: percent(hit_bytes, bytes) }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1}; {:.1}", self.requests, self.bytes)
    }
}
