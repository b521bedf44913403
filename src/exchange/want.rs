//! What an exchange tells of how many backends its pool needs.

use super::attempts::{Ended, Task};
use std::cell::Cell;
use std::time::{Duration, Instant};

/// An exchange that wants a backend.
pub(super) struct Want<'a> {
    task: &'a Task<'a>,
    /// Since when, and how long it may wait for an answer, where its pool has an objective and nobody judged yet.
    objective: Cell<Option<(Instant, Duration)>>,
}

impl<'a> Want<'a> {
    pub(super) fn new(task: &'a Task<'a>) -> Want<'a> {
        task.worker.metrics.arrived(&task.live_pool().metrics);
        Want { task, objective: Cell::new(task.config().objective.map(|objective| (Instant::now(), objective))) }
    }

    /// The head of the response is there that its client gets.
    pub(super) fn answered(&self, status: u16) {
        // Errors that come fast do not say how much backends do.
        if status < 500 {
            self.task.worker.metrics.served(&self.task.live_pool().metrics);
        }
        if let Some((since, objective)) = self.objective.take() {
            self.judge(since.elapsed() <= objective);
        }
    }

    /// It ended.
    pub(super) fn ended(&self, how: &Ended) {
        if let Ended::Refused(refusal) = how
            && refusal.is_ours()
            && self.objective.take().is_some()
        {
            self.judge(false);
        }
    }

    fn judge(&self, is_on_time: bool) {
        self.task.worker.metrics.judged(&self.task.live_pool().metrics, is_on_time);
    }
}

impl Drop for Want<'_> {
    /// Whoever gave up on it may have had enough of waiting.
    fn drop(&mut self) {
        if let Some((since, objective)) = self.objective.take()
            && since.elapsed() > objective
        {
            self.judge(false);
        }
    }
}
