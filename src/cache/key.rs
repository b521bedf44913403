//! What two requests must have in common to get the same response (RFC 9111 §2).

use crate::http::{RequestHead, Scheme, split_port};
use siphasher::sip128::{Hasher128, SipHasher13};
use std::hash::Hasher;

/// How keys are made of requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyRules {
    /// Query parameters that are left out; a `*` at the end stands for any rest.
    pub ignore_query: Vec<Box<[u8]>>,
}

/// The secret of the keyed hash: without it nobody can make keys that collide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Secret(pub [u8; 16]);

impl Secret {
    /// The 128-bit hash of a key (SipHash-1-3, Aumasson and Bernstein 2012).
    #[must_use]
    pub fn hash(&self, key: &[u8]) -> u128 {
        let mut hasher = SipHasher13::new_with_key(&self.0);
        hasher.write(key);
        hasher.finish128().as_u128()
    }

    /// A 64-bit hash of a part of a key.
    #[must_use]
    pub fn hash64(&self, part: &[u8]) -> u64 {
        self.hash(part) as u64
    }
}

/// Writes the key of a request to `out`: `scope`, then `scheme://host[:port]` and the target, of which only what is surely
/// no difference is made alike: case of the host, a default port, a dot at the end of the host, parameters that the
/// operator ignores (RFC 9110 §4.2.3). Returns where the URL begins.
pub fn push_key(head: &RequestHead, scope: &[u8], rules: &KeyRules, out: &mut Vec<u8>) -> usize {
    out.extend_from_slice(scope);
    if !scope.is_empty() {
        out.push(b' ');
    }
    let start = out.len();
    push_origin(head.scheme, &head.authority, out);
    push_target(&head.target, rules, out);
    start
}

/// Writes `scheme://host[:port]` in the form that keys have.
pub fn push_origin(scheme: Scheme, authority: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(scheme.as_str().as_bytes());
    out.extend_from_slice(b"://");
    push_authority(scheme, authority, out);
}

/// Writes `host[:port]` in the form that keys have.
pub fn push_authority(scheme: Scheme, authority: &[u8], out: &mut Vec<u8>) {
    let (host, port) = split_port(authority);
    let host = host.strip_suffix(b".").unwrap_or(host);
    let at = out.len();
    out.extend_from_slice(host);
    out[at..].make_ascii_lowercase();
    let default: &[u8] = match scheme {
        Scheme::Http => b"80",
        Scheme::Https => b"443",
    };
    // Of a port that is all zeros one stays.
    let zeros = |port: &[u8]| port[..port.len() - 1].iter().take_while(|digit| **digit == b'0').count();
    let port = port.map(|port| &port[zeros(port)..]);
    if let Some(port) = port.filter(|port| *port != default) {
        out.push(b':');
        out.extend_from_slice(port);
    }
}

/// Writes a target without the parameters that are ignored.
pub fn push_target(target: &[u8], rules: &KeyRules, out: &mut Vec<u8>) {
    let at = match memchr::memchr(b'?', target) {
        Some(at) if !rules.ignore_query.is_empty() => at,
        _ => return out.extend_from_slice(target),
    };
    out.extend_from_slice(&target[..at]);
    let mut before = b'?';
    for parameter in target[at + 1..].split(|&b| b == b'&') {
        let name = parameter.split(|&b| b == b'=').next().unwrap_or_default();
        if !rules.ignores(name) {
            out.push(before);
            out.extend_from_slice(parameter);
            before = b'&';
        }
    }
}

impl KeyRules {
    fn ignores(&self, name: &[u8]) -> bool {
        self.ignore_query.iter().any(|ignored| match ignored.strip_suffix(b"*") {
            Some(prefix) => name.starts_with(prefix),
            None => **ignored == *name,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(authority: &str, target: &str) -> String {
        let head = RequestHead { authority: authority.into(), target: target.into(), ..Default::default() };
        let rules = KeyRules { ignore_query: vec![b"utm_*"[..].into(), b"fbclid"[..].into()] };
        let mut out = Vec::new();
        let at = push_key(&head, b"s", &rules, &mut out);
        assert_eq!(at, 2);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn only_what_is_surely_no_difference_is_made_alike() {
        for (authority, target, expected) in [
            ("Shop.Example:80", "/A?b", "s http://shop.example/A?b"),
            ("shop.example.", "/", "s http://shop.example/"),
            ("shop.example:8080", "/", "s http://shop.example:8080/"),
            ("shop.example:443", "/", "s http://shop.example:443/"),
            ("shop.example:080", "/", "s http://shop.example/"),
            ("shop.example:08080", "/", "s http://shop.example:8080/"),
            ("[::1]:80", "/%7ea", "s http://[::1]/%7ea"),
            ("a:00", "/", "s http://a:0/"),
            ("a", "/x?utm_source=1&a=2&fbclid=3&utm=4", "s http://a/x?a=2&utm=4"),
            ("a", "/x?utm_source=1", "s http://a/x"),
            ("a", "/x?", "s http://a/x?"),
            ("a", "//x/../y", "s http://a//x/../y"),
        ] {
            assert_eq!(key(authority, target), expected);
        }
    }

    #[test]
    fn the_hash_depends_on_the_secret_and_on_every_byte() {
        let (a, b) = (Secret([1; 16]), Secret([2; 16]));
        assert_ne!(a.hash(b"x"), b.hash(b"x"));
        assert_ne!(a.hash(b"x"), a.hash(b"y"));
        assert_eq!(a.hash(b"x"), a.hash(b"x"));
    }
}
