use crate::config::Priority;
use crate::pool::waiting::{Entered, PlaceId, Waiting};
use std::cell::Cell;
use std::future::poll_fn;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

/// Exchanges of a pool that wait for a backend to have room: the highest priority first, and then who came first.
#[derive(Debug, Default)]
pub struct Queue {
    /// How many wait.
    len: AtomicU32,
    /// By priority a bit: who comes now stands behind somebody.
    crowded: AtomicU8,
    waiting: Mutex<Waiting<Arc<Waiter>>>,
}

/// A place in the queue, until it is dropped.
#[derive(Debug)]
pub struct Place<'q> {
    queue: &'q Queue,
    id: PlaceId,
    waiter: Arc<Waiter>,
    found: Cell<bool>,
}

/// Somebody of a higher priority has the place now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Displaced;

#[derive(Debug, Default)]
struct Waiter {
    news: AtomicU8,
    waker: Mutex<Option<Waker>>,
}

/// There may be room.
const LOOK: u8 = 1;
/// The place is lost.
const LOST: u8 = 2;

impl Queue {
    /// How many wait.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.len.load(Relaxed)
    }

    /// Whether nobody waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether who comes now with that priority may look for room at once: nobody waits who comes before him.
    #[must_use]
    pub fn is_first(&self, priority: Priority) -> bool {
        self.crowded.load(SeqCst) & bit(priority) == 0
    }

    /// A place, where at most `max` wait. `None`: there is none, and nobody of a lower priority who would lose his.
    pub fn enter(&self, priority: Priority, max: u32) -> Option<Place<'_>> {
        let waiter = Arc::<Waiter>::default();
        let Entered { place, called, displaced, instead } =
            self.change(|waiting| waiting.enter(priority, max as usize, Arc::clone(&waiter)))?;
        if called {
            waiter.news.store(LOOK, Relaxed);
        }
        displaced.iter().for_each(|displaced| displaced.tell(LOST));
        instead.iter().for_each(|instead| instead.tell(LOOK));
        Some(Place { queue: self, id: place, waiter, found: Cell::new(false) })
    }

    /// There is room for one more.
    pub fn freed(&self) {
        // SeqCst: whoever looked for room in vain has entered before, or sees the room.
        if self.len.load(SeqCst) > 0 {
            self.call();
        }
    }

    /// There is room for so many more.
    pub fn freed_for(&self, count: u32) {
        (0..count.min(self.len.load(SeqCst))).for_each(|_| self.call());
    }

    /// Everybody is to look again: backends came or went.
    pub fn changed(&self) {
        let all: Vec<_> = super::state::lock(&self.waiting).all().cloned().collect();
        all.iter().for_each(|waiter| waiter.tell(LOOK));
    }

    fn call(&self) {
        let called = self.change(|waiting| waiting.call().cloned());
        called.iter().for_each(|waiter| waiter.tell(LOOK));
    }

    /// Changes what is waiting, and publishes what of it is read without the lock.
    fn change<R>(&self, change: impl FnOnce(&mut Waiting<Arc<Waiter>>) -> R) -> R {
        let mut waiting: MutexGuard<'_, _> = super::state::lock(&self.waiting);
        let result = change(&mut waiting);
        self.len.store(u32::try_from(waiting.len()).unwrap_or(u32::MAX), SeqCst);
        let crowded = Priority::ALL.iter().filter(|priority| !waiting.is_first(**priority)).map(|it| bit(*it));
        self.crowded.store(crowded.fold(0, |all, bit| all | bit), SeqCst);
        result
    }
}

fn bit(priority: Priority) -> u8 {
    1 << priority as u8
}

impl Place<'_> {
    /// Calls `look` whenever there may be room, until it finds something. `is_picky`: not any room will do.
    ///
    /// # Errors
    /// [`Displaced`]
    pub async fn until<T>(&self, is_picky: bool, mut look: impl FnMut() -> Option<T>) -> Result<T, Displaced> {
        poll_fn(|cx| self.poll(cx, is_picky, &mut look)).await
    }

    fn poll<T>(
        &self,
        cx: &mut Context<'_>,
        is_picky: bool,
        look: &mut impl FnMut() -> Option<T>,
    ) -> Poll<Result<T, Displaced>> {
        loop {
            // Before the news are read, so that none comes unheard.
            self.waiter.wake_by(cx.waker());
            let news = self.waiter.news.swap(0, SeqCst);
            if news & LOST != 0 {
                return Poll::Ready(Err(Displaced));
            }
            if news & LOOK == 0 {
                return Poll::Pending;
            }
            if let Some(found) = look() {
                self.found.set(true);
                return Poll::Ready(Ok(found));
            }
            let next = self.queue.change(|waiting| waiting.looked(self.id, is_picky).cloned());
            next.iter().for_each(|waiter| waiter.tell(LOOK));
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let next = self.queue.change(|waiting| waiting.leave(self.id, self.found.get()).cloned());
        next.iter().for_each(|waiter| waiter.tell(LOOK));
    }
}

