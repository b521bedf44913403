//! How often an item was used since it came, or since it was last spared.

use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

/// The uses that are counted.
pub(super) fn uses(mark: &AtomicU8) -> u8 {
    mark.load(Relaxed).min(USES_MAX)
}

/// Counts a use; writes only where that changes something, so that what is hot stays shared between cores. Two at once
/// may count as one.
pub(super) fn count(mark: &AtomicU8) {
    let uses = mark.load(Relaxed);
    if uses < USES_MAX {
        mark.store(uses + 1, Relaxed);
    }
}

const USES_MAX: u8 = 3;
