//! What was let in since others were told: a count a cell, and a mark a set so that a report need not look at all cells.

use super::{Key, WAYS};
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicU32, AtomicU64};

/// All is sequentially consistent: who notes sees that a mark is gone, or who took it sees what was noted.
pub(super) struct Ledger {
    counts: Box<[[AtomicU32; WAYS]]>,
    marks: Box<[AtomicU64]>,
}

impl Ledger {
    /// But for the marks, which are a bit each.
    pub(super) const BYTES_A_SET: usize = size_of::<[AtomicU32; WAYS]>();

    pub(super) fn new(sets: usize) -> Ledger {
        let marks = sets.div_ceil(BITS);
        Ledger {
            counts: (0..sets).map(|_| Default::default()).collect(),
            marks: (0..marks).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    pub(super) fn note(&self, set: usize, way: usize, more: u32) {
        self.counts[set][way].fetch_add(more, SeqCst);
        self.mark(set);
    }

    /// The same of a signed number, which stays at its bounds.
    pub(super) fn note_signed(&self, set: usize, way: usize, more: i32) {
        let count = &self.counts[set][way];
        let mut before = count.load(SeqCst);
        loop {
            let after = before.cast_signed().saturating_add(more).cast_unsigned();
            match count.compare_exchange_weak(before, after, SeqCst, SeqCst) {
                Ok(_) => return self.mark(set),
                Err(now) => before = now,
            }
        }
    }

    fn mark(&self, set: usize) {
        if self.marks[set / BITS].load(SeqCst) & mark(set) == 0 {
            self.marks[set / BITS].fetch_or(mark(set), SeqCst);
        }
    }

    pub(super) fn noted(&self, set: usize, way: usize) -> u32 {
        self.counts[set][way].load(SeqCst)
    }

    /// Nothing of that cell is to be reported.
    pub(super) fn is_settled(&self, set: usize, way: usize) -> bool {
        self.noted(set, way) == 0
    }

    /// Looks at each set once at most, from `cursor` on, until `max` keys were given. `cell` is asked for a
    /// key and its word.
    pub(super) fn report(
        &self,
        cursor: &mut usize,
        max: usize,
        cell: impl Fn(usize, usize) -> (Key, u64),
        mut give: impl FnMut(Key, u64, u32),
    ) {
        let mut left = max;
        for _ in 0..self.marks.len() {
            let at = *cursor % self.marks.len();
            let mut marks = self.marks[at].load(SeqCst);
            while marks != 0 {
                let set = at * BITS + marks.trailing_zeros() as usize;
                marks &= marks - 1;
                // Before the counts are read: what is noted from now on marks it again.
                self.marks[at].fetch_and(!mark(set), SeqCst);
                for (way, count) in self.counts[set].iter().enumerate().filter(|(_, count)| count.load(SeqCst) > 0) {
                    if left == 0 {
                        self.marks[at].fetch_or(mark(set), SeqCst);
                        return;
                    }
                    // A cell keeps its key as long as there is a count.
                    let (key, word) = cell(set, way);
                    give(key, word, count.swap(0, SeqCst));
                    left -= 1;
                }
            }
            *cursor = (at + 1) % self.marks.len();
        }
    }
}

fn mark(set: usize) -> u64 {
    1 << (set % BITS)
}

/// Of a word of marks.
const BITS: usize = u64::BITS as usize;
