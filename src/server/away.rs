//! The directories of caches while another process has them, or may: what changes meanwhile is noted for whoever goes on.
//!
//! A disk may hang: whoever is at the directories is alone there, and nobody waits for him without a limit.

use super::build::wall_ms;
use crate::cache::disk::DiskError;
use crate::exchange::Generation;
use crate::live::{self, Change, Listener, News};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Nothing is away, or all directories are.
#[derive(Default)]
pub(super) struct Away {
    state: Mutex<State>,
    /// Nobody is at the directories any more.
    freed: Condvar,
}

#[derive(Default)]
struct State {
    notes: Option<Notes>,
    /// Somebody is at the directories.
    is_busy: bool,
    /// The last one who was to do something with them.
    turn: u64,
}

struct Notes {
    listener: Listener,
    /// All that was heard so far.
    news: Vec<News>,
}

/// What came of a try to take the directories back.
pub(super) enum Taken {
    /// They are there, or nothing was away.
    All,
    /// Those that could not be, and why.
    Not(Vec<(String, DiskError)>),
    /// A disk does not answer.
    Hangs,
}

/// Whose turn it is to do something with the directories.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Turn(u64);

impl Away {
    /// A turn begins: what one before has not begun by now it does not do.
    pub(super) fn turn(&self) -> Turn {
        let mut state = self.lock();
        state.turn += 1;
        self.freed.notify_all();
        Turn(state.turn)
    }

    /// Lets go of all directories (blocks, for as long as a disk hangs). What was away already stays so, and what is known of
    /// that. Whether it is done.
    pub(super) fn leave(&self, generation: &Generation, turn: Turn) -> bool {
        let Some(_alone) = self.enter(turn, LEAVE_MAX) else { return false };
        let caches = &generation.snapshot.caches;
        self.lock().notes.get_or_insert_with(|| {
            let (teller, listener) = live::line();
            caches.iter().for_each(|rules| rules.cache.tells(Some(teller.clone())));
            Notes { listener, news: Vec::new() }
        });
        for rules in caches {
            if !self.is_turn_of(turn) {
                return false;
            }
            rules.cache.leave_disk();
        }
        true
    }

    /// What changed since.
    pub(super) fn news(&self) -> Vec<News> {
        self.lock().notes.as_mut().map(|notes| notes.hear().to_vec()).unwrap_or_default()
    }

    /// Another process has them from now on, and is told what changes.
    pub(super) fn stay(&self) -> Option<Listener> {
        self.lock().notes.take().map(|notes| notes.listener)
    }

    /// Takes the directories back (blocks, for as long as a disk hangs). What changed meanwhile stays gone.
    pub(super) fn take_back(&self, generation: &Generation, turn: Turn) -> Taken {
        let Some(_alone) = self.enter(turn, Duration::ZERO) else { return Taken::Hangs };
        let Some(mut notes) = self.lock().notes.take() else { return Taken::All };
        let failed = notes.take_back(generation);
        if failed.is_empty() {
            return Taken::All;
        }
        self.lock().notes = Some(notes);
        Taken::Not(failed)
    }

    /// To be alone at the directories, once whoever is there is done; `None` if that takes longer, or another has the turn.
    fn enter(&self, turn: Turn, limit: Duration) -> Option<Alone<'_>> {
        let is_waited_for = |state: &mut State| state.is_busy && state.turn == turn.0;
        let waited = self.freed.wait_timeout_while(self.lock(), limit, is_waited_for);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if state.is_busy || state.turn != turn.0 {
            return None;
        }
        state.is_busy = true;
        Some(Alone(self))
    }

    fn is_turn_of(&self, turn: Turn) -> bool {
        self.lock().turn == turn.0
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One who is at the directories, until this is dropped.
struct Alone<'a>(&'a Away);

impl Drop for Alone<'_> {
    fn drop(&mut self) {
        self.0.lock().is_busy = false;
        self.0.freed.notify_all();
    }
}

impl Notes {
    fn hear(&mut self) -> &[News] {
        News::note(&mut self.news, self.listener.waiting());
        &self.news
    }

    fn take_back(&mut self, generation: &Generation) -> Vec<(String, DiskError)> {
        self.hear();
        let snapshot = &generation.snapshot;
        let all = snapshot.caches.iter().zip(&snapshot.config.caches);
        let take = |(rules, config): (&live::CacheRules, _)| {
            let taken = rules.cache.take_disk(config, wall_ms(), &self.news);
            taken.err().map(|error| (rules.cache.name.clone(), error))
        };
        let failed: Vec<_> = all.filter_map(take).collect();
        // Who told this before the directory was there may not have seen it.
        let late = self.listener.waiting();
        for rules in &snapshot.caches {
            late.iter().for_each(|news| rules.cache.remove_from_disk(news));
        }
        late.iter().filter(|news| news.is_everything()).for_each(|news| generation.hear(news));
        News::note(&mut self.news, late);
        if failed.is_empty() {
            snapshot.caches.iter().for_each(|rules| rules.cache.tells(None));
            self.hear();
            // Purges held, but were not written down.
            let purges = self.news.iter().filter(|news| matches!(news.change, Change::Purged(..)));
            purges.for_each(|news| generation.hear(news));
        }
        failed
    }
}

/// How long directories may take to be let go of: what waits for a disk is written first.
pub(super) const LEAVE_MAX: Duration = Duration::from_secs(10);

/// How long they may take to be opened again before this process goes on without: a million records take about a second. What
/// takes longer is there once it is done.
pub(super) const TAKE_MAX: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn whoever_hangs_at_the_directories_is_not_waited_for_without_a_limit() {
        let away = Away::default();
        let first = away.turn();
        let hangs = away.enter(first, LEAVE_MAX).unwrap();
        let begun = Instant::now();
        assert!(away.enter(first, Duration::from_millis(20)).is_none());
        assert!(away.enter(away.turn(), Duration::ZERO).is_none(), "nor is it entered beside him");
        assert!(away.news().is_empty() && away.stay().is_none() && begun.elapsed() < LEAVE_MAX);
        let late = away.turn();
        drop(hangs);
        assert!(away.enter(late, Duration::ZERO).is_some());
    }

    #[test]
    fn who_waited_too_long_does_nothing_once_another_has_the_turn() {
        let away = Away::default();
        let (first, begun) = (away.turn(), Instant::now());
        let hangs = away.enter(first, LEAVE_MAX).unwrap();
        assert!(away.is_turn_of(first));
        std::thread::scope(|scope| {
            let (away, second) = (&away, away.turn());
            assert!(!away.is_turn_of(first), "what he has not begun is left");
            let waits = scope.spawn(move || away.enter(second, LEAVE_MAX).is_none());
            let third = away.turn();
            drop(hangs);
            assert!(waits.join().unwrap());
            assert!(away.enter(third, Duration::ZERO).is_some());
        });
        assert!(begun.elapsed() < LEAVE_MAX);
    }
}
