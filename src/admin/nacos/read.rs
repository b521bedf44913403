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

/// A sign of life of an instance.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Beat {
    pub(super) instance: Instance,
    /// Not only where it is: it can be registered by that.
    pub(super) says_all: bool,
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
        let flag = |name: &str| parameters.get(name).map_or(Ok(true), |value| flag(name, value));
        is_renewed(flag("ephemeral")?)?;
        let service = Service::read(parameters)?;
        let number = |name: &str| parameters.get(name).map(|value| number(name, value)).transpose();
        let (weight, is_enabled) = (weight(number("weight")?)?, flag("enabled")? && flag("enable")?);
        let weight = if is_enabled { weight } else { 0 };
        let address = address(parameters.get("ip"), number("port")?)?;
        let metadata: Option<Value> = parameters.get("metadata").and_then(|text| serde_json::from_str(text).ok());
        let zone = zone(parameters.get("clusterName"));
        let ttl = metadata.as_ref().and_then(ttl);
        Ok(Instance { service, address, wish: Registration { ttl, weight, zone, ..Registration::default() } })
    }
}

impl Beat {
    /// It says all of the instance again as JSON, or where it is.
    pub(super) fn read(parameters: &Parameters) -> Result<Beat, String> {
        let Some(beat) = parameters.get("beat") else {
            return Ok(Beat { instance: Instance::read(parameters)?, says_all: false });
        };
        is_renewed(parameters.get("ephemeral").map_or(Ok(true), |value| flag("ephemeral", value))?)?;
        let beat: Value = serde_json::from_str(beat).map_err(|why| format!("beat: {why}"))?;
        let name = beat["serviceName"].as_str().or_else(|| parameters.get("serviceName"));
        let service = Service::of(name.ok_or("param 'serviceName' is required.")?, parameters.get("groupName"));
        is_renewed(match &beat["ephemeral"] {
            Value::Null => true,
            Value::Bool(said) => *said,
            Value::String(said) => flag("beat: ephemeral", said)?,
            _ => return Err("beat: ephemeral: true or false".into()),
        })?;
        let number = |name: &str| match &beat[name] {
            Value::Null => Ok(None),
            Value::Number(number) => Ok(number.as_f64()),
            Value::String(text) => number(&format!("beat: {name}"), text).map(Some),
            _ => Err(format!("beat: {name}: a number")),
        };
        let wish = Registration {
            ttl: beat.get("metadata").and_then(ttl),
            weight: weight(number("weight")?)?,
            zone: zone(beat["cluster"].as_str()),
            ..Registration::default()
        };
        let address = address(beat["ip"].as_str(), number("port")?)?;
        Ok(Beat { instance: Instance { service, address, wish }, says_all: true })
    }
}

/// As Nacos reads them.
fn flag(name: &str, value: &str) -> Result<bool, String> {
    let is = |words: &[&str]| words.iter().any(|word| value.eq_ignore_ascii_case(word));
    match () {
        () if is(&["true", "yes", "on", "t", "y"]) => Ok(true),
        () if is(&["false", "no", "off", "f", "n"]) => Ok(false),
        () => Err(format!("{name}: true or false")),
    }
}

fn number(name: &str, value: &str) -> Result<f64, String> {
    value.parse().map_err(|_| format!("{name}: a number"))
}

fn is_renewed(ephemeral: bool) -> Result<(), String> {
    if ephemeral { Ok(()) } else { Err("ephemeral=false: instances that nobody renews are not taken".into()) }
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
        let Beat { instance: it, says_all } = Beat::read(&Parameters::read(beat)).unwrap();
        assert_eq!((&*it.service.pool, it.address.to_string(), it.wish.weight), ("app", "[::1]:81".into(), 3));
        assert!(says_all);
        let light = Beat::read(&Parameters::read("serviceName=app&ip=10.0.0.7&port=80")).unwrap();
        assert_eq!((light.instance.address.to_string(), light.says_all), ("10.0.0.7:80".into(), false));
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
            ("serviceName=app&ip=10.0.0.7&port=80&ephemeral=False", "ephemeral=false"),
            ("serviceName=app&ip=10.0.0.7&port=80&ephemeral=no", "ephemeral=false"),
            ("serviceName=app&ip=10.0.0.7&port=80&ephemeral=maybe", "ephemeral: true or false"),
            ("serviceName=app&ip=10.0.0.7&port=80&enabled=2", "enabled: true or false"),
        ] {
            assert!(read(query).unwrap_err().contains(why), "{query}: {:?}", read(query));
        }
        let fine = "\"ip\":\"10.0.0.7\",\"port\":\"80\",\"weight\":\"2.0\",\"ephemeral\":\"true\"";
        let beat = |more: &str| Beat::read(&Parameters::read(&format!("serviceName=app&beat={{{fine}{more}}}")));
        assert_eq!(beat("").map(|beat| beat.instance.wish.weight), Ok(2));
        for (more, why) in [
            ("x", "beat: "),
            (",\"ephemeral\":false", "ephemeral=false"),
            (",\"ephemeral\":\"false\"", "ephemeral=false"),
            (",\"ephemeral\":7", "ephemeral: true or false"),
            ("}&ephemeral=false&x={", "ephemeral=false"),
            (",\"weight\":-1", "weight: 0 to"),
            (",\"weight\":10001", "weight: 0 to"),
            (",\"weight\":\"NaN\"", "weight: 0 to"),
            (",\"weight\":\"heavy\"", "weight: a number"),
            (",\"weight\":[1]", "weight: a number"),
            (",\"port\":\"x\"", "port: a number"),
            (",\"port\":80.5", "port: 1 to 65535"),
        ] {
            assert!(beat(more).unwrap_err().contains(why), "{more}: {:?}", beat(more));
        }
    }
}
