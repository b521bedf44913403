//! Errors to responses: the one place that names their status codes.

use super::{Broken, Exceeded, Reply};
use crate::clock::Clock;
use crate::config::Route;
use crate::http::{FieldName, Fields, Method, ResponseHead, page, page_that_says, preferred};
use crate::limit::whole_seconds;
use crate::live::LiveLimit;
use crate::telemetry::metrics::RefusalReason;
use crate::wire::h1::parse::Bad;
use std::time::Duration;

/// We decline, or could not do, what was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The head broke a rule.
    Head(Bad),
    /// The head did not come in time.
    HeadTimeout,
    /// The content broke a rule.
    Body(&'static str),
    /// The content did not come in time.
    BodyTimeout,
    /// The content is longer than the route allows.
    BodyTooLarge,
    /// Connection names too many fields.
    ConnectionOptions,
    /// Backends would disagree on where the path leads ([`crate::http::path::is_ambiguous`]).
    Path,
    /// No route matches.
    NoRoute,
    /// TRACE or CONNECT, which no route allows.
    Method,
    /// An expectation other than 100-continue (RFC 9110 §10.1.1).
    Expectation,
    /// The request came through here too often ([`crate::http::times_in_via`]).
    Loop,
    /// The route does not let in who is where this client is.
    Forbidden,
    /// The client is to say who it is; or what it said is `wrong`.
    Unauthenticated {
        /// It said something.
        wrong: bool,
    },
    /// Too many wait already to be let in.
    AccessBusy,
    /// Whether the client may be let in cannot be known now.
    AccessUnknown,
    /// The route is in maintenance.
    Maintenance,
    /// The visitor has to wait for his turn.
    Waiting,
    /// Too many wait already.
    WaitingRoomFull,
    /// A limit of the route is used up.
    Limit(Exceeded),
    /// The client wants what is stored, and nothing is (RFC 9111 §5.2.1.7).
    OnlyIfCached,
    /// No backend may be used.
    NoBackend,
    /// The pool has none: nobody is registered, or no name stands for one.
    PoolEmpty,
    /// Too many wait for a backend already.
    QueueFull,
    /// Somebody of a higher priority has the place in the queue.
    Displaced,
    /// No backend had room in time.
    QueueTimeout,
    /// The pool is given a rest.
    Breaker,
    /// There is no memory for it.
    Memory,
    /// No backend could be connected to.
    ConnectFailed,
    /// The backend ended before its response did.
    BackendClosed,
    /// The backend's response breaks a rule.
    BackendProtocol(&'static str),
    /// The backend did not answer in time.
    BackendTimeout,
}

impl Refusal {
    /// Its status code.
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            Refusal::Head(Bad::TooLarge | Bad::TooManyFields) => 431,
            Refusal::Head(Bad::VersionUnsupported) => 505,
            Refusal::Head(Bad::TransferCodingUnknown) => 501, // RFC 9112 §6.1
            Refusal::Head(_) | Refusal::Body(_) | Refusal::ConnectionOptions | Refusal::Path => 400,
            Refusal::HeadTimeout | Refusal::BodyTimeout => 408,
            Refusal::BodyTooLarge => 413,
            Refusal::Unauthenticated { .. } => 401,
            Refusal::Forbidden => 403,
            Refusal::NoRoute => 404,
            Refusal::Method => 405,
            Refusal::Expectation => 417,
            Refusal::Loop => 508,
            Refusal::Limit(_) => 429,
            Refusal::Maintenance | Refusal::NoBackend | Refusal::AccessBusy | Refusal::AccessUnknown => 503,
            Refusal::PoolEmpty | Refusal::QueueFull | Refusal::Displaced => 503,
            Refusal::QueueTimeout | Refusal::Breaker | Refusal::Memory => 503,
            Refusal::Waiting | Refusal::WaitingRoomFull => 503,
            Refusal::ConnectFailed | Refusal::BackendClosed | Refusal::BackendProtocol(_) => 502,
            Refusal::BackendTimeout | Refusal::OnlyIfCached => 504,
        }
    }

    /// Whether it is no fault of the client's.
    #[must_use]
    pub fn is_ours(self) -> bool {
        self.status() >= 500
    }

    /// Its label in metrics; `None` for what is counted as a protocol error.
    #[must_use]
    pub fn reason(self) -> Option<RefusalReason> {
        Some(match self {
            Refusal::Head(_) | Refusal::HeadTimeout | Refusal::Body(_) => return None,
            Refusal::BodyTimeout | Refusal::ConnectionOptions => return None,
            Refusal::BodyTooLarge => RefusalReason::BodyTooLarge,
            Refusal::Path => RefusalReason::Path,
            Refusal::NoRoute => RefusalReason::NoRoute,
            Refusal::Method => RefusalReason::Method,
            Refusal::Expectation => RefusalReason::Expectation,
            Refusal::Loop => RefusalReason::Loop,
            Refusal::Forbidden | Refusal::Unauthenticated { .. } => RefusalReason::Access,
            Refusal::AccessBusy | Refusal::AccessUnknown => RefusalReason::AccessUnknown,
            Refusal::Limit(_) => RefusalReason::Limit,
            Refusal::Waiting => RefusalReason::Waiting,
            Refusal::WaitingRoomFull => RefusalReason::WaitingRoomFull,
            Refusal::OnlyIfCached => RefusalReason::OnlyIfCached,
            Refusal::Maintenance => RefusalReason::Maintenance,
            Refusal::NoBackend => RefusalReason::NoBackend,
            Refusal::PoolEmpty => RefusalReason::PoolEmpty,
            Refusal::QueueFull | Refusal::Displaced | Refusal::QueueTimeout => RefusalReason::Queue,
            Refusal::Breaker => RefusalReason::Breaker,
            Refusal::Memory => RefusalReason::Memory,
            Refusal::ConnectFailed => RefusalReason::ConnectFailed,
            Refusal::BackendClosed => RefusalReason::BackendClosed,
            Refusal::BackendProtocol(_) => RefusalReason::BackendProtocol,
            Refusal::BackendTimeout => RefusalReason::BackendTimeout,
        })
    }

    /// What a failed attempt becomes.
    #[must_use]
    pub fn of_backend(broken: &Broken) -> Refusal {
        match broken {
            Broken::Malformed(rule) => Refusal::BackendProtocol(rule),
            Broken::Closed | Broken::Io(_) => Refusal::BackendClosed,
        }
    }

    /// After how long asking again makes sense (RFC 9110 §10.2.3).
    fn retry_after(self) -> Option<u64> {
        match self {
            Refusal::Maintenance | Refusal::WaitingRoomFull => Some(60),
            Refusal::AccessBusy | Refusal::AccessUnknown => Some(1),
            Refusal::NoBackend | Refusal::PoolEmpty | Refusal::Breaker | Refusal::Memory => Some(1),
            Refusal::QueueFull | Refusal::Displaced | Refusal::QueueTimeout => Some(1),
            Refusal::Limit(exceeded) => Some(whole_seconds(exceeded.wait)),
            _ => None,
        }
    }
}

