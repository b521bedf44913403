//! What a service says of itself in Consul's terms: JSON, checked. Keys are known whatever their case, as Consul's agent knows
//! them, and those that mean nothing here are passed over. What is of another type than is wanted is refused, as that agent does it.

use super::said::Said;
use crate::config::Register;
use crate::registry::{Moment, Service, ServiceCheck, Services, Status, parse_address};
use serde_json::{Value, json};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

/// A registration; `is_near`: of somebody on this machine, whose services are here too if he does not say where.
pub(super) fn service(content: &[u8], is_near: bool, now: Duration) -> Result<Service, String> {
    let said = Said::read(content)?;
    let pool = said.text("Name")?.ok_or_else(|| said.wrong("Name", "that of a pool"))?;
    let id = said.text("ID")?.unwrap_or(pool);
    named(id)?;
    Ok(Service {
        id: id.to_owned(),
        pool: pool.to_owned(),
        address: address(&said, is_near)?,
        weights: weights(&said)?,
        by: "".into(),
        checks: checks(&said, id, now)?,
        registered: Moment::at(now),
        maintenance: false,
        ill_since: None,
        shown: json!({
            "Tags": said.texts("Tags")?.unwrap_or_else(|| json!([])),
            "Meta": said.named_texts("Meta")?.unwrap_or_else(|| json!({})),
        }),
    })
}

/// A check that is registered by itself, and the service that it is of.
pub(super) fn lone_check(content: &[u8], now: Duration) -> Result<(String, ServiceCheck), String> {
    let said = Said::read(content)?;
    let service = said.text("ServiceID")?.ok_or("ServiceID is missing: only services are checked here")?;
    let name = said.text("Name")?.ok_or_else(|| said.wrong("Name", "what the check is called"))?;
    Ok((service.to_owned(), check(&said, name, now)?))
}

/// How a check stands, and why.
pub(super) fn update(content: &[u8]) -> Result<(Status, String), String> {
    let said = Said::read(content)?;
    let status = status(&said)?.ok_or_else(|| said.wrong("Status", STATUS))?;
    Ok((status, said.text("Output")?.unwrap_or_default().to_owned()))
}

fn address(said: &Said, is_near: bool) -> Result<SocketAddr, String> {
    const IP: &str = "an IP address; a name is none";
    let ip = match said.member("Address", IP, |value| value.as_str()?.parse::<IpAddr>().ok())? {
        Some(ip) => ip,
        None if is_near => IpAddr::V4(Ipv4Addr::LOCALHOST),
        None => return Err(said.wrong("Address", IP)),
    };
    const PORT: &str = "1 to 65535";
    let port = |value: &Value| value.as_u64().and_then(|port| u16::try_from(port).ok()).filter(|port| *port > 0);
    let port = said.member("Port", PORT, port)?.ok_or_else(|| said.wrong("Port", PORT))?;
    Ok(parse_address(&SocketAddr::new(ip, port).to_string())?)
}

/// `Check` and `Checks` together.
fn checks(said: &Said, service: &str, now: Duration) -> Result<Vec<ServiceCheck>, String> {
    let mut all: Vec<Said> = said.object("Check")?.into_iter().collect();
    all.extend(said.objects("Checks")?);
    if all.len() > Services::CHECKS_MAX {
        return Err(format!("Checks: a service has {} at most, not {}", Services::CHECKS_MAX, all.len()));
    }
    let is_one = all.len() == 1;
    let id = |i: usize| if is_one { format!("service:{service}") } else { format!("service:{service}:{}", i + 1) };
    all.iter().enumerate().map(|(i, said)| check(said, &id(i), now)).collect()
}

fn check(said: &Said, default: &str, now: Duration) -> Result<ServiceCheck, String> {
    let (wanted, bounds) = ("a duration from \"1s\" to \"1h\"", Register::TTL_MIN..=Register::TTL_MAX);
    let ttl = said.duration("TTL", wanted)?;
    if ttl.is_some_and(|ttl| !bounds.contains(&ttl)) {
        return Err(said.wrong("TTL", wanted));
    }
    let id = match said.text("CheckID")? {
        Some(id) => id,
        None => said.text("ID")?.unwrap_or(default),
    };
    named(id)?;
    let deregister_after = said.duration("DeregisterCriticalServiceAfter", "a duration such as \"90m\"")?;
    let status = status(said)?;
    // Nothing was heard of one that answers for itself; of others the pool's check knows more.
    let status = if ttl.is_some() { status.unwrap_or(Status::Critical) } else { Status::Passing };
    Ok(ServiceCheck {
        id: id.to_owned(),
        name: said.text("Name")?.unwrap_or("Service check").chars().take(NAME_BYTES_MAX).collect(),
        ttl,
        status,
        heard: now,
        critical_since: (status == Status::Critical).then_some(now),
        note: String::new(),
        // As Consul has it, 0 is never.
        deregister_after: deregister_after.filter(|after| !after.is_zero()),
    })
}

fn status(said: &Said) -> Result<Option<Status>, String> {
    said.member("Status", STATUS, |value| value.as_str().and_then(Status::read))
}

