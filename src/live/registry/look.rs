//! Leases as they are shown.

use super::rules::PoolRules;
use crate::pool::health::Standing;
use crate::registry::{Lease, Leases};
use crate::telemetry::metrics::LeasesLook;
use std::time::Duration;

/// A lease as it is now.
#[derive(Clone, Debug, PartialEq)]
pub struct LeaseLook {
    /// All that is known of it.
    pub lease: Lease,
    /// When it runs out, from now; zero for one that is kept.
    pub left: Duration,
    /// Since it was granted.
    pub age: Duration,
    /// Since it was renewed last.
    pub quiet: Duration,
    /// How its backend is; none before it is in the pool.
    pub health: Option<LeasedHealth>,
}

/// How the backend of a lease is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeasedHealth {
    /// In one word, as in `weir status`.
    pub state: &'static str,
    /// Whether it gets traffic.
    pub available: bool,
    /// Exchanges that it has.
    pub in_flight: u32,
    /// What its last probe said, if it failed.
    pub why: Option<String>,
}

pub(super) fn of<'l>(leases: impl Iterator<Item = &'l Lease>, rules: &PoolRules, now: Duration) -> Vec<LeaseLook> {
    let shown = rules.signs();
    let look = |lease: &Lease| LeaseLook {
        lease: lease.clone(),
        left: lease.ends().saturating_sub(now),
        age: now.saturating_sub(lease.since),
        quiet: lease.renewed.ago(now),
        health: shown.get(lease.address).map(|backend| {
            let standing = match lease.seat_weight() {
                0 => Standing::Draining,
                _ => Standing::of(&backend.facts(), rules.slow_start, now),
            };
            LeasedHealth {
                state: standing.label(),
                available: standing.available(),
                in_flight: backend.in_flight(),
                why: backend.why_down(),
            }
        }),
    };
    leases.map(look).collect()
}

pub(super) fn counted(leases: &Leases) -> LeasesLook {
    let counts = leases.counts();
    let mut look =
        LeasesLook { renewals: counts.renewals, expiries: counts.expiries, kept: counts.kept, by_state: [0; 3] };
    for lease in leases.iter() {
        look.by_state[lease.state.index()] += 1;
    }
    look
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_counted_under_their_own_names() {
        assert_eq!(LeasesLook::STATES, crate::registry::State::LABELS);
    }
}
