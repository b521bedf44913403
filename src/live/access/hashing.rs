use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread::available_parallelism;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// Bounds how many passwords are checked at once in the process, and how many wait for it: each takes a whole core for as
/// long as it takes.
#[derive(Debug)]
pub struct Hashing {
    slots: Arc<Semaphore>,
    waiting: AtomicUsize,
}

/// A password may be checked until this is dropped.
pub type Turn = OwnedSemaphorePermit;

/// Passwords that wait to be checked; more are refused.
const WAITING_MAX: usize = 64;
/// How long one waits.
const WAIT_MAX: Duration = Duration::from_secs(5);

impl Default for Hashing {
    fn default() -> Self {
        // Half of the cores: the others serve.
        let at_once = available_parallelism().map_or(1, NonZeroUsize::get).div_ceil(2);
        Hashing { slots: Arc::new(Semaphore::new(at_once)), waiting: AtomicUsize::new(0) }
    }
}

impl Hashing {
    /// Waits for a turn; none if too many wait, or it takes too long.
    pub async fn turn(&self) -> Option<Turn> {
        if let Ok(turn) = Arc::clone(&self.slots).try_acquire_owned() {
            return Some(turn);
        }
        let _place = Place::of(&self.waiting)?;
        timeout(WAIT_MAX, Arc::clone(&self.slots).acquire_owned()).await.ok()?.ok()
    }
}

/// A place among those that wait.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn of(waiting: &'a AtomicUsize) -> Option<Place<'a>> {
        let place = Place(waiting);
        // Given back by the drop if it is one too many.
        (waiting.fetch_add(1, Relaxed) < WAITING_MAX).then_some(place)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    #[tokio::test(start_paused = true)]
    async fn some_are_checked_some_wait_and_more_are_refused() {
        let hashing = Hashing { slots: Arc::new(Semaphore::new(1)), waiting: AtomicUsize::new(0) };
        let turn = hashing.turn().await.unwrap();
        let mut cx = Context::from_waker(Waker::noop());
        let mut waiting: Vec<_> = (0..WAITING_MAX).map(|_| Box::pin(hashing.turn())).collect();
        assert!(waiting.iter_mut().all(|it| it.as_mut().poll(&mut cx).is_pending()));
        assert!(matches!(pin!(hashing.turn()).as_mut().poll(&mut cx), Poll::Ready(None)), "one too many");
        // One that goes away leaves its place to another.
        drop(waiting.pop());
        let mut late = pin!(hashing.turn());
        assert!(late.as_mut().poll(&mut cx).is_pending());
        drop(turn);
        let first = waiting.remove(0).await;
        assert!(first.is_some(), "first come, first served");
        // Nobody waits for ever.
        assert!(late.await.is_none());
    }
}
