//! The file `format`: which format the store has, and its secrets.

use super::bytes::{Take, sign, signed};

/// What a store is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Bytes a segment.
    pub segment_bytes: u32,
    /// The secret of keyed hashes.
    pub secret: [u8; 16],
    /// The seed of checksums.
    pub seed: u64,
}

/// Why the file is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadIdentity {
    /// It is damaged: the store begins anew.
    Damaged,
    /// Whole, and of this newer format.
    Newer(u32),
}

impl Identity {
    /// As it is written.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(IDENTITY_BYTES);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&FORMAT.to_le_bytes());
        out.extend_from_slice(&self.segment_bytes.to_le_bytes());
        out.extend_from_slice(&self.secret);
        out.extend_from_slice(&self.seed.to_le_bytes());
        out.resize(IDENTITY_BYTES, 0);
        sign(0, &mut out);
        out
    }

    /// Reads it. Any later format keeps magic, number and checksum where they are, so that it is told from damage.
    ///
    /// # Errors
    /// It is damaged, or newer than [`FORMAT`].
    pub fn decode(bytes: &[u8]) -> Result<Identity, BadIdentity> {
        if bytes.len() != IDENTITY_BYTES || !bytes.starts_with(MAGIC) || signed(0, bytes).is_none() {
            return Err(BadIdentity::Damaged);
        }
        let mut take = Take(&bytes[MAGIC.len()..]);
        let format = take.u32();
        if format > FORMAT {
            return Err(BadIdentity::Newer(format));
        }
        let identity = Identity { segment_bytes: take.u32(), secret: take.array(), seed: take.u64() };
        let usual = identity.segment_bytes.is_power_of_two()
            && (SEGMENT_BYTES_MIN..=SEGMENT_BYTES_MAX).contains(&identity.segment_bytes);
        if format == FORMAT && usual { Ok(identity) } else { Err(BadIdentity::Damaged) }
    }
}

/// The format that is written and read.
pub const FORMAT: u32 = 1;
/// Bytes of the file.
pub const IDENTITY_BYTES: usize = 80;
/// The smallest segment, in bytes.
pub const SEGMENT_BYTES_MIN: u32 = 256 << 10;
/// The largest segment, in bytes: 2²² units, as many as a place can name.
pub const SEGMENT_BYTES_MAX: u32 = 64 << 20;
const MAGIC: &[u8; 8] = b"weirdisk";

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: Identity = Identity { segment_bytes: 1 << 20, secret: [7; 16], seed: 9 };

    #[test]
    fn what_is_written_is_read_and_any_flipped_bit_is_seen() {
        let bytes = OURS.encode();
        assert_eq!(Identity::decode(&bytes), Ok(OURS));
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            assert_eq!(Identity::decode(&flipped), Err(BadIdentity::Damaged), "byte {at}");
        }
        assert_eq!(Identity::decode(&bytes[1..]), Err(BadIdentity::Damaged));
    }

    #[test]
    fn a_newer_format_is_told_from_damage() {
        let mut bytes = OURS.encode();
        bytes[8] = 2;
        sign(0, &mut bytes);
        assert_eq!(Identity::decode(&bytes), Err(BadIdentity::Newer(2)));
    }
}
