//! A received request head (RFC 9113 §8.3.1), as the engine knows heads.

use super::fields;
use crate::http::{Length, Method, RequestHead, Scheme, Target, Version, parse_authority, same_authority};
use crate::wire::h1::parse::is_target_byte;
use ::http::request::Parts;
use h2::ext::Protocol;

/// Why a request never reaches the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// RFC 9113 §8.1.1: a stream error. The words say which rule.
    Malformed(&'static str),
    /// 431
    TooManyFields,
    /// 501: a `:protocol` that we do not speak (RFC 9220 §3).
    Protocol,
}

/// A head, and what follows it.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) head: RequestHead,
    pub(super) length: Length,
}

/// Reads a head. `ended`: END_STREAM came with it.
///
/// Extended CONNECT for WebSocket (RFC 8441 §5) is given as what it stands for: GET with
/// [`protocol`](RequestHead::protocol).
pub(super) fn read(parts: &Parts, scheme: Scheme, fields_max: usize, ended: bool) -> Result<Received, Refused> {
    if parts.headers.len() > fields_max {
        return Err(Refused::TooManyFields);
    }
    let method = Method::parse(parts.method.as_str().as_bytes()).ok_or(Refused::Malformed("method"))?;
    let mut head = RequestHead { method, version: Version::Http2, scheme, ..RequestHead::default() };
    fields::from_map(&parts.headers, &mut head.fields).map_err(Refused::Malformed)?;
    if parts.uri.scheme_str() == Some("") {
        return Err(Refused::Malformed("scheme")); // RFC 9113 §8.3.1: h2 lets an empty one pass.
    }
    authority(parts, &mut head)?;
    protocol(parts, &mut head)?;
    target(parts, &mut head)?;
    let length = length(&head, ended)?;
    Ok(Received { head, length })
}

/// One host: `:authority`, or Host in its place, or both if they agree (RFC 9113 §8.3.1).
fn authority(parts: &Parts, head: &mut RequestHead) -> Result<(), Refused> {
    const BAD: Refused = Refused::Malformed("host");
    let mut hosts = parts.headers.get_all(::http::header::HOST).iter();
    let (host, more) = (hosts.next(), hosts.next());
    let named = match (parts.uri.authority(), host) {
        (Some(authority), None) => authority.as_str().as_bytes(),
        (None, Some(host)) => host.as_bytes(),
        (Some(authority), Some(host))
            if same_authority(authority.as_str().as_bytes(), host.as_bytes(), head.scheme) =>
        {
            authority.as_str().as_bytes()
        }
        (Some(_), Some(_)) => return Err(Refused::Malformed("host_mismatch")),
        (None, None) => return Err(BAD),
    };
    if more.is_some() || named.is_empty() || parse_authority(named).is_none() {
        return Err(BAD); // User information is no part of an authority.
    }
    head.authority.extend_from_slice(named);
    Ok(())
}

fn protocol(parts: &Parts, head: &mut RequestHead) -> Result<(), Refused> {
    let Some(protocol) = parts.extensions.get::<Protocol>() else { return Ok(()) };
    if !protocol.as_str().eq_ignore_ascii_case("websocket") {
        return Err(Refused::Protocol);
    }
    head.protocol.extend_from_slice(b"websocket");
    head.method = Method::Get;
    Ok(())
}

fn target(parts: &Parts, head: &mut RequestHead) -> Result<(), Refused> {
    let bad = Err(Refused::Malformed("target"));
    let target = parts.uri.path_and_query().map_or("", |target| target.as_str()).as_bytes();
    if !target.iter().all(|&b| is_target_byte(b)) {
        return bad;
    }
    match (&head.method, target) {
        (Method::Connect, []) if crate::http::split_port(&head.authority).1.is_some() => {
            head.form = Target::Authority;
        }
        (Method::Connect, _) => return bad,
        (Method::Options, b"*") => head.form = Target::Asterisk,
        (_, [b'/', ..]) => {}
        _ => return bad,
    }
    head.target.extend_from_slice(target);
    Ok(())
}

