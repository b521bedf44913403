use super::attempts::Trail;
use super::worker::Held;
use super::{Client, Worker};
use crate::config::{LimitId, PoolId};
use crate::http::{RequestHead, ResponseHead, request_id};
use crate::telemetry::Record;
use crate::telemetry::access::{End, Tls};
use crate::telemetry::metrics::{CacheOutcome, Done};
use std::net::IpAddr;
use std::time::{Instant, SystemTime};

/// All that is known of an exchange that ended.
pub(super) struct Finish<'a> {
    pub(super) worker: &'a Worker,
    pub(super) client: &'a Client,
    pub(super) held: &'a Held,
    pub(super) who: IpAddr,
    pub(super) route: Option<usize>,
    pub(super) pool: Option<PoolId>,
    pub(super) trail: &'a Trail,
    pub(super) id: u128,
    pub(super) started: Instant,
    pub(super) target: &'a [u8],
    pub(super) request: &'a RequestHead,
    pub(super) response: &'a ResponseHead,
    pub(super) user: &'a [u8],
    pub(super) end: End,
}

/// Counts an exchange, and logs it if that is asked for.
pub(super) fn finish(f: &Finish<'_>) {
    let duration = f.started.elapsed();
    let snapshot = &f.held.generation.snapshot;
    let metrics = &f.worker.metrics;
    let moved = &f.trail.moved;
    let done = Done { status: f.response.status, duration, request_bytes: moved.up, response_bytes: moved.down };
    match f.route {
        Some(at) => metrics.exchange_done(&snapshot.routes[at], &done),
        None => metrics.exchange_done(&snapshot.unrouted, &done),
    }
    let first_byte = f.trail.first_byte.map(|at| at.duration_since(f.started));
    if let Some(PoolId(at)) = f.pool {
        metrics.pool_done(&snapshot.pools[at].metrics, f.response.status, first_byte);
    }
    let mut log = f.worker.log.borrow_mut();
    if log.is_on() {
        let id = request_id(f.id);
        log.log(&Record {
            time: SystemTime::now(),
            client: f.who,
            listener: &f.client.gate.name,
            scheme: f.client.scheme,
            host: &f.request.authority,
            method: f.request.method.as_str(),
            target: f.target,
            version: f.request.version,
            status: f.response.status,
            request_bytes: moved.up,
            response_bytes: moved.down,
            duration,
            first_byte,
            route: f.route.map(|at| snapshot.config.routes[at].name.as_str()),
            pool: f.pool.map(|PoolId(at)| snapshot.config.pools[at].name.as_str()),
            backend: f.trail.backend(),
            attempts: f.trail.attempts,
            cache: f.trail.cache.map(CacheOutcome::label),
            limit: f.trail.limit.map(|LimitId(at)| snapshot.config.limits[at].name.as_str()),
            limit_observed: f.trail.limit_observed.map(|LimitId(at)| snapshot.config.limits[at].name.as_str()),
            request_id: &id,
            tls: f.client.tls.as_ref().map(|tls| Tls {
                version: tls.version,
                cipher: tls.cipher,
                client_subject: tls.subject.as_deref().map(str::as_bytes),
            }),
            user: Some(f.user).filter(|user| !user.is_empty()),
            end: f.end,
            request: &f.request.fields,
            response: &f.response.fields,
        });
    }
}
