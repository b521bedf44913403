//! The threads that read, so that no worker ever waits for the disk.

use super::error::ReadFault;
use super::fetch::{Unfetched, fetch};
use super::index::Slot;
use super::shared::{Shared, lock};
use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::oneshot;

/// What is known of a record, and its content.
pub(super) type Answer = Result<(Bytes, Vec<u8>), ReadFault>;

/// What a reader is asked to do.
#[derive(Debug)]
pub(super) enum Job {
    Read { hash: u128, slot: Slot, answer: oneshot::Sender<Answer> },
    SyncJournal,
}

/// Works until the queue ends.
pub(super) fn run(shared: &Shared) {
    while let Some(job) = shared.jobs.take() {
        match job {
            Job::Read { answer, .. } if answer.is_closed() => {}
            // Who asked may have gone.
            Job::Read { hash, slot, answer } => drop(answer.send(read(shared, hash, &slot))),
            Job::SyncJournal => sync(shared),
        }
        shared.jobs.done();
    }
}

fn read(shared: &Shared, hash: u128, found: &Slot) -> Answer {
    let Some(slot) = &shared.index.mark_read(found) else {
        shared.tally.reads_gone.add(1);
        return Err(ReadFault::Gone);
    };
    match fetch(&*shared.medium, slot, shared.segment_bytes, shared.seed) {
        Ok(fetched) if fetched.header.hash == hash => {
            shared.tally.reads.add(1);
            shared.answered();
            Ok((fetched.meta, fetched.body))
        }
        Err(Unfetched::Io(error)) => {
            shared.failed_read(slot, &error);
            Err(ReadFault::Io)
        }
        // Its segment was reclaimed while it was read, or two hashes are alike in their lower halves.
        Ok(_) | Err(_) if shared.index.now(slot).is_none() => {
            shared.tally.reads_gone.add(1);
            Err(ReadFault::Gone)
        }
        Ok(_) => {
            shared.tally.reads_gone.add(1);
            Err(ReadFault::Gone)
        }
        Err(Unfetched::Damaged | Unfetched::Other) => {
            shared.drop_damaged(slot);
            Err(ReadFault::Corrupt)
        }
    }
}

fn sync(shared: &Shared) {
    shared.unsynced.store(false, Ordering::Release);
    // The file is synced without the lock, so that a purge never waits for the disk.
    let medium = lock(&shared.journal).as_ref().map(|journal| Arc::clone(&journal.medium));
    if let Some(Err(error)) = medium.map(|medium| medium.sync()) {
        tracing::error!(path = %shared.path.display(), %error, "the journal of purges could not be synced");
    }
}
