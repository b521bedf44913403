use super::sets::{Key, Place, Sets, Step, Words};

/// How many exchanges each key has in flight, over all workers.
pub struct Concurrency {
    sets: Sets,
}

/// The low half of a word counts; the high half says how often the cell changed hands, so that who saw it under another key
/// cannot change it.
struct Counts;

impl Words for Counts {
    fn is_free(&self, word: u64) -> bool {
        count(word) == 0
    }

    // Who is in by the spill may be this key: until all of them are gone, nobody begins anew.
    fn begin(&self, last: u64, spill: u64) -> Option<u64> {
        (count(spill) == 0).then(|| (last & !COUNT).wrapping_add(COUNT + 1) & HANDS)
    }
}

impl Concurrency {
    /// A table of so many bytes.
    #[must_use]
    pub fn new(bytes: usize) -> Concurrency {
        Concurrency { sets: Sets::new(bytes, false) }
    }

    /// Whether a key that comes now would find room, and how many more; and whether as one of those who share. Nothing is
    /// counted.
    #[must_use]
    pub fn room(&self, key: Key, max: u32) -> (Option<u32>, bool) {
        let (word, is_spill) = self.sets.look(key, &Counts);
        (max.checked_sub(count(word) + 1), is_spill)
    }

    /// Counts one more of that key, unless it has `max` already; where it is to [`leave`](Self::leave), and how many more
    /// would find room.
    pub fn enter(&self, key: Key, max: u32) -> (Place, Option<u32>) {
        self.sets.change(key, &Counts, |word| match max.checked_sub(count(word) + 1) {
            Some(left) => Step::Set(word + 1, Some(left)),
            None => Step::Keep(None),
        })
    }

    /// One that entered there is gone.
    pub fn leave(&self, place: Place) {
        self.sets.change_at(place, |word| match count(word) {
            0 => Step::Keep(()),
            _ => Step::Set(word - 1, ()),
        });
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

fn count(word: u64) -> u32 {
    (word & COUNT) as u32
}

const COUNT: u64 = 0xFFFF_FFFF;

/// One bit less than there is, so that no word is that of a cell which changes hands.
const HANDS: u64 = 0x7FFF_FFFF_0000_0000;

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
        let table = Concurrency::new(1 << 16);
        let (first, left) = table.enter(key(1), 2);
        assert_eq!((left, table.room(key(1), 2)), (Some(1), (Some(0), false)));
        assert_eq!(table.enter(key(1), 2).1, Some(0));
        assert_eq!((table.enter(key(1), 2).1, table.room(key(1), 2)), (None, (None, false)));
        assert_eq!(table.enter(key(2), 2).1, Some(1));
        assert_eq!(table.held(), 2);
        table.leave(first);
        assert_eq!(table.enter(key(1), 2).1, Some(0));
        assert_eq!(table.enter(key(3), 0).1, None);
    }

    #[test]
    fn a_full_set_shares_and_nobody_has_more_than_his_due() {
        let table = Concurrency::new(1);
        let held: Vec<_> = (1..=WAYS as u64).map(|n| table.enter(key(n), 3).0).collect();
        assert!(held.iter().all(|place| !place.is_spill()));
        // Newcomers share three places.
        let spilled: Vec<_> = [80, 80, 90].map(|n| table.enter(key(n), 3)).to_vec();
        assert!(spilled.iter().all(|(place, room)| place.is_spill() && room.is_some()));
        assert_eq!((table.enter(key(90), 3).1, table.enter(key(100), 3).1), (None, None));
        // Those who have cells are none the worse for it.
        assert_eq!(table.enter(key(1), 3).1, Some(1));
        // A cell comes free, but number 80 is in by the spill.
        table.leave(held[6]);
        assert_eq!(table.enter(key(80), 3).1, None);
        spilled.iter().for_each(|(place, _)| table.leave(*place));
        let (place, left) = table.enter(key(80), 3);
        assert_eq!((place.is_spill(), left), (false, Some(2)));
    }

    #[test]
    fn a_cell_that_changes_hands_never_has_a_word_that_it_had_before() {
        let table = Concurrency::new(1);
        let mut words = Vec::new();
        for n in 0..100 {
            let (place, _) = table.enter(key(n), 1);
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
    fn who_left_too_often_takes_nothing_from_others() {
        let table = Concurrency::new(1);
        let (place, _) = table.enter(key(1), 1);
        table.leave(place);
        table.leave(place);
        assert_eq!((table.enter(key(1), 1).1, table.enter(key(1), 1).1), (Some(0), None));
    }

    /// One set for more keys than it has cells: cells change hands all the time.
    #[test]
    fn on_many_threads_no_key_is_ever_over_its_bound() {
        const THREADS: usize = 4;
        const KEYS: usize = 25;
        const MAX: u32 = 2;
        const ROUNDS: u64 = 20_000;
        let (table, start) = (Concurrency::new(1), Barrier::new(THREADS));
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
                        } else if let (place, Some(_)) = table.enter(key(n as u64), MAX) {
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
