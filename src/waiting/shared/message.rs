//! What a member and Redis say to each other about a room.

use super::word::All;
use std::time::Duration;

/// What a member says at a beat.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// Words for all.
    pub words: Vec<Vec<u8>>,
    /// All that it knows, for those who know nothing; it is to be there before the words are.
    pub all: Option<Vec<u8>>,
    /// Whom it calls.
    pub call: Option<Call>,
    /// Visitors inside that a member may count in all; `None`: any number.
    pub active: Option<u32>,
    /// Places inside that it keeps, whatever others have.
    pub kept: u32,
    /// Places inside that it would have.
    pub wanted: u32,
    /// For how long its places are taken if it says nothing more.
    pub lasts: Duration,
    /// Which member's places those are, over restarts.
    pub claimant: u64,
    /// Places inside that others had when it heard last, told when it is back: Redis may have forgotten them, and whose they are may
    /// come back later.
    pub others: Vec<Claim>,
    /// How it keeps to the rate of all, if there is one.
    pub pace: Option<Pace>,
}

/// Places inside that a member has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Whose they are.
    pub claimant: u64,
    /// How many.
    pub count: u32,
    /// Until when, by the clock there, in milliseconds.
    pub ends_ms: u64,
}

/// What becomes of the rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// The time that those take at it who came in here since this member spoke last.
    pub cost: Duration,
    /// How far this member is ahead, where it says that for the first time.
    pub least: Option<Duration>,
    /// How far anybody may be ahead.
    pub most: Duration,
}

/// A call, which holds only if nobody else called since the member heard of everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The number of the last call that it heard of.
    pub after: u64,
    /// The word.
    pub word: Vec<u8>,
}

/// What Redis answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// When it was asked, by this member's clock.
    pub asked: Duration,
    /// The time there, since the epoch.
    pub unix: Duration,
    /// How many members there are.
    pub members: u32,
    /// The number of the last call.
    pub calls: u64,
    /// Places inside that this member may take.
    pub claim: u32,
    /// Those that others have.
    pub others: Vec<Claim>,
    /// How far all are ahead of the rate.
    pub ahead: Duration,
    /// What was told since this member heard last, its own words among them.
    pub told: Vec<Told>,
    /// Whether that is all.
    pub is_all: bool,
}

/// A word, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The member.
    pub by: String,
    /// Whether that is this one.
    pub is_own: bool,
    /// The word.
    pub word: Vec<u8>,
}

/// What a room that is shared must remember over a restart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Past {
    /// All that is known of the line.
    pub all: Vec<u8>,
    /// Whose its places inside are.
    pub claimant: u64,
    /// How many members there were.
    pub members: u32,
}

impl Past {
    /// Whether it makes sense.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        All::decode(&self.all).is_some()
    }
}
