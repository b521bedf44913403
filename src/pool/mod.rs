//! Which backend of a pool an attempt goes to, which may be used at all, and how much each is given: pure decisions.

mod affinity;
pub mod concurrency;
pub mod demand;
pub mod health;
pub mod policy;
mod sticky;
pub mod waiting;

pub use affinity::hash_part;
pub use sticky::{StickyValues, sticky_cookie};
