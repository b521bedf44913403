//! Whether backends and pools may be used: pure decisions with time as an argument.
//!
//! `now` is everywhere the time since the process began.

pub mod breaker;
mod budget;
pub mod outlier;
pub mod panic;
pub mod probe;
pub mod slow_start;
mod standing;
mod window;

pub use breaker::{Admit, Breaker};
pub use budget::Budget;
pub use outlier::Tally;
pub use standing::Standing;
pub use window::Counts;

#[cfg(test)]
mod simulation;
