//! Who is inside: numbers with the time of their last sign of life, in buckets by when that is over.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

#[derive(Debug, Default)]
pub(super) struct Inside {
    by_number: HashMap<u64, Stay>,
    /// Numbers whose stay may be over in the second of `first`, the next, and so on.
    buckets: VecDeque<Vec<u64>>,
    first: u64,
    /// How many of them count at another member.
    away: usize,
    /// Those of before a restart that were not heard of since, and until when they count.
    ghosts: u32,
    ghosts_until: Duration,
}

#[derive(Clone, Copy, Debug)]
struct Stay {
    /// Seconds since the start of the process; none of its time: it came in at another member.
    entered: u32,
    seen: u32,
    /// It counts at another member.
    is_away: bool,
}

/// What was known of a number that shows a pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// It is inside.
    Inside,
    /// It may have come in before a restart.
    Ghost,
    /// Nothing.
    No,
}

impl Inside {
    pub(super) fn recovered(ghosts: u32, until: Duration) -> Inside {
        Inside { ghosts, ghosts_until: until, ..Inside::default() }
    }

    /// How many, those of before a restart among them.
    pub(super) fn total(&self) -> u32 {
        u32::try_from(self.by_number.len() - self.away).unwrap_or(u32::MAX).saturating_add(self.ghosts)
    }

    pub(super) fn enter(&mut self, number: u64, now: Duration, session: Duration) {
        self.begin(number, (seconds(now), now), session);
    }

    /// It asks here for the first time, and came in at another member.
    pub(super) fn moves_in(&mut self, number: u64, now: Duration, session: Duration) {
        self.begin(number, (u32::MAX, now), session);
    }

    fn begin(&mut self, number: u64, (entered, now): (u32, Duration), session: Duration) {
        match self.by_number.insert(number, Stay { entered, seen: seconds(now), is_away: false }) {
            None => self.schedule(number, now, now + session),
            Some(before) => self.away -= usize::from(before.is_away),
        }
    }

    /// Whether it came in not long ago: the response that said so may be on its way, or lost.
    pub(super) fn has_just_entered(&self, number: u64, now: Duration) -> bool {
        self.by_number
            .get(&number)
            .is_some_and(|stay| seconds(now).checked_sub(stay.entered).is_some_and(|age| age <= AGAIN_SECONDS))
    }

    /// A sign of life.
    pub(super) fn saw(&mut self, number: u64, now: Duration) -> Known {
        if let Some(stay) = self.by_number.get_mut(&number) {
            stay.seen = seconds(now);
            self.away -= usize::from(std::mem::take(&mut stay.is_away));
            return Known::Inside;
        }
        match self.ghosts.checked_sub(1) {
            Some(less) => {
                self.ghosts = less;
                Known::Ghost
            }
            None => Known::No,
        }
    }

    /// Whether it counts here.
    pub(super) fn has(&self, number: u64) -> bool {
        self.by_number.get(&number).is_some_and(|stay| !stay.is_away)
    }

    /// It asked at another member, where it counts from now on.
    pub(super) fn moved(&mut self, number: u64) {
        if let Some(stay) = self.by_number.get_mut(&number) {
            self.away += usize::from(!std::mem::replace(&mut stay.is_away, true));
        }
    }

    /// Lets go of those whose stay is over; how many.
    pub(super) fn expire(&mut self, now: Duration, session: Duration) -> u64 {
        let mut over = 0;
        if now >= self.ghosts_until {
            over += u64::from(std::mem::take(&mut self.ghosts));
        }
        while self.first < now.as_secs() {
            let Some(numbers) = self.buckets.pop_front() else {
                self.first = now.as_secs();
                break;
            };
            self.first += 1;
            for number in numbers {
                let Some(stay) = self.by_number.get(&number) else { continue };
                // A second more, so that nobody has a pass that is good for longer.
                let end = Duration::from_secs(u64::from(stay.seen) + 1) + session;
                if end <= now || stay.is_away {
                    self.away -= usize::from(stay.is_away);
                    self.by_number.remove(&number);
                    over += 1;
                } else {
                    self.schedule(number, now, end);
                }
            }
        }
        over
    }

