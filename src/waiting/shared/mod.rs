//! A room of several members of a fleet: one line, whichever member a visitor asks.
//!
//! Each member knows all places by itself, and tells the others what changes. What was told in any order, twice or late
//! comes to the same (an observed-remove set without tombstones: Bieniusa et al., "An optimized conflict-free replicated
//! set", 2012), so that members that were apart agree again by telling each other all. A number is only gone once its holder
//! came in; and whoever shows a signed ticket of which nothing is known has a place, as his ticket says so.

mod crowd;
mod elsewhere;
mod fleet;
mod message;
mod number;
mod places;
mod room;
mod word;

#[cfg(test)]
mod emptied_tests;
#[cfg(test)]
mod simulated_redis;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod simulation_tests;

pub use message::{Call, Claim, Heard, Pace, Past, Said, Told};
pub use room::SharedRoom;
