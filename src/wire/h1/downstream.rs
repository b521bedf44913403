//! The side towards clients.

use super::content::{Mode, Receiver, Sender};
use super::parse::{self, Bad, Limits, Parsed, RequestFrame};
use super::write::{self, Framing, ResponseStyle};
use crate::exchange::{Body, Broken, Chunk, Downstream, Piece, Prepared, Reply, Sink, Source};
use crate::http::{Fields, Length, RequestHead, ResponseHead, Version};
use crate::wire::{Buffers, Inbox, Transport};
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll, ready};

/// A client's connection between and during exchanges.
#[derive(Debug)]
pub struct ClientConnection {
    io: RefCell<Transport>,
    inbox: Inbox,
    state: State,
}

/// What both halves of an exchange leave for the connection to know.
#[derive(Debug, Default)]
struct State {
    /// The connection is not to be used again.
    close: Cell<bool>,
    /// The peer has ended its direction.
    eof: Cell<bool>,
    /// The final response went out whole.
    answered: Cell<bool>,
    /// The request's content was received whole.
    received: Cell<bool>,
    /// From now on bytes are passed as they are.
    tunnel: Cell<bool>,
    /// A final head was given.
    started: Cell<bool>,
    /// The client is to see that its response is broken: no end in order.
    aborted: Cell<bool>,
}

/// Why no request came.
#[derive(Debug)]
pub enum HeadEnd {
    /// The client closed; `midway` if it had begun one.
    Closed {
        /// Some bytes of a head had come.
        midway: bool,
    },
    /// What came is not a request.
    Bad(Bad),
}

/// What becomes of the connection after an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Another request may come.
    Request,
    /// It is to be closed.
    Close,
}

/// Bytes of requests that are taken in while one is being answered.
const PIPELINED_MAX: usize = 16 * 1024;

/// Bytes of unread content that are thrown away to keep a connection.
const DRAIN_MAX: u64 = 64 * 1024;

/// Bytes thrown away after our end of a connection that is closed with unread content, so that the response is not
/// lost to a reset (RFC 9112 §9.6).
const LINGER_MAX: usize = 256 * 1024;

impl ClientConnection {
    /// Takes over a connected stream; `read` is what was received from it before.
    #[must_use]
    pub fn new(io: Transport, read: &[u8]) -> Self {
        let mut inbox = Inbox::default();
        if !read.is_empty() {
            inbox.preload(read);
        }
        // Before the first request there is no content to wait for.
        let state = State { received: Cell::new(true), ..State::default() };
        ClientConnection { io: RefCell::new(io), inbox, state }
    }

    /// Takes the connection apart: its stream, and what was received of it.
    #[must_use]
    pub fn into_parts(self) -> (Transport, Vec<u8>) {
        (self.io.into_inner(), self.inbox.bytes().to_vec())
    }

    /// Waits until something of a request is there. Cancel-safe.
    ///
    /// # Errors
    /// [`HeadEnd::Closed`]
    pub async fn readable(&mut self, buffers: &Buffers) -> Result<(), HeadEnd> {
        poll_fn(|cx| self.poll_readable(buffers, cx)).await
    }

    /// See [`readable`](Self::readable).
    pub fn poll_readable(&mut self, buffers: &Buffers, cx: &mut Context<'_>) -> Poll<Result<(), HeadEnd>> {
        if !self.inbox.is_empty() {
            return Poll::Ready(Ok(()));
        }
        match ready!(self.inbox.poll_fill(self.io.get_mut(), buffers, cx)) {
            Ok(n) if n > 0 => Poll::Ready(Ok(())),
            Ok(_) | Err(_) => {
                self.state.eof.set(true);
                Poll::Ready(Err(HeadEnd::Closed { midway: false }))
            }
        }
    }

    /// Whether the first bytes are `preface`, as far as it takes to know. Cancel-safe.
    ///
    /// # Errors
    /// [`HeadEnd::Closed`]
    pub async fn begins_with(&mut self, preface: &[u8], buffers: &Buffers) -> Result<bool, HeadEnd> {
        loop {
            let there = self.inbox.bytes();
            let known = there.len().min(preface.len());
            if there[..known] != preface[..known] {
                return Ok(false);
            }
            if known == preface.len() {
                return Ok(true);
            }
            if !matches!(self.fill(buffers).await, Ok(true)) {
                return Err(HeadEnd::Closed { midway: true });
            }
        }
    }

