use super::{Held, Level, Ordered};
use crate::telemetry::metrics::MemoryLook;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};

/// How near the ceiling of memory is, for all threads: one looks, the others read it with one load.
#[derive(Debug, Default)]
pub struct Pressure {
    level: AtomicU8,
    ceiling: AtomicU64,
    held: AtomicU64,
    caches: AtomicU64,
    /// Bytes that were taken since somebody looked.
    since: AtomicU64,
    /// Bytes that may be, until somebody looks again.
    room: AtomicU64,
}

/// What is taken within one look is one part of what is free.
const ROOM_OF: u64 = 2;

impl Pressure {
    /// How near it is.
    #[must_use]
    pub fn level(&self) -> Level {
        match self.level.load(Relaxed) {
            0 => Level::Calm,
            1 => Level::Tight,
            _ => Level::Full,
        }
    }

    /// Whether new work is refused.
    #[must_use]
    #[inline]
    pub fn is_full(&self) -> bool {
        self.level.load(Relaxed) == Level::Full as u8
    }

    /// Takes so many bytes, for what can be large and is not needed: `false` if there may be no room for them. For what
    /// grows faster than somebody looks.
    #[must_use]
    pub fn take(&self, bytes: u64) -> bool {
        // What is not watched has no ceiling.
        self.ceiling.load(Relaxed) == 0 || self.since.fetch_add(bytes, Relaxed) + bytes <= self.room.load(Relaxed)
    }

    /// That is how it is now, below `ceiling` bytes.
    pub fn set(&self, ceiling: u64, held: Held, ordered: Ordered) {
        self.ceiling.store(ceiling, Relaxed);
        self.held.store(held.process, Relaxed);
        self.caches.store(ordered.caches, Relaxed);
        self.room.store(ceiling.saturating_sub(held.process) / ROOM_OF, Relaxed);
        self.since.store(0, Relaxed);
        self.level.store(ordered.level as u8, Relaxed);
    }

    /// How it is now; `None`: nobody looks.
    #[must_use]
    pub fn look(&self) -> Option<MemoryLook> {
        let (ceiling, held, caches) = (self.ceiling.load(Relaxed), self.held.load(Relaxed), self.caches.load(Relaxed));
        (ceiling > 0).then(|| MemoryLook { ceiling, held, caches, pressure: self.level().label() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_between_two_looks_is_half_of_what_was_free() {
        let pressure = Pressure::default();
        assert!(pressure.take(u64::MAX / 2), "nobody looks");
        let held = Held { process: 600, caches: 0, caches_max: 0 };
        pressure.set(1_000, held, Ordered { level: Level::Full, caches: 7 });
        assert!(pressure.is_full() && pressure.level() == Level::Full);
        assert!(pressure.take(150) && pressure.take(50) && !pressure.take(1));
        pressure.set(1_000, held, Ordered { level: Level::Calm, caches: 7 });
        assert!(pressure.take(200) && !pressure.is_full());
        pressure.set(500, held, Ordered { level: Level::Tight, caches: 7 });
        assert!(!pressure.take(1));
        let look = MemoryLook { ceiling: 500, held: 600, caches: 7, pressure: "tight" };
        assert_eq!((pressure.look(), Pressure::default().look()), (Some(look), None));
    }
}
