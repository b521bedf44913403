use super::hash::{Form, Hash};
use super::sets::Key;
use crate::config::{HashBy, KeyPart, Prefix};
use crate::http::path::{segment, with_view};
use crate::http::query::decoded;
use crate::http::{RequestHead, cookie_pairs, split_port};
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The secret of the keyed hash: without it nobody can make keys that collide, or that meet in one set of a table. Members
/// of a fleet must have the same, and learn it while they serve.
pub struct Secret([AtomicU64; 2]);

/// How a limit makes keys of requests.
#[derive(Clone, Debug)]
pub struct Keys {
    parts: Vec<KeyPart>,
    prefix: Prefix,
    secret: Arc<Secret>,
}

/// A request, as keys are made of it: before anything of it is edited.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Its head.
    pub head: &'a RequestHead,
    /// Who it is, by the word of earlier hops where that is believed.
    pub client: IpAddr,
    /// The name of the route that it met.
    pub route: &'a str,
}

/// What a request has of a part.
enum Found<'a> {
    Nothing,
    One(&'a [u8]),
    /// Several, of which nobody knows which one the backend takes.
    Several,
}

impl Secret {
    /// Of these bytes.
    #[must_use]
    pub fn new(bytes: [u8; 16]) -> Secret {
        let secret = Secret(Default::default());
        secret.set(bytes);
        secret
    }

    /// As it is told to others.
    #[must_use]
    pub fn get(&self) -> [u8; 16] {
        let [low, high] = self.halves();
        (u128::from(low) | u128::from(high) << 64).to_le_bytes()
    }

    fn halves(&self) -> [u64; 2] {
        [self.0[0].load(Relaxed), self.0[1].load(Relaxed)]
    }

    /// Another one, from now on: all that keys have used under the last one is forgotten. A key that is made meanwhile may
    /// be of both halves.
    pub fn set(&self, bytes: [u8; 16]) {
        let halves = u128::from_le_bytes(bytes);
        self.0[0].store(halves as u64, Relaxed);
        self.0[1].store((halves >> 64) as u64, Relaxed);
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl Keys {
    /// Keys of these parts, all of them together.
    #[must_use]
    pub fn new(parts: &[KeyPart], prefix: Prefix, secret: Arc<Secret>) -> Keys {
        Keys { parts: parts.to_vec(), prefix, secret }
    }

    /// The key of a request. What is missing is a value of its own, and so is what is there more than once: whoever leaves
    /// it out, or hides it among others, shares with all who do.
    #[must_use]
    pub fn key(&self, asked: Asked<'_>) -> Key {
        let mut hash = Hash::new(self.secret.halves());
        for part in &self.parts {
            self.push(part, asked, &mut hash);
        }
        Key::of(hash.finish())
    }

    fn push(&self, part: &KeyPart, asked: Asked<'_>, hash: &mut Hash) {
        let head = asked.head;
        match part {
            KeyPart::Route => hash.value(asked.route.as_bytes()),
            KeyPart::Host => host(&head.authority, hash),
            KeyPart::Of(HashBy::ClientIp) => self.network(asked.client, hash),
            KeyPart::Of(HashBy::Path) => with_view(head.path(), |path| hash.value(path)),
            KeyPart::Of(HashBy::PathPart(number)) => with_view(head.path(), |path| match segment(path, *number) {
                Some(segment) => hash.value(segment),
                None => hash.without(Form::Missing),
            }),
            KeyPart::Of(HashBy::Field(name)) if name == "host" => host(&head.authority, hash),
            KeyPart::Of(HashBy::Field(name)) => hash.found(only(head.fields.named(name.as_bytes()))),
            KeyPart::Of(HashBy::Cookie(name)) => {
                let value = |pair: &[u8]| pair.strip_prefix(name.as_bytes()).is_some_and(|rest| rest.starts_with(b"="));
                let pairs = cookie_pairs(&head.fields).filter(|pair| value(pair));
                hash.found(only(pairs.map(|pair| &pair[name.len() + 1..])));
            }
            KeyPart::Of(HashBy::Query(name)) => {
                let pairs = head.query().into_iter().flat_map(|query| query.split(|&b| b == b'&')).map(|pair| {
                    let at = memchr::memchr(b'=', pair).unwrap_or(pair.len());
                    (&pair[..at], pair.get(at + 1..).unwrap_or_default())
                });
                match only(pairs.filter(|(key, _)| decoded(key).eq(name.bytes())).map(|(_, value)| value)) {
                    Found::One(value) => hash.decoded(value),
                    other => hash.found(other),
                }
            }
        }
    }

    /// The network that a client is in.
    fn network(&self, client: IpAddr, hash: &mut Hash) {
        match client.to_canonical() {
            IpAddr::V4(ip) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.prefix.v4)).unwrap_or(0);
                hash.number(u64::from(u32::from(ip) & mask), size_of::<u32>());
            }
            IpAddr::V6(ip) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.prefix.v6)).unwrap_or(0);
                hash.value(&(u128::from(ip) & mask).to_be_bytes());
            }
        }
    }
}

impl Hash {
    fn found(&mut self, found: Found<'_>) {
        match found {
            Found::Nothing => self.without(Form::Missing),
            Found::One(value) => self.value(value),
            Found::Several => self.without(Form::Several),
        }
    }

    /// As whoever reads a query has it: `%61` is `a`, and `+` is a space.
    fn decoded(&mut self, value: &[u8]) {
        match memchr::memchr2(b'%', b'+', value) {
            None => self.value(value),
            Some(_) => self.each(decoded(value).count(), decoded(value)),
        }
    }
}

