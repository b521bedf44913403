//! Where the newest item of a hash stands: an open-addressing table of 8-byte cells, probed in a line.

/// The table. A hash stands in it once; its home is its low bits, since it is keyed and so evenly spread.
pub(super) struct Index {
    cells: Box<[Cell]>,
    used: usize,
}

/// The low 32 bits of a hash, then one more than a place in the slab; 0 is empty.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Cell(u64);

impl Index {
    pub(super) fn new() -> Self {
        Self { cells: Box::default(), used: 0 }
    }

    /// The place that stands under `hash`, of those which `is` confirms.
    pub(super) fn get(&self, hash: u128, is: impl Fn(u32) -> bool) -> Option<u32> {
        let place = self.cell_of(hash as u32, is)?;
        self.cells[place].at()
    }

    /// Puts `at` under `hash`, which must have been asked for and not be there.
    pub(super) fn insert(&mut self, hash: u128, at: u32) {
        if (self.used + 1) * FULL_OF > self.cells.len() * FULL {
            self.grow();
        }
        let cell = Cell::new(hash as u32, at);
        put(&mut self.cells, cell);
        self.used += 1;
    }

    /// Puts `to` where `from` stood.
    pub(super) fn replace(&mut self, hash: u128, from: u32, to: u32) {
        if let Some(place) = self.cell_of(hash as u32, |at| at == from) {
            self.cells[place] = Cell::new(hash as u32, to);
        }
    }

    /// Removes `at`, and moves what stood behind it nearer to its home, so that no gap ends a search early.
    pub(super) fn remove(&mut self, hash: u128, at: u32) {
        let Some(mut gap) = self.cell_of(hash as u32, |other| other == at) else { return };
        self.used -= 1;
        let mask = self.cells.len() - 1;
        let mut place = (gap + 1) & mask;
        while self.cells[place] != Cell::default() {
            let home = self.cells[place].tag() as usize & mask;
            let far = place.wrapping_sub(home) & mask;
            if far >= (place.wrapping_sub(gap) & mask) {
                self.cells[gap] = self.cells[place];
                gap = place;
            }
            place = (place + 1) & mask;
        }
        self.cells[gap] = Cell::default();
    }

    fn cell_of(&self, tag: u32, is: impl Fn(u32) -> bool) -> Option<usize> {
        if self.cells.is_empty() {
            return None;
        }
        let mask = self.cells.len() - 1;
        let mut place = tag as usize & mask;
        // Ends: a table is never full.
        while let Some(at) = self.cells[place].at() {
            if self.cells[place].tag() == tag && is(at) {
                return Some(place);
            }
            place = (place + 1) & mask;
        }
        None
    }

    fn grow(&mut self) {
        let mut cells = vec![Cell::default(); (self.cells.len() * 2).max(CELLS_MIN)].into_boxed_slice();
        for cell in self.cells.iter().filter(|cell| **cell != Cell::default()) {
            put(&mut cells, *cell);
        }
        self.cells = cells;
    }

    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.cells)
    }
}

fn put(cells: &mut [Cell], cell: Cell) {
    let mask = cells.len() - 1;
    let mut place = cell.tag() as usize & mask;
    while cells[place] != Cell::default() {
        place = (place + 1) & mask;
    }
    cells[place] = cell;
}

impl Cell {
    fn new(tag: u32, at: u32) -> Self {
        Self(u64::from(tag) << 32 | (u64::from(at) + 1))
    }

    fn tag(self) -> u32 {
        (self.0 >> 32) as u32
    }

    fn at(self) -> Option<u32> {
        (self.0 as u32).checked_sub(1)
    }
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

    proptest! {
        #[test]
        fn it_finds_what_a_map_finds(steps in prop::collection::vec((0u8..3, 0u32..64), 1..200)) {
            let mut index = Index::new();
            let mut model: HashMap<u128, u32> = HashMap::new();
            for (at, (what, key)) in steps.into_iter().enumerate() {
                let (hash, at) = (hash_of(key), at as u32);
                match (what, model.get(&hash).copied()) {
                    (0, Some(old)) => {
                        index.remove(hash, old);
                        model.remove(&hash);
                    }
                    (1, Some(old)) => {
                        index.replace(hash, old, at);
                        model.insert(hash, at);
                    }
                    (_, None) => {
                        index.insert(hash, at);
                        model.insert(hash, at);
                    }
                    _ => {}
                }
                prop_assert_eq!(index.used, model.len());
            }
            for hash in (0..64).map(hash_of) {
                let expected = model.get(&hash).copied();
                prop_assert_eq!(index.get(hash, |at| Some(at) == expected), expected);
            }
        }
    }

    fn hash_of(key: u32) -> u128 {
        u128::from(key % 8) << 29 | u128::from(key / 8) << 40
    }
}
