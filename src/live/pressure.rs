use super::{Held, Level, Ordered};
use crate::telemetry::metrics::MemoryLook;
use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU64, Ordering::Relaxed};

/// How near the ceiling of memory is, for all threads: one looks, the others read it with one load.
#[derive(Debug, Default)]
pub struct Pressure {
    level: AtomicU8,
    ceiling: AtomicU64,
    held: AtomicU64,
    caches: AtomicU64,
    /// Bytes that were taken since somebody looked, less those that were given back.
    since: AtomicI64,
    /// Bytes that may be, until somebody looks again.
    room: AtomicU64,
}

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
        self.ceiling.load(Relaxed) == 0 || self.add(bytes) <= i128::from(self.room.load(Relaxed))
    }

    /// So many bytes are taken by what cannot do without. If that is all that there was room for, new work is refused until
    /// somebody looks: a flood may be faster than that.
    pub fn grows(&self, bytes: u64) {
        if self.ceiling.load(Relaxed) != 0 && self.add(bytes) > i128::from(self.room.load(Relaxed)) * ALL_OF_ROOM {
            self.level.store(Level::Full as u8, Relaxed);
        }
    }

    /// So many of them are given back.
    pub fn shrinks(&self, bytes: u64) {
        self.since.fetch_sub(signed(bytes), Relaxed);
    }

    /// What was taken, with so many more.
    fn add(&self, bytes: u64) -> i128 {
        i128::from(self.since.fetch_add(signed(bytes), Relaxed)) + i128::from(bytes)
    }

    /// That is how it is now, below `ceiling` bytes.
    pub fn set(&self, ceiling: u64, held: Held, ordered: Ordered) {
        self.ceiling.store(ceiling, Relaxed);
        self.held.store(held.process, Relaxed);
        self.caches.store(ordered.caches, Relaxed);
        self.room.store(ordered.room, Relaxed);
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

fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// The room is one half of what there is, as not everybody asks.
const ALL_OF_ROOM: i128 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_between_two_looks_is_no_more_than_there_was_room_for() {
        let pressure = Pressure::default();
        assert!(pressure.take(u64::MAX / 2), "nobody looks");
        let held = Held { process: 600, caches: 0, caches_max: 0 };
        pressure.set(1_000, held, Ordered { level: Level::Full, caches: 7, room: 200 });
        assert!(pressure.is_full() && pressure.level() == Level::Full);
        assert!(pressure.take(150) && pressure.take(50) && !pressure.take(1));
        pressure.set(1_000, held, Ordered { level: Level::Calm, caches: 7, room: 200 });
        assert!(pressure.take(200) && !pressure.is_full());
        pressure.set(500, held, Ordered { level: Level::Tight, caches: 7, room: 0 });
        assert!(!pressure.take(1));
        pressure.set(1_000, held, Ordered { level: Level::Calm, caches: 7, room: 200 });
        pressure.grows(400);
        assert!(!pressure.is_full() && !pressure.take(1));
        pressure.shrinks(300);
        pressure.grows(299);
        assert!(!pressure.is_full(), "what was given back counts");
        pressure.grows(1);
        assert!(pressure.is_full(), "before somebody looks");
        pressure.set(500, held, Ordered { level: Level::Tight, caches: 7, room: 0 });
        let look = MemoryLook { ceiling: 500, held: 600, caches: 7, pressure: "tight" };
        assert_eq!((pressure.look(), Pressure::default().look()), (Some(look), None));
    }
}
