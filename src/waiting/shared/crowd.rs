//! Who waits, by numbers with any gaps between them; and who did and was not heard of any more.

use std::collections::VecDeque;
use std::time::Duration;

/// Places in the order of their numbers, in chunks. 16 bytes a place.
#[derive(Debug, Default)]
pub(super) struct Crowd {
    /// None is empty.
    chunks: VecDeque<Chunk>,
    len: usize,
    present: u32,
    swept: Duration,
}

#[derive(Debug, Default)]
struct Chunk {
    places: Vec<Place>,
    present: u32,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    number: u64,
    /// When it was last heard of, in seconds, and what is known of it.
    heard: u32,
    /// When others were last told that it was heard of here.
    told: u32,
}

/// What is known of a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct About {
    /// It asked here, and not at another member.
    pub(super) here: bool,
    /// Its client has shown that it keeps tickets.
    pub(super) confirmed: bool,
    /// It was heard of not long ago.
    pub(super) present: bool,
}

impl Crowd {
    pub(super) fn present(&self) -> u32 {
        self.present
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn has(&self, number: u64) -> bool {
        self.find(number).is_ok()
    }

    /// A place, unless it is there already.
    pub(super) fn add(&mut self, number: u64, now: Duration, about: About) {
        let (at, within) = match self.find(number) {
            Ok(_) => return,
            Err(found) => found,
        };
        let mut heard = seconds(now) | if about.present { 0 } else { GONE };
        heard |= if about.confirmed { CONFIRMED } else { 0 } | if about.here { HERE } else { 0 };
        if self.chunks.is_empty() {
            self.chunks.push_back(Chunk::default());
        }
        // Nearly all come at the end: a chunk that is full stays so.
        let is_end = at + 1 == self.chunks.len() && within == CHUNK;
        let chunk = &mut self.chunks[at];
        chunk.places.insert(within, Place { number, heard, told: seconds(now) });
        chunk.present += u32::from(about.present);
        self.present += u32::from(about.present);
        self.len += 1;
        if chunk.places.len() > CHUNK {
            let places = chunk.places.split_off(if is_end { CHUNK } else { CHUNK / 2 });
            chunk.places.shrink_to_fit();
            let rest = Chunk { present: count(&places), places };
            chunk.present -= rest.present;
            self.chunks.insert(at + 1, rest);
        }
    }

    /// Its holder asks here; whether others are to be told; `None`: it has no place.
    pub(super) fn saw(&mut self, number: u64, now: Duration) -> Option<bool> {
        let (at, within) = self.find(number).ok()?;
        let place = &mut self.chunks[at].places[within];
        let (was_gone, was_here) = (place.heard & GONE != 0, place.heard & HERE != 0);
        place.heard = seconds(now) | CONFIRMED | HERE;
        let is_news = was_gone || !was_here || seconds(now) >= place.told + TELL_SECONDS;
        if is_news {
            place.told = seconds(now);
        }
        self.came_back(at, was_gone);
        Some(is_news)
    }

    /// Its holder asked at another member; `false`: it has no place.
    pub(super) fn heard(&mut self, number: u64, now: Duration) -> bool {
        let Ok((at, within)) = self.find(number) else { return false };
        let place = &mut self.chunks[at].places[within];
        let was_gone = place.heard & GONE != 0;
        place.heard = seconds(now) | CONFIRMED;
        self.came_back(at, was_gone);
        true
    }

    /// Another member knows it as present: so it is, if it was gone here.
    pub(super) fn revive(&mut self, number: u64, now: Duration) {
        let Ok((at, within)) = self.find(number) else { return };
        let place = &mut self.chunks[at].places[within];
        if place.heard & GONE != 0 {
            place.heard = seconds(now) | CONFIRMED;
            self.came_back(at, true);
        }
    }

    /// Takes a place away; `false`: there was none.
    pub(super) fn remove(&mut self, number: u64) -> bool {
        let Ok((at, within)) = self.find(number) else { return false };
        let place = self.chunks[at].places.remove(within);
        self.len -= 1;
        if place.heard & GONE == 0 {
            self.chunks[at].present -= 1;
            self.present -= 1;
        }
        if self.chunks[at].places.is_empty() {
            self.chunks.remove(at);
            return true;
        }
        self.join(at);
        if at > 0 {
            self.join(at - 1);
        }
        true
    }

    /// How many are present before a number.
    pub(super) fn before(&self, number: u64) -> u32 {
        let (at, within) = self.find(number).unwrap_or_else(|place| place);
        let whole: u32 = self.chunks.iter().take(at).map(|chunk| chunk.present).sum();
        whole + self.chunks.get(at).map_or(0, |chunk| count(&chunk.places[..within]))
    }

    /// The first `max` that are present; `here_only`: of those that asked here.
    pub(super) fn first(&self, max: usize, here_only: bool) -> Vec<u64> {
        let chunks = self.chunks.iter().filter(|chunk| chunk.present > 0);
        let places = chunks.flat_map(|chunk| &chunk.places).filter(|place| place.heard & GONE == 0);
        places.filter(|place| !here_only || place.heard & HERE != 0).map(|place| place.number).take(max).collect()
    }

    /// All, with whether they are present.
    pub(super) fn all(&self) -> impl Iterator<Item = (u64, bool)> {
        self.chunks.iter().flat_map(|chunk| &chunk.places).map(|place| (place.number, place.heard & GONE == 0))
    }

    /// Marks those who were not heard of for too long, so that they count no more; now and then. `first`: how long a client
    /// may take to show that it keeps tickets.
    pub(super) fn sweep(&mut self, now: Duration, absence: Duration, first: Duration) {
        if now < self.swept + SWEEP {
            return;
        }
        self.swept = now;
        for chunk in self.chunks.iter_mut().filter(|chunk| chunk.present > 0) {
            for place in chunk.places.iter_mut().filter(|place| place.heard & GONE == 0) {
                let patience = if place.heard & CONFIRMED != 0 { absence } else { absence.min(first) };
                if u64::from(seconds(now).saturating_sub(place.heard & SECONDS)) > patience.as_secs() {
                    place.heard |= GONE;
                    chunk.present -= 1;
                    self.present -= 1;
                }
            }
        }
        self.forget(now);
    }

    /// Nobody comes back with a ticket that no browser keeps any more.
    fn forget(&mut self, now: Duration) {
        let is_kept = |place: &Place| {
            place.heard & GONE == 0 || seconds(now).saturating_sub(place.heard & SECONDS) <= GONE_SECONDS
        };
        let before = self.len;
        for chunk in self.chunks.iter_mut().filter(|chunk| chunk.places.len() > chunk.present as usize) {
            let there = chunk.places.len();
            chunk.places.retain(is_kept);
            self.len -= there - chunk.places.len();
        }
        if self.len < before {
            self.tidy();
        }
    }

    /// Forgets those who are gone, from the first on, until there are no more than `max`.
    pub(super) fn trim(&mut self, max: usize) {
        let mut many = self.len.saturating_sub(max);
        for chunk in &mut self.chunks {
            if many == 0 {
                break;
            }
            chunk.places.retain(|place| {
                let goes = many > 0 && place.heard & GONE != 0;
                many -= usize::from(goes);
                self.len -= usize::from(goes);
                !goes
            });
        }
        self.tidy();
    }

    fn tidy(&mut self) {
        self.chunks.retain(|chunk| !chunk.places.is_empty());
        (0..self.chunks.len()).rev().for_each(|at| self.join(at));
    }

    /// Few that are left of many have no chunk of their own.
    fn join(&mut self, at: usize) {
        let Some(next) = self.chunks.get(at + 1) else { return };
        if self.chunks[at].places.len() + next.places.len() > CHUNK / 2 {
            return;
        }
        let Some(mut next) = self.chunks.remove(at + 1) else { return };
        let chunk = &mut self.chunks[at];
        chunk.places.append(&mut next.places);
        chunk.places.shrink_to(CHUNK / 2);
        chunk.present += next.present;
    }

    fn came_back(&mut self, at: usize, was_gone: bool) {
        self.chunks[at].present += u32::from(was_gone);
        self.present += u32::from(was_gone);
    }

    /// In which chunk it is, and where; or where it would have to be.
    fn find(&self, number: u64) -> Result<(usize, usize), (usize, usize)> {
        let behind = |chunk: &Chunk| chunk.places.last().is_some_and(|last| last.number < number);
        let at = self.chunks.partition_point(behind).min(self.chunks.len().saturating_sub(1));
        let Some(chunk) = self.chunks.get(at) else { return Err((0, 0)) };
        let found = chunk.places.binary_search_by_key(&number, |place| place.number);
        found.map(|within| (at, within)).map_err(|within| (at, within))
    }
}

fn count(places: &[Place]) -> u32 {
    places.iter().map(|place| u32::from(place.heard & GONE == 0)).sum()
}

fn seconds(now: Duration) -> u32 {
    u32::try_from(now.as_secs()).unwrap_or(SECONDS).min(SECONDS)
}

const GONE: u32 = 1 << 31;
const CONFIRMED: u32 = 1 << 30;
const HERE: u32 = 1 << 29;
const SECONDS: u32 = HERE - 1;

/// Places that are counted together, at most.
const CHUNK: usize = 1024;

/// That somebody still waits is told no more often.
const TELL_SECONDS: u32 = 5;

/// How long the place of one who is gone is kept: a little longer than browsers keep tickets.
const GONE_SECONDS: u32 = 7 * 3600;

/// How often absent ones are looked for.
const SWEEP: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    const NEW: About = About { here: true, confirmed: false, present: true };
    const ABSENCE: Duration = Duration::from_secs(60);
    const FIRST: Duration = Duration::from_secs(20);

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn who_was_not_heard_of_is_gone_and_may_come_back() {
        let mut crowd = Crowd::default();
        [30, 10, 20].iter().for_each(|number| crowd.add(*number, at(0), NEW));
        assert_eq!((crowd.first(9, false), crowd.before(30), crowd.before(99)), (vec![10, 20, 30], 2, 3));
        assert_eq!(
            (crowd.saw(20, at(4)), crowd.saw(20, at(5)), crowd.saw(20, at(6))),
            (Some(false), Some(true), Some(false))
        );
        assert!(crowd.heard(30, at(6)) && !crowd.heard(31, at(6)) && crowd.saw(31, at(6)).is_none());
        assert_eq!(crowd.first(9, true), [10, 20]);
        crowd.sweep(at(30), ABSENCE, FIRST);
        assert_eq!((crowd.first(9, false), crowd.len()), (vec![20, 30], 3), "10 never came back");
        assert_eq!((crowd.saw(10, at(31)), crowd.present()), (Some(true), 3));
        crowd.sweep(at(80), ABSENCE, FIRST);
        crowd.trim(2);
        assert_eq!((crowd.all().collect::<Vec<_>>()), [(10, true), (30, false)]);
        assert!(crowd.remove(10) && !crowd.remove(10));
        crowd.sweep(at(80 + 7 * 3600), ABSENCE, FIRST);
        assert_eq!(crowd.len(), 0, "whose ticket no browser has any more");
    }

