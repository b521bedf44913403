//! The disk tier of a cache: opened, asked, written to, let go of for a successor.

use super::{Change, LiveCache, News};
use crate::cache::disk::{self, Counts, Disk, DiskError, Found, Options, Record};
use crate::cache::entry::{Content, Entry};
use crate::cache::purge::{Mode, What};
use crate::cache::record;
use crate::config;
use crate::telemetry::metrics::DiskLook;
use bytes::Bytes;
use std::borrow::Cow;
use std::sync::Arc;

/// Opens the directory that the configuration names.
///
/// # Errors
/// It cannot be used; the text says what to do.
pub(super) fn open(config: &config::Cache, now_ms: u64) -> Result<Option<Disk>, DiskError> {
    let options = config.disk.as_ref().map(|disk| Options::new(&disk.path, disk.size));
    options.map(|options| Disk::open(&options, now_ms)).transpose()
}

impl LiveCache {
    /// The disk tier, if there is one now.
    #[must_use]
    pub fn disk(&self) -> Option<Disk> {
        self.disk.load().as_ref().map(|disk| Disk::clone(disk))
    }

    /// Whether the disk tier may hold something under a key; memory is looked at only.
    #[must_use]
    pub fn may_be_on_disk(&self, hash: u128) -> bool {
        self.disk.load().as_ref().is_some_and(|disk| !disk.find(hash).is_empty())
    }

    /// The stored response of a key for which `wanted` says so, newest first, which is in memory from then on; what cannot be
    /// read is not there. One read is for all who ask meanwhile.
    pub async fn read(&self, hash: u128, wanted: impl Fn(&Entry) -> bool) -> Option<Arc<Entry>> {
        let disk = self.disk()?;
        let mut found = disk.find(hash);
        found.sort_unstable_by_key(|found| std::cmp::Reverse(found.born));
        for found in found {
            let read = self.reads.one(&found, || read(&disk, &found)).await;
            if let Some(entry) = read.filter(|entry| wanted(entry)) {
                return self.take_in(&disk, &found, entry);
            }
        }
        None
    }

    /// Puts what was read into memory, unless it was replaced or invalidated while it was read.
    fn take_in(&self, disk: &Disk, found: &Found, entry: Arc<Entry>) -> Option<Arc<Entry>> {
        // Looked at first: what replaced it is not to go for it, be it for a moment.
        if !disk.has(found) {
            return None;
        }
        let entry = match self.memory.variants(entry.hash).into_iter().find(|there| there.is_same_variant(&entry)) {
            // Another read of the same: what replaces a record takes it from the disk before it is in memory.
            Some(there) => there,
            None => {
                drop(self.put(&entry, false));
                entry
            }
        };
        if disk.has(found) {
            return Some(entry);
        }
        // And last: whatever replaces it from now on finds it in memory.
        self.let_go(&self.memory.remove(found.hash, |there| std::ptr::eq(there, &*entry)));
        None
    }

    /// Writes a stored response down, if there is a disk tier; in the background, unless too much waits. Whether it is. Parts that are
    /// not due are not: what is there of the same response may stand for them.
    pub fn write_down(&self, entry: &Arc<Entry>) -> bool {
        if entry.own_parts().is_some_and(|parts| !parts.are_due()) {
            return false;
        }
        // Looked for once more after it is told that what is on the disk is older: it may come back meanwhile.
        let away = || {
            self.tell_gone(entry.key());
            self.disk()
        };
        let Some(disk) = self.disk().or_else(|| if self.wants_disk { away() } else { None }) else {
            return false;
        };
        let Some(meta) = record::encode(entry) else { return false };
        disk.write(record_of(entry, meta))
    }

    /// Lets go of the directory (blocks), so that another process may have it. Nothing is written until
    /// [`take_disk`](Self::take_disk).
    pub fn leave_disk(&self) {
        if let Some(disk) = self.disk.swap(None) {
            disk.close();
        }
    }

    /// Takes the directory back (blocks), where there is one that was left. `news`: what changed meanwhile.
    ///
    /// # Errors
    /// It cannot be used now.
    pub fn take_disk(&self, config: &config::Cache, now_ms: u64, news: &[News]) -> Result<(), DiskError> {
        if !self.wants_disk || self.disk.load().is_some() {
            return Ok(());
        }
        if let Some(disk) = open(config, now_ms)? {
            news.iter().for_each(|news| self.remove_from(&disk, news));
            self.replay(&disk);
            // What stands for all that is not known one by one holds before anything is found there.
            if news.iter().any(News::is_everything) {
                let _ = self.purges.purge(&What::All, Mode::Hard);
            }
            self.disk.store(Some(Arc::new(disk)));
        }
        Ok(())
    }

