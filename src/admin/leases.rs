//! `/v1/pools/POOL/backends` and `…/backends/ADDRESS`: backends that register themselves, and who is there.

use super::AdminState;
use super::answer::Page;
use super::drain::{decoded, encoded};
use super::foreign::refusal_status;
use super::gate::Peer;
use super::job::said;
use crate::config::{parse_duration, show_duration};
use crate::live::{LeaseChange, LeaseLook, LeaseTurn, LiveRegistry, Refused, Who};
use crate::registry::{Registration, parse_address};
use crate::telemetry::metrics::BackendLook;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Body, Bytes};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::timeout;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The name of a pool.
    pub pool: String,
    /// The address of one of its backends; `None`: all of them.
    pub address: Option<String>,
}

/// The leases, and the clock that they count by.
pub(super) struct Registrations {
    pub(super) registry: Arc<LiveRegistry>,
    pub(super) began: Instant,
    /// Places for reads that wait for a change.
    pub(super) waiting: Semaphore,
    /// Places for those who wait for a backend to leave.
    leaving: Semaphore,
}

/// Bytes that a registration may have.
pub const REGISTRATION_BYTES_MAX: usize = 4 << 10;

impl Place {
    pub(super) fn of(path: &str) -> Option<Place> {
        let (pool, rest) = path.strip_prefix("/v1/pools/")?.split_once("/backends")?;
        let address = match rest {
            "" => None,
            rest => {
                Some(decoded(rest.strip_prefix('/').filter(|it| !it.is_empty() && !it.contains('/'))?)?.into_owned())
            }
        };
        let pool = decoded(pool).filter(|pool| !pool.is_empty())?.into_owned();
        Some(Place { pool, address })
    }

    /// The path that asks for it.
    #[must_use]
    pub fn path(&self) -> String {
        let pool = encoded(&self.pool);
        match &self.address {
            None => format!("/v1/pools/{pool}/backends"),
            Some(address) => format!("/v1/pools/{pool}/backends/{}", encoded(address)),
        }
    }
}

/// Answers whatever is asked of a place.
pub(super) async fn leases<B>(
    place: Place,
    request: Request<B>,
    state: &AdminState,
    peer: Peer,
) -> Response<Full<Bytes>>
where
    B: Body,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let Some(registrations) = state.registrations.get() else {
        return not(StatusCode::SERVICE_UNAVAILABLE, "nobody keeps registrations here");
    };
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    let Some(address) = place.address.as_deref() else {
        return if is_read { list(&place.pool, state, registrations) } else { Page::only_read() };
    };
    if is_read {
        return one(&place.pool, address, state, registrations);
    }
    if !matches!(*request.method(), Method::PUT | Method::DELETE) {
        let mut refused = not(StatusCode::METHOD_NOT_ALLOWED, "send GET, PUT or DELETE");
        refused.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD, PUT, DELETE"));
        return refused;
    }
    let gate = state.gate.load_full();
    let who = match gate.who(request.headers(), peer) {
        Ok(who) => who,
        Err(barred) => return barred.response(),
    };
    let address = match parse_address(address) {
        Ok(address) => address,
        Err(why) => return not(StatusCode::BAD_REQUEST, &format!("{address:?}: {why}")),
    };
    match *request.method() {
        Method::PUT => put(&place.pool, address, request, registrations, who).await,
        _ => delete(&place.pool, address, request.uri().query(), registrations, who).await,
    }
}

