use super::*;

/// Words that count down to free.
struct Plain;

impl Words for Plain {
    fn is_free(&self, word: u64) -> bool {
        word == 0
    }

    fn begin(&self, _last: u64, spill: u64) -> Option<u64> {
        (spill == 0).then_some(0)
    }
}

fn add(sets: &Sets, key: Key) -> (Place, u64) {
    sets.change(key, &Plain, |word| Step::Set(word + 1, word + 1))
}

#[test]
fn a_set_is_four_lines_of_a_cache_and_a_table_takes_what_it_may() {
    assert_eq!(size_of::<Set>(), 256);
    let sets = Sets::new(1 << 20, false);
    assert_eq!((sets.bytes(), sets.capacity()), (1 << 20, 4096 * WAYS));
    let counting = Sets::new(1 << 20, true);
    assert!(counting.bytes() <= 1 << 20 && counting.capacity() > 3000 * WAYS);
    assert_eq!(Sets::new(0, true).capacity(), WAYS);
}

#[test]
fn keys_are_told_apart_in_every_set() {
    let sets = Sets::new(1 << 12, false);
    let keys: Vec<Key> = (1..=100u64).map(|n| Key::of(n.wrapping_mul(0xD134_2543_DE82_EF95))).collect();
    for round in 1..=3 {
        for key in &keys {
            let (place, word) = add(&sets, *key);
            assert!(place.is_spill() || word == round);
        }
    }
    assert_eq!(Key::of(0), Key::of(1));
    assert_eq!((sets.at(Key::of(1)), sets.at(Key::of(u64::MAX))), (0, sets.sets.len() - 1));
}

#[test]
fn a_look_sees_what_a_change_would_and_leaves_nothing_behind() {
    let sets = Sets::new(1, false);
    assert_eq!(sets.look(Key::of(99), &Plain), (0, false));
    assert_eq!(sets.held(&Plain), 0);
    (1..=WAYS as u64).for_each(|n| _ = add(&sets, Key::of(n)));
    assert_eq!(sets.look(Key::of(7), &Plain), (1, false));
    assert_eq!(sets.look(Key::of(99), &Plain), (0, true));
    assert!(add(&sets, Key::of(99)).0.is_spill());
    assert_eq!((sets.look(Key::of(99), &Plain), sets.held(&Plain)), ((1, true), WAYS));
    // A cell is free, but the spill is not.
    sets.change_if(add(&sets, Key::of(7)).0, Key::of(7), |_| Step::Set(0, ()));
    assert_eq!(sets.look(Key::of(100), &Plain), (1, true));
    assert_eq!(sets.look(Key::of(7), &Plain), (0, false));
}

#[test]
fn of_a_large_table_a_part_tells_how_full_it_is() {
    let sets = Sets::new(40 << 20, false);
    let keys = 100_000u64;
    (1..=keys).for_each(|n| _ = add(&sets, Key::of(n.wrapping_mul(0xD134_2543_DE82_EF95))));
    let held = sets.held(&Plain) as u64;
    assert!(held.abs_diff(keys) < keys / 50, "{held}");
}

#[test]
fn what_is_refused_takes_no_cell() {
    let sets = Sets::new(1, false);
    for n in 1..100 {
        let (_, word) = sets.change(Key::of(n), &Plain, Step::Keep);
        assert_eq!(word, 0);
    }
    assert_eq!(sets.held(&Plain), 0);
    assert!(!add(&sets, Key::of(200)).0.is_spill());
}

#[test]
fn a_place_is_changed_only_for_the_key_that_is_there() {
    let sets = Sets::new(1, false);
    let (place, _) = add(&sets, Key::of(3));
    sets.change_if(place, Key::of(4), |_| Step::Set(9, ()));
    assert_eq!(sets.look(Key::of(3), &Plain).0, 1);
    sets.change_if(place, Key::of(3), |word| Step::Set(word + 4, ()));
    assert_eq!(sets.change_at(place, Step::Keep), 5);
    // Who found a cell before it changed hands does not change it.
    let set = &sets.sets[0];
    assert_eq!(set.try_change(usize::from(place.way), Key::of(4), &|word| Step::Set(word + 1, ())), None);
    set.words[usize::from(place.way)].store(TAKEN, Relaxed);
    assert_eq!(set.try_change(usize::from(place.way), Key::of(3), &|word| Step::Set(word - 1, ())), None);
}
