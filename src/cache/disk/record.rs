//! How a record stands in the log: a header, then what is known of it, then its content, filled up to a unit.

use super::bytes::{Take, sign, signed, sum};

/// The header of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// What it says.
    pub kind: Kind,
    /// The turn of the segment that it was written in.
    pub turn: u64,
    /// The checksum of the header before it in the segment: what an earlier life of the segment left does not follow.
    pub previous: u64,
    /// Hash of the primary key.
    pub hash: u128,
    /// Which variant of the key.
    pub variant: u64,
    /// The generation at which its fetch began.
    pub born: u64,
    /// When it is of no use any more, in milliseconds since the epoch.
    pub expires_ms: u64,
    /// Bytes of what is known of it.
    pub meta_len: u32,
    /// Bytes of its content.
    pub body_len: u32,
    /// Checksum of what is known of it.
    pub meta_sum: u64,
    /// Checksum of its content.
    pub body_sum: u64,
}

/// What a record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A response is stored.
    Stored,
    /// This variant is removed.
    Removed,
    /// All variants under the hash are removed.
    RemovedAll,
}

impl Kind {
    pub(super) fn number(self) -> u16 {
        match self {
            Self::Stored => 1,
            Self::Removed => 2,
            Self::RemovedAll => 3,
        }
    }

    pub(super) fn of(number: u16) -> Option<Kind> {
        [Self::Stored, Self::Removed, Self::RemovedAll].into_iter().find(|kind| kind.number() == number)
    }
}

impl Header {
    /// As it is written, and its checksum.
    #[must_use]
    pub fn encode(&self, seed: u64) -> ([u8; HEADER_BYTES], u64) {
        let mut out = [0; HEADER_BYTES];
        let fields: [&[u8]; 13] = [
            MAGIC,
            &VERSION.to_le_bytes(),
            &self.kind.number().to_le_bytes(),
            &self.turn.to_le_bytes(),
            &self.previous.to_le_bytes(),
            &self.hash.to_le_bytes(),
            &self.variant.to_le_bytes(),
            &self.born.to_le_bytes(),
            &self.expires_ms.to_le_bytes(),
            &self.meta_len.to_le_bytes(),
            &self.body_len.to_le_bytes(),
            &self.meta_sum.to_le_bytes(),
            &self.body_sum.to_le_bytes(),
        ];
        let mut at = 0;
        for field in fields {
            out[at..at + field.len()].copy_from_slice(field);
            at += field.len();
        }
        let sum = sign(seed, &mut out);
        (out, sum)
    }

    /// Reads one from the front of `bytes`, with its checksum; `None` if there is none that is whole.
    #[must_use]
    pub fn decode(bytes: &[u8], seed: u64) -> Option<(Header, u64)> {
        let bytes = bytes.first_chunk::<HEADER_BYTES>()?;
        if !bytes.starts_with(MAGIC) {
            return None;
        }
        let sum = signed(seed, bytes)?;
        let mut take = Take(&bytes[MAGIC.len()..]);
        if take.u16() != VERSION {
            return None;
        }
        let header = Header {
            kind: Kind::of(take.u16())?,
            turn: take.u64(),
            previous: take.u64(),
            hash: take.u128(),
            variant: take.u64(),
            born: take.u64(),
            expires_ms: take.u64(),
            meta_len: take.u32(),
            body_len: take.u32(),
            meta_sum: take.u64(),
            body_sum: take.u64(),
        };
        Some((header, sum))
    }

    /// Bytes that header and contents take in the log.
    #[must_use]
    pub fn span(&self) -> u64 {
        span(u64::from(self.meta_len) + u64::from(self.body_len))
    }

    /// Whether these are the bytes that were written.
    #[must_use]
    pub fn matches(&self, meta: &[u8], body: &[u8], seed: u64) -> bool {
        let lengths = (meta.len(), body.len()) == (self.meta_len as usize, self.body_len as usize);
        lengths && sum(seed, meta) == self.meta_sum && sum(seed, body) == self.body_sum
    }
}

/// Bytes in the log of a record whose contents have `len` bytes.
#[must_use]
pub fn span(len: u64) -> u64 {
    (HEADER_BYTES as u64 + len).next_multiple_of(UNIT_BYTES)
}

/// Bytes of a header.
pub const HEADER_BYTES: usize = 96;
/// Places are counted in units of these many bytes.
pub const UNIT_BYTES: u64 = 16;
const MAGIC: &[u8; 4] = b"wrec";
const VERSION: u16 = 1;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_header_is_read_as_it_was_written_and_no_flipped_bit_passes(
            numbers: [u64; 7], hash: u128, lens: [u32; 2], kind in 1_u16..4, flip in 0..HEADER_BYTES * 8, seed: u64,
        ) {
            let [turn, previous, variant, born, expires_ms, meta_sum, body_sum] = numbers;
            let [meta_len, body_len] = lens;
            let kind = Kind::of(kind).unwrap();
            let header = Header {
                kind, turn, previous, hash, variant, born, expires_ms, meta_len, body_len, meta_sum, body_sum,
            };
            let (mut bytes, sum) = header.encode(seed);
            prop_assert_eq!(Header::decode(&bytes, seed), Some((header, sum)));
            prop_assert_eq!(Header::decode(&bytes, seed.wrapping_add(1)), None);
            bytes[flip / 8] ^= 1 << (flip % 8);
            prop_assert_eq!(Header::decode(&bytes, seed), None);
        }
    }
}
