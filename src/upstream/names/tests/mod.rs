//! Dialogues with a name server on the loopback.

mod dns;
mod hosts;
mod services;
mod trouble;
pub(super) mod wire;
