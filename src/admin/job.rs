//! `/v1/reload` and `/v1/upgrade`: what changes the process is asked of the thread that owns it.

use super::answer::Page;
use super::gate::Peer;
use super::{AdminState, Drain};
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Bytes;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

/// What an operator may ask of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Job {
    /// Read the configuration again, and apply it.
    Reload,
    /// Start the binary anew, and hand over to it.
    Upgrade,
}

/// A job, and where its outcome is waited for.
#[derive(Debug)]
pub struct Ask {
    /// What to do.
    pub job: Job,
    /// Told when it is done; nobody may listen any more.
    pub answer: oneshot::Sender<Verdict>,
}

/// How a job ended.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// It is done; what a successful answer says of it.
    Done(serde_json::Value),
    /// It cannot be done now.
    NotNow(&'static str),
    /// It failed, and nothing has changed: the text for an operator, and errors of the configuration one by one.
    Failed(String, Option<serde_json::Value>),
}

/// Jobs that wait for the thread that does them.
pub const ASKS_MAX: usize = 16;

impl Job {
    pub(super) fn of(path: &str) -> Option<Job> {
        match path {
            "/v1/reload" => Some(Job::Reload),
            "/v1/upgrade" => Some(Job::Upgrade),
            _ => None,
        }
    }
}

/// Asks for `job`, if whoever sent the request may.
pub(super) async fn ask<B>(job: Job, request: &Request<B>, state: &AdminState, peer: Peer) -> Response<Full<Bytes>> {
    if let Some(refused) = refused(request, state, peer) {
        return refused;
    }
    let (status, content) = match asked(job, &state.asks).await {
        Verdict::Done(content) => (StatusCode::OK, content),
        Verdict::NotNow(why) => (StatusCode::CONFLICT, serde_json::json!({ "applied": false, "error": why })),
        Verdict::Failed(text, errors) => {
            let mut content = serde_json::json!({ "applied": false, "error": text });
            if let Some(errors) = errors {
                content["errors"] = errors;
            }
            (StatusCode::UNPROCESSABLE_ENTITY, content)
        }
    };
    said(status, &content)
}

/// Takes a backend out, or back, if whoever sent the request may.
pub(super) fn drain<B>(wanted: &Drain, request: &Request<B>, state: &AdminState, peer: Peer) -> Response<Full<Bytes>> {
    if let Some(refused) = refused(request, state, peer) {
        return refused;
    }
    match state.drain(wanted) {
        true => said(StatusCode::OK, &serde_json::json!({ "applied": true })),
        false => {
            let error = format!("pool {:?} has no backend {:?}: `weir status` lists them", wanted.pool, wanted.backend);
            said(StatusCode::NOT_FOUND, &serde_json::json!({ "applied": false, "error": error }))
        }
    }
}

/// What whoever may not change anything gets.
pub(super) fn refused<B>(request: &Request<B>, state: &AdminState, peer: Peer) -> Option<Response<Full<Bytes>>> {
    if request.method() != Method::POST {
        // RFC 9110 §15.5.6: a 405 says what is allowed.
        let mut refused = Page::text(StatusCode::METHOD_NOT_ALLOWED, "send POST\n").response();
        refused.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
        return Some(refused);
    }
    state.gate.load().may_change(request.headers(), peer).err().map(|barred| barred.response())
}

async fn asked(job: Job, asks: &mpsc::Sender<Ask>) -> Verdict {
    let (answer, verdict) = oneshot::channel();
    if asks.try_send(Ask { job, answer }).is_err() {
        return Verdict::NotNow("too much is asked at once, or the process ends");
    }
    match timeout(VERDICT_WAIT, verdict).await {
        Ok(Ok(verdict)) => verdict,
        Ok(Err(_)) => Verdict::NotNow("the process ends"),
        Err(_) => Verdict::NotNow("it is still under way: the log will say how it ended"),
    }
}

pub(super) fn said(status: StatusCode, content: &serde_json::Value) -> Response<Full<Bytes>> {
    Page { status, content_type: "application/json", content: format!("{content:#}\n").into() }.response()
}

/// Less than a connection may last. An upgrade may be allowed to take longer than that; then the log says how it ended.
const VERDICT_WAIT: Duration = Duration::from_secs(50);
