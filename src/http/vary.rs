//! Which variant of a response a request selects (RFC 9111 §4.1).

use super::quoted::{is_balanced, pieces};
use super::{FieldName, Fields, is_value_byte, likes_best, normalise_language};
use std::borrow::Cow;

/// How the values of some fields are made alike before they are compared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Normal {
    /// Fields, in lower case, whose list members are compared whatever their case, order and white space; but for what is in
    /// quotes.
    pub fields: Vec<Box<[u8]>>,
}

/// Appends the selecting fields that `vary` names, with their values in `request`, as [`matches()`] reads them.
pub fn push_selecting(vary: &Fields, request: &Fields, normal: &Normal, out: &mut Vec<u8>) {
    let mut names: Vec<Vec<u8>> =
        vary.members(FieldName::Vary).take(VARY_NAMES_MAX).map(<[u8]>::to_ascii_lowercase).collect();
    names.sort_unstable();
    names.dedup();
    names.iter().for_each(|name| push_one(name, request, normal, out));
}

/// Whether `request` selects the response that was stored with `selecting`. `language` gives its Content-Language: a response
/// in the language that the client wants most is what it wants, whoever asked for it first.
#[must_use]
pub fn matches<'l>(
    selecting: &[u8],
    request: &Fields,
    normal: &Normal,
    language: impl Fn() -> Option<Cow<'l, [u8]>>,
) -> bool {
    let mut asked = Vec::new();
    selecting.split_inclusive(|&b| b == END).all(|stored| {
        let name = stored.split(|&b| b == ABSENT || b == PRESENT).next().unwrap_or_default();
        asked.clear();
        push_one(name, request, normal, &mut asked);
        *asked == *stored || (name == b"accept-language" && is_wanted_most(request, language().as_deref()))
    })
}

fn is_wanted_most(request: &Fields, language: Option<&[u8]>) -> bool {
    language.is_some_and(|language| likes_best(&joined(request.all(FieldName::AcceptLanguage)), language.trim_ascii()))
}

/// What `request` would select, by the names that stand in `selecting`.
#[must_use]
pub fn selected(selecting: &[u8], request: &Fields, normal: &Normal) -> Vec<u8> {
    let mut asked = Vec::with_capacity(selecting.len());
    for name in selecting.split(|&b| b == END).filter_map(|one| one.split(|&b| b == ABSENT || b == PRESENT).next()) {
        if !name.is_empty() {
            push_one(name, request, normal, &mut asked);
        }
    }
    asked
}

/// Whether these are selecting fields as [`push_selecting`] writes them.
#[must_use]
pub fn is_selecting(selecting: &[u8]) -> bool {
    let (mut count, mut before): (usize, &[u8]) = (0, b"");
    let in_order = selecting.split_inclusive(|&b| b == END).all(|one| {
        let Some(one) = one.strip_suffix(&[END]) else { return false };
        let Some(at) = memchr::memchr2(ABSENT, PRESENT, one) else { return false };
        let (name, value) = (&one[..at], &one[at + 1..]);
        let follows = name > before && name.iter().all(|&b| is_value_byte(b) && b != b',' && !b.is_ascii_uppercase());
        (count, before) = (count + 1, name);
        follows && if one[at] == ABSENT { value.is_empty() } else { value.iter().all(|&b| is_value_byte(b)) }
    });
    in_order && count <= VARY_NAMES_MAX
}

/// Field names that one Vary may have; a response with more is not stored.
pub(super) const VARY_NAMES_MAX: usize = 32;

// None of these may stand in a name or a value.
const END: u8 = b'\n';
const PRESENT: u8 = 0;
const ABSENT: u8 = 1;

