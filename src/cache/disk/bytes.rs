//! Reading and writing of numbers in fixed layouts, and the checksum of what is stored.

use twox_hash::XxHash3_64;

/// The checksum (XXH3, 64 bits) under the store's seed: records of another store, or of this one before it was emptied,
/// do not pass for its own.
pub(super) fn sum(seed: u64, bytes: &[u8]) -> u64 {
    XxHash3_64::oneshot_with_seed(seed, bytes)
}

/// Takes numbers from the front of bytes that were measured before; zero where they end.
pub(super) struct Take<'a>(pub(super) &'a [u8]);

impl Take<'_> {
    pub(super) fn array<const N: usize>(&mut self) -> [u8; N] {
        let Some((first, rest)) = self.0.split_first_chunk::<N>() else {
            self.0 = &[];
            return [0; N];
        };
        self.0 = rest;
        *first
    }

    pub(super) fn u16(&mut self) -> u16 {
        u16::from_le_bytes(self.array())
    }

    pub(super) fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.array())
    }

    pub(super) fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.array())
    }

    pub(super) fn u128(&mut self) -> u128 {
        u128::from_le_bytes(self.array())
    }
}

/// Puts a checksum of all but the last eight bytes into those.
pub(super) fn sign(seed: u64, bytes: &mut [u8]) -> u64 {
    let Some((body, last)) = bytes.split_last_chunk_mut::<8>() else { return 0 };
    let sum = sum(seed, body);
    *last = sum.to_le_bytes();
    sum
}

/// The checksum in the last eight bytes, if it is that of the others.
pub(super) fn signed(seed: u64, bytes: &[u8]) -> Option<u64> {
    let (body, last) = bytes.split_last_chunk::<8>()?;
    let wanted = u64::from_le_bytes(*last);
    (sum(seed, body) == wanted).then_some(wanted)
}
