//! The response's way from a backend.

use super::fields;
use super::receive::Receiver;
use super::upstream::Attempt;
use crate::exchange::{Broken, Piece, Response, Source};
use crate::http::{FieldName, Length, Method, ResponseHead, Version};
use crate::wire::websocket;
use ::h2::RecvStream;
use ::http::HeaderMap;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

/// 1xx responses before a final one.
const INTERIM_MAX: u32 = 16;

/// Fields of a head.
const FIELDS_MAX: usize = 256;

/// The response's way.
#[derive(Debug)]
pub struct BackendResponse {
    method: Method,
    attempt: Rc<Attempt>,
    receiver: Option<Receiver>,
    length: Length,
    interims: u32,
}

/// A head that came.
enum Came {
    Interim(::http::Response<()>),
    Final(::http::Response<RecvStream>),
}

impl BackendResponse {
    pub(super) fn new(method: Method, attempt: Rc<Attempt>) -> Self {
        BackendResponse { method, attempt, receiver: None, length: Length::None, interims: 0 }
    }

    fn poll_head(&self, cx: &mut Context<'_>) -> Poll<Result<Came, ::h2::Error>> {
        self.attempt.poll_response(cx, |response, cx| {
            if let Some(interim) = ready!(response.poll_informational(cx)) {
                return Poll::Ready(interim.map(Came::Interim));
            }
            Pin::new(response).poll(cx).map_ok(Came::Final)
        })
    }

    fn interim(&mut self, response: &::http::Response<()>, head: &mut ResponseHead) -> Result<(), Broken> {
        self.interims += 1;
        if self.interims > INTERIM_MAX {
            return Err(Broken::Malformed("interim_flood"));
        }
        if response.status() == ::http::StatusCode::SWITCHING_PROTOCOLS {
            return Err(Broken::Malformed("status_101")); // RFC 9113 §8.6
        }
        read(response.status(), response.headers(), head)
    }

    fn finally(&mut self, response: ::http::Response<RecvStream>, head: &mut ResponseHead) -> Result<(), Broken> {
        let (parts, stream) = response.into_parts();
        read(parts.status, &parts.headers, head)?;
        let ended = stream.is_end_stream();
        self.receiver = Some(Receiver::new(stream));
        self.length = self.resolve(head, ended)?;
        Ok(())
    }

    fn resolve(&self, head: &mut ResponseHead, ended: bool) -> Result<Length, Broken> {
        let said = fields::content_length(&head.fields).map_err(Broken::Malformed)?;
        if let Some(key) = self.attempt.websocket.take()
            && (200..300).contains(&head.status)
        {
            upgraded(&key, head);
            self.attempt.tunnel.set(true);
            return Ok(Length::Tunnel);
        }
        if self.method == Method::Connect && (200..300).contains(&head.status) {
            self.attempt.tunnel.set(true);
            return Ok(Length::Tunnel);
        }
        let bodyless = self.method == Method::Head || head.status == 204 || head.status == 304;
        Ok(match said {
            _ if bodyless => Length::None,
            Some(n) => Length::Known(n),
            None if ended => Length::Known(0),
            None => Length::Unknown,
        })
    }
}

/// RFC 8441 §5: a 2xx is what 101 is in HTTP/1.1, where the client wants a proof that its key was read.
fn upgraded(key: &[u8], head: &mut ResponseHead) {
    head.status = 101;
    head.fields.remove(FieldName::ContentLength);
    head.fields.push_known(FieldName::Upgrade, b"websocket");
    if !key.is_empty() {
        head.fields.set(FieldName::SecWebSocketAccept, websocket::accept(key).as_bytes());
    }
}

fn read(status: ::http::StatusCode, map: &HeaderMap, head: &mut ResponseHead) -> Result<(), Broken> {
    head.clear();
    if map.len() > FIELDS_MAX {
        return Err(Broken::Malformed("too_many_fields"));
    }
    head.status = status.as_u16();
    head.version = Version::Http2;
    fields::from_map(map, &mut head.fields).map_err(Broken::Malformed)
}

impl Source for BackendResponse {
    fn length(&self) -> Length {
        self.length
    }

    async fn next(&mut self) -> Result<Piece<'_>, Broken> {
        match &mut self.receiver {
            Some(receiver) if self.length != Length::None => receiver.next().await,
            // RFC 9110 §6.4.1: what comes there is no content.
            _ => Ok(Piece::End(None)),
        }
    }
}

impl Response for BackendResponse {
    async fn head(&mut self, head: &mut ResponseHead) -> Result<(), Broken> {
        let came = poll_fn(|cx| self.poll_head(cx)).await.map_err(|error| self.attempt.failed(error))?;
        self.attempt.heard.set(true);
        match came {
            Came::Interim(response) => self.interim(&response, head),
            Came::Final(response) => self.finally(response, head),
        }
    }
}
