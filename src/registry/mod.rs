//! Backends that register themselves: who is there, for how long, and what becomes of those that fall silent.
//!
//! Pure: time is an argument, and what the outside shows of a backend comes in as [`Signs`]. [`Registry`] holds the
//! [`Leases`] of all pools. A lease is granted and renewed by [`put`](Registry::put), given back by
//! [`remove`](Registry::remove), and runs out by itself in [`tick`](Registry::tick):
//!
//! - *serving*: its backend is in the pool.
//! - *draining*: it was given back or ran out; its backend gets nothing new, and goes once its exchanges have ended.
//! - *kept*: it ran out together with more than half of its pool. That is rather a network that is cut than so many
//!   backends that died, and must not empty the pool.
//!
//! What another member of a fleet grants or takes back comes in as a [`Word`], by [`hear`](Registry::hear). The later of two words
//! on a backend counts, in whatever order they come: members that heard the same have the same leases.

mod address;
mod hear;
mod lease;
mod leases;
mod load;
mod moment;
mod pools;
mod record;
mod registration;
mod service;
mod services;
mod word;

#[cfg(test)]
mod model;

pub use address::parse as parse_address;
pub use hear::Heard;
pub use lease::{GivenBack, Lease, Leave, Registrant, State};
pub use leases::{Changed, Counts, Full, Granted, Leases, Rules, Signs, Touched, Turn};
pub use load::{Load, SHARE_FULL};
pub use moment::{Clocks, Moment};
pub use pools::Registry;
pub use record::{Kept, decode, encode};
pub use registration::Registration;
pub use service::{Service, ServiceCheck, Status};
pub use services::{Act, Services};
pub use word::{Says, Word};