fn weights(said: &Said) -> Result<(u16, u16), String> {
    let Some(weights) = said.object("Weights")? else { return Ok((1, 1)) };
    let of = |name: &str| {
        let weight = |value: &Value| value.as_u64().and_then(|weight| u16::try_from(weight).ok());
        weights.member(name, "an integer from 0 to 65535", weight).map(|weight| weight.unwrap_or(1))
    };
    Ok((of("Passing")?, of("Warning")?))
}

fn named(id: &str) -> Result<(), String> {
    match (1..=NAME_BYTES_MAX).contains(&id.len()) && !id.chars().any(|c| c.is_control() || c == '/') {
        true => Ok(()),
        false => Err(format!("ID: 1 to {NAME_BYTES_MAX} bytes without `/`")),
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

const STATUS: &str = "\"passing\", \"warning\" or \"critical\"";

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
        let of = |more: &str| format!("{{\"name\": \"a\", \"port\": 1, {more}}}");
        for (text, why) in [
            ("".into(), "the content is no JSON"),
            ("[]".into(), "the content: a JSON object, not an array"),
            ("{\"port\": 1}".into(), "Name is missing"),
            ("{\"name\": [\"a\"], \"port\": 1}".into(), "Name: text, not an array"),
            ("{\"name\": \"a\"}".into(), "Port is missing: 1 to 65535"),
            ("{\"name\": \"a\", \"port\": 0}".into(), "Port: 1 to 65535, not 0"),
            ("{\"name\": \"a\", \"port\": 99999}".into(), "Port: 1 to 65535, not 99999"),
            ("{\"name\": \"a\", \"port\": \"80\"}".into(), "Port: 1 to 65535, not \"80\""),
            (of("\"address\": \"host\""), "Address: an IP address; a name is none, not \"host\""),
            (of("\"address\": 7"), "Address: an IP address; a name is none, not 7"),
            (of("\"address\": \"0.0.0.0\""), "no address of a backend"),
            (of("\"id\": \"a/b\""), "without `/`"),
            (of("\"id\": 7"), "ID: text, not 7"),
            (of("\"tags\": {\"a\": 1}"), "Tags: an array of texts, not an object"),
            (of("\"tags\": \"a\""), "Tags: an array of texts, not \"a\""),
            (of("\"tags\": [1]"), "Tags: an array of texts, not an array like this"),
            (of("\"meta\": [\"a\"]"), "Meta: an object of texts, not an array"),
            (of("\"meta\": {\"a\": 1}"), "Meta: an object of texts, not an object"),
            (of("\"check\": \"ttl\""), "Check: an object, not \"ttl\""),
            (of("\"checks\": \"no\""), "Checks: an array of objects, not \"no\""),
            (of("\"checks\": {\"ttl\": \"9s\"}"), "Checks: an array of objects, not an object"),
            (of("\"checks\": [{\"ttl\": \"9s\"}, true]"), "Checks[1]: an object, not true"),
            (of("\"check\": {\"ttl\": \"1ms\"}"), "Check.TTL: a duration from \"1s\" to \"1h\", not \"1ms\""),
            (of("\"check\": {\"ttl\": [1]}"), "Check.TTL: a duration"),
            (
                of("\"check\": {\"ttl\": \"9s\", \"status\": \"well\"}"),
                "Check.Status: \"passing\", \"warning\" or \"critical\", not",
            ),
            (of("\"checks\": [{\"status\": 1}]"), "Checks[0].Status: \"passing\""),
            (
                of("\"checks\": [{\"deregister_critical_service_after\": \"soon\"}]"),
                "Checks[0].DeregisterCriticalServiceAfter: a duration",
            ),
            (of("\"check\": {\"name\": 1}"), "Check.Name: text, not 1"),
            (of("\"check\": {\"check_id\": 1}"), "Check.CheckID: text, not 1"),
            (of("\"weights\": {\"passing\": -1}"), "Weights.Passing: an integer from 0 to 65535, not -1"),
            (of("\"weights\": 5"), "Weights: an object, not 5"),
        ] {
            assert!(read(&text).unwrap_err().contains(why), "{text}: {:?}", read(&text));
        }
        for empty in
            ["\"tags\": null, \"check\": null, \"checks\": []", "\"address\": \"\", \"check\": {\"status\": \"\"}"]
        {
            assert!(read(&of(empty)).is_ok(), "{empty}: {:?}", read(&of(empty)));
        }
        let lone = |text: &str| lone_check(text.as_bytes(), NOW).unwrap_err();
        assert!(lone("{\"ServiceID\": \"a\", \"Name\": 1}").contains("Name: text, not 1"));
        assert!(lone("{\"ServiceID\": \"a\", \"Name\": \"b\", \"Status\": \"bad\"}").contains("Status: \"passing\""));
        assert!(update(b"{\"Status\": \"fine\"}").unwrap_err().contains("Status: \"passing\""));
        assert!(
            update(b"{\"Status\": \"passing\", \"Output\": {}}").unwrap_err().contains("Output: text, not an object")
        );
        assert!(update(b"{}").unwrap_err().contains("Status is missing"));
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
