//! Where a record is, in eight bytes.

use super::record::UNIT_BYTES;
use std::num::NonZeroU64;

/// A segment, where in it a record begins and how long it is. Never zero: a segment begins with its header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Place(NonZeroU64);

impl Place {
    /// `at` and `len` in bytes, multiples of a unit.
    pub(super) fn new(segment: u32, at: u32, len: u32) -> Place {
        let units = |bytes: u32| (u64::from(bytes) / UNIT_BYTES) & UNITS_MASK;
        let bits = (u64::from(segment) << (2 * UNITS_BITS)) | (units(at) << UNITS_BITS) | units(len);
        Place(NonZeroU64::new(bits).expect("a record begins behind the header of its segment"))
    }

    pub(super) fn segment(self) -> u32 {
        (self.0.get() >> (2 * UNITS_BITS)) as u32
    }

    /// Where it begins in its segment, in bytes.
    pub(super) fn at(self) -> u64 {
        ((self.0.get() >> UNITS_BITS) & UNITS_MASK) * UNIT_BYTES
    }

    /// Its bytes.
    pub(super) fn len(self) -> u64 {
        (self.0.get() & UNITS_MASK) * UNIT_BYTES
    }
}

/// 2²² units of 16 bytes are the 64 MiB of the largest segment.
const UNITS_BITS: u32 = 22;
const UNITS_MASK: u64 = (1 << UNITS_BITS) - 1;
/// Segments that a store can have: what is left of the 64 bits.
pub(super) const SEGMENTS_MAX: u64 = 1 << (64 - 2 * UNITS_BITS);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_record_of_the_last_segment_has_a_place() {
        let (segment, at) = ((SEGMENTS_MAX - 1) as u32, (64 << 20) - 16);
        let place = Place::new(segment, at, 16);
        assert_eq!((place.segment(), place.at(), place.len()), (segment, u64::from(at), 16));
    }
}
