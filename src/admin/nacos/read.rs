//! What an instance says of itself in Nacos' terms, checked.

use crate::admin::parameters::Parameters;
use crate::config::Register;
use crate::registry::{Registration, parse_address};
use serde_json::Value;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// A service as it is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Service {
    /// Its name without its group: that of a pool.
    pub(super) pool: String,
    /// To be shown as it was asked for; it changes nothing.
    pub(super) group: String,
}

/// An instance that registers.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Instance {
    pub(super) service: Service,
    pub(super) address: SocketAddr,
    pub(super) wish: Registration,
}

impl Service {
    pub(super) fn read(parameters: &Parameters) -> Result<Service, String> {
        let name = parameters.get("serviceName").ok_or("param 'serviceName' is required.")?;
        Ok(Service::of(name, parameters.get("groupName")))
    }

    /// `GROUP@@NAME`, or a name alone.
    fn of(name: &str, group: Option<&str>) -> Service {
        let (its_group, pool) = name.split_once("@@").unwrap_or((group.unwrap_or(GROUP), name));
        Service { pool: pool.to_owned(), group: its_group.to_owned() }
    }
}

impl Instance {
    /// Of a registration.
    pub(super) fn read(parameters: &Parameters) -> Result<Instance, String> {
        let says = |name: &str, word: &str| parameters.get(name).is_some_and(|value| value.eq_ignore_ascii_case(word));
        if says("ephemeral", "false") {
            return Err("ephemeral=false: instances that nobody renews are not taken".into());
        }
        let service = Service::read(parameters)?;
        let number =
            |name: &str| parameters.get(name).map(|value| value.parse().map_err(|_| format!("{name}: a number")));
        let weight = if says("enable", "false") || says("enabled", "false") {
            0
        } else {
            weight(number("weight").transpose()?)?
        };
        let address = address(parameters.get("ip"), number("port").transpose()?)?;
        let metadata: Option<Value> = parameters.get("metadata").and_then(|text| serde_json::from_str(text).ok());
        let zone = zone(parameters.get("clusterName"));
        let ttl = metadata.as_ref().and_then(ttl);
        Ok(Instance { service, address, wish: Registration { ttl, weight, zone, ..Registration::default() } })
    }

    /// Of a beat, which says all of it again as JSON.
    pub(super) fn of_beat(parameters: &Parameters) -> Result<Instance, String> {
        let Some(beat) = parameters.get("beat") else { return Instance::read(parameters) };
        let beat: Value = serde_json::from_str(beat).map_err(|why| format!("beat: {why}"))?;
        let name = beat["serviceName"].as_str().or_else(|| parameters.get("serviceName"));
        let service = Service::of(name.ok_or("param 'serviceName' is required.")?, parameters.get("groupName"));
        let wish = Registration {
            ttl: beat.get("metadata").and_then(ttl),
            weight: weight(beat["weight"].as_f64())?,
            zone: zone(beat["cluster"].as_str()),
            ..Registration::default()
        };
        Ok(Instance { service, address: address(beat["ip"].as_str(), beat["port"].as_f64())?, wish })
    }
}

fn address(ip: Option<&str>, port: Option<f64>) -> Result<SocketAddr, String> {
    let ip: IpAddr = ip.ok_or("param 'ip' is required.")?.parse().map_err(|_| "ip: an IP address; a name is none")?;
    let port = port.ok_or("param 'port' is required.")?;
    let port =
        Some(port).filter(|port| (1.0..=65_535.0).contains(port) && port.fract() == 0.0).ok_or("port: 1 to 65535")?;
    Ok(parse_address(&SocketAddr::new(ip, port as u16).to_string())?)
}

/// Weights are whole here: what is less than 1 and more than nothing is 1.
fn weight(said: Option<f64>) -> Result<u16, String> {
    match said.unwrap_or(1.0) {
        0.0 => Ok(0),
        weight if (0.0..=WEIGHT_MAX).contains(&weight) => Ok((weight.round() as u16).max(1)),
        _ => Err(format!("weight: 0 to {WEIGHT_MAX}")),
    }
}

/// After how long without a beat it is gone, in milliseconds; without that the pool says it.
fn ttl(metadata: &Value) -> Option<Duration> {
    let value = &metadata["preserved.heart.beat.timeout"];
    let millis = value.as_u64().or_else(|| value.as_str()?.parse().ok())?;
    Some(Duration::from_millis(millis).clamp(Register::TTL_MIN, Register::TTL_MAX))
}

/// A cluster that is no zone is none.
fn zone(cluster: Option<&str>) -> Option<String> {
    cluster.filter(|cluster| *cluster != "None" && Registration::is_zone(cluster)).map(str::to_owned)
}

pub(super) const GROUP: &str = "DEFAULT_GROUP";

const WEIGHT_MAX: f64 = 10_000.0;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Result<Instance, String> {
        Instance::read(&Parameters::read(query))
    }

    #[test]
    fn what_clients_say_is_read() {
        let it = read(
            "ip=10.0.0.7&port=80&serviceName=app&weight=2.0&enable=True&healthy=True&clusterName=None&ephemeral=True\
            &groupName=DEFAULT_GROUP&metadata=%7B%22preserved.heart.beat.timeout%22%3A+%223000%22%7D",
        )
        .unwrap();
        assert_eq!(
            (&*it.service.pool, &*it.service.group, it.address.to_string()),
            ("app", GROUP, "10.0.0.7:80".into())
        );
        assert_eq!((it.wish.weight, &it.wish.zone, it.wish.ttl), (2, &None, Some(Duration::from_secs(3))));
        let it = read("ip=10.0.0.7&port=80&serviceName=g%40%40app&weight=0.2&clusterName=eu").unwrap();
        assert_eq!(
            (&*it.service.pool, &*it.service.group, it.wish.weight, it.wish.zone.as_deref()),
            ("app", "g", 1, Some("eu"))
        );
        assert_eq!(read("ip=10.0.0.7&port=80&serviceName=app&enable=False").unwrap().wish.weight, 0);
        let beat = "serviceName=g%40%40app&groupName=g&beat=%7B%22serviceName%22%3A+%22g%40%40app%22%2C+%22ip%22%3A+%22%3A%3A1%22%2C\
            +%22port%22%3A+81%2C+%22weight%22%3A+3.0%2C+%22ephemeral%22%3A+true%7D";
        let it = Instance::of_beat(&Parameters::read(beat)).unwrap();
        assert_eq!((&*it.service.pool, it.address.to_string(), it.wish.weight), ("app", "[::1]:81".into(), 3));
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (query, why) in [
            ("", "serviceName"),
            ("serviceName=app", "'ip' is required"),
            ("serviceName=app&ip=10.0.0.7", "'port' is required"),
            ("serviceName=app&ip=host&port=80", "IP address"),
            ("serviceName=app&ip=10.0.0.7&port=0", "port: 1"),
            ("serviceName=app&ip=10.0.0.7&port=x", "port: a number"),
            ("serviceName=app&ip=10.0.0.7&port=80&weight=-1", "weight"),
            ("serviceName=app&ip=10.0.0.7&port=80&weight=NaN", "weight"),
            ("serviceName=app&ip=10.0.0.7&port=80&ephemeral=False", "ephemeral"),
        ] {
            assert!(read(query).unwrap_err().contains(why), "{query}: {:?}", read(query));
        }
        assert!(Instance::of_beat(&Parameters::read("beat=x&serviceName=app")).unwrap_err().contains("beat"));
    }
}
