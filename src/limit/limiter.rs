use super::{Bandwidth, Concurrency, Flow, Key, Pace, Place, Rates, Room, Share, Verdict};
use crate::config::Bound;
use std::sync::Arc;
use std::time::Duration;

/// One limit's bound with what its keys have used; shared by all workers.
pub enum Limiter {
    /// Requests over time.
    Rate(Pace, Arc<Share>, Rates),
    /// Exchanges at once.
    Concurrency(u32, Option<Arc<Share>>, Concurrency),
    /// Bytes over time. It refuses nobody: whoever sends asks it when.
    Bandwidth(Flow, Arc<Share>, Bandwidth),
}

/// What a request took of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charge {
    place: Place,
    key: Key,
}

impl Charge {
    /// Where it took it.
    #[must_use]
    pub fn place(&self) -> Place {
        self.place
    }
}

impl Limiter {
    /// A table of so many bytes for that bound. `share`: others have a part in it, and what is let in must be
    /// [reported](super::Shared::report).
    #[must_use]
    pub fn new(bound: &Bound, bytes: usize, share: Option<&Arc<Share>>) -> Limiter {
        let (is_shared, own) = (share.is_some(), || share.map(Arc::clone).unwrap_or_default());
        match *bound {
            Bound::Rate { rate, burst } => {
                let (pace, rates) = (Pace::new(rate.count, rate.per, burst), Rates::new(bytes, is_shared));
                Limiter::Rate(pace, own(), rates)
            }
            Bound::Concurrency(max) => {
                Limiter::Concurrency(max, share.map(Arc::clone), Concurrency::new(bytes, is_shared))
            }
            Bound::Bandwidth { rate, burst } => {
                Limiter::Bandwidth(Flow::new(rate, burst), own(), Bandwidth::new(bytes, is_shared))
            }
        }
    }

    /// What a request of that key would see, and whether as one of those who share. It costs nothing.
    #[must_use]
    pub fn judge(&self, key: Key, now: Duration) -> (Verdict, bool) {
        match self {
            Limiter::Rate(pace, share, rates) => rates.judge(key, share.of(*pace, now), now),
            Limiter::Concurrency(max, share, table) => {
                let (room, is_spill) = table.room(key, places(*max, share.as_deref(), now));
                (of_room(room), is_spill)
            }
            Limiter::Bandwidth(..) => (Verdict::Pass { left: 0 }, false),
        }
    }

    /// How long a request of that key would be refused, and whether as one of those who share; `None`: it would pass.
    pub(super) fn refuses(&self, key: Key, now: Duration) -> Option<(Duration, bool)> {
        if let Limiter::Rate(pace, share, rates) = self {
            return rates.refuses(key, share.of(*pace, now), now);
        }
        match self.judge(key, now) {
            (Verdict::Refuse { wait }, is_spill) => Some((wait, is_spill)),
            (Verdict::Pass { .. }, _) => None,
        }
    }

    /// Takes what a request of that key costs, or refuses it, which costs nothing.
    pub fn charge(&self, key: Key, now: Duration) -> (Verdict, Option<Charge>) {
        let (place, verdict) = match self {
            Limiter::Rate(pace, share, rates) => rates.charge(key, share.of(*pace, now), now),
            Limiter::Concurrency(max, share, table) => {
                let (place, room) = table.enter(key, places(*max, share.as_deref(), now));
                (place, of_room(room))
            }
            Limiter::Bandwidth(..) => return (Verdict::Pass { left: 0 }, None),
        };
        (verdict, Some(Charge { place, key }))
    }

    /// Gives back what a request took that then did not pass.
    pub fn refund(&self, charge: Charge, now: Duration) {
        match self {
            Limiter::Rate(pace, share, rates) => rates.refund(charge.place, charge.key, share.of(*pace, now), now),
            Limiter::Concurrency(_, _, table) => table.leave(charge.place),
            Limiter::Bandwidth(..) => {}
        }
    }

    /// What a bandwidth allows at `now`, with who used it; `None`: it is none.
    #[must_use]
    pub fn bandwidth(&self, now: Duration) -> Option<(Flow, &Bandwidth)> {
        match self {
            Limiter::Bandwidth(flow, share, table) => Some((share.of_flow(*flow, now), table)),
            _ => None,
        }
    }

    /// How many exchanges at once, of which others are told; `None`: it bounds something else, or is this process's alone.
    #[must_use]
    pub fn places(&self) -> Option<&Concurrency> {
        match self {
            Limiter::Concurrency(_, Some(_), table) => Some(table),
            _ => None,
        }
    }

    /// An exchange that took a place there is over.
    pub fn release(&self, place: Place) {
        if let Limiter::Concurrency(_, _, table) = self {
            table.leave(place);
        }
    }

    /// Keys that are not as if they had never come. Of a very large table, an estimate.
    #[must_use]
    pub fn held(&self, now: Duration) -> usize {
        match self {
            Limiter::Rate(_, _, rates) => rates.held(now),
            Limiter::Concurrency(_, _, table) => table.held(),
            Limiter::Bandwidth(_, _, table) => table.held(now),
        }
    }

    /// Keys that it can tell apart at once.
    #[must_use]
    pub fn capacity(&self) -> usize {
        match self {
            Limiter::Rate(_, _, rates) => rates.capacity(),
            Limiter::Concurrency(_, _, table) => table.capacity(),
            Limiter::Bandwidth(_, _, table) => table.capacity(),
        }
    }
}

/// How many of a key at once.
fn places(max: u32, share: Option<&Share>, now: Duration) -> Room {
    share.map_or(Room::whole(max), |share| share.of_places(max, now))
}

fn of_room(room: Option<u32>) -> Verdict {
    match room {
        Some(left) => Verdict::Pass { left: left.into() },
        None => Verdict::Refuse { wait: LEAVES_AFTER },
    }
}

/// Nobody knows when an exchange ends; to ask again after so long does no harm.
const LEAVES_AFTER: Duration = Duration::from_secs(1);
