//! A segment: a header with its turn, records, and once it is full an index of them at its end.

use super::bytes::{Take, sign, signed, sum};
use super::record::{HEADER_BYTES, Header, Kind, UNIT_BYTES};

/// A record of a segment, as the index at its end has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item {
    /// What the record says.
    pub kind: Kind,
    /// Hash of the primary key.
    pub hash: u128,
    /// Which variant of the key.
    pub variant: u64,
    /// The generation at which its fetch began.
    pub born: u64,
    /// When it is of no use any more, in milliseconds since the epoch.
    pub expires_ms: u64,
    /// Where it begins in the segment, in bytes.
    pub at: u32,
    /// Bytes that it takes.
    pub len: u32,
}

/// What a segment holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holds {
    /// Its turn: later segments have higher ones.
    pub turn: u64,
    /// Its records, in the order they were written.
    pub items: Vec<Item>,
    /// Where the next record goes, in bytes.
    pub end: u32,
    /// The checksum of the last header.
    pub last: u64,
}

/// The header of a segment, as it is written, and its checksum.
#[must_use]
pub fn encode_head(turn: u64, seed: u64) -> ([u8; HEAD_BYTES], u64) {
    let mut out = [0; HEAD_BYTES];
    out[..8].copy_from_slice(MAGIC_HEAD);
    out[8..16].copy_from_slice(&turn.to_le_bytes());
    let sum = sign(seed, &mut out);
    (out, sum)
}

/// The turn in the header of a segment, and its checksum.
#[must_use]
pub fn decode_head(bytes: &[u8], seed: u64) -> Option<(u64, u64)> {
    let bytes = bytes.first_chunk::<HEAD_BYTES>()?;
    if !bytes.starts_with(MAGIC_HEAD) {
        return None;
    }
    let sum = signed(seed, bytes)?;
    Some((Take(&bytes[8..]).u64(), sum))
}

/// The index for the end of a segment, as it is written: it ends where the segment ends.
#[must_use]
pub fn encode_index(holds: &Holds, seed: u64) -> Vec<u8> {
    let mut out = Vec::with_capacity(index_bytes(holds.items.len()));
    for item in &holds.items {
        out.extend_from_slice(&item.hash.to_le_bytes());
        out.extend_from_slice(&item.variant.to_le_bytes());
        out.extend_from_slice(&item.born.to_le_bytes());
        out.extend_from_slice(&item.expires_ms.to_le_bytes());
        // Both are multiples of a unit of 16 bytes: the kind has room in the lower bits.
        out.extend_from_slice(&(item.at | u32::from(item.kind.number())).to_le_bytes());
        out.extend_from_slice(&item.len.to_le_bytes());
    }
    let entries = sum(seed, &out);
    let from = out.len();
    out.extend_from_slice(MAGIC_TAIL);
    out.extend_from_slice(&holds.turn.to_le_bytes());
    out.extend_from_slice(&entries.to_le_bytes());
    out.extend_from_slice(&holds.last.to_le_bytes());
    out.extend_from_slice(&(holds.items.len() as u32).to_le_bytes());
    out.extend_from_slice(&holds.end.to_le_bytes());
    out.resize(from + TAIL_BYTES, 0);
    sign(seed, &mut out[from..]);
    out
}

/// Bytes of the index that `tail`, the last bytes of a segment of `segment_bytes`, ends; `None` if it is not whole.
#[must_use]
pub fn index_len(tail: &[u8], segment_bytes: u32, seed: u64) -> Option<usize> {
    let tail = tail.last_chunk::<TAIL_BYTES>()?;
    if !tail.starts_with(MAGIC_TAIL) {
        return None;
    }
    signed(seed, tail)?;
    let len = index_bytes(Take(&tail[32..]).u32() as usize);
    (len <= (segment_bytes as usize).saturating_sub(HEAD_BYTES)).then_some(len)
}

/// What the index says, `bytes` being as long as [`index_len`] says; `None` if it is not whole.
#[must_use]
pub fn decode_index(bytes: &[u8], segment_bytes: u32, seed: u64) -> Option<Holds> {
    if index_len(bytes, segment_bytes, seed)? != bytes.len() {
        return None;
    }
    let (entries, tail) = bytes.split_at(bytes.len() - TAIL_BYTES);
    let mut take = Take(&tail[8..]);
    let (turn, entries_sum, last) = (take.u64(), take.u64(), take.u64());
    let (_, end) = (take.u32(), take.u32());
    if sum(seed, entries) != entries_sum || end > segment_bytes - bytes.len() as u32 {
        return None;
    }
    let items = entries.chunks_exact(ITEM_BYTES).map(|bytes| decode_item(bytes, end)).collect::<Option<_>>()?;
    Some(Holds { turn, items, end, last })
}

fn decode_item(bytes: &[u8], end: u32) -> Option<Item> {
    let mut take = Take(bytes);
    let (hash, variant, born, expires_ms) = (take.u128(), take.u64(), take.u64(), take.u64());
    let (at_kind, len) = (take.u32(), take.u32());
    let kind = Kind::of((at_kind % UNIT_BYTES as u32) as u16)?;
    let at = at_kind - at_kind % UNIT_BYTES as u32;
    let fits = at >= HEAD_BYTES as u32 && len >= HEADER_BYTES as u32 && at.checked_add(len)? <= end;
    (fits && len.is_multiple_of(UNIT_BYTES as u32)).then_some(Item { kind, hash, variant, born, expires_ms, at, len })
}

