use super::{Bandwidth, Cursor, Flow, Key, Limiter, Pace, Rates};
use std::time::Duration;

/// A limit of which the members of a fleet tell each other what they let in, as the time that it takes.
#[derive(Clone, Copy)]
pub enum Shared<'a> {
    /// Requests.
    Rate(Pace, &'a Rates),
    /// Bytes of content, as they are promised a time at which they are sent.
    Bandwidth(Flow, &'a Bandwidth),
}

/// A key, and what was let in of it since the last report.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Advance {
    /// The same for all members of a fleet that share a secret.
    pub key: Key,
    /// In microseconds: at a million a second, a request is one. Below zero: more was given back than taken.
    pub cost: f64,
    /// How far it is ahead here, in microseconds, without that.
    pub before: f64,
}

impl Limiter {
    /// What others are told of it; `None`: it is a matter of this member alone.
    #[must_use]
    pub fn shared(&self) -> Option<Shared<'_>> {
        match self {
            Limiter::Rate(pace, _, rates) => Some(Shared::Rate(*pace, rates)),
            Limiter::Bandwidth(flow, _, table) => Some(Shared::Bandwidth(*flow, table)),
            Limiter::Concurrency(..) => None,
        }
    }
}

impl Shared<'_> {
    /// Gives keys of which something was let in since they were given last, at most `max` of them. The next call goes on
    /// after them.
    pub fn report(&self, cursor: &mut Cursor, max: usize, now: Duration, mut give: impl FnMut(Advance)) {
        match self {
            Shared::Rate(pace, rates) => rates.report(cursor, max, now, |it| {
                let cost = micros(pace.interval().saturating_mul(it.count));
                give(Advance { key: it.key, cost, before: (micros(it.ahead) - cost).max(0.0) });
            }),
            Shared::Bandwidth(flow, table) => table.report(cursor, max, now, |key, bytes, ahead| {
                let cost = flow.micros(bytes);
                give(Advance { key, cost, before: (micros(ahead) - cost).max(0.0) });
            }),
        }
    }

    /// Others say that a key is `ahead`, all that members let in of it taken together, at `now`; or further, if that is
    /// the `most` that they say.
    pub fn take(&self, key: Key, ahead: Duration, most: Duration, now: Duration) {
        match self {
            Shared::Rate(_, rates) => _ = rates.take(key, ahead, now),
            Shared::Bandwidth(flow, table) => table.take(key, *flow, ahead, most, now),
        }
    }

    /// How far a key may be ahead by what so many members let in before they hear of each other; what is said to be further is
    /// a clock that was set back.
    #[must_use]
    pub fn most(&self, members: u32) -> Duration {
        let (full, more) = match self {
            Shared::Rate(pace, _) => (pace.full(), RATE_MORE),
            Shared::Bandwidth(flow, _) => (flow.full(), QUEUE_MORE),
        };
        full.saturating_mul(members.saturating_add(1)).saturating_add(more)
    }
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

const RATE_MORE: Duration = Duration::from_secs(1);

/// Content that waits for its turn.
const QUEUE_MORE: Duration = Duration::from_secs(60);
