//! A table of fixed size, shared by all workers: sets of a few cells, each a key and a word that says what the key has used.
//!
//! - **A key that has a cell** is changed by one compare-and-swap; nobody waits.
//! - **A key that has none** takes a free cell of its set, under the set's lock, so that it never gets two. A cell is free
//!   when its word says nothing any more: what is limited is never pushed out.
//! - **A set without a free cell** has one more word, the spill, that all its newcomers share: they may have less than
//!   their due, and never more. A cell that is taken later begins with what the spill says, so that nobody who used the
//!   spill starts anew.

mod ledger;

use ledger::Ledger;
use std::num::NonZeroU64;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicU64};

/// A key's 64 bits: its place in a table, and its name there. Two of a million keys are the same with a probability of
/// 3 · 10⁻⁸ (n² / 2⁶⁵); they would share what one may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key(NonZeroU64);

impl Key {
    /// The key of that hash.
    #[must_use]
    pub fn of(hash: u64) -> Key {
        Key(NonZeroU64::new(hash).unwrap_or(NonZeroU64::MIN))
    }

    /// As it is told to others.
    #[must_use]
    pub fn get(self) -> u64 {
        self.0.get()
    }
}

/// Where a key's word is: a cell of its own, or its set's spill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    set: u32,
    way: u8,
}

impl Place {
    /// It shares.
    #[must_use]
    pub fn is_spill(self) -> bool {
        usize::from(self.way) == WAYS
    }
}

/// What words mean.
pub(super) trait Words {
    /// Nothing is lost with it.
    fn is_free(&self, word: u64) -> bool;

    /// The word with which a key begins in a cell whose last word was `last`, beside that spill; `None` if it may have no
    /// cell of its own as long as the spill is so.
    fn begin(&self, last: u64, spill: u64) -> Option<u64>;
}

/// Words that are times: one that has passed says nothing.
pub(super) struct At {
    /// Nanoseconds.
    pub(super) now: u64,
}

impl Words for At {
    fn is_free(&self, time: u64) -> bool {
        time <= self.now
    }

    // Later than all that the cell had before, as each step goes forward from now.
    fn begin(&self, _last: u64, spill: u64) -> Option<u64> {
        Some(spill.max(self.now))
    }
}

/// What becomes of a word.
pub(super) enum Step<R> {
    /// It becomes this. No word that a cell had under another key may come again.
    Set(u64, R),
    /// It stays.
    Keep(R),
}

pub(super) struct Sets {
    sets: Box<[Set]>,
    ledger: Option<Ledger>,
}

/// On x86 and some other processors, lines of a cache are fetched in pairs.
#[derive(Default)]
#[repr(align(128))]
struct Set {
    keys: [AtomicU64; WAYS],
    words: [AtomicU64; WAYS],
    spill: AtomicU64,
    /// Somebody takes a cell.
    busy: AtomicBool,
}

impl Sets {
    /// As many as fit in so many bytes; one at least. `counts`: what is noted is kept until it is reported.
    pub(super) fn new(bytes: usize, counts: bool) -> Sets {
        let each = size_of::<Set>() + if counts { Ledger::BYTES_A_SET } else { 0 };
        let count = (bytes / each).clamp(1, u32::MAX as usize);
        let sets = (0..count).map(|_| Set::default()).collect();
        Sets { sets, ledger: counts.then(|| Ledger::new(count)) }
    }

    /// Bytes that it takes.
    pub(super) fn bytes(&self) -> usize {
        let ledger = if self.ledger.is_some() { Ledger::BYTES_A_SET } else { 0 };
        self.sets.len() * (size_of::<Set>() + ledger)
    }

    /// Cells.
    pub(super) fn capacity(&self) -> usize {
        self.sets.len() * WAYS
    }

    /// Cells that are not free; of a very large table, as many as a part of it lets expect.
    pub(super) fn held(&self, words: &impl Words) -> usize {
        let is_held = |word: &&AtomicU64| !words.is_free(word.load(Relaxed));
        let step = self.sets.len().div_ceil(LOOKED_AT_MAX);
        let held: usize = self.sets.iter().step_by(step).map(|set| set.words.iter().filter(is_held).count()).sum();
        (held * step).min(self.capacity())
    }