/// What a segment without a whole index holds: record by record, contents checked, up to the first that is not whole.
#[must_use]
pub fn scan(segment: &[u8], seed: u64) -> Option<Holds> {
    let (turn, mut last) = decode_head(segment, seed)?;
    let (mut items, mut at) = (Vec::new(), HEAD_BYTES);
    while let Some((item, sum)) = segment.get(at..).and_then(|rest| scan_one(rest, at, turn, last, seed)) {
        at += item.len as usize;
        last = sum;
        items.push(item);
    }
    Some(Holds { turn, items, end: at as u32, last })
}

fn scan_one(bytes: &[u8], at: usize, turn: u64, last: u64, seed: u64) -> Option<(Item, u64)> {
    let (header, sum) = Header::decode(bytes, seed)?;
    if (header.turn, header.previous) != (turn, last) {
        return None;
    }
    let len = usize::try_from(header.span()).ok().filter(|&len| len <= bytes.len())?;
    let (meta, body) = bytes[HEADER_BYTES..len].split_at_checked(header.meta_len as usize)?;
    if !header.matches(meta, body.get(..header.body_len as usize)?, seed) {
        return None;
    }
    Some((item_of(&header, at as u32), sum))
}

/// The item of a record with this header, which begins at `at`.
pub(super) fn item_of(header: &Header, at: u32) -> Item {
    let Header { kind, hash, variant, born, expires_ms, .. } = *header;
    Item { kind, hash, variant, born, expires_ms, at, len: header.span() as u32 }
}

/// Bytes of the index of so many records.
#[must_use]
pub fn index_bytes(items: usize) -> usize {
    items * ITEM_BYTES + TAIL_BYTES
}

/// Bytes of the header of a segment.
pub const HEAD_BYTES: usize = 64;
/// Bytes of the end of an index.
pub const TAIL_BYTES: usize = 64;
const ITEM_BYTES: usize = 48;
const MAGIC_HEAD: &[u8; 8] = b"weir-seg";
const MAGIC_TAIL: &[u8; 8] = b"weir-end";

#[cfg(test)]
mod tests {
    use super::*;

    const SEED: u64 = 3;
    const SIZE: u32 = 4096;

    /// A segment of three records, the last of which removes the second.
    fn segment() -> (Vec<u8>, Holds) {
        let (head, mut last) = encode_head(5, SEED);
        let (mut bytes, mut items) = (head.to_vec(), Vec::new());
        for (kind, variant, body) in
            [(Kind::Stored, 1, &b"one"[..]), (Kind::Stored, 2, b"two"), (Kind::Removed, 2, b"")]
        {
            let header = Header {
                kind,
                turn: 5,
                previous: last,
                hash: 77,
                variant,
                born: 8,
                expires_ms: 9,
                meta_len: 2,
                body_len: body.len() as u32,
                meta_sum: sum(SEED, b"me"),
                body_sum: sum(SEED, body),
            };
            let at = bytes.len();
            let (head, sum) = header.encode(SEED);
            bytes.extend_from_slice(&[&head, &b"me"[..], body].concat());
            bytes.resize(bytes.len().next_multiple_of(UNIT_BYTES as usize), 0);
            items.push(item_of(&header, at as u32));
            last = sum;
        }
        let end = bytes.len() as u32;
        bytes.resize(SIZE as usize, 0);
        (bytes, Holds { turn: 5, items, end, last })
    }

    #[test]
    fn scan_and_index_say_the_same() {
        let (bytes, holds) = segment();
        assert_eq!(scan(&bytes, SEED), Some(holds.clone()));
        let index = encode_index(&holds, SEED);
        assert_eq!(index_len(&index, SIZE, SEED), Some(index.len()));
        assert_eq!(decode_index(&index, SIZE, SEED), Some(holds));
    }

    #[test]
    fn an_index_with_any_flipped_bit_is_not_read() {
        let (_, holds) = segment();
        let index = encode_index(&holds, SEED);
        for at in 0..index.len() {
            let mut flipped = index.clone();
            flipped[at] ^= 1;
            assert_eq!(decode_index(&flipped, SIZE, SEED), None, "byte {at}");
        }
    }

    #[test]
    fn a_scan_ends_before_the_first_record_that_is_not_whole() {
        let (bytes, holds) = segment();
        let second = holds.items[1];
        let mut flipped = bytes.clone();
        flipped[second.at as usize + HEADER_BYTES + 3] ^= 1;
        let found = scan(&flipped, SEED).unwrap();
        assert_eq!((found.items.len(), found.end), (1, second.at));
        assert_eq!(scan(&bytes[..second.at as usize + 100], SEED).unwrap().items.len(), 1);
    }

    #[test]
    fn what_an_earlier_life_of_the_segment_left_is_not_taken() {
        let (mut bytes, holds) = segment();
        let (second, third) = (holds.items[1], holds.items[2]);
        // The second is written over by itself, as if after another first one: the third does not follow it any more.
        let (mut header, _) = Header::decode(&bytes[second.at as usize..], SEED).unwrap();
        header.born += 1;
        bytes[second.at as usize..][..HEADER_BYTES].copy_from_slice(&header.encode(SEED).0);
        assert_eq!(scan(&bytes, SEED).unwrap().end, third.at);
    }
}
