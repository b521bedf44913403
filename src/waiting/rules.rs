use crate::config::Rate;
use std::time::Duration;

/// What the configuration says of a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Visitors inside at once.
    pub active: u32,
    /// Visitors let in over time, evenly.
    pub enter: Option<Rate>,
    /// Who asks for nothing for so long is no longer inside.
    pub session: Duration,
    /// Who has not asked for so long when it is his turn is passed over.
    pub absence: Duration,
    /// Visitors who may wait.
    pub places: u32,
}

/// Visitors inside that a room keeps count of, where the configuration names no number.
pub const ACTIVE_MAX: u32 = 1_000_000;