/// What follows. A tunnel's bytes are no content: they are to be read once it is there.
fn length(head: &RequestHead, ended: bool) -> Result<Length, Refused> {
    let said = fields::content_length(&head.fields).map_err(Refused::Malformed)?;
    let tunnel = head.method == Method::Connect || !head.protocol.is_empty();
    match said {
        Some(1..) if tunnel => Err(Refused::Malformed("content_length")),
        // RFC 9113 §8.1.1
        Some(1..) if ended => Err(Refused::Malformed("content_length")),
        _ if tunnel || ended => Ok(Length::None),
        Some(n) => Ok(Length::Known(n)),
        None => Ok(Length::Unknown),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(method: &str, uri: &str, fields: &[(&str, &str)]) -> Parts {
        let mut request = ::http::Request::builder().method(method).uri(uri);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn read_of(method: &str, uri: &str, fields: &[(&str, &str)]) -> Result<Received, Refused> {
        read(&parts(method, uri, fields), Scheme::Https, 8, false)
    }

    #[test]
    fn a_head_is_what_it_would_have_been_in_http_1() {
        let Received { head, length } =
            read_of("POST", "https://a.example:8443/x%20y?q=1", &[("content-length", "3"), ("x-a", "b")]).unwrap();
        assert_eq!((head.method, head.version, head.scheme), (Method::Post, Version::Http2, Scheme::Https));
        assert_eq!((&head.authority[..], &head.target[..]), (&b"a.example:8443"[..], &b"/x%20y?q=1"[..]));
        assert_eq!(
            (head.fields.get(crate::http::FieldName::ContentLength), length),
            (Some(&b"3"[..]), Length::Known(3))
        );
    }

    #[test]
    fn host_stands_in_for_a_missing_authority_and_must_agree_with_one() {
        let host = |uri, hosts: &[(&str, &str)]| read_of("GET", uri, hosts).map(|r| r.head.authority);
        assert_eq!(host("/x", &[("host", "a")]), Ok(b"a".to_vec()));
        assert_eq!(host("https://a/x", &[("host", "A:443")]), Ok(b"a".to_vec()));
        for (uri, hosts) in [
            ("/x", &[][..]),
            ("/x", &[("host", "")]),
            ("/x", &[("host", "a"), ("host", "a")]),
            ("/x", &[("host", "u@a")]),
            ("https://a/x", &[("host", "b")]),
            ("https://a/x", &[("host", "a"), ("host", "a")]),
            ("https://u@a/x", &[]),
            ("https://u:p@a/x", &[]),
        ] {
            assert!(matches!(host(uri, hosts), Err(Refused::Malformed(_))), "{uri} {hosts:?}");
        }
    }

    #[test]
    fn targets_are_paths_and_the_asterisk_is_for_options() {
        assert_eq!(read_of("OPTIONS", "*", &[("host", "a")]).map(|r| r.head.form), Ok(Target::Asterisk));
        assert_eq!(read_of("CONNECT", "a:443", &[]).map(|r| r.head.form), Ok(Target::Authority));
        for (method, uri) in [("GET", "*"), ("CONNECT", "a"), ("GET", "https://a/\\x"), ("GET", "https://a/\"x\"")] {
            let host = if uri == "*" { &[("host", "a")][..] } else { &[] };
            assert_eq!(
                read_of(method, uri, host).map(drop).unwrap_err(),
                Refused::Malformed("target"),
                "{method} {uri}"
            );
        }
    }

    #[test]
    fn websocket_is_given_as_get_and_other_protocols_are_not_implemented() {
        let with = |protocol: &'static str| {
            let mut parts = parts("CONNECT", "https://a/chat", &[("sec-websocket-version", "13")]);
            parts.extensions.insert(Protocol::from_static(protocol));
            read(&parts, Scheme::Https, 8, false)
        };
        let Received { head, length } = with("websocket").unwrap();
        assert_eq!((head.method, &head.protocol[..], length), (Method::Get, &b"websocket"[..], Length::None));
        assert_eq!(with("connect-udp").map(drop).unwrap_err(), Refused::Protocol);
    }

    #[test]
    fn lengths_that_contradict_the_frames_and_too_many_fields_are_refused() {
        let parts = parts("POST", "https://a/", &[("content-length", "3")]);
        assert_eq!(read(&parts, Scheme::Http, 8, true).map(drop).unwrap_err(), Refused::Malformed("content_length"));
        assert_eq!(read(&parts, Scheme::Http, 0, false).map(drop).unwrap_err(), Refused::TooManyFields);
        let twice = [("content-length", "3"), ("content-length", "3")];
        assert_eq!(read_of("POST", "https://a/", &twice).map(drop).unwrap_err(), Refused::Malformed("content_length"));
    }

    impl PartialEq for Received {
        fn eq(&self, other: &Self) -> bool {
            self.head.target == other.head.target && self.length == other.length
        }
    }
}
