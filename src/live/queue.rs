use std::sync::atomic::{AtomicU32, Ordering::Relaxed, Ordering::SeqCst};
use tokio::sync::Notify;

/// Exchanges of a pool that wait for a backend to have room; first come, first served.
#[derive(Debug, Default)]
pub struct Queue {
    waiting: AtomicU32,
    freed: Notify,
}

/// A place in the queue, until it is dropped.
#[derive(Debug)]
pub struct Place<'q>(&'q Queue);

impl Queue {
    /// How many wait.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.waiting.load(Relaxed)
    }

    /// Whether nobody waits. Who comes while somebody waits stands behind him.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The last place of at most `max`, or `None`.
    pub fn enter(&self, max: u32) -> Option<Place<'_>> {
        if self.waiting.fetch_add(1, SeqCst) >= max {
            self.waiting.fetch_sub(1, SeqCst);
            return None;
        }
        Some(Place(self))
    }

    /// There is room for one more.
    pub fn freed(&self) {
        // SeqCst: whoever looked for room in vain has entered before, or sees the room.
        if self.waiting.load(SeqCst) > 0 {
            self.freed.notify_one();
        }
    }

    /// Everybody is to look again: backends came or went.
    pub fn changed(&self) {
        self.freed.notify_waiters();
    }
}

impl Place<'_> {
    /// Calls `look` now and whenever there may be room, until it finds something. Cancel-safe.
    pub async fn until<T>(&self, mut look: impl FnMut() -> Option<T>) -> T {
        loop {
            let mut freed = std::pin::pin!(self.0.freed.notified());
            // Registered before looking, so that nothing is freed unseen in between.
            freed.as_mut().enable();
            if let Some(found) = look() {
                return found;
            }
            freed.await;
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;
    use std::task::{Context, Poll, Waker};

    #[test]
    fn no_more_than_the_bound_may_wait() {
        let queue = Queue::default();
        let first = queue.enter(2);
        let second = queue.enter(2);
        assert!(first.is_some() && second.is_some() && queue.enter(2).is_none());
        assert_eq!(queue.len(), 2);
        drop(first);
        assert!(queue.enter(2).is_some() && queue.enter(0).is_none());
    }

    #[test]
    fn who_waits_longest_is_woken_first_and_a_change_wakes_all() {
        let queue = Queue::default();
        let (one, two) = (queue.enter(9).unwrap(), queue.enter(9).unwrap());
        let looks = std::cell::RefCell::new(Vec::new());
        let look = |who: u8| {
            let looks = &looks;
            move || {
                looks.borrow_mut().push(who);
                None::<()>
            }
        };
        let (mut first, mut second) = (Box::pin(one.until(look(1))), Box::pin(two.until(look(2))));
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
    fn room_made_on_another_thread_is_not_missed() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        for _ in 0..200 {
            let shared = Arc::new((Queue::default(), AtomicBool::new(false)));
            let other = shared.clone();
            let thread = std::thread::spawn(move || {
                other.1.store(true, SeqCst);
                other.0.freed();
            });
            let place = shared.0.enter(1).unwrap();
            let wait = place.until(|| shared.1.load(SeqCst).then_some(()));
            runtime.block_on(async { tokio::time::timeout(std::time::Duration::from_secs(10), wait).await }).unwrap();
            thread.join().unwrap();
        }
    }
}
