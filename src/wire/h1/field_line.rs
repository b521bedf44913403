//! One line of a head: a name, a colon, a value (RFC 9112 §5). Read by words of eight bytes.

use super::parse::Bad;
use crate::http::FieldName;
use std::ops::Range;

/// The name of the field whose line begins at `at`. What equals a known name is a token: only other names are looked at
/// byte by byte.
#[inline]
pub(super) fn name_at(lines: &[u8], at: usize) -> Result<(FieldName, Range<usize>), Bad> {
    if let Some(length) = find(b':', &lines[at..]) {
        let name = &lines[at..at + length];
        let known = FieldName::of(name);
        if known != FieldName::Other || crate::http::is_name(name) {
            return Ok((known, at..at + length));
        }
    }
    Err(bad_name(&lines[at..]))
}

/// What is wrong with a line that begins with no name and colon.
fn bad_name(line: &[u8]) -> Bad {
    let length = line.iter().take_while(|&&b| crate::http::is_token_byte(b)).count();
    match (length, line.get(length)) {
        (0, Some(b' ' | b'\t')) => Bad::Fold,
        (0, Some(b'\r' | b'\n')) | (_, Some(b'\n')) => Bad::LineEnd,
        (1.., Some(b' ' | b'\t')) => Bad::SpaceBeforeColon,
        _ => Bad::FieldName,
    }
}

/// Where `wanted` stands first; for what is expected to be near, eight bytes at a time.
#[inline]
pub(super) fn find(wanted: u8, bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    while let Some(eight) = bytes.get(at..at + 8) {
        let x = u64::from_le_bytes(eight.try_into().expect("eight bytes")) ^ (ONES * u64::from(wanted));
        let zeros = x.wrapping_sub(ONES) & !x & HIGH;
        if zeros != 0 {
            return Some(at + first(zeros));
        }
        at += 8;
    }
    bytes[at..].iter().position(|&b| b == wanted).map(|further| at + further)
}

/// The value without white space around it, and where the next line begins.
#[inline]
pub(super) fn value_at(lines: &[u8], at: usize) -> Result<(Range<usize>, usize), Bad> {
    let is_space = |at: usize| matches!(lines.get(at), Some(b' ' | b'\t'));
    let mut start = at;
    while is_space(start) {
        start += 1;
    }
    let line_end = start + value_length(lines.get(start..).ok_or(Bad::FieldValue)?);
    match lines.get(line_end..line_end + 2) {
        Some(b"\r\n") => {}
        Some([b'\r' | b'\n', _]) => return Err(Bad::LineEnd),
        _ => return Err(Bad::FieldValue),
    }
    let mut end = line_end;
    while end > start && is_space(end - 1) {
        end -= 1;
    }
    Ok((start..end, line_end + 2))
}

/// Bytes up to the first that may not stand in a value, eight at a time while there are eight.
#[inline]
fn value_length(bytes: &[u8]) -> usize {
    let mut at = 0;
    while let Some(eight) = bytes.get(at..at + 8) {
        let controls = controls(u64::from_le_bytes(eight.try_into().expect("eight bytes")));
        if controls == 0 {
            at += 8;
            continue;
        }
        at += first(controls);
        if bytes[at] != b'\t' {
            return at;
        }
        at += 1;
    }
    at + bytes[at..].iter().take_while(|&&b| crate::http::is_value_byte(b)).count()
}

/// The high bits of the bytes that are below 0x20 or 0x7f, of which the first is sure.
fn controls(word: u64) -> u64 {
    let below_space = word.wrapping_sub(ONES * 0x20) & !word & HIGH;
    let x = word ^ (ONES * 0x7f);
    let is_del = x.wrapping_sub(ONES) & !x & HIGH;
    below_space | is_del
}

/// Which byte of a word, by its high bit, is the first; a borrow may have set those after it.
fn first(high_bits: u64) -> usize {
    (high_bits.trailing_zeros() / 8) as usize
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;
