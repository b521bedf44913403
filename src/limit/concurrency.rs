use super::Cursor;
use super::sets::{Key, Place, Sets, Step, Words};

/// How many exchanges each key has in flight, over all workers.
pub struct Concurrency {
    sets: Sets,
}

/// How many a key may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// So many.
    pub max: u32,
    /// Those that others have of it, as far as it is known, are among them.
    pub with_others: bool,
}

/// The lowest bits of a word count. Then follows how many others have, as far as that was heard. The high bits say how often
/// the cell changed hands, so that who saw it under another key cannot change it.
struct Counts;

impl Words for Counts {
    fn is_free(&self, word: u64) -> bool {
        word & (COUNT | OTHERS) == 0
    }

    // Who is in by the spill may be this key: until all of them are gone, nobody begins anew.
    fn begin(&self, last: u64, spill: u64) -> Option<u64> {
        (count(spill) == 0).then(|| (last & HANDS).wrapping_add(HAND) & HANDS)
    }
}

impl Concurrency {
    /// A table of so many bytes. `is_shared`: what changes is kept for [`report`](Self::report), which must then be called: a
    /// cell is not free before.
    #[must_use]
    pub fn new(bytes: usize, is_shared: bool) -> Concurrency {
        Concurrency { sets: Sets::new(bytes, is_shared) }
    }

    /// Whether a key that comes now would find room, and how many more; and whether as one of those who share. Nothing is
    /// counted.
    #[must_use]
    pub fn room(&self, key: Key, room: Room) -> (Option<u32>, bool) {
        let (word, is_spill) = self.sets.look(key, &Counts);
        let left = room.left(word);
        if left.is_none() {
            // What others have may be less by now.
            self.sets.note_key(key);
        }
        (left, is_spill)
    }

    /// Counts one more of that key, unless it has all that it may; where it is to [`leave`](Self::leave), and how many more
    /// would find room.
    pub fn enter(&self, key: Key, room: Room) -> (Place, Option<u32>) {
        let (place, left) = self.sets.change(key, &Counts, |word| match room.left(word) {
            Some(left) => Step::Set(word + 1, Some(left)),
            None => Step::Keep(None),
        });
        match left {
            Some(_) => self.sets.note(place, 1),
            None => self.sets.note_key(key),
        }
        (place, left)
    }

    /// One that entered there is gone.
    pub fn leave(&self, place: Place) {
        // Before it is free, or another key has the cell when this is noted.
        self.sets.note(place, 1);
        self.sets.change_at(place, |word| match count(word) {
            0 => Step::Keep(()),
            _ => Step::Set(word - 1, ()),
        });
        self.sets.note(place, 1);
    }

    /// Gives keys that entered, left or were refused since they were given last, at most `max` of them, with how many each has
    /// now. The next call goes on after them.
    pub fn report(&self, cursor: &mut Cursor, max: usize, mut give: impl FnMut(Key, u32)) {
        self.sets.report(&mut cursor.0, max, |key, word, _| give(key, count(word)));
    }

    /// Others have so many of a key now.
    pub fn take(&self, key: Key, others: u32) {
        let others = u64::from(others.min(COUNT as u32)) << OTHERS_SHIFT;
        self.sets.change_own(key, |word| word & !OTHERS | others);
    }

    /// All keys of which this member or another has some are to be given again.
    pub fn give_again(&self) {
        self.sets.note_held(&Counts);
    }

    /// Keys that have some. Of a very large table, an estimate.
    #[must_use]
    pub fn held(&self) -> usize {
        self.sets.held(&Counts)
    }

    /// Keys that it can hold.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.sets.capacity()
    }
}

impl Room {
    /// All of it is this process's.
    #[must_use]
    pub fn whole(max: u32) -> Room {
        Room { max, with_others: false }
    }

    /// How many more beyond one that comes now; `None`: not even that.
    fn left(self, word: u64) -> Option<u32> {
        let others = if self.with_others { ((word & OTHERS) >> OTHERS_SHIFT) as u32 } else { 0 };
        self.max.checked_sub(count(word) + 1 + others)
    }
}

