//! The side towards backends.

use super::content::{Mode, Receiver, Sender};
use super::parse::{self, Limits, Parsed};
use super::write::{self, Framing};
use crate::exchange::{Broken, Chunk, Piece, Request, Response, Sink, Source, Upstream};
use crate::http::{FieldName, Fields, Length, Method, RequestHead, ResponseHead};
use crate::wire::{Buffers, Inbox, Transport};
use std::cell::{Cell, RefCell};
use std::task::{Context, Poll, Waker};

/// A connection to a backend between and during exchanges.
#[derive(Debug)]
pub struct BackendConnection {
    io: RefCell<Transport>,
    inbox: Inbox,
    state: State,
}

#[derive(Debug, Default)]
struct State {
    persistent: Cell<bool>,
    sent: Cell<bool>,
    received: Cell<bool>,
    tunnel: Cell<bool>,
    heard: Cell<bool>,
}

/// Bounds on a backend's head.
const HEAD: Limits = Limits { size: 64 * 1024, fields: 256 };

/// 1xx responses before a final one.
const INTERIM_MAX: u32 = 16;

impl BackendConnection {
    /// Takes over a connected stream.
    #[must_use]
    pub fn new(io: Transport) -> Self {
        BackendConnection { io: RefCell::new(io), inbox: Inbox::default(), state: State::default() }
    }

    /// The attempt of a request with that method; `upgrade`: it asks for another protocol, so 101 may answer it.
    pub fn exchange<'c>(&'c mut self, buffers: &'c Buffers, method: Method, upgrade: bool) -> BackendExchange<'c> {
        self.state = State::default();
        let receiver =
            Receiver { io: &self.io, buffers, inbox: &mut self.inbox, mode: Mode::Ended, trailers: Fields::default() };
        BackendExchange {
            request: BackendRequest { sender: Sender::new(&self.io, buffers), state: &self.state },
            response: BackendResponse {
                receiver,
                method,
                upgrade,
                length: Length::None,
                interims: 0,
                state: &self.state,
            },
        }
    }

    /// Whether another exchange may use it: all was sent, all was received, and nothing beyond.
    #[must_use]
    pub fn reusable(&mut self, buffers: &Buffers) -> bool {
        let surplus = !self.inbox.is_empty();
        self.inbox.release(buffers);
        let State { persistent, sent, received, tunnel, .. } = &self.state;
        persistent.get() && sent.get() && received.get() && !tunnel.get() && !surplus
    }

    /// Whether the backend said anything in this exchange.
    #[must_use]
    pub fn heard(&self) -> bool {
        self.state.heard.get()
    }

    /// Whether an idle connection is still as it was left: neither closed nor spoken to out of turn.
    #[must_use]
    pub fn is_quiet(&mut self) -> bool {
        let mut probe = [0];
        let mut cx = Context::from_waker(Waker::noop());
        self.inbox.is_empty() && matches!(self.io.get_mut().poll_read(&mut cx, || &mut probe), Poll::Pending)
    }
}

/// One exchange on a backend's connection.
#[derive(Debug)]
pub struct BackendExchange<'c> {
    request: BackendRequest<'c>,
    response: BackendResponse<'c>,
}

impl<'c> Upstream for BackendExchange<'c> {
    type Request = BackendRequest<'c>;
    type Response = BackendResponse<'c>;

    fn halves(&mut self) -> (&mut BackendRequest<'c>, &mut BackendResponse<'c>) {
        (&mut self.request, &mut self.response)
    }
}

/// The request's way.
#[derive(Debug)]
pub struct BackendRequest<'c> {
    sender: Sender<'c>,
    state: &'c State,
}

impl Sink for BackendRequest<'_> {
    async fn data(&mut self, chunk: Chunk<'_>, more: bool) -> Result<(), Broken> {
        self.follow();
        self.sender.data(chunk.as_slice(), more).await
    }

    async fn flush(&mut self) -> Result<(), Broken> {
        self.sender.flush().await
    }

    async fn end(&mut self, trailers: Option<&Fields>) -> Result<(), Broken> {
        self.follow();
        self.sender.end(trailers).await?;
        self.state.sent.set(true);
        Ok(())
    }
}

impl BackendRequest<'_> {
    /// Once the backend has switched, bytes go as they are, and their end is that of our direction.
    fn follow(&mut self) {
        if self.state.tunnel.get() {
            self.sender.framing = Framing::Tunnel;
        }
    }
}

impl Request for BackendRequest<'_> {
    async fn head(&mut self, head: &RequestHead, length: Length) -> Result<(), Broken> {
        self.sender.framing = write::request_head(head, length, &mut self.sender.out);
        Ok(())
    }
}

/// The response's way.
#[derive(Debug)]
pub struct BackendResponse<'c> {
    receiver: Receiver<'c>,
    method: Method,
    upgrade: bool,
    length: Length,
    interims: u32,
    state: &'c State,
}

impl Source for BackendResponse<'_> {
    fn length(&self) -> Length {
        self.length
    }

    async fn next(&mut self) -> Result<Piece<'_>, Broken> {
        let result = self.receiver.next().await;
        if let Ok(Piece::End(_)) = &result {
            self.state.received.set(true);
        }
        result
    }
}

impl Response for BackendResponse<'_> {
    async fn head(&mut self, head: &mut ResponseHead) -> Result<(), Broken> {
        loop {
            let parsed = parse::response(self.receiver.inbox.bytes(), HEAD, &self.method, head);
            match parsed.map_err(|bad| Broken::Malformed(bad.as_str()))? {
                Parsed::Complete(frame) => {
                    self.receiver.inbox.take(frame.consumed);
                    return self.accept(frame, head);
                }
                Parsed::Partial if self.receiver.fill().await? => self.state.heard.set(true),
                Parsed::Partial => return Err(Broken::Closed),
            }
        }
    }

    async fn content(&mut self) -> Result<(), Broken> {
        self.receiver.begins().await
    }
}

impl BackendResponse<'_> {
    fn accept(&mut self, frame: parse::ResponseFrame, head: &ResponseHead) -> Result<(), Broken> {
        if head.is_interim() {
            self.interims += 1;
            return if self.interims > INTERIM_MAX { Err(Broken::Malformed("interim_flood")) } else { Ok(()) };
        }
        if head.status == 101 && !(self.upgrade && is_to_websocket(head)) {
            return Err(Broken::Malformed("unasked_upgrade"));
        }
        self.length = frame.length;
        self.receiver.mode = match frame.length {
            Length::Unknown if !frame.chunked => Mode::Close,
            length => Mode::of(length),
        };
        self.state.persistent.set(frame.persistent);
        self.state.tunnel.set(frame.length == Length::Tunnel);
        Ok(())
    }
}

/// RFC 9110 §7.8: 101 names what the connection switches to, which is what was asked for and nothing else.
fn is_to_websocket(head: &ResponseHead) -> bool {
    let mut to = head.fields.members(FieldName::Upgrade);
    to.next().is_some_and(|name| name.eq_ignore_ascii_case(b"websocket")) && to.next().is_none()
}
