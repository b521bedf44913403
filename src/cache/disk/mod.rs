//! The disk tier: a log of records in one preallocated file, an index in memory, a journal of purges beside it.
//!
//! The directory holds `data` (segments of records, let go oldest first), `journal` (purges), `format` (the format and
//! the secrets) and `lock`. `docs/decisions/0006-disk-tier.md` says why it is as it is.

mod bytes;
mod counts;
mod directory;
mod error;
mod fetch;
pub mod identity;
mod index;
mod inner;
pub mod journal;
mod log;
mod medium;
mod options;
mod place;
mod queue;
mod reader;
pub mod record;
mod recover;
pub mod segment;
mod shared;
mod stored;
mod table;
#[cfg(test)]
mod tests;
mod writer;

pub use counts::Counts;
pub use error::{DiskError, ReadFault};
pub use options::Options;
pub use stored::{At, Content, Found, Record};

use self::inner::Inner;
use self::journal::Journal;
use self::reader::Job;
use self::shared::lock;
use self::writer::Task;
use ::bytes::Bytes;
use siphasher::sip::SipHasher13;
use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};
use tokio::sync::oneshot;

/// The disk tier. Clones are handles to the same one; the last one that goes closes it.
#[derive(Clone, Debug)]
pub struct Disk(Arc<Inner>);

impl Disk {
    /// Opens or makes the store, and finds what is in it. Blocks: a million records take about a second.
    ///
    /// # Errors
    /// The directory cannot be used; the text says what to do.
    pub fn open(options: &Options, now_ms: u64) -> Result<Disk, DiskError> {
        Inner::open(options, now_ms, |file| Arc::new(file)).map(|inner| Disk(Arc::new(inner)))
    }

    /// The secret for keyed hashes, kept with the store: records are found again only under the same hashes.
    #[must_use]
    pub fn secret(&self) -> [u8; 16] {
        self.0.secret
    }

    /// Tells this store from others, also from one that was begun anew in its place.
    #[must_use]
    pub fn identity(&self) -> String {
        format!("{:016x}", SipHasher13::new_with_key(b"weir disk: names").hash(&self.0.secret))
    }

