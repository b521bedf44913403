//! How many may come in now, and how many are to be called so that they are at the door when there is room for them.

use super::Rules;
use super::calls::Calls;
use crate::config::Rate;
use std::collections::VecDeque;
use std::time::Duration;

/// What room a pool has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Headroom {
    /// Exchanges that it takes at once; `None`: it has no bound.
    pub capacity: Option<u32>,
    /// Exchanges that may wait for room in it.
    pub queue: u32,
    /// Exchanges that it has, those that wait among them.
    pub busy: u32,
    /// Exchanges that it has ended, ever.
    pub done: u64,
}

#[derive(Debug, Default)]
pub(super) struct Pace {
    /// When the next one may come in by the rate.
    slot: Duration,
    /// Who is held back, and until when.
    holds: VecDeque<(u64, Duration)>,
    /// Exchanges that the pool has, and that it ends in a second.
    busy: Meter,
    throughput: Meter,
    looks: (f64, u32),
    done: Option<(u64, Duration)>,
    done_first: Option<u64>,
    /// It has ended enough of them.
    is_known: bool,
    /// Visitors who come in, in a second, while others wait.
    inflow: Meter,
    entered: Option<(u64, Duration)>,
}

impl Pace {
    /// Somebody comes in. How long he is held back for the rate's sake.
    pub(super) fn enter(&mut self, now: Duration, rules: &Rules) -> Duration {
        let Some(rate) = rules.enter else { return Duration::ZERO };
        let slot = self.slot.max(now);
        self.slot = slot + interval(rate);
        slot - now
    }

    /// The one who comes in is held back until then.
    pub(super) fn hold(&mut self, number: u64, now: Duration, after: Duration) {
        while self.holds.pop_front_if(|(_, until)| *until <= now).is_some() {}
        if !after.is_zero() && self.holds.len() < HOLDS_MAX {
            self.holds.push_back((number, now + after));
        }
    }

    /// For how long he still is, if he asks again.
    pub(super) fn is_held(&self, number: u64, now: Duration) -> Duration {
        let held = self.holds.iter().find(|(other, _)| *other == number);
        held.map_or(Duration::ZERO, |(_, until)| until.saturating_sub(now))
    }

    /// Keeps to what `rules` can have made of it: they may have become faster.
    pub(super) fn keep_to(&mut self, now: Duration, rules: &Rules) {
        if let Some(rate) = rules.enter {
            self.slot = self.slot.min(now + HOLD_MAX + interval(rate));
        }
    }

    /// How far it is ahead of the rate.
    pub(super) fn held(&self, now: Duration) -> Duration {
        self.slot.saturating_sub(now)
    }

    /// All together are so far.
    pub(super) fn set_slot(&mut self, slot: Duration) {
        self.slot = slot;
    }

    /// Looks at how it goes. `entered`: visitors who came in, ever; `is_waiting`: somebody waits.
    pub(super) fn measure(&mut self, now: Duration, headroom: Headroom, entered: u64, is_waiting: bool) {
        let first = *self.done_first.get_or_insert(headroom.done);
        self.looks.0 += f64::from(headroom.busy.min(headroom.capacity.unwrap_or(u32::MAX)));
        self.looks.1 += 1;
        if let Some(rate) = rate(&mut self.done, headroom.done, now) {
            let (sum, count) = std::mem::take(&mut self.looks);
            self.busy.add(sum / f64::from(count), SERVICE_WEIGHT);
            self.throughput.add(rate, SERVICE_WEIGHT);
            self.is_known = headroom.done - first.min(headroom.done) >= DONE_MIN;
        }
        if !is_waiting {
            // What comes in unhindered says nothing of a wait.
            (self.inflow, self.entered) = (Meter::default(), None);
        } else if let Some(rate) = rate(&mut self.entered, entered, now) {
            self.inflow.add(rate, INFLOW_WEIGHT);
        }
    }

    /// How many may come in at this moment, those among them who are held back for a moment.
    pub(super) fn free(&self, now: Duration, rules: &Rules, headroom: Headroom) -> u32 {
        let by_rate = rules.enter.map(|rate| {
            let left = (now + HOLD_MAX).checked_sub(self.slot.max(now));
            left.map_or(0, |left| (left.as_secs_f64() * per_second(rate)) as u32 + 1)
        });
        let by_pool = headroom.capacity.map(|capacity| {
            let queue = self.sustained(headroom).map_or(0, |rate| (rate * BUFFER) as u32);
            capacity.saturating_add(queue.min(headroom.queue)).saturating_sub(headroom.busy)
        });
        by_rate.unwrap_or(u32::MAX).min(by_pool.unwrap_or(u32::MAX))
    }

