use super::client::{Client, Records};
use super::host::{Addresses, PARTIAL_TTL, addresses_of};
use super::message::{Data, Kind};
use super::search::{Search, candidates, judge};
use super::weights::weights;
use super::wire_name::WireName;
use super::{Answer, Found, NameError};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::task::JoinSet;

/// Records of one SRV answer that are used: the heaviest, then the first by name, so that the choice is the same each time.
const RECORDS_MAX: usize = 256;

/// What one record of the lowest priority says.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Service {
    weight: u16,
    port: u16,
    target: WireName,
}

/// Addresses by target, or why there are none.
type Resolved = BTreeMap<WireName, Result<Addresses, NameError>>;

/// The backends of the lowest priority (RFC 2782): the others' are fallbacks, which a pool has other means for.
pub(super) async fn look_up(client: &Client, name: &str) -> Result<Answer, NameError> {
    let mut outcome = NameError::NotFound;
    for full in candidates(name, &client.system)? {
        match judge(outcome, client.records(&full, Kind::Srv).await) {
            Search::Over(records) => return resolve(client, records?).await,
            Search::On(error) => outcome = error,
        }
    }
    Err(outcome)
}

async fn resolve(client: &Client, records: Records) -> Result<Answer, NameError> {
    let services = lowest(records.data);
    let mut targets: Vec<WireName> = services.iter().map(|service| service.target.clone()).collect();
    targets.sort();
    targets.dedup();
    let mut asked = JoinSet::new();
    for target in targets {
        let client = client.clone();
        asked.spawn(async move {
            let addresses = target_of(&client, &target).await;
            (target, addresses)
        });
    }
    let mut resolved = Resolved::new();
    while let Some(one) = asked.join_next().await {
        resolved.extend(one.ok());
    }
    assemble(&services, &resolved, records.ttl)
}

/// A target is a full name; the file of hosts knows it too.
async fn target_of(client: &Client, target: &WireName) -> Result<Addresses, NameError> {
    let Some(host) = target.host() else { return Err(NameError::NotFound) };
    match client.system.hosts(&host) {
        none if none.is_empty() => addresses_of(client, target).await,
        addresses => Ok(Addresses { addresses, ttl: super::host::FILE_TTL }),
    }
}

/// A target of `.` says that the service is not there (RFC 2782), as no record does.
fn lowest(data: Vec<Data>) -> Vec<Service> {
    let mut services: Vec<(u16, Service)> = data
        .into_iter()
        .filter_map(|data| match data {
            Data::Srv { priority, weight, port, target } => Some((priority, Service { weight, port, target })),
            Data::Address(_) => None,
        })
        .filter(|(_, service)| !service.target.is_root() && service.port != 0)
        .collect();
    let lowest = services.iter().map(|(priority, _)| *priority).min();
    services.retain(|(priority, _)| Some(*priority) == lowest);
    let mut services: Vec<Service> = services.into_iter().map(|(_, service)| service).collect();
    services.sort_by(|a, b| (b.weight, &a.target, a.port).cmp(&(a.weight, &b.target, b.port)));
    services.dedup_by(|a, b| (&a.target, a.port) == (&b.target, b.port));
    services.truncate(RECORDS_MAX);
    services
}

