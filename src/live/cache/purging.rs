//! Purges of a cache: noted, written down where that survives, checked when something is found.

use super::{CacheRules, LiveCache};
use crate::cache::disk::Disk;
use crate::cache::entry::Entry;
use crate::cache::purge::{JOURNAL_RECORDS_MAX, Marks, Mode, Purges, Verdict, What};
use crate::http::Tag;
use std::io;
use std::sync::Arc;

/// What a purge did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Done {
    /// Its generation.
    pub generation: u64,
    /// Stored responses in memory that went, where that is known: those of URLs.
    pub objects: Option<u64>,
}

impl LiveCache {
    /// Whether an entry was purged.
    #[must_use]
    pub fn verdict(&self, entry: &Entry) -> Verdict {
        let generation = self.purges.generation();
        if entry.checked() == generation {
            return Verdict::Lives;
        }
        let tags = entry.tags();
        let verdict = self.purges.judge(&Marks { born: entry.born, url: entry.url(), tags: &tags });
        if verdict == Verdict::Lives {
            entry.alive_at(generation);
        }
        verdict
    }

    /// The hashes under which a tag is found by purges: a group by its bare name too, so that an operator can name it.
    pub fn push_tag(&self, origin: &[u8], tag: &Tag, out: &mut Vec<u64>) {
        match tag {
            Tag::Own(name) => out.push(self.purges.tag(name)),
            Tag::Group(name) => out.extend([self.purges.tag(name), self.purges.tag(&group(origin, name))]),
        }
    }

    /// Lets go of what is in a group of an origin (RFC 9875 §3). It holds at once; it is written down in the background.
    pub fn purge_group(self: &Arc<Self>, origin: &[u8], name: &[u8]) {
        let what = What::Tag(group(origin, name));
        if let Some(teller) = &*self.teller.load() {
            let _ = teller.purged(&self.name, what.clone(), Mode::Hard);
        }
        let noted = self.purges.purge(&what, Mode::Hard);
        if !self.wants_disk {
            return;
        }
        let cache = Arc::clone(self);
        tokio::task::spawn_blocking(move || {
            if let Err(error) = cache.write_purge_down(&what, Mode::Hard, noted.generation) {
                let name = &cache.name;
                tracing::warn!(cache = name, %error, "an invalidated group may come back after a crash");
            }
        });
    }

    /// Notes what a journal held; all is purged if some of it cannot be read.
    pub(super) fn replay(&self, disk: &Disk) {
        self.purges.raise(disk.generation());
        let unread = disk.journalled().iter().filter(|(_, purge)| !self.purges.replay(purge)).count();
        if unread > 0 {
            tracing::warn!(cache = self.name, unread, "purges in the journal cannot be read: all is purged");
            let _ = self.purges.purge(&What::All, Mode::Hard);
        }
    }

    /// Notes a purge, and writes it down where the cache survives a crash.
    fn note(&self, what: &What, mode: Mode) -> io::Result<u64> {
        let noted = self.purges.purge(what, mode);
        if noted.collapsed > 0 {
            tracing::warn!(
                cache = self.name,
                notes = noted.collapsed,
                "too many purges: older ones purge all that is as old"
            );
        }
        self.write_purge_down(what, mode, noted.generation)?;
        Ok(noted.generation)
    }

    /// Writes a purge down, where the cache survives a crash. Waits for the disk.
    fn write_purge_down(&self, what: &What, mode: Mode, generation: u64) -> io::Result<()> {
        match (self.disk(), self.wants_disk) {
            (Some(disk), _) => self.journal(&disk, generation, &Purges::encode(what, mode, generation)),
            // Another process has the directory: only what it is told holds.
            (None, true) => Err(io::Error::other("another process has the cache's directory by now: ask again")),
            (None, false) => Ok(()),
        }
    }

    /// Appends to the journal; one that is long, or cannot be appended to, is written anew, with this purge among the others.
    fn journal(&self, disk: &Disk, generation: u64, record: &[u8]) -> io::Result<()> {
        let written = disk.journal(generation, record);
        if written.is_ok() && !disk.journal_is_long() {
            return Ok(());
        }
        // Taken while the journal is locked: nothing that is noted meanwhile is lost.
        let records = std::iter::once_with(|| self.purges.records_within(JOURNAL_RECORDS_MAX)).flatten();
        match disk.compact_journal(records) {
            Ok(()) => Ok(()),
            Err(anew) => written.map_err(|error| {
                let text =
                    format!("the journal of purges cannot be written: {error}; nor another in its place: {anew}");
                io::Error::other(text)
            }),
        }
    }

    /// Lets go of all that is stored under a primary key.
    pub fn invalidate(&self, hash: u128, key: &[u8]) -> usize {
        // First: a directory that comes back in between loses it by one of the two.
        self.tell_gone(key);
        self.forget(hash, key)
    }

