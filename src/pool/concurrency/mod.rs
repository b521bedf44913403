//! How many exchanges a backend is given at once, where that is found out and not said.
//!
//! A backend does more at once without getting slower, up to some number; beyond it, more at once only take longer, and far
//! beyond, less is done. That number is not known, and it changes. `docs/decisions/0009-adaptive-concurrency.md` has what
//! else was looked at.
//!
//! | file | decides |
//! |---|---|
//! | `controller` | the limit, by what a cohort of exchanges showed |
//! | `limiter` | who comes in, and whom a cohort is made of; shared by threads |

mod cohort;
mod controller;
mod limiter;

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod simulation_tests;

pub use cohort::Cohort;
pub use controller::{Controller, TOLERANCE_MIN};
pub use limiter::{Limiter, Ticket};

/// What an operator says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// The limit never falls below this; at least 1.
    pub min: u32,
    /// Nor rises above this.
    pub max: u32,
    /// How many times as long as with few in flight exchanges may take, in 1/100; above 100.
    pub tolerance: u16,
}
