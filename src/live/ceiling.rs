//! What is done to stay below the ceiling of memory: pure, by what is held now.

use crate::telemetry::metrics::PRESSURES;
use std::time::Duration;

/// How much is held, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// By the process, as the system counts it.
    pub process: u64,
    /// Of that by the memory tiers of caches, as they count it.
    pub caches: u64,
    /// What the configuration allows caches.
    pub caches_max: u64,
}

/// How near the ceiling is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Not near.
    #[default]
    Calm,
    /// Caches hold less than they may.
    Tight,
    /// Caches cannot give more: new work is refused.
    Full,
}

impl Level {
    /// As in logs and on pages.
    #[must_use]
    pub fn label(self) -> &'static str {
        PRESSURES[self as usize]
    }
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ordered {
    /// How near it is.
    pub level: Level,
    /// What all caches may hold in memory, in bytes.
    pub caches: u64,
    /// What may be taken, in bytes, until it is judged again, by what grows faster than that.
    pub room: u64,
}

/// Keeps the process below a number of bytes.
#[derive(Debug)]
pub struct Ceiling {
    last: Option<Ordered>,
    /// Before, what was let go of may still be on its way back to the system.
    settles: Duration,
}

impl Default for Ceiling {
    fn default() -> Self {
        Ceiling { last: None, settles: Duration::ZERO }
    }
}

impl Ceiling {
    /// What is to be done at `now`, below `bytes`.
    pub fn judge(&mut self, bytes: u64, held: Held, now: Duration) -> Ordered {
        let marks = Marks::of(bytes);
        let last = self.last.unwrap_or(Ordered { level: Level::Calm, caches: held.caches_max, room: 0 });
        let caches = self.caches(&marks, held, last.caches.min(held.caches_max), now);
        // What the caches could still give is taken first.
        let is_spent = held.caches <= marks.least;
        let is_full = match last.level {
            Level::Full => held.process > marks.relief,
            Level::Calm | Level::Tight => held.process >= marks.hard && (is_spent || held.process >= bytes),
        };
        let level = match (is_full, caches < held.caches_max) {
            (true, _) => Level::Full,
            (false, true) => Level::Tight,
            (false, false) => Level::Calm,
        };
        // Measured from where new work is refused: what is between that and the ceiling is for what asks nobody.
        let room = marks.hard.saturating_sub(held.process) / ROOM_OF;
        *self.last.insert(Ordered { level, caches, room })
    }

    /// What caches may hold.
    fn caches(&mut self, marks: &Marks, held: Held, last: u64, now: Duration) -> u64 {
        match held.process.checked_sub(marks.soft) {
            Some(0) | None => {
                // Half of what is free, as caches are not alone in growing.
                let free = marks.soft - held.process;
                let grown = held.caches.saturating_add(free / 2).min(held.caches_max);
                // A little more or less is not worth the trouble.
                if grown > last && (grown - last >= marks.step || grown == held.caches_max) { grown } else { last }
            }
            Some(_) if now < self.settles && held.process < marks.hard => last,
            Some(over) => {
                self.settles = now + SETTLE;
                let less = held.caches.saturating_sub(over.max(held.caches / SHRINK_OF));
                less.min(last)
            }
        }
    }
}

/// Numbers of bytes at which something is done.
struct Marks {
    /// Above, caches shrink.
    soft: u64,
    /// Above, new work is refused if caches are spent.
    hard: u64,
    /// Below, it is not any more.
    relief: u64,
    /// Caches that hold less are spent.
    least: u64,
    /// Caches do not grow by less.
    step: u64,
}

impl Marks {
    fn of(bytes: u64) -> Marks {
        let part = |of: u64, least: u64| (bytes / of).max(least).min(bytes / 2);
        let (soft, hard) = (bytes - part(8, SOFT_LEAST), bytes - part(32, HARD_LEAST));
        Marks { soft, hard, relief: u64::midpoint(soft, hard), least: bytes / 64, step: bytes / 64 }
    }
}

/// An eighth below the ceiling, and so much at least.
const SOFT_LEAST: u64 = 9 << 20;

/// A thirty-second part below it, and so much at least.
const HARD_LEAST: u64 = 4 << 20;

/// What is taken within one look is one part of what is free.
const ROOM_OF: u64 = 2;

/// Caches that are too large give up an eighth at least, so that it does not go on in small steps.
const SHRINK_OF: u64 = 8;