    /// Receives a whole request head. Cancel-safe.
    ///
    /// # Errors
    /// [`HeadEnd`]
    pub async fn head(
        &mut self,
        buffers: &Buffers,
        limits: Limits,
        head: &mut RequestHead,
    ) -> Result<RequestFrame, HeadEnd> {
        loop {
            // A head is read anew only when a line has ended since: bounded by lines, not by packets.
            match parse::request(self.inbox.bytes(), limits, head).map_err(HeadEnd::Bad)? {
                Parsed::Complete(frame) => {
                    self.inbox.take(frame.consumed);
                    // An exchange may wait long before it reads on: not with a buffer in its hands.
                    self.inbox.release(buffers);
                    return Ok(frame);
                }
                Parsed::Partial => {}
            }
            let before = self.inbox.bytes().len();
            loop {
                match self.fill(buffers).await {
                    Ok(true) => {}
                    Ok(false) | Err(_) => return Err(HeadEnd::Closed { midway: true }),
                }
                let bytes = self.inbox.bytes();
                if bytes.len() >= limits.size || memchr::memchr(b'\n', &bytes[before..]).is_some() {
                    break;
                }
            }
        }
    }

    /// The exchange for a head just received. Once `draining` is set, responses say that the connection ends.
    pub fn exchange<'c>(
        &'c mut self,
        buffers: &'c Buffers,
        frame: &RequestFrame,
        version: Version,
        draining: &'c Cell<bool>,
    ) -> ClientExchange<'c> {
        let State { close, eof: _, answered, received, tunnel, started, aborted: _ } = &self.state;
        close.set(!frame.persistent);
        answered.set(false);
        tunnel.set(false);
        started.set(false);
        let mode = Mode::of(frame.length);
        received.set(matches!(mode, Mode::Ended));
        let receiver = Receiver { io: &self.io, buffers, inbox: &mut self.inbox, mode, trailers: Fields::default() };
        ClientExchange {
            body: ClientBody { receiver, length: frame.length, state: &self.state },
            reply: ClientReply { sender: Sender::new(&self.io, buffers), version, draining, state: &self.state },
        }
    }

    /// What becomes of the connection now that the exchange is over.
    #[must_use]
    pub fn next(&mut self, buffers: &Buffers) -> Next {
        self.inbox.release(buffers);
        let State { close, eof, answered, received, tunnel, started: _, aborted: _ } = &self.state;
        if close.get() || eof.get() || tunnel.get() || !answered.get() || !received.get() {
            return Next::Close;
        }
        Next::Request
    }

    /// Ends the connection so that the last response arrives: our direction first, then what still comes is thrown
    /// away for a while.
    pub async fn close(&mut self, buffers: &Buffers) {
        if self.state.aborted.get() {
            return; // An end in order would make a response without a length look complete.
        }
        let unread = !self.state.received.get() || !self.inbox.is_empty();
        if poll_fn(|cx| self.io.get_mut().poll_shutdown(cx)).await.is_err() || !unread {
            return;
        }
        let mut thrown = 0;
        while thrown < LINGER_MAX {
            let there = self.inbox.bytes().len();
            self.inbox.take(there);
            thrown += there;
            if !matches!(self.fill(buffers).await, Ok(true)) {
                break;
            }
        }
    }

    async fn fill(&mut self, buffers: &Buffers) -> io::Result<bool> {
        let (io, inbox) = (self.io.get_mut(), &mut self.inbox);
        let n = poll_fn(|cx| inbox.poll_fill(io, buffers, cx)).await?;
        if n == 0 {
            self.state.eof.set(true);
        }
        Ok(n > 0)
    }
}

/// One exchange on a client's connection.
#[derive(Debug)]
pub struct ClientExchange<'c> {
    body: ClientBody<'c>,
    reply: ClientReply<'c>,
}

impl<'c> Downstream for ClientExchange<'c> {
    type Body = ClientBody<'c>;
    type Reply = ClientReply<'c>;

    fn halves(&mut self) -> (&mut ClientBody<'c>, &mut ClientReply<'c>) {
        (&mut self.body, &mut self.reply)
    }
}

