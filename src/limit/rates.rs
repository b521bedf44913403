use super::pace::{Pace, Verdict, nanos};
use super::sets::{At, Key, Place, Sets, Step};
use std::time::Duration;

/// How far each key is ahead of its rate, for all workers. All that share one pace, which comes with each call.
pub struct Rates {
    sets: Sets,
}

/// A key, and how many of its requests were let in since the last report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admitted {
    /// The same for all members of a fleet that share a secret.
    pub key: Key,
    /// One at least.
    pub count: u32,
    /// How far it was ahead of its rate; it may have been before the last of these came.
    pub ahead: Duration,
}

/// Where the next report goes on.
#[derive(Debug, Default)]
pub struct Cursor(pub(super) usize);

impl Rates {
    /// A table of so many bytes. `is_shared`: what is let in is kept for [`report`](Self::report), which must then be
    /// called: a cell is not free before.
    #[must_use]
    pub fn new(bytes: usize, is_shared: bool) -> Rates {
        Rates { sets: Sets::new(bytes, is_shared) }
    }

    /// What a request of that key would see at `now`, and whether as one of those who share. It costs nothing.
    #[must_use]
    pub fn judge(&self, key: Key, pace: Pace, now: Duration) -> (Verdict, bool) {
        let now = nanos(now);
        let (tat, is_spill) = self.sets.look(key, &At { now });
        (pace.verdict(tat, now), is_spill)
    }

    /// For how long a request of that key would be refused at `now`, and whether as one of those who share: what most are asked
    /// takes no division.
    pub(super) fn refuses(&self, key: Key, pace: Pace, now: Duration) -> Option<(Duration, bool)> {
        let now = nanos(now);
        let (tat, is_spill) = self.sets.look(key, &At { now });
        Some((Duration::from_nanos(pace.next(tat, now).err()?), is_spill))
    }

    /// Lets a request of that key in, or refuses it, which costs nothing.
    pub fn charge(&self, key: Key, pace: Pace, now: Duration) -> (Place, Verdict) {
        let now = nanos(now);
        let (place, verdict) = self.sets.change(key, &At { now }, |tat| match pace.next(tat, now) {
            Ok(next) => Step::Set(next, Verdict::Pass { left: pace.left(next, now) }),
            Err(early) => Step::Keep(Verdict::Refuse { wait: Duration::from_nanos(early) }),
        });
        if matches!(verdict, Verdict::Pass { .. }) {
            self.sets.note(place, 1);
        }
        (place, verdict)
    }

    /// Takes back what [`charge`](Self::charge) took at that place. What was noted for a report stays.
    pub fn refund(&self, place: Place, key: Key, pace: Pace, now: Duration) {
        let now = nanos(now);
        self.sets.change_if(place, key, |tat| Step::Set(pace.undone(tat, now), ()));
    }

    /// Gives keys of which something was let in since they were given last, at most `max` of them, to others that share
    /// the limit. The next call goes on after them.
    pub fn report(&self, cursor: &mut Cursor, max: usize, now: Duration, give: impl FnMut(Admitted)) {
        let (mut give, now) = (give, nanos(now));
        self.sets.report(&mut cursor.0, max, |key, tat, count| {
            give(Admitted { key, count, ahead: Duration::from_nanos(tat.saturating_sub(now)) });
        });
    }

    /// Others say that a key is `ahead` of its rate, all of its requests taken together: here it is so from now on, too,
    /// unless it is further ahead already. Whether there was a cell for it.
    pub fn take(&self, key: Key, ahead: Duration, now: Duration) -> bool {
        let now = nanos(now);
        let shared = now.saturating_add(nanos(ahead)).min(TAT_MAX);
        // Nothing is said of a key that is not ahead.
        if shared == now {
            return true;
        }
        let (place, ()) = self.sets.change(key, &At { now }, |tat| match shared > tat {
            true => Step::Set(shared, ()),
            false => Step::Keep(()),
        });
        !place.is_spill()
    }

    /// Keys that are not at their full burst. Of a very large table, an estimate.
    #[must_use]
    pub fn held(&self, now: Duration) -> usize {
        self.sets.held(&At { now: nanos(now) })
    }

    /// Keys that it can hold.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.sets.capacity()
    }

    /// Bytes that it takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.sets.bytes()
    }
}

/// Far below what has a meaning of its own.
const TAT_MAX: u64 = u64::MAX / 2;

#[cfg(test)]
mod tests;