    fn schedule(&mut self, number: u64, now: Duration, end: Duration) {
        if self.buckets.is_empty() {
            self.first = now.as_secs();
        }
        let at = (end.as_secs() + 1).saturating_sub(self.first).min(BUCKETS_MAX) as usize;
        if self.buckets.len() <= at {
            self.buckets.resize_with(at + 1, Vec::new);
        }
        self.buckets[at].push(number);
    }
}

fn seconds(now: Duration) -> u32 {
    u32::try_from(now.as_secs()).unwrap_or(u32::MAX)
}

/// For so long a ticket that came in may be shown again, by a client that did not get its pass, or asked twice at once.
pub(super) const AGAIN_SECONDS: u32 = 10;

/// Longer stays are looked at in between.
const BUCKETS_MAX: u64 = 3600;

#[cfg(test)]
mod tests {
    use super::*;

    const SESSION: Duration = Duration::from_secs(60);

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_stay_ends_when_nothing_is_heard_for_its_time() {
        let mut inside = Inside::default();
        inside.enter(1, at(10), SESSION);
        inside.enter(2, at(10), SESSION);
        assert_eq!(inside.saw(2, at(60)), Known::Inside);
        assert_eq!((inside.expire(at(70), SESSION), inside.total()), (0, 2));
        assert_eq!((inside.expire(at(75), SESSION), inside.total()), (1, 1));
        assert_eq!((inside.expire(at(121), SESSION), inside.total()), (0, 1));
        assert_eq!((inside.expire(at(130), SESSION), inside.total()), (1, 0));
        assert_eq!(inside.saw(2, at(130)), Known::No);
        inside.enter(3, at(5000), SESSION);
        assert_eq!(inside.expire(at(5059), SESSION), 0);
        assert_eq!(inside.expire(at(9000), SESSION), 1);
    }

    #[test]
    fn stays_of_a_day_end_too() {
        let (mut inside, day) = (Inside::default(), at(86_400));
        inside.enter(1, at(0), day);
        let over: u64 = (1..=90_000).map(|second| inside.expire(at(second), day)).sum();
        assert_eq!((over, inside.total(), inside.buckets.len()), (1, 0, 0));
    }

    #[test]
    fn those_of_before_a_restart_count_until_they_are_heard_of_or_their_time_is_over() {
        let mut inside = Inside::recovered(3, at(60));
        assert_eq!(inside.total(), 3);
        assert_eq!(inside.saw(7, at(1)), Known::Ghost);
        inside.enter(7, at(1), SESSION);
        assert_eq!((inside.total(), inside.saw(7, at(50))), (3, Known::Inside));
        assert_eq!((inside.expire(at(60), SESSION), inside.total()), (2, 1));
        assert_eq!(inside.saw(8, at(61)), Known::No);
    }

    #[test]
    fn who_asks_at_another_member_counts_there_until_he_is_back() {
        let mut inside = Inside::default();
        inside.enter(1, at(0), SESSION);
        inside.enter(2, at(0), SESSION);
        (0..9).for_each(|_| inside.moved(1));
        assert_eq!(inside.total(), 1);
        assert_eq!((inside.saw(1, at(30)), inside.total()), (Known::Inside, 2));
        inside.moved(1);
        inside.enter(1, at(40), SESSION);
        assert_eq!((inside.total(), inside.buckets.iter().flatten().count()), (2, 2));
        inside.moved(2);
        assert_eq!((inside.expire(at(62), SESSION), inside.total()), (1, 1));
        assert_eq!((inside.expire(at(200), SESSION), inside.total()), (1, 0));
    }

    #[test]
    fn a_ticket_may_be_shown_again_for_a_moment() {
        let mut inside = Inside::default();
        inside.enter(1, at(100), SESSION);
        assert!(inside.has_just_entered(1, at(110)) && !inside.has_just_entered(1, at(111)));
        assert!(!inside.has_just_entered(2, at(100)));
    }
}
