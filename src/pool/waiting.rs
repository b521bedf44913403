//! Who of those that wait for room is next, and who has to go.

use crate::config::Priority;
use std::collections::VecDeque;

/// Exchanges that wait, in three lanes by priority; first come, first served within each.
///
/// Places go to the highest lane in which somebody waits. One of [`TURNS`] goes to whoever waits longest in a lower one,
/// so that nobody waits for ever. Where all places to wait are taken, whoever came last in the lowest lane gives up his to
/// somebody of a higher priority.
#[derive(Debug)]
pub struct Waiting<W> {
    lanes: [VecDeque<Entry<W>>; LANES],
    /// Ids are given in the order of coming.
    next_id: u64,
    turns: u32,
    /// The one who was called in a turn that nobody may take from him.
    owed: Option<u64>,
}

#[derive(Debug)]
struct Entry<W> {
    id: u64,
    who: W,
    /// There is room for him, and he has not looked yet.
    called: bool,
}

/// A place to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlaceId {
    priority: Priority,
    id: u64,
}

/// What comes of coming in.
#[derive(Debug)]
pub struct Entered<W> {
    /// His place.
    pub place: PlaceId,
    /// He is to look at once.
    pub called: bool,
    /// Who lost his place for that.
    pub displaced: Option<W>,
    /// Who is to look in the stead of the one who lost it: that one had been called.
    pub instead: Option<W>,
}

/// Of so many places that become free, one goes to a lower priority.
pub const TURNS: u32 = 10;

const LANES: usize = Priority::ALL.len();

impl<W> Default for Waiting<W> {
    fn default() -> Self {
        Waiting { lanes: Default::default(), next_id: 0, turns: 0, owed: None }
    }
}

