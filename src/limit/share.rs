use super::pace::nanos;
use super::{Flow, Pace, Room};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Among how many a rate is divided. As long as all of them hear in time what the others let in, each may let in the whole;
/// else each has its part.
#[derive(Debug)]
pub struct Share {
    members: AtomicU32,
    /// Nanoseconds of the time that limits are judged by.
    in_touch_until: AtomicU64,
}

impl Default for Share {
    fn default() -> Share {
        Share { members: AtomicU32::new(1), in_touch_until: AtomicU64::new(0) }
    }
}

impl Share {
    /// There are so many, and until then each knows what the others let in.
    pub fn touch(&self, members: u32, until: Duration) {
        self.members.store(members.max(1), Relaxed);
        self.in_touch_until.store(nanos(until), Relaxed);
    }

    /// Whether each knows in time what the others let in.
    #[must_use]
    pub fn is_in_touch(&self, now: Duration) -> bool {
        nanos(now) < self.in_touch_until.load(Relaxed)
    }

    /// What one may let in by itself at `now`.
    pub(super) fn of(&self, pace: Pace, now: Duration) -> Pace {
        self.among(now).map_or(pace, |members| pace.share(members))
    }

    /// The same of a bandwidth.
    pub(super) fn of_flow(&self, flow: Flow, now: Duration) -> Flow {
        self.among(now).map_or(flow, |members| flow.share(members))
    }

    /// The same of `max` exchanges at once, less those that others have, where that is heard.
    pub(super) fn of_places(&self, max: u32, now: Duration) -> Room {
        match self.among(now) {
            None => Room { max, with_others: self.is_in_touch(now) },
            Some(members) => Room { max: (max / members).max(1), with_others: false },
        }
    }

    /// Among how many it is divided; `None`: one has all.
    fn among(&self, now: Duration) -> Option<u32> {
        match self.members.load(Relaxed) {
            1 => None,
            _ if self.is_in_touch(now) => None,
            members => Some(members),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_is_alone_has_all_and_whoever_is_cut_off_has_its_part() {
        let (pace, share) = (Pace::new(90, Duration::from_secs(1), 30), Share::default());
        let at = |seconds| share.of(pace, Duration::from_secs(seconds)).burst();
        assert_eq!((at(0), at(100)), (30, 30));
        share.touch(3, Duration::from_secs(5));
        assert_eq!((at(4), at(5), at(100)), (30, 10, 10));
        share.touch(3, Duration::from_secs(200));
        assert_eq!(at(100), 30);
    }
}