/// What is let go of is back with the system after so long.
const SETTLE: Duration = Duration::from_millis(300);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MIB: u64 = 1 << 20;
    const GIB: u64 = 1 << 30;

    fn at(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn judged(ceiling: &mut Ceiling, bytes: u64, held: Held, millis: u64) -> (Level, u64) {
        let Ordered { level, caches, .. } = ceiling.judge(bytes, held, at(millis));
        (level, caches)
    }

    #[test]
    fn far_below_it_caches_may_hold_what_they_are_given() {
        let mut ceiling = Ceiling::default();
        let held = Held { process: 100 * MIB, caches: 50 * MIB, caches_max: 256 * MIB };
        assert_eq!(judged(&mut ceiling, 4 * GIB, held, 0), (Level::Calm, 256 * MIB));
    }

    #[test]
    fn caches_give_way_first_and_then_new_work_is_refused() {
        let mut ceiling = Ceiling::default();
        let mut held = Held { process: 930 * MIB, caches: 500 * MIB, caches_max: 800 * MIB };
        let first = ceiling.judge(GIB, held, at(0));
        assert_eq!((first.level, first.caches), (Level::Tight, 500 * MIB - 500 * MIB / 8));
        held = Held { process: 925 * MIB, caches: 438 * MIB, ..held };
        assert_eq!(
            judged(&mut ceiling, GIB, held, 100),
            (first.level, first.caches),
            "what they gave is not with the system yet"
        );
        held = Held { process: 1_000 * MIB, ..held };
        let more = ceiling.judge(GIB, held, at(150));
        assert_eq!((more.level, more.caches), (Level::Tight, (438 - 104) * MIB), "this cannot wait");
        held = Held { process: 1_000 * MIB, caches: 0, ..held };
        assert_eq!(judged(&mut ceiling, GIB, held, 500), (Level::Full, 0));
        held = Held { process: 950 * MIB, ..held };
        assert_eq!(ceiling.judge(GIB, held, at(550)).level, Level::Full);
        held = Held { process: 940 * MIB, ..held };
        assert_eq!(ceiling.judge(GIB, held, at(600)).level, Level::Tight);
        held = Held { process: 500 * MIB, ..held };
        assert_eq!(judged(&mut ceiling, GIB, held, 650), (Level::Tight, 198 * MIB));
        held = Held { process: 100 * MIB, caches_max: 300 * MIB, ..held };
        assert_eq!(judged(&mut ceiling, GIB, held, 700), (Level::Calm, 300 * MIB));
    }

    #[test]
    fn at_the_ceiling_itself_nothing_new_is_begun_whatever_caches_hold() {
        let held = Held { process: 1_025 * MIB, caches: 500 * MIB, caches_max: 800 * MIB };
        assert_eq!(Ceiling::default().judge(GIB, held, at(0)).level, Level::Full);
    }

    /// A cache larger than the ceiling, which fills: what else is held stays.
    #[test]
    fn a_cache_larger_than_the_ceiling_settles_below_it() {
        let mut ceiling = Ceiling::default();
        let (others, caches_max) = (20 * MIB, 4 * GIB);
        let (mut caches, mut most, mut changes, mut last) = (0, 0, 0, 0);
        for tick in 0..2_000 {
            let held = Held { process: others + caches, caches, caches_max };
            let ordered = ceiling.judge(256 * MIB, held, at(tick * 50));
            assert_ne!(ordered.level, Level::Full);
            caches = (caches + 4 * MIB).min(ordered.caches);
            most = most.max(others + caches);
            if tick > 1_000 {
                changes += u32::from(ordered.caches != last);
            }
            last = ordered.caches;
        }
        assert!(most <= 232 * MIB && caches > 180 * MIB, "{} {}", most / MIB, caches / MIB);
        assert!(changes <= 1, "{changes} changes while nothing changes");
    }

    proptest! {
        #[test]
        fn what_is_ordered_is_never_more_than_is_allowed_and_less_while_over(
            bytes in 16 * MIB..8 * GIB,
            steps in proptest::collection::vec((0u64..10_000, 0u64..10_000, 0u64..10_000, 0u64..1_000), 1..60),
        ) {
            let mut ceiling = Ceiling::default();
            let mut now = 0;
            let mut before = None;
            for (process, caches, caches_max, millis) in steps {
                now += millis;
                let of = |n: u64| bytes / 8_000 * n;
                let held = Held { process: of(process), caches: of(caches.min(process)), caches_max: of(caches_max) };
                let ordered = ceiling.judge(bytes, held, at(now));
                prop_assert!(ordered.caches <= held.caches_max);
                prop_assert!(ordered.room == 0 || held.process + ordered.room < bytes - HARD_LEAST.min(bytes / 4));
                prop_assert_eq!(ordered.level == Level::Calm, ordered.caches == held.caches_max && ordered.level != Level::Full);
                prop_assert!(held.process < bytes || ordered.level == Level::Full);
                if let Some(before) = before && held.process > bytes {
                    prop_assert!(ordered.caches <= before);
                }
                before = Some(ordered.caches);
            }
        }
    }
}
