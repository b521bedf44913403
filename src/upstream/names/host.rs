use super::NameError;
use super::client::{Client, Records};
use super::message::{Data, Kind};
use super::search::{Search, candidates, judge};
use super::wire_name::WireName;
use std::net::IpAddr;
use std::time::Duration;

/// The addresses of a host, and how long they may be believed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Addresses {
    pub(super) addresses: Vec<IpAddr>,
    pub(super) ttl: Duration,
}

/// For how long an answer is believed that comes from the file of hosts.
pub(super) const FILE_TTL: Duration = Duration::from_secs(5);

/// For how long an answer is believed at most of which a part is not known.
pub(super) const PARTIAL_TTL: Duration = Duration::from_secs(30);

/// The file of hosts, then each full name that a name may stand for.
pub(super) async fn look_up(client: &Client, name: &str) -> Result<Addresses, NameError> {
    let candidates = candidates(name, &client.system)?;
    let addresses = client.system.hosts(name);
    if !addresses.is_empty() {
        return Ok(Addresses { addresses, ttl: FILE_TTL });
    }
    let mut outcome = NameError::NotFound;
    for full in candidates {
        match judge(outcome, addresses_of(client, &full).await) {
            Search::Over(result) => return result,
            Search::On(error) => outcome = error,
        }
    }
    Err(outcome)
}

/// IPv4 and IPv6 at once.
pub(super) async fn addresses_of(client: &Client, name: &WireName) -> Result<Addresses, NameError> {
    let (v4, v6) = tokio::join!(client.records(name, Kind::A), client.records(name, Kind::Aaaa));
    combine(v4, v6)
}

/// One family is enough: many servers deny or fail on the other. But what failed is soon asked for again.
fn combine(v4: Result<Records, NameError>, v6: Result<Records, NameError>) -> Result<Addresses, NameError> {
    let addresses = |records: Records| -> (Vec<IpAddr>, Duration) {
        let address = |data| match data {
            Data::Address(address) => Some(address),
            Data::Srv { .. } => None,
        };
        (records.data.into_iter().filter_map(address).collect(), records.ttl)
    };
    match (v4.map(addresses), v6.map(addresses)) {
        (Ok((v4, ttl)), Ok((v6, other))) => Ok(Addresses { addresses: [v4, v6].concat(), ttl: ttl.min(other) }),
        (Ok((addresses, ttl)), Err(error)) | (Err(error), Ok((addresses, ttl))) => {
            let ttl = if error.is_denial() { ttl } else { ttl.min(PARTIAL_TTL) };
            Ok(Addresses { addresses, ttl })
        }
        (Err(NameError::NotFound), Err(error)) | (Err(error), Err(_)) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(address: &str, ttl: u64) -> Result<Records, NameError> {
        Ok(Records { data: vec![Data::Address(address.parse().unwrap())], ttl: Duration::from_secs(ttl) })
    }

    fn ttl(v4: Result<Records, NameError>, v6: Result<Records, NameError>) -> (usize, u64) {
        let found = combine(v4, v6).unwrap();
        (found.addresses.len(), found.ttl.as_secs())
    }

    #[test]
    fn both_families_count_for_as_long_as_both_are_believed() {
        assert_eq!(ttl(records("10.0.0.1", 60), records("fd00::1", 40)), (2, 40));
    }

    #[test]
    fn a_family_that_is_denied_is_not_missed() {
        assert_eq!(ttl(records("10.0.0.1", 600), Err(NameError::NotFound)), (1, 600));
        assert_eq!(ttl(Err(NameError::NotFound), records("fd00::1", 600)), (1, 600));
    }

    #[test]
    fn a_family_that_failed_is_soon_asked_for_again() {
        assert_eq!(ttl(records("10.0.0.1", 600), Err(NameError::Timeout)), (1, 30));
        assert_eq!(ttl(records("10.0.0.1", 6), Err(NameError::Timeout)), (1, 6));
    }

    #[test]
    fn a_denial_of_one_family_does_not_speak_for_the_other() {
        let failed = || Err(NameError::Timeout);
        let denied = || Err(NameError::NotFound);
        assert_eq!(combine(failed(), denied()), Err(NameError::Timeout));
        assert_eq!(combine(denied(), failed()), Err(NameError::Timeout));
        assert_eq!(combine(denied(), denied()), Err(NameError::NotFound));
    }
}
