//! The newest item of a hash: an open-addressing table, probed in a line. An item stands in it itself, so that a hit touches nothing
//! else of the tier.

use super::Held;
use super::prefetch::{self, Hint};
use std::sync::Arc;

/// The table. A hash stands in it once; its home is its low bits, since it is keyed and so evenly spread.
pub(super) struct Index<T> {
    cells: Box<[Option<Cell<T>>]>,
    used: usize,
}

/// The low 32 bits of a hash, an item under it, its place in the slab, and where what a finder reads of it lies: else that could be
/// asked for only when the item is there.
struct Cell<T> {
    item: Arc<T>,
    tag: u32,
    at: u32,
    hints: [Hint; 2],
}

impl<T: Held> Cell<T> {
    fn new(at: u32, item: Arc<T>) -> Self {
        let hints = item.reads().map(|bytes| Hint::new(&*item, bytes));
        Self { tag: item.hash() as u32, at, hints, item }
    }

    fn prefetch(&self) {
        prefetch::item(&*self.item);
        for hint in self.hints {
            hint.prefetch(&*self.item);
        }
    }
}

impl<T: Held> Index<T> {
    pub(super) fn new() -> Self {
        Self { cells: Box::default(), used: 0 }
    }

    /// The item that stands under `hash`, and its place.
    pub(super) fn get(&self, hash: u128) -> Option<(u32, &Arc<T>)> {
        let place = self.place_of(hash as u32, |cell| {
            cell.prefetch();
            cell.item.hash() == hash
        })?;
        self.cells[place].as_ref().map(|cell| (cell.at, &cell.item))
    }

    /// Puts `item`, which stands at `at`, under its hash, which must have been asked for and not be there.
    pub(super) fn insert(&mut self, at: u32, item: Arc<T>) {
        if (self.used + 1) * FULL_OF > self.cells.len() * FULL {
            self.grow();
        }
        put(&mut self.cells, Cell::new(at, item));
        self.used += 1;
    }

    /// Puts `item`, which stands at `to`, where `from` stood.
    pub(super) fn replace(&mut self, from: u32, to: u32, item: Arc<T>) {
        let tag = item.hash() as u32;
        if let Some(place) = self.place_of(tag, |cell| cell.at == from) {
            self.cells[place] = Some(Cell::new(to, item));
        }
    }

    /// Removes `at`, and moves what stood behind it nearer to its home, so that no gap ends a search early.
    pub(super) fn remove(&mut self, hash: u128, at: u32) {
        let Some(mut gap) = self.place_of(hash as u32, |cell| cell.at == at) else { return };
        self.used -= 1;
        self.cells[gap] = None;
        let mask = self.cells.len() - 1;
        let mut place = (gap + 1) & mask;
        while let Some(cell) = &self.cells[place] {
            let far = place.wrapping_sub(cell.tag as usize) & mask;
            if far >= (place.wrapping_sub(gap) & mask) {
                self.cells.swap(gap, place);
                gap = place;
            }
            place = (place + 1) & mask;
        }
    }

    fn place_of(&self, tag: u32, is: impl Fn(&Cell<T>) -> bool) -> Option<usize> {
        if self.cells.is_empty() {
            return None;
        }
        let mask = self.cells.len() - 1;
        let mut place = tag as usize & mask;
        // Ends: a table is never full.
        while let Some(cell) = &self.cells[place] {
            if cell.tag == tag && is(cell) {
                return Some(place);
            }
            place = (place + 1) & mask;
        }
        None
    }

    fn grow(&mut self) {
        let mut cells = empty((self.cells.len() * 2).max(CELLS_MIN));
        for cell in std::mem::take(&mut self.cells).into_iter().flatten() {
            put(&mut cells, cell);
        }
        self.cells = cells;
    }

    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.cells)
    }
}

fn empty<T>(cells: usize) -> Box<[Option<Cell<T>>]> {
    std::iter::repeat_with(|| None).take(cells).collect()
}

fn put<T>(cells: &mut [Option<Cell<T>>], cell: Cell<T>) {
    let mask = cells.len() - 1;
    let mut place = cell.tag as usize & mask;
    while cells[place].is_some() {
        place = (place + 1) & mask;
    }
    cells[place] = Some(cell);
}

/// A table grows when it is fuller than `FULL` of `FULL_OF` parts.
const FULL: usize = 3;
const FULL_OF: usize = 4;

/// Cells of the smallest table that is not empty; a power of two.
const CELLS_MIN: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;
    use std::sync::atomic::AtomicU8;

    struct Item(u128, AtomicU8);

    impl Held for Item {
        fn hash(&self) -> u128 {
            self.0
        }

        fn bytes(&self) -> usize {
            0
        }

        fn mark(&self) -> &AtomicU8 {
            &self.1
        }
    }

    #[test]
    fn a_cell_is_small() {
        assert_eq!(size_of::<Option<Cell<Item>>>(), 24);
    }

    proptest! {
        #[test]
        fn it_finds_what_a_map_finds(steps in prop::collection::vec((0u8..3, 0u32..64), 1..200)) {
            let mut index = Index::new();
            let mut model: HashMap<u128, u32> = HashMap::new();
            for (at, (what, key)) in steps.into_iter().enumerate() {
                let (hash, at) = (hash_of(key), at as u32);
                let item = Arc::new(Item(hash, AtomicU8::new(0)));
                match (what, model.get(&hash).copied()) {
                    (0, Some(old)) => {
                        index.remove(hash, old);
                        model.remove(&hash);
                    }
                    (1, Some(old)) => {
                        index.replace(old, at, item);
                        model.insert(hash, at);
                    }
                    (_, None) => {
                        index.insert(at, item);
                        model.insert(hash, at);
                    }
                    _ => {}
                }
                prop_assert_eq!(index.used, model.len());
            }
            for hash in (0..64).map(hash_of) {
                prop_assert_eq!(index.get(hash).map(|(at, _)| at), model.get(&hash).copied());
                prop_assert!(index.get(hash).is_none_or(|(_, item)| item.0 == hash));
            }
        }
    }

    fn hash_of(key: u32) -> u128 {
        u128::from(key % 8) << 29 | u128::from(key / 8) << 40
    }
}
