//! Purges: each is noted with a generation, and checked against a stored response when that is found. None walks what is
//! stored, so one costs the same however much it names.

mod notes;
pub mod parse;
mod record;
mod what;

pub use notes::{NOTES_MAX, PREFIX_LENGTHS_MAX};
pub use parse::NotPurgeable;
pub use what::{Mode, What};

use super::key::Secret;
use notes::{Name, Notes, Stamp};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// What was purged of one cache.
#[derive(Debug)]
pub struct Purges {
    secret: Secret,
    generation: AtomicU64,
    notes: RwLock<Notes>,
}

/// A purge that is noted: it holds for every lookup that begins from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Noted {
    /// Its generation: what is born before it, and named by it, is purged.
    pub generation: u64,
    /// There are prefixes of too many lengths: it purges a shorter one, or the whole host.
    pub widened: bool,
    /// There were too many notes: so many older ones became one that purges everything that is as old.
    pub collapsed: usize,
}

/// What a purge asks of a stored response.
#[derive(Clone, Copy, Debug)]
pub struct Marks<'a> {
    /// The generation at which its fetch began.
    pub born: u64,
    /// Its URL as keys have it: `scheme://host[:port]/path?query`.
    pub url: &'a [u8],
    /// Its tags, hashed by [`Purges::tag`].
    pub tags: &'a [u64],
}

/// What purges say of a stored response; the last is the strongest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// It was not purged.
    Lives,
    /// It is stale, however fresh it would be otherwise.
    Stale,
    /// It is not there any more.
    Gone,
}

impl Purges {
    /// None yet. `secret` keys all hashes: records of a journal are of use under the same one only.
    #[must_use]
    pub fn new(secret: Secret) -> Purges {
        Purges { secret, generation: AtomicU64::new(0), notes: RwLock::default() }
    }

    /// The current generation: with what a fetch that begins now is born.
    ///
    /// A response that [`judge`](Self::judge) lets live is not purged up to the generation that was read before: until
    /// that changes it need not be judged again.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// The hash under which a tag is noted.
    #[must_use]
    pub fn tag(&self, tag: &[u8]) -> u64 {
        self.secret.hash64(tag)
    }

    /// Purges what was, or will be, stored of fetches that began before now. It costs the same however much that is.
    pub fn purge(&self, what: &What, mode: Mode) -> Noted {
        let name = Name::of(what, &self.secret);
        let mut notes = self.write();
        // Writers hold the lock: this one is the only one.
        let generation = self.generation.load(Ordering::Relaxed) + 1;
        let added = notes.add(name, Stamp::new(mode, generation), &self.secret);
        // Whoever reads this generation finds the note.
        self.generation.store(generation, Ordering::Release);
        drop(notes);
        Noted { generation, widened: added.widened, collapsed: added.collapsed }
    }

    /// What all purges until now say of a stored response.
    ///
    /// If none came since it was born: one comparison. Else as many look-ups as it has tags and as there are lengths of
    /// prefixes, of which there are at most [`PREFIX_LENGTHS_MAX`].
    #[must_use]
    pub fn judge(&self, marks: &Marks<'_>) -> Verdict {
        if marks.born >= self.generation() {
            return Verdict::Lives;
        }
        self.read().judge(marks, &self.secret)
    }

    /// Generations begin here at least: those of what is stored already.
    pub fn raise(&self, generation: u64) {
        let notes = self.write();
        self.generation.fetch_max(generation.min(GENERATION_MAX), Ordering::Release);
        drop(notes);
    }

    /// A purge as the journal of the disk tier has it.
    #[must_use]
    pub fn encode(what: &What, mode: Mode, generation: u64) -> Vec<u8> {
        record::encode(what, mode, generation)
    }

    /// Notes a purge of the journal again, in any order. `false`: it is none.
    #[must_use]
    pub fn replay(&self, bytes: &[u8]) -> bool {
        let Some((name, stamp)) = record::decode(bytes, &self.secret) else { return false };
        if stamp.last() > GENERATION_MAX {
            return false;
        }
        let mut notes = self.write();
        let added = notes.add(name, stamp, &self.secret);
        self.generation.fetch_max(stamp.last(), Ordering::Release);
        drop(notes);
        drop(added);
        true
    }

    /// All that a journal must have for the purges that still matter: generation and record, oldest first.
    #[must_use]
    pub fn records(&self) -> Vec<(u64, Vec<u8>)> {
        self.records_within(usize::MAX)
    }

    /// As [`records`](Self::records), for a journal that has room for `records_max` of them: the older ones become one of
    /// everything of their age. After a crash that purges more than was asked for, and never less.
    #[must_use]
    pub fn records_within(&self, records_max: usize) -> Vec<(u64, Vec<u8>)> {
        let mut all: Vec<_> = self.read().iter().collect();
        all.sort_unstable_by_key(|(_, stamp)| stamp.last());
        let mut folded = Stamp::default();
        // One place is for what they become.
        if all.len() > records_max {
            let old = all.len() - records_max.saturating_sub(1);
            all.drain(..old).for_each(|(_, stamp)| folded.join(stamp));
        }
        let first = (folded.last() > 0).then_some((None, folded));
        let record = |(key, stamp): (_, Stamp)| (stamp.last(), record::encode_note(key, stamp));
        first.into_iter().chain(all).map(record).collect()
    }

    /// Purges that are noted apart, at most [`NOTES_MAX`].
    #[must_use]
    pub fn len(&self) -> usize {
        self.read().len()
    }

    /// Whether none is noted apart.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    // Each change leaves the notes whole: a panic elsewhere under the lock takes nothing from them.
    fn read(&self) -> RwLockReadGuard<'_, Notes> {
        self.notes.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Notes> {
        self.notes.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Purges that a compacted journal has apart: a quarter of the disk tier's one, so that it is not compacted again at once.
pub const JOURNAL_RECORDS_MAX: usize = 4_096;

/// No process purges that often: a record with a greater generation is garbage.
const GENERATION_MAX: u64 = 1 << 62;

#[cfg(test)]
mod tests;
