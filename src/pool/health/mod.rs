//! Which backends may be used, how much, and when not to try at all: pure decisions on a pool's health.
//!
//! Time is an argument everywhere, `now` since a start that all threads share; so is randomness. Nothing here waits,
//! reads a clock or opens a connection. Shares are in 1/10,000, as the configuration reads them ([`SHARE_WHOLE`]).
//!
//! | file | decides |
//! |---|---|
//! | [`probe`] | what passed and failed probes make of a backend, and when the next is due |
//! | [`tally`] | counts what exchanges say of a backend, from all threads |
//! | [`outlier`] | whether a backend is taken out for a while because of that |
//! | [`slow_start`] | how much a backend that came back gets |
//! | [`standing`] | all of that in one word |
//! | [`panic`](mod@panic) | who is used when too few are left |
//! | [`breaker`] | whether the pool is tried at all |
//! | [`budget`] | whether a retry can be afforded |
//!
//! What is shared between threads keeps the rules it was made with: after a reload it goes on where its rules are the
//! same.

pub mod breaker;
pub mod budget;
pub mod outlier;
pub mod panic;
pub mod probe;
pub mod slow_start;
pub mod standing;
pub mod tally;
mod window;

#[cfg(test)]
mod simulation;

use std::time::Duration;

pub use breaker::{Admit, Breaker, BreakerRules};
pub use budget::Budget;
pub use outlier::{Cause, Ejection, OutlierRules};
pub use probe::{Checked, Turn};
pub use standing::Standing;
pub use tally::{Counts, Tally};

/// All, in the unit of shares.
pub const SHARE_WHOLE: u16 = 10_000;

/// Whether `part` is at least `share` of `whole`; nothing is no share of nothing.
fn reaches(part: u64, whole: u64, share: u16) -> bool {
    whole > 0 && u128::from(part) * u128::from(SHARE_WHOLE) >= u128::from(whole) * u128::from(share)
}

/// Whole milliseconds; 584 million years fit.
fn millis(time: Duration) -> u64 {
    time.as_secs().saturating_mul(1_000).saturating_add(u64::from(time.subsec_millis()))
}
