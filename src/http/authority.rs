use super::{Scheme, split_port};
use std::net::Ipv6Addr;

/// A host with an optional port, valid; slices of what was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Authority<'a> {
    /// Letters in the case received; brackets of an IPv6 literal are kept. Empty only if the whole value was.
    pub host: &'a [u8],
    /// `None` if absent or empty.
    pub port: Option<u16>,
}

/// Reads the value of Host, `:authority` or the authority of an absolute target (RFC 9110 §7.2, RFC 3986 §3.2).
///
/// `None` if it is not `host [":" port]`: userinfo, white space, a list, a port above 65535, a port without a host. An
/// empty value is an empty host, which Host may be (§7.2); for http URIs the caller refuses it (§4.2.1). Commas, though
/// sub-delims of RFC 3986, are refused, as some take them for a list of hosts; so is IPvFuture, which nobody serves.
#[must_use]
pub fn parse_authority(value: &[u8]) -> Option<Authority<'_>> {
    // Nearly all are a name, or a name and a port.
    let name = value.iter().take_while(|&&b| REG_NAME[b as usize]).count();
    match value.split_at(name) {
        (host @ [_, ..], []) => Some(Authority { host, port: None }),
        (host @ [_, ..], [b':']) => Some(Authority { host, port: None }),
        (host @ [_, ..], [b':', digits @ ..]) => Some(Authority { host, port: Some(parse_port(digits)?) }),
        _ => parse_literal(value),
    }
}

/// An IP literal, a name with escapes, or nothing.
fn parse_literal(value: &[u8]) -> Option<Authority<'_>> {
    let (host, port) = split_port(value);
    let port = match port {
        Some(digits) => Some(parse_port(digits)?),
        None => None,
    };
    if host.is_empty() {
        return value.is_empty().then_some(Authority { host, port });
    }
    let is_valid = match host.strip_prefix(b"[") {
        Some(literal) => literal.strip_suffix(b"]").is_some_and(is_ipv6),
        None => is_reg_name(host),
    };
    is_valid.then_some(Authority { host, port })
}

/// Whether two valid authorities name the same place: hosts case-insensitively, ports with the default of `scheme`.
#[must_use]
pub fn same_authority(a: &[u8], b: &[u8], scheme: Scheme) -> bool {
    if a.eq_ignore_ascii_case(b) {
        return true;
    }
    let default = match scheme {
        Scheme::Http => 80,
        Scheme::Https => 443,
    };
    match (parse_authority(a), parse_authority(b)) {
        (Some(a), Some(b)) => {
            a.host.eq_ignore_ascii_case(b.host) && a.port.unwrap_or(default) == b.port.unwrap_or(default)
        }
        _ => false,
    }
}

fn parse_port(digits: &[u8]) -> Option<u16> {
    if digits.len() > PORT_DIGITS_MAX {
        return None;
    }
    let append = |port: u32, digit: &u8| digit.is_ascii_digit().then(|| port * 10 + u32::from(digit - b'0'));
    digits.iter().try_fold(0, append)?.try_into().ok()
}

fn is_ipv6(literal: &[u8]) -> bool {
    std::str::from_utf8(literal).is_ok_and(|text| text.parse::<Ipv6Addr>().is_ok())
}

/// RFC 3986 §3.2.2, without comma; IPv4 addresses are among them.
fn is_reg_name(host: &[u8]) -> bool {
    let mut rest = host;
    loop {
        match rest {
            [] => return true,
            [b'%', high, low, tail @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => rest = tail,
            [b, tail @ ..] if REG_NAME[*b as usize] => rest = tail,
            _ => return false,
        }
    }
}

/// unreserved / sub-delims, without comma.
const REG_NAME: [bool; 256] = {
    let mut table = [false; 256];
    let mut b = 0;
    while b < 256 {
        let c = b as u8;
        table[b] = c.is_ascii_alphanumeric()
            || matches!(
                c,
                b'-' | b'.' | b'_' | b'~' | b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b';' | b'='
            );
        b += 1;
    }
    table
};

const PORT_DIGITS_MAX: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn hosts_with_and_without_port_are_read() {
        for (value, host, port) in [
            ("shop.example", "shop.example", None),
            ("Shop.Example.:8080", "Shop.Example.", Some(8080)),
            ("127.0.0.1:65535", "127.0.0.1", Some(65535)),
            ("[::1]", "[::1]", None),
            ("[2001:db8::1]:443", "[2001:db8::1]", Some(443)),
            ("a_b%20c", "a_b%20c", None),
            ("a:", "a", None),
            ("", "", None),
        ] {
            let expected = Authority { host: host.as_bytes(), port };
            assert_eq!(parse_authority(value.as_bytes()), Some(expected), "{value}");
        }
    }

    #[test]
    fn what_two_parsers_could_read_differently_is_refused() {
        for bad in [
            "u@h",
            "a b",
            " a",
            "a,b",
            "a:b",
            "a:1:2",
            "::1",
            "[::1",
            "::1]",
            "[::1]x",
            "[::1]:x",
            "[::1%25eth0]",
            "[v1.x]",
            "[]",
            ":80",
            ":",
            "a:65536",
            "a:000080",
            "a:+1",
            "a/b",
            "a?b",
            "a#b",
            "a\\b",
            "a\0",
            "a\t",
            "%4",
            "%zz",
            "\u{e9}",
            "a:80 ",
            "[a]",
            "a[::1]",
        ] {
            assert_eq!(parse_authority(bad.as_bytes()), None, "{bad:?}");
        }
    }

    #[test]
    fn the_default_port_may_be_left_out() {
        assert!(same_authority(b"A.b:80", b"a.B", Scheme::Http));
        assert!(same_authority(b"a:", b"a:443", Scheme::Https));
        assert!(!same_authority(b"a:80", b"a", Scheme::Https));
        assert!(!same_authority(b"a", b"b", Scheme::Http));
        assert!(!same_authority(b"a:80", b"a:8080", Scheme::Http));
    }

    proptest! {
        #[test]
        fn a_valid_authority_holds_no_delimiter(value in proptest::collection::vec(any::<u8>(), 0..12)) {
            if let Some(authority) = parse_authority(&value) {
                prop_assert!(value.starts_with(authority.host));
                prop_assert!(!value.iter().any(|b| b"@/?#\\, \t\r\n\0\"<>".contains(b)));
            }
        }
    }
}