    /// How many are to be expected at the door, so that there is one for each that may come in until those who are called
    /// now are there, and a few more; `None`: as many as there are.
    pub(super) fn ahead(&self, now: Duration, rules: &Rules, headroom: Headroom, calls: &Calls) -> Option<u32> {
        let by_rate = rules.enter.map(|rate| {
            let (rate, held) = (per_second(rate), self.slot.saturating_sub(now).as_secs_f64());
            1.0 + rate * (calls.delay() + BUFFER - held)
        });
        let by_pool = headroom.capacity.map(|capacity| {
            let meanwhile = self.sustained(headroom).map_or(0.0, |rate| {
                // Where the pool's queue is short, more are to be at the door: they come back once in a second.
                let door = if f64::from(headroom.queue) < rate * BUFFER { DOOR } else { Duration::ZERO };
                rate * (calls.delay() + BUFFER + door.as_secs_f64())
            });
            f64::from(capacity) + meanwhile - f64::from(headroom.busy)
        });
        let wanted = by_rate.into_iter().chain(by_pool).reduce(f64::min)?;
        // Saturates, at 0 too.
        Some(calls.for_so_many(wanted) as u32)
    }

    /// Visitors who come in, in a second; `None` if nothing is known.
    pub(super) fn inflow(&self, rules: &Rules, headroom: Headroom) -> Option<f64> {
        self.inflow.value.filter(|rate| *rate > INFLOW_MIN).or_else(|| self.expected(rules, headroom))
    }

    /// Visitors who may come in, in a second; `None` as long as what the pool bears is not known: it may be a lot.
    pub(super) fn inflow_max(&self, rules: &Rules, headroom: Headroom) -> Option<f64> {
        if headroom.capacity.is_some() && self.sustained(headroom).is_none() {
            return None;
        }
        let measured = self.inflow.value.filter(|rate| *rate > INFLOW_MIN);
        measured.into_iter().chain(self.expected(rules, headroom)).reduce(f64::max)
    }

    /// What the rules and the pool bear.
    fn expected(&self, rules: &Rules, headroom: Headroom) -> Option<f64> {
        let by_session = f64::from(rules.active) / rules.session.as_secs_f64();
        let bound = rules.enter.map_or(by_session, |rate| per_second(rate).min(by_session));
        match headroom.capacity {
            None => Some(bound),
            Some(_) => self.sustained(headroom).map(|pool| pool.min(bound)).filter(|rate| *rate > INFLOW_MIN),
        }
    }

    /// Exchanges that the pool ends in a second when it is full, by how long they take it (Little's law).
    fn sustained(&self, headroom: Headroom) -> Option<f64> {
        let (busy, throughput) = self.busy.value.zip(self.throughput.value).filter(|_| self.is_known)?;
        let capacity = f64::from(headroom.capacity?);
        // Of a pool that does next to nothing, nothing can be told.
        (busy >= BUSY_MIN && throughput > INFLOW_MIN).then_some(throughput * capacity / busy)
    }
}

