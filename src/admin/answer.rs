use super::gate::Peer;
use super::job::{Job, ask, drain};
use super::leases::Place;
use super::status::status;
use super::{AdminState, Drain, consul, demand, leases, nacos, purge, top};
use crate::config::Dialect;
use crate::telemetry::Exposition;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::{Body, Bytes};
use std::error::Error;

/// The response to a request.
pub(super) async fn answer<B>(request: Request<B>, state: &AdminState, peer: Peer) -> Response<Full<Bytes>>
where
    B: Body,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let path = request.uri().path();
    if let Some(pool) = demand::pool_of(path) {
        return demand::demand(&pool, &request, state);
    }
    match (Job::of(path), Drain::of(path), Place::of(path)) {
        (Some(job), ..) => ask(job, &request, state, peer).await,
        (None, Some(wanted), _) => drain(&wanted, &request, state, peer),
        (None, None, Some(place)) => leases::leases(place, request, state, peer).await,
        (None, None, None) if consul::is_ours(path) && state.gate.load().speaks(Dialect::Consul) => {
            consul::answer(request, state, peer).await
        }
        (None, None, None) if nacos::is_ours(path) && state.gate.load().speaks(Dialect::Nacos) => {
            nacos::answer(request, state, peer).await
        }
        (None, None, None) if path == purge::PATH => purge::purge(request, state, peer).await,
        (None, None, None) if path == top::PATH => top::top(&request, state, peer),
        (None, None, None) => page(&request, state),
    }
}

fn page<B>(request: &Request<B>, state: &AdminState) -> Response<Full<Bytes>> {
    let page = match request.uri().path() {
        "/" => Page::text(StatusCode::OK, INDEX),
        "/healthz" => Page::text(StatusCode::OK, "ok\n"),
        "/readyz" if state.is_ready() => Page::text(StatusCode::OK, "ready\n"),
        "/readyz" => Page::text(StatusCode::SERVICE_UNAVAILABLE, "not ready\n"),
        "/metrics" => metrics(request, state),
        "/v1/status" => Page {
            status: StatusCode::OK,
            content_type: "application/json",
            content: format!("{:#}\n", status(state)).into(),
        },
        _ => Page::text(StatusCode::NOT_FOUND, "there is no such page; / lists them\n"),
    };
    if page.status == StatusCode::NOT_FOUND || matches!(*request.method(), Method::GET | Method::HEAD) {
        return page.response();
    }
    Page::only_read()
}

fn metrics<B>(request: &Request<B>, state: &AdminState) -> Page {
    let accept = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let exposition = Exposition::for_accept(accept.unwrap_or_default());
    let mut text = String::new();
    state.metrics.render(exposition, &mut text);
    Page { status: StatusCode::OK, content_type: exposition.content_type(), content: text.into() }
}

pub(super) struct Page {
    pub(super) status: StatusCode,
    pub(super) content_type: &'static str,
    pub(super) content: Bytes,
}

impl Page {
    pub(super) fn text(status: StatusCode, text: &'static str) -> Page {
        Page { status, content_type: "text/plain; charset=utf-8", content: Bytes::from_static(text.as_bytes()) }
    }

    pub(super) fn only_read() -> Response<Full<Bytes>> {
        // RFC 9110 §15.5.6: a 405 says what is allowed.
        let mut refused = Page::text(StatusCode::METHOD_NOT_ALLOWED, "pages can only be read\n").response();
        refused.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        refused
    }

    pub(super) fn response(self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(self.content));
        *response.status_mut() = self.status;
        let mut set = |name: HeaderName, value| response.headers_mut().insert(name, HeaderValue::from_static(value));
        set(header::CONTENT_TYPE, self.content_type);
        set(header::CACHE_CONTROL, "no-store");
        set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
        response
    }
}

const INDEX: &str = "\
weir

/metrics   counters, as Prometheus text or OpenMetrics
/healthz   200 while the process lives
/readyz    200 while it takes traffic, 503 before and while it drains
/v1/status what is up, pool by pool, as JSON
/v1/pools/POOL/backends, .../ADDRESS   who is in a pool, how well, and for how long, as JSON
/v1/pools/POOL/demand   how many backends the pool needs, and by what, as JSON
/v1/cache/top?by=misses|bytes&n=20   the keys that cost a cache most, as JSON; for operators

PUT, DELETE, with authorization: Bearer SECRET of a token that the pool names, or of an operator:

/v1/pools/POOL/backends/ADDRESS   registers a backend, or renews that; takes it out, and waits until it is idle

POST, with content-type: application/json, and authorization: Bearer SECRET of an operator; or without, from this machine,
as long as no operator has a token:

/v1/reload    reads the configuration again and applies it, or says what is wrong with it
/v1/pools/POOL/backends/ADDRESS/drain, .../undrain   takes a backend out softly, and back
/v1/purge     takes a url, prefix, host, tag, or all, out of the cache, as the content says
/v1/upgrade   starts the binary anew and hands over to it, or says why not
";
