//! The thread that writes: it alone appends to the log, and lets its oldest segment go.

use super::fetch::Unfetched;
use super::index::Slot;
use super::log::{Draft, Log};
use super::place::Place;
use super::record::{Kind, span};
use super::segment::Item;
use super::shared::Shared;
use super::stored::Record;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;

/// What the writer is asked to do.
pub(super) enum Task {
    Write(Record),
    /// Whether something was found and removed already.
    Remove {
        hash: u128,
        variant: Option<u64>,
        found: bool,
    },
    /// To say so when all before it is done.
    Flush(SyncSender<()>),
}

impl std::fmt::Debug for Task {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Task")
    }
}

pub(super) struct Writer {
    shared: Arc<Shared>,
    log: Log,
    failures: u32,
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, log: Log) -> Writer {
        Writer { shared, log, failures: 0 }
    }

    /// Works until the queue ends.
    pub(super) fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        while let Some(task) = shared.tasks.take() {
            self.take(task);
            shared.tasks.done();
        }
    }

    fn take(&mut self, task: Task) {
        match task {
            Task::Write(record) => self.write(&record),
            Task::Remove { hash, variant, found } => self.remove(hash, variant, found),
            // Who waits may have gone.
            Task::Flush(done) => done.send(()).unwrap_or_default(),
        }
    }

    fn write(&mut self, record: &Record) {
        let Record { hash, variant, born, expires_ms, .. } = *record;
        if self.shared.off.is_off(&self.shared.clock) {
            self.shared.tally.writes_dropped.add(1);
            return;
        }
        let draft = Draft { kind: Kind::Stored, hash, variant, born, expires_ms };
        if let Some(slot) = self.append(draft, &record.meta, &record.body.whole()) {
            self.shared.index.put(slot);
            self.shared.tally.writes.add(1);
        }
    }

    /// Removes what a write before it put in since, and writes down that it is removed.
    fn remove(&mut self, hash: u128, variant: Option<u64>, found: bool) {
        let found_now = self.shared.index.remove(hash, variant) > 0;
        if !found && !found_now {
            return;
        }
        let kind = if variant.is_some() { Kind::Removed } else { Kind::RemovedAll };
        let draft = Draft { kind, hash, variant: variant.unwrap_or(0), born: 0, expires_ms: 0 };
        if self.shared.off.is_off(&self.shared.clock) || self.append(draft, &[], &[]).is_none() {
            self.shared.tally.removals_unwritten.add(1);
        }
    }

    fn append(&mut self, draft: Draft, meta: &[u8], body: &[u8]) -> Option<Slot> {
        let span = span(meta.len() as u64 + body.len() as u64);
        let room = if self.log.has_room(span) { Ok(()) } else { self.make_room() };
        match room.and_then(|()| self.log.append(draft, meta, body)) {
            Ok(slot) => {
                self.succeeded();
                self.shared.tally.bytes_written.add(span);
                Some(slot)
            }
            Err(error) => {
                self.failed(&error);
                None
            }
        }
    }

    /// Seals the segment that is written, begins a free one, and frees the oldest for the next time.
    fn make_room(&mut self) -> io::Result<()> {
        if let Err(error) = self.log.seal() {
            // It is read record by record at the next start.
            self.failed(&error);
        }
        if let Some(oldest) = self.log.begin()? {
            self.reclaim(oldest);
        }
        Ok(())
    }

    /// Lets go what the segment holds, but for what was read since it was written: that is written anew.
    fn reclaim(&mut self, segment: u32) {
        let turn = self.log.turns[segment as usize];
        match self.log.holds(segment, turn) {
            Ok(Some((holds, _))) => {
                let mut budget = u64::from(self.log.segment_bytes) / KEPT_PART;
                for item in holds.items.iter().filter(|item| item.kind == Kind::Stored) {
                    self.reclaim_one(segment, turn, item, &mut budget);
                }
            }
            Ok(None) | Err(_) => {
                let gone = self.shared.index.clear_segment(segment);
                self.shared.tally.reclaimed.add(gone);
            }
        }
        self.log.turns[segment as usize] = 0;
    }

    fn reclaim_one(&mut self, segment: u32, turn: u64, item: &Item, budget: &mut u64) {
        let place = Place::new(segment, item.at, item.len);
        let slot = Slot::new(item.hash, item.variant, item.born, item.expires_ms, place, turn);
        let Some(now) = self.shared.index.now(&slot) else { return };
        let len = u64::from(item.len);
        let wanted = now.was_read() && item.expires_ms > self.shared.clock.now_ms();
        if wanted && len <= *budget && self.log.has_room(len) && self.keep(&slot) {
            *budget -= len;
            self.shared.tally.reinserted.add(1);
        } else if self.shared.index.remove_slot(&slot) {
            self.shared.tally.reclaimed.add(1);
        }
    }

    /// Writes a record anew; whether it can be found there.
    fn keep(&mut self, slot: &Slot) -> bool {
        let fetched = match self.log.fetch(slot) {
            Ok(fetched) => fetched,
            Err(Unfetched::Damaged) => {
                self.shared.found_damaged(slot);
                return false;
            }
            Err(Unfetched::Io(error)) => {
                self.shared.failed_read(slot, &error);
                return false;
            }
            Err(Unfetched::Other) => return false,
        };
        let header = fetched.header;
        let draft = Draft {
            kind: Kind::Stored,
            hash: header.hash,
            variant: header.variant,
            born: header.born,
            expires_ms: header.expires_ms,
        };
        let new = self.log.append(draft, &fetched.meta, &fetched.body);
        // Removed in the meantime: its removal waits in the queue, and is written behind it.
        new.is_ok_and(|new| self.shared.index.moved(slot, new))
    }

    fn succeeded(&mut self) {
        self.failures = 0;
        if self.shared.off.end() {
            tracing::info!(path = %self.shared.path.display(), "the cache's disk tier is written again");
        }
    }

    fn failed(&mut self, error: &io::Error) {
        self.shared.tally.write_errors.add(1);
        self.failures += 1;
        if self.failures < FAILURES_MAX {
            return;
        }
        self.failures = 0;
        // The next try is somewhere else on the disk.
        drop(self.log.seal());
        if !self.shared.off.end() {
            let pause = self.shared.off.pause;
            let path = self.shared.path.display();
            tracing::error!(%path, %error, ?pause, "the cache's disk tier fails: nothing is written to it for a while");
        }
        self.shared.off.begin(&self.shared.clock);
    }
}

/// Failures in a row after which nothing is written for a while.
const FAILURES_MAX: u32 = 3;
/// At most this part of a segment is kept when it is reclaimed, so that each turn makes room.
const KEPT_PART: u64 = 2;
