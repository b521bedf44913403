//! Whether an exchange gets another attempt.

use super::attempts::Task;
use super::crew::{Crew, Tried};
use crate::config::{PoolProtocol, Retry};
use crate::live::LivePool;
use std::cell::Cell;

/// What decides on further attempts.
pub(super) struct Chances<'a> {
    retry: &'a Retry,
    live: &'a LivePool,
    crew: &'a Crew,
    is_idempotent: bool,
    /// All content that was read can be sent again.
    whole: &'a Cell<bool>,
    pub(super) tried: Tried,
    /// So many of those were not reached.
    unreached: usize,
}

/// Why there should be another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// Nothing came to the backend: nobody listens there.
    Unreached,
    /// The backend has not begun with it: the connection did not come about, or it said so.
    Unsent,
    /// The client would see this status.
    Status(u16),
}

impl<'a> Chances<'a> {
    pub(super) fn new(task: &Task<'a>, crew: &'a Crew, whole: &'a Cell<bool>) -> Chances<'a> {
        Chances {
            retry: &task.config().retry,
            live: task.live_pool(),
            crew,
            is_idempotent: task.head.method.is_idempotent() && task.head.protocol.is_empty(),
            whole,
            tried: Tried::default(),
            unreached: 0,
        }
    }

    /// Whether another backend is asked after the one at `at`; if so, the retry is taken from the budget. One that was not reached
    /// bore nothing of it: that costs nothing, and is no attempt of those that are counted.
    pub(super) fn allow(&self, cause: Cause, at: usize) -> bool {
        let is_wanted = match cause {
            Cause::Unreached | Cause::Unsent => self.retry.on_connect,
            // RFC 9110 §9.2.2: only what may be repeated without harm.
            Cause::Status(status) => self.is_idempotent && self.retry.statuses.has(status),
        };
        let is_free = cause == Cause::Unreached && self.retry.attempts > 1;
        let made = self.tried.len() + 1 - self.unreached;
        is_wanted
            && self.whole.get()
            && (is_free || made < self.retry.attempts as usize)
            && self.tried.len() + 1 < Tried::MAX
            && self.crew.has_other(&self.tried, at)
            && (is_free || self.live.budget.withdraw())
    }

    /// That one was tried, and why another one is to be.
    pub(super) fn tried(&mut self, at: usize, cause: Cause) {
        self.tried.add(at);
        self.unreached += usize::from(cause == Cause::Unreached);
    }
}

/// Bytes of a request's content that are worth keeping.
pub(super) fn kept_max(task: &Task<'_>) -> usize {
    let config = task.config();
    // HTTP/2 backends may say of any request that they have not begun with it.
    let may_repeat = task.head.method.is_idempotent() || config.protocol != PoolProtocol::Http1;
    if may_repeat && config.retry.attempts > 1 { config.retry.content } else { 0 }
}
