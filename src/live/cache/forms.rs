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
    /// It takes more than the tier can hold, which what it was made of does not.
    TooLarge,
    /// The tier may hold less just now, not even what it was made of.
    NoRoom,
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
            return if self.bears_form(entry) { FormKept::TooLarge } else { FormKept::NoRoom };
        }
        self.let_go(&inserted.evicted);
        // Whoever let go of it meanwhile may have found no form yet.
        if !self.holds(entry) {
            drop(self.memory.remove(form.hash, |held| std::ptr::eq(held, &*form)));
            return FormKept::Orphan;
        }
        FormKept::Held(form, inserted.evicted.len())
    }

    /// Whether the tier can hold now what is as large as `entry`: with less there is no use in making a form of it.
    #[must_use]
    pub fn bears_form(&self, entry: &Entry) -> bool {
        entry.bytes() <= self.memory.largest()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::entry::{Content, Make};
    use crate::cache::key::Secret;
    use crate::cache::memory::Memory;
    use crate::cache::purge::Purges;
    use crate::http::{Fields, Life};
    use arc_swap::ArcSwapOption;

    fn cache(bytes: usize) -> LiveCache {
        let secret = Secret([7; 16]);
        LiveCache {
            name: "pages".to_owned(),
            secret,
            memory: Memory::new(bytes, 8),
            purges: Purges::new(secret),
            unstored: <_>::default(),
            searches: <_>::default(),
            misses: <_>::default(),
            reads: <_>::default(),
            wants_disk: false,
            disk: ArcSwapOption::empty(),
            teller: ArcSwapOption::empty(),
        }
    }

    fn stored(cache: &LiveCache, bytes: usize) -> Arc<Entry> {
        let (fields, content) = (&Fields::default(), Content::Whole(vec![b'x'; bytes].into()));
        let (hash, variant, key, url_at, status, born) = (1, 2, &b"http://a/"[..], 0, 200, 3);
        let (selecting, tags, life) = (&b""[..], &[][..], Life::NONE);
        let entry =
            Entry::make(Make { hash, variant, key, url_at, selecting, tags, status, fields, life, born, content });
        let entry = Arc::new(entry);
        assert!(cache.put(&entry, true).is_held());
        entry
    }

    #[test]
    fn what_only_a_shrunk_tier_refuses_is_not_said_to_be_too_large() {
        const MIB: usize = 1 << 20;
        let cache = cache(MIB);
        let entry = stored(&cache, 200_000);
        let encoded = vec![1; 150_000];
        cache.limit_memory(MIB / 4);
        assert!(!cache.bears_form(&entry));
        assert!(matches!(cache.keep_form(&entry, Coding::Gzip, &encoded), FormKept::NoRoom));
        // It may hold as much as before, and the same form is kept.
        cache.limit_memory(MIB);
        let entry = stored(&cache, 200_000);
        assert!(cache.bears_form(&entry));
        assert!(matches!(cache.keep_form(&entry, Coding::Gzip, &encoded), FormKept::Held(..)));
        // One that is larger than what it was made of can be too large where that is not.
        let entry = stored(&cache, 400_000);
        assert!(matches!(cache.keep_form(&entry, Coding::Br, &vec![1; 600_000]), FormKept::TooLarge));
    }
}