/// The only one that is not empty.
fn only<'a>(values: impl Iterator<Item = &'a [u8]>) -> Found<'a> {
    let mut values = values.fuse();
    match (values.next(), values.next()) {
        (None | Some(b""), None) => Found::Nothing,
        (Some(value), None) => Found::One(value),
        _ => Found::Several,
    }
}

/// Without its port and the dot at its end, in lower case.
fn host(authority: &[u8], hash: &mut Hash) {
    let (host, _) = split_port(authority);
    let host = host.strip_suffix(b".").unwrap_or(host);
    if host.iter().any(u8::is_ascii_uppercase) {
        return hash.each(host.len(), host.iter().map(u8::to_ascii_lowercase));
    }
    hash.value(host);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(parts: &[KeyPart]) -> Keys {
        Keys::new(parts, Prefix { v4: 32, v6: 64 }, Arc::new(Secret::new([3; 16])))
    }

    fn head(target: &str, fields: &[(&str, &str)]) -> RequestHead {
        let mut head = RequestHead { target: target.into(), authority: b"shop.example".into(), ..Default::default() };
        fields.iter().for_each(|(name, value)| head.fields.push(name.as_bytes(), value.as_bytes()));
        head
    }

    fn key(parts: &[KeyPart], head: &RequestHead) -> Key {
        keys(parts).key(Asked { head, client: IpAddr::from([192, 0, 2, 1]), route: "r" })
    }

    #[test]
    fn clients_of_one_network_are_one_key() {
        let of = |client: &str| {
            let keys =
                Keys::new(&[KeyPart::Of(HashBy::ClientIp)], Prefix { v4: 24, v6: 64 }, Arc::new(Secret::new([3; 16])));
            keys.key(Asked { head: &head("/", &[]), client: client.parse().unwrap(), route: "r" })
        };
        assert_eq!(of("192.0.2.1"), of("192.0.2.200"));
        assert_eq!(of("192.0.2.1"), of("::ffff:192.0.2.9"));
        assert_ne!(of("192.0.2.1"), of("192.0.3.1"));
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:0:0:2"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        let whole =
            Keys::new(&[KeyPart::Of(HashBy::ClientIp)], Prefix { v4: 0, v6: 0 }, Arc::new(Secret::new([3; 16])));
        let of = |client: [u8; 4]| whole.key(Asked { head: &head("/", &[]), client: client.into(), route: "r" });
        assert_eq!(of([192, 0, 2, 1]), of([10, 0, 0, 1]));
    }

    #[test]
    fn one_value_has_one_key_however_it_is_spelled() {
        let query = [KeyPart::Of(HashBy::Query("k".into()))];
        let same = |a: &str, b: &str| key(&query, &head(a, &[])) == key(&query, &head(b, &[]));
        assert!(same("/?k=abc", "/x?a=1&k=%61b%63"));
        assert!(same("/?k=abc", "/?%6b=abc"));
        assert!(same("/?k=a b", "/?k=a+b"));
        assert!(!same("/?k=abc", "/?k=abd"));
        let part = [KeyPart::Of(HashBy::PathPart(2))];
        let same = |a: &str, b: &str| key(&part, &head(a, &[])) == key(&part, &head(b, &[]));
        assert!(same("/a/b/c", "//x/%62?k") && same("/a/b", "/a/x/../b") && !same("/a/b", "/b/a"));
        let mut upper = head("/", &[]);
        upper.authority = b"SHOP.example.:8080".into();
        assert_eq!(key(&[KeyPart::Host], &upper), key(&[KeyPart::Host], &head("/", &[])));
    }

    #[test]
    fn what_is_missing_is_one_key_and_what_is_repeated_another() {
        for (part, one, twice) in [
            (HashBy::Field("x-key".into()), head("/", &[("x-key", "a")]), head("/", &[("x-key", "a"), ("x-key", "b")])),
            (HashBy::Cookie("k".into()), head("/", &[("cookie", "k=a; kk=1")]), head("/", &[("cookie", "k=a; k=b")])),
            (HashBy::Query("k".into()), head("/?k=a&kk=1", &[]), head("/?k=b&%6b=a", &[])),
        ] {
            let parts = [KeyPart::Of(part)];
            let missing = key(&parts, &head("/", &[]));
            assert_eq!(missing, key(&parts, &head("/?k=&l", &[("x-key", ""), ("cookie", "k=; l")])));
            let (one, twice) = (key(&parts, &one), key(&parts, &twice));
            assert!(missing != one && missing != twice && one != twice, "{parts:?}");
        }
        let deep = [KeyPart::Of(HashBy::PathPart(3))];
        assert_eq!(key(&deep, &head("/a/b", &[])), key(&deep, &head("/", &[])));
    }

    #[test]
    fn several_parts_are_told_apart() {
        let parts = [KeyPart::Of(HashBy::Field("a".into())), KeyPart::Of(HashBy::Field("b".into())), KeyPart::Route];
        let of = |a: &str, b: &str| key(&parts, &head("/", &[("a", a), ("b", b)]));
        assert_eq!(of("x", "y"), of("x", "y"));
        assert!(of("xy", "z") != of("x", "yz") && of("x", "") != of("", "x"));
        let other = keys(&parts).key(Asked { head: &head("/", &[]), client: IpAddr::from([0; 4]), route: "s" });
        assert_ne!(other, key(&parts, &head("/", &[])));
    }

    #[test]
    fn nobody_can_tell_a_key_without_the_secret() {
        let parts = [KeyPart::Host];
        let of = |secret| {
            let keys = Keys::new(&parts, Prefix { v4: 32, v6: 64 }, Arc::new(Secret::new(secret)));
            keys.key(Asked { head: &head("/", &[]), client: IpAddr::from([0; 4]), route: "r" })
        };
        assert_ne!(of([1; 16]), of([2; 16]));
    }
}
