//! Which backend an attempt goes to. A pick takes no lock, no clock and no allocation.

mod hash;
mod latency;
mod least_connections;
mod maglev;
mod peak_ewma;
mod random;
mod ring;
mod round_robin;
mod turns;
mod view;

pub use hash::{Table, hash_bytes, hash_key};
pub use latency::Latency;
pub use view::View;

use hash::Hash;
use least_connections::LeastConnections;
use round_robin::RoundRobin;
use std::sync::Arc;

/// What policies ask about the backends at the moment of a pick; `at` is an index into the pool's backends.
pub trait Look {
    /// Exchanges in flight at that backend, over all workers.
    fn in_flight(&self, at: usize) -> u32;
    /// Its learnt latency in nanoseconds; 0 if nothing is known.
    fn latency(&self, at: usize) -> u64;
    /// Whether it may be picked now: not tried before by this exchange, not full.
    fn may(&self, at: usize) -> bool;
}

/// What a pick depends on beside the backends.
#[derive(Clone, Copy, Debug)]
pub struct Ask {
    /// Uniform.
    pub random: u64,
    /// Of the exchange's key, for policies that hash; `None` if it has no key.
    pub hash: Option<u64>,
}

/// One worker's way to pick from one set of backends.
#[derive(Debug)]
pub struct Policy(Kind);

#[derive(Debug)]
enum Kind {
    RoundRobin(RoundRobin),
    Random,
    LeastConnections(LeastConnections),
    PeakEwma,
    Hash(Hash),
}

impl Policy {
    /// In turn, smoothly by weight. `start` shifts the cycle, so that workers do not move in step.
    #[must_use]
    pub fn round_robin(start: usize) -> Policy {
        Policy(Kind::RoundRobin(RoundRobin::new(start)))
    }

    /// By lot, by weight.
    #[must_use]
    pub fn random() -> Policy {
        Policy(Kind::Random)
    }

    /// The fewest exchanges in flight for its weight; among equals in turn.
    #[must_use]
    pub fn least_connections(start: usize) -> Policy {
        Policy(Kind::LeastConnections(LeastConnections::new(start)))
    }

    /// The better of two that are drawn by weight, by learnt latency and exchanges in flight.
    #[must_use]
    pub fn peak_ewma() -> Policy {
        Policy(Kind::PeakEwma)
    }

    /// The one that a key leads to. `bounded_load`: in 1/100; a backend with more than this many times its share of the
    /// exchanges in flight is passed over.
    #[must_use]
    pub fn hash(table: Arc<Table>, bounded_load: Option<u16>) -> Policy {
        Policy(Kind::Hash(Hash::new(table, bounded_load)))
    }

    /// The view changed.
    pub fn refresh(&mut self, view: &View) {
        match &mut self.0 {
            Kind::RoundRobin(policy) => policy.refresh(view),
            Kind::LeastConnections(policy) => policy.refresh(view),
            Kind::Random | Kind::PeakEwma | Kind::Hash(_) => {}
        }
    }

    /// The next backend; `None` if none may be picked.
    pub fn pick(&mut self, view: &View, look: &impl Look, ask: &Ask) -> Option<usize> {
        match &mut self.0 {
            Kind::RoundRobin(policy) => policy.pick(view, look),
            Kind::Random => random::pick(view, look, ask.random),
            Kind::LeastConnections(policy) => policy.pick(view, look, ask.random),
            Kind::PeakEwma => peak_ewma::pick(view, look, ask.random),
            Kind::Hash(policy) => policy.pick(view, look, ask),
        }
    }
}

/// The next of a sequence of random numbers (SplitMix64, Steele, Lea and Flood 2014).
fn next_random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    mix(*state)
}

/// Spreads each bit of `x` over all bits (David Stafford's variant 13 of MurmurHash3's finalizer).
fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// `random`, scaled to `0..below`.
fn scaled(random: u64, below: u64) -> u64 {
    ((u128::from(random) * u128::from(below)) >> u64::BITS) as u64
}

#[cfg(test)]
mod tests;
