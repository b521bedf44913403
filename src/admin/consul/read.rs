//! What a service says of itself in Consul's terms: JSON, checked. Keys are known whatever their case, as Consul's agent knows
//! them, and those that mean nothing here are passed over.

use crate::config::Register;
use crate::registry::{Service, ServiceCheck, Services, Status, parse_address};
use serde_json::{Map, Value, json};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

/// A registration; `is_near`: of somebody on this machine, whose services are here too if he does not say where.
pub(super) fn service(content: &[u8], is_near: bool, now: Duration) -> Result<Service, String> {
    let said = object(content)?;
    let pool = text(&said, "name").ok_or("Name is missing")?;
    let id = text(&said, "id").unwrap_or(pool);
    named(id)?;
    let ip = match text(&said, "address") {
        None if is_near => IpAddr::V4(Ipv4Addr::LOCALHOST),
        None => return Err("Address is missing".into()),
        Some(address) => address.parse().map_err(|_| "Address: an IP address; a name is none")?,
    };
    let port = said.get("port").filter(|port| !port.is_null()).ok_or("Port is missing")?;
    let port = port.as_u64().and_then(|port| u16::try_from(port).ok()).ok_or("Port: 1 to 65535")?;
    let address = SocketAddr::new(ip, port).to_string();
    let one = said.get("check").filter(|check| !check.is_null());
    let many = said.get("checks").and_then(Value::as_array).into_iter().flatten();
    let said_checks: Vec<&Value> = one.into_iter().chain(many).collect();
    if said_checks.len() > Services::CHECKS_MAX {
        return Err(format!("a service has {} checks at most", Services::CHECKS_MAX));
    }
    let mut checks = Vec::new();
    for (i, said) in said_checks.iter().enumerate() {
        let default = if said_checks.len() == 1 { format!("service:{id}") } else { format!("service:{id}:{}", i + 1) };
        checks.push(check(&lowered(said)?, &default, now)?);
    }
    let shown = |key: &str, empty: Value| said.get(key).filter(|value| !value.is_null()).cloned().unwrap_or(empty);
    Ok(Service {
        id: id.to_owned(),
        pool: pool.to_owned(),
        address: parse_address(&address)?,
        weights: weights(&said)?,
        by: "".into(),
        checks,
        maintenance: false,
        ill_since: None,
        shown: json!({ "Tags": shown("tags", json!([])), "Meta": shown("meta", json!({})) }),
    })
}

/// A check that is registered by itself, and the service that it is of.
pub(super) fn lone_check(content: &[u8], now: Duration) -> Result<(String, ServiceCheck), String> {
    let said = object(content)?;
    let service = text(&said, "serviceid").ok_or("ServiceID is missing: only services are checked here")?;
    let name = text(&said, "name").ok_or("Name is missing")?;
    Ok((service.to_owned(), check(&said, name, now)?))
}

/// How a check stands, and why.
pub(super) fn update(content: &[u8]) -> Result<(Status, String), String> {
    let said = object(content)?;
    let status = text(&said, "status").and_then(Status::read).ok_or("Status: passing, warning or critical")?;
    Ok((status, text(&said, "output").unwrap_or_default().to_owned()))
}

fn check(said: &Map<String, Value>, default: &str, now: Duration) -> Result<ServiceCheck, String> {
    let ttl = match said.get("ttl").filter(|ttl| !ttl.is_null()) {
        None => None,
        Some(ttl) => {
            let ttl = span(ttl).filter(|ttl| (Register::TTL_MIN..=Register::TTL_MAX).contains(ttl));
            Some(ttl.ok_or("TTL: a duration from \"1s\" to \"1h\"")?)
        }
    };
    let id = text(said, "checkid").or_else(|| text(said, "id")).unwrap_or(default);
    named(id)?;
    let deregister_after = said.get("deregistercriticalserviceafter").and_then(span);
    let status = text(said, "status").and_then(Status::read);
    // Nothing was heard of one that answers for itself; of others the pool's check knows more.
    let status = if ttl.is_some() { status.unwrap_or(Status::Critical) } else { Status::Passing };
    Ok(ServiceCheck {
        id: id.to_owned(),
        name: text(said, "name").unwrap_or("Service check").chars().take(NAME_BYTES_MAX).collect(),
        ttl,
        status,
        heard: now,
        critical_since: (status == Status::Critical).then_some(now),
        note: String::new(),
        deregister_after,
    })
}

fn weights(said: &Map<String, Value>) -> Result<(u16, u16), String> {
    let Some(weights) = said.get("weights").filter(|weights| !weights.is_null()) else { return Ok((1, 1)) };
    let weights = lowered(weights)?;
    let of = |key: &str| match weights.get(key) {
        None => Ok(1),
        Some(value) => value.as_u64().and_then(|weight| u16::try_from(weight).ok()).ok_or(WEIGHTS),
    };
    Ok((of("passing")?, of("warning")?))
}

fn named(id: &str) -> Result<(), String> {
    match (1..=NAME_BYTES_MAX).contains(&id.len()) && !id.chars().any(|c| c.is_control() || c == '/') {
        true => Ok(()),
        false => Err(format!("ID: 1 to {NAME_BYTES_MAX} bytes without `/`")),
    }
}

fn object(content: &[u8]) -> Result<Map<String, Value>, String> {
    let value: Value = serde_json::from_slice(content).map_err(|why| format!("the content is no JSON: {why}"))?;
    lowered(&value)
}

