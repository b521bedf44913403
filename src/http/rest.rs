//! The rest of a representation of which parts are held: what the response to a request for it, with If-Range, is
//! (RFC 9110 §13.1.5, §15.3.7; RFC 9111 §3.4).

#[cfg(test)]
mod tests;

use super::{ContentRange, FieldName, Fields, Length, parse_content_range, strong_eq};
use std::ops::Range;

/// What is known of a representation of which parts are held.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// Its ETag; nothing fits to one that is not strong.
    pub etag: &'a [u8],
    /// Bytes of the whole.
    pub complete: u64,
    /// Its Content-Encoding.
    pub coding: Option<&'a [u8]>,
}

/// What a response is to what is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// The bytes that were asked for, of the same representation. Their number is as asked for if the response says it.
    Fits,
    /// Of another representation, other bytes, or nobody knows: it is no answer to what the client asks, either.
    Misfit,
    /// No part of anything: it stands for itself.
    Other,
}

/// Judges the response to a request for the bytes `asked`, which has `length`.
#[must_use]
pub fn rest(known: &Known<'_>, asked: &Range<u64>, status: u16, fields: &Fields, length: Length) -> Rest {
    match status {
        206 if is_same(known, fields) && is_it(known, asked, fields, length) => Rest::Fits,
        // What the client asked for may be there for all of these: what was asked for is not that.
        206 | 304 | 416 => Rest::Misfit,
        _ => Rest::Other,
    }
}

/// RFC 9110 §15.3.7: a 206 has the ETag that a 200 would have. Without it nobody knows of what it is a part.
fn is_same(known: &Known<'_>, fields: &Fields) -> bool {
    let is_known_coding = match fields.get(FieldName::ContentEncoding) {
        Some(coding) => known.coding == Some(coding),
        // RFC 9110 §15.3.7: after If-Range, what the client knows is left out.
        None => true,
    };
    only(fields, FieldName::ETag).is_some_and(|etag| strong_eq(known.etag, etag)) && is_known_coding
}

/// Whether it has all bytes that were asked for, and nothing else.
fn is_it(known: &Known<'_>, asked: &Range<u64>, fields: &Fields, length: Length) -> bool {
    let said = only(fields, FieldName::ContentRange).and_then(parse_content_range);
    let is_as_long = match length {
        Length::Known(bytes) => asked.end.checked_sub(asked.start) == Some(bytes),
        // Counted as it comes.
        Length::Unknown => true,
        Length::None | Length::Tunnel => false,
    };
    said == Some(ContentRange { range: asked.clone(), complete: Some(known.complete) }) && is_as_long
}

fn only(fields: &Fields, name: FieldName) -> Option<&[u8]> {
    let mut lines = fields.all(name);
    lines.next().filter(|_| lines.next().is_none())
}
