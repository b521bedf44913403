//! The journal of purges: a file of fixed length, zero behind its last record. Any damage is seen as such.

use super::bytes::{Take, sign, signed, sum};
use super::medium::Medium;
use std::io;
use std::sync::Arc;

/// What a journal held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Journalled {
    /// The highest generation in it, or in what was compacted away.
    pub generation: u64,
    /// Purges: generation and opaque bytes, in order.
    pub records: Vec<(u64, Vec<u8>)>,
    /// Bytes that they take, with the header.
    pub len: u64,
}

/// Reads a journal; `None` if any byte is not as it was written, as then nobody knows what was purged.
#[must_use]
pub fn decode(bytes: &[u8], seed: u64) -> Option<Journalled> {
    let head = bytes.first_chunk::<HEAD_BYTES>().filter(|head| head.starts_with(MAGIC))?;
    signed(seed, head)?;
    let mut generation = Take(&head[MAGIC.len()..]).u64();
    let (mut records, mut at) = (Vec::new(), HEAD_BYTES);
    while let Some(head) = bytes[at..].first_chunk::<RECORD_BYTES>().filter(|head| **head != [0; RECORD_BYTES]) {
        let mut take = Take(head);
        let (wanted, record_generation, len) = (take.u64(), take.u64(), take.u32() as usize);
        let end = at.checked_add(RECORD_BYTES)?.checked_add(len).filter(|&end| end <= bytes.len())?;
        if sum(seed, &bytes[at + SUM_BYTES..end]) != wanted {
            return None;
        }
        generation = generation.max(record_generation);
        records.push((record_generation, bytes[at + RECORD_BYTES..end].to_vec()));
        at = end;
    }
    let blank = bytes[at..].iter().all(|&byte| byte == 0);
    blank.then_some(Journalled { generation, records, len: at as u64 })
}

/// A journal of `records`, as long as its file is; `None` if they are too many.
#[must_use]
pub fn encode(generation: u64, records: impl Iterator<Item = (u64, Vec<u8>)>, seed: u64) -> Option<Journalling> {
    let mut bytes = vec![0; HEAD_BYTES];
    let mut highest = generation;
    for (generation, record) in records {
        highest = highest.max(generation);
        bytes.extend_from_slice(&encode_record(generation, &record, seed));
        if bytes.len() > JOURNAL_BYTES as usize {
            return None;
        }
    }
    bytes[..MAGIC.len()].copy_from_slice(MAGIC);
    bytes[MAGIC.len()..MAGIC.len() + 8].copy_from_slice(&highest.to_le_bytes());
    sign(seed, &mut bytes[..HEAD_BYTES]);
    let len = bytes.len() as u64;
    bytes.resize(JOURNAL_BYTES as usize, 0);
    Some(Journalling { generation: highest, len, bytes })
}

/// A journal as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Journalling {
    /// The highest generation in it.
    pub generation: u64,
    /// Bytes before the blank rest.
    pub len: u64,
    /// All bytes of the file.
    pub bytes: Vec<u8>,
}

fn encode_record(generation: u64, record: &[u8], seed: u64) -> Vec<u8> {
    let mut out = vec![0; SUM_BYTES];
    out.extend_from_slice(&generation.to_le_bytes());
    out.extend_from_slice(&(record.len() as u32).to_le_bytes());
    out.extend_from_slice(record);
    let sum = sum(seed, &out[SUM_BYTES..]);
    out[..SUM_BYTES].copy_from_slice(&sum.to_le_bytes());
    out
}

/// The journal of an open store.
#[derive(Debug)]
pub(super) struct Journal {
    pub(super) medium: Arc<dyn Medium>,
    pub(super) len: u64,
    /// The highest generation in it.
    pub(super) generation: u64,
    pub(super) seed: u64,
    /// From this length on it is to be made shorter.
    long_from: u64,
}

impl Journal {
    pub(super) fn new(medium: Arc<dyn Medium>, len: u64, generation: u64, seed: u64) -> Journal {
        Journal { medium, len, generation, seed, long_from: JOURNAL_BYTES / 2 }
    }

    /// Appends a purge with one write. If that fails, the next one takes its place.
    pub(super) fn append(&mut self, generation: u64, record: &[u8]) -> io::Result<()> {
        let bytes = encode_record(generation, record, self.seed);
        let end = self.len + bytes.len() as u64;
        if end > JOURNAL_BYTES || u32::try_from(record.len()).is_err() {
            return Err(io::Error::new(io::ErrorKind::QuotaExceeded, "it is full"));
        }
        self.medium.write(&[&bytes], self.len)?;
        self.len = end;
        self.generation = self.generation.max(generation);
        Ok(())
    }

    pub(super) fn is_long(&self) -> bool {
        self.len > self.long_from
    }

    /// It could not be made shorter: that is tried again once it is somewhat longer. Whether it is the first time.
    pub(super) fn stays_long(&mut self) -> bool {
        let is_first = self.long_from == JOURNAL_BYTES / 2;
        self.long_from = self.len + LONGER_BYTES;
        is_first
    }
}

/// Bytes of the journal's file: some ten thousand purges. It is twice on the disk while it is compacted.
pub const JOURNAL_BYTES: u64 = 1 << 20;
/// How much longer it becomes before it is tried again to make it shorter.
const LONGER_BYTES: u64 = JOURNAL_BYTES / 16;
const HEAD_BYTES: usize = 48;
/// Checksum, generation, length.
const RECORD_BYTES: usize = SUM_BYTES + 12;
const SUM_BYTES: usize = 8;
const MAGIC: &[u8; 8] = b"weir-jrn";

#[cfg(test)]
mod tests {
    use super::*;

    const SEED: u64 = 11;

    fn records() -> Vec<(u64, Vec<u8>)> {
        vec![(3, b"one".to_vec()), (9, Vec::new()), (5, b"three".to_vec())]
    }

    #[test]
    fn what_is_written_is_read_in_order_with_the_highest_generation() {
        let written = encode(4, records().into_iter(), SEED).unwrap();
        let read = decode(&written.bytes, SEED).unwrap();
        assert_eq!(read, Journalled { generation: 9, records: records(), len: written.len });
        assert_eq!(encode(40, std::iter::empty(), SEED).unwrap().generation, 40);
    }

    #[test]
    fn no_damage_to_it_goes_unseen() {
        let written = encode(4, records().into_iter(), SEED).unwrap();
        let used = usize::try_from(written.len).unwrap();
        for at in (0..used + 40).chain([written.bytes.len() - 1]) {
            let mut flipped = written.bytes.clone();
            flipped[at] ^= 0x10;
            assert_eq!(decode(&flipped, SEED), None, "byte {at}");
        }
    }

    #[test]
    fn more_than_it_holds_is_refused() {
        let many = std::iter::repeat_n((1, vec![0; 1000]), 1100);
        assert_eq!(encode(0, many, SEED), None);
    }
}
