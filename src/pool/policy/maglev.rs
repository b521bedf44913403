use super::{hash::hash_key, mix};

/// A table that each backend fills along a permutation of its own, in turns by weight, so that shares are equal almost to
/// an entry (Eisenbud et al., Maglev, NSDI 2016 §3.4).
#[derive(Debug)]
pub struct Maglev(Vec<u32>);

/// Primes; the first that has enough entries for each backend is the table's size.
const SIZES: [usize; 6] = [65_537, 131_101, 262_147, 524_309, 1_048_583, 2_097_169];

/// Entries for each backend: the more, the fewer keys move that need not when one leaves. Measured, for each key of the one
/// that left, with equal weights: 1.01 keys move of 10 backends, 1.08 of 100; then the largest size is reached, and it is 1.18
/// of 200, 2.3 of 1,000. With weights from 1 to 5: 1.02, 1.09, 1.3, 4.8 at worst. The fullest backend of 10 has 1.002 times
/// the mean of 4 million keys, of 100 it has 1.02.
const ENTRIES_MIN: usize = 12_000;

/// Other entries that are looked at for one whose backend may be used.
const REHASHES: u64 = 16;

impl Maglev {
    pub(super) fn new(backends: &[(&str, u16)]) -> Maglev {
        let count = backends.iter().filter(|(_, weight)| *weight > 0).count();
        let size = SIZES.into_iter().find(|size| *size >= count * ENTRIES_MIN).unwrap_or(SIZES[SIZES.len() - 1]);
        let mut fillers: Vec<Filler> = (0u32..)
            .zip(backends)
            .filter(|(_, (_, weight))| *weight > 0)
            .map(|(backend, (name, weight))| Filler::new(backend, name, *weight, size))
            .collect();
        let mut table = vec![0; if count > 0 { size } else { 0 }];
        // A bit an entry: the way to a free one is long towards the end, and the table is larger than the cache.
        let mut taken = vec![0; table.len().div_ceil(64)];
        let heaviest = fillers.iter().map(|filler| filler.weight).max().unwrap_or(1);
        let mut empty = table.len();
        'full: loop {
            for filler in &mut fillers {
                filler.credit += filler.weight;
                // The heaviest has a turn in each round, the others by their weight.
                if filler.credit < heaviest {
                    continue;
                }
                filler.credit -= heaviest;
                if empty == 0 {
                    break 'full;
                }
                table[filler.take(&mut taken)] = filler.backend;
                empty -= 1;
            }
            if empty == 0 {
                break;
            }
        }
        Maglev(table)
    }

    pub(super) fn find(&self, hash: u64, may: impl Fn(usize) -> bool) -> Option<usize> {
        let entry = |hash: u64| self.0.get(super::scaled(hash, self.0.len() as u64) as usize).map(|at| *at as usize);
        let mut hash = hash;
        for _ in 0..=REHASHES {
            let at = entry(hash)?;
            if may(at) {
                return Some(at);
            }
            hash = mix(hash.wrapping_add(1));
        }
        None
    }
}

/// One backend's way through the table.
struct Filler {
    backend: u32,
    weight: u64,
    credit: u64,
    next: usize,
    skip: usize,
    size: usize,
}

impl Filler {
    fn new(backend: u32, name: &str, weight: u16, size: usize) -> Filler {
        let hash = hash_key(name.as_bytes());
        // Any skip from 1 on leads through all entries, as their number is prime.
        let (next, skip) = (hash % size as u64, mix(hash) % (size as u64 - 1) + 1);
        Filler { backend, weight: u64::from(weight), credit: 0, next: next as usize, skip: skip as usize, size }
    }

    /// Takes the first entry on its way that is free; there is one.
    fn take(&mut self, taken: &mut [u64]) -> usize {
        loop {
            let at = self.next;
            self.next += self.skip;
            if self.next >= self.size {
                self.next -= self.size;
            }
            let (word, bit) = (&mut taken[at / 64], 1 << (at % 64));
            if *word & bit == 0 {
                *word |= bit;
                return at;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_size_is_prime_so_that_each_way_leads_through_the_whole_table() {
        for size in SIZES {
            assert!((2..).take_while(|factor| factor * factor <= size).all(|factor| size % factor != 0), "{size}");
        }
    }
}
