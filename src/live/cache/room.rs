//! Whether there is room for a response, which is asked before its content comes.

use super::LiveCache;
use crate::cache::entry::Entry;
use crate::cache::memory::Refused;

/// Who has room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tier {
    /// Memory, which there is no disk beside.
    Memory,
    /// The disk, whatever memory does.
    Disk,
}

impl LiveCache {
    /// Who will keep `entry` with so much content. What memory lets in only if it is asked for again is remembered: the next
    /// time there is room.
    ///
    /// # Errors
    /// Why nobody will.
    pub fn room_for(&self, entry: &Entry, content: u64) -> Result<Tier, Refused> {
        if self.disk_takes(entry, content) {
            return Ok(Tier::Disk);
        }
        let bytes = self.in_memory(entry, content).ok_or(Refused::TooLarge)?;
        self.memory.ask(entry.hash, bytes, |old| old.is_same_variant(entry)).map(|()| Tier::Memory)
    }

    /// Whether there may be room at all for `entry` with so much content.
    #[must_use]
    pub fn may_hold(&self, entry: &Entry, content: u64) -> bool {
        self.in_memory(entry, content).is_some() || self.disk_takes(entry, content)
    }

    /// Bytes that it takes in memory, unless they are more than can be held there.
    fn in_memory(&self, entry: &Entry, content: u64) -> Option<usize> {
        let largest = self.memory.largest();
        let content = usize::try_from(content).ok().filter(|content| *content <= largest)?;
        Some(entry.bytes_with(content)).filter(|bytes| *bytes <= largest)
    }

    fn disk_takes(&self, entry: &Entry, content: u64) -> bool {
        // Its head is no longer on the disk than it is in memory.
        let bytes = || content.saturating_add(entry.bytes_with(0) as u64);
        self.disk.load().as_ref().is_some_and(|disk| disk.takes(bytes()))
    }
}
