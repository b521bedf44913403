//! How far a member is: which purges of its fleet it has, and whether it may have missed one.

use super::news::News;

/// How far this member is: it has all purges up to a number, of that epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) epoch: String,
    pub(super) number: u64,
    /// Of the purge of that number; empty: there was none.
    pub(super) id: String,
}

/// What Redis says at each beat.
pub(super) struct Pulse {
    pub(super) members: u32,
    /// Of the last purge.
    pub(super) number: u64,
    /// What all members have.
    pub(super) floor: u64,
    pub(super) epoch: String,
}

/// Where the process before this one was, as its place is looked for in what Redis has.
pub(super) struct Past {
    pub(super) place: Place,
    pub(super) is_found: bool,
}

impl Past {
    pub(super) fn of(place: Place) -> Past {
        Past { is_found: place.number == 0, place }
    }

    /// Whether that process had not done it. It says so only of what follows the one that it did last.
    pub(super) fn misses(&mut self, news: &News) -> bool {
        self.is_found |= news.number == self.place.number && news.id == self.place.id;
        self.is_found && news.number > self.place.number
    }
}

/// Whether purges may have gone by unseen: `first` is the first that Redis still has.
pub(super) fn misses(place: Option<&Place>, pulse: &Pulse, first: Option<u64>) -> bool {
    let Some(place) = place else { return true };
    // A Redis that began anew has all that it ever had, unless that was too much.
    let number = if place.epoch == pulse.epoch { place.number } else { 0 };
    match first {
        Some(first) => first > number + 1,
        None => pulse.number > number,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::purge::{Mode, What};
    use crate::live::Purge;

    fn pulse(epoch: &str, number: u64) -> Pulse {
        Pulse { members: 1, number, floor: 0, epoch: epoch.into() }
    }

    #[test]
    fn whoever_may_have_missed_a_purge_knows_it() {
        let at = |number| Some(Place { epoch: "a".into(), number, id: String::new() });
        for (before, pulse, first, expected) in [
            (None, pulse("a", 9), Some(1), true),
            (None, pulse("a", 0), None, true),
            (at(4), pulse("a", 9), Some(5), false),
            (at(4), pulse("a", 9), Some(6), true),
            (at(9), pulse("a", 9), None, false),
            (at(4), pulse("a", 9), None, true),
            // A Redis that is empty, that is new, and that is new and has lost its beginning.
            (at(4), pulse("b", 0), None, false),
            (at(4), pulse("b", 3), Some(1), false),
            (at(4), pulse("b", 9), Some(3), true),
        ] {
            assert_eq!(misses(before.as_ref(), &pulse, first), expected, "{before:?} {first:?}");
        }
    }

    #[test]
    fn whoever_comes_back_does_what_follows_the_last_that_it_did() {
        let news = |number, id: &str| {
            let purge = Purge { cache: None, what: vec![What::All], mode: Mode::Hard };
            News { number, id: id.into(), purge }
        };
        let place = |number, id: &str| Place { epoch: "a".into(), number, id: id.into() };
        let missed = |place, there: &[News]| {
            let mut past = Past::of(place);
            let missed = there.iter().filter(|news| past.misses(news)).map(|news| news.number).collect::<Vec<_>>();
            past.is_found.then_some(missed)
        };
        let there = [news(4, "x"), news(5, "y"), news(6, "z")];
        assert_eq!(missed(place(5, "y"), &there), Some(vec![6]));
        assert_eq!(missed(place(6, "z"), &there), Some(vec![]));
        assert_eq!(missed(place(0, ""), &[news(1, "x")]), Some(vec![1]));
        // It is too old, of numbers that were given twice, or further than what is there.
        assert_eq!(missed(place(3, "w"), &there), None);
        assert_eq!(missed(place(5, "x"), &there), None);
        assert_eq!(missed(place(7, "a"), &there), None);
    }
}