impl<W: Clone> Waiting<W> {
    /// How many wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lanes.iter().map(VecDeque::len).sum()
    }

    /// Whether nobody waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lanes.iter().all(VecDeque::is_empty)
    }

    /// Whether somebody of that priority who comes now may look for room at once: nobody waits who comes before him.
    #[must_use]
    pub fn is_first(&self, priority: Priority) -> bool {
        self.owed.is_none() && self.lanes[..=priority as usize].iter().all(VecDeque::is_empty)
    }

    /// A place behind those of the same priority, where at most `max` wait. `None`: there is none for such a priority.
    pub fn enter(&mut self, priority: Priority, max: usize, who: W) -> Option<Entered<W>> {
        let displaced = match self.len() < max {
            true => None,
            false => {
                let lane = (priority as usize + 1..LANES).rev().find(|&lane| !self.lanes[lane].is_empty())?;
                let last = self.lanes[lane].back()?.id;
                self.remove(lane, last)
            }
        };
        let id = self.next_id;
        self.next_id += 1;
        // Those before him who were called are about to look: there may be more room than they take.
        let called = self.owed.is_none() && self.lanes[..=priority as usize].iter().flatten().all(|entry| entry.called);
        self.lanes[priority as usize].push_back(Entry { id, who, called });
        let is_lost = !called && displaced.as_ref().is_some_and(|entry| entry.called);
        let instead = if is_lost { self.call().cloned() } else { None };
        let displaced = displaced.map(|entry| entry.who);
        Some(Entered { place: PlaceId { priority, id }, called, displaced, instead })
    }

    /// There is room for one more: who is to look.
    pub fn call(&mut self) -> Option<&W> {
        self.turns = (self.turns + 1) % TURNS;
        let is_kept = self.turns == 0 && self.owed.is_none();
        let first = self.first_from(0)?;
        let lower = is_kept.then(|| self.longest_below(first.0)).flatten();
        let (lane, at) = lower.unwrap_or(first);
        let entry = &mut self.lanes[lane][at];
        entry.called = true;
        if is_kept {
            self.owed = Some(entry.id);
        }
        Some(&entry.who)
    }

    /// He looked, and there was no room for him. `Some`: there may be for somebody else, who is to look.
    pub fn looked(&mut self, place: PlaceId, is_picky: bool) -> Option<&W> {
        let entry = self.entry(place)?;
        let was_called = std::mem::take(&mut entry.called);
        let was_owed = self.owed == Some(place.id);
        self.forgive(place.id);
        if !(was_called && is_picky) {
            return None;
        }
        // Only behind him, so that a call that nobody can use comes to an end.
        let at = self.lanes[place.priority as usize].binary_search_by_key(&place.id, |entry| entry.id).ok()?;
        let lane = place.priority as usize;
        let behind = (at + 1..self.lanes[lane].len()).find(|&at| !self.lanes[lane][at].called).map(|at| (lane, at));
        // Those before him were passed over for him, once.
        let before = || self.first_from(0).filter(|&(lane, at)| was_owed && self.lanes[lane][at].id != place.id);
        let (lane, at) = behind.or_else(|| self.first_from(lane + 1)).or_else(before)?;
        self.lanes[lane][at].called = true;
        Some(&self.lanes[lane][at].who)
    }

    /// He goes. `has_room`: because he found some; otherwise whoever is to look in his stead, if he had been called.
    pub fn leave(&mut self, place: PlaceId, has_room: bool) -> Option<&W> {
        let was_called = self.remove(place.priority as usize, place.id)?.called;
        if was_called && !has_room { self.call() } else { None }
    }

    /// All that wait.
    pub fn all(&self) -> impl Iterator<Item = &W> {
        self.lanes.iter().flatten().map(|entry| &entry.who)
    }

    /// The first in the highest lane from `lane` who is not called yet.
    fn first_from(&self, lane: usize) -> Option<(usize, usize)> {
        let first = |lane: usize| self.lanes[lane].iter().position(|entry| !entry.called).map(|at| (lane, at));
        (lane..LANES).find_map(first)
    }

    /// Who has waited longest below `lane`, and is not called yet.
    fn longest_below(&self, lane: usize) -> Option<(usize, usize)> {
        let firsts = (lane + 1..LANES).filter_map(|lane| self.first_from(lane).filter(|(found, _)| *found == lane));
        firsts.min_by_key(|(lane, at)| self.lanes[*lane][*at].id)
    }

    fn entry(&mut self, place: PlaceId) -> Option<&mut Entry<W>> {
        let lane = &mut self.lanes[place.priority as usize];
        let at = lane.binary_search_by_key(&place.id, |entry| entry.id).ok()?;
        lane.get_mut(at)
    }

    fn remove(&mut self, lane: usize, id: u64) -> Option<Entry<W>> {
        self.forgive(id);
        let at = self.lanes[lane].binary_search_by_key(&id, |entry| entry.id).ok()?;
        self.lanes[lane].remove(at)
    }

    fn forgive(&mut self, id: u64) {
        if self.owed == Some(id) {
            self.owed = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Priority::{High, Low, Normal};
    use proptest::prelude::*;

    /// Those who wait are known by a number.
    fn waiting(who: &[(Priority, u32)]) -> (Waiting<u32>, Vec<PlaceId>) {
        let mut waiting = Waiting::default();
        let places = who.iter().map(|(priority, who)| enters(&mut waiting, *priority, 100, *who).unwrap().0).collect();
        (waiting, places)
    }

    /// Comes in, and looks in vain if he may.
    fn enters(waiting: &mut Waiting<u32>, priority: Priority, max: usize, who: u32) -> Option<(PlaceId, Option<u32>)> {
        let Entered { place, displaced, instead, .. } = waiting.enter(priority, max, who)?;
        assert_eq!(instead, None);
        assert_eq!(waiting.looked(place, false), None);
        Some((place, displaced))
    }

    #[test]
    fn the_highest_is_called_first_and_then_whoever_came_first() {
        let (mut waiting, _) = waiting(&[(Low, 1), (Normal, 2), (High, 3), (Normal, 4), (High, 5)]);
        let called: Vec<u32> = std::iter::from_fn(|| waiting.call().copied()).collect();
        assert_eq!(called, [3, 5, 2, 4, 1]);
    }

    #[test]
    fn one_of_ten_places_goes_to_whoever_waits_longest_below() {
        let mut all: Vec<_> = (0..30).map(|who| (High, who)).collect();
        all.splice(5..5, [(Low, 100), (Normal, 101), (Low, 102)]);
        let (mut waiting, _) = waiting(&all);
        let called: Vec<u32> = std::iter::from_fn(|| waiting.call().copied()).take(31).collect();
        assert_eq!([called[9], called[19], called[29]], [100, 9 + 9, 9 + 9 + 10], "{called:?}");
    }

    #[test]
    fn the_place_that_goes_to_a_lower_one_is_not_taken_from_him() {
        let (mut waiting, places) = waiting(&[(Low, 0), (Low, 1)]);
        assert!(waiting.is_first(High) && waiting.is_first(Normal) && !waiting.is_first(Low));
        for _ in 0..TURNS - 1 {
            assert_eq!(waiting.call(), Some(&0));
            assert!(waiting.is_first(High), "he may come first");
            waiting.looked(places[0], false);
        }
        assert_eq!(waiting.call(), Some(&0));
        assert!(!waiting.is_first(High) && !waiting.is_first(Normal));
        assert_eq!(waiting.leave(places[0], true), None);
        assert!(waiting.is_first(High));
    }

    #[test]
    fn the_last_of_the_lowest_gives_way() {
        let mut waiting = Waiting::default();
        assert!(enters(&mut waiting, Low, 3, 1).is_some() && enters(&mut waiting, Low, 3, 2).is_some());
        assert!(enters(&mut waiting, Normal, 3, 3).is_some() && enters(&mut waiting, Low, 3, 4).is_none());
        assert_eq!(enters(&mut waiting, High, 3, 5).unwrap().1, Some(2));
        assert_eq!(enters(&mut waiting, Normal, 3, 6).unwrap().1, Some(1));
        assert!(enters(&mut waiting, Normal, 3, 7).is_none());
        assert_eq!(enters(&mut waiting, High, 3, 8).unwrap().1, Some(6));
        assert_eq!(enters(&mut waiting, High, 3, 9).unwrap().1, Some(3));
        assert!(
            enters(&mut waiting, High, 3, 10).is_none()
                && enters(&mut waiting, High, 0, 11).is_none()
                && waiting.len() == 3
        );
    }

    #[test]
    fn a_call_that_one_cannot_use_goes_to_those_behind_him_and_ends_there() {
        let (mut waiting, places) = waiting(&[(High, 1), (High, 2), (Low, 3)]);
        assert_eq!(waiting.call(), Some(&1));
        assert_eq!(waiting.looked(places[0], true), Some(&2));
        assert_eq!(waiting.looked(places[1], true), Some(&3));
        assert_eq!(waiting.looked(places[2], true), None);
        assert_eq!(waiting.call(), Some(&1));
        assert_eq!(waiting.looked(places[0], false), None, "who takes any room was only too late");
        assert_eq!(waiting.call(), Some(&1));
        assert_eq!(waiting.leave(places[0], false), Some(&2), "who leaves unserved passes it on");
    }

    #[test]
    fn the_call_of_one_who_loses_his_place_is_not_lost() {
        let mut waiting = Waiting::default();
        let normal = waiting.enter(Normal, 2, 1).unwrap().place;
        let low = waiting.enter(Low, 2, 2).unwrap().place;
        waiting.looked(normal, false);
        waiting.looked(low, false);
        for _ in 0..TURNS - 1 {
            assert_eq!(waiting.call(), Some(&1));
            waiting.looked(normal, false);
        }
        // The tenth is for the lower one, who loses his place before he has looked.
        assert_eq!(waiting.call(), Some(&2));
        let entered = waiting.enter(Normal, 2, 3).unwrap();
        assert_eq!((entered.called, entered.displaced, entered.instead), (false, Some(2), Some(1)));
    }

    #[test]
    fn a_call_that_was_owed_and_cannot_be_used_goes_to_those_who_were_passed_over() {
        let (mut waiting, places) = waiting(&[(Normal, 1), (Low, 2)]);
        for _ in 0..TURNS - 1 {
            waiting.call();
            waiting.looked(places[0], false);
        }
        assert_eq!(waiting.call(), Some(&2));
        assert_eq!(waiting.looked(places[1], true), Some(&1));
        assert_eq!(waiting.looked(places[0], true), Some(&2));
        assert_eq!(waiting.looked(places[1], true), None, "and ends there");
    }

    #[test]
    fn who_comes_while_all_before_him_are_about_to_look_looks_too() {
        let mut waiting = Waiting::default();
        let first = waiting.enter(Normal, 9, 1).unwrap();
        assert!(first.called && waiting.enter(Normal, 9, 2).unwrap().called);
        assert!(waiting.enter(High, 9, 3).unwrap().called);
        waiting.looked(first.place, false);
        assert!(!waiting.enter(Normal, 9, 4).unwrap().called && waiting.enter(High, 9, 5).unwrap().called);
    }

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Enter(usize),
        Call,
        /// The one called first looks: there is room, or there is not.
        Look(bool),
        /// He leaves, whoever he is.
        Leave(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            3 => (0..3usize).prop_map(Step::Enter),
            2 => Just(Step::Call),
            2 => any::<bool>().prop_map(Step::Look),
            1 => (0..20usize).prop_map(Step::Leave),
        ]
    }

    proptest! {
        /// Against lists that are searched.
        #[test]
        fn whatever_happens_the_order_is_kept_and_nobody_is_lost(steps in proptest::collection::vec(step(), 0..200)) {
            const MAX: usize = 6;
            let mut waiting = Waiting::default();
            let (mut inside, mut called): (Vec<(Priority, u32, PlaceId)>, Vec<u32>) = Default::default();
            let (mut next, mut calls) = (0, 0);
            for step in steps {
                match step {
                    Step::Enter(at) => {
                        let priority = Priority::ALL[at];
                        let loser = inside.iter().max_by_key(|(priority, who, _)| (*priority, *who)).copied();
                        match waiting.enter(priority, MAX, next) {
                            None => prop_assert!(inside.len() == MAX && loser.unwrap().0 <= priority),
                            Some(entered) => {
                                prop_assert_eq!(entered.displaced.is_some(), inside.len() == MAX);
                                inside.push((priority, next, entered.place));
                                let mut was_called = false;
                                if let Some(gone) = entered.displaced {
                                    prop_assert!(loser.unwrap().1 == gone && loser.unwrap().0 > priority);
                                    inside.retain(|(_, who, _)| *who != gone);
                                    was_called = called.contains(&gone);
                                    called.retain(|who| *who != gone);
                                }
                                // A call is the newcomer's, or somebody's in the stead of who had it.
                                prop_assert_eq!(entered.instead.is_some(), was_called && !entered.called);
                                calls += u32::from(entered.instead.is_some());
                                called.extend(entered.called.then_some(next));
                                called.extend(entered.instead);
                            }
                        }
                        next += 1;
                    }
                    Step::Call => {
                        calls += 1;
                        let free = |(_, who, _): &&(Priority, u32, PlaceId)| !called.contains(who);
                        let best = inside.iter().filter(free).min_by_key(|(priority, who, _)| (*priority, *who)).copied();
                        let got = waiting.call().copied();
                        prop_assert_eq!(got.is_some(), best.is_some());
                        if let (Some(got), Some(best)) = (got, best) {
                            prop_assert!(got == best.1 || calls % TURNS == 0);
                            called.push(got);
                        }
                    }
                    Step::Look(room) if !called.is_empty() => {
                        let who = called.remove(0);
                        let place = inside.iter().find(|(_, it, _)| *it == who).unwrap().2;
                        if room {
                            prop_assert_eq!(waiting.leave(place, true), None);
                            inside.retain(|(_, it, _)| *it != who);
                        } else {
                            prop_assert_eq!(waiting.looked(place, false), None);
                        }
                    }
                    Step::Leave(at) if at < inside.len() => {
                        let (_, who, place) = inside.remove(at);
                        let was_called = called.contains(&who);
                        called.retain(|it| *it != who);
                        let instead = waiting.leave(place, false).copied();
                        prop_assert!(was_called || instead.is_none());
                        calls += u32::from(was_called);
                        called.extend(instead);
                    }
                    Step::Look(_) | Step::Leave(_) => {}
                }
                prop_assert_eq!(waiting.len(), inside.len());
                prop_assert!(!waiting.is_first(Low) || inside.is_empty());
            }
        }

        /// With more of each priority than are ever served.
        #[test]
        fn nobody_starves(seed in 0..1_000u32) {
            let mut waiting = Waiting::default();
            let mut places = std::collections::HashMap::new();
            let mut served = [0u32; 3];
            let mut next = 0;
            for round in 0..2_000 {
                for (at, priority) in Priority::ALL.iter().enumerate() {
                    if (round + seed as usize * at).is_multiple_of(2) && let Some((place, displaced)) = enters(&mut waiting, *priority, 60, next) {
                        displaced.map(|gone| places.remove(&gone));
                        places.insert(next, (at, place));
                        next += 1;
                    }
                }
                if let Some(who) = waiting.call().copied() {
                    let (at, place) = places.remove(&who).unwrap();
                    waiting.leave(place, true);
                    served[at] += 1;
                }
            }
            prop_assert!(served[0] >= 900 && served[1] + served[2] >= 180, "{served:?}");
        }
    }
}
