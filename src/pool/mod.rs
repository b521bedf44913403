//! Which backend of a pool an attempt goes to: pure decisions.

pub mod health;
mod round_robin;

pub use round_robin::RoundRobin;
