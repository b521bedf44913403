//! What is given to the disk tier, and what it finds.

use super::index::Slot;
use bytes::Bytes;
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
    pub body: Arc<dyn AsRef<[u8]> + Send + Sync>,
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
