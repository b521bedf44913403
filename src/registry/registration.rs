//! What a backend says of itself when it registers: JSON, checked.

use super::{Lease, Load};
use crate::config::{Register, parse_duration};
use serde_json::Value;
use std::time::Duration;

/// What a backend says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// How long the lease is to last; default and maximum: that of the pool.
    pub ttl: Option<Duration>,
    /// Its share relative to the others; 0 takes no traffic. Default 1.
    pub weight: u16,
    /// Where it stands, for those who look.
    pub zone: Option<String>,
    /// How busy it is.
    pub load: Option<Load>,
    /// Nobody renews it: it is there for as long as its backend answers, which is to be looked at.
    pub probed: bool,
}

impl Default for Registration {
    fn default() -> Registration {
        Registration { ttl: None, weight: 1, zone: None, load: None, probed: false }
    }
}

impl Registration {
    /// What would make a lease as that one is.
    #[must_use]
    pub fn of(lease: &Lease) -> Registration {
        let Lease { ttl, weight, zone, reported, probed, .. } = lease;
        Registration { ttl: Some(*ttl), weight: *weight, zone: zone.clone(), load: *reported, probed: *probed }
    }

    /// Reads `{"ttl": "10s", "weight": 1, "zone": "a", "load": 0.3}`; each may be left out or null, and nothing at all says
    /// nothing of all.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn read(content: &[u8]) -> Result<Registration, String> {
        if content.iter().all(u8::is_ascii_whitespace) {
            return Ok(Registration::default());
        }
        let Ok(Value::Object(members)) = serde_json::from_slice(content) else {
            return Err("the content is no JSON object such as {\"ttl\": \"10s\"}".into());
        };
        let mut registration = Registration::default();
        for (key, value) in members.iter().filter(|(_, value)| !value.is_null()) {
            match key.as_str() {
                "ttl" => registration.ttl = Some(ttl(value)?),
                "weight" => registration.weight = weight(value)?,
                "zone" => registration.zone = Some(zone(value)?),
                "load" => registration.load = Some(load(value)?),
                other => return Err(format!("{:?} is no key here: ttl, weight, zone, load", short(other))),
            }
        }
        Ok(registration)
    }

    /// Letters, digits, `-`, `_`, `.`, `/` and `:`, at most 64 of them.
    #[must_use]
    pub fn is_zone(text: &str) -> bool {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:".contains(&byte);
        (1..=ZONE_BYTES_MAX).contains(&text.len()) && text.bytes().all(allowed)
    }
}

fn ttl(value: &Value) -> Result<Duration, String> {
    let allowed = Register::TTL_MIN..=Register::TTL_MAX;
    let ttl = value.as_str().and_then(parse_duration).filter(|ttl| allowed.contains(ttl));
    ttl.ok_or_else(|| "ttl: a duration from \"1s\" to \"1h\"".into())
}

fn weight(value: &Value) -> Result<u16, String> {
    let weight = value.as_u64().and_then(|weight| u16::try_from(weight).ok());
    weight.ok_or_else(|| format!("weight: an integer from 0 to {}", u16::MAX))
}

fn zone(value: &Value) -> Result<String, String> {
    let zone = value.as_str().filter(|zone| Registration::is_zone(zone)).map(str::to_owned);
    zone.ok_or_else(|| format!("zone: 1 to {ZONE_BYTES_MAX} letters, digits, `-`, `_`, `.`, `/` and `:`"))
}

fn load(value: &Value) -> Result<Load, String> {
    value.as_f64().and_then(Load::of).ok_or_else(|| format!("load: a number from 0 to {}", Load::MAX))
}

fn short(text: &str) -> String {
    text.chars().take(SHOWN_CHARS).collect()
}

const ZONE_BYTES_MAX: usize = 64;

/// Characters of a key that a message repeats.
const SHOWN_CHARS: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Result<Registration, String> {
        Registration::read(text.as_bytes())
    }

    #[test]
    fn what_is_left_out_has_its_default() {
        for text in ["", " \n", "{}", "{\"ttl\": null, \"zone\": null}"] {
            assert_eq!(read(text), Ok(Registration::default()), "{text}");
        }
        let all = read("{\"ttl\": \"5s\", \"weight\": 0, \"zone\": \"eu/a\", \"load\": 0.25}").unwrap();
        assert_eq!((all.ttl, all.weight, all.zone.as_deref()), (Some(Duration::from_secs(5)), 0, Some("eu/a")));
        assert_eq!(all.load, Load::of(0.25));
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, why) in [
            ("[]", "no JSON object"),
            ("{\"ttl\": 10}", "ttl: a duration"),
            ("{\"ttl\": \"999ms\"}", "\"1s\" to \"1h\""),
            ("{\"ttl\": \"61m\"}", "\"1s\" to \"1h\""),
            ("{\"weight\": 65536}", "weight: an integer from 0 to 65535"),
            ("{\"weight\": 1.5}", "weight"),
            ("{\"weight\": -1}", "weight"),
            ("{\"zone\": \"a b\"}", "zone: 1 to 64"),
            ("{\"zone\": \"\"}", "zone"),
            ("{\"load\": -0.1}", "load: a number from 0 to 100"),
            ("{\"load\": \"0.1\"}", "load"),
            ("{\"load\": 1e400}", "no JSON object"),
            ("{\"wieght\": 1}", "\"wieght\" is no key here: ttl, weight, zone, load"),
        ] {
            assert!(read(text).unwrap_err().contains(why), "{text}: {:?}", read(text));
        }
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            "[0-9]{1,3}(ms|s|m|h)?".prop_map(Value::from),
            ".{0,80}".prop_map(Value::from),
        ];
        let key = prop_oneof!["ttl", "weight", "zone", "load", ".{0,5}"];
        leaf.prop_recursive(2, 8, 4, move |inner| {
            prop::collection::vec((key.clone(), inner), 0..5).prop_map(|members| members.into_iter().collect())
        })
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Registration::read(&bytes);
        }

        #[test]
        fn any_json_is_read_within_its_bounds_or_refused(value in json()) {
            if let Ok(read) = Registration::read(value.to_string().as_bytes()) {
                prop_assert!(read.ttl.is_none_or(|ttl| (Register::TTL_MIN..=Register::TTL_MAX).contains(&ttl)));
                prop_assert!(read.zone.is_none_or(|zone| Registration::is_zone(&zone)));
                prop_assert!(read.load.is_none_or(|load| (0.0..=Load::MAX).contains(&load.as_f64())));
            }
        }

        #[test]
        fn any_text_is_an_address_that_reads_as_itself_or_refused(text in "[0-9a-f.:\\[\\]%]{0,30}|.{0,20}") {
            if let Ok(address) = super::super::parse_address(&text) {
                prop_assert_eq!(super::super::parse_address(&address.to_string()), Ok(address));
            }
        }
    }
}
