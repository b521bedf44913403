//! What the threads of the tier and its handles share.

use super::counts::Tally;
use super::index::{Index, Slot};
use super::journal::Journal;
use super::log::Log;
use super::medium::Medium;
use super::options::Options;
use super::queue::Queue;
use super::reader::Job;
use super::writer::Task;
use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) path: PathBuf,
    pub(super) medium: Arc<dyn Medium>,
    pub(super) seed: u64,
    pub(super) segment_bytes: u32,
    pub(super) index: Index,
    pub(super) tally: Tally,
    pub(super) tasks: Queue<Task>,
    pub(super) jobs: Queue<Job>,
    pub(super) clock: Clock,
    /// `None` once the tier is closed.
    pub(super) journal: Mutex<Option<Journal>>,
    /// The journal has what is not synced yet, and a job to do so waits.
    pub(super) unsynced: AtomicBool,
    pub(super) off: Off,
    /// A read took longer than `read_max`: nothing is looked for.
    pub(super) silent: Off,
    pub(super) read_max: Duration,
    /// Segments whose damage was told.
    pub(super) told: Mutex<BTreeSet<u32>>,
}

impl Shared {
    pub(super) fn new(options: &Options, now_ms: u64, log: &Log, index: Index, journal: Journal) -> Shared {
        Shared {
            path: options.path.clone(),
            medium: Arc::clone(&log.medium),
            seed: log.seed,
            segment_bytes: log.segment_bytes,
            index,
            tally: Tally::default(),
            tasks: Queue::new(TASKS_MAX, options.queue_bytes),
            jobs: Queue::new(JOBS_MAX, usize::MAX),
            clock: Clock { opened_ms: now_ms, opened: Instant::now() },
            journal: Mutex::new(Some(journal)),
            unsynced: AtomicBool::new(false),
            off: Off::new(options.pause),
            silent: Off::new(options.pause),
            read_max: options.read_max,
            told: Mutex::default(),
        }
    }

    /// Counts and tells that a record's bytes are not what was written.
    pub(super) fn found_damaged(&self, slot: &Slot) {
        self.tally.corrupt.add(1);
        self.tell(slot, "a record is damaged: it is dropped");
    }

    /// Counts and tells that a record could not be read.
    pub(super) fn failed_read(&self, slot: &Slot, error: &io::Error) {
        self.tally.read_errors.add(1);
        self.tell(slot, &format!("a record cannot be read ({error})"));
    }

    /// A read took too long: the disk is given a rest, as others would only wait behind it.
    pub(super) fn not_answered(&self) {
        self.tally.read_errors.add(1);
        if !self.silent.end() {
            let (path, pause, limit) = (self.path.display(), self.silent.pause, self.read_max);
            tracing::error!(%path, ?limit, ?pause, "the cache's disk tier does not answer: nothing is read from it for a while");
        }
        self.silent.begin(&self.clock);
    }

    /// A read gave something, if late.
    pub(super) fn answered(&self) {
        if self.silent.end() {
            tracing::info!(path = %self.path.display(), "the cache's disk tier answers again");
        }
    }

    /// Removes a record that is damaged, also for the next start.
    pub(super) fn drop_damaged(&self, slot: &Slot) {
        self.found_damaged(slot);
        if self.index.remove_slot(slot) {
            // The lower half of the hash is what records are removed by.
            let hash = u128::from(slot.hash);
            self.push_removal(Task::Remove { hash, variant: Some(slot.variant), found: true });
        }
    }

    pub(super) fn push_removal(&self, task: Task) {
        if !self.tasks.push(task, 0, REMOVALS_MAX) {
            self.tally.removals_unwritten.add(1);
        }
    }

    /// Tells of a fault once a segment; all are counted.
    fn tell(&self, slot: &Slot, what: &str) {
        let segment = slot.place.segment();
        if lock(&self.told).insert(segment) {
            let path = self.path.display();
            tracing::error!(%path, segment, "the cache's disk tier: {what}; told once a segment, counted each time");
        }
    }
}

/// The time, from what it was at the opening.
#[derive(Debug)]
pub(super) struct Clock {
    pub(super) opened_ms: u64,
    pub(super) opened: Instant,
}

impl Clock {
    pub(super) fn now_ms(&self) -> u64 {
        self.opened_ms + self.opened.elapsed().as_millis() as u64
    }
}

/// Whether nothing is written for a while.
#[derive(Debug)]
pub(super) struct Off {
    pub(super) pause: Duration,
    until_ms: AtomicU64,
}

impl Off {
    pub(super) fn new(pause: Duration) -> Off {
        Off { pause, until_ms: AtomicU64::new(0) }
    }

    pub(super) fn is_off(&self, clock: &Clock) -> bool {
        let until = self.until_ms.load(Ordering::Relaxed);
        until != 0 && clock.now_ms() < until
    }

    pub(super) fn begin(&self, clock: &Clock) {
        self.until_ms.store(clock.now_ms() + self.pause.as_millis() as u64, Ordering::Relaxed);
    }

    /// Ends it; whether it had begun.
    pub(super) fn end(&self) -> bool {
        self.until_ms.load(Ordering::Relaxed) != 0 && self.until_ms.swap(0, Ordering::Relaxed) != 0
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes that may wait.
const TASKS_MAX: usize = 8192;
/// Reads that may wait.
const JOBS_MAX: usize = 1024;
/// Removals that may wait beyond the writes: they are small, and not to be lost.
const REMOVALS_MAX: usize = 65_536;
