//! Preconditions of a request against a stored response (RFC 9110 §13), and how validators compare (§8.8).

#[cfg(test)]
mod tests;

use super::fields::name_set;
use super::{FieldName, Fields, Method, RequestHead, parse_date};

/// What a stored response says of itself, to be compared with; field values as they were received.
#[derive(Clone, Copy, Debug, Default)]
pub struct Validators<'a> {
    /// ETag
    pub etag: Option<&'a [u8]>,
    /// Last-Modified
    pub last_modified: Option<&'a [u8]>,
    /// Date
    pub date: Option<&'a [u8]>,
}

impl Validators<'_> {
    /// Those of a response with these fields.
    #[must_use]
    pub fn of(fields: &Fields) -> Validators<'_> {
        let [etag, last_modified, date] =
            [FieldName::ETag, FieldName::LastModified, FieldName::Date].map(|name| fields.get(name));
        Validators { etag, last_modified, date }
    }
}

/// What the preconditions of a request make of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// The response is sent as it would be without them.
    Proceed,
    /// 304
    NotModified,
    /// 412
    PreconditionFailed,
}

/// Evaluates the preconditions but If-Range in the order of RFC 9110 §13.2.2. The stored response must be one with
/// status 200 (§13.2.1: others are sent whatever the preconditions say).
#[must_use]
pub fn conditions(request: &RequestHead, stored: &Validators<'_>, now_unix: u64) -> Condition {
    let fields = &request.fields;
    let is_read = matches!(request.method, Method::Get | Method::Head);
    let time = |name| single(fields, name).and_then(|value| parse_date(value, now_unix));
    let modified = stored.last_modified.and_then(|value| parse_date(value, now_unix));
    if fields.has(FieldName::IfMatch) {
        // RFC 9110 §13.1.1: by strong comparison.
        if !names(fields, FieldName::IfMatch, stored.etag, strong_eq) {
            return Condition::PreconditionFailed;
        }
    } else if let (Some(modified), Some(since)) = (modified, time(FieldName::IfUnmodifiedSince))
        // RFC 9110 §13.1.4: of no effect without a modification date, or where it is no date.
        && modified > since
    {
        return Condition::PreconditionFailed;
    }
    if fields.has(FieldName::IfNoneMatch) {
        // RFC 9110 §13.1.2: by weak comparison; §13.1.3: If-Modified-Since is then ignored.
        return match names(fields, FieldName::IfNoneMatch, stored.etag, weak_eq) {
            false => Condition::Proceed,
            true if is_read => Condition::NotModified,
            true => Condition::PreconditionFailed,
        };
    }
    // RFC 9111 §4.3.2: where there is no Last-Modified, Date stands for it.
    let modified = match stored.last_modified {
        Some(_) => modified,
        None => stored.date.and_then(|value| parse_date(value, now_unix)),
    };
    match (modified, time(FieldName::IfModifiedSince)) {
        (Some(modified), Some(since)) if is_read && modified <= since => Condition::NotModified,
        _ => Condition::Proceed,
    }
}

/// Whether Range may be heeded: there is no If-Range, or what it says holds (RFC 9110 §13.1.5).
#[must_use]
pub fn range_may(request: &RequestHead, stored: &Validators<'_>) -> bool {
    if !request.fields.has(FieldName::IfRange) {
        return true;
    }
    let Some(value) = single(&request.fields, FieldName::IfRange) else { return false };
    if value.starts_with(b"\"") || value.starts_with(WEAK) {
        return stored.etag.is_some_and(|etag| strong_eq(etag, value));
    }
    stored.last_modified == Some(value) && is_strong_date(stored)
}

/// RFC 9110 §8.8.2.2: a Last-Modified at least one second before Date is not changed within that second.
fn is_strong_date(stored: &Validators<'_>) -> bool {
    // Two-digit years are no business of here: without a date of today they are taken for long ago, and thus for weak.
    let time = |value: Option<&[u8]>| value.and_then(|value| parse_date(value, 0));
    matches!((time(stored.last_modified), time(stored.date)), (Some(modified), Some(date)) if modified < date)
}

/// Whether any precondition that [`conditions`] evaluates may be there; without one it need not be called.
#[must_use]
pub fn has_conditions(fields: &Fields) -> bool {
    fields.may_have(CONDITIONS)
}

/// Takes all preconditions out of a request that is to fetch a whole response, If-Range too.
pub fn strip_conditions(fields: &mut Fields) {
    if fields.may_have(CONDITIONS | name_set(&[FieldName::IfRange])) {
        for name in CONDITION_NAMES {
            fields.remove(name);
        }
        fields.remove(FieldName::IfRange);
    }
}

/// RFC 9110 §8.8.3.2: the same opaque tag, weak or not.
///
/// Tags without quotes, which are no entity tags but are sent all the same, are equal to themselves.
#[must_use]
pub fn weak_eq(a: &[u8], b: &[u8]) -> bool {
    a.strip_prefix(WEAK).unwrap_or(a) == b.strip_prefix(WEAK).unwrap_or(b)
}

/// RFC 9110 §8.8.3.2: the same opaque tag, and neither is weak.
#[must_use]
pub fn strong_eq(a: &[u8], b: &[u8]) -> bool {
    a == b && is_strong(a)
}

/// Whether it is an entity tag that changes with every byte of the content (RFC 9110 §8.8.3).
#[must_use]
pub fn is_strong(etag: &[u8]) -> bool {
    matches!(etag, [b'"', inner @ .., b'"'] if inner.iter().all(|&b| b > b' ' && b != b'"' && b != 0x7f))
}

/// The entity tag of content that means the same but is coded anew (RFC 9110 §8.8.1).
#[must_use]
pub fn weakened(etag: &[u8]) -> Vec<u8> {
    if etag.starts_with(WEAK) { etag.to_vec() } else { [WEAK, etag].concat() }
}

/// Whether the list of entity tags in `name` has that of the stored response, or is `*`.
fn names(fields: &Fields, name: FieldName, etag: Option<&[u8]>, eq: fn(&[u8], &[u8]) -> bool) -> bool {
    // RFC 9110 §13.1.1, §13.1.2: any current representation will do, and there is one.
    if single(fields, name) == Some(b"*") {
        return true;
    }
    etag.is_some_and(|etag| fields.all(name).flat_map(entity_tags).any(|tag| eq(tag, etag)))
}

/// The members of a list of entity tags; a comma within quotes is part of one (RFC 9110 §8.8.3).
fn entity_tags(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut is_quoted = false;
    let members = value.split(move |&b| {
        is_quoted ^= b == b'"';
        b == b',' && !is_quoted
    });
    members.map(<[u8]>::trim_ascii).filter(|tag| !tag.is_empty())
}

/// The value of a field that has one line.
fn single(fields: &Fields, name: FieldName) -> Option<&[u8]> {
    let mut lines = fields.all(name);
    lines.next().filter(|_| lines.next().is_none())
}

const WEAK: &[u8] = b"W/";
const CONDITION_NAMES: [FieldName; 4] =
    [FieldName::IfMatch, FieldName::IfUnmodifiedSince, FieldName::IfNoneMatch, FieldName::IfModifiedSince];
const CONDITIONS: u64 = name_set(&CONDITION_NAMES);
