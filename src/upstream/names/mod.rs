//! What the names of backends stand for, asked again as their records expire: addresses of hosts, and SRV.
//!
//! [`follow`] asks for a name again and again and tells what changes; nothing here runs on a worker. The decisions are
//! pure: [`next`] says when to ask again, [`Hold`] for how long a set outlives failing lookups.
//!
//! The resolver is a stub: it asks the servers of `/etc/resolv.conf`, after `/etc/hosts`, and keeps nothing between two
//! questions. The messages are read by the `domain` crate; `docs/decisions/0004-names.md` says why no more of it is used.

mod answer;
mod client;
mod error;
mod follow;
mod hold;
mod host;
mod message;
mod resolver;
mod search;
mod srv;
mod system;
mod transport;
mod weights;
mod when;
mod wire_name;

#[cfg(test)]
mod tests;

pub use answer::{Answer, FOUND_MAX, Found};
pub use error::NameError;
pub use follow::follow;
pub use hold::{DENIALS_MIN, DENIED_HOLD, Hold, News, STALE_MAX};
pub use resolver::{ASK_TIMEOUT, Question, Resolver};
pub use when::{RETRY_MAX, RETRY_MIN, TTL_MAX, TTL_MIN, next};
