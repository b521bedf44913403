//! The response's way to a client.

use super::send::Sender;
use super::{broken, fields};
use crate::exchange::{Broken, Chunk, Reply, Sink};
use crate::http::{FieldName, Fields, Length, ResponseHead};
use ::h2::server::SendResponse;
use ::h2::{Reason, SendStream};
use ::http::{HeaderMap, HeaderValue, Response, StatusCode};
use bytes::Bytes;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Poll};

/// A stream's sending half: both halves of an exchange look at it.
#[derive(Debug)]
pub(super) struct Shared {
    way: RefCell<Way>,
    /// From now on the stream carries a tunnel's bytes.
    pub(super) tunnel: Cell<bool>,
    active: Rc<Cell<usize>>,
}

#[derive(Debug)]
enum Way {
    /// No final head was sent yet.
    Waiting(SendResponse<Bytes>),
    /// It was.
    Streaming(Rc<RefCell<SendStream<Bytes>>>),
}

impl Shared {
    /// `active` counts the exchanges of the connection.
    pub(super) fn new(respond: SendResponse<Bytes>, active: Rc<Cell<usize>>) -> Self {
        active.set(active.get() + 1);
        Shared { way: RefCell::new(Way::Waiting(respond)), tunnel: Cell::new(false), active }
    }

    /// Ready when the client reset the stream, or its connection ended.
    pub(super) fn poll_gone(&self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut *self.way.borrow_mut() {
            Way::Waiting(respond) => respond.poll_reset(cx).map(drop),
            Way::Streaming(stream) => stream.borrow_mut().poll_reset(cx).map(drop),
        }
    }

    fn reset(&self, reason: Reason) {
        match &mut *self.way.borrow_mut() {
            Way::Waiting(respond) => respond.send_reset(reason),
            Way::Streaming(stream) => stream.borrow_mut().send_reset(reason),
        }
    }

    fn interim(&self, response: Response<()>) -> Result<(), Broken> {
        match &mut *self.way.borrow_mut() {
            Way::Waiting(respond) => respond.send_informational(response).map_err(broken),
            Way::Streaming(_) => Ok(()),
        }
    }

    fn head(&self, response: Response<()>, end: bool) -> Result<(), Broken> {
        let mut way = self.way.borrow_mut();
        if let Way::Waiting(respond) = &mut *way {
            let stream = respond.send_response(response, end).map_err(broken)?;
            *way = Way::Streaming(Rc::new(RefCell::new(stream)));
        }
        Ok(())
    }

    fn stream(&self) -> Result<Rc<RefCell<SendStream<Bytes>>>, Broken> {
        match &*self.way.borrow() {
            Way::Streaming(stream) => Ok(stream.clone()),
            Way::Waiting(_) => Err(Broken::Malformed("content_before_head")),
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.active.set(self.active.get() - 1);
    }
}

/// The response's way.
#[derive(Debug)]
pub struct ClientReply {
    shared: Rc<Shared>,
    /// The request stood for an HTTP/1.1 upgrade.
    upgrade: bool,
    head: Option<Response<()>>,
    sender: Sender,
    started: bool,
}

impl ClientReply {
    pub(super) fn new(shared: Rc<Shared>, upgrade: bool) -> Self {
        ClientReply { shared, upgrade, head: None, sender: Sender::new(Length::Unknown), started: false }
    }

    /// Sends the head that was kept back, if any; with END_STREAM if nothing can follow it.
    fn send_head(&mut self, end: bool) -> Result<(), Broken> {
        self.head.take().map_or(Ok(()), |response| self.shared.head(response, end))
    }
}

impl Sink for ClientReply {
    async fn data(&mut self, chunk: Chunk<'_>, _more: bool) -> Result<(), Broken> {
        self.send_head(false)?;
        self.sender.chunk(&*self.shared.stream()?, chunk).await
    }

    async fn flush(&mut self) -> Result<(), Broken> {
        self.send_head(false)?;
        self.sender.flush(&*self.shared.stream()?).await
    }

    async fn end(&mut self, trailers: Option<&Fields>) -> Result<(), Broken> {
        // A head alone is one frame.
        if self.head.is_some() && trailers.is_none_or(Fields::is_empty) && self.sender.may_end() {
            return self.send_head(true);
        }
        self.send_head(false)?;
        self.sender.end(&*self.shared.stream()?, trailers).await
    }
}

impl Reply for ClientReply {
    async fn interim(&mut self, head: &ResponseHead) -> Result<(), Broken> {
        self.shared.interim(response(head, Length::None, false)?)
    }

    async fn head(&mut self, head: &ResponseHead, length: Length) -> Result<(), Broken> {
        self.head = Some(response(head, length, self.upgrade)?);
        self.sender = Sender::new(length);
        self.started = true;
        if length == Length::Tunnel {
            self.shared.tunnel.set(true);
        }
        Ok(())
    }

    fn abort(&mut self) {
        self.shared.reset(Reason::INTERNAL_ERROR);
    }

    fn started(&self) -> bool {
        self.started
    }
}

/// A head as h2 takes it. RFC 8441 §5: to an extended CONNECT, 101 is said as 200, without the handshake's proof.
fn response(head: &ResponseHead, length: Length, upgrade: bool) -> Result<Response<()>, Broken> {
    let status = match head.status {
        101 if upgrade => 200,
        101 => return Err(Broken::Malformed("status_101")), // RFC 9113 §8.6
        status => status,
    };
    let interim = status < 200;
    let says_length = match length {
        Length::Known(_) => true,
        Length::None => !interim && status != 204,
        Length::Unknown | Length::Tunnel => false,
    };
    let mut fields = fields::to_map(&head.fields, 1, |name| match name {
        FieldName::ContentLength => says_length && !matches!(length, Length::Known(_)),
        FieldName::SecWebSocketAccept => !upgrade,
        _ => true,
    });
    if let Length::Known(n) = length {
        say_length(n, head, &mut fields);
    }
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::from_u16(status).map_err(|_| Broken::Malformed("status"))?;
    *response.headers_mut() = fields;
    Ok(response)
}

/// The frames tell the length too; 0 is said only where the head says it, for a trailers-only gRPC response does not.
fn say_length(n: u64, head: &ResponseHead, fields: &mut HeaderMap) {
    if n > 0 || head.fields.has(FieldName::ContentLength) {
        fields.insert(::http::header::CONTENT_LENGTH, HeaderValue::from(n));
    }
}
