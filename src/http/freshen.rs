//! What of a response is kept, and what a later one changes in it (RFC 9111 §3.1, §3.2).

use super::{FieldName, Fields, Qualified, ResponseDirectives, is_hop_by_hop};

/// RFC 9111 §3.1: takes out of a response what must not be stored.
pub fn strip_unstored(fields: &mut Fields, directives: &ResponseDirectives) {
    // RFC 9111 §5.2.2.4, §5.2.2.7: what is qualified so is not for others.
    for name in directives.no_cache.fields().iter().chain(directives.private.fields()) {
        fields.remove_named(name);
    }
    fields.retain(|name, _, _| !is_hop_by_hop(name) && name != FieldName::Age);
}

/// Takes out what says how long a response may be reused, by any cache.
pub fn strip_freshness(fields: &mut Fields) {
    let is_it = |name: FieldName, text: &[u8]| match name {
        FieldName::CacheControl | FieldName::CdnCacheControl | FieldName::Expires => true,
        FieldName::Other => text.eq_ignore_ascii_case(b"surrogate-control"),
        _ => false,
    };
    fields.retain(|name, text, _| !is_it(name, text));
}

/// RFC 9530 §2: these are of the content of one message; no part of it, and nothing that it is a part of, has the same.
pub fn strip_content_digests(fields: &mut Fields) {
    DIGESTS.iter().for_each(|name| fields.remove_named(name));
}

/// RFC 9111 §3.2: the fields of a stored response after a 304 (or HEAD) with the fields `new`.
#[must_use]
pub fn freshened(stored: &Fields, new: &Fields, directives: &ResponseDirectives) -> Fields {
    let mut result = stored.clone();
    let updates = |name: FieldName, text: &[u8]| !is_kept(name, text) && !is_hop_by_hop(name);
    // All lines of a name give way before the first of the new ones is written.
    for (name, text, _) in new.iter().filter(|(name, text, _)| updates(*name, text)) {
        match name {
            FieldName::Other => result.remove_named(text),
            known => result.remove(known),
        }
    }
    for (name, text, value) in new.iter().filter(|(name, text, _)| updates(*name, text)) {
        match name {
            FieldName::Other => result.push(text, value),
            known => result.push_known(known, value),
        }
    }
    strip_unstored(&mut result, directives);
    // What the stored response leaves to the one who asks is so still, unless it is said anew.
    let directives = ResponseDirectives::of(&result);
    if leaves_out(&directives) {
        strip_unstored(&mut result, &directives);
    }
    result
}

/// RFC 9111 §3.2: what describes the stored content is not changed by a response without content. Nor are cookies: that of
/// the one who validated is for no other (§7.3).
fn is_kept(name: FieldName, text: &[u8]) -> bool {
    matches!(
        name,
        FieldName::ContentLength
            | FieldName::ContentEncoding
            | FieldName::ContentRange
            | FieldName::CacheStatus
            | FieldName::SetCookie
    ) || (name == FieldName::Other && KEPT.iter().any(|kept| text.eq_ignore_ascii_case(kept)))
}

const DIGESTS: [&[u8]; 2] = [b"content-md5", b"content-digest"];
const KEPT: [&[u8]; 4] = [b"content-md5", b"content-digest", b"accept-ranges", b"repr-digest"];

/// Whether anything is left out of what is stored.
#[must_use]
pub fn leaves_out(directives: &ResponseDirectives) -> bool {
    !matches!(
        (&directives.no_cache, &directives.private),
        (Qualified::No | Qualified::All, Qualified::No | Qualified::All)
    )
}

/// Whether a field is one that the directives leave to the client who asked (RFC 9111 §5.2.2.4, §5.2.2.7).
#[must_use]
pub fn is_left_out(directives: &ResponseDirectives, name: &[u8]) -> bool {
    let mut named = directives.no_cache.fields().iter().chain(directives.private.fields());
    named.any(|listed| name.eq_ignore_ascii_case(listed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_304_replaces_all_lines_of_what_it_has_but_nothing_of_the_content() {
        let fields = |lines: &[(&str, &str)]| {
            let mut fields = Fields::default();
            lines.iter().for_each(|(name, value)| fields.push(name.as_bytes(), value.as_bytes()));
            fields
        };
        let stored = fields(&[("a", "1"), ("a", "2"), ("b", "1"), ("content-length", "5"), ("content-encoding", "br")]);
        let new = fields(&[
            ("A", "3"),
            ("content-length", "0"),
            ("content-encoding", "gzip"),
            ("connection", "c"),
            ("set-cookie", "s=1"),
            ("d", "1"),
        ]);
        let result = freshened(&stored, &new, &ResponseDirectives::default());
        let for_one = freshened(&fields(&[("cache-control", "private=d")]), &new, &ResponseDirectives::default());
        assert!(for_one.named(b"a").next().is_some() && for_one.named(b"d").next().is_none());
        let lines: Vec<_> = result.iter().map(|(_, name, value)| (name, value)).collect();
        let expected: [(&[u8], &[u8]); 5] =
            [(b"b", b"1"), (b"content-length", b"5"), (b"content-encoding", b"br"), (b"A", b"3"), (b"d", b"1")];
        assert_eq!(lines, expected);
    }
}