    /// The word that a change would see now, and whether it is a spill.
    pub(super) fn look(&self, key: Key, words: &impl Words) -> (u64, bool) {
        let set = &self.sets[self.at(key)];
        if let Some(way) = set.find(key) {
            let word = set.words[way].load(Acquire);
            if word != TAKEN {
                return (word, false);
            }
        }
        let spill = set.spill.load(Acquire);
        let free = set.words.iter().map(|word| word.load(Relaxed)).find(|&word| word != TAKEN && words.is_free(word));
        match free.and_then(|last| words.begin(last, spill)) {
            Some(word) => (word, false),
            None => (spill, true),
        }
    }

    /// Changes the word of a key, which takes a cell if it has none. `step` may be asked more than once; the last counts.
    pub(super) fn change<R>(&self, key: Key, words: &impl Words, step: impl Fn(u64) -> Step<R>) -> (Place, R) {
        let at = self.at(key);
        let set = &self.sets[at];
        while let Some(way) = set.find(key) {
            if let Some(result) = set.try_change(way, key, &step) {
                return (place(at, way), result);
            }
        }
        let _alone = set.lock();
        // Under the lock no key loses its cell, and none gets one.
        while let Some(way) = set.find(key) {
            if let Some(result) = set.try_change(way, key, &step) {
                return (place(at, way), result);
            }
        }
        let spill = set.spill.load(Acquire);
        for way in (0..WAYS).filter(|&way| self.ledger.as_ref().is_none_or(|ledger| ledger.is_settled(at, way))) {
            if let Some(result) = set.try_take(way, key, words, spill, &step) {
                return (place(at, way), result);
            }
        }
        (place(at, WAYS), change(&set.spill, &step))
    }

    /// Changes the word at a place where the key is known to be still.
    pub(super) fn change_at<R>(&self, place: Place, step: impl Fn(u64) -> Step<R>) -> R {
        let set = &self.sets[place.set as usize];
        change(set.words.get(usize::from(place.way)).unwrap_or(&set.spill), &step)
    }

    /// Changes the word at a place if it is still the key's, or the spill's.
    pub(super) fn change_if(&self, place: Place, key: Key, step: impl Fn(u64) -> Step<()>) {
        let (set, way) = (&self.sets[place.set as usize], usize::from(place.way));
        if way == WAYS {
            return change(&set.spill, &step);
        }
        while set.keys[way].load(Acquire) == key.get() {
            if set.try_change(way, key, &step).is_some() {
                return;
            }
            std::hint::spin_loop();
        }
    }

    /// So many more for the next report. Nothing is noted of a spill: nobody knows whose it is.
    pub(super) fn note(&self, place: Place, more: u32) {
        if let Some(ledger) = self.ledger.as_ref().filter(|_| !place.is_spill()) {
            ledger.note(place.set as usize, usize::from(place.way), more);
        }
    }

    /// The same of what may be less than nothing, and is reported as such: bits of a signed number. No more than fits is noted.
    pub(super) fn note_signed(&self, place: Place, more: i32) {
        if let Some(ledger) = self.ledger.as_ref().filter(|_| !place.is_spill()) {
            ledger.note_signed(place.set as usize, usize::from(place.way), more);
        }
    }

    /// One more of a key, if it has a cell.
    pub(super) fn note_key(&self, key: Key) {
        if let Some(ledger) = &self.ledger {
            let at = self.at(key);
            self.sets[at].find(key).into_iter().for_each(|way| ledger.note(at, way, 1));
        }
    }

    /// One more for each cell that is not free.
    pub(super) fn note_held(&self, words: &impl Words) {
        for (at, set) in self.sets.iter().enumerate() {
            let is_held = |word: &AtomicU64| !words.is_free(word.load(Acquire));
            (0..WAYS).filter(|&way| is_held(&set.words[way])).for_each(|way| self.note(place(at, way), 1));
        }
    }

    /// Changes the word of a key that has a cell.
    pub(super) fn change_own(&self, key: Key, step: impl Fn(u64) -> u64) {
        let set = &self.sets[self.at(key)];
        while let Some(way) = set.find(key) {
            if set.try_change(way, key, &|word| Step::Set(step(word), ())).is_some() {
                return;
            }
        }
    }

    /// What was noted of a key since the last report.
    pub(super) fn noted(&self, key: Key) -> u32 {
        let at = self.at(key);
        let way = self.sets[at].find(key);
        self.ledger.as_ref().zip(way).map_or(0, |(ledger, way)| ledger.noted(at, way))
    }

