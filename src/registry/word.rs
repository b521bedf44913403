//! What the members of a fleet tell each other of leases.

use super::{Clocks, GivenBack, Lease, Load, Moment, Registrant, Registration, parse_address};
use crate::config::Register;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// A word on one lease, by the clock of the fleet: it means the same whenever it is heard, and heard twice it means no more. Of two on
/// the same pool and address the later one counts.
#[derive(Clone, Debug, PartialEq)]
pub struct Word {
    /// The name of the pool.
    pub pool: String,
    /// Of the backend.
    pub address: SocketAddr,
    /// The member that was told so by the backend.
    pub member: Arc<str>,
    /// Since the Unix epoch: when that was.
    pub said: Duration,
    /// What.
    pub says: Says,
}

/// What is said of a lease.
#[derive(Clone, Debug, PartialEq)]
pub enum Says {
    /// It was granted or renewed, and lasts from then on for as long.
    Granted {
        /// For how long.
        ttl: Duration,
        /// As it was registered.
        weight: u16,
        /// As it was registered.
        zone: Option<String>,
        /// As it was reported.
        load: Option<Load>,
        /// The name of the token.
        by: Arc<str>,
        /// Nobody renews it; see [`Lease::probed`].
        probed: bool,
    },
    /// It was given back.
    GivenBack {
        /// As [`GivenBack::for_good`].
        for_good: bool,
    },
}

impl Word {
    /// What is to be said of a lease; one that this process granted is told as that of `me`.
    #[must_use]
    pub fn of(pool: &str, lease: &Lease, me: &Arc<str>, clocks: Clocks) -> Word {
        Word {
            pool: pool.to_owned(),
            address: lease.address,
            member: Arc::clone(lease.by.member.as_ref().unwrap_or(me)),
            said: lease.said.to_fleet(clocks),
            says: Says::Granted {
                ttl: lease.ttl,
                weight: lease.weight,
                zone: lease.zone.clone(),
                load: lease.reported,
                by: Arc::clone(&lease.by.name),
                probed: lease.probed,
            },
        }
    }

    /// Since the Unix epoch: when there is nothing left of it.
    #[must_use]
    pub fn ends(&self) -> Duration {
        match &self.says {
            Says::Granted { ttl, .. } => self.said.saturating_add(*ttl),
            // What was granted before has run out by then.
            Says::GivenBack { .. } => self.said.saturating_add(Register::TTL_MAX),
        }
    }

    /// The registration that it tells of, and of whom; `None`: it was given back.
    pub(super) fn granted(&self) -> Option<(Registration, Registrant)> {
        let Says::Granted { ttl, weight, zone, load, by, probed } = &self.says else { return None };
        let (ttl, zone) = (Some(*ttl), zone.clone());
        let wish = Registration { ttl, weight: *weight, zone, load: *load, probed: *probed };
        Some((wish, Registrant { name: Arc::clone(by), member: Some(Arc::clone(&self.member)) }))
    }

    /// Whether whoever is there is to be forgotten: see [`GivenBack::for_good`].
    #[must_use]
    pub fn is_for_good(&self) -> bool {
        self.says == Says::GivenBack { for_good: true }
    }

    /// What is to be remembered of it, once there is no lease; a moment here stands for when it was said.
    pub(super) fn given_back_at(&self, said: Moment) -> GivenBack {
        GivenBack { said, for_good: self.is_for_good() }
    }

    /// As it is sent: JSON.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let mut word = json!({
            "pool": self.pool,
            "address": self.address.to_string(),
            "member": &*self.member,
            "said_us": micros(self.said),
        });
        match &self.says {
            Says::Granted { ttl, weight, zone, load, by, probed } => {
                word["granted"] = json!({
                    "ttl_us": micros(*ttl),
                    "weight": weight,
                    "zone": zone,
                    "load": load.map(Load::as_f64),
                    "by": &**by,
                    "probed": probed,
                });
            }
            Says::GivenBack { for_good } => word["for_good"] = json!(for_good),
        }
        word.to_string().into_bytes()
    }

    /// Reads that; `None`: it is none.
    #[must_use]
    pub fn decode(content: &[u8]) -> Option<Word> {
        let value: Value = serde_json::from_slice(content).ok()?;
        Some(Word {
            pool: value["pool"].as_str()?.to_owned(),
            address: parse_address(value["address"].as_str()?).ok()?,
            member: value["member"].as_str()?.into(),
            said: Duration::from_micros(value["said_us"].as_u64()?),
            says: match value.get("granted") {
                None => Says::GivenBack { for_good: value["for_good"].as_bool().unwrap_or(false) },
                Some(granted) => Word::read_granted(granted)?,
            },
        })
    }

    fn read_granted(value: &Value) -> Option<Says> {
        let ttl = Duration::from_micros(value["ttl_us"].as_u64()?);
        let zone = value["zone"].as_str().map(str::to_owned);
        Some(Says::Granted {
            // That of a service is what is left of its first check.
            ttl: Some(ttl).filter(|ttl| !ttl.is_zero() && *ttl <= Register::TTL_MAX)?,
            weight: u16::try_from(value["weight"].as_u64()?).ok()?,
            zone: if zone.as_deref().is_none_or(Registration::is_zone) { zone } else { None },
            load: value["load"].as_f64().and_then(Load::of),
            by: value["by"].as_str()?.into(),
            probed: value["probed"].as_bool().unwrap_or(false),
        })
    }
}

/// When a lease was given back, to be said to others.
impl Word {
    /// That one was given back to `me` at that moment.
    #[must_use]
    pub fn of_given_back(pool: &str, address: SocketAddr, back: GivenBack, me: &Arc<str>, clocks: Clocks) -> Word {
        let (said, says) = (back.said.to_fleet(clocks), Says::GivenBack { for_good: back.for_good });
        Word { pool: pool.to_owned(), address, member: Arc::clone(me), said, says }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn word() -> impl Strategy<Value = Word> {
        let says = prop_oneof![
            any::<bool>().prop_map(|for_good| Says::GivenBack { for_good }),
            (1_000_000u64..3_600_000_000, any::<u16>(), prop::option::of("[a-z/]{1,8}"), prop::option::of(0u32..100))
                .prop_map(|(ttl, weight, zone, load)| Says::Granted {
                    ttl: Duration::from_micros(ttl),
                    weight,
                    zone,
                    load: load.and_then(|load| Load::of(load.into())),
                    by: "workers".into(),
                    probed: weight % 2 == 0,
                }),
        ];
        (".{1,9}", any::<[u8; 3]>(), 1u16.., 0u64..1 << 52, says).prop_map(|(pool, ip, port, said, says)| Word {
            pool,
            address: SocketAddr::from(([10, ip[0], ip[1], ip[2]], port)),
            member: "one".into(),
            said: Duration::from_micros(said),
            says,
        })
    }

    proptest! {
        #[test]
        fn it_is_heard_as_it_was_said(word in word()) {
            prop_assert_eq!(Word::decode(&word.encode()), Some(word));
        }

        #[test]
        fn garbage_is_no_word(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert_eq!(Word::decode(&bytes), None);
        }
    }
}
