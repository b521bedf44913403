//! Who has which place, as far as this member knows; and how that becomes one with what others know.

use super::super::calls::{CLAIM, Calls};
use super::crowd::{About, Crowd};
use super::number::{OWN, issuer};
use super::word::{All, News};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Duration;

/// All numbers that were given out and did not come in. What is neither here nor known to have come in may be told yet.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// Who waits.
    pub(super) crowd: Crowd,
    /// Who is called by this member, in whose places inside; and by others.
    pub(super) mine: Calls,
    pub(super) others: Calls,
    /// By who gave numbers out: up to there, all that have not come in are known here.
    complete: BTreeMap<u32, u64>,
    /// Those beyond that came in.
    entered: BTreeSet<u64>,
}

const HEARD: About = About { here: false, confirmed: true, present: true };
const GIVEN: About = About { here: false, confirmed: false, present: true };

impl Places {
    /// One who shows his ticket; it says that he was given his number.
    pub(super) fn by_ticket(&mut self, number: u64, now: Duration) {
        self.crowd.add(number, now, About { here: true, ..HEARD });
    }

    /// Whether that number came in.
    pub(super) fn is_over(&self, number: u64) -> bool {
        let is_told = self.complete.get(&issuer(number)).is_some_and(|to| number <= *to);
        (is_told && !self.has(number)) || self.entered.contains(&number)
    }

    /// All numbers up to `to` are known that `issuer` gave out and that did not come in.
    pub(super) fn completes(&mut self, issuer: u32, to: u64) {
        let known = self.complete.entry(issuer).or_default();
        if *known >= to {
            return;
        }
        *known = to;
        let known = &self.complete;
        self.entered.retain(|number| known.get(&super::number::issuer(*number)).is_none_or(|to| number > to));
    }

    /// This member gave that number out: of its own none came in that it does not know.
    pub(super) fn gave(&mut self, issuer: u32, number: u64) {
        self.complete.insert(issuer, number);
    }

    pub(super) fn is_called(&self, number: u64) -> bool {
        self.mine.has(number) || self.others.has(number)
    }

    fn has(&self, number: u64) -> bool {
        self.is_called(number) || self.crowd.has(number)
    }

    pub(super) fn called(&self) -> usize {
        self.mine.len() + self.others.len()
    }

    pub(super) fn knock(&mut self, number: u64, now: Duration) {
        self.mine.knock(number, now);
        self.others.knock(number, now);
    }

    /// These are called.
    pub(super) fn call(&mut self, numbers: &[u64], is_own: bool, now: Duration) {
        for number in numbers {
            if self.crowd.remove(*number) || !self.is_called(*number) && !self.is_over(*number) {
                let calls = if is_own { &mut self.mine } else { &mut self.others };
                calls.add(*number, now);
            }
        }
    }

    /// Those who were called and did not come are gone, and may come back.
    pub(super) fn lapse(&mut self, now: Duration) -> u64 {
        // Those whose place inside it is keep it until nobody else lets them in any more.
        let mut lapsed = self.mine.lapsed(now, CLAIM + TOLD_MAX);
        lapsed.extend(self.others.lapsed(now, CLAIM));
        let gone = About { here: false, confirmed: true, present: false };
        lapsed.iter().for_each(|number| self.crowd.add(*number, now, gone));
        lapsed.len() as u64
    }

    /// A number came in, here or elsewhere; `false`: that was known.
    pub(super) fn enter(&mut self, number: u64, now: Duration) -> bool {
        let was_called = self.mine.take(number, now) | self.others.take(number, now);
        let was_there = self.crowd.remove(number) || was_called;
        let is_beyond = self.complete.get(&issuer(number)).is_none_or(|to| number > *to);
        if is_beyond {
            let is_news = self.entered.insert(number);
            if self.entered.len() > ENTERED_MAX {
                self.entered.pop_first();
            }
            return is_news;
        }
        was_there
    }

