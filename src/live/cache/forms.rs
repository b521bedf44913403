//! Encoded forms beside what is stored: found, kept, and let go of with it.

use super::LiveCache;
use crate::cache::entry::Entry;
use crate::cache::form::Fit;
use crate::cache::memory::Inserted;
use crate::http::coding::Coding;
use std::sync::Arc;

/// What became of a form.
#[derive(Debug)]
pub enum FormKept {
    /// It is there; how many others were let go of for it.
    Held(Arc<Entry>, usize),
    /// It is too large for the tier.
    TooLarge,
    /// What it was made of is not there any more.
    Orphan,
}

impl LiveCache {
    /// Puts a response into memory, in the place of the one for the same variant; `promised`: there was
    /// [room](Self::room_for) for it. What is gone takes its forms with it.
    pub fn put(&self, entry: &Arc<Entry>, promised: bool) -> Inserted<Entry> {
        let (new, is_same) = (Arc::clone(entry), |old: &Entry| old.is_same_variant(entry));
        let inserted = match promised {
            true => self.memory.insert_asked(new, is_same),
            false => self.memory.insert(new, is_same),
        };
        // What was validated keeps its content, and so its forms.
        let (same, gone): (Vec<_>, Vec<_>) = inserted.replaced.iter().partition(|old| entry.shares_content(old));
        same.into_iter().for_each(|old| entry.inherit_forms(old));
        self.let_go(gone.into_iter().chain(&inserted.evicted).chain(&inserted.dropped));
        inserted
    }

    /// The form of a stored response in `coding`, if it is there.
    #[must_use]
    pub fn form(&self, entry: &Arc<Entry>, coding: Coding) -> Option<Arc<Entry>> {
        let (form, fit) = self.memory.find(entry.form_hash(coding), |form| match form.fit(entry) {
            Fit::Stranger => None,
            fit => Some((Arc::clone(form), fit)),
        })?;
        if fit == Fit::Fits {
            return Some(form);
        }
        // The response was freshened: its content is what it was, its head may be another.
        let refitted = Arc::new(form.refitted(entry, coding)?);
        self.let_go(&self.put_form(&refitted).evicted);
        Some(refitted)
    }

    /// Keeps what `entry` is in `coding`.
    #[must_use]
    pub fn keep_form(&self, entry: &Arc<Entry>, coding: Coding, bytes: &[u8]) -> FormKept {
        let form = Arc::new(Entry::form(entry, coding, bytes.into()));
        let inserted = self.put_form(&form);
        if !inserted.is_held() {
            return FormKept::TooLarge;
        }
        self.let_go(&inserted.evicted);
        // Whoever let go of it meanwhile may have found no form yet.
        if !self.holds(entry) {
            drop(self.memory.remove(form.hash, |held| std::ptr::eq(held, &*form)));
            return FormKept::Orphan;
        }
        FormKept::Held(form, inserted.evicted.len())
    }

    fn put_form(&self, form: &Arc<Entry>) -> Inserted<Entry> {
        // Nothing but forms stands there, and only one is of use. The response itself was asked for just now.
        self.memory.insert_asked(Arc::clone(form), |_| true)
    }

    /// Whether a response is in memory.
    #[must_use]
    pub fn holds(&self, entry: &Arc<Entry>) -> bool {
        self.memory.variants(entry.hash).iter().any(|held| Arc::ptr_eq(held, entry))
    }

    /// Lets go of the forms of what is not held any more.
    pub fn let_go<'e>(&self, gone: impl IntoIterator<Item = &'e Arc<Entry>>) {
        for entry in gone.into_iter().filter(|entry| entry.had_forms()) {
            for coding in Coding::ALL {
                drop(self.memory.remove(entry.form_hash(coding), |form| form.fit(entry) != Fit::Stranger));
            }
        }
    }
}
