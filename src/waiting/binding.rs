use siphasher::sip::SipHasher13;
use std::hash::Hasher;
use std::net::IpAddr;

/// What a ticket is bound to: a keyed hash of what tells one client from another, so that a ticket tells nobody who has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binding(pub(super) u64);

impl Binding {
    /// Of a client at `address` (`None`: the address does not count) that calls itself `agent`.
    ///
    /// An IPv4 address counts whole, an IPv6 address by its /64: hosts choose the rest anew every day (RFC 8981).
    pub(super) fn of(key: &[u8; 16], address: Option<IpAddr>, agent: &[u8]) -> Binding {
        let mut hasher = SipHasher13::new_with_key(key);
        match address.map(|address| address.to_canonical()) {
            None => hasher.write_u8(0),
            Some(IpAddr::V4(address)) => {
                hasher.write_u8(4);
                hasher.write(&address.octets());
            }
            Some(IpAddr::V6(address)) => {
                hasher.write_u8(6);
                hasher.write(&address.octets()[..8]);
            }
        }
        hasher.write(agent);
        Binding(hasher.finish())
    }

    /// Four digits by which the cookies of a client that changes networks are told apart.
    #[must_use]
    pub fn digits(self) -> [u8; 4] {
        std::array::from_fn(|at| {
            char::from_digit((self.0 >> (at * 4)) as u32 & 0xf, 16).map_or(b'0', |digit| digit as u8)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 16] = [7; 16];

    fn of(address: &str, agent: &str) -> Binding {
        Binding::of(&KEY, Some(address.parse().unwrap()), agent.as_bytes())
    }

    #[test]
    fn a_client_is_its_address_and_what_it_calls_itself() {
        let one = of("192.0.2.1", "Firefox");
        assert_eq!(one, of("::ffff:192.0.2.1", "Firefox"));
        assert_ne!(one, of("192.0.2.2", "Firefox"));
        assert_ne!(one, of("192.0.2.1", "Chrome"));
        assert_ne!(one, Binding::of(&[8; 16], Some("192.0.2.1".parse().unwrap()), b"Firefox"));
        assert_eq!(of("2001:db8:1:2::1", "F"), of("2001:db8:1:2:ffff::9", "F"));
        assert_ne!(of("2001:db8:1:2::1", "F"), of("2001:db8:1:3::1", "F"));
    }

    #[test]
    fn without_its_address_it_is_what_it_calls_itself() {
        assert_eq!(Binding::of(&KEY, None, b"F"), Binding::of(&KEY, None, b"F"));
        assert_ne!(Binding::of(&KEY, None, b"F"), Binding::of(&KEY, None, b"G"));
    }

    #[test]
    fn digits_are_hexadecimal() {
        assert_eq!(Binding(0xa1f0).digits(), *b"0f1a");
    }
}
