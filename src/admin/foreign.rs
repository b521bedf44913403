//! What the interfaces of other registries share.

use super::answer::Page;
use super::leases::REGISTRATION_BYTES_MAX;
use crate::live::Refused;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Body, Bytes};
use serde_json::Value;
use std::error::Error;

/// With which status somebody is refused, and why.
#[derive(Debug)]
pub(super) struct No(pub(super) StatusCode, pub(super) String);

impl No {
    /// What he asks cannot be read.
    pub(super) fn bad(why: impl Into<String>) -> No {
        No(StatusCode::BAD_REQUEST, why.into())
    }

    pub(super) fn response(&self) -> Response<Full<Bytes>> {
        text(self.0, &self.1)
    }
}

impl From<Refused> for No {
    fn from(refused: Refused) -> No {
        No(refusal_status(refused), refused.to_string())
    }
}

/// The content of a request, or what it is refused with.
pub(super) async fn content_of<B>(request: Request<B>) -> Result<Bytes, No>
where
    B: Body,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let content = Limited::new(request.into_body(), REGISTRATION_BYTES_MAX).collect().await;
    let bad = |why| No(StatusCode::PAYLOAD_TOO_LARGE, format!("the content cannot be read: {why}"));
    content.map(|content| content.to_bytes()).map_err(bad)
}

/// With which status somebody is refused.
pub(super) fn refusal_status(refused: Refused) -> StatusCode {
    match refused {
        Refused::NoPool | Refused::NoLease | Refused::NoService | Refused::NoCheck => StatusCode::NOT_FOUND,
        Refused::Closed | Refused::NotYours | Refused::Outside | Refused::Own => StatusCode::FORBIDDEN,
        Refused::Configured | Refused::Leaves | Refused::CheckTaken | Refused::TooManyChecks => StatusCode::CONFLICT,
        Refused::TooLong => StatusCode::BAD_REQUEST,
        Refused::Full => StatusCode::SERVICE_UNAVAILABLE,
    }
}

pub(super) fn text(status: StatusCode, text: &str) -> Response<Full<Bytes>> {
    let content = Bytes::copy_from_slice(text.as_bytes());
    Page { status, content_type: "text/plain; charset=utf-8", content }.response()
}

/// On one line, as their clients compare some answers byte by byte.
pub(super) fn json(status: StatusCode, content: &Value) -> Response<Full<Bytes>> {
    Page { status, content_type: "application/json", content: content.to_string().into() }.response()
}
