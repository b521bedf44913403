//! Connections to backends: how they are made, kept and used again. Each worker has its own.

mod dial;
mod dialers;
mod line;
pub mod names;
mod resolve;

pub use dial::{DialError, Dialer};
pub use dialers::Dialers;
pub use line::{Connection, Line, Lines, Taken};
