//! Field sections: h2's maps and our lists.

use crate::http::{FieldName, Fields};
use crate::wire::h1::parse::not_in_trailers;
use ::http::{HeaderMap, HeaderName, HeaderValue};
use bytes::{BufMut, BytesMut};

/// Fields of one trailer section.
const TRAILERS_MAX: usize = 64;

/// RFC 9113 §8.2.2: what belongs to an HTTP/1.1 connection. `te` has its own rule.
pub(super) fn is_connection_specific(name: FieldName) -> bool {
    use FieldName as F;
    matches!(
        name,
        F::Connection | F::KeepAlive | F::ProxyConnection | F::TransferEncoding | F::Upgrade | F::Http2Settings
    )
}

/// The fields for which `keep` says so, as h2 takes them: names in lower case, values in one piece of memory.
/// Connection-specific ones are never among them. One that h2 cannot send is left out.
pub(super) fn to_map(fields: &Fields, extra: usize, keep: impl Fn(FieldName) -> bool) -> HeaderMap {
    let mut map = HeaderMap::with_capacity(fields.len() + extra);
    let mut values = BytesMut::with_capacity(fields.size());
    for (name, text, value) in fields.iter() {
        if is_connection_specific(name) || name == FieldName::Host || name == FieldName::Te || !keep(name) {
            continue;
        }
        values.put_slice(value);
        let value = HeaderValue::from_maybe_shared(values.split().freeze());
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(text), value) {
            map.append(name, value);
        }
    }
    map
}

/// Trailer fields to send.
pub(super) fn to_trailers(fields: &Fields) -> HeaderMap {
    to_map(fields, 0, |name| !not_in_trailers(name))
}

/// Received trailer fields; those that frame or route a message are left out (RFC 9110 §6.5.1).
///
/// # Errors
/// The rule that they broke.
pub(super) fn from_trailers(map: &HeaderMap, fields: &mut Fields) -> Result<(), &'static str> {
    if map.len() > TRAILERS_MAX {
        return Err("trailers");
    }
    for (name, value) in map {
        check(name, value)?;
        if !not_in_trailers(FieldName::of(name.as_str().as_bytes())) {
            fields.push(name.as_str().as_bytes(), value.as_bytes());
        }
    }
    Ok(())
}

/// Received fields but Host; crumbs of a cookie are joined (RFC 9113 §8.2.3).
///
/// # Errors
/// The rule that they broke.
pub(super) fn from_map(map: &HeaderMap, fields: &mut Fields) -> Result<(), &'static str> {
    let mut cookie: Vec<&[u8]> = Vec::new();
    for (name, value) in map {
        check(name, value)?;
        match *name {
            ::http::header::HOST => {}
            ::http::header::COOKIE => {
                if !cookie.is_empty() {
                    cookie.push(b"; ");
                }
                cookie.push(value.as_bytes());
            }
            _ => fields.push(name.as_str().as_bytes(), value.as_bytes()),
        }
    }
    if !cookie.is_empty() {
        fields.push_parts(FieldName::Cookie, &cookie);
    }
    Ok(())
}

/// RFC 9113 §8.2.1, §8.2.2; h2 sees to most of it, but not to white space around a value.
fn check(name: &HeaderName, value: &HeaderValue) -> Result<(), &'static str> {
    if !crate::http::is_value(value.as_bytes()) {
        return Err("field_value");
    }
    if !crate::http::is_name(name.as_str().as_bytes()) {
        return Err("field_name");
    }
    match FieldName::of(name.as_str().as_bytes()) {
        FieldName::Te if !value.as_bytes().eq_ignore_ascii_case(b"trailers") => Err("te"),
        name if is_connection_specific(name) && name != FieldName::Http2Settings => Err("connection_field"),
        _ => Ok(()),
    }
}

