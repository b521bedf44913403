use crate::config::HashBy;
use crate::http::path::segment;
use crate::http::{RequestHead, cookie};
use std::net::IpAddr;

/// The part of a request by which a pool hashes, as the backend gets the request; `None` if the request has no such part.
/// `read` sees it.
pub fn with_part<R>(by: &HashBy, head: &RequestHead, client: IpAddr, read: impl FnOnce(&[u8]) -> R) -> Option<R> {
    let part = match by {
        HashBy::ClientIp => {
            return Some(match client.to_canonical() {
                IpAddr::V4(address) => read(&address.octets()),
                IpAddr::V6(address) => read(&address.octets()),
            });
        }
        HashBy::Cookie(name) => cookie(&head.fields, name)?,
        HashBy::Field(name) if name == "host" => &head.authority,
        HashBy::Field(name) => head.fields.named(name.as_bytes()).next()?,
        HashBy::Query(name) => parameter(head.query()?, name.as_bytes())?,
        HashBy::Path => head.path(),
        HashBy::PathPart(number) => segment(head.path(), *number)?,
    };
    (!part.is_empty()).then(|| read(part))
}

/// The value of a query parameter, as it is written.
fn parameter<'a>(query: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    query.split(|&b| b == b'&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix(b"="))
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
        let part = |by| with_part(&by, &head, client, |part| String::from_utf8_lossy(part).into_owned());
        assert_eq!(part(HashBy::Cookie("uid".into())).as_deref(), Some("42"));
        assert_eq!(part(HashBy::Field("x-user".into())).as_deref(), Some("ann"));
        assert_eq!(part(HashBy::Field("host".into())).as_deref(), Some("shop.example"));
        assert_eq!(part(HashBy::Query("user".into())).as_deref(), Some("x%20y"));
        assert_eq!(part(HashBy::Path).as_deref(), Some("/shop//carts/7"));
        assert_eq!(part(HashBy::PathPart(2)).as_deref(), Some("carts"));
        assert!(with_part(&HashBy::ClientIp, &head, client, |part| part == [192, 0, 2, 1]).unwrap());
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
}
