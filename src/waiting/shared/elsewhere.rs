//! Who came in at another member not long ago: his ticket may be shown once more, as the response that brought the pass may be lost.

use super::super::inside::AGAIN_SECONDS;
use std::collections::{HashMap, VecDeque};
use std::time::Duration;

#[derive(Debug, Default)]
pub(super) struct Elsewhere {
    numbers: HashMap<u64, Duration>,
    order: VecDeque<u64>,
}

impl Elsewhere {
    pub(super) fn note(&mut self, number: u64, now: Duration) {
        if self.numbers.len() < ELSEWHERE_MAX && self.numbers.insert(number, now).is_none() {
            self.order.push_back(number);
        }
    }

    pub(super) fn has(&self, number: u64, now: Duration) -> bool {
        self.numbers.get(&number).is_some_and(|at| now <= *at + AGAIN)
    }

    pub(super) fn forget(&mut self, now: Duration) {
        while let Some(number) = self.order.front()
            && self.numbers.get(number).is_none_or(|at| now > *at + AGAIN)
        {
            self.numbers.remove(number);
            self.order.pop_front();
        }
    }
}

/// How long after it was heard that somebody came in elsewhere his ticket may be shown again.
const AGAIN: Duration = Duration::from_secs(AGAIN_SECONDS as u64);

/// Of how many that is remembered.
const ELSEWHERE_MAX: usize = 65_536;
