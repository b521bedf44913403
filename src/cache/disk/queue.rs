//! What waits for the threads of the tier: bounded in number and bytes, and never waited for by who puts it in.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// A queue of `T`, each with the bytes that it holds.
#[derive(Debug)]
pub(super) struct Queue<T> {
    state: Mutex<State<T>>,
    wake: Condvar,
    number_max: usize,
    bytes_max: usize,
}

#[derive(Debug)]
struct State<T> {
    items: VecDeque<(T, usize)>,
    bytes: usize,
    taken: usize,
    ended: bool,
}

impl<T> Queue<T> {
    pub(super) fn new(number_max: usize, bytes_max: usize) -> Queue<T> {
        let state = State { items: VecDeque::new(), bytes: 0, taken: 0, ended: false };
        Queue { state: Mutex::new(state), wake: Condvar::new(), number_max, bytes_max }
    }

    /// Puts `item` in unless the queue is full or has ended. `margin` is how many more than usual may wait.
    pub(super) fn push(&self, item: T, bytes: usize, margin: usize) -> bool {
        let mut state = self.lock();
        let full = state.items.len() >= self.number_max + margin
            || (bytes > 0 && state.bytes > 0 && state.bytes + bytes > self.bytes_max);
        if full || state.ended {
            return false;
        }
        state.bytes += bytes;
        state.items.push_back((item, bytes));
        drop(state);
        self.wake.notify_one();
        true
    }

    /// Waits for the next one; `None` once the queue has ended and is empty. [`Queue::done`] must follow.
    pub(super) fn take(&self) -> Option<T> {
        let mut state = self.lock();
        loop {
            if let Some((item, bytes)) = state.items.pop_front() {
                state.bytes -= bytes;
                state.taken += 1;
                return Some(item);
            }
            if state.ended {
                return None;
            }
            state = self.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// What was taken is done.
    pub(super) fn done(&self) {
        self.lock().taken -= 1;
    }

    /// Whether nothing waits, and all that was taken is done.
    pub(super) fn is_idle(&self) -> bool {
        let state = self.lock();
        state.items.is_empty() && state.taken == 0
    }

    /// Nothing more is put in; what is in it is still taken.
    pub(super) fn end(&self) {
        self.lock().ended = true;
        self.wake.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_bounded_in_number_and_bytes_but_takes_one_large_item() {
        let queue = Queue::new(2, 10);
        assert!(queue.push('a', 50, 0));
        assert!(!queue.push('b', 1, 0), "no bytes are left");
        assert!(queue.push('c', 0, 0) && !queue.push('d', 0, 0) && queue.push('e', 0, 1));
        assert_eq!(queue.take(), Some('a'));
        assert!(!queue.is_idle());
        queue.end();
        assert!(!queue.push('f', 0, 9));
        assert_eq!((queue.take(), queue.take(), queue.take()), (Some('c'), Some('e'), None));
        (0..3).for_each(|_| queue.done());
        assert!(queue.is_idle());
    }
}
