//! Which backend of a pool an attempt goes to, and which may be used at all: pure decisions.

mod affinity;
pub mod health;
pub mod policy;
mod sticky;

pub use affinity::with_part;
pub use sticky::{StickyValues, sticky_cookie};