impl ClientExchange<'_> {
    /// Whether the request's content was received whole.
    #[must_use]
    pub fn is_received(&self) -> bool {
        self.reply.state.received.get()
    }

    /// Throws away what is left of the request's content if it is at hand or little, so that the connection can go on.
    pub async fn drain(&mut self) {
        let mut left = DRAIN_MAX;
        // The last byte is not yet the end: only `End` says that all was received.
        let State { answered, received, close, .. } = self.reply.state;
        while !received.get() && answered.get() && !close.get() {
            match self.body.next().await {
                Ok(Piece::Data { chunk, .. }) if (chunk.as_slice().len() as u64) < left => {
                    left -= chunk.as_slice().len() as u64;
                }
                Ok(Piece::End(_)) => return,
                Ok(Piece::Data { .. }) | Err(_) => return self.reply.state.close.set(true),
            }
        }
    }
}

/// The request's content.
#[derive(Debug)]
pub struct ClientBody<'c> {
    receiver: Receiver<'c>,
    length: Length,
    state: &'c State,
}

impl Source for ClientBody<'_> {
    fn length(&self) -> Length {
        self.length
    }

    async fn next(&mut self) -> Result<Piece<'_>, Broken> {
        if self.state.tunnel.get() && self.receiver.ended() && !self.state.eof.get() {
            self.receiver.mode = Mode::Tunnel;
        }
        let was_tunnel = self.state.tunnel.get();
        let result = self.receiver.next().await;
        match &result {
            Ok(Piece::End(_)) if was_tunnel => self.state.eof.set(true),
            Ok(Piece::End(_)) => self.state.received.set(true),
            Ok(Piece::Data { .. }) => {}
            Err(_) => self.state.close.set(true),
        }
        result
    }
}

impl Body for ClientBody<'_> {
    async fn gone(&mut self) {
        while self.receiver.inbox.bytes().len() < PIPELINED_MAX {
            if !matches!(self.receiver.fill().await, Ok(true)) {
                self.state.eof.set(true);
                return;
            }
        }
        std::future::pending::<()>().await;
    }
}

/// The response's way.
#[derive(Debug)]
pub struct ClientReply<'c> {
    sender: Sender<'c>,
    version: Version,
    draining: &'c Cell<bool>,
    state: &'c State,
}

impl ClientReply<'_> {
    /// Whether the connection ends with this response; said in its head.
    fn must_close(&self, status: u16, length: Length) -> bool {
        let close_delimited = length == Length::Unknown && self.version == Version::Http10;
        // An error before the end of the content: the client may well stop sending, and nobody knows where.
        let cut_short = !self.state.received.get() && status >= 400;
        self.state.close.get() || self.draining.get() || close_delimited || cut_short
    }
}

impl ClientReply<'_> {
    /// How the final head is to be written, which begins now.
    fn style(&self, status: u16, length: Length) -> ResponseStyle {
        let close = self.must_close(status, length);
        self.state.close.set(close);
        self.state.started.set(true);
        let http10 = self.version == Version::Http10;
        ResponseStyle { chunks: !http10, close, keep_alive: http10 && !close }
    }
}

impl Sink for ClientReply<'_> {
    async fn data(&mut self, chunk: Chunk<'_>, more: bool) -> Result<(), Broken> {
        self.sender.data(chunk.as_slice(), more).await
    }

    async fn flush(&mut self) -> Result<(), Broken> {
        self.sender.flush().await
    }

    async fn end(&mut self, trailers: Option<&Fields>) -> Result<(), Broken> {
        self.sender.end(trailers).await?;
        self.state.answered.set(true);
        Ok(())
    }
}

impl Reply for ClientReply<'_> {
    async fn interim(&mut self, head: &ResponseHead) -> Result<(), Broken> {
        if self.version == Version::Http10 {
            return Ok(()); // RFC 9110 §15.2: never to a 1.0 client.
        }
        write::interim_head(head, &mut self.sender.out);
        self.sender.flush().await
    }

    async fn head(&mut self, head: &ResponseHead, length: Length) -> Result<(), Broken> {
        let style = self.style(head.status, length);
        self.sender.framing = write::response_head(head, length, style, &mut self.sender.out);
        if self.sender.framing == Framing::Tunnel {
            self.state.tunnel.set(true);
        }
        Ok(())
    }

    async fn prepared(&mut self, head: &Prepared<'_>, length: Length) -> Result<(), Broken> {
        let style = self.style(head.status, length);
        self.sender.framing = write::prepared_head(head, length, style, &mut self.sender.out);
        Ok(())
    }

    fn abort(&mut self) {
        self.state.close.set(true);
        self.state.aborted.set(true);
        self.sender.io.borrow().reset_on_close();
    }

    fn started(&self) -> bool {
        self.state.started.get()
    }
}
