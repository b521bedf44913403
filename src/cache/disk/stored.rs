//! What is given to the disk tier, and what it finds.

use super::index::Slot;
use super::place::Place;
use bytes::Bytes;
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// A response to be written.
#[derive(Clone)]
pub struct Record {
    /// Hash of its primary key.
    pub hash: u128,
    /// Which variant of the key it is.
    pub variant: u64,
    /// The generation at which its fetch began.
    pub born: u64,
    /// When it is of no use any more, in milliseconds since the epoch.
    pub expires_ms: u64,
    /// What is known of it: opaque here.
    pub meta: Bytes,
    /// Its content.
    pub body: Arc<dyn Content>,
}

/// The content of a response to be written, shared with whoever has it.
pub trait Content: Send + Sync {
    /// Its bytes, counted without a look at them.
    fn size(&self) -> usize;

    /// All of it in one piece: asked for by the thread that writes, which may put it together.
    fn whole(&self) -> Cow<'_, [u8]>;
}

impl<T: AsRef<[u8]> + Send + Sync> Content for T {
    fn size(&self) -> usize {
        self.as_ref().len()
    }

    fn whole(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(self.as_ref())
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record").field("hash", &self.hash).field("variant", &self.variant).finish_non_exhaustive()
    }
}

/// A record that is there, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Hash of its primary key.
    pub hash: u128,
    /// Which variant of the key it is.
    pub variant: u64,
    /// The generation at which its fetch began.
    pub born: u64,
    /// When it is of no use any more, in milliseconds since the epoch, rounded up to whole seconds.
    pub expires_ms: u64,
    pub(super) slot: Slot,
}

impl Found {
    /// Where it is: tells it from another record of the same variant and generation.
    #[must_use]
    pub fn at(&self) -> At {
        At { place: self.slot.place, turn: self.slot.turn() }
    }
}

/// Where a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct At {
    place: Place,
    turn: u32,
}
