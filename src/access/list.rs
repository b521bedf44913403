use ipnet::IpNet;
use std::net::IpAddr;

/// `allow` and `deny`, arranged so that thousands of networks cost no more than a few.
#[derive(Clone, Debug, Default)]
pub struct List {
    /// None: all.
    allow: Option<Networks>,
    deny: Networks,
}

impl List {
    /// `deny` wins; an empty `allow` allows all.
    #[must_use]
    pub fn build(allow: &[IpNet], deny: &[IpNet]) -> List {
        List { allow: (!allow.is_empty()).then(|| Networks::build(allow)), deny: Networks::build(deny) }
    }

    /// Whether `client` is let in.
    #[must_use]
    pub fn admits(&self, client: IpAddr) -> bool {
        let client = client.to_canonical();
        !self.deny.contain(client) && self.allow.as_ref().is_none_or(|allow| allow.contain(client))
    }
}

/// Networks as ranges of addresses, sorted and apart from each other.
#[derive(Clone, Debug, Default)]
struct Networks {
    v4: Vec<(u32, u32)>,
    v6: Vec<(u128, u128)>,
}

impl Networks {
    fn build(networks: &[IpNet]) -> Networks {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for network in networks {
            match (network.network().to_canonical(), network.broadcast().to_canonical()) {
                (IpAddr::V4(first), IpAddr::V4(last)) => v4.push((first.to_bits(), last.to_bits())),
                _ => {
                    let bits = |address: IpAddr| match address {
                        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
                        IpAddr::V6(address) => address.to_bits(),
                    };
                    v6.push((bits(network.network()), bits(network.broadcast())));
                }
            }
        }
        Networks { v4: apart(v4), v6: apart(v6) }
    }

    fn contain(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(address) => is_within(&self.v4, address.to_bits()),
            IpAddr::V6(address) => is_within(&self.v6, address.to_bits()),
        }
    }
}

/// Sorted; what overlaps is one.
fn apart<T: Copy + Ord>(mut ranges: Vec<(T, T)>) -> Vec<(T, T)> {
    ranges.sort_unstable();
    let mut apart: Vec<(T, T)> = Vec::with_capacity(ranges.len());
    for (first, last) in ranges {
        match apart.last_mut() {
            Some((_, end)) if first <= *end => *end = last.max(*end),
            _ => apart.push((first, last)),
        }
    }
    apart
}

fn is_within<T: Copy + Ord>(ranges: &[(T, T)], value: T) -> bool {
    let before = ranges.partition_point(|(first, _)| *first <= value);
    before.checked_sub(1).is_some_and(|at| value <= ranges[at].1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::net::Ipv4Addr;

    fn list(allow: &[&str], deny: &[&str]) -> List {
        let read = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<IpNet>>();
        List::build(&read(allow), &read(deny))
    }

    fn admits(list: &List, address: &str) -> bool {
        list.admits(address.parse().unwrap())
    }

    #[test]
    fn deny_wins_and_without_allow_all_others_are_let_in() {
        let both = list(&["10.0.0.0/8", "2001:db8::/32"], &["10.66.0.0/16"]);
        for (address, wanted) in [
            ("10.1.2.3", true),
            ("10.66.0.1", false),
            ("11.0.0.1", false),
            ("2001:db8::1", true),
            ("2001:db9::1", false),
        ] {
            assert_eq!(admits(&both, address), wanted, "{address}");
        }
        let without = list(&[], &["10.66.0.0/16"]);
        assert!(admits(&without, "1.1.1.1") && admits(&without, "::1") && !admits(&without, "10.66.255.255"));
    }

    #[test]
    fn an_ipv4_address_is_one_however_it_is_written() {
        let mapped = list(&["::ffff:10.0.0.0/104"], &[]);
        assert!(admits(&mapped, "10.1.1.1") && admits(&mapped, "::ffff:10.1.1.1") && !admits(&mapped, "11.1.1.1"));
        let plain = list(&["10.0.0.0/8"], &["::ffff:10.2.0.0/112"]);
        assert!(admits(&plain, "::ffff:10.1.1.1") && !admits(&plain, "10.2.0.9"));
        // All of IPv6 is not all of IPv4.
        assert!(!admits(&list(&["::/0"], &[]), "10.1.1.1"));
    }

    proptest! {
        #[test]
        fn it_says_what_a_look_at_every_network_says(
            networks in prop::collection::vec((any::<u32>(), 0..=32u8), 1..40),
            near in prop::collection::vec((any::<prop::sample::Index>(), -2..=2i64, any::<bool>()), 1..20),
            far: u32,
        ) {
            let network = |(bits, prefix): &(u32, u8)| IpNet::new(Ipv4Addr::from_bits(*bits).into(), *prefix).unwrap().trunc();
            let networks: Vec<IpNet> = networks.iter().map(network).collect();
            let list = List::build(&networks, &[]);
            let near = near.iter().map(|(index, off, end)| {
                let network = index.get(&networks);
                let edge = if *end { network.broadcast() } else { network.network() };
                let IpAddr::V4(edge) = edge else { unreachable!() };
                edge.to_bits().wrapping_add_signed(i32::try_from(*off).unwrap())
            });
            for bits in near.chain([far]) {
                let address = IpAddr::from(Ipv4Addr::from_bits(bits));
                prop_assert_eq!(list.admits(address), networks.iter().any(|network| network.contains(&address)));
            }
        }
    }
}
