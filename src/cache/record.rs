//! A stored response as the disk tier keeps it: what is known of it, apart from its content.
//!
//! Numbers are little-endian: version, shape, flags, status, life, generation, variant, the lengths of key, URL's place,
//! selecting fields, lines and tags, for parts what they are parts of and where they lie; then those texts in this order.
//! Version 2 has one length more after that of the tags, and behind the lines what the response says to Weir alone; what
//! says nothing is written as version 1.

#[cfg(test)]
mod tests;

use super::entry::{Content, Entry, Make, PARTS_MAX, Parts};
use crate::http::{FieldName, Fields, Life, TAGS_MAX, is_hop_by_hop, is_name, is_selecting, is_value};
use bytes::Bytes;

/// What is known of `entry`. Its content is kept beside it in one piece, parts in order and with nothing between them.
/// `None` for what is not stored, or has more than a record may.
#[must_use]
pub fn encode(entry: &Entry) -> Option<Vec<u8>> {
    let shape = match entry.content() {
        Content::Whole(_) => WHOLE,
        Content::Parts(_) => PARTS,
        Content::Pending | Content::Of(_) | Content::Form(_) => return None,
    };
    let tags = entry.tags();
    let [key, selecting, lines, ours] = [entry.key(), entry.selecting(), entry.lines(), entry.ours()];
    let texts = key.len() + selecting.len() + lines.len() + ours.len() + tags.len() * 8;
    if entry.why_not().is_some() || texts > TEXT_BYTES_MAX || tags.len() > TAG_HASHES_MAX {
        return None;
    }
    let mut out = Vec::with_capacity(HEAD_BYTES + texts);
    out.extend_from_slice(&[if ours.is_empty() { PLAIN } else { WITH_OURS }, shape, flags(&entry.life)]);
    out.extend_from_slice(&entry.status.to_le_bytes());
    let Life { born_ms, fresh_ms, while_revalidate_ms, if_error_ms, if_disconnected_ms, .. } = entry.life;
    out.extend_from_slice(&born_ms.to_le_bytes());
    for number in [fresh_ms, while_revalidate_ms, if_error_ms, if_disconnected_ms, entry.born, entry.variant] {
        out.extend_from_slice(&number.to_le_bytes());
    }
    for length in [key.len(), entry.url_at(), selecting.len(), lines.len(), tags.len()] {
        out.extend_from_slice(&u32::try_from(length).ok()?.to_le_bytes());
    }
    if !ours.is_empty() {
        out.extend_from_slice(&u32::try_from(ours.len()).ok()?.to_le_bytes());
    }
    if let Content::Parts(parts) = entry.content() {
        push_parts(parts, &mut out);
    }
    [key, selecting, lines, ours].iter().for_each(|text| out.extend_from_slice(text));
    tags.iter().for_each(|tag| out.extend_from_slice(&tag.to_le_bytes()));
    Some(out)
}

/// Reads what [`encode`] wrote, with the content beside it, which are found under `hash`. `None` if it is nothing of the
/// kind, or is not what could be stored: a disk may give back anything.
#[must_use]
pub fn decode(meta: &[u8], body: Box<[u8]>, hash: u128) -> Option<Entry> {
    let mut take = Take(meta);
    let [version, shape, flags] = take.array()?;
    let status = u16::from_le_bytes(take.array()?);
    let life = life(flags, &mut take)?;
    let (born, variant) = (take.u64()?, take.u64()?);
    let [key, url_at, selecting, lines, tags] = take.lengths()?;
    let ours = match version {
        PLAIN => 0,
        WITH_OURS => take.u32().filter(|length| *length > 0)?,
        _ => return None,
    };
    let content = match shape {
        WHOLE => Content::Whole(body),
        PARTS => Content::Parts(Box::new(parts(&mut take, &body)?)),
        _ => return None,
    };
    let [key, selecting, lines] = [take.text(key)?, take.text(selecting)?, take.text(lines)?];
    let ours = take.text(ours)?;
    let tags = take.tags(tags)?;
    let is_whole = take.0.is_empty() && is_key(key, url_at) && is_selecting(selecting);
    if !is_whole
        || !is_status(status)
        || (shape == PARTS && status != 200)
        || !lines_are_fields(lines)
        || !is_value(ours)
    {
        return None;
    }
    let mut fields = Fields::of_lines(lines);
    if !ours.is_empty() {
        fields.push_known(FieldName::WeirCacheControl, ours);
    }
    let fields = &fields;
    Some(Entry::make(Make { hash, variant, key, url_at, selecting, tags: &tags, status, fields, life, born, content }))
}

fn flags(life: &Life) -> u8 {
    let flag = |is_set, flag| if is_set { flag } else { 0 };
    flag(life.forbids_stale, FORBIDS_STALE) | flag(life.no_cache, NO_CACHE) | flag(life.immutable, IMMUTABLE)
}

