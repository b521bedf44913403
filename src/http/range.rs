//! Byte ranges of a representation: what a request asks for, and how a response says what it has (RFC 9110 §14).

mod multipart;
#[cfg(test)]
mod tests;

pub use multipart::Multipart;

use std::ops::Range;

/// What of a representation a Range field selects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ranges {
    /// All of it: the field is to be ignored.
    Whole,
    /// Nothing that is there: 416.
    Unsatisfiable,
    /// At least one range. None is empty, none overlaps another, all lie within the representation. They are in the order
    /// asked for, or ascending if some had to be joined.
    Some(Vec<Range<u64>>),
}

/// One range as it was asked for; the bytes of the representation need not be known (RFC 9110 §14.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RangeSpec {
    /// From the first position to the last, which is included; to the end if there is none.
    FromTo(u64, Option<u64>),
    /// So many bytes at the end.
    Suffix(u64),
}

/// What part of a representation a response has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentRange {
    /// Its bytes; never empty.
    pub range: Range<u64>,
    /// The bytes of the whole representation, if known.
    pub complete: Option<u64>,
}

/// Reads the value of a Range field for a representation of `complete` bytes (RFC 9110 §14.2). What is invalid, in
/// another unit than bytes, or more than [`RANGES_MAX`] ranges, is ignored.
#[must_use]
pub fn ranges(value: &[u8], complete: u64) -> Ranges {
    let Some(specs) = specs(value) else { return Ranges::Whole };
    let mut found = Vec::new();
    for (count, spec) in specs.enumerate() {
        // RFC 9110 §14.2, §17.15: many small ranges may be ignored.
        match spec.filter(|_| count < RANGES_MAX) {
            Some(spec) => found.extend(spec.within(complete)),
            None => return Ranges::Whole,
        }
    }
    if found.is_empty() {
        // RFC 9110 §14.1.2: an empty representation has no range that could be sent.
        return if complete == 0 && !asks_beyond(value) { Ranges::Whole } else { Ranges::Unsatisfiable };
    }
    Ranges::Some(apart(found))
}

/// Reads the value of a Range field that asks for one range; `None` if it is invalid, in another unit, or asks for several.
#[must_use]
pub fn parse_range(value: &[u8]) -> Option<RangeSpec> {
    let mut specs = specs(value)?;
    let spec = specs.next()??;
    specs.next().is_none().then_some(spec)
}

/// Reads the value of a Content-Range field of a 206 response (RFC 9110 §14.4); `None` if it is invalid, in another unit,
/// or says that a range is unsatisfied.
#[must_use]
pub fn parse_content_range(value: &[u8]) -> Option<ContentRange> {
    let at = memchr::memchr(b' ', value)?;
    if !value[..at].eq_ignore_ascii_case(UNIT) {
        return None;
    }
    let mut parts = value[at + 1..].splitn(2, |&b| b == b'/');
    let (positions, complete) = (parts.next()?, parts.next()?);
    let complete = if complete == b"*" { None } else { Some(exact(complete)?) };
    let dash = memchr::memchr(b'-', positions)?;
    let (first, last) = (exact(&positions[..dash])?, exact(&positions[dash + 1..])?);
    // RFC 9110 §14.4: invalid unless first <= last < complete.
    let end = last.checked_add(1)?;
    (first <= last && complete.is_none_or(|complete| last < complete))
        .then_some(ContentRange { range: first..end, complete })
}

/// The value of Content-Range for `range`, which must not be empty, of `complete` bytes.
#[must_use]
pub fn content_range(range: &Range<u64>, complete: u64) -> String {
    format!("bytes {}-{}/{complete}", range.start, range.end.saturating_sub(1))
}

/// The value of Content-Range in a 416 response (RFC 9110 §15.5.17).
#[must_use]
pub fn unsatisfied(complete: u64) -> String {
    format!("bytes */{complete}")
}

impl RangeSpec {
    /// The bytes it selects of a representation of `complete` bytes; `None` if there are none.
    #[must_use]
    pub fn within(self, complete: u64) -> Option<Range<u64>> {
        let range = match self {
            RangeSpec::FromTo(first, last) => first..last.map_or(complete, |last| last.saturating_add(1).min(complete)),
            RangeSpec::Suffix(length) => complete.saturating_sub(length)..complete,
        };
        (range.start < range.end).then_some(range)
    }

    /// RFC 9110 §14.1.1: `first-last`, `first-`, `-length`.
    fn of(text: &[u8]) -> Option<RangeSpec> {
        let dash = memchr::memchr(b'-', text)?;
        let (first, last) = (&text[..dash], &text[dash + 1..]);
        if first.is_empty() {
            return position(last).map(RangeSpec::Suffix);
        }
        let first = position(first)?;
        if last.is_empty() {
            return Some(RangeSpec::FromTo(first, None));
        }
        let last = position(last)?;
        (first <= last).then_some(RangeSpec::FromTo(first, Some(last)))
    }
}

/// The ranges that are asked for, `None` for each that is invalid; `None` if the unit is not bytes.
fn specs(value: &[u8]) -> Option<impl Iterator<Item = Option<RangeSpec>>> {
    let equals = memchr::memchr(b'=', value)?;
    let (unit, set) = (&value[..equals], &value[equals + 1..]);
    // RFC 9110 §14.1: names of units have no case.
    if !unit.eq_ignore_ascii_case(UNIT) {
        return None;
    }
    let members = set.split(|&b| b == b',').map(<[u8]>::trim_ascii).filter(|member| !member.is_empty());
    let mut members = members.map(RangeSpec::of).peekable();
    members.peek().is_some().then_some(members)
}

/// A suffix of an empty representation is that representation; a position in it is beyond its end.
fn asks_beyond(value: &[u8]) -> bool {
    specs(value).is_some_and(|mut specs| !specs.any(|spec| matches!(spec, Some(RangeSpec::Suffix(1..)))))
}

/// RFC 9110 §15.3.7.2: ranges that overlap, or are nearer than what a part costs, become one.
fn apart(found: Vec<Range<u64>>) -> Vec<Range<u64>> {
    let mut sorted = found.clone();
    sorted.sort_unstable_by_key(|range| (range.start, range.end));
    let mut joined: Vec<Range<u64>> = Vec::with_capacity(sorted.len());
    for range in sorted {
        match joined.last_mut() {
            Some(last) if range.start <= last.end.saturating_add(GAP_MIN_BYTES) => last.end = last.end.max(range.end),
            _ => joined.push(range),
        }
    }
    if joined.len() == found.len() { found } else { joined }
}

/// Digits alone; more than fits is as good as the most that does.
fn position(text: &[u8]) -> Option<u64> {
    digits(text).then(|| text.iter().fold(0u64, |n, b| n.saturating_mul(10).saturating_add(u64::from(b - b'0'))))
}

/// Digits alone, and no more than fits.
pub(super) fn exact(text: &[u8]) -> Option<u64> {
    if !digits(text) {
        return None;
    }
    text.iter().try_fold(0u64, |n, b| n.checked_mul(10)?.checked_add(u64::from(b - b'0')))
}

fn digits(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(u8::is_ascii_digit)
}

const UNIT: &[u8] = b"bytes";
/// Ranges of one request; a request with more gets the whole.
pub const RANGES_MAX: usize = 32;
/// A part costs more than so many bytes.
const GAP_MIN_BYTES: u64 = 80;
