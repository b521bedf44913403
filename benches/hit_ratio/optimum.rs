//! What could be had by knowing the future: Belady's rule, which is the optimum where all sizes are the same, and an
//! approximation where they are not. Both know of an object that it is not worth storing.

use crate::Cache;
use crate::trace::{Request, mix};
use std::collections::{BTreeSet, HashMap};

/// What goes first.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    /// What is asked for again last (Belady 1966).
    Farthest,
    /// What has the largest product of size and time until it is asked for again, among [`SAMPLES`] that are drawn
    /// (Belady-Size of libCacheSim).
    FarthestBySize,
}

/// A cache that is told the whole trace before.
pub(crate) struct Optimum {
    rule: Rule,
    /// When each request's object is asked for again.
    next: Vec<usize>,
    now: usize,
    held: HashMap<u64, usize>,
    /// Place in `all`, by when it is asked for again.
    by_next: BTreeSet<(usize, u64)>,
    all: Vec<Object>,
    room: usize,
}

#[derive(Clone, Copy)]
struct Object {
    key: u64,
    bytes: usize,
    next: usize,
}

impl Optimum {
    pub(crate) fn new(trace: &[Request], capacity: usize, rule: Rule) -> Self {
        Self {
            rule,
            next: next_uses(trace),
            now: 0,
            held: HashMap::new(),
            by_next: BTreeSet::new(),
            all: Vec::new(),
            room: capacity,
        }
    }

    fn first_to_go(&self, new: &Object) -> Object {
        let drawn = |at: usize| self.all[mix((self.now * SAMPLES + at) as u64) as usize % self.all.len()];
        let worst = match self.rule {
            Rule::Farthest => self.by_next.last().map(|(_, key)| self.all[self.held[key]]),
            Rule::FarthestBySize => (0..SAMPLES).map(drawn).max_by_key(|object| self.badness(object)),
        };
        worst.filter(|worst| self.badness(worst) > self.badness(new)).unwrap_or(*new)
    }

    fn badness(&self, object: &Object) -> u128 {
        match self.rule {
            Rule::Farthest => object.next as u128,
            Rule::FarthestBySize => (object.next - self.now) as u128 * object.bytes as u128,
        }
    }

    fn store(&mut self, new: Object) {
        while self.room < new.bytes {
            let gone = self.first_to_go(&new);
            if gone.key == new.key {
                return;
            }
            self.remove(&gone);
        }
        self.room -= new.bytes;
        self.held.insert(new.key, self.all.len());
        self.by_next.insert((new.next, new.key));
        self.all.push(new);
    }

    fn remove(&mut self, object: &Object) {
        let Some(place) = self.held.remove(&object.key) else { return };
        self.by_next.remove(&(object.next, object.key));
        self.all.swap_remove(place);
        if let Some(moved) = self.all.get(place) {
            self.held.insert(moved.key, place);
        }
        self.room += object.bytes;
    }
}

impl Cache for Optimum {
    fn asks(&mut self, request: &Request) -> bool {
        let new = Object { key: request.key, bytes: request.bytes, next: self.next[self.now] };
        self.now += 1;
        let held = self.held.get(&request.key).map(|&place| self.all[place]);
        if let Some(held) = held {
            self.remove(&held);
        }
        if new.next != NEVER {
            self.store(new);
        }
        held.is_some()
    }
}

fn next_uses(trace: &[Request]) -> Vec<usize> {
    let mut last = HashMap::new();
    let mut next: Vec<_> =
        trace.iter().enumerate().rev().map(|(at, request)| last.insert(request.key, at).unwrap_or(NEVER)).collect();
    next.reverse();
    next
}

const NEVER: usize = usize::MAX;

/// Objects that are compared before one goes.
const SAMPLES: usize = 64;