    /// The highest generation in the journal or in a record, at the opening.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.0.generation
    }

    /// The most bytes that a record may have, `meta` and `body` together.
    #[must_use]
    pub fn record_bytes_max(&self) -> u64 {
        log::contents_max(self.0.shared.segment_bytes)
    }

    /// The records under `hash`, also those that expired since the opening; none while the disk does not answer. Memory
    /// only, no system call; nothing is allocated if there are none.
    #[must_use]
    pub fn find(&self, hash: u128) -> Vec<Found> {
        let mut found = Vec::new();
        if self.0.shared.silent.is_off(&self.0.shared.clock) {
            return found;
        }
        self.0.shared.index.find(hash, |slot| {
            let expires_ms = u64::from(slot.expires_s) * 1000;
            found.push(Found { hash, variant: slot.variant, born: slot.born, expires_ms, slot: *slot });
        });
        found
    }

    /// Whether a record is still where it was found. Memory only.
    #[must_use]
    pub fn has(&self, found: &Found) -> bool {
        self.0.shared.index.now(&found.slot).is_some()
    }

    /// Reads a record: what is known of it, and its content, every byte checked.
    ///
    /// # Errors
    /// See [`ReadFault`].
    pub async fn read(&self, found: Found) -> Result<(Bytes, Vec<u8>), ReadFault> {
        let (answer, answered) = oneshot::channel();
        if !self.0.shared.jobs.push(Job::Read { hash: found.hash, slot: found.slot, answer }, 0, 0) {
            self.0.shared.tally.reads_refused.add(1);
            return Err(ReadFault::Busy);
        }
        let shared = &self.0.shared;
        match tokio::time::timeout(shared.read_max, answered).await {
            Ok(answer) => answer.unwrap_or(Err(ReadFault::Gone)),
            Err(_) => {
                shared.not_answered();
                Err(ReadFault::Io)
            }
        }
    }

    /// Whether a record of so many bytes would be queued now, but for what waits.
    #[must_use]
    pub fn takes(&self, bytes: u64) -> bool {
        bytes <= self.record_bytes_max() && !self.0.shared.off.is_off(&self.0.shared.clock)
    }

    /// Queues a record; it is found once it is written. One of the same hash and variant is removed at once, also if
    /// this one is not taken (`false`): an older response must not come back in the place of a newer one.
    pub fn write(&self, record: Record) -> bool {
        let shared = &self.0.shared;
        let (hash, variant) = (record.hash, record.variant);
        let bytes = record.meta.len() + record.body.size();
        let fits = self.takes(bytes as u64);
        let replaced = shared.index.remove(hash, Some(variant)) > 0;
        if fits && shared.tasks.push(Task::Write(record), bytes.max(1), 0) {
            return true;
        }
        shared.tally.writes_dropped.add(1);
        self.removed(hash, Some(variant), replaced);
        false
    }

    /// Removes a record, or all under a hash: not found from now on, and written down soon after. One that must hold
    /// through a crash is a purge ([`Disk::journal`]).
    pub fn remove(&self, hash: u128, variant: Option<u64>) {
        let found = self.0.shared.index.remove(hash, variant) > 0;
        self.removed(hash, variant, found);
    }

    fn removed(&self, hash: u128, variant: Option<u64>, found: bool) {
        // What waits or is being written may be under this hash.
        if found || !self.0.shared.tasks.is_idle() {
            self.0.shared.push_removal(Task::Remove { hash, variant, found });
        }
    }

    /// Appends a purge of `generation` with one write, which holds through a kill of the process; it is synced in the
    /// background, so that it holds through a loss of power soon after.
    ///
    /// # Errors
    /// It is not written: the journal is full ([`Disk::compact_journal`]), the disk failed, or the tier is closed.
    pub fn journal(&self, generation: u64, bytes: &[u8]) -> io::Result<()> {
        let shared = &self.0.shared;
        lock(&shared.journal).as_mut().ok_or_else(closed)?.append(generation, bytes)?;
        if !shared.unsynced.swap(true, Ordering::AcqRel) && !shared.jobs.push(Job::SyncJournal, 0, 1) {
            shared.unsynced.store(false, Ordering::Release);
        }
        Ok(())
    }

    /// Takes what the journal held at the opening, in order.
    #[must_use]
    pub fn journalled(&self) -> Vec<(u64, Vec<u8>)> {
        std::mem::take(&mut *lock(&self.0.journalled))
    }

    /// Whether the journal is more than half full.
    #[must_use]
    pub fn journal_is_long(&self) -> bool {
        lock(&self.0.shared.journal).as_ref().is_some_and(Journal::is_long)
    }

    /// Puts `records` in the place of all that the journal holds, at once; the highest generation is kept. `records` are
    /// taken while the journal is locked: they must name each purge that was acknowledged, so a caller notes a purge
    /// before it journals it. Waits for the disk: not for a worker's thread.
    ///
    /// # Errors
    /// Nothing is changed: they do not fit, the disk failed, or the tier is closed.
    pub fn compact_journal(&self, records: impl Iterator<Item = (u64, Vec<u8>)>) -> io::Result<()> {
        let mut held = lock(&self.0.shared.journal);
        let journal = held.as_mut().ok_or_else(closed)?;
        let path = &self.0.shared.path;
        let written = journal::encode(journal.generation, records, journal.seed).ok_or(io::ErrorKind::QuotaExceeded)?;
        let file = directory::replace(path, directory::JOURNAL, &written.bytes).inspect_err(|error| {
            if journal.stays_long() {
                let path = path.display();
                tracing::error!(%path, %error, "the journal of purges cannot be made shorter; told once, tried again");
            }
        })?;
        *journal = Journal::new(Arc::new(file), written.len, written.generation, journal.seed);
        Ok(())
    }

    /// Waits (blocks) until all that was queued before is written or dropped.
    pub fn flush(&self) {
        let (done, is_done) = mpsc::sync_channel(1);
        if self.0.shared.tasks.push(Task::Flush(done), 0, usize::MAX / 2) {
            // An error means that the writer has ended: nothing waits then.
            is_done.recv().unwrap_or_default();
        }
    }

    /// Writes what waits, ends the threads and lets the directory go (blocks). Nothing is found or taken from then on.
    pub fn close(&self) {
        self.0.close();
    }

    /// What it has and did.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let shared = &self.0.shared;
        let (records, bytes) = shared.index.totals();
        let off = shared.off.is_off(&shared.clock);
        Counts { bytes_allocated: self.0.bytes_allocated, records, bytes, off, ..shared.tally.counts() }
    }
}

fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::NotConnected, "the disk tier is closed")
}
