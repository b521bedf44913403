//! What an operator writes, as what a purge names.
//!
//! Scheme and host become lower case, a default port and a dot at the end of the host are dropped, a missing path is `/`;
//! everything after the host is taken as it is written, as in keys. Without a scheme both are meant.

use super::What;
use crate::cache::key::push_origin;
use crate::http::{Scheme, parse_authority};
use std::fmt;

/// Why something cannot be purged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotPurgeable {
    text: String,
    why: Why,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    Empty,
    Long,
    Scheme,
    NoHost,
    Host,
    Fragment,
    Byte,
    HostOnly,
    Control,
}

/// Bytes that the name of a purge may have.
pub const NAME_BYTES_MAX: usize = 16 * 1024;

/// Reads a URL: `https://shop.example/a?b`, or `shop.example/a` for both schemes.
///
/// # Errors
/// It is none.
pub fn url(text: &str) -> Result<Vec<What>, NotPurgeable> {
    Ok(Parts::of(text)?.joined().map(What::Url).collect())
}

/// Reads the beginning of URLs, the whole host at least. A `*` at its end stands for any rest, and so for nothing.
///
/// # Errors
/// It is no beginning of a URL.
pub fn prefix(text: &str) -> Result<Vec<What>, NotPurgeable> {
    Ok(Parts::of(text.strip_suffix('*').unwrap_or(text))?.joined().map(What::Prefix).collect())
}

/// Reads a host: `shop.example` for all of its ports, `shop.example:8443` for one.
///
/// # Errors
/// It is none.
pub fn host(text: &str) -> Result<What, NotPurgeable> {
    let refuse = |why| Err(NotPurgeable::of(text, why));
    match () {
        () if text.is_empty() => return refuse(Why::Empty),
        () if text.len() > NAME_BYTES_MAX => return refuse(Why::Long),
        () if text.contains('/') => return refuse(Why::HostOnly),
        () => {}
    }
    match parse_authority(text.as_bytes()) {
        None => refuse(Why::Host),
        Some(authority) => {
            let host = authority.host.strip_suffix(b".").unwrap_or(authority.host);
            let mut name = host.to_ascii_lowercase();
            if let Some(port) = authority.port {
                name.extend_from_slice(format!(":{port}").as_bytes());
            }
            if host.is_empty() { refuse(Why::Host) } else { Ok(What::Host(name)) }
        }
    }
}

/// Reads a tag: of Surrogate-Key, Cache-Tag or Cache-Groups (RFC 9875). Its case counts.
///
/// # Errors
/// It is empty, too long, or has control characters.
pub fn tag(text: &str) -> Result<What, NotPurgeable> {
    match () {
        () if text.is_empty() => Err(NotPurgeable::of(text, Why::Empty)),
        () if text.len() > NAME_BYTES_MAX => Err(NotPurgeable::of(text, Why::Long)),
        () if text.contains(|c: char| c.is_control()) => Err(NotPurgeable::of(text, Why::Control)),
        () => Ok(What::Tag(text.into())),
    }
}

/// A URL in its parts, all of them valid.
struct Parts<'a> {
    schemes: &'static [Scheme],
    authority: &'a [u8],
    /// Path and query; either may be missing.
    target: &'a [u8],
}

impl<'a> Parts<'a> {
    fn of(text: &'a str) -> Result<Parts<'a>, NotPurgeable> {
        let refuse = |why| Err(NotPurgeable::of(text, why));
        let (schemes, rest): (&'static [Scheme], _) = match text.split_once("://") {
            _ if text.is_empty() => return refuse(Why::Empty),
            _ if text.len() > NAME_BYTES_MAX => return refuse(Why::Long),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => (&[Scheme::Http], rest),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => (&[Scheme::Https], rest),
            // A query may well have a URL in it.
            Some((scheme, _)) if !scheme.contains(['/', '?']) => return refuse(Why::Scheme),
            _ => (&[Scheme::Http, Scheme::Https], text),
        };
        let at = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, target) = rest.as_bytes().split_at(at);
        match () {
            () if authority.is_empty() || authority == b"." => refuse(Why::NoHost),
            () if target.contains(&b'#') => refuse(Why::Fragment),
            () if !target.iter().all(u8::is_ascii_graphic) => refuse(Why::Byte),
            () if parse_authority(authority).is_none_or(|authority| matches!(authority.host, b"" | b".")) => {
                refuse(Why::Host)
            }
            () => Ok(Parts { schemes, authority, target }),
        }
    }

