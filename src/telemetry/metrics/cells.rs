//! Where numbers are kept.

use super::labels::{
    AccessVerdict, AttemptFailure, CacheOutcome, Encoded, LimitOutcome, Mirrored, ProtocolError, RefusalReason,
};
use crate::config::Priority;
use crate::http::Unstorable;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// A number that one thread writes and any thread reads.
#[derive(Default)]
pub(super) struct Count(AtomicU64);

impl Count {
    /// Load and store, no locked instruction: the shard has one writer.
    #[inline]
    pub(super) fn add(&self, n: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_add(n), Relaxed);
    }

    #[inline]
    pub(super) fn one_less(&self) {
        self.add(u64::MAX);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// Durations by bucket. The count is the sum of the buckets, so that a scrape never sees them disagree.
#[derive(Default)]
pub(super) struct Histogram {
    buckets: [Count; BOUNDS.len() + 1],
    sum_nanos: Count,
}

impl Histogram {
    #[inline]
    pub(super) fn observe(&self, duration: Duration) {
        // 584 years fit.
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.buckets[BOUNDS.partition_point(|bound| bound.nanos < nanos)].add(1);
        self.sum_nanos.add(nanos);
    }

    /// Not cumulative; the last is above all bounds.
    pub(super) fn buckets(&self) -> impl Iterator<Item = u64> {
        self.buckets.iter().map(Count::get)
    }

    pub(super) fn sum_nanos(&self) -> u64 {
        self.sum_nanos.get()
    }
}

/// The upper bound of a bucket, inclusive.
pub(super) struct Bound {
    pub(super) nanos: u64,
    /// Seconds, as OpenMetrics spells a float.
    pub(super) label: &'static str,
}

const fn bound(micros: u64, label: &'static str) -> Bound {
    Bound { nanos: micros * 1000, label }
}

/// The buckets of all histograms.
pub(super) const BOUNDS: [Bound; 17] = [
    bound(250, "0.00025"),
    bound(500, "0.0005"),
    bound(1_000, "0.001"),
    bound(2_500, "0.0025"),
    bound(5_000, "0.005"),
    bound(10_000, "0.01"),
    bound(25_000, "0.025"),
    bound(50_000, "0.05"),
    bound(100_000, "0.1"),
    bound(250_000, "0.25"),
    bound(500_000, "0.5"),
    bound(1_000_000, "1.0"),
    bound(2_500_000, "2.5"),
    bound(5_000_000, "5.0"),
    bound(10_000_000, "10.0"),
    bound(30_000_000, "30.0"),
    bound(60_000_000, "60.0"),
];

/// One `C` a worker, no two on one cache line.
pub(super) struct Series<C> {
    shards: Box<[Shard<C>]>,
}

/// 128: x86 fetches lines in pairs, and Apple and some server cores have lines of that size.
#[derive(Default)]
#[repr(align(128))]
struct Shard<C>(C);

impl<C: Default> Series<C> {
    pub(super) fn new(workers: usize) -> Series<C> {
        Series { shards: (0..workers).map(|_| Shard::default()).collect() }
    }
}

impl<C> Series<C> {
    #[inline]
    pub(super) fn of(&self, worker: usize) -> &C {
        &self.shards[worker].0
    }

    /// The sum over all workers.
    pub(super) fn sum(&self, read: impl Fn(&C) -> &Count) -> u64 {
        self.shards.iter().fold(0, |sum, shard| sum.wrapping_add(read(&shard.0).get()))
    }

    pub(super) fn shards(&self) -> impl Iterator<Item = &C> {
        self.shards.iter().map(|shard| &shard.0)
    }
}

#[derive(Default)]
pub(super) struct RouteCells {
    pub(super) classes: [Count; CLASSES.len()],
    pub(super) duration: Histogram,
    pub(super) request_bytes: Count,
    pub(super) response_bytes: Count,
}

#[derive(Default)]
pub(super) struct PoolCells {
    pub(super) classes: [Count; CLASSES.len()],
    pub(super) first_byte: Histogram,
    pub(super) retries: Count,
    pub(super) shed: [Count; Priority::ALL.len()],
    pub(super) arrived: Count,
    pub(super) served: Count,
    /// By whether the objective was met; nothing where there is none.
    pub(super) on_time: Count,
    pub(super) late: Count,
}

#[derive(Default)]
pub(super) struct CacheCells {
    pub(super) requests: [Count; CacheOutcome::ALL.len()],
    pub(super) collapsed: Count,
    pub(super) fetches: Count,
    pub(super) stored: Count,
    pub(super) unstored: [Count; Unstorable::ALL.len()],
    pub(super) bytes: Count,
    pub(super) evicted: Count,
    pub(super) dropped_variants: Count,
    pub(super) encodings: [Count; Encoded::ALL.len()],
    pub(super) encoded_hits: Count,
}

#[derive(Default)]
pub(super) struct AccessCells {
    pub(super) verdicts: [Count; AccessVerdict::ALL.len()],
    pub(super) fetches_ok: Count,
    pub(super) fetches_failed: Count,
}

#[derive(Default)]
pub(super) struct LimitCells {
    pub(super) requests: [Count; LimitOutcome::ALL.len()],
    pub(super) overflow: Count,
    pub(super) waits: Count,
}

#[derive(Default)]
pub(super) struct BackendCells {
    pub(super) attempts: Count,
    pub(super) connects: Count,
    pub(super) connect_failures: Count,
    pub(super) reuses: Count,
    pub(super) failures: [Count; AttemptFailure::ALL.len()],
    pub(super) ejections: Count,
    pub(super) probes_passed: Count,
    pub(super) probes_failed: Count,
}

#[derive(Default)]
pub(super) struct ListenerCells {
    pub(super) open: Count,
    pub(super) accepted: Count,
    pub(super) refused: Count,
    pub(super) tls_ok: Count,
    pub(super) tls_failed: Count,
}

#[derive(Default)]
pub(super) struct WorkerCells {
    pub(super) in_flight: Count,
    pub(super) client_aborts: Count,
    pub(super) h2_streams: Count,
    pub(super) h2_resets: Count,
    pub(super) h2_goaways: Count,
    pub(super) refusals: [Count; RefusalReason::ALL.len()],
    pub(super) protocol_errors: [Count; ProtocolError::ALL.len()],
    pub(super) mirrored: [Count; Mirrored::ALL.len()],
}

/// Labels of status classes, in the order of the cells.
pub(super) const CLASSES: [&str; 6] = ["1xx", "2xx", "3xx", "4xx", "5xx", "other"];

/// The index in [`CLASSES`] of a status.
#[inline]
pub(super) fn class(status: u16) -> usize {
    match status {
        100..=599 => usize::from(status / 100 - 1),
        _ => CLASSES.len() - 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_rise_and_their_labels_say_the_same() {
        assert!(BOUNDS.windows(2).all(|pair| pair[0].nanos < pair[1].nanos));
        for bound in &BOUNDS {
            let seconds: f64 = bound.label.parse().unwrap();
            assert!((seconds * 1e9 - bound.nanos as f64).abs() < 1.0, "{}", bound.label);
        }
    }

    #[test]
    fn a_bound_belongs_to_its_bucket() {
        let histogram = Histogram::default();
        histogram.observe(Duration::from_micros(250));
        histogram.observe(Duration::from_nanos(250_001));
        histogram.observe(Duration::from_secs(61));
        let buckets: Vec<u64> = histogram.buckets().collect();
        assert_eq!((buckets[0], buckets[1], buckets[BOUNDS.len()]), (1, 1, 1));
    }

    #[test]
    fn every_status_has_a_class() {
        assert_eq!(
            [100, 204, 302, 404, 599, 99, 600, 999].map(|status| CLASSES[class(status)]),
            ["1xx", "2xx", "3xx", "4xx", "5xx", "other", "other", "other"]
        );
    }
}
