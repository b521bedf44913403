use std::net::SocketAddr;
use std::time::Duration;

/// One address that a name stands for now.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Found {
    /// Where the backend listens.
    pub address: SocketAddr,
    /// Its share relative to the others, at least 1: of the SRV record, or 1.
    pub weight: u16,
    /// The SRV record's target, lower case, without the final dot: the name for TLS. `None` for a host.
    pub target: Option<String>,
}

/// What a name stands for now: sorted, without duplicates, at most [`FOUND_MAX`], so that equal sets compare equal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// By address; never empty where a resolver gives it.
    pub found: Vec<Found>,
    /// How long it may be believed, as its records say, not yet clamped.
    pub ttl: Duration,
}

/// Addresses that are kept of one answer: the lowest, so that the choice is the same each time.
pub const FOUND_MAX: usize = 1024;

impl Answer {
    /// Sorts, and leaves one of each address: the heaviest, then the one with the first name.
    #[must_use]
    pub fn new(mut found: Vec<Found>, ttl: Duration) -> Answer {
        found.retain(|found| is_backend(found.address));
        found.sort_by(|a, b| (a.address, b.weight, &a.target).cmp(&(b.address, a.weight, &b.target)));
        found.dedup_by_key(|found| found.address);
        found.truncate(FOUND_MAX);
        Answer { found, ttl }
    }
}

/// Filtering resolvers answer 0.0.0.0 for what they block; connecting there would reach this machine.
fn is_backend(address: SocketAddr) -> bool {
    !address.ip().is_unspecified() && !address.ip().is_multicast()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn found(address: &str, weight: u16, target: Option<&str>) -> Found {
        Found { address: address.parse().unwrap(), weight, target: target.map(str::to_owned) }
    }

    #[test]
    fn equal_sets_compare_equal_in_any_order() {
        let (a, b) = (found("10.0.0.1:80", 1, None), found("10.0.0.2:80", 1, None));
        let one = Answer::new(vec![a.clone(), b.clone(), a.clone()], Duration::from_secs(1));
        assert_eq!(one, Answer::new(vec![b.clone(), a.clone()], Duration::from_secs(1)));
        assert_eq!(one.found, [a, b]);
    }

    #[test]
    fn of_one_address_the_heaviest_is_kept() {
        let (light, heavy) = (found("10.0.0.1:80", 1, Some("a.test")), found("10.0.0.1:80", 9, Some("b.test")));
        assert_eq!(Answer::new(vec![light, heavy.clone()], Duration::ZERO).found, [heavy]);
    }

    #[test]
    fn what_is_no_backends_address_is_left_out() {
        let all = ["0.0.0.0:80", "224.0.0.1:80", "[::]:80", "[ff02::1]:80"].map(|a| found(a, 1, None));
        assert!(Answer::new(all.to_vec(), Duration::ZERO).found.is_empty());
    }

    #[test]
    fn too_many_are_cut_to_the_same_ones_each_time() {
        let all: Vec<Found> =
            (0..2 * FOUND_MAX as u32).map(|i| found(&format!("10.1.{}.{}:80", i / 256, i % 256), 1, None)).collect();
        let cut = Answer::new(all.clone(), Duration::ZERO);
        assert_eq!(cut.found.len(), FOUND_MAX);
        assert_eq!(cut, Answer::new(all.into_iter().rev().collect(), Duration::ZERO));
    }

    proptest! {
        #[test]
        fn order_and_repetition_never_matter(ports in proptest::collection::vec((1u16..9, 1u16..4), 0..20), turn in 0usize..20) {
            let all: Vec<Found> = ports.iter().map(|(port, weight)| found(&format!("10.0.0.1:{port}"), *weight, None)).collect();
            let mut other = all.clone();
            other.rotate_left(turn % all.len().max(1));
            other.extend(all.clone());
            prop_assert_eq!(Answer::new(all, Duration::ZERO), Answer::new(other, Duration::ZERO));
        }
    }
}
