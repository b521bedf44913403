//! Leases and services as they are kept over a restart: JSON, one object each. Leases that drain are on their way out, and left out.

use super::parse_address;
use super::{Lease, Load, Moment, Registrant, Registration, Registry, Service, ServiceCheck, Services, State, Status};
use crate::config::Register;
use serde_json::{Value, json};
use std::time::Duration;

/// What is kept.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Kept {
    /// Each with its pool.
    pub leases: Vec<(String, Lease)>,
    /// All of them.
    pub services: Vec<Service>,
}

/// As it is written.
#[must_use]
pub fn encode(registry: &Registry, services: &Services) -> Vec<u8> {
    let staying = registry.iter().filter(|(_, lease)| !lease.is_draining());
    let leases: Vec<Value> = staying.map(|(pool, lease)| written(pool, lease)).collect();
    let services: Vec<Value> = services.iter().map(written_service).collect();
    json!({ "leases": leases, "services": services }).to_string().into_bytes()
}

fn written_service(service: &Service) -> Value {
    let checks = service.checks.iter().map(|check| {
        json!({
            "id": check.id,
            "name": check.name,
            "ttl_ms": check.ttl.map(millis),
            "status": check.status.label(),
            "note": check.note,
            "deregister_after_ms": check.deregister_after.map(millis),
        })
    });
    json!({
        "id": service.id,
        "pool": service.pool,
        "address": service.address.to_string(),
        "weights": [service.weights.0, service.weights.1],
        "by": &*service.by,
        "checks": checks.collect::<Vec<_>>(),
        "maintenance": service.maintenance,
        "shown": service.shown,
    })
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn written(pool: &str, lease: &Lease) -> Value {
    json!({
        "pool": pool,
        "address": lease.address.to_string(),
        "ttl_ms": millis(lease.ttl),
        "weight": lease.weight,
        "zone": lease.zone,
        "by": &*lease.by.name,
        "member": lease.by.member.as_deref(),
        "probed": lease.probed,
    })
}

/// Reads it. `None`: it is none of ours.
#[must_use]
pub fn decode(content: &[u8]) -> Option<Kept> {
    let value: Value = serde_json::from_slice(content).ok()?;
    let leases = value["leases"].as_array()?.iter().map(read).collect::<Option<_>>()?;
    let services = value["services"].as_array().map(Vec::as_slice).unwrap_or_default();
    Some(Kept { leases, services: services.iter().map(read_service).collect::<Option<_>>()? })
}

fn read_service(value: &Value) -> Option<Service> {
    let weight = |at: usize| u16::try_from(value["weights"][at].as_u64()?).ok();
    Some(Service {
        id: value["id"].as_str()?.to_owned(),
        pool: value["pool"].as_str()?.to_owned(),
        address: parse_address(value["address"].as_str()?).ok()?,
        weights: (weight(0)?, weight(1)?),
        by: value["by"].as_str()?.into(),
        checks: value["checks"].as_array()?.iter().map(read_check).collect::<Option<_>>()?,
        registered: Moment::LONG_AGO,
        maintenance: value["maintenance"].as_bool()?,
        ill_since: None,
        shown: value["shown"].clone(),
    })
}

fn read_check(value: &Value) -> Option<ServiceCheck> {
    let span = |key: &str| value[key].as_u64().map(Duration::from_millis);
    Some(ServiceCheck {
        id: value["id"].as_str()?.to_owned(),
        name: value["name"].as_str()?.to_owned(),
        ttl: span("ttl_ms"),
        status: Status::read(value["status"].as_str()?)?,
        heard: Duration::ZERO,
        critical_since: None,
        note: value["note"].as_str()?.to_owned(),
        deregister_after: span("deregister_after_ms"),
    })
}

fn read(value: &Value) -> Option<(String, Lease)> {
    let ttl = Duration::from_millis(value["ttl_ms"].as_u64()?).clamp(Register::TTL_MIN, Register::TTL_MAX);
    let zone = value["zone"].as_str().filter(|zone| Registration::is_zone(zone)).map(str::to_owned);
    let lease = Lease {
        address: parse_address(value["address"].as_str()?).ok()?,
        ttl,
        weight: u16::try_from(value["weight"].as_u64()?).ok()?,
        zone,
        reported: None,
        load: Load::default(),
        by: Registrant { name: value["by"].as_str()?.into(), member: value["member"].as_str().map(Into::into) },
        since: Duration::ZERO,
        renewed: Moment::at(Duration::ZERO),
        said: Moment::LONG_AGO,
        state: State::Serving,
        silent: false,
        probed: value["probed"].as_bool().unwrap_or(false),
    };
    Some((value["pool"].as_str()?.to_owned(), lease))
}

#[cfg(test)]
mod tests {
    use super::super::Rules;
    use super::*;
    use proptest::prelude::*;

    const RULES: Rules = Rules { ttl: Duration::from_secs(10), drain: Duration::from_secs(5) };

    #[test]
    fn what_stays_is_read_as_it_was_written_with_all_its_time_before_it() {
        let mut registry = Registry::default();
        let (now, by) = (Duration::from_secs(100), Registrant::here("workers"));
        for (pool, address, text) in [
            ("shop", "10.0.0.1:80", "{\"weight\": 3, \"zone\": \"a\", \"load\": 1}"),
            ("shop", "[::1]:80", "{\"ttl\": \"2s\"}"),
            ("blog", "10.0.0.1:80", ""),
            ("blog", "10.0.0.2:80", ""),
        ] {
            let wish = Registration::read(text.as_bytes()).unwrap();
            registry.put(pool, address.parse().unwrap(), &wish, &by, RULES, now).unwrap();
        }
        registry.remove("blog", "10.0.0.2:80".parse().unwrap(), true, RULES, now);
        let mut after = Registry::default();
        for (pool, lease) in decode(&encode(&registry, &Services::default())).unwrap().leases {
            after.restore(&pool, lease, Duration::from_secs(1));
        }
        let shown: Vec<_> = after
            .iter()
            .map(|(pool, lease)| {
                format!("{pool} {} {:?} {} {:?}", lease.address, lease.ends(), lease.weight, lease.zone)
            })
            .collect();
        assert_eq!(
            shown,
            ["blog 10.0.0.1:80 11s 1 None", "shop 10.0.0.1:80 11s 3 Some(\"a\")", "shop [::1]:80 3s 1 None"]
        );
        assert!(after.iter().all(|(_, lease)| &*lease.by.name == "workers" && lease.load == Load::default()));
    }

    proptest! {
        #[test]
        fn garbage_is_none_of_ours(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert_eq!(decode(&bytes), None);
        }
    }
}