/// The one Content-Length, if there is one (RFC 9110 §8.6).
///
/// # Errors
/// It is repeated or not a number.
pub(super) fn content_length(fields: &Fields) -> Result<Option<u64>, &'static str> {
    const BAD: &str = "content_length";
    let mut all = fields.all(FieldName::ContentLength);
    let Some(text) = all.next() else { return Ok(None) };
    if all.next().is_some() || !text.iter().all(u8::is_ascii_digit) {
        return Err(BAD);
    }
    std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()).map(Some).ok_or(BAD)
}

/// Whether `te` allows trailers; anything else in it is between two connections.
pub(super) fn takes_trailers(fields: &Fields) -> bool {
    fields.members(FieldName::Te).any(|member| member.eq_ignore_ascii_case(b"trailers"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(fields: &Fields) -> Vec<(String, String)> {
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        fields.iter().map(|(_, name, value)| (text(name), text(value))).collect()
    }

    #[test]
    fn names_go_out_in_lower_case_and_connection_fields_not_at_all() {
        let mut fields = Fields::default();
        for (name, value) in [
            ("X-One", "1"),
            ("Connection", "x"),
            ("Keep-Alive", "timeout=5"),
            ("Proxy-Connection", "close"),
            ("Transfer-Encoding", "chunked"),
            ("Upgrade", "h2c"),
            ("TE", "gzip"),
            ("Set-Cookie", "a=1"),
            ("set-cookie", "b=2"),
        ] {
            fields.push(name.as_bytes(), value.as_bytes());
        }
        let map = to_map(&fields, 0, |_| true);
        let names: Vec<_> = map.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        assert_eq!(names, [("x-one", "1"), ("set-cookie", "a=1"), ("set-cookie", "b=2")]);
    }

    #[test]
    fn crumbs_of_a_cookie_become_one_and_other_fields_stay_apart() {
        let mut map = HeaderMap::new();
        for (name, value) in [("cookie", "a=1"), ("via", "x"), ("cookie", "b=2"), ("via", "y"), ("host", "h")] {
            map.append(name, HeaderValue::from_static(value));
        }
        let mut fields = Fields::default();
        from_map(&map, &mut fields).unwrap();
        let mut list = list(&fields);
        list.sort();
        let expected = [("cookie", "a=1; b=2"), ("via", "x"), ("via", "y")];
        assert_eq!(list, expected.map(|(n, v)| (n.to_owned(), v.to_owned())));
    }

    #[test]
    fn white_space_around_values_te_and_connection_fields_are_refused() {
        for (name, value) in [("a", " x"), ("a", "x\t"), ("te", "gzip"), ("connection", "close"), ("upgrade", "h2c")] {
            let mut map = HeaderMap::new();
            map.append(name, HeaderValue::from_static(value));
            assert!(from_map(&map, &mut Fields::default()).is_err(), "{name}: {value:?}");
        }
    }

    #[test]
    fn a_content_length_is_one_number() {
        let of = |values: &[&str]| {
            let mut fields = Fields::default();
            values.iter().for_each(|value| fields.push(b"content-length", value.as_bytes()));
            content_length(&fields)
        };
        assert_eq!(of(&[]), Ok(None));
        assert_eq!(of(&["12"]), Ok(Some(12)));
        for bad in [&[""][..], &["+1"], &["1, 1"], &["1", "1"], &["99999999999999999999"], &[" 1"]] {
            assert!(of(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn trailers_are_bounded_and_cannot_frame_a_message() {
        let mut map = HeaderMap::new();
        map.append("grpc-status", HeaderValue::from_static("0"));
        map.append("content-length", HeaderValue::from_static("7"));
        let mut fields = Fields::default();
        from_trailers(&map, &mut fields).unwrap();
        assert_eq!(list(&fields), [("grpc-status".to_owned(), "0".to_owned())]);
        for n in 0..TRAILERS_MAX {
            map.append(HeaderName::from_bytes(format!("x-{n}").as_bytes()).unwrap(), HeaderValue::from_static("0"));
        }
        assert!(from_trailers(&map, &mut fields).is_err());
    }
}
