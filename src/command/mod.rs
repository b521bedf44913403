//! One file a command-line verb.

pub mod check;
pub mod demo;
pub mod schema;
