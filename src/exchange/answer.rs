//! Responses that Weir gives by itself.

use super::{Broken, Chunk, Reply};
use crate::clock::Clock;
use crate::config::Action;
use crate::http::{FieldName, Length, Method, RequestHead, ResponseHead};
use crate::route::redirect_location;

/// Sends a whole response; the bytes of content sent.
pub(super) async fn send<R: Reply>(
    head: &mut ResponseHead,
    content: &[u8],
    to_head: bool,
    reply: &mut R,
) -> Result<u64, Broken> {
    if to_head || content.is_empty() {
        if !matches!(head.status, 204 | 304) {
            head.fields.set(FieldName::ContentLength, content.len().to_string().as_bytes());
        }
        reply.head(head, Length::None).await?;
        reply.end(None).await?;
        return Ok(0);
    }
    reply.head(head, Length::Known(content.len() as u64)).await?;
    reply.data(Chunk::Lent(content), false).await?;
    reply.end(None).await?;
    Ok(content.len() as u64)
}

/// Fills `head` with the answer of a route that needs no backend, and gives its content.
pub(super) fn fixed<'a>(action: &'a Action, asked: &RequestHead, clock: &Clock, head: &mut ResponseHead) -> &'a [u8] {
    head.clear();
    head.fields.push_known(FieldName::Server, b"weir");
    clock.date().with(|date| head.fields.push_known(FieldName::Date, date));
    match action {
        Action::Redirect { to, status } => {
            head.status = *status;
            head.fields.push_known(FieldName::Location, &redirect_location(to, asked));
            b""
        }
        Action::Respond { status, content_type, body } => {
            head.status = *status;
            if !body.is_empty() {
                head.fields.push_known(FieldName::ContentType, content_type.as_bytes());
            }
            body.as_bytes()
        }
        Action::Pool(_) | Action::Split(_) | Action::ReadWrite { .. } => b"",
    }
}

/// Fills `head` with the answer to an OPTIONS that ends here (RFC 9110 §9.3.7); it has no content.
pub(super) fn options(clock: &Clock, head: &mut ResponseHead) {
    head.clear();
    head.status = 200;
    head.fields.push_known(FieldName::Server, b"weir");
    clock.date().with(|date| head.fields.push_known(FieldName::Date, date));
    head.fields.push(b"allow", ALLOW);
}

/// The methods that are served wherever a route says nothing of methods.
pub(super) const ALLOW: &[u8] = b"GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH";

/// Whether a method's response has no content (RFC 9110 §9.3.2).
pub(super) fn is_head(method: &Method) -> bool {
    *method == Method::Head
}