fn push_one(name: &[u8], request: &Fields, normal: &Normal, out: &mut Vec<u8>) {
    out.extend_from_slice(name);
    let known = FieldName::of(name);
    let mut values = request.named(name).peekable();
    if values.peek().is_none() {
        out.extend_from_slice(&[ABSENT, END]);
        return;
    }
    out.push(PRESENT);
    match known {
        FieldName::AcceptEncoding => out.extend_from_slice(codings(request).as_bytes()),
        FieldName::AcceptLanguage => out.extend_from_slice(&normalise_language(&joined(values))),
        // With a quote that has no end nobody can tell where members end: it is compared as it is.
        _ if normal.fields.iter().any(|field| **field == *name) && request.named(name).all(is_balanced) => {
            push_sorted(values, out);
        }
        _ => push_joined(values, out),
    }
    out.push(END);
}

/// RFC 9111 §4.1: lines are combined, and white space that means nothing is no difference. Commas are: not every field is a
/// list.
fn push_joined<'a>(values: impl Iterator<Item = &'a [u8]>, out: &mut Vec<u8>) {
    let members = values.flat_map(|value| value.split(|&b| b == b',')).map(<[u8]>::trim_ascii);
    for (at, member) in members.enumerate() {
        if at > 0 {
            out.push(b',');
        }
        out.extend_from_slice(member);
    }
}

fn joined<'a>(values: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    values.collect::<Vec<_>>().join(&b',')
}

/// Members by descending quality, those alike by name; in lower case and without white space, but for what is in quotes.
fn push_sorted<'a>(values: impl Iterator<Item = &'a [u8]>, out: &mut Vec<u8>) {
    let mut members: Vec<(u16, Vec<u8>)> = values.flat_map(|value| pieces(value, b',')).filter_map(ranked).collect();
    members.sort_unstable();
    members.dedup();
    for (quality, name) in members {
        out.extend_from_slice(&name);
        out.extend_from_slice(format!(";{quality},").as_bytes());
    }
}

/// By how much a member is wanted less than most, and the rest of it.
fn ranked(member: &[u8]) -> Option<(u16, Vec<u8>)> {
    let (mut name, mut quality) = (Vec::with_capacity(member.len()), None);
    for (at, piece) in pieces(member, b';').map(<[u8]>::trim_ascii).enumerate() {
        let found = if at > 0 && quality.is_none() { weight(piece) } else { None };
        if found.is_some() {
            quality = found;
            continue;
        }
        if at > 0 {
            name.push(b';');
        }
        push_plain(piece, &mut name);
    }
    (!name.is_empty()).then(|| (1000 - quality.unwrap_or(1000), name))
}

/// In lower case and without white space, but for what is in quotes.
fn push_plain(text: &[u8], out: &mut Vec<u8>) {
    let (mut quoted, mut bytes) = (false, text.iter());
    while let Some(b) = bytes.next() {
        match b {
            b'\\' if quoted => {
                out.push(*b);
                out.extend(bytes.next());
                continue;
            }
            b'"' => quoted = !quoted,
            _ => {}
        }
        if quoted || !b.is_ascii_whitespace() {
            out.push(if quoted { *b } else { b.to_ascii_lowercase() });
        }
    }
}

/// The codings that a client takes of those that are worth telling apart, most wanted by servers first: all clients with
/// the same text may have the same response. It is also what a backend is asked for.
#[must_use]
pub fn codings(request: &Fields) -> &'static str {
    let (mut named, mut star) = ([None; 3], None);
    for member in request.members(FieldName::AcceptEncoding) {
        let (name, quality) = with_quality(member);
        let taken = Some(quality > 0);
        match name {
            b"*" => star = taken,
            name if name.eq_ignore_ascii_case(b"zstd") => named[0] = taken,
            name if name.eq_ignore_ascii_case(b"br") => named[1] = taken,
            name if name.eq_ignore_ascii_case(b"gzip") || name.eq_ignore_ascii_case(b"x-gzip") => named[2] = taken,
            _ => {}
        }
    }
    match named.map(|taken| taken.or(star).unwrap_or(false)) {
        [false, false, false] => "identity",
        [false, false, true] => "gzip",
        [false, true, false] => "br",
        [false, true, true] => "br, gzip",
        [true, false, false] => "zstd",
        [true, false, true] => "zstd, gzip",
        [true, true, false] => "zstd, br",
        [true, true, true] => "zstd, br, gzip",
    }
}

