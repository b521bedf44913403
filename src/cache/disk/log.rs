//! The log: which segments there are, and where the next record goes. One thread owns it.

use super::bytes::sum;
use super::fetch::{Fetched, Unfetched, fetch};
use super::index::Slot;
use super::medium::Medium;
use super::place::Place;
use super::record::{Header, Kind, span};
use super::segment::{
    HEAD_BYTES, Holds, TAIL_BYTES, decode_index, encode_head, encode_index, index_bytes, index_len, item_of, scan,
};
use std::io;
use std::sync::Arc;

/// The file, its segments and the one that is written.
#[derive(Debug)]
pub(super) struct Log {
    pub(super) medium: Arc<dyn Medium>,
    pub(super) seed: u64,
    pub(super) segment_bytes: u32,
    /// The turn of each segment; 0 for those that are free.
    pub(super) turns: Vec<u64>,
    pub(super) next_turn: u64,
    /// The segment that is written, and what it holds.
    pub(super) active: Option<(u32, Holds)>,
}

/// What is said of a record.
#[derive(Clone, Copy, Debug)]
pub(super) struct Draft {
    pub(super) kind: Kind,
    pub(super) hash: u128,
    pub(super) variant: u64,
    pub(super) born: u64,
    pub(super) expires_ms: u64,
}

impl Log {
    /// Whether a record of `span` bytes, and its entry in the index, fit into the segment that is written.
    pub(super) fn has_room(&self, span: u64) -> bool {
        self.active.as_ref().is_some_and(|(_, holds)| {
            let used = u64::from(holds.end) + index_bytes(holds.items.len() + 1) as u64;
            used + span <= u64::from(self.segment_bytes)
        })
    }

    /// Appends a record, for which there is room. If that fails, the next one takes its place.
    pub(super) fn append(&mut self, draft: Draft, meta: &[u8], body: &[u8]) -> io::Result<Slot> {
        let (segment, holds) = self.active.as_mut().ok_or(io::ErrorKind::NotFound)?;
        let header = Header {
            kind: draft.kind,
            turn: holds.turn,
            previous: holds.last,
            hash: draft.hash,
            variant: draft.variant,
            born: draft.born,
            expires_ms: draft.expires_ms,
            meta_len: meta.len() as u32,
            body_len: body.len() as u32,
            meta_sum: sum(self.seed, meta),
            body_sum: sum(self.seed, body),
        };
        let (head, head_sum) = header.encode(self.seed);
        let item = item_of(&header, holds.end);
        let from = u64::from(*segment) * u64::from(self.segment_bytes) + u64::from(item.at);
        self.medium.write(&[&head, meta, body], from)?;
        holds.end += item.len;
        holds.last = head_sum;
        holds.items.push(item);
        let place = Place::new(*segment, item.at, item.len);
        Ok(Slot::new(draft.hash, draft.variant, draft.born, draft.expires_ms, place, holds.turn))
    }

    /// Writes the index of the segment that is written: the next record begins another one.
    pub(super) fn seal(&mut self) -> io::Result<()> {
        match self.active.take() {
            Some((segment, holds)) => self.write_index(segment, &holds),
            None => Ok(()),
        }
    }

    /// Writes the index of a segment to its end.
    pub(super) fn write_index(&self, segment: u32, holds: &Holds) -> io::Result<()> {
        let index = encode_index(holds, self.seed);
        self.medium.write(&[&index], self.end_of(segment) - index.len() as u64)
    }

    /// Begins a free segment. Gives the one to be freed next, if none is free now.
    pub(super) fn begin(&mut self) -> io::Result<Option<u32>> {
        let free = self.turns.iter().position(|&turn| turn == 0).ok_or(io::ErrorKind::StorageFull)?;
        let segment = free as u32;
        let (head, last) = encode_head(self.next_turn, self.seed);
        self.medium.write(&[&head], u64::from(segment) * u64::from(self.segment_bytes))?;
        self.turns[free] = self.next_turn;
        let holds = Holds { turn: self.next_turn, items: Vec::new(), end: HEAD_BYTES as u32, last };
        self.active = Some((segment, holds));
        self.next_turn += 1;
        Ok(self.oldest_if_none_is_free())
    }

    /// The oldest segment but for the one that is written, if none is free.
    pub(super) fn oldest_if_none_is_free(&self) -> Option<u32> {
        if self.turns.contains(&0) {
            return None;
        }
        let active = self.active.as_ref().map(|(segment, _)| *segment as usize);
        let others = (0..self.turns.len()).filter(|&segment| Some(segment) != active);
        others.min_by_key(|&segment| self.turns[segment]).map(|segment| segment as u32)
    }

    /// What a segment of turn `turn` holds, from its index or else record by record, and whether it has an index.
    pub(super) fn holds(&self, segment: u32, turn: u64) -> io::Result<Option<(Holds, bool)>> {
        if let Some(holds) = self.read_index(segment)?.filter(|holds| holds.turn == turn) {
            return Ok(Some((holds, true)));
        }
        let mut bytes = vec![0; self.segment_bytes as usize];
        self.medium.read(&mut bytes, u64::from(segment) * u64::from(self.segment_bytes))?;
        Ok(scan(&bytes, self.seed).filter(|holds| holds.turn == turn).map(|holds| (holds, false)))
    }

    /// The turn of a segment as its index has it, for when its header is damaged.
    pub(super) fn turn_of_index(&self, segment: u32) -> Option<u64> {
        self.read_index(segment).ok().flatten().map(|holds| holds.turn)
    }

    fn read_index(&self, segment: u32) -> io::Result<Option<Holds>> {
        let mut tail = [0; TAIL_BYTES];
        self.medium.read(&mut tail, self.end_of(segment) - TAIL_BYTES as u64)?;
        let Some(len) = index_len(&tail, self.segment_bytes, self.seed) else { return Ok(None) };
        let mut bytes = vec![0; len];
        self.medium.read(&mut bytes, self.end_of(segment) - len as u64)?;
        Ok(decode_index(&bytes, self.segment_bytes, self.seed))
    }

    /// Reads a record.
    pub(super) fn fetch(&self, slot: &Slot) -> Result<Fetched, Unfetched> {
        fetch(&*self.medium, slot, self.segment_bytes, self.seed)
    }

    fn end_of(&self, segment: u32) -> u64 {
        (u64::from(segment) + 1) * u64::from(self.segment_bytes)
    }
}

/// The largest record that a segment of so many bytes takes: bytes of what is known of it and of its content.
pub(super) fn contents_max(segment_bytes: u32) -> u64 {
    u64::from(segment_bytes) - span(0) - HEAD_BYTES as u64 - index_bytes(1) as u64 - 16
}
