//! What the disk tier counts.

use std::sync::atomic::{AtomicU64, Ordering};

/// What the disk tier has and did. Numbers of happenings count from its opening.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Bytes that its files take on the disk: never more than configured, and all of them from the start.
    pub bytes_allocated: u64,
    /// Bytes of records that can be found.
    pub bytes: u64,
    /// Records that can be found.
    pub records: u64,
    /// Reads that gave a record.
    pub reads: u64,
    /// Reads of records that were gone in the meantime.
    pub reads_gone: u64,
    /// Reads refused because too many waited.
    pub reads_refused: u64,
    /// Reads that the disk failed.
    pub read_errors: u64,
    /// Reads that gave other bytes than were written.
    pub corrupt: u64,
    /// Records written.
    pub writes: u64,
    /// Bytes written.
    pub bytes_written: u64,
    /// Writes refused: too many waited, too large, or the tier was off.
    pub writes_dropped: u64,
    /// Writes that the disk failed.
    pub write_errors: u64,
    /// Removals that could not be written down: they hold until the next start.
    pub removals_unwritten: u64,
    /// Records let go to make room.
    pub reclaimed: u64,
    /// Records kept when room was made, because they had been read.
    pub reinserted: u64,
    /// Whether nothing is written for a while, after errors in a row.
    pub off: bool,
}

/// Numbers of happenings, as they are counted by many threads.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) reads: Count,
    pub(super) reads_gone: Count,
    pub(super) reads_refused: Count,
    pub(super) read_errors: Count,
    pub(super) corrupt: Count,
    pub(super) writes: Count,
    pub(super) bytes_written: Count,
    pub(super) writes_dropped: Count,
    pub(super) write_errors: Count,
    pub(super) removals_unwritten: Count,
    pub(super) reclaimed: Count,
    pub(super) reinserted: Count,
}

/// A number that only grows.
#[derive(Debug, Default)]
pub(super) struct Count(AtomicU64);

impl Count {
    pub(super) fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Tally {
    /// The happenings; what the tier has is not known here.
    pub(super) fn counts(&self) -> Counts {
        Counts {
            reads: self.reads.get(),
            reads_gone: self.reads_gone.get(),
            reads_refused: self.reads_refused.get(),
            read_errors: self.read_errors.get(),
            corrupt: self.corrupt.get(),
            writes: self.writes.get(),
            bytes_written: self.bytes_written.get(),
            writes_dropped: self.writes_dropped.get(),
            write_errors: self.write_errors.get(),
            removals_unwritten: self.removals_unwritten.get(),
            reclaimed: self.reclaimed.get(),
            reinserted: self.reinserted.get(),
            ..Counts::default()
        }
    }
}
