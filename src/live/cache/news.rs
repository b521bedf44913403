//! What changes in caches while another process has the same ones: it is told, so that both forget the same until the
//! older one is gone.

use crate::cache::purge::{Mode, What};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Something that is not to be used any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// What is stored under a primary key.
    Gone(Box<[u8]>),
    /// What a purge names.
    Purged(What, Mode),
}

/// A change, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct News {
    /// The name of the cache; `None`: all.
    pub cache: Option<String>,
    /// The change.
    pub change: Change,
    /// What it is confirmed by; 0: nobody waits for that.
    pub number: u64,
}

impl News {
    /// Whether they are of the cache of that name.
    #[must_use]
    pub fn is_of(&self, cache: &str) -> bool {
        self.cache.as_deref().is_none_or(|name| name == cache)
    }

    /// Whether it stands for any others.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.cache.is_none()
    }

    /// What stands for any others: all is purged, in all caches.
    fn of_everything() -> News {
        News { cache: None, change: Change::Purged(What::All, Mode::Hard), number: 0 }
    }

    /// Puts `more` behind `noted`, in no more than a bounded number of bytes: above, one of everything is put in their place.
    pub fn note(noted: &mut Vec<News>, more: Vec<News>) {
        if more.is_empty() {
            return;
        }
        noted.extend(more);
        if noted.iter().map(weight).sum::<usize>() > NEWS_BYTES_MAX {
            tracing::warn!("too much changed while the directories of caches were away: all is purged");
            *noted = vec![News::of_everything()];
        }
    }
}

/// Tells the news. What waits is bounded: above, everything is purged for it.
#[derive(Clone, Debug)]
pub struct Teller {
    sender: Sender<News>,
    line: Arc<Line>,
}

/// Gets the news, in order.
#[derive(Debug)]
pub struct Listener {
    receiver: Receiver<News>,
    line: Arc<Line>,
}

#[derive(Debug, Default)]
struct Line {
    /// Bytes that wait.
    waiting: AtomicUsize,
    /// Some were too many.
    lost: AtomicBool,
    state: Mutex<State>,
    heard: Condvar,
}

#[derive(Debug, Default)]
struct State {
    told: u64,
    heard: u64,
    /// Somebody confirms.
    is_open: bool,
    /// A confirmation did not come in time: none is waited for until all that was told is done.
    is_late: bool,
    /// The other has caught up once that is heard.
    late_until: u64,
    /// Nobody listens any more.
    is_cut: bool,
}

/// A line for news, and both its ends.
#[must_use]
pub fn line() -> (Teller, Listener) {
    let ((sender, receiver), line) = (channel(), Arc::<Line>::default());
    (Teller { sender, line: Arc::clone(&line) }, Listener { receiver, line })
}

impl Teller {
    /// What is stored under `key` is gone.
    pub fn gone(&self, cache: &str, key: &[u8]) {
        self.tell(News { cache: Some(cache.to_owned()), change: Change::Gone(key.into()), number: 0 });
    }

    /// A purge; what it is [confirmed](Self::waits) by.
    #[must_use]
    pub fn purged(&self, cache: &str, what: What, mode: Mode) -> u64 {
        self.numbered(cache, Change::Purged(what, mode))
    }

    /// Waits (blocks) until all that was told is done.
    pub fn ends(&self, cache: &str) {
        // No key is empty: this says nothing but that it was heard.
        self.waits(self.numbered(cache, Change::Gone(Box::default())));
    }

    fn numbered(&self, cache: &str, change: Change) -> u64 {
        // Told under the lock, so that they come in the order of their numbers.
        let mut state = self.line.lock();
        state.told += 1;
        let number = state.told;
        self.tell(News { cache: Some(cache.to_owned()), change, number });
        number
    }