/// Targets without an address are left out; if the reason is that nobody knows, the answer is soon asked for again.
fn assemble(services: &[Service], resolved: &Resolved, ttl: Duration) -> Result<Answer, NameError> {
    let mut ttl = ttl;
    let mut failure = None;
    let mut known = Vec::new();
    for service in services {
        match resolved.get(&service.target) {
            Some(Ok(addresses)) => {
                ttl = ttl.min(addresses.ttl);
                known.push((service, &addresses.addresses));
            }
            Some(Err(error)) if !error.is_denial() => failure = Some(error.clone()),
            Some(Err(_)) | None => {}
        }
    }
    let weights = weights(&known.iter().map(|(service, all)| (service.weight, all.len())).collect::<Vec<_>>());
    let found = known.iter().zip(weights).flat_map(|((service, addresses), weight)| {
        addresses.iter().map(move |&address| Found {
            address: SocketAddr::new(address, service.port),
            weight,
            target: service.target.host(),
        })
    });
    let answer = Answer::new(found.collect(), if failure.is_some() { ttl.min(PARTIAL_TTL) } else { ttl });
    match failure {
        _ if !answer.found.is_empty() => Ok(answer),
        Some(error) => Err(error),
        None => Err(NameError::NotFound),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn srv(priority: u16, weight: u16, port: u16, target: &str) -> Data {
        Data::Srv { priority, weight, port, target: WireName::parse(target).unwrap() }
    }

    fn resolved(targets: &[(&str, Result<&[&str], NameError>)]) -> Resolved {
        let one = |(name, result): &(&str, Result<&[&str], NameError>)| {
            let addresses = result.clone().map(|all| Addresses {
                addresses: all.iter().map(|address| address.parse().unwrap()).collect(),
                ttl: Duration::from_secs(60),
            });
            (WireName::parse(name).unwrap(), addresses)
        };
        targets.iter().map(one).collect()
    }

    const TTL: Duration = Duration::from_secs(300);

    #[test]
    fn only_the_lowest_priority_is_used() {
        let services = lowest(vec![srv(20, 9, 80, "c.test"), srv(10, 1, 80, "b.test"), srv(10, 2, 81, "a.test")]);
        let targets: Vec<String> = services.iter().map(|service| service.target.to_string()).collect();
        assert_eq!(targets, ["a.test", "b.test"]);
    }

    #[test]
    fn the_same_target_and_port_count_once() {
        let services = lowest(vec![srv(0, 1, 80, "a.test"), srv(0, 1, 80, "a.test"), srv(0, 1, 81, "a.test")]);
        assert_eq!(services.len(), 2);
    }

    #[test]
    fn a_service_that_says_it_is_not_there_has_no_backends() {
        assert!(lowest(vec![srv(0, 0, 0, "."), srv(5, 1, 0, "a.test")]).is_empty());
        assert_eq!(assemble(&[], &Resolved::new(), TTL), Err(NameError::NotFound));
    }

    #[test]
    fn more_records_than_are_used_are_cut_to_the_heaviest() {
        let all = (0..1000).map(|i| srv(0, i, 80, &format!("t{i}.test"))).collect();
        let services = lowest(all);
        assert_eq!(services.len(), RECORDS_MAX);
        assert_eq!(services.iter().map(|service| service.weight).min(), Some(1000 - RECORDS_MAX as u16));
    }

    #[test]
    fn each_address_of_a_target_is_a_backend_with_its_port_and_name() {
        let services = lowest(vec![srv(0, 5, 8080, "a.test"), srv(0, 0, 9090, "b.test")]);
        let names = resolved(&[("a.test", Ok(&["10.0.0.1", "fd00::1"])), ("b.test", Ok(&["10.0.0.2"]))]);
        let answer = assemble(&services, &names, TTL).unwrap();
        let seen: Vec<String> =
            answer.found.iter().map(|f| format!("{} {} {:?}", f.address, f.weight, f.target)).collect();
        assert_eq!(
            seen,
            [
                "10.0.0.1:8080 250 Some(\"a.test\")",
                "10.0.0.2:9090 1 Some(\"b.test\")",
                "[fd00::1]:8080 250 Some(\"a.test\")"
            ]
        );
        assert_eq!(answer.ttl, Duration::from_secs(60));
    }

    #[test]
    fn a_target_that_is_not_known_is_left_out_and_soon_asked_for_again() {
        let services = lowest(vec![srv(0, 1, 80, "a.test"), srv(0, 1, 80, "b.test")]);
        let denied = resolved(&[("a.test", Ok(&["10.0.0.1"])), ("b.test", Err(NameError::NotFound))]);
        assert_eq!(assemble(&services, &denied, TTL).unwrap().ttl, Duration::from_secs(60));
        let failed = resolved(&[("a.test", Ok(&["10.0.0.1"])), ("b.test", Err(NameError::Timeout))]);
        assert_eq!(assemble(&services, &failed, TTL).unwrap().ttl, PARTIAL_TTL);
        let none = resolved(&[("a.test", Err(NameError::NotFound)), ("b.test", Err(NameError::Timeout))]);
        assert_eq!(assemble(&services, &none, TTL), Err(NameError::Timeout));
    }
}