/// From one visitor to the next.
pub(super) fn interval(rate: Rate) -> Duration {
    let nanos = rate.per.as_nanos().div_ceil(u128::from(rate.count.max(1)));
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// Visitors in a second.
fn per_second(rate: Rate) -> f64 {
    f64::from(rate.count) / rate.per.as_secs_f64()
}

/// A rate that follows what is measured.
#[derive(Debug, Default)]
struct Meter {
    value: Option<f64>,
}

impl Meter {
    /// `weight`: how much this measurement counts.
    fn add(&mut self, measured: f64, weight: f64) {
        self.value = Some(self.value.map_or(measured, |value| value + (measured - value) * weight));
    }
}

/// What a counter grew by in a second, once a [`PERIOD`] is over.
fn rate(last: &mut Option<(u64, Duration)>, count: u64, now: Duration) -> Option<f64> {
    let Some((before, at)) = *last else {
        *last = Some((count, now));
        return None;
    };
    let time = now.saturating_sub(at);
    if time < PERIOD {
        return None;
    }
    *last = Some((count, now));
    Some(count.saturating_sub(before) as f64 / time.as_secs_f64())
}

/// When the page of one who is at the door comes back.
pub(super) const DOOR: Duration = Duration::from_secs(1);

/// How often rates are measured.
const PERIOD: Duration = Duration::from_secs(1);

/// How much the last measurement of each counts.
const SERVICE_WEIGHT: f64 = 1.0 / 6.0;
const INFLOW_WEIGHT: f64 = 1.0 / 12.0;

/// Less is no rate to reckon with.
const INFLOW_MIN: f64 = 0.001;

/// Of fewer exchanges at once, and of fewer ended, nothing is concluded.
const BUSY_MIN: f64 = 0.1;
const DONE_MIN: u64 = 10;

/// One who comes in is held back for so long at most, so that all come in evenly.
pub(super) const HOLD_MAX: Duration = Duration::from_secs(1);

/// Of so many it is known for how long they are held back.
const HOLDS_MAX: usize = 4096;

/// Seconds' worth of visitors who are held back, or wait in the pool's queue, so that there is always one for each that
/// may come in.
const BUFFER: f64 = 0.4;

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(enter: Option<u32>) -> Rules {
        Rules {
            active: 500,
            enter: enter.map(|count| Rate { count, per: Duration::from_secs(1) }),
            session: Duration::from_secs(100),
            absence: Duration::from_secs(60),
            places: 100,
        }
    }

    fn at(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn visitors_come_in_evenly() {
        let (mut pace, rules, pool) = (Pace::default(), rules(Some(4)), Headroom::default());
        assert_eq!(pace.free(at(0), &rules, pool), 5, "one now, and four in the next second");
        let held: Vec<_> = (0..5).map(|_| pace.enter(at(0), &rules).as_millis()).collect();
        assert_eq!((held, pace.free(at(0), &rules, pool)), (vec![0, 250, 500, 750, 1000], 0));
        assert_eq!((pace.free(at(250), &rules, pool), pace.free(at(1000), &rules, pool)), (1, 4));
        assert_eq!(pace.enter(at(9000), &rules), at(0));
        let full = Headroom { capacity: Some(5), busy: 5, queue: 9, done: 0 };
        assert_eq!(pace.free(at(9000), &rules, full), 0);
    }

    #[test]
    fn a_faster_rate_holds_at_once() {
        let (mut pace, pool) = (Pace::default(), Headroom::default());
        let slow = Rules { enter: Some(Rate { count: 1, per: at(3_600_000) }), ..rules(None) };
        assert_eq!((pace.enter(at(0), &slow), pace.free(at(0), &slow, pool)), (at(0), 0));
        pace.keep_to(at(3_598_000), &slow);
        assert_eq!((pace.free(at(3_598_000), &slow, pool), pace.free(at(3_599_000), &slow, pool)), (0, 1));
        let (mut pace, fast) = (Pace::default(), rules(Some(50)));
        assert_eq!(pace.enter(at(0), &slow), at(0));
        (10..60).for_each(|now| pace.keep_to(at(now), &fast));
        assert_eq!((pace.free(at(29), &fast, pool), pace.free(at(30), &fast, pool)), (0, 1));
        assert_eq!(pace.enter(at(1030), &fast), at(0), "10 + a second + 20");
        assert_eq!(pace.free(at(1040), &fast, pool), 50);
    }

    #[test]
    fn so_many_are_called_as_come_in_until_they_are_there() {
        let (mut pace, calls, pool) = (Pace::default(), Calls::default(), Headroom::default());
        assert_eq!(pace.ahead(at(0), &rules(None), pool, &calls), None);
        assert_eq!(pace.ahead(at(0), &rules(Some(50)), pool, &calls), Some(46));
        (0..20).for_each(|_| assert!(pace.enter(at(0), &rules(Some(50))) < HOLD_MAX));
        assert_eq!(pace.ahead(at(0), &rules(Some(50)), pool, &calls), Some(26));
        (0..80).for_each(|_| assert!(pace.enter(at(0), &rules(Some(50))) > at(0)));
        assert_eq!(pace.ahead(at(0), &rules(Some(50)), pool, &calls), Some(0));
    }

    #[test]
    fn a_pool_is_followed_at_what_it_could_end() {
        let (mut pace, rules, calls) = (Pace::default(), rules(None), Calls::default());
        let pool = |done| Headroom { capacity: Some(8), busy: 4, queue: 500, done };
        assert_eq!((pace.ahead(at(0), &rules, pool(0), &calls), pace.inflow(&rules, pool(0))), (Some(4), None));
        assert_eq!(pace.free(at(0), &rules, pool(0)), 4);
        (0..40).for_each(|second| pace.measure(at(second * 1000), pool(second * 40), 0, false));
        assert_eq!(pace.ahead(at(40_000), &rules, pool(1600), &calls), Some(76), "full it would end 80 a second");
        assert_eq!(pace.free(at(40_000), &rules, pool(1600)), 36);
        assert_eq!(pace.free(at(40_000), &rules, Headroom { queue: 3, ..pool(1600) }), 7);
        assert_eq!(pace.inflow(&rules, pool(1600)), Some(5.0), "a session takes 100 s, and there are 500");
    }

    #[test]
    fn a_wait_is_reckoned_by_what_came_in_while_others_waited() {
        let (mut pace, rules, pool) = (Pace::default(), rules(Some(50)), Headroom::default());
        assert_eq!(pace.inflow(&rules, pool), Some(5.0));
        (0..120).for_each(|second| pace.measure(at(second * 1000), pool, second * 20, true));
        assert!((19.9..20.1).contains(&pace.inflow(&rules, pool).unwrap()));
        pace.measure(at(121_000), pool, 9000, false);
        assert_eq!(pace.inflow(&rules, pool), Some(5.0));
    }
}
