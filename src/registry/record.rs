//! Leases as they are kept over a restart: JSON, one object a lease. Those that drain are on their way out, and left out.

use super::{Lease, Load, Moment, Registrant, Registration, Registry, State, parse_address};
use crate::config::Register;
use serde_json::{Value, json};
use std::time::Duration;

/// As it is written.
#[must_use]
pub fn encode(registry: &Registry) -> Vec<u8> {
    let staying = registry.iter().filter(|(_, lease)| !lease.is_draining());
    let leases: Vec<Value> = staying.map(|(pool, lease)| written(pool, lease)).collect();
    json!({ "leases": leases }).to_string().into_bytes()
}

fn written(pool: &str, lease: &Lease) -> Value {
    json!({
        "pool": pool,
        "address": lease.address.to_string(),
        "ttl_ms": u64::try_from(lease.ttl.as_millis()).unwrap_or(u64::MAX),
        "weight": lease.weight,
        "zone": lease.zone,
        "by": &*lease.by.name,
        "member": lease.by.member.as_deref(),
    })
}

/// Reads it; with each lease its pool. `None`: it is none of ours.
#[must_use]
pub fn decode(content: &[u8]) -> Option<Vec<(String, Lease)>> {
    let value: Value = serde_json::from_slice(content).ok()?;
    value["leases"].as_array()?.iter().map(read).collect()
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
        registry.remove("blog", "10.0.0.2:80".parse().unwrap(), RULES, now);
        let mut after = Registry::default();
        for (pool, lease) in decode(&encode(&registry)).unwrap() {
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