    /// Lets go of one stored response, unless another is in its place by now. Another process with the same cache, which
    /// cannot tell them apart, lets go of all that it has under the key.
    pub fn invalidate_one(&self, entry: &Arc<Entry>) {
        self.tell_gone(entry.key());
        let is_another = |held: &Arc<Entry>| !Arc::ptr_eq(held, entry) && held.is_same_variant(entry);
        // On the disk first: what is read from there meanwhile is not kept.
        if let Some(disk) = self.disk().filter(|_| !self.memory.variants(entry.hash).iter().any(is_another)) {
            disk.remove(entry.hash, Some(entry.variant));
        }
        self.let_go(&self.memory.remove(entry.hash, |held| std::ptr::eq(held, &**entry)));
    }

    pub(super) fn tell_gone(&self, key: &[u8]) {
        if let Some(teller) = &*self.teller.load() {
            teller.gone(&self.name, key);
        }
    }

    /// As [`invalidate`](Self::invalidate), but tells nobody: it was told by another process.
    pub fn forget(&self, hash: u128, key: &[u8]) -> usize {
        if let Some(disk) = self.disk() {
            disk.remove(hash, None);
        }
        let gone = self.memory.remove(hash, |entry| entry.key() == key);
        self.let_go(&gone);
        gone.len()
    }
}

/// Groups are bound to their origin, which has no space in it (RFC 9875 §2).
fn group(origin: &[u8], name: &[u8]) -> Vec<u8> {
    [origin, b" ", name].concat()
}

impl CacheRules {
    /// Purges what an operator names; in another process that has the same cache, too, which is waited for (blocks).
    ///
    /// # Errors
    /// It holds, but is not written down.
    pub fn purge(&self, what: &What, mode: Mode) -> io::Result<Done> {
        let teller = self.cache.teller.load_full();
        let told = teller.as_ref().map(|teller| teller.purged(&self.cache.name, what.clone(), mode));
        let done = self.purge_here(what, mode);
        if let (Some(teller), Some(number)) = (teller, told) {
            teller.waits(number);
        }
        done
    }

    /// As [`purge`](Self::purge), but tells nobody: it was told by another process.
    ///
    /// # Errors
    /// It holds, but is not written down.
    pub fn purge_here(&self, what: &What, mode: Mode) -> io::Result<Done> {
        let what = match what.clone().keyed(&self.key) {
            What::Url(url) => return self.purge_url(url, mode),
            other => other,
        };
        let generation = self.cache.note(&what, mode)?;
        Ok(Done { generation, objects: None })
    }

    fn purge_url(&self, mut url: Vec<u8>, mode: Mode) -> io::Result<Done> {
        let mut objects = 0;
        // What responses say of their queries comes and goes: something may be stored under the query as it is.
        if let Some(raw) = self.cache.searches.rewrite(&mut url, 0, |path| self.cache.secret.hash(path)) {
            objects = self.stored_under(&raw);
            self.cache.note(&What::Url(raw), mode)?;
        }
        objects += self.stored_under(&url);
        let generation = self.cache.note(&What::Url(url), mode)?;
        Ok(Done { generation, objects: Some(objects) })
    }

    /// Variants in memory of a URL, whatever route they came by.
    fn stored_under(&self, url: &[u8]) -> u64 {
        let under = |scope: &str| {
            let key = key(scope.as_bytes(), b"", url);
            let found = self.cache.memory.variants(self.cache.secret.hash(&key));
            found.iter().filter(|entry| *entry.key() == *key && self.cache.verdict(entry) != Verdict::Gone).count()
                as u64
        };
        self.scopes.iter().map(|scope| under(scope)).sum()
    }

    /// The keys under which something of a URL may be stored: by whatever route it came, and whatever responses say of its query;
    /// `told` is what keys have after the scope of their route.
    #[must_use]
    pub fn keys(&self, told: &[u8], url: &[u8]) -> Vec<Vec<u8>> {
        let mut rewritten = url.to_vec();
        let is_rewritten =
            self.cache.searches.rewrite(&mut rewritten, 0, |path| self.cache.secret.hash(path)).is_some();
        let urls = [Some(url), is_rewritten.then_some(&*rewritten)];
        // What is stored for those whose way nobody tells is of the same URL, too.
        let ways = [Some(told), (!told.is_empty()).then_some(&b""[..])];
        let under = |scope: &[u8]| {
            let of_way = |way| urls.iter().flatten().map(move |url| key(scope, way, url));
            ways.iter().flatten().flat_map(|way| of_way(*way)).collect::<Vec<_>>()
        };
        self.scopes.iter().flat_map(|scope| under(scope.as_bytes())).collect()
    }
}

fn key(scope: &[u8], told: &[u8], url: &[u8]) -> Vec<u8> {
    match scope.is_empty() && told.is_empty() {
        true => url.to_vec(),
        false => [scope, told, b" ", url].concat(),
    }
}