    /// Lets go of what news are about on the disk alone: what memory has is newer.
    pub fn remove_from_disk(&self, news: &News) {
        if let Some(disk) = self.disk() {
            self.remove_from(&disk, news);
        }
    }

    fn remove_from(&self, disk: &Disk, news: &News) {
        if let Change::Gone(key) = &news.change
            && news.is_of(&self.name)
        {
            disk.remove(self.secret.hash(key), None);
        }
    }
}

/// What it did, as the metrics have it.
pub(super) fn look(cache: &str, counts: &Counts) -> DiskLook {
    DiskLook {
        cache: cache.to_owned(),
        reads: [counts.reads, counts.reads_gone, counts.reads_refused, counts.read_errors, counts.corrupt],
        writes: [counts.writes, counts.writes_dropped, counts.write_errors],
        written_bytes: counts.bytes_written,
        rests: counts.off,
    }
}

fn record_of(entry: &Arc<Entry>, meta: Vec<u8>) -> Record {
    Record {
        hash: entry.hash,
        variant: entry.variant,
        born: entry.born,
        expires_ms: entry.life.ends_ms(),
        meta: Bytes::from(meta),
        body: Arc::new(Shared(Arc::clone(entry))),
    }
}

async fn read(disk: &Disk, found: &Found) -> Option<Arc<Entry>> {
    let (meta, body) = disk.read(*found).await.ok()?;
    record::decode(&meta, body.into_boxed_slice(), found.hash).map(Arc::new)
}

/// The content of an entry, which is shared with it. Parts are put together by the thread that writes, and only if the tier
/// takes them: all that is stored of a response is written anew with each part more of it.
struct Shared(Arc<Entry>);

impl disk::Content for Shared {
    fn size(&self) -> usize {
        match self.0.content() {
            Content::Parts(parts) => usize::try_from(parts.bytes()).unwrap_or(usize::MAX),
            _ => self.0.whole().unwrap_or_default().len(),
        }
    }

    fn whole(&self) -> Cow<'_, [u8]> {
        match self.0.content() {
            Content::Parts(parts) => Cow::Owned(parts.joined().into_vec()),
            _ => Cow::Borrowed(self.0.whole().unwrap_or_default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::entry::Make;
    use crate::cache::key::Secret;
    use crate::cache::memory::Memory;
    use crate::cache::purge::Purges;
    use crate::http::{Fields, Life};
    use arc_swap::ArcSwapOption;

    fn cache(disk: &Disk) -> LiveCache {
        let secret = Secret([7; 16]);
        LiveCache {
            name: "pages".to_owned(),
            secret,
            memory: Memory::new(1 << 20, 8),
            purges: Purges::new(secret),
            unstored: <_>::default(),
            searches: <_>::default(),
            misses: <_>::default(),
            reads: <_>::default(),
            wants_disk: true,
            disk: ArcSwapOption::from_pointee(disk.clone()),
            teller: ArcSwapOption::empty(),
        }
    }

    fn entry(content: &[u8]) -> Arc<Entry> {
        let (fields, content) = (&Fields::default(), Content::Whole(content.into()));
        let (hash, variant, key, url_at, status, born) = (1, 0, &b"http://a/"[..], 0, 200, 3);
        let (selecting, tags, life) = (&b""[..], &[][..], Life::NONE);
        Arc::new(Entry::make(Make { hash, variant, key, url_at, selecting, tags, status, fields, life, born, content }))
    }

    #[tokio::test]
    async fn what_was_read_does_not_take_the_place_of_what_replaced_it_meanwhile() {
        let directory = tempfile::tempdir().unwrap();
        let disk = Disk::open(&Options::new(directory.path(), 4 << 20), 0).unwrap();
        let cache = cache(&disk);
        let (old, new) = (entry(b"old"), entry(b"new"));
        assert!(disk.write(record_of(&old, record::encode(&old).unwrap())));
        disk.flush();
        let found = disk.find(1)[0];
        let read = read(&disk, &found).await.unwrap();
        assert!(cache.take_in(&disk, &found, Arc::clone(&read)).is_some_and(|entry| Arc::ptr_eq(&entry, &read)));
        // Another read of the same finds it there.
        assert!(cache.take_in(&disk, &found, old).is_some_and(|entry| Arc::ptr_eq(&entry, &read)));
        assert!(cache.write_down(&new) && cache.put(&new, true).is_held());
        assert!(cache.take_in(&disk, &found, read).is_none());
        assert!(cache.memory.variants(1).iter().all(|there| Arc::ptr_eq(there, &new)) && cache.memory.len() == 1);
    }
}
