use super::{Held, Level, Ordered};
use crate::telemetry::metrics::MemoryLook;
use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU64, Ordering::Relaxed};

/// How near the ceiling of memory is, for all threads: one looks, the others read it with one load.
#[derive(Debug, Default)]
pub struct Pressure {
    seen: Seen,
    taken: Taken,
}

/// What was found when somebody looked: each request reads it.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Seen {
    level: AtomicU8,
    ceiling: AtomicU64,
    held: AtomicU64,
    caches: AtomicU64,
    /// Bytes that may be taken until somebody looks again.
    room: AtomicU64,
}

/// What all workers write is on a line of its own. Some processors fetch lines in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Taken {
    /// Bytes that were taken since somebody looked, less those that were given back.
    since: AtomicI64,
}

impl Pressure {
    /// How near it is.
    #[must_use]
    pub fn level(&self) -> Level {
        match self.seen.level.load(Relaxed) {
            0 => Level::Calm,
            1 => Level::Tight,
            _ => Level::Full,
        }
    }

    /// There is as much as anybody wants.
    #[must_use]
    pub fn is_calm(&self) -> bool {
        self.level() == Level::Calm
    }

    /// Whether new work is refused.
    #[must_use]
    #[inline]
    pub fn is_full(&self) -> bool {
        self.seen.level.load(Relaxed) == Level::Full as u8
    }

    /// Takes so many bytes, for what can be large and is not needed: `false` if there may be no room for them, and none are
    /// taken. For what grows faster than somebody looks.
    #[must_use]
    pub fn take(&self, bytes: u64) -> bool {
        // What is not watched has no ceiling.
        if self.seen.ceiling.load(Relaxed) == 0 || self.add(bytes) <= i128::from(self.seen.room.load(Relaxed)) {
            return true;
        }
        self.shrinks(bytes);
        false
    }

    /// So many bytes are taken by what cannot do without. If that is all that there was room for, new work is refused until
    /// somebody looks: a flood may be faster than that.
    pub fn grows(&self, bytes: u64) {
        if self.seen.ceiling.load(Relaxed) != 0
            && self.add(bytes) > i128::from(self.seen.room.load(Relaxed)) * ALL_OF_ROOM
        {
            self.seen.level.store(Level::Full as u8, Relaxed);
        }
    }

    /// So many of them are given back.
    pub fn shrinks(&self, bytes: u64) {
        self.taken.since.fetch_sub(signed(bytes), Relaxed);
    }

    /// What was taken, with so many more.
    fn add(&self, bytes: u64) -> i128 {
        i128::from(self.taken.since.fetch_add(signed(bytes), Relaxed)) + i128::from(bytes)
    }

    /// That is how it is now, below `ceiling` bytes.
    pub fn set(&self, ceiling: u64, held: Held, ordered: Ordered) {
        self.seen.ceiling.store(ceiling, Relaxed);
        self.seen.held.store(held.process, Relaxed);
        self.seen.caches.store(ordered.caches, Relaxed);
        self.seen.room.store(ordered.room, Relaxed);
        self.taken.since.store(0, Relaxed);
        self.seen.level.store(ordered.level as u8, Relaxed);
    }

    /// How it is now; `None`: nobody looks.
    #[must_use]
    pub fn look(&self) -> Option<MemoryLook> {
        let (ceiling, held, caches) =
            (self.seen.ceiling.load(Relaxed), self.seen.held.load(Relaxed), self.seen.caches.load(Relaxed));
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
    fn what_all_write_is_not_beside_what_all_read() {
        assert_eq!((align_of::<Pressure>(), size_of::<Pressure>()), (128, 256));
    }

    #[test]
    fn what_is_taken_between_two_looks_is_no_more_than_there_was_room_for() {
        let pressure = Pressure::default();
        assert!(pressure.take(u64::MAX / 2), "nobody looks");
        let held = Held { process: 600, caches: 0, caches_max: 0 };
        pressure.set(1_000, held, Ordered { level: Level::Full, caches: 7, room: 200 });
        assert!(pressure.is_full() && pressure.level() == Level::Full);
        assert!(pressure.take(150) && pressure.take(50) && !pressure.take(1));
        pressure.set(1_000, held, Ordered { level: Level::Calm, caches: 7, room: 200 });
        assert!(!pressure.take(201) && !pressure.take(u64::MAX), "what is not given");
        assert!(pressure.take(200) && !pressure.is_full(), "is not taken");
        pressure.set(500, held, Ordered { level: Level::Tight, caches: 7, room: 0 });
        assert!(!pressure.take(1));
        pressure.set(1_000, held, Ordered { level: Level::Calm, caches: 7, room: 200 });
        pressure.grows(400);
        assert!(!pressure.is_full() && !pressure.take(1));
        pressure.shrinks(300);
        pressure.grows(300);
        assert!(!pressure.is_full(), "what was given back counts");
        pressure.grows(1);
        assert!(pressure.is_full(), "before somebody looks");
        pressure.set(500, held, Ordered { level: Level::Tight, caches: 7, room: 0 });
        let look = MemoryLook { ceiling: 500, held: 600, caches: 7, pressure: "tight" };
        assert_eq!((pressure.look(), Pressure::default().look()), (Some(look), None));
    }
}