    /// What changed elsewhere, but for who came in.
    pub(super) fn hear(&mut self, news: &News, now: Duration) {
        let from = self.complete.get(&news.issuer).copied().unwrap_or(0);
        for number in news.given.iter().filter(|number| **number > from) {
            if !self.entered.contains(number) && !self.is_called(*number) {
                self.crowd.add(*number, now, GIVEN);
            }
        }
        // Otherwise something was missed.
        if from >= news.from {
            self.completes(news.issuer, news.to);
        }
        for number in &news.heard {
            if self.is_called(*number) {
                self.knock(*number, now);
            } else if !self.crowd.heard(*number, now) && !self.is_over(*number) {
                self.crowd.add(*number, now, HEARD);
            }
        }
    }

    /// All that is known.
    pub(super) fn all(&self) -> All {
        let (waiting, gone): (Vec<_>, Vec<_>) = self.crowd.all().partition(|(_, present)| *present);
        let numbers = |list: Vec<(u64, bool)>| list.into_iter().map(|(number, _)| number).collect();
        let mut called: Vec<u64> = self.mine.numbers().chain(self.others.numbers()).collect();
        called.sort_unstable();
        called.dedup();
        All {
            complete: self.complete.iter().map(|(issuer, to)| (*issuer, *to)).collect(),
            entered: self.entered.iter().copied().collect(),
            waiting: numbers(waiting),
            gone: numbers(gone),
            called,
        }
    }

    /// Becomes one with what another member knows. Who came in at either did.
    pub(super) fn merge(&mut self, theirs: &All, now: Duration) {
        let complete: BTreeMap<u32, u64> = theirs.complete.iter().copied().collect();
        let entered: HashSet<u64> = theirs.entered.iter().copied().collect();
        let lists = [&theirs.waiting, &theirs.gone, &theirs.called];
        let there: HashSet<u64> = lists.into_iter().flatten().copied().collect();
        let mut over = self.all();
        over.waiting.append(&mut over.gone);
        over.waiting.append(&mut over.called);
        over.waiting.retain(|number| {
            // Numbers of before there was a fleet each member counted by itself: what another says of them is of others.
            let is_told = issuer(*number) != OWN && complete.get(&issuer(*number)).is_some_and(|to| number <= to);
            entered.contains(number) || is_told && !there.contains(number)
        });
        for number in over.waiting.iter().chain(&theirs.entered) {
            self.enter(*number, now);
        }
        for number in theirs.called.iter().filter(|number| !self.is_over(**number)).copied().collect::<Vec<_>>() {
            self.call(&[number], false, now);
        }
        for (numbers, present) in [(&theirs.waiting, true), (&theirs.gone, false)] {
            for number in numbers {
                if self.is_called(*number) || self.is_over(*number) {
                    continue;
                }
                if self.crowd.has(*number) && present {
                    self.crowd.revive(*number, now);
                }
                self.crowd.add(*number, now, About { present, ..HEARD });
            }
        }
        for (issuer, to) in theirs.complete.iter().filter(|(issuer, _)| *issuer != OWN) {
            self.completes(*issuer, *to);
        }
    }

    /// Keeps no more than `max` of those who are gone: the first of them count as come in from then on.
    pub(super) fn trim(&mut self, max: usize) {
        self.crowd.trim(max);
    }
}

/// Numbers that came in before it was told that they were given out: at a member that cannot be heard.
const ENTERED_MAX: usize = 1 << 18;

/// Within that time all that are in touch know of a change.
const TOLD_MAX: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(9);

    #[test]
    fn what_members_counted_before_they_were_a_fleet_is_believed_of_themselves_alone() {
        let mut places = Places::default();
        (50..100).for_each(|number| places.by_ticket(number, NOW));
        places.completes(OWN, 99);
        let theirs = All { complete: vec![(OWN, 599)], waiting: (500..600).collect(), ..All::default() };
        places.merge(&theirs, NOW);
        assert!((50..100).chain(500..600).all(|number| places.crowd.has(number)), "nobody lost his place");
        assert!(places.is_over(49) && !places.is_over(200), "of which it knows");
    }

    #[test]
    fn the_oldest_that_came_in_elsewhere_are_forgotten_first() {
        let first = super::super::number::FIRST;
        let mut places = Places::default();
        (0..=ENTERED_MAX as u64).for_each(|number| assert!(places.enter(first + (number << 16), NOW)));
        assert!(!places.is_over(first) && places.is_over(first + (1 << 16)));
        assert!(places.is_over(first + ((ENTERED_MAX as u64) << 16)), "who came in last is not let in again");
    }
}