async fn put<B>(
    pool: &str,
    address: SocketAddr,
    request: Request<B>,
    registrations: &Registrations,
    who: Who<'_>,
) -> Response<Full<Bytes>>
where
    B: Body,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let content = match Limited::new(request.into_body(), REGISTRATION_BYTES_MAX).collect().await {
        Ok(content) => content.to_bytes(),
        Err(why) => return not(StatusCode::PAYLOAD_TOO_LARGE, &format!("the content cannot be read: {why}")),
    };
    let wish = match Registration::read(&content) {
        Ok(wish) => wish,
        Err(why) => return not(StatusCode::BAD_REQUEST, &why),
    };
    let registry = &registrations.registry;
    match registry.put(pool, address, &wish, who, registrations.now()) {
        Err(refused) => refusal(refused),
        Ok(registered) => {
            // Who hears that it is registered is in the pool.
            registry.applied(registered.version).await;
            let granted = registered.granted;
            let renew = u64::try_from((granted.ttl / RENEWALS).as_millis()).unwrap_or(u64::MAX);
            let content = json!({
                "applied": true,
                "new": granted.is_new,
                "pool": pool,
                "address": address.to_string(),
                "ttl": show_duration(granted.ttl),
                "renew_after_ms": renew,
            });
            said(if granted.is_new { StatusCode::CREATED } else { StatusCode::OK }, &content)
        }
    }
}

