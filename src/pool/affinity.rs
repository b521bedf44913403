use super::policy::{hash_bytes, hash_key};
use crate::config::HashBy;
use crate::http::path::segment;
use crate::http::query::decoded;
use crate::http::{RequestHead, cookie};
use std::net::IpAddr;

/// The hash of the part of a request by which a pool hashes, as the backend gets the request; `None` if the request has no
/// such part.
#[must_use]
pub fn hash_part(by: &HashBy, head: &RequestHead, client: IpAddr) -> Option<u64> {
    let part = match by {
        HashBy::ClientIp => {
            return Some(match client.to_canonical() {
                IpAddr::V4(address) => hash_key(&address.octets()),
                IpAddr::V6(address) => hash_key(&address.octets()),
            });
        }
        HashBy::Query(name) => {
            return parameter(head.query()?, name.as_bytes()).map(|value| hash_bytes(decoded(value)));
        }
        HashBy::Cookie(name) => cookie(&head.fields, name)?,
        HashBy::Field(name) if name == "host" => &head.authority,
        HashBy::Field(name) => head.fields.named(name.as_bytes()).next()?,
        HashBy::Path => head.path(),
        HashBy::PathPart(number) => segment(head.path(), *number)?,
    };
    (!part.is_empty()).then(|| hash_key(part))
}

/// The first value of a query parameter that is not empty, as it is written. Names are what whoever reads the query takes them
/// for, as limits have it: `%75ser` is `user`.
fn parameter<'a>(query: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let pairs = query.split(|&b| b == b'&').filter_map(|pair| pair.split_at_checked(memchr::memchr(b'=', pair)? + 1));
    let mut named =
        pairs.filter(|(key, value)| !value.is_empty() && decoded(&key[..key.len() - 1]).eq(name.iter().copied()));
    named.next().map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_is_found_and_what_is_missing_is_not() {
        let mut head = RequestHead { target: b"/shop//carts/7?a=1&user=x%20y&b".into(), ..Default::default() };
        head.authority.extend_from_slice(b"shop.example");
        head.fields.push(b"x-user", b"ann");
        head.fields.push(b"cookie", b"uid=42; e=");
        let client = "::ffff:192.0.2.1".parse().unwrap();
        let part = |by| hash_part(&by, &head, client);
        let is = |text: &[u8]| Some(hash_key(text));
        assert_eq!(part(HashBy::Cookie("uid".into())), is(b"42"));
        assert_eq!(part(HashBy::Field("x-user".into())), is(b"ann"));
        assert_eq!(part(HashBy::Field("host".into())), is(b"shop.example"));
        assert_eq!(part(HashBy::Query("user".into())), is(b"x y"));
        assert_eq!(part(HashBy::Path), is(b"/shop//carts/7"));
        assert_eq!(part(HashBy::PathPart(2)), is(b"carts"));
        assert_eq!(part(HashBy::ClientIp), is(&[192, 0, 2, 1]));
        for missing in [
            HashBy::Cookie("u".into()),
            HashBy::Cookie("e".into()),
            HashBy::Field("x".into()),
            HashBy::Query("b".into()),
            HashBy::PathPart(4),
        ] {
            assert_eq!(part(missing.clone()), None, "{missing:?}");
        }
    }

    #[test]
    fn a_parameter_is_the_same_however_it_is_written() {
        let hashed = |query: &str| {
            let head = RequestHead { target: format!("/cart?{query}").into(), ..Default::default() };
            hash_part(&HashBy::Query("user".into()), &head, "192.0.2.1".parse().unwrap())
        };
        let ann = Some(hash_key(b"ann b"));
        for same in ["user=ann%20b", "%75ser=ann+b", "u%73er=%61nn+b", "a=1&user=&user=ann+b&user=bob", "user=ann b"] {
            assert_eq!(hashed(same), ann, "{same}");
        }
        for none in ["user", "user=", "users=a", "xuser=a", "User=a", "%2575ser=a", "=a"] {
            assert_eq!(hashed(none), None, "{none}");
        }
    }
}