    /// Gives what was noted since the last report, key by key with its word, from `cursor` on and at most `max` keys.
    pub(super) fn report(&self, cursor: &mut usize, max: usize, give: impl FnMut(Key, u64, u32)) {
        let Some(ledger) = &self.ledger else { return };
        let cell = |set: usize, way: usize| {
            let set = &self.sets[set];
            (Key::of(set.keys[way].load(Acquire)), set.words[way].load(Acquire))
        };
        ledger.report(cursor, max, cell, give);
    }

    /// By the high bits, so that tables of all sizes agree on the order of keys.
    fn at(&self, key: Key) -> usize {
        ((u128::from(key.get()) * self.sets.len() as u128) >> 64) as usize
    }
}

impl Set {
    fn find(&self, key: Key) -> Option<usize> {
        // A cell that is being taken has its new key before its word, or its old key: neither is to be used.
        (0..WAYS).find(|&way| self.keys[way].load(Acquire) == key.get() && self.words[way].load(Relaxed) != TAKEN)
    }

    /// `None` if the cell is not the key's any more, or another was faster.
    fn try_change<R>(&self, way: usize, key: Key, step: &impl Fn(u64) -> Step<R>) -> Option<R> {
        let word = self.words[way].load(Acquire);
        // Looked at after the word: whoever takes the cell changes the word first, so that a word that is still the same
        // below was the key's all along.
        if word == TAKEN || self.keys[way].load(Acquire) != key.get() {
            return None;
        }
        match step(word) {
            Step::Keep(result) => Some(result),
            Step::Set(new, result) => {
                self.words[way].compare_exchange(word, new, AcqRel, Relaxed).is_ok().then_some(result)
            }
        }
    }

    /// Gives a free cell to a key. `None` if this one is not to be had.
    fn try_take<R>(
        &self,
        way: usize,
        key: Key,
        words: &impl Words,
        spill: u64,
        step: &impl Fn(u64) -> Step<R>,
    ) -> Option<R> {
        let last = self.words[way].load(Acquire);
        if last == TAKEN || !words.is_free(last) {
            return None;
        }
        let (word, result) = match step(words.begin(last, spill)?) {
            // It gets nothing, so it needs no cell.
            Step::Keep(result) => return Some(result),
            Step::Set(word, result) => (word, result),
        };
        // Its last key may come back at this moment.
        self.words[way].compare_exchange(last, TAKEN, AcqRel, Relaxed).ok()?;
        self.keys[way].store(key.get(), Release);
        self.words[way].store(word, Release);
        Some(result)
    }

    fn lock(&self) -> Alone<'_> {
        let mut looks = 0;
        while self.busy.swap(true, Acquire) {
            while self.busy.load(Relaxed) {
                looks += 1;
                // It takes some ten nanoseconds, unless its thread was put aside.
                if looks < SPINS_MAX { std::hint::spin_loop() } else { std::thread::yield_now() }
            }
        }
        Alone(&self.busy)
    }
}

struct Alone<'s>(&'s AtomicBool);

impl Drop for Alone<'_> {
    fn drop(&mut self) {
        self.0.store(false, Release);
    }
}

fn change<R>(word: &AtomicU64, step: &impl Fn(u64) -> Step<R>) -> R {
    let mut old = word.load(Acquire);
    loop {
        match step(old) {
            Step::Keep(result) => return result,
            Step::Set(new, result) => match word.compare_exchange_weak(old, new, AcqRel, Acquire) {
                Ok(_) => return result,
                Err(now) => old = now,
            },
        }
    }
}

fn place(set: usize, way: usize) -> Place {
    Place { set: set as u32, way: way as u8 }
}

/// Cells of a set: as many as fit in four lines of a cache, with what belongs to all of them.
pub(super) const WAYS: usize = 15;

/// The word of a cell while it changes hands.
const TAKEN: u64 = u64::MAX;

/// Sets that are looked at to know how many cells are held: about a millisecond's worth, of 16 MiB.
const LOOKED_AT_MAX: usize = 1 << 16;

/// Looks at a lock before the thread lets others run.
const SPINS_MAX: u32 = 100;

#[cfg(test)]
mod tests;
