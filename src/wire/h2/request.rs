//! The request's way to a backend.

use super::fields;
use super::send::Sender;
use super::upstream::Attempt;
use crate::exchange::{Broken, Chunk, Request, Sink};
use crate::http::{FieldName, Fields, Length, Method, RequestHead, Scheme, Target};
use ::h2::SendStream;
use ::h2::client::SendRequest;
use ::h2::ext::Protocol;
use ::http::uri::{Authority, Parts, PathAndQuery};
use ::http::{HeaderValue, Uri};
use bytes::Bytes;
use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;

/// The request's way.
#[derive(Debug)]
pub struct BackendRequest {
    send: SendRequest<Bytes>,
    scheme: Scheme,
    attempt: Rc<Attempt>,
    head: Option<::http::Request<()>>,
    stream: Option<RefCell<SendStream<Bytes>>>,
    sender: Sender,
    /// It asks for a tunnel: that nothing follows the head is not the end.
    opens_tunnel: bool,
    /// END_STREAM was sent.
    ended: bool,
}

impl BackendRequest {
    pub(super) fn new(send: SendRequest<Bytes>, scheme: Scheme, attempt: Rc<Attempt>) -> Self {
        let sender = Sender::new(Length::None);
        BackendRequest { send, scheme, attempt, head: None, stream: None, sender, opens_tunnel: false, ended: false }
    }

    /// Sends the head that was kept back, if any.
    fn send_head(&mut self, end: bool) -> Result<(), Broken> {
        let Some(head) = self.head.take() else { return Ok(()) };
        match self.send.send_request(head, end) {
            Ok((response, stream)) => {
                self.attempt.sent(response);
                self.stream = Some(RefCell::new(stream));
                self.ended = end;
                Ok(())
            }
            Err(error) => {
                let broken = self.attempt.failed(error);
                self.attempt.unprocessed.set(true);
                Err(broken)
            }
        }
    }

    /// RFC 8441 §4: only to a backend whose settings allow it.
    async fn check_websocket(&self) -> Result<(), Broken> {
        poll_fn(|cx| self.attempt.connection.poll_settled(cx)).await;
        if self.send.is_extended_connect_protocol_enabled() {
            return Ok(());
        }
        self.attempt.unprocessed.set(true);
        Err(Broken::Malformed("no extended connect"))
    }
}

const NO_HEAD: Broken = Broken::Malformed("content_before_head");

impl Sink for BackendRequest {
    async fn data(&mut self, chunk: Chunk<'_>, _more: bool) -> Result<(), Broken> {
        self.send_head(false)?;
        self.sender.chunk(self.stream.as_ref().ok_or(NO_HEAD)?, chunk).await
    }

    async fn flush(&mut self) -> Result<(), Broken> {
        let end = self.sender.nothing_follows() && !self.opens_tunnel;
        self.send_head(end)?;
        self.sender.flush(self.stream.as_ref().ok_or(NO_HEAD)?).await
    }

    async fn end(&mut self, trailers: Option<&Fields>) -> Result<(), Broken> {
        if self.opens_tunnel && !self.attempt.tunnel.get() {
            return self.send_head(false);
        }
        // A head alone is one frame.
        let end = trailers.is_none_or(Fields::is_empty) && self.sender.may_end();
        self.send_head(end)?;
        if self.ended {
            return Ok(());
        }
        self.ended = true;
        self.sender.end(self.stream.as_ref().ok_or(NO_HEAD)?, trailers).await
    }
}

impl Request for BackendRequest {
    async fn head(&mut self, head: &RequestHead, length: Length) -> Result<(), Broken> {
        let websocket = !head.protocol.is_empty();
        if websocket {
            self.check_websocket().await?;
            *self.attempt.websocket.borrow_mut() =
                Some(head.fields.get(FieldName::SecWebSocketKey).unwrap_or_default().to_vec());
        }
        self.opens_tunnel = websocket || head.method == Method::Connect;
        self.sender = Sender::new(if self.opens_tunnel { Length::Tunnel } else { length });
        self.head = Some(request(head, length, self.scheme)?);
        Ok(())
    }
}

/// A head as h2 takes it.
fn request(head: &RequestHead, length: Length, scheme: Scheme) -> Result<::http::Request<()>, Broken> {
    let websocket = !head.protocol.is_empty();
    let mut map = fields::to_map(&head.fields, 2, |name| match name {
        FieldName::ContentLength => false,
        FieldName::SecWebSocketKey => !websocket, // RFC 8441 §5
        _ => true,
    });
    if fields::takes_trailers(&head.fields) {
        map.insert(::http::header::TE, HeaderValue::from_static("trailers"));
    }
    if let Length::Known(n) = length {
        map.insert(::http::header::CONTENT_LENGTH, HeaderValue::from(n));
    }
    let mut request = ::http::Request::new(());
    if websocket {
        *request.method_mut() = ::http::Method::CONNECT;
        let protocol = std::str::from_utf8(&head.protocol).map_err(|_| Broken::Malformed("protocol"))?;
        request.extensions_mut().insert(Protocol::from(protocol));
    } else {
        *request.method_mut() =
            ::http::Method::from_bytes(head.method.as_str().as_bytes()).map_err(|_| Broken::Malformed("method"))?;
    }
    *request.uri_mut() = uri(head, scheme)?;
    *request.headers_mut() = map;
    Ok(request)
}

fn uri(head: &RequestHead, scheme: Scheme) -> Result<Uri, Broken> {
    let bad = |_| Broken::Malformed("authority");
    let mut parts = Parts::default();
    // HTTP/1.0 may name no host: then there is no `:authority` (RFC 9113 §8.3.1), and h2 says the scheme itself.
    if !head.authority.is_empty() {
        parts.authority = Some(Authority::try_from(head.authority.as_slice()).map_err(bad)?);
    }
    if head.form != Target::Authority {
        let target = Bytes::copy_from_slice(&head.target);
        let target = PathAndQuery::from_maybe_shared(target).map_err(|_| Broken::Malformed("target"))?;
        parts.path_and_query = Some(target);
        parts.scheme = parts.authority.as_ref().map(|_| match scheme {
            Scheme::Http => ::http::uri::Scheme::HTTP,
            Scheme::Https => ::http::uri::Scheme::HTTPS,
        });
    }
    Uri::from_parts(parts).map_err(|_| Broken::Malformed("target"))
}
