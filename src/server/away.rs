//! The directories of caches while another process has them, or may: what changes meanwhile is noted for whoever goes on.

use super::build::wall_ms;
use crate::cache::disk::DiskError;
use crate::exchange::Generation;
use crate::live::{self, Listener, News};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Nothing is away, or all directories are.
#[derive(Default)]
pub(super) struct Away(Mutex<Option<Notes>>);

struct Notes {
    listener: Listener,
    /// All that was heard so far.
    news: Vec<News>,
}

impl Away {
    /// Lets go of all directories (blocks). What was away already stays so, and what is known of that.
    pub(super) fn leave(&self, generation: &Generation) {
        let mut notes = self.lock();
        if notes.is_none() {
            let (teller, listener) = live::line();
            generation.snapshot.caches.iter().for_each(|rules| rules.cache.tells(Some(teller.clone())));
            *notes = Some(Notes { listener, news: Vec::new() });
        }
        generation.snapshot.caches.iter().for_each(|rules| rules.cache.leave_disk());
    }

    /// What changed since.
    pub(super) fn news(&self) -> Vec<News> {
        self.lock().as_mut().map(|notes| notes.hear().to_vec()).unwrap_or_default()
    }

    /// Another process has them from now on, and is told what changes.
    pub(super) fn stay(&self) -> Option<Listener> {
        self.lock().take().map(|notes| notes.listener)
    }

    /// Takes the directories back (blocks); those that could not be, and why. What changed meanwhile stays gone.
    pub(super) fn take_back(&self, generation: &Generation) -> Vec<(String, DiskError)> {
        let mut held = self.lock();
        let Some(notes) = &mut *held else { return Vec::new() };
        notes.hear();
        let snapshot = &generation.snapshot;
        let all = snapshot.caches.iter().zip(&snapshot.config.caches);
        let take = |(rules, config): (&live::CacheRules, _)| {
            let taken = rules.cache.take_disk(config, wall_ms(), &notes.news);
            taken.err().map(|error| (rules.cache.name.clone(), error))
        };
        let failed: Vec<_> = all.filter_map(take).collect();
        // Who told this before the directory was there may not have seen it.
        let late = notes.listener.waiting();
        for rules in &snapshot.caches {
            late.iter().for_each(|news| rules.cache.remove_from_disk(news));
        }
        News::note(&mut notes.news, late);
        if failed.is_empty() {
            snapshot.caches.iter().for_each(|rules| rules.cache.tells(None));
            notes.hear();
            // Purges held, but were not written down.
            notes.news.iter().filter(|news| matches!(news.change, live::Change::Purged(..))).for_each(|news| {
                generation.hear(news);
            });
            *held = None;
        }
        failed
    }

    fn lock(&self) -> MutexGuard<'_, Option<Notes>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Notes {
    fn hear(&mut self) -> &[News] {
        News::note(&mut self.news, self.listener.waiting());
        &self.news
    }
}
