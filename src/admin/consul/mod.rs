//! The parts of Consul's HTTP API by which services register with an agent, and find each other: `/v1/agent/service/…`,
//! `/v1/agent/check/…`, `/v1/health/service/…` and `/v1/catalog/…`. A service's name is that of a pool.
//!
//! Source: Consul's documentation of its agent, health and catalog endpoints.

mod call;
mod read;
mod said;
mod show;

use super::AdminState;
use super::foreign::{No, content_of, json, text};
use super::gate::Peer;
use super::leases::Registrations;
use super::parameters::Parameters;
use crate::live::{Refused, Who};
use crate::registry::Status;
use call::Call;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::{Body, Bytes};
use serde_json::Value;
use std::error::Error;
use std::time::Duration;

/// Whether a path is one of Consul's.
pub(super) fn is_ours(path: &str) -> bool {
    Call::of(path).is_some()
}

/// Answers it.
pub(super) async fn answer<B>(request: Request<B>, state: &AdminState, peer: Peer) -> Response<Full<Bytes>>
where
    B: Body,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let (Some(call), Some(registrations)) = (Call::of(request.uri().path()), state.registrations.get()) else {
        return text(StatusCode::NOT_FOUND, "there is no such page");
    };
    let parameters = Parameters::read(request.uri().query().unwrap_or_default());
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    if call.is_read() != is_read || (!is_read && request.method() != Method::PUT) {
        return text(StatusCode::METHOD_NOT_ALLOWED, if call.is_read() { "send GET" } else { "send PUT" });
    }
    if is_read {
        return show(&call, &parameters, registrations).await;
    }
    let gate = state.gate.load_full();
    let fields = request.headers().clone();
    let who = match gate.who_else(secret(&fields, &parameters), &fields, peer) {
        Ok(who) => who,
        Err(barred) => return barred.response(),
    };
    let content = match content_of(request).await {
        Ok(content) => content,
        Err(refused) => return refused.response(),
    };
    match change(call, &content, &parameters, registrations, who, peer) {
        Ok(version) => {
            registrations.registry.applied(version).await;
            text(StatusCode::OK, "")
        }
        Err(refused) => refused.response(),
    }
}

/// By a field of Consul's own, as RFC 6750 has it, or in the query as older clients send it.
fn secret<'a>(fields: &'a HeaderMap, parameters: &'a Parameters) -> Option<&'a [u8]> {
    let own = fields.get("x-consul-token").map(HeaderValue::as_bytes).filter(|secret| !secret.is_empty());
    own.or_else(|| parameters.get("token").map(str::as_bytes))
}

/// Gives what is to be waited for.
fn change(
    call: Call,
    content: &[u8],
    parameters: &Parameters,
    registrations: &Registrations,
    who: Who<'_>,
    peer: Peer,
) -> Result<u64, No> {
    let (registry, now) = (&registrations.registry, registrations.now());
    let note = parameters.get("note").unwrap_or_default();
    let changed = match call {
        Call::Register => {
            let mut service = read::service(content, peer != Peer::Far, now).map_err(No::bad)?;
            service.by = who.name().into();
            registry.serve(service, who, now)
        }
        Call::Deregister(id) => registry.withdraw(&id, who, now),
        Call::Maintain(id) => match parameters.get("enable") {
            Some("true" | "True") => registry.maintain(&id, true, who, now),
            Some("false" | "False") => registry.maintain(&id, false, who, now),
            _ => return Err(No::bad("enable: true or false")),
        },
        Call::AddCheck => {
            let (service, check) = read::lone_check(content, now).map_err(No::bad)?;
            registry.add_check(&service, check, who, now)
        }
        Call::RemoveCheck(id) => registry.remove_check(&id, who, now),
        Call::Says(status, id) => registry.says(&id, status, note, who, now),
        Call::Update(id) => {
            let (status, note) = read::update(content).map_err(No::bad)?;
            registry.says(&id, status, &note, who, now)
        }
        _ => Err(Refused::NoService),
    };
    Ok(changed?)
}

/// With `index`, waits for a change first; while too many wait, not, and the connection ends.
async fn show(call: &Call, parameters: &Parameters, registrations: &Registrations) -> Response<Full<Bytes>> {
    let has_waited = waits(parameters, registrations).await;
    let (services, version) = registrations.registry.services(registrations.now());
    let content = match call {
        Call::Services => Some(show::services(&services)),
        Call::Service(id) => services.iter().find(|look| look.service.id == *id).map(show::service),
        Call::Checks => Some(show::checks(&services)),
        Call::Health(name) => {
            let status =
                |look: &crate::live::ServiceLook| !parameters.has("passing") || look.status() == Status::Passing;
            let of_pool = services.iter().filter(|look| look.service.pool == *name && status(look));
            Some(Value::Array(of_pool.map(show::health).collect()))
        }
        Call::Catalog(name) => {
            let of_pool = services.iter().filter(|look| look.service.pool == *name);
            Some(Value::Array(of_pool.map(show::catalog).collect()))
        }
        Call::Names => Some(show::names(&services)),
        Call::Me => Some(show::me()),
        Call::Leader => Some(Value::from("127.0.0.1:8300")),
        _ => None,
    };
    let mut response = match content {
        Some(content) => json(StatusCode::OK, &content),
        None => text(StatusCode::NOT_FOUND, "there is no such service"),
    };
    let index = version.saturating_add(FIRST_INDEX);
    response.headers_mut().insert("x-consul-index", HeaderValue::from(index));
    if !has_waited {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// Waits for what is to be waited for; whether there was room for that.
async fn waits(parameters: &Parameters, registrations: &Registrations) -> bool {
    let Some(index) = parameters.get("index").and_then(|index| index.parse::<u64>().ok()) else { return true };
    let Ok(_place) = registrations.waiting.try_acquire() else { return false };
    let wait = parameters.get("wait").and_then(read::duration).unwrap_or(WAIT_MAX);
    registrations.registry.changed_since(index.saturating_sub(FIRST_INDEX), wait.min(WAIT_MAX)).await;
    true
}

/// An index is never 0.
const FIRST_INDEX: u64 = 1;

/// How long an answer may wait for a change: less than a connection may take to end.
const WAIT_MAX: Duration = Duration::from_secs(8);
