//! Keys of limits that are to be told of: some of each limit in turn, so that one that has many does not hold up the others.

use crate::limit::{Cursor, Limiter};
use std::collections::HashMap;
use std::sync::Arc;

/// Which limit is next, and where in its table.
#[derive(Default)]
pub(super) struct Turns {
    /// By the name of a limit.
    cursors: HashMap<String, Cursor>,
    first: usize,
}

impl Turns {
    /// [`KEYS_MAX`] lines at most. `report` is given a limit by its place, and how many lines may be added for it.
    pub(super) fn collect<L>(
        &mut self,
        limits: &[(String, Arc<Limiter>)],
        mut report: impl FnMut(usize, &mut Cursor, usize, &mut Vec<L>),
    ) -> Vec<L> {
        if self.cursors.len() > limits.len() {
            self.cursors.retain(|name, _| limits.iter().any(|(known, _)| known == name));
        }
        let mut lines = Vec::new();
        for turn in 0..limits.len() {
            let limit = (self.first + turn) % limits.len();
            let cursor = self.cursors.entry(limits[limit].0.clone()).or_default();
            report(limit, cursor, KEYS_MAX - lines.len(), &mut lines);
            if lines.len() >= KEYS_MAX {
                self.first = limit + 1;
                break;
            }
        }
        lines
    }
}

/// Keys that Redis is told of at once: about a millisecond of its time.
pub(super) const KEYS_MAX: usize = 512;

/// Times that it is told at each beat; keys that are left wait for the next.
pub(super) const ROUNDS_MAX: usize = 4;
