//! `/v1/pools/POOL/demand`: how many backends a pool needs, for what adds and removes them.

use super::AdminState;
use super::answer::Page;
use super::drain::decoded;
use super::job::said;
use crate::telemetry::metrics::{DemandLook, PoolLook};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Bytes;
use serde_json::{Value, json};

/// The pool that a path asks about.
pub(super) fn pool_of(path: &str) -> Option<String> {
    let name = path.strip_prefix("/v1/pools/")?.strip_suffix("/demand")?;
    Some(decoded(name)?.into_owned()).filter(|_| !name.contains('/'))
}

/// What is known of it. Anybody may ask, as of metrics.
pub(super) fn demand<B>(pool: &str, request: &Request<B>, state: &AdminState) -> Response<Full<Bytes>> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Page::only_read();
    }
    match state.metrics.look().pools.iter().find(|look| look.pool == pool) {
        Some(look) => said(StatusCode::OK, &shown(look)),
        None => said(StatusCode::NOT_FOUND, &json!({ "error": format!("there is no pool {pool:?}") })),
    }
}

fn shown(PoolLook { pool, queue, demand, .. }: &PoolLook) -> Value {
    json!({
        "pool": pool,
        "in_flight": demand.in_flight,
        "queued": queue,
        "arrivals_per_second": rounded(demand.arrivals),
        "served_per_second": rounded(demand.served),
        "shed_per_second": rounded(demand.shed),
        "per_backend": {
            "concurrency": demand.bears.map(rounded),
            "exchanges_per_second": demand.capacity.map(rounded),
        },
        "busy": demand.busy.map(rounded),
        "busy_max": rounded(demand.busy_max),
        "objective": demand.objective.map(|objective| json!({
            "p99_seconds": objective.as_secs_f64(),
            "met": demand.on_time.map(rounded),
            "out_of_reach": demand.is_out_of_reach,
        })),
        "backends": backends(demand),
    })
}

fn backends(demand: &DemandLook) -> Value {
    json!({ "available": demand.available, "wanted": demand.wanted })
}

/// To a thousandth: the rest is noise.
fn rounded(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}

#[cfg(test)]
mod tests {
    use super::super::drain::encoded;
    use super::*;

    #[test]
    fn a_path_names_its_pool_and_other_paths_do_not() {
        for pool in ["app", "a b/c", "é"] {
            let path = format!("/v1/pools/{}/demand", encoded(pool));
            assert_eq!(pool_of(&path), Some(pool.to_owned()));
        }
        for other in
            ["/v1/pools/demand", "/v1/pools/a", "/v1/pools/a/b/demand", "/v1/pools/%/demand", "/v1/pools/a/demand/"]
        {
            assert_eq!(pool_of(other), None, "{other}");
        }
    }

    #[test]
    fn what_nobody_knows_is_null() {
        let look = PoolLook {
            pool: "app".into(),
            queue: 3,
            breaker_open: false,
            backends: Vec::new(),
            unresolved: Vec::new(),
            leases: None,
            demand: DemandLook { arrivals: 2.000_04, available: 2, ..DemandLook::default() },
        };
        let seen = shown(&look);
        assert_eq!((&seen["queued"], &seen["arrivals_per_second"]), (&3.into(), &2.0.into()));
        assert_eq!(seen["backends"], json!({ "available": 2, "wanted": null }));
        assert!(seen["objective"].is_null() && seen["per_backend"]["concurrency"].is_null(), "{seen}");
    }
}
