use super::{hash::hash_key, mix};

/// A ring of points, many a backend; a key belongs to the first point at or after its hash (Karger et al. 1997; ketama).
/// A backend's points depend on its name and weight alone, so that adding or removing another moves none of its keys.
#[derive(Debug)]
pub struct Ring {
    /// In the order of their hashes.
    points: Vec<Point>,
    /// For each value of a hash's first bits, the first point that is not before it: a search ends after a few points,
    /// where halving 160,000 of them misses the cache a dozen times.
    starts: Vec<u32>,
    /// How many bits of a hash are not among its first.
    shift: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Point {
    hash: u64,
    backend: u32,
}

/// Points for a weight of 1, as ketama has it. Measured, the fullest backend has 1.17 times the mean of the keys of 10 backends
/// of that weight, 1.23 of 100, 1.28 of 1,000.
const POINTS: u64 = 160;

/// Points of a ring; where there would be more, each backend has half as many, or a quarter and so on.
const POINTS_MAX: u64 = 1 << 20;

/// Of so many points one is found by the first bits of a hash.
const POINTS_FOR_A_START: usize = 4;

/// Points that are looked at for one that may be used.
const WALK_MAX: usize = 2_048;

impl Ring {
    pub(super) fn new(backends: &[(&str, u16)]) -> Ring {
        let wanted: u64 = backends.iter().map(|(_, weight)| POINTS * u64::from(*weight)).sum();
        let halvings = (0..63).find(|halvings| wanted >> halvings <= POINTS_MAX).unwrap_or(63);
        let mut points = Vec::new();
        for (backend, (name, weight)) in (0u32..).zip(backends) {
            let count = match weight {
                0 => 0,
                weight => ((POINTS * u64::from(*weight)) >> halvings).max(1),
            };
            let seed = hash_key(name.as_bytes());
            points.extend((0..count).map(|point| Point { hash: mix(seed ^ mix(point + 1)), backend }));
        }
        points.sort_unstable();
        let shift = u64::BITS - (points.len() / POINTS_FOR_A_START).max(2).ilog2();
        let mut starts = vec![0; 1 << (u64::BITS - shift)];
        let mut at = 0u32;
        for (first, start) in (0u64..).zip(&mut starts) {
            while points.get(at as usize).is_some_and(|point| point.hash >> shift < first) {
                at += 1;
            }
            *start = at;
        }
        Ring { points, starts, shift }
    }

    pub(super) fn find(&self, hash: u64, may: impl Fn(usize) -> bool) -> Option<usize> {
        let start = self.starts[(hash >> self.shift) as usize] as usize;
        let before = self.points[start..].iter().take_while(|point| point.hash < hash).count();
        let (before, from) = self.points.split_at(start + before);
        from.iter().chain(before).take(WALK_MAX).map(|point| point.backend as usize).find(|at| may(*at))
    }
}
