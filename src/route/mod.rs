//! Which route a request meets, and what the route does to it. All pure: time and chance are arguments.

mod conditions;
mod paths;
mod precedence;
mod table;

pub use precedence::{Rank, order};
pub use table::Table;
