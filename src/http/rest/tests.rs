use super::*;

fn fields(lines: &[(&str, &str)]) -> Fields {
    let mut fields = Fields::default();
    lines.iter().for_each(|(name, value)| fields.push(name.as_bytes(), value.as_bytes()));
    fields
}

fn etag(value: &'static str) -> (&'static str, &'static str) {
    ("etag", value)
}

fn range(value: &'static str) -> (&'static str, &'static str) {
    ("content-range", value)
}

#[test]
fn only_what_was_asked_for_of_the_same_representation_fits() {
    use Length::{Known as Bytes, Unknown};
    let known = Known { etag: b"\"1\"", complete: 10, coding: Some(b"br") };
    let (one, it) = (etag("\"1\""), range("bytes 4-7/10"));
    for (status, lines, length, expected) in [
        (206, &[one, it][..], Bytes(4), Rest::Fits),
        (206, &[one, it], Unknown, Rest::Fits),
        (206, &[one, it, ("content-encoding", "br")], Bytes(4), Rest::Fits),
        // Another representation.
        (206, &[etag("\"2\""), it], Bytes(4), Rest::Misfit),
        (206, &[etag("W/\"1\""), it], Bytes(4), Rest::Misfit),
        (206, &[one, range("bytes 4-7/11")], Bytes(4), Rest::Misfit),
        (206, &[one, it, ("content-encoding", "gzip")], Bytes(4), Rest::Misfit),
        // Nobody knows of what it is.
        (206, &[it], Bytes(4), Rest::Misfit),
        (206, &[one, etag("\"2\""), it], Bytes(4), Rest::Misfit),
        (206, &[one, range("bytes 4-7/*")], Bytes(4), Rest::Misfit),
        (206, &[one], Bytes(4), Rest::Misfit),
        (206, &[one, it, it], Bytes(4), Rest::Misfit),
        (206, &[one, ("content-type", "multipart/byteranges; boundary=x")], Bytes(99), Rest::Misfit),
        // Other bytes, or not all of them.
        (206, &[one, range("bytes 3-7/10")], Bytes(5), Rest::Misfit),
        (206, &[one, range("bytes 4-6/10")], Bytes(3), Rest::Misfit),
        (206, &[one, range("bytes 4-8/10")], Bytes(5), Rest::Misfit),
        (206, &[one, range("bytes 5-8/10")], Bytes(4), Rest::Misfit),
        (206, &[one, it], Bytes(3), Rest::Misfit),
        (206, &[one, it], Bytes(5), Rest::Misfit),
        (206, &[one, it], Length::None, Rest::Misfit),
        (206, &[one, range("lines 4-7/10")], Bytes(4), Rest::Misfit),
        (416, &[one, range("bytes */4")], Bytes(0), Rest::Misfit),
        (304, &[one], Length::None, Rest::Misfit),
        // If-Range said no, ranges mean nothing, or there is an error.
        (200, &[one], Bytes(10), Rest::Other),
        (200, &[etag("\"2\""), it], Bytes(4), Rest::Other),
        (404, &[one], Bytes(10), Rest::Other),
        (503, &[], Unknown, Rest::Other),
    ] {
        assert_eq!(rest(&known, &(4..8), status, &fields(lines), length), expected, "{status} {lines:?} {length:?}");
    }
    for (value, coding) in [("W/\"1\"", None), ("1", None), ("\"1\"", Some("br"))] {
        let known = Known { etag: value.as_bytes(), complete: 10, coding: None };
        let mut fields = fields(&[etag(value), it]);
        coding.into_iter().for_each(|coding| fields.push(b"content-encoding", coding.as_bytes()));
        assert_eq!(rest(&known, &(4..8), 206, &fields, Unknown), Rest::Misfit, "{value} {coding:?}");
    }
}
