use super::{Scheme, split_port};

/// Whether `text` is `host [":" port]` (RFC 3986 §3.2 without user information).
#[must_use]
pub fn is_authority(text: &[u8]) -> bool {
    let host = match memchr::memrchr(b':', text) {
        Some(at) if !text[at..].contains(&b']') => {
            let port = &text[at + 1..];
            if !port.iter().all(u8::is_ascii_digit) || port.len() > 5 {
                return false;
            }
            &text[..at]
        }
        _ => text,
    };
    match host {
        [b'[', inner @ .., b']'] => std::str::from_utf8(inner).is_ok_and(|t| t.parse::<std::net::Ipv6Addr>().is_ok()),
        _ => !host.is_empty() && host.iter().all(|&b| is_reg_name(b)),
    }
}

fn is_reg_name(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"-._~%!$&'()*+;=".contains(&b)
}

/// Whether two authorities name the same host and port under `scheme`.
#[must_use]
pub fn same_authority(a: &[u8], b: &[u8], scheme: Scheme) -> bool {
    let default: &[u8] = match scheme {
        Scheme::Http => b"80",
        Scheme::Https => b"443",
    };
    let (host_a, port_a) = split_port(a);
    let (host_b, port_b) = split_port(b);
    host_a.eq_ignore_ascii_case(host_b) && port_a.unwrap_or(default) == port_b.unwrap_or(default)
}
