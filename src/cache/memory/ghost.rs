//! Fingerprints of what was let go lately: what comes back soon was let go too early.

/// A set-associative table: the oldest of a bucket makes room for the newest, so that the number is bounded without a queue.
pub(super) struct Ghost {
    buckets: Box<[Bucket]>,
    clock: u32,
}

/// One line of the processor's cache.
#[derive(Clone, Default)]
#[repr(align(64))]
struct Bucket([Cell; BUCKET_CELLS]);

/// A fingerprint and when it came; a stamp of 0 is empty.
#[derive(Clone, Copy, Default)]
struct Cell {
    print: u32,
    stamp: u32,
}

impl Ghost {
    pub(super) fn new() -> Self {
        Self { buckets: Box::default(), clock: 0 }
    }

    /// Notes `hash`; the table is made large enough for `items`.
    pub(super) fn remember(&mut self, hash: u128, items: usize) {
        self.fit(items);
        self.clock = self.clock.wrapping_add(1).max(1);
        let new = Cell { print: print_of(hash), stamp: self.clock };
        self.put(new);
    }

    /// Whether `hash` is among the last `within` that came; then it is no more.
    pub(super) fn take(&mut self, hash: u128, within: usize) -> bool {
        let Some(last) = self.buckets.len().checked_sub(1) else { return false };
        let (clock, print) = (self.clock, print_of(hash));
        let bucket = &mut self.buckets[print as usize & last].0;
        let Some(cell) = bucket.iter_mut().find(|cell| cell.stamp != 0 && cell.print == print) else { return false };
        let age = clock.wrapping_sub(cell.stamp) as usize;
        *cell = Cell::default();
        age < within
    }

    fn put(&mut self, new: Cell) {
        let mask = self.buckets.len() - 1;
        let clock = self.clock;
        let bucket = &mut self.buckets[new.print as usize & mask].0;
        let age = |cell: &Cell| if cell.stamp == 0 { u32::MAX } else { clock.wrapping_sub(cell.stamp) };
        let same = bucket.iter().position(|cell| cell.stamp != 0 && cell.print == new.print);
        let place = same.or_else(|| (0..BUCKET_CELLS).max_by_key(|&at| age(&bucket[at])));
        if let Some(place) = place {
            bucket[place] = new;
        }
    }

    fn fit(&mut self, items: usize) {
        let wanted = items.div_ceil(BUCKET_CELLS).max(1).next_power_of_two();
        if wanted <= self.buckets.len() {
            return;
        }
        let old = std::mem::replace(&mut self.buckets, vec![Bucket::default(); wanted].into_boxed_slice());
        for cell in old.iter().flat_map(|bucket| bucket.0).filter(|cell| cell.stamp != 0) {
            self.put(cell);
        }
    }

    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.buckets)
    }
}

/// Bits that neither the shard nor the index chooses by.
fn print_of(hash: u128) -> u32 {
    (hash >> 32) as u32
}

const BUCKET_CELLS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(at: u32) -> u128 {
        u128::from(at.wrapping_mul(0x9E37_79B1)) << 32
    }

    #[test]
    fn what_was_let_go_is_known_once_and_not_for_ever() {
        let mut ghost = Ghost::new();
        assert!(!ghost.take(hash(1), 100));
        ghost.remember(hash(1), 100);
        assert!(ghost.take(hash(1), 100));
        assert!(!ghost.take(hash(1), 100), "it was taken");
        ghost.remember(hash(1), 100);
        (2..102).for_each(|at| ghost.remember(hash(at), 100));
        assert!(!ghost.take(hash(1), 100), "a hundred came after it");
        assert!(ghost.take(hash(90), 100));
    }

    #[test]
    fn its_size_follows_the_items_and_keeps_what_it_knew() {
        let mut ghost = Ghost::new();
        (0..4).for_each(|at| ghost.remember(hash(at), 1));
        (4..1_000).for_each(|at| ghost.remember(hash(at), 1_000));
        assert_eq!(ghost.bytes(), 1_024 * 8);
        let known = (0..1_000).filter(|&at| ghost.take(hash(at), 1_000)).count();
        assert!(known > 850, "{known} of 1000 are known in 1024 cells");
    }
}