/// A member and its quality in thousandths (RFC 9110 §12.4.2); what is no quality is 1.
fn with_quality(member: &[u8]) -> (&[u8], u16) {
    let Some(at) = memchr::memchr(b';', member) else { return (member, 1000) };
    let (name, parameter) = (member[..at].trim_ascii_end(), member[at + 1..].trim_ascii());
    (name, weight(parameter).unwrap_or(1000))
}

/// The quality that a parameter gives, in thousandths.
fn weight(parameter: &[u8]) -> Option<u16> {
    let text = parameter.strip_prefix(b"q=").or_else(|| parameter.strip_prefix(b"Q="))?;
    let quality = std::str::from_utf8(text).ok()?.parse::<f32>().ok()?;
    (0.0..=1.0).contains(&quality).then_some((quality * 1000.0).round() as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(lines: &[(&str, &str)]) -> Fields {
        let mut fields = Fields::default();
        lines.iter().for_each(|(name, value)| fields.push(name.as_bytes(), value.as_bytes()));
        fields
    }

    fn same(vary: &str, a: &[(&str, &str)], b: &[(&str, &str)]) -> bool {
        let normal = Normal { fields: vec![b"x-sizes"[..].into()] };
        let mut selecting = Vec::new();
        push_selecting(&fields(&[("vary", vary)]), &fields(a), &normal, &mut selecting);
        matches(&selecting, &fields(b), &normal, || None)
    }

    #[test]
    fn a_variant_is_selected_by_all_the_fields_that_its_vary_names() {
        assert!(same("Foo", &[("foo", "1")], &[("FOO", "1"), ("bar", "2")]));
        assert!(!same("Foo", &[("foo", "1")], &[("foo", "2")]));
        assert!(!same("Foo", &[("foo", "")], &[]) && !same("Foo", &[], &[("foo", "")]));
        assert!(same("Foo", &[], &[]));
        assert!(!same("Foo, Bar", &[("foo", "1"), ("bar", "1")], &[("foo", "1")]));
        assert!(same("Foo", &[("foo", "1"), ("foo", "2")], &[("foo", "1,  2")]));
        assert!(!same("Foo", &[("foo", "1,2")], &[("foo", "2,1")]));
        assert!(!same("Foo", &[("foo", ",1")], &[("foo", "1")]));
    }

    #[test]
    fn what_means_the_same_is_the_same() {
        let enc = |text| vec![("accept-encoding", text)];
        assert!(same("accept-encoding", &enc("gzip, br"), &enc("br;q=0.9, deflate, GZIP")));
        assert!(!same("accept-encoding", &enc("gzip, br"), &enc("gzip, br;q=0")));
        assert!(same("accept-encoding", &enc("*"), &enc("zstd, br, gzip")));
        let lang = |text| vec![("accept-language", text)];
        assert!(same("accept-language", &lang("en, de;q=0.5"), &lang("de; q=0.5,EN")));
        assert!(!same("accept-language", &lang("en, de;q=0.5"), &lang("de, en;q=0.5")));
        let stored = b"accept-language\0de,en\n";
        for (asked, expected) in
            [("fr;q=0.5, de;q=1.0", true), ("fr, de", true), ("fr, de;q=0.9", false), ("fr", false), ("de;q=0", false)]
        {
            let language = || Some(b"de"[..].into());
            assert_eq!(matches(stored, &fields(&lang(asked)), &Normal::default(), language), expected, "{asked}");
        }
        assert!(same("x-sizes", &[("x-sizes", "a, B")], &[("x-sizes", "b,A")]));
    }
}
