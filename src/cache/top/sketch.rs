//! Space-Saving with weights: a fixed number of counters; a key that has none takes over the smallest one, with what that
//! had as its possible error.

use std::collections::HashMap;
use std::sync::Arc;

/// Counters in a binary heap, the smallest first, found by key.
#[derive(Debug)]
pub(super) struct Sketch {
    capacity: usize,
    places: HashMap<Arc<[u8]>, usize>,
    counters: Vec<Counter>,
    /// Indices into `counters`.
    heap: Vec<usize>,
}

#[derive(Debug)]
struct Counter {
    key: Arc<[u8]>,
    weight: u64,
    /// What it was taken over with.
    error: u64,
    /// Something else that is summed up, since the key took the counter.
    aside: u64,
    /// Its place in the heap.
    at: usize,
}

impl Sketch {
    pub(super) fn new(capacity: usize) -> Sketch {
        Sketch { capacity, places: HashMap::new(), counters: Vec::new(), heap: Vec::new() }
    }

    pub(super) fn add(&mut self, key: &[u8], weight: u64, aside: u64) {
        let index = match self.places.get(key) {
            Some(&index) => index,
            None => self.counter_for(key),
        };
        let counter = &mut self.counters[index];
        counter.weight = counter.weight.saturating_add(weight);
        counter.aside = counter.aside.saturating_add(aside);
        let at = counter.at;
        self.sink(at);
    }

    /// A new one, or the smallest.
    fn counter_for(&mut self, key: &[u8]) -> usize {
        let key: Arc<[u8]> = key.into();
        if self.counters.len() < self.capacity {
            let (index, at) = (self.counters.len(), self.heap.len());
            self.counters.push(Counter { key: Arc::clone(&key), weight: 0, error: 0, aside: 0, at });
            self.heap.push(index);
            self.places.insert(key, index);
            self.rise(at);
            return index;
        }
        let index = self.heap[0];
        let counter = &mut self.counters[index];
        let old = std::mem::replace(&mut counter.key, Arc::clone(&key));
        (counter.error, counter.aside) = (counter.weight, 0);
        self.places.remove(&old);
        self.places.insert(key, index);
        index
    }

    pub(super) fn keys<T>(&self, make: impl Fn(Vec<u8>, u64, u64, u64) -> T) -> Vec<T> {
        self.counters.iter().map(|c| make(c.key.to_vec(), c.weight, c.aside, c.error)).collect()
    }

    fn weight(&self, at: usize) -> u64 {
        self.counters[self.heap[at]].weight
    }

    /// It has become larger.
    fn sink(&mut self, mut at: usize) {
        loop {
            let children = (2 * at + 1..2 * at + 3).filter(|child| *child < self.heap.len());
            let Some(least) = children.min_by_key(|child| self.weight(*child)) else { return };
            if self.weight(at) <= self.weight(least) {
                return;
            }
            self.swap(at, least);
            at = least;
        }
    }

    /// It may be smaller than what is before it.
    fn rise(&mut self, mut at: usize) {
        while at > 0 && self.weight(at) < self.weight((at - 1) / 2) {
            self.swap(at, (at - 1) / 2);
            at = (at - 1) / 2;
        }
    }

    fn swap(&mut self, a: usize, b: usize) {
        self.heap.swap(a, b);
        self.counters[self.heap[a]].at = a;
        self.counters[self.heap[b]].at = b;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    proptest! {
        /// Lemmas 3 to 5 and theorem 2 of the paper, with weights.
        #[test]
        fn no_key_is_counted_too_low_nor_more_too_high_than_its_error(
            stream in prop::collection::vec((0u8..40, 0u64..50), 1..400),
            capacity in 1usize..12,
        ) {
            let mut sketch = Sketch::new(capacity);
            let mut exact: HashMap<Vec<u8>, u64> = HashMap::new();
            for (key, weight) in &stream {
                sketch.add(&[*key], *weight, 1);
                *exact.entry(vec![*key]).or_default() += weight;
            }
            let total: u64 = stream.iter().map(|(_, weight)| weight).sum();
            let seen = sketch.keys(|key, weight, _, error| (key, (weight, error)));
            prop_assert!(seen.len() <= capacity);
            prop_assert_eq!(seen.iter().map(|(_, (weight, _))| weight).sum::<u64>(), total);
            let seen: HashMap<_, _> = seen.into_iter().collect();
            let share = total / capacity as u64;
            for (key, exact) in &exact {
                match seen.get(key) {
                    Some((weight, error)) => {
                        prop_assert!(exact <= weight && weight - error <= *exact);
                        prop_assert!(*error <= share);
                    }
                    None => prop_assert!(*exact <= share),
                }
            }
            for at in 1..sketch.heap.len() {
                prop_assert!(sketch.weight((at - 1) / 2) <= sketch.weight(at));
                prop_assert_eq!(sketch.counters[sketch.heap[at]].at, at);
            }
        }
    }

    #[test]
    fn while_there_is_room_it_is_exact() {
        let mut sketch = Sketch::new(3);
        for key in [b"a", b"b", b"a", b"c", b"a"] {
            sketch.add(key, 1, 10);
        }
        let mut keys = sketch.keys(|key, weight, aside, error| (key[0], weight, aside, error));
        keys.sort_unstable();
        assert_eq!(keys, [(b'a', 3, 30, 0), (b'b', 1, 10, 0), (b'c', 1, 10, 0)]);
    }
}