    /// Waits (blocks) until the other process has done what `number` stands for. One that takes too long is told on, but not
    /// waited for until it has caught up; nor is one that does not serve yet: it will know of it before it does.
    pub fn waits(&self, number: u64) {
        let state = self.line.lock();
        if !state.is_open || state.is_late {
            return;
        }
        let is_waited_for = |state: &mut State| !state.is_cut && !state.is_late && state.heard < number;
        let waited = self.line.heard.wait_timeout_while(state, HEARD_MAX, is_waited_for);
        let (mut state, result) = waited.unwrap_or_else(PoisonError::into_inner);
        if result.timed_out() {
            state.is_late = true;
            state.late_until = state.told;
            self.line.heard.notify_all();
            let limit = HEARD_MAX;
            tracing::warn!(
                ?limit,
                "the other process did not confirm a purge: it is not waited for until it catches up"
            );
        }
    }

    fn tell(&self, news: News) {
        let bytes = weight(&news);
        if self.line.waiting.fetch_add(bytes, Ordering::Relaxed) > NEWS_BYTES_MAX {
            self.line.waiting.fetch_sub(bytes, Ordering::Relaxed);
            self.line.lost.store(true, Ordering::Release);
        } else {
            // Whoever listened may have gone: nobody needs to know then.
            let _ = self.sender.send(news);
        }
    }
}

impl Listener {
    /// The next, which is waited for (blocks); `None` once nobody tells or listens any more.
    #[must_use]
    pub fn next(&self) -> Option<News> {
        loop {
            // First: news that go on coming do not keep back what stands for those that were too many.
            if let Some(all) = self.lost() {
                return Some(all);
            }
            match self.receiver.recv_timeout(LOOK) {
                Ok(news) => return Some(self.taken(news)),
                Err(RecvTimeoutError::Timeout) if !self.line.lock().is_cut => {}
                Err(_) => return self.lost(),
            }
        }
    }

    /// All that wait.
    #[must_use]
    pub fn waiting(&self) -> Vec<News> {
        let waiting = self.receiver.try_iter().map(|news| self.taken(news)).collect();
        self.lost().map_or(waiting, |all| vec![all])
    }

    /// Confirms what was told, from another thread: from now on that is waited for.
    #[must_use]
    pub fn confirmer(&self) -> Confirmer {
        self.line.lock().is_open = true;
        Confirmer(Arc::clone(&self.line))
    }

    fn taken(&self, news: News) -> News {
        self.line.waiting.fetch_sub(weight(&news), Ordering::Relaxed);
        news
    }

    /// What stands for news that were too many, and for all that wait behind them.
    fn lost(&self) -> Option<News> {
        self.line.lost.swap(false, Ordering::AcqRel).then(|| {
            tracing::warn!("too much changed for another process to be told: all is purged there");
            self.receiver.try_iter().for_each(|news| drop(self.taken(news)));
            // Whoever waits for one that was lost has waited for this.
            News { number: self.line.lock().told, ..News::of_everything() }
        })
    }
}

/// Confirms what was told, or that nobody will.
#[derive(Debug)]
pub struct Confirmer(Arc<Line>);

impl Confirmer {
    /// The other process has done what was told up to `number`.
    pub fn confirm(&self, number: u64) {
        let mut state = self.0.lock();
        state.heard = state.heard.max(number);
        if state.is_late && state.heard >= state.late_until {
            state.is_late = false;
            tracing::info!("the other process has caught up with what changed");
        }
        drop(state);
        self.0.heard.notify_all();
    }

    /// Whether it is at the other end of the teller's line.
    #[must_use]
    pub fn is_of(&self, teller: &Teller) -> bool {
        Arc::ptr_eq(&self.0, &teller.line)
    }
}

impl Drop for Confirmer {
    fn drop(&mut self) {
        self.0.lock().is_cut = true;
        self.0.heard.notify_all();
    }
}

impl Line {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn weight(news: &News) -> usize {
    let name = match &news.change {
        Change::Gone(key) => key.len(),
        Change::Purged(what, _) => what.name().len(),
    };
    size_of::<News>() + name
}

/// Bytes of news that may wait, or be noted.
const NEWS_BYTES_MAX: usize = 8 << 20;

/// How long the other process may take to confirm a purge.
const HEARD_MAX: Duration = Duration::from_secs(1);

/// How often it is looked whether anybody listens still.
const LOOK: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn news_come_in_order_and_a_purge_is_waited_for() {
        let (teller, listener) = line();
        teller.gone("pages", b"a");
        let number = teller.purged("pages", What::Tag(b"t".to_vec()), Mode::Soft);
        let confirmer = listener.confirmer();
        let waiting = std::thread::spawn(move || teller.waits(number));
        assert_eq!(listener.next().unwrap().change, Change::Gone((*b"a").into()));
        let purge = listener.next().unwrap();
        assert_eq!((purge.number, purge.change), (1, Change::Purged(What::Tag(b"t".to_vec()), Mode::Soft)));
        assert!(!waiting.is_finished());
        confirmer.confirm(1);
        waiting.join().unwrap();
        // Nobody tells any more.
        assert_eq!(listener.next(), None);
    }

