//! One file a command-line verb.

mod ask;
pub mod check;
pub mod demo;
pub mod drain;
pub mod purge;
mod reach;
pub mod register;
pub mod reload;
pub mod schema;
pub mod status;
pub mod top;
pub mod upgrade;

pub use ask::Where;
pub use reach::Reach;