impl Waiter {
    fn tell(&self, news: u8) {
        self.news.fetch_or(news, SeqCst);
        let waker = super::state::lock(&self.waker).clone();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn wake_by(&self, waker: &Waker) {
        let mut known = super::state::lock(&self.waker);
        if !known.as_ref().is_some_and(|known| known.will_wake(waker)) {
            *known = Some(waker.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::sync::atomic::AtomicBool;

    #[test]
    fn no_more_than_the_bound_may_wait() {
        let queue = Queue::default();
        let first = queue.enter(Priority::Normal, 2);
        let second = queue.enter(Priority::Normal, 2);
        assert!(first.is_some() && second.is_some() && queue.enter(Priority::Normal, 2).is_none());
        assert_eq!(queue.len(), 2);
        drop(first);
        assert!(queue.enter(Priority::Normal, 2).is_some() && Queue::default().enter(Priority::High, 0).is_none());
    }

    #[test]
    fn who_waits_longest_is_woken_first_and_a_change_wakes_all() {
        let queue = Queue::default();
        let (one, two) = (queue.enter(Priority::Normal, 9).unwrap(), queue.enter(Priority::Normal, 9).unwrap());
        let looks = RefCell::new(Vec::new());
        let look = |who: u8| {
            let looks = &looks;
            move || {
                looks.borrow_mut().push(who);
                None::<()>
            }
        };
        let (mut first, mut second) = (Box::pin(one.until(false, look(1))), Box::pin(two.until(false, look(2))));
        let mut cx = Context::from_waker(Waker::noop());
        let mut poll = || {
            assert_eq!(first.as_mut().poll(&mut cx), Poll::Pending);
            assert_eq!(second.as_mut().poll(&mut cx), Poll::Pending);
        };
        poll();
        queue.freed();
        poll();
        queue.changed();
        poll();
        assert_eq!(*looks.borrow(), [1, 2, 1, 1, 2]);
    }

    #[test]
    fn a_higher_priority_goes_first_and_takes_the_place_of_a_lower_one() {
        let queue = Queue::default();
        let (low, normal) = (queue.enter(Priority::Low, 2).unwrap(), queue.enter(Priority::Normal, 2).unwrap());
        let mut cx = Context::from_waker(Waker::noop());
        let never = || None::<u8>;
        let mut low_waits = Box::pin(low.until(false, never));
        let room = Cell::new(false);
        let mut normal_waits = Box::pin(normal.until(false, || room.get().then_some(2)));
        assert!(low_waits.as_mut().poll(&mut cx).is_pending() && normal_waits.as_mut().poll(&mut cx).is_pending());
        assert!(queue.is_first(Priority::High) && !queue.is_first(Priority::Normal));
        let high = queue.enter(Priority::High, 2).unwrap();
        assert_eq!(low_waits.as_mut().poll(&mut cx), Poll::Ready(Err(Displaced)));
        drop(low_waits);
        drop(low);
        assert_eq!(queue.len(), 2);
        let mut high_waits = Box::pin(high.until(false, || room.get().then_some(3)));
        assert!(high_waits.as_mut().poll(&mut cx).is_pending());
        room.set(true);
        queue.freed();
        assert!(normal_waits.as_mut().poll(&mut cx).is_pending());
        assert_eq!(high_waits.as_mut().poll(&mut cx), Poll::Ready(Ok(3)));
    }

    #[test]
    fn room_made_on_another_thread_is_not_missed() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        for _ in 0..200 {
            let shared = Arc::new((Queue::default(), AtomicBool::new(false)));
            let other = shared.clone();
            let thread = std::thread::spawn(move || {
                other.1.store(true, SeqCst);
                other.0.freed();
            });
            let place = shared.0.enter(Priority::Normal, 1).unwrap();
            let wait = place.until(false, || shared.1.load(SeqCst).then_some(()));
            let found =
                runtime.block_on(async { tokio::time::timeout(std::time::Duration::from_secs(10), wait).await });
            assert_eq!(found.unwrap(), Ok(()));
            thread.join().unwrap();
        }
    }

    /// Threads that take and give back two places: each gets one in the end.
    #[test]
    fn no_place_is_lost_between_threads() {
        let queue = Queue::default();
        let free = AtomicU32::new(2);
        let take = || free.fetch_update(SeqCst, SeqCst, |free| free.checked_sub(1)).ok();
        std::thread::scope(|scope| {
            for thread in 0..4u32 {
                let (queue, free, take) = (&queue, &free, &take);
                scope.spawn(move || {
                    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
                    for round in 0..500 {
                        let priority = Priority::ALL[((thread + round) % 3) as usize];
                        if !queue.is_first(priority) || take().is_none() {
                            let place = queue.enter(priority, 100).unwrap();
                            let wait = place.until(round % 2 == 0, take);
                            let limit = std::time::Duration::from_secs(10);
                            let found = runtime.block_on(async { tokio::time::timeout(limit, wait).await });
                            assert!(found.expect("a place was lost").is_ok());
                        }
                        std::thread::yield_now();
                        free.fetch_add(1, SeqCst);
                        queue.freed();
                    }
                });
            }
        });
        assert!(queue.is_empty() && free.load(SeqCst) == 2);
    }
}