/// The question that a refusal answers.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    /// Its method: HEAD gets no content.
    pub(super) method: &'a Method,
    /// Its fields, for Accept.
    pub(super) fields: &'a Fields,
    /// Its route, for error pages.
    pub(super) route: Option<&'a Route>,
    /// By what it may say who it is, where that is asked for.
    pub(super) challenge: Option<&'a str>,
    /// All limits that there are.
    pub(super) limits: &'a [LiveLimit],
    /// Its id, shown in the page.
    pub(super) request_id: &'a str,
}

/// Sends a refusal; at most for `limit`, as its reader may be the reason for it.
pub(super) async fn refuse<R: Reply>(
    refusal: Refusal,
    asked: Asked<'_>,
    clock: &Clock,
    limit: Duration,
    head: &mut ResponseHead,
    reply: &mut R,
) -> Result<u64, Broken> {
    let (content_type, content) = content(refusal, asked);
    begin(refusal, &content_type, asked.request_id, clock, head);
    if let Some(seconds) = refusal.retry_after() {
        head.fields.push_known(FieldName::RetryAfter, seconds.to_string().as_bytes());
        if let Refusal::Limit(exceeded) = refusal {
            exceeded.push(asked.limits, seconds, &mut head.fields);
        }
    }
    if let Some(challenge) = asked.challenge {
        head.fields.push(b"www-authenticate", challenge.as_bytes()); // RFC 9110 §15.5.2
    }
    if refusal == Refusal::Method {
        head.fields.push(b"allow", super::answer::ALLOW); // RFC 9110 §15.5.6
    }
    let patience = reply.patience(limit);
    let send = super::answer::send(head, &content, *asked.method == Method::Head, reply);
    clock.within(patience, send).await.unwrap_or(Err(Broken::Closed))
}

/// Fills `head` with what all refusals say.
pub(super) fn begin(refusal: Refusal, content_type: &str, request_id: &str, clock: &Clock, head: &mut ResponseHead) {
    head.clear();
    head.status = refusal.status();
    head.fields.push_known(FieldName::Server, b"weir");
    clock.date().with(|date| head.fields.push_known(FieldName::Date, date));
    head.fields.push_known(FieldName::ContentType, content_type.as_bytes());
    head.fields.push_known(FieldName::CacheControl, b"no-store");
    head.fields.push_known(FieldName::XRequestId, request_id.as_bytes());
}

fn content(refusal: Refusal, asked: Asked<'_>) -> (String, Vec<u8>) {
    let status = refusal.status();
    let own = asked.route.and_then(|route| route.errors.iter().find(|page| page.status == status));
    match own {
        Some(page) => (page.content_type.clone(), page.body.clone()),
        None => {
            let kind = preferred(asked.fields);
            let (content_type, body) = match refusal {
                Refusal::PoolEmpty => page_that_says(POOL_EMPTY, kind, status, asked.request_id),
                _ => page(kind, status, asked.request_id),
            };
            (content_type.to_owned(), body)
        }
    }
}

const POOL_EMPTY: &str = "No server is there for this yet; please try again later.";

/// Sends what answers a head that is no request: nothing of it can be trusted, so it gets the plain page.
///
/// # Errors
/// The client takes nothing.
pub async fn refuse_head<R: Reply>(
    refusal: Refusal,
    clock: &Clock,
    limit: Duration,
    head: &mut ResponseHead,
    reply: &mut R,
) -> Result<u64, Broken> {
    let asked = Asked {
        method: &Method::Get,
        fields: &Fields::default(),
        route: None,
        challenge: None,
        limits: &[],
        request_id: "-",
    };
    refuse(refusal, asked, clock, limit, head, reply).await
}
