//! Exactly what the TOML may say: keys and their shapes, with places for messages.

pub(crate) mod docs;
pub(crate) mod env;
pub(crate) mod include;
pub(crate) mod key;
pub(crate) mod keys;
pub(crate) mod node;
pub(crate) mod report;
pub(crate) mod schema;
pub(crate) mod shape;
pub(crate) mod source;
pub(crate) mod table;
pub(crate) mod units;