    #[test]
    fn whoever_is_gone_is_not_waited_for() {
        let (teller, listener) = line();
        let number = teller.purged("pages", What::All, Mode::Hard);
        drop(listener.confirmer());
        let begun = std::time::Instant::now();
        teller.waits(number);
        assert!(begun.elapsed() < HEARD_MAX);
        assert_eq!(listener.waiting().len(), 1);
        assert_eq!(listener.next(), None, "the line is cut");
    }

    #[test]
    fn too_many_become_one_of_everything() {
        let (teller, listener) = line();
        let key = vec![b'k'; NEWS_BYTES_MAX / 4];
        (0..9).for_each(|_| teller.gone("pages", &key));
        let waiting = listener.waiting();
        let last = waiting.last().unwrap();
        assert!(waiting.len() == 1 && last.cache.is_none(), "{}", waiting.len());
        assert_eq!(last.change, Change::Purged(What::All, Mode::Hard));
        teller.gone("pages", b"a");
        assert_eq!(listener.waiting().len(), 1);
    }

    #[test]
    fn whoever_confirms_late_is_told_on_and_waited_for_again_once_it_has_caught_up() {
        let (teller, listener) = line();
        let confirmer = listener.confirmer();
        let first = teller.purged("pages", What::Tag(b"s".to_vec()), Mode::Hard);
        let late = teller.purged("pages", What::All, Mode::Hard);
        teller.waits(late);
        // Not waited for, but told.
        let begun = std::time::Instant::now();
        let next = teller.purged("pages", What::Tag(b"t".to_vec()), Mode::Hard);
        teller.waits(next);
        assert!(begun.elapsed() < HEARD_MAX);
        [first, late, next].iter().for_each(|number| assert_eq!(listener.next().unwrap().number, *number));
        confirmer.confirm(first);
        assert!(teller.line.lock().is_late);
        // What was told since may be on its way: there is always something.
        confirmer.confirm(late);
        assert!(!teller.line.lock().is_late);
        confirmer.confirm(next);
        let last = teller.purged("pages", What::All, Mode::Soft);
        let waiting = std::thread::spawn(move || teller.waits(last));
        assert_eq!(listener.next().unwrap().number, last);
        assert!(!waiting.is_finished());
        confirmer.confirm(last);
        waiting.join().unwrap();
    }

    #[test]
    fn what_was_too_much_is_told_however_much_comes_after_it() {
        let (teller, listener) = line();
        let key = vec![b'k'; NEWS_BYTES_MAX / 4];
        (0..9).for_each(|_| teller.gone("pages", &key));
        teller.gone("pages", b"a");
        let first = listener.next().unwrap();
        assert_eq!((first.cache, first.change), (None, Change::Purged(What::All, Mode::Hard)));
        // It stands for those that waited: they give their room back.
        (0..3).for_each(|_| teller.gone("pages", &key));
        assert_eq!(listener.waiting().len(), 3);
    }

    #[test]
    fn what_is_noted_from_one_try_to_the_next_is_bounded() {
        let gone = |bytes| News { cache: None, change: Change::Gone(vec![b'k'; bytes].into()), number: 0 };
        let mut noted = Vec::new();
        (0..3).for_each(|_| News::note(&mut noted, vec![gone(NEWS_BYTES_MAX / 4)]));
        assert_eq!(noted.len(), 3);
        News::note(&mut noted, vec![gone(NEWS_BYTES_MAX / 4)]);
        assert_eq!(noted, [News::of_everything()]);
        News::note(&mut noted, vec![gone(1)]);
        assert_eq!(noted, [News::of_everything(), gone(1)]);
    }
}