fn lowered(value: &Value) -> Result<Map<String, Value>, String> {
    let object = value.as_object().ok_or("a JSON object is wanted")?;
    let plain = |key: &String| key.to_ascii_lowercase().replace('_', "");
    Ok(object.iter().map(|(key, value)| (plain(key), value.clone())).collect())
}

fn text<'a>(said: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    said.get(key)?.as_str().filter(|text| !text.is_empty())
}

/// A duration as Go writes it, or a number of nanoseconds.
fn span(value: &Value) -> Option<Duration> {
    match value {
        Value::String(text) => duration(text),
        Value::Number(number) => number.as_u64().map(Duration::from_nanos),
        _ => None,
    }
}

/// `10s`, `1m30s`, `1.5h`
pub(super) fn duration(text: &str) -> Option<Duration> {
    let (mut rest, mut sum) = (text, Duration::ZERO);
    while !rest.is_empty() {
        let unit = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, more) = rest.split_at(unit);
        let (seconds, length) =
            UNITS.iter().find_map(|(name, seconds)| more.starts_with(name).then_some((*seconds, name.len())))?;
        let part = number
            .parse::<f64>()
            .ok()
            .map(|number| number * seconds)
            .filter(|part| (0.0..=SECONDS_MAX).contains(part))?;
        sum = sum.checked_add(Duration::from_secs_f64(part))?;
        rest = &more[length..];
    }
    (!text.is_empty()).then_some(sum)
}

/// The longer ones first.
const UNITS: [(&str, f64); 5] = [("ms", 1e-3), ("us", 1e-6), ("h", 3600.0), ("m", 60.0), ("s", 1.0)];

const SECONDS_MAX: f64 = 1e9;

const NAME_BYTES_MAX: usize = 256;

const WEIGHTS: &str = "Weights: integers from 0 to 65535";

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: Duration = Duration::from_secs(1);

    fn read(text: &str) -> Result<Service, String> {
        service(text.as_bytes(), true, NOW)
    }

    #[test]
    fn what_clients_say_is_read_whatever_its_case() {
        let it = read(
            "{\"name\": \"app\", \"id\": \"app-1\", \"address\": \"10.0.0.7\", \"port\": 80, \"tags\": [\"a\"], \
            \"check\": {\"ttl\": \"1m30s\", \"DeregisterCriticalServiceAfter\": \"90m\"}, \"weights\": {\"Passing\": 7}}",
        );
        let it = it.unwrap();
        assert_eq!(
            (&*it.id, &*it.pool, it.address.to_string(), it.weights),
            ("app-1", "app", "10.0.0.7:80".into(), (7, 1))
        );
        let check = &it.checks[0];
        assert_eq!(
            (&*check.id, check.ttl, check.status),
            ("service:app-1", Some(Duration::from_secs(90)), Status::Critical)
        );
        assert_eq!((check.deregister_after, &it.shown["Tags"]), (Some(Duration::from_secs(5400)), &json!(["a"])));
        let it = read(
            "{\"Name\": \"app\", \"Port\": 80, \"Checks\": [{\"HTTP\": \"http://a/\", \"Interval\": \"1s\"}, \
            {\"CheckID\": \"own\", \"TTL\": 2000000000, \"Status\": \"passing\"}], \"Kind\": \"\"}",
        )
        .unwrap();
        assert_eq!((&*it.id, it.address.to_string()), ("app", "127.0.0.1:80".into()));
        let shown: Vec<_> = it.checks.iter().map(|check| (&*check.id, check.ttl, check.status)).collect();
        let passing = Status::Passing;
        assert_eq!(shown, [("service:app:1", None, passing), ("own", Some(Duration::from_secs(2)), passing)]);
        assert!(service(b"{\"name\": \"app\", \"port\": 80}", false, NOW).unwrap_err().contains("Address"));
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, why) in [
            ("", "no JSON"),
            ("[]", "object"),
            ("{\"port\": 1}", "Name"),
            ("{\"name\": \"a\"}", "Port"),
            ("{\"name\": \"a\", \"port\": 0}", "port 0"),
            ("{\"name\": \"a\", \"port\": 99999}", "Port: 1 to 65535"),
            ("{\"name\": \"a\", \"port\": \"80\"}", "Port: 1 to 65535"),
            ("{\"name\": \"a\", \"port\": 1, \"address\": \"host\"}", "IP address"),
            ("{\"name\": \"a\", \"port\": 1, \"address\": \"0.0.0.0\"}", "no address of a backend"),
            ("{\"name\": \"a\", \"port\": 1, \"id\": \"a/b\"}", "without `/`"),
            ("{\"name\": \"a\", \"port\": 1, \"check\": {\"ttl\": \"1ms\"}}", "TTL"),
            ("{\"name\": \"a\", \"port\": 1, \"weights\": {\"passing\": -1}}", "Weights"),
        ] {
            assert!(read(text).unwrap_err().contains(why), "{text}: {:?}", read(text));
        }
        assert_eq!(
            ["10s", "1m30s", "1.5h", "250ms"].map(duration).map(|it| it.unwrap().as_millis()),
            [10_000, 90_000, 5_400_000, 250]
        );
        assert_eq!(["", "10", "s", "-1s", "1d", "1e9h", "1.2.3s"].map(duration), [None; 7]);
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\{(\"(name|port|address|check|ttl|weights)\":(1|\"[a-z0-9.]{0,9}\"|\\{\\}),?){0,5}\\}|.{0,60}") {
            let _ = (read(&text), lone_check(text.as_bytes(), NOW), update(text.as_bytes()), duration(&text));
        }
    }
}
