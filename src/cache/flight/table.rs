//! The fetches under way of one cache.

use super::{Flight, Seat};
use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

type Table<F> = HashMap<u128, Vec<Airborne<F>>>;

/// A fetch that is under way, and what it was asked for.
#[derive(Debug)]
struct Airborne<F> {
    /// What it is joined by; `None`: nobody joins it.
    number: Option<u64>,
    span: Option<Span>,
    flight: Arc<Flight<F>>,
}

impl<F> Airborne<F> {
    /// It goes on for those who are in it.
    fn close(&mut self) {
        self.number = None;
        self.span = None;
    }
}

/// Bytes that are asked for, and of what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// Stands for all that a key has beside the bytes.
    pub kind: u64,
    /// The bytes; with an open end as far as there are any.
    pub bytes: Range<u64>,
}

impl Span {
    fn covers(&self, other: &Span) -> bool {
        self.kind == other.kind && self.bytes.start <= other.bytes.start && other.bytes.end <= self.bytes.end
    }
}

/// Fetches under way, by key and variant.
#[derive(Debug)]
pub struct Flights<F> {
    shards: Vec<Mutex<Table<F>>>,
}

impl<F> Default for Flights<F> {
    fn default() -> Self {
        Flights { shards: (0..SHARDS).map(|_| Mutex::default()).collect() }
    }
}

/// Locks, so that fetches of different keys do not meet.
const SHARDS: usize = 16;

impl<F: Clone> Flights<F> {
    /// A place in the fetch for a key; if there was none, it is the leader's, who has to fetch what `span` says. `None`: others
    /// do, and it cannot be joined.
    pub fn board(&self, key: (u128, u64), span: Option<Span>) -> Option<Seat<F>> {
        let mut shard = self.shard(key);
        let there = shard.entry(key.0).or_default();
        match there.iter_mut().find(|airborne| airborne.number == Some(key.1)) {
            Some(airborne) if !airborne.flight.is_abandoned() => return airborne.flight.join(),
            // It ends, and another one begins.
            Some(airborne) => airborne.close(),
            None => {}
        }
        let flight = Arc::<Flight<F>>::default();
        there.push(Airborne { number: Some(key.1), span, flight: Arc::clone(&flight) });
        flight.join()
    }

    /// The leader's place in a fetch for `hash` that nobody else joins.
    pub fn alone(&self, hash: u128) -> Option<Seat<F>> {
        let flight = Arc::<Flight<F>>::default();
        let airborne = Airborne { number: None, span: None, flight: Arc::clone(&flight) };
        self.shard((hash, 0)).entry(hash).or_default().push(airborne);
        flight.join()
    }

    /// What a fetch brings is stale before its end: nobody joins it any more, and another one begins.
    pub fn pass(&self, hash: u128, flight: &Arc<Flight<F>>) {
        let mut shard = self.shard((hash, 0));
        let there = shard.get_mut(&hash).into_iter().flatten();
        there.filter(|airborne| Arc::ptr_eq(&airborne.flight, flight)).for_each(Airborne::close);
        flight.lock().passed = true;
    }

    /// A place in a fetch for `hash` that brings, among others, the bytes of `span`, and soon.
    pub fn board_within(&self, hash: u128, span: &Span) -> Option<Seat<F>> {
        let shard = self.shard((hash, 0));
        let brings = |airborne: &&Airborne<F>| {
            let around = airborne.span.as_ref().filter(|around| around.covers(span));
            around.is_some_and(|around| airborne.flight.is_near(span.bytes.start - around.bytes.start))
        };
        shard.get(&hash)?.iter().filter(brings).find_map(|airborne| airborne.flight.join())
    }

    /// The fetch is over, or can be joined no more.
    pub fn land(&self, key: (u128, u64), flight: &Arc<Flight<F>>) {
        let mut shard = self.shard(key);
        if let Some(there) = shard.get_mut(&key.0) {
            there.retain(|airborne| !Arc::ptr_eq(&airborne.flight, flight));
            if there.is_empty() {
                shard.remove(&key.0);
            }
        }
    }

    /// What all fetches for a primary key bring is out of date: nobody joins them, and it is not stored.
    pub fn bar(&self, hash: u128) {
        let there = self.shard((hash, 0)).remove(&hash);
        there.iter().flatten().for_each(|airborne| airborne.flight.bar());
    }

    /// How many are under way.
    #[must_use]
    pub fn len(&self) -> usize {
        let in_shard = |shard: &Mutex<Table<F>>| {
            shard.lock().unwrap_or_else(PoisonError::into_inner).values().map(Vec::len).sum::<usize>()
        };
        self.shards.iter().map(in_shard).sum()
    }

    /// None is under way.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn shard(&self, key: (u128, u64)) -> MutexGuard<'_, Table<F>> {
        self.shards[key.0 as usize % SHARDS].lock().unwrap_or_else(PoisonError::into_inner)
    }
}