/// `?wait=10s`: how long the answer may wait for the backend to have ended its exchanges; by default as long as it may.
async fn delete(
    pool: &str,
    address: SocketAddr,
    query: Option<&str>,
    registrations: &Registrations,
    who: Who<'_>,
) -> Response<Full<Bytes>> {
    let wait = match query.filter(|query| !query.is_empty()) {
        None => Ok(DELETE_WAIT_MAX),
        Some(query) => query.strip_prefix("wait=").and_then(parse_duration).ok_or("wait: a duration such as \"10s\""),
    };
    let wait = match wait {
        Ok(wait) => wait.min(DELETE_WAIT_MAX),
        Err(why) => return not(StatusCode::BAD_REQUEST, why),
    };
    let registry = &registrations.registry;
    let changes = registry.changes();
    let version = match registry.remove(pool, address, who, registrations.now()) {
        Ok(version) => version,
        Err(refused) => return refusal(refused),
    };
    registry.applied(version).await;
    let place = (!wait.is_zero()).then(|| registrations.leaving.try_acquire());
    let is_crowded = matches!(place, Some(Err(_)));
    let wait = if is_crowded { Duration::ZERO } else { wait };
    let has_left = timeout(wait, left(registry, pool, address, changes)).await.is_ok();
    let status = if has_left { StatusCode::OK } else { StatusCode::ACCEPTED };
    let mut response =
        said(status, &json!({ "applied": true, "pool": pool, "address": address.to_string(), "left": has_left }));
    if !has_left {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(LEAVES_RETRY_SECS));
    }
    if is_crowded {
        // Who comes next has a use for the connection.
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// Waits until a backend has left.
async fn left(
    registry: &LiveRegistry,
    pool: &str,
    address: SocketAddr,
    mut changes: tokio::sync::broadcast::Receiver<LeaseChange>,
) {
    while registry.has(pool, address) {
        match changes.recv().await {
            Ok(LeaseChange { pool: its, address: at, what: LeaseTurn::Left(_), .. })
                if its == pool && at == address =>
            {
                return;
            }
            // One that came back does not leave.
            Ok(_) | Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return,
        }
    }
}

fn list(pool: &str, state: &AdminState, registrations: &Registrations) -> Response<Full<Bytes>> {
    match backends(pool, state, registrations) {
        Ok(backends) => {
            let backends: Vec<Value> = backends.into_iter().map(|(_, shown)| shown).collect();
            said(StatusCode::OK, &json!({ "pool": pool, "backends": backends }))
        }
        Err(refused) => refusal(refused),
    }
}

fn one(pool: &str, address: &str, state: &AdminState, registrations: &Registrations) -> Response<Full<Bytes>> {
    let backends = match backends(pool, state, registrations) {
        Ok(backends) => backends,
        Err(refused) => return refusal(refused),
    };
    let canonical = parse_address(address).map_or_else(|_| address.to_owned(), |address| address.to_string());
    match backends.into_iter().find(|(name, _)| *name == canonical) {
        Some((_, shown)) => said(StatusCode::OK, &shown),
        None => not(StatusCode::NOT_FOUND, "that pool has no such backend"),
    }
}

/// All backends of a pool by name, those of the configuration first.
fn backends(pool: &str, state: &AdminState, registrations: &Registrations) -> Result<Vec<(String, Value)>, Refused> {
    let leases = match registrations.registry.look(pool, registrations.now()) {
        Ok(leases) => leases,
        Err(Refused::Closed) => Vec::new(),
        Err(refused) => return Err(refused),
    };
    let leased: BTreeSet<String> = leases.iter().map(|look| look.lease.address.to_string()).collect();
    let look = state.metrics.look();
    let others = look.pools.iter().filter(|its| its.pool == pool).flat_map(|its| &its.backends);
    let others = others.filter(|backend| !leased.contains(&backend.backend));
    let others = others.map(|backend| (backend.backend.clone(), configured(backend)));
    Ok(others.chain(leases.iter().map(|look| (look.lease.address.to_string(), of_lease(look)))).collect())
}

fn configured(backend: &BackendLook) -> Value {
    json!({
        "address": backend.backend,
        "state": backend.state,
        "available": backend.available,
        "in_flight": backend.in_flight,
        "why": backend.why,
        "lease": null,
    })
}

fn of_lease(look: &LeaseLook) -> Value {
    let (lease, ms) = (&look.lease, |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
    let health = look.health.as_ref();
    json!({
        "address": lease.address.to_string(),
        "state": health.map(|health| health.state),
        "available": health.is_some_and(|health| health.available),
        "in_flight": health.map_or(0, |health| health.in_flight),
        "why": health.and_then(|health| health.why.as_deref()),
        "lease": {
            "state": lease.state.label(),
            "ttl": show_duration(lease.ttl),
            "expires_in_ms": ms(look.left),
            "renewed_ms_ago": ms(look.quiet),
            "age_ms": ms(look.age),
            "weight": lease.weight,
            "zone": lease.zone,
            "load": lease.reported.map(crate::registry::Load::as_f64),
            "share": f64::from(lease.load.share()) / f64::from(crate::registry::SHARE_FULL),
            "by": &*lease.by.name,
            "member": lease.by.member.as_deref(),
        },
    })
}

fn refusal(refused: Refused) -> Response<Full<Bytes>> {
    let mut response = not(refusal_status(refused), &refused.to_string());
    if refused == Refused::Leaves {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(LEAVES_RETRY_SECS));
    }
    response
}

fn not(status: StatusCode, why: &str) -> Response<Full<Bytes>> {
    said(status, &json!({ "applied": false, "error": why }))
}

impl Registrations {
    pub(super) fn new(registry: Arc<LiveRegistry>, began: Instant) -> Registrations {
        Registrations { registry, began, waiting: Semaphore::new(WAITING_MAX), leaving: Semaphore::new(LEAVING_MAX) }
    }

    pub(super) fn now(&self) -> Duration {
        self.began.elapsed()
    }
}

/// Reads that wait at once: a quarter of the connections, as anybody may ask.
const WAITING_MAX: usize = 16;

/// When to look again whether a backend has left.
const LEAVES_RETRY_SECS: &str = "1";

/// Those who wait for a backend to leave at once: half of the connections, so that a quarter is left for all else.
const LEAVING_MAX: usize = 32;

/// So often a lease is to be renewed in its time.
pub(super) const RENEWALS: u32 = 3;

/// How long an answer may wait for a backend to leave: less than a connection may last.
const DELETE_WAIT_MAX: Duration = Duration::from_secs(45);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_was_written() {
        for (pool, address) in [("app", None), ("a b/c", Some("127.0.0.1:80")), ("é", Some("[fe80::1%3]:80"))] {
            let place = Place { pool: pool.into(), address: address.map(str::to_owned) };
            assert_eq!(Place::of(&place.path()), Some(place));
        }
        for other in [
            "/v1/pools/a",
            "/v1/pools//backends",
            "/v1/pools/a/backends/",
            "/v1/pools/a/backendsx",
            "/v1/pools/a/backends/b/c",
            "/v1/pools/a/backends/%",
        ] {
            assert_eq!(Place::of(other), None, "{other}");
        }
    }
}