    proptest! {
        /// Against a map that is counted anew each time, over the edges of chunks.
        #[test]
        fn places_are_counted_right(steps in proptest::collection::vec((0u8..6, 0u64..6000), 1..200)) {
            let (mut crowd, mut model, mut now) = (Crowd::default(), BTreeMap::new(), at(0));
            for (what, which) in steps {
                match what {
                    0 | 1 => for number in which..which + 700 {
                        crowd.add(number, now, NEW);
                        model.entry(number).or_insert(true);
                    },
                    2 => prop_assert_eq!(crowd.saw(which, now).is_some(), model.get_mut(&which).map(|it| *it = true).is_some()),
                    3 => for number in which..which + 300 {
                        prop_assert_eq!(crowd.remove(number), model.remove(&number).is_some());
                    },
                    4 => {
                        now += ABSENCE + SWEEP + at(1);
                        crowd.sweep(now, ABSENCE, FIRST);
                        model.values_mut().for_each(|present| *present = false);
                    }
                    _ => {
                        crowd.trim(which as usize);
                        let gone: Vec<u64> = model.iter().filter(|(_, present)| !**present).map(|(number, _)| *number).collect();
                        let many = model.len().saturating_sub(which as usize);
                        for number in gone.iter().take(many) {
                            model.remove(number);
                        }
                    }
                }
                prop_assert_eq!(crowd.len(), model.len());
                prop_assert_eq!(crowd.present() as usize, model.values().filter(|present| **present).count());
                prop_assert_eq!(crowd.before(which) as usize, model.range(..which).filter(|(_, present)| **present).count());
                prop_assert!(crowd.all().eq(model.iter().map(|(number, present)| (*number, *present))));
            }
        }
    }
}
