//! What is kept of responses, and how it is found, purged and let go.

pub mod disk;
pub mod entry;
pub mod flight;
pub mod form;
pub mod key;
pub mod memory;
pub mod purge;
pub mod record;
pub mod search;
pub mod top;
pub mod unstorable;
