//! A limit that runs.

use super::Fleet;
use crate::access::Own;
use crate::config::{self, HashBy, KeyPart};
use crate::limit::{Keys, Limiter, Policy, Secret};
use crate::telemetry::Metrics;
use crate::telemetry::metrics::{LimitLook, LimitMetrics};
use ipnet::IpNet;
use std::sync::Arc;
use std::time::Duration;

/// What runs of a limit in one snapshot. What its keys have used goes on through reloads that leave `key`, `prefix`,
/// `memory` and what is bounded as they are.
pub struct LiveLimit {
    /// What its keys have used.
    pub limiter: Arc<Limiter>,
    /// How its keys are made.
    pub keys: Keys,
    /// How responses show it.
    pub policy: Policy,
    /// Its counters.
    pub metrics: LimitMetrics,
    /// It only counts what it would refuse.
    pub observe: bool,
    /// Responses say how it stands.
    pub is_shown: bool,
    /// Clients that it is not for.
    pub except: Box<[IpNet]>,
    /// Its key has what an access finds out: on routes that have one, it is judged after that.
    pub after_access: bool,
}

impl LiveLimit {
    /// What runs of `limit`, with what `before` knew.
    pub(super) fn build(
        limit: &config::Limit,
        own: &Own,
        metrics: &Metrics,
        fleet: Option<&Fleet>,
        before: Option<(&config::Limit, &LiveLimit)>,
    ) -> LiveLimit {
        let before = before.filter(|(config, _)| is_same(config, limit)).map(|(_, live)| live);
        let bytes = usize::try_from(limit.memory).unwrap_or(usize::MAX);
        LiveLimit {
            limiter: before.map_or_else(
                || Arc::new(Limiter::new(&limit.bound, bytes, fleet.map(|fleet| &fleet.share))),
                |live| Arc::clone(&live.limiter),
            ),
            keys: before.map_or_else(
                || Keys::new(&limit.key, limit.prefix, fleet.map_or_else(secret, |fleet| Arc::clone(&fleet.secret))),
                |live| live.keys.clone(),
            ),
            policy: Policy::new(&limit.name, &limit.bound),
            metrics: metrics.limit(&limit.name),
            observe: limit.observe,
            is_shown: limit.fields,
            except: limit.except.clone().into(),
            after_access: limit.key.iter().any(|part| is_own(part, own)),
        }
    }

    /// How it is at `now`.
    pub(super) fn look(&self, limit: &config::Limit, now: Duration) -> LimitLook {
        LimitLook {
            limit: limit.name.clone(),
            bound: limit.bound.to_string(),
            observe: limit.observe,
            keys: self.limiter.held(now) as u64,
            capacity: self.limiter.capacity() as u64,
            requests: self.metrics.requests(),
        }
    }
}

/// Whether it is a field by which an access tells backends.
fn is_own(part: &KeyPart, own: &Own) -> bool {
    matches!(part, KeyPart::Of(HashBy::Field(name)) if own.has_named(name.as_bytes()))
}

/// Whether what was counted under one means the same under the other.
fn is_same(before: &config::Limit, now: &config::Limit) -> bool {
    let of = |limit: &config::Limit| (limit.key.clone(), limit.prefix, limit.bound, limit.memory);
    of(before) == of(now)
}

/// A new one.
pub(super) fn secret() -> Arc<Secret> {
    let mut bytes = [0; 16];
    // Without the system's randomness, keys could be made that share what one may have.
    let _ = getrandom::fill(&mut bytes);
    Arc::new(Secret::new(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::RequestHead;
    use crate::limit::{Asked, Verdict};
    use std::num::NonZeroUsize;

    fn limit(text: &str) -> config::Limit {
        let rest = "version = 1\n[[listener]]\naddress = \"127.0.0.1:1\"\n[[route]]\nrespond = {}\nlimits = [\"a\"]\n";
        let text = format!("{rest}[limit.a]\nkey = \"host\"\n{text}");
        config::load_text("a.toml".as_ref(), &text, &|_| None).unwrap().limits.remove(0)
    }

    #[test]
    fn what_was_used_goes_on_where_the_limit_is_the_same() {
        let metrics = Metrics::new(NonZeroUsize::MIN);
        let first = limit("rate = \"1/h\"");
        let live = LiveLimit::build(&first, &Own::default(), &metrics, None, None);
        let head = RequestHead { authority: b"shop.example".into(), ..Default::default() };
        let passes = |live: &LiveLimit| {
            let key = live.keys.key(Asked { head: &head, client: [192, 0, 2, 1].into(), route: "r" });
            matches!(live.limiter.charge(key, Duration::from_secs(9)).0, Verdict::Pass { .. })
        };
        assert!(passes(&live) && !passes(&live));
        assert_eq!(live.look(&first, Duration::from_secs(9)).keys, 1);
        for (text, goes_on) in [
            ("rate = \"1/h\"\nobserve = true\nfields = true\nexcept = [\"10.0.0.0/8\"]", true),
            ("rate = \"1/h\"\nburst = 2", false),
            ("rate = \"2/h\"", false),
            ("rate = \"1/h\"\nmemory = \"64KiB\"", false),
            ("rate = \"1/h\"\nprefix = { v4 = 24 }", false),
            ("concurrency = 1", false),
        ] {
            let next = LiveLimit::build(&limit(text), &Own::default(), &metrics, None, Some((&first, &live)));
            assert_eq!(!passes(&next), goes_on, "{text}");
        }
    }

    #[test]
    fn a_key_that_an_access_finds_out_waits_for_it() {
        let metrics = Metrics::new(NonZeroUsize::MIN);
        let own = Own::of(["x-user"].into_iter());
        let waits = |key: &str| {
            let limit = config::Limit { key: vec![KeyPart::Of(HashBy::Field(key.into()))], ..limit("rate = \"1/h\"") };
            LiveLimit::build(&limit, &own, &metrics, None, None).after_access
        };
        assert!(waits("x-user") && waits("x_user") && !waits("x-other"));
    }
}
