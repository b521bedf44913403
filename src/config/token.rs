//! `[admin] tokens`: who may change what.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use ipnet::IpNet;
use std::fmt;
use std::net::IpAddr;

/// One of `[admin] tokens`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// By which pools and logs call it.
    pub name: String,
    /// What its holder may do.
    pub role: Role,
    /// By which it is known.
    pub secret: SecretSum,
    /// Where backends may be that its holder registers and, unless he is an operator, takes out; default: [`Token::networks_default`].
    pub networks: Vec<IpNet>,
}

/// What the holder of a token may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Whatever can be asked of the admin listener.
    Operator,
    /// Registering backends of the pools that name the token, and taking them back.
    Registrar,
}

/// Interfaces of other registries that the admin listener serves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interfaces {
    /// Which; default: none.
    pub speaks: Vec<Dialect>,
    /// The name of the token as whose holder counts who asks through them from this machine and sends none.
    pub loopback_as: Option<String>,
}

/// An interface of another registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// That of Consul's agent.
    Consul,
    /// The open API of Nacos 1.x.
    Nacos,
}

/// The SHA-256 of a secret: enough to know it again, whatever its length, in a time that does not depend on it.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretSum([u8; 32]);

impl Token {
    /// What leases call who came over a unix socket, where no token is needed: no token is called so.
    pub const SOCKET: &str = "unix";

    /// Loopback and private addresses (RFC 1918, RFC 4193).
    #[must_use]
    pub fn networks_default() -> Vec<IpNet> {
        NETWORKS.iter().filter_map(|network| network.parse().ok()).collect()
    }

    /// Whether its holder may register a backend at that address.
    #[must_use]
    pub fn reaches(&self, ip: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(&ip))
    }
}

impl Role {
    /// As it stands in the configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Role::Operator => "operator",
            Role::Registrar => "registrar",
        }
    }
}

impl SecretSum {
    /// Of these bytes.
    #[must_use]
    pub fn of(secret: &[u8]) -> SecretSum {
        let mut sum = [0; 32];
        sum.copy_from_slice(digest(&SHA256, secret).as_ref());
        SecretSum(sum)
    }

    /// Whether they are the same; it takes as long if they are not.
    #[must_use]
    pub fn is(&self, other: &SecretSum) -> bool {
        verify_slices_are_equal(&self.0, &other.0).is_ok()
    }
}

impl fmt::Debug for SecretSum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretSum(…)")
    }
}

const NETWORKS: [&str; 6] = ["127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_default_private_addresses_are_reached_and_no_others() {
        let networks = Token::networks_default();
        assert_eq!(networks.len(), NETWORKS.len());
        let token = Token { name: "a".into(), role: Role::Registrar, secret: SecretSum::of(b"a"), networks };
        let reaches = |ip: &str| token.reaches(ip.parse().unwrap());
        assert!(reaches("127.0.0.1") && reaches("10.1.2.3") && reaches("172.31.0.1") && reaches("fd00::1"));
        // Cloud providers give secrets out on link-local addresses.
        assert!(!reaches("169.254.169.254") && !reaches("8.8.8.8") && !reaches("2001:db8::1") && !reaches("fe80::1"));
    }

    #[test]
    fn a_secret_is_known_again_and_not_shown() {
        let sum = SecretSum::of(b"correct horse battery");
        assert!(sum.is(&SecretSum::of(b"correct horse battery")) && !sum.is(&SecretSum::of(b"correct horse")));
        assert_eq!(format!("{sum:?}"), "SecretSum(…)");
    }
}
