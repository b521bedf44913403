//! The parts of the open API of Nacos 1.x by which instances register and find each other: `/nacos/v1/ns/instance`, `…/beat`,
//! `…/list`, and the login. A service's name, without its group, is that of a pool; a cluster is a zone.
//!
//! Source: Nacos' documentation of its open API, what its server 1.4 makes of it, and what nacos-sdk-python sends.

mod read;
mod show;

use super::AdminState;
use super::foreign::{No, content_of, json, text};
use super::gate::{Gate, Peer};
use super::leases::Registrations;
use super::parameters::Parameters;
use crate::live::{Refused, Who};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::{Body, Bytes};
use read::{Beat, Instance, Service};
use std::error::Error;

/// Whether a path is one of Nacos'.
pub(super) fn is_ours(path: &str) -> bool {
    [INSTANCE, BEAT, LIST, LOGIN, LOGIN_OLD].contains(&path)
}

/// Answers it. What is asked is in the query, or in a form.
pub(super) async fn answer<B>(request: Request<B>, state: &AdminState, peer: Peer) -> Response<Full<Bytes>>
where
    B: Body,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let Some(registrations) = state.registrations.get() else {
        return text(StatusCode::NOT_FOUND, "there is no such page");
    };
    let (method, fields, uri) = (request.method().clone(), request.headers().clone(), request.uri().clone());
    let content = match content_of(request).await {
        Ok(content) => content,
        Err(refused) => return refused.response(),
    };
    let query = Parameters::read(uri.query().unwrap_or_default());
    let parameters = query.and(Parameters::read(&String::from_utf8_lossy(&content)));
    let gate = state.gate.load_full();
    let secret = parameters.get("accessToken").map(str::as_bytes);
    // Whoever may not is told so as Nacos does it.
    let who =
        || gate.who_else(secret, &fields, peer).map_err(|barred| No(StatusCode::FORBIDDEN, barred.why().to_owned()));
    let answered = match (uri.path(), method) {
        (LOGIN | LOGIN_OLD, Method::POST) => login(&parameters, &gate),
        (LIST, Method::GET) => list(&parameters, registrations),
        (INSTANCE, Method::GET) => one(&parameters, registrations),
        (INSTANCE, Method::POST) => put(who, Instance::read(&parameters), registrations, false).await,
        (INSTANCE, Method::PUT) => put(who, Instance::read(&parameters), registrations, true).await,
        (INSTANCE, Method::DELETE) => delete(who, Instance::read(&parameters), registrations).await,
        (BEAT, Method::PUT) => beat(who, Beat::read(&parameters), registrations).await,
        _ => Err(No(StatusCode::METHOD_NOT_ALLOWED, "nothing is done by that method".into())),
    };
    answered.unwrap_or_else(|refused| refused.response())
}

type Answer = Result<Response<Full<Bytes>>, No>;

/// A user is a token, his password its secret, and so is what he gets to send from then on.
fn login(parameters: &Parameters, gate: &Gate) -> Answer {
    let (name, secret) = (parameters.get("username"), parameters.get("password"));
    let known = secret.and_then(|secret| Some((gate.holder(secret.as_bytes())?, secret)));
    match known {
        Some((token, secret)) if Some(token.name.as_str()) == name => Ok(json(StatusCode::OK, &show::login(secret))),
        _ => Err(No(StatusCode::FORBIDDEN, "unknown user!".into())),
    }
}

/// Registers, renews, or with `is_change` only if it is there.
async fn put<'g>(
    who: impl Fn() -> Result<Who<'g>, No>,
    instance: Result<Instance, String>,
    registrations: &Registrations,
    is_change: bool,
) -> Answer {
    let (who, instance) = (who()?, instance.map_err(No::bad)?);
    let (registry, now) = (&registrations.registry, registrations.now());
    let pool = &instance.service.pool;
    if is_change && !registry.stays(pool, instance.address) {
        return Err(Refused::NoLease.into());
    }
    let registered = registry.register(pool, instance.address, &instance.wish, who, now)?;
    registry.applied(registered.version).await;
    Ok(ok())
}

/// Renews an instance as it is: a beat changes nothing of it. One that is not there is registered, if the beat says all of it.
async fn beat<'g>(
    who: impl Fn() -> Result<Who<'g>, No>,
    beat: Result<Beat, String>,
    registrations: &Registrations,
) -> Answer {
    let (who, Beat { instance, says_all }) = (who()?, beat.map_err(No::bad)?);
    let (registry, now, pool) = (&registrations.registry, registrations.now(), &instance.service.pool);
    let registered = match registry.renew(pool, instance.address, who, now) {
        Err(Refused::NoLease) if says_all => registry.register(pool, instance.address, &instance.wish, who, now)?,
        // By that clients know that they are to register again.
        Err(Refused::NoLease) => return Ok(json(StatusCode::OK, &show::beat_of_none())),
        // They would here, too, and bring back what somebody takes out.
        Err(Refused::Leaves) => return Ok(json(StatusCode::OK, &show::beat_of_one_that_leaves())),
        renewed => renewed?,
    };
    registry.applied(registered.version).await;
    Ok(json(StatusCode::OK, &show::beat(registered.granted.ttl)))
}

/// It drains; nobody waits for that here.
async fn delete<'g>(
    who: impl Fn() -> Result<Who<'g>, No>,
    instance: Result<Instance, String>,
    registrations: &Registrations,
) -> Answer {
    let (who, instance) = (who()?, instance.map_err(No::bad)?);
    let registry = &registrations.registry;
    match registry.remove(&instance.service.pool, instance.address, who, registrations.now()) {
        Ok(version) => registry.applied(version).await,
        // As Nacos has it: that is what was wanted.
        Err(Refused::NoLease) => {}
        Err(refused) => return Err(refused.into()),
    }
    Ok(ok())
}

fn list(parameters: &Parameters, registrations: &Registrations) -> Answer {
    let service = Service::read(parameters).map_err(No::bad)?;
    let leases = match registrations.registry.look(&service.pool, registrations.now()) {
        Ok(leases) => leases,
        // As Nacos has it: nobody is there.
        Err(Refused::NoPool | Refused::Closed) => Vec::new(),
        Err(refused) => return Err(refused.into()),
    };
    let is_true = |name| parameters.get(name).is_some_and(|value| value.eq_ignore_ascii_case("true"));
    let clusters = parameters.get("clusters").unwrap_or_default();
    Ok(json(StatusCode::OK, &show::list(&service, &leases, clusters, is_true("healthyOnly"))))
}

fn one(parameters: &Parameters, registrations: &Registrations) -> Answer {
    let instance = Instance::read(parameters).map_err(No::bad)?;
    let leases = registrations.registry.look(&instance.service.pool, registrations.now())?;
    match leases.iter().find(|look| look.lease.address == instance.address) {
        Some(look) => Ok(json(StatusCode::OK, &show::instance(&instance.service, look))),
        None => Err(Refused::NoLease.into()),
    }
}

/// The whole of it, as clients compare it.
fn ok() -> Response<Full<Bytes>> {
    text(StatusCode::OK, "ok")
}

const INSTANCE: &str = "/nacos/v1/ns/instance";
const BEAT: &str = "/nacos/v1/ns/instance/beat";
const LIST: &str = "/nacos/v1/ns/instance/list";
const LOGIN: &str = "/nacos/v1/auth/login";
const LOGIN_OLD: &str = "/nacos/v1/auth/users/login";
