//! Which stored response a response without content is about: a 304 (RFC 9111 §4.3.4), or one to HEAD (§4.3.5).

#[cfg(test)]
mod tests;

use super::range::exact;
use super::{FieldName, Fields, Validators, is_strong, strong_eq, weak_eq};

/// RFC 9111 §4.3.4: whether a 304 is about the stored response that was validated.
#[must_use]
pub fn is_renewed_by(stored: &Validators<'_>, not_modified: &Fields) -> bool {
    let etag = not_modified.get(FieldName::ETag);
    let modified = not_modified.get(FieldName::LastModified);
    let is_same_time = |modified| stored.last_modified.is_none_or(|stored| stored == modified);
    match (etag, modified) {
        // A strong validator is of one representation: that of another one updates nothing.
        (Some(etag), _) if is_strong(etag) => stored.etag.is_some_and(|stored| strong_eq(stored, etag)),
        (Some(etag), modified) => match stored.etag {
            Some(stored) => weak_eq(stored, etag),
            None => modified.is_some_and(|modified| stored.last_modified == Some(modified)),
        },
        (None, Some(modified)) => is_same_time(modified),
        // It has no validator, as it should: there is one response that it can be about, which the request named.
        (None, None) => true,
    }
}

/// What a response to HEAD says of a stored response to GET.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overheard {
    /// It is of the same representation, and updates it.
    Renews,
    /// It is of another one: what is stored is stale.
    Outdates,
}

/// RFC 9111 §4.3.5: what a 200 response to HEAD says of a stored response with these validators, that status, and so many
/// bytes of content.
#[must_use]
pub fn overheard(stored: &Validators<'_>, status: u16, bytes: Option<u64>, head: &Fields) -> Overheard {
    let is_same = |name, stored: Option<&[u8]>| head.get(name).is_none_or(|value| stored == Some(value));
    let length = head.get(FieldName::ContentLength).map(exact);
    let is_as_long = length.is_none_or(|length| length.is_some() && length == bytes);
    let renews = status == 200
        && is_same(FieldName::ETag, stored.etag)
        && is_same(FieldName::LastModified, stored.last_modified)
        && is_as_long;
    if renews { Overheard::Renews } else { Overheard::Outdates }
}