    /// In the form of keys, for each scheme that is meant.
    fn joined(&self) -> impl Iterator<Item = Vec<u8>> {
        self.schemes.iter().map(|scheme| {
            let mut out = Vec::with_capacity(self.authority.len() + self.target.len() + 16);
            push_origin(*scheme, self.authority, &mut out);
            if !self.target.starts_with(b"/") {
                // RFC 9110 §4.2.3: an empty path is the path `/`.
                out.push(b'/');
            }
            out.extend_from_slice(self.target);
            out
        })
    }
}

impl NotPurgeable {
    fn of(text: &str, why: Why) -> NotPurgeable {
        NotPurgeable { text: text.chars().take(SHOWN_CHARS_MAX).collect(), why }
    }
}

impl fmt::Display for NotPurgeable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = match self.why {
            Why::Empty => "is empty",
            Why::Long => "is longer than 16384 bytes: a shorter prefix purges it, too",
            Why::Scheme => "has a scheme that is neither http nor https",
            Why::NoHost => "has no host: write https://shop.example/path, or shop.example/path for both schemes",
            Why::Host => "has no valid host: letters, digits, dots and hyphens, and a port if it is needed",
            Why::Fragment => "has a fragment (#…), which no request has: leave it out",
            Why::Byte => "has a character that no URL has: write it as %XX, as requests have it",
            Why::HostOnly => "is more than a host: write shop.example or shop.example:8443",
            Why::Control => "has control characters",
        };
        write!(f, "{:?} {why}", self.text)
    }
}

impl std::error::Error for NotPurgeable {}

const SHOWN_CHARS_MAX: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    fn names(read: Result<Vec<What>, NotPurgeable>) -> Vec<String> {
        read.unwrap().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn urls_become_what_keys_have() {
        for (text, expected) in [
            ("https://Shop.Example/A?b", &["url https://shop.example/A?b"][..]),
            ("HTTP://shop.example:80", &["url http://shop.example/"]),
            ("https://shop.example.:443?q", &["url https://shop.example/?q"]),
            ("shop.example/a", &["url http://shop.example/a", "url https://shop.example/a"]),
            ("shop.example:443/a", &["url http://shop.example:443/a", "url https://shop.example/a"]),
            ("[::1]:8080/%7e", &["url http://[::1]:8080/%7e", "url https://[::1]:8080/%7e"]),
            ("a/x?u=ftp://b", &["url http://a/x?u=ftp://b", "url https://a/x?u=ftp://b"]),
        ] {
            assert_eq!(names(url(text)), expected, "{text}");
        }
        assert_eq!(names(prefix("https://a/img/*")), ["prefix https://a/img/"]);
        assert_eq!(names(prefix("A")), ["prefix http://a/", "prefix https://a/"]);
    }

    #[test]
    fn hosts_and_tags_are_read() {
        for (text, expected) in
            [("Shop.Example.", "shop.example"), ("a:443", "a:443"), ("[::1]", "[::1]"), ("a:080", "a:80")]
        {
            assert_eq!(host(text), Ok(What::Host(expected.into())));
        }
        assert_eq!(tag("Product 7/é"), Ok(What::Tag("Product 7/é".into())));
    }

    #[test]
    fn what_cannot_be_purged_is_told_why() {
        let long = format!("a/{}", "b".repeat(NAME_BYTES_MAX));
        for (text, why) in [
            ("", "is empty"),
            ("ftp://a/", "neither http nor https"),
            ("/a", "has no host"),
            ("https:///a", "has no host"),
            (".", "has no host"),
            ("https://a/#b", "fragment"),
            ("https://a/b c", "%XX"),
            ("https://a/é", "%XX"),
            ("https://u:p@a/", "no valid host"),
            ("a:99999/", "no valid host"),
            (":80/", "no valid host"),
            ("ä/", "no valid host"),
            (&long, "longer than 16384"),
        ] {
            let error = url(text).unwrap_err().to_string();
            assert!(error.contains(why) && error.len() < 400, "{text}: {error}");
        }
        for (text, why) in [("a/b", "more than a host"), ("", "empty"), ("a b", "valid host"), (".", "valid host")] {
            assert!(host(text).unwrap_err().to_string().contains(why), "{text}");
        }
        for text in ["", "a\nb", &long] {
            assert!(tag(text).is_err());
        }
    }
}