fn count(word: u64) -> u32 {
    (word & COUNT) as u32
}

/// A million exchanges of a key at once, which is the most that may be configured, and some more.
const COUNT: u64 = (1 << 20) - 1;
const OTHERS: u64 = COUNT << OTHERS_SHIFT;
const OTHERS_SHIFT: u32 = 20;

/// One bit less than there is, so that no word is that of a cell which changes hands.
const HANDS: u64 = (u64::MAX >> 1) & !(HAND - 1);
const HAND: u64 = 1 << 40;

#[cfg(test)]
mod tests {
    use super::super::sets::WAYS;
    use super::*;
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
    use std::thread;

    fn key(n: u64) -> Key {
        Key::of(n.wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }

    #[test]
    fn a_key_has_so_many_at_once_and_others_have_theirs() {
        let table = Concurrency::new(1 << 16, false);
        let (first, left) = table.enter(key(1), Room::whole(2));
        assert_eq!((left, table.room(key(1), Room::whole(2))), (Some(1), (Some(0), false)));
        assert_eq!(table.enter(key(1), Room::whole(2)).1, Some(0));
        assert_eq!((table.enter(key(1), Room::whole(2)).1, table.room(key(1), Room::whole(2))), (None, (None, false)));
        assert_eq!(table.enter(key(2), Room::whole(2)).1, Some(1));
        assert_eq!(table.held(), 2);
        table.leave(first);
        assert_eq!(table.enter(key(1), Room::whole(2)).1, Some(0));
        assert_eq!(table.enter(key(3), Room::whole(0)).1, None);
    }

    #[test]
    fn a_full_set_shares_and_nobody_has_more_than_his_due() {
        let table = Concurrency::new(1, false);
        let held: Vec<_> = (1..=WAYS as u64).map(|n| table.enter(key(n), Room::whole(3)).0).collect();
        assert!(held.iter().all(|place| !place.is_spill()));
        // Newcomers share three places.
        let spilled: Vec<_> = [80, 80, 90].map(|n| table.enter(key(n), Room::whole(3))).to_vec();
        assert!(spilled.iter().all(|(place, room)| place.is_spill() && room.is_some()));
        assert_eq!((table.enter(key(90), Room::whole(3)).1, table.enter(key(100), Room::whole(3)).1), (None, None));
        // Those who have cells are none the worse for it.
        assert_eq!(table.enter(key(1), Room::whole(3)).1, Some(1));
        // A cell comes free, but number 80 is in by the spill.
        table.leave(held[6]);
        assert_eq!(table.enter(key(80), Room::whole(3)).1, None);
        spilled.iter().for_each(|(place, _)| table.leave(*place));
        let (place, left) = table.enter(key(80), Room::whole(3));
        assert_eq!((place.is_spill(), left), (false, Some(2)));
    }

    #[test]
    fn a_cell_that_changes_hands_never_has_a_word_that_it_had_before() {
        let table = Concurrency::new(1, false);
        let mut words = Vec::new();
        for n in 0..100 {
            let (place, _) = table.enter(key(n), Room::whole(1));
            words.push(table.sets.look(key(n), &Counts).0);
            table.leave(place);
        }
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), 100);
        // After very many hands it begins anew, and is never the word of a cell that is being taken.
        assert_eq!(Counts.begin(HANDS, 0), Some(0));
    }

    #[test]
    fn members_that_tell_each_other_have_no_more_of_a_key_than_one_may() {
        const ROOM: Room = Room { max: 10, with_others: true };
        let members: Vec<_> = (0..3).map(|_| Concurrency::new(1 << 12, true)).collect();
        let mut told = [0; 3];
        let mut beat = || {
            for (at, member) in members.iter().enumerate() {
                let mut lines = Vec::new();
                member.report(&mut Cursor::default(), 10, |key, own| lines.push((key, own)));
                for (key, own) in lines {
                    told[at] = own;
                    member.take(key, told.iter().sum::<u32>() - own);
                }
            }
        };
        let enter = |at: usize, wanted: usize| -> Vec<Place> {
            let enter = |_| members[at].enter(key(1), ROOM);
            (0..wanted).map(enter).filter_map(|(place, left)| left.map(|_| place)).collect()
        };
        // One that is asked alone has all of it, at once.
        let mut first = enter(0, 12);
        beat();
        // Another has not heard of that before it has told something: so much is beyond.
        let second = enter(1, 2);
        assert_eq!((first.len(), second.len()), (10, 2));
        beat();
        assert_eq!((enter(1, 1).len(), members[1].room(key(1), ROOM)), (0, (None, false)));
        second.into_iter().for_each(|place| members[1].leave(place));
        beat();
        assert_eq!(enter(1, 1).len(), 0, "what others have is not forgotten while there is nobody here");
        first.drain(..4).for_each(|place| members[0].leave(place));
        beat();
        beat();
        assert_eq!(enter(1, 1).len(), 1, "who was refused hears of what is free");
        beat();
        assert_eq!(enter(0, 9).len(), 4, "it has told nothing since, and so has not heard: one is beyond");
        beat();
        assert_eq!((enter(0, 1).len(), members[0].room(key(1), Room { max: 20, ..ROOM }).0), (0, Some(8)));
        // Without a word each has its part, whatever others have.
        assert_eq!(members[1].room(key(1), Room { max: 3, with_others: false }).0, Some(1));
        // What is given again is what anybody has; the cell of a key that nobody has is free.
        let again = |member: &Concurrency| {
            let mut lines = Vec::new();
            member.give_again();
            member.report(&mut Cursor::default(), 10, |key, own| lines.push((key, own)));
            lines
        };
        assert_eq!(
            (again(&members[0]), again(&members[1]), again(&members[2])),
            (vec![(key(1), 10)], vec![(key(1), 1)], vec![])
        );
        members[1].take(key(1), 0);
        assert_eq!(members[1].held(), 1);
        members[2].take(key(1), 9);
        assert_eq!(members[2].held(), 0, "what was never asked for here takes no cell");
    }

    #[test]
    fn who_left_too_often_takes_nothing_from_others() {
        let table = Concurrency::new(1, false);
        let (place, _) = table.enter(key(1), Room::whole(1));
        table.leave(place);
        table.leave(place);
        assert_eq!((table.enter(key(1), Room::whole(1)).1, table.enter(key(1), Room::whole(1)).1), (Some(0), None));
    }

    /// One set for more keys than it has cells: cells change hands all the time.
    #[test]
    fn on_many_threads_no_key_is_ever_over_its_bound() {
        const THREADS: usize = 4;
        const KEYS: usize = 25;
        const MAX: u32 = 2;
        const ROUNDS: u64 = 20_000;
        let (table, start) = (Concurrency::new(1, false), Barrier::new(THREADS));
        let inside: Vec<AtomicU32> = (0..KEYS).map(|_| AtomicU32::new(0)).collect();
        thread::scope(|scope| {
            for thread in 0..THREADS as u64 {
                let (table, start, inside) = (&table, &start, &inside);
                scope.spawn(move || {
                    start.wait();
                    let mut random = thread + 1;
                    let mut held: Vec<(usize, Place)> = Vec::new();
                    for _ in 0..ROUNDS {
                        random = random.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(1);
                        let n = (random >> 33) as usize % KEYS;
                        if held.len() > 2 || random >> 63 == 0 {
                            if let Some((n, place)) = held.pop() {
                                inside[n].fetch_sub(1, Relaxed);
                                table.leave(place);
                            }
                        } else if let (place, Some(_)) = table.enter(key(n as u64), Room::whole(MAX)) {
                            assert!(inside[n].fetch_add(1, Relaxed) < MAX);
                            held.push((n, place));
                        }
                    }
                    held.into_iter().for_each(|(n, place)| {
                        inside[n].fetch_sub(1, Relaxed);
                        table.leave(place);
                    });
                });
            }
        });
        assert_eq!(table.held(), 0);
    }
}
