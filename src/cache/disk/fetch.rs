//! One record read from the disk, all of its bytes checked.

use super::index::{Slot, short};
use super::medium::Medium;
use super::record::{HEADER_BYTES, Header, Kind};
use bytes::Bytes;
use std::io;

/// A record, as it was written.
#[derive(Debug)]
pub(super) struct Fetched {
    pub(super) header: Header,
    pub(super) meta: Bytes,
    pub(super) body: Vec<u8>,
}

/// Why there is none.
#[derive(Debug)]
pub(super) enum Unfetched {
    Io(io::Error),
    /// The bytes are not as they were written.
    Damaged,
    /// The bytes are whole, and of another record.
    Other,
}

/// Reads the record of `slot`: small ones with one system call, large ones with two and no copy of the content.
pub(super) fn fetch(medium: &dyn Medium, slot: &Slot, segment_bytes: u32, seed: u64) -> Result<Fetched, Unfetched> {
    let place = slot.place;
    let from = u64::from(place.segment()) * u64::from(segment_bytes) + place.at();
    let len = place.len() as usize;
    let mut front = vec![0; len.min(FRONT_BYTES)];
    medium.read(&mut front, from).map_err(Unfetched::Io)?;
    let (header, _) = Header::decode(&front, seed).ok_or(Unfetched::Damaged)?;
    let same = (header.kind, header.hash as u64, header.variant) == (Kind::Stored, slot.hash, slot.variant);
    if !same || short(header.turn) != slot.turn() {
        return Err(Unfetched::Other);
    }
    if header.span() != place.len() {
        return Err(Unfetched::Damaged);
    }
    let (meta_end, body_len) = (HEADER_BYTES + header.meta_len as usize, header.body_len as usize);
    if meta_end > front.len() {
        let had = front.len();
        front.resize(meta_end, 0);
        medium.read(&mut front[had..], from + had as u64).map_err(Unfetched::Io)?;
    }
    let mut body = vec![0; body_len];
    let here = body_len.min(front.len() - meta_end);
    body[..here].copy_from_slice(&front[meta_end..meta_end + here]);
    if here < body_len {
        medium.read(&mut body[here..], from + (meta_end + here) as u64).map_err(Unfetched::Io)?;
    }
    front.truncate(meta_end);
    let meta = Bytes::from(front).slice(HEADER_BYTES..);
    if header.matches(&meta, &body, seed) { Ok(Fetched { header, meta, body }) } else { Err(Unfetched::Damaged) }
}

/// Bytes of the first read.
const FRONT_BYTES: usize = 8 << 10;