fn life(flags: u8, take: &mut Take<'_>) -> Option<Life> {
    let life = Life {
        born_ms: i64::from_le_bytes(take.array()?),
        fresh_ms: take.u64()?,
        while_revalidate_ms: take.u64()?,
        if_error_ms: take.u64()?,
        if_disconnected_ms: take.u64()?,
        forbids_stale: flags & FORBIDS_STALE != 0,
        no_cache: flags & NO_CACHE != 0,
        immutable: flags & IMMUTABLE != 0,
    };
    (flags & !(FORBIDS_STALE | NO_CACHE | IMMUTABLE) == 0).then_some(life)
}

/// Parts that touch are written as one.
fn push_parts(parts: &Parts, out: &mut Vec<u8>) {
    let runs = parts.runs();
    out.extend_from_slice(&parts.complete().to_le_bytes());
    out.extend_from_slice(&(runs.len() as u32).to_le_bytes());
    for run in runs {
        out.extend_from_slice(&run.start.to_le_bytes());
        out.extend_from_slice(&(run.end - run.start).to_le_bytes());
    }
}

fn parts(take: &mut Take<'_>, body: &[u8]) -> Option<Parts> {
    let complete = take.u64()?;
    let count = take.u32().filter(|count| *count <= PARTS_MAX)?;
    let (mut list, mut rest) = (Vec::with_capacity(count), body);
    for _ in 0..count {
        let (first, length) = (take.u64()?, take.u64()?);
        let (part, after) = rest.split_at_checked(usize::try_from(length).ok()?)?;
        list.push((first, Bytes::copy_from_slice(part)));
        rest = after;
    }
    let parts = Parts::of(complete, list).filter(|_| rest.is_empty())?;
    // Those that touch were written as one, and all of them would be the whole.
    let is_it = parts.runs().len() == parts.list().len() && parts.missing(&(0..complete)).is_some();
    is_it.then_some(parts)
}

/// Statuses that entries have: partial content stands as what it is part of.
fn is_status(status: u16) -> bool {
    (200..=599).contains(&status) && status != 206 && status != 304
}

fn is_key(key: &[u8], url_at: usize) -> bool {
    u16::try_from(url_at).is_ok()
        && key.get(url_at..).is_some_and(|url| url.starts_with(b"http://") || url.starts_with(b"https://"))
}

/// Whether these are lines that may be sent as they are.
fn lines_are_fields(lines: &[u8]) -> bool {
    lines.split_inclusive(|&b| b == b'\n').all(|line| {
        let Some(line) = line.strip_suffix(b"\r\n") else { return false };
        let Some((name, value)) = memchr::memchr(b':', line).map(|at| line.split_at(at)) else { return false };
        let known = FieldName::of(name);
        let is_kept = !is_hop_by_hop(known) && !matches!(known, FieldName::ContentLength | FieldName::WeirCacheControl);
        is_kept && is_name(name) && value.strip_prefix(b": ").is_some_and(is_value)
    })
}

/// Takes from the front of bytes that may be anything.
struct Take<'a>(&'a [u8]);

impl<'a> Take<'a> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*first)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn u32(&mut self) -> Option<usize> {
        self.array().map(|bytes| u32::from_le_bytes(bytes) as usize)
    }

    fn lengths<const N: usize>(&mut self) -> Option<[usize; N]> {
        let mut lengths = [0; N];
        for length in &mut lengths {
            *length = self.u32()?;
        }
        Some(lengths)
    }

    fn text(&mut self, length: usize) -> Option<&'a [u8]> {
        let (text, rest) = self.0.split_at_checked(length).filter(|_| length <= TEXT_BYTES_MAX)?;
        self.0 = rest;
        Some(text)
    }

    fn tags(&mut self, count: usize) -> Option<Vec<u64>> {
        let bytes = self.text(count.checked_mul(8).filter(|_| count <= TAG_HASHES_MAX)?)?;
        let (chunks, _) = bytes.as_chunks::<8>();
        Some(chunks.iter().map(|bytes| u64::from_le_bytes(*bytes)).collect())
    }
}

// Changes with the layout: what has another is not read.
const PLAIN: u8 = 1;
const WITH_OURS: u8 = 2;

const WHOLE: u8 = 0;
const PARTS: u8 = 1;

const FORBIDS_STALE: u8 = 1;
const NO_CACHE: u8 = 2;
const IMMUTABLE: u8 = 4;

/// Bytes of key, selecting fields, lines and tags together.
const TEXT_BYTES_MAX: usize = 1024 * 1024;
/// A group is found by two hashes.
const TAG_HASHES_MAX: usize = 2 * TAGS_MAX;
/// Bytes before the texts of a response that is whole.
const HEAD_BYTES: usize = 3 + 2 + 7 * 8 + 6 * 4;
