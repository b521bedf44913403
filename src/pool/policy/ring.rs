use super::{hash::hash_key, mix};

/// A ring of points, many a backend; a key belongs to the first point at or after its hash (Karger et al. 1997; ketama).
/// A backend's points depend on its name and weight alone, so that adding or removing another moves none of its keys.
#[derive(Debug)]
pub struct Ring(Vec<Point>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Point {
    hash: u64,
    backend: u32,
}

/// Points for a weight of 1, as ketama has it.
const POINTS: u64 = 160;

/// Points of a ring; where there would be more, each backend has half as many, or a quarter and so on.
const POINTS_MAX: u64 = 1 << 20;

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
        Ring(points)
    }

    pub(super) fn find(&self, hash: u64, may: impl Fn(usize) -> bool) -> Option<usize> {
        let start = self.0.partition_point(|point| point.hash < hash);
        let (before, from) = self.0.split_at(start);
        from.iter().chain(before).take(WALK_MAX).map(|point| point.backend as usize).find(|at| may(*at))
    }
}
