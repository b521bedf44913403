//! The side towards clients.

use super::broken;
use super::census::{Flood, FrameLimits};
use super::guard::{Guarded, Traffic};
use super::head::{self, Received, Refused};
use super::receive::Receiver;
use super::reply::{ClientReply, Shared};
use crate::clock::Clock;
use crate::config::{H2Limits, HeadLimits};
use crate::exchange::{Body, Broken, Downstream, Piece, Source};
use crate::http::{Length, RequestHead, Scheme};
use crate::wire::{Rewind, Transport};
use ::h2::server::{Builder, Connection, SendResponse};
use ::h2::{Reason, RecvStream};
use ::http::{Request, Response, StatusCode};
use bytes::Bytes;
use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite};

/// What one connection may ask of us.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Streams, windows and resets.
    pub h2: H2Limits,
    /// Size and fields of a head.
    pub head: HeadLimits,
}

/// Bytes of a stream's content that wait for the socket.
const SEND_BUFFER: usize = 64 * 1024;

/// Bytes of a frame that we take.
const FRAME_MAX: u32 = 16 * 1024;

/// Streams reset by us whose late frames are ignored for a moment.
const RESET_STREAMS_MAX: usize = 64;

/// Streams that a client reset before we looked at them.
const PENDING_RESETS_MAX: usize = 64;

/// Malformed or refused requests on one connection.
const ERRORS_MAX: usize = 1024;

/// A client's connection.
#[derive(Debug)]
pub struct ClientConnection<T = Transport>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    h2: Connection<Guarded<Rewind<T>>, Bytes>,
    traffic: Rc<Traffic>,
    active: Rc<Cell<usize>>,
    scheme: Scheme,
    fields_max: usize,
    ending: bool,
}

impl<T: AsyncRead + AsyncWrite + Unpin> ClientConnection<T> {
    /// Exchanges prefaces and settings (RFC 9113 §3.4). `read` is what was received from `io` before. The caller bounds
    /// the time.
    ///
    /// # Errors
    /// The preface is not one, or the connection ended.
    pub async fn handshake(
        io: T,
        read: Bytes,
        scheme: Scheme,
        limits: Limits,
        clock: Rc<Clock>,
    ) -> Result<Self, Broken> {
        let frames = FrameLimits { resets: limits.h2.resets_per_second };
        let io = Guarded::client(Rewind::new(io, read), frames, clock);
        let traffic = io.traffic();
        let h2 = builder(limits).handshake(io).await.map_err(broken)?;
        let fields_max = limits.head.fields;
        Ok(ClientConnection { h2, traffic, active: Rc::default(), scheme, fields_max, ending: false })
    }

    /// The next request. Drives the whole connection: it is to be called again and again for as long as exchanges are
    /// under way. Cancel-safe. `None`: the connection has ended.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn next(&mut self) -> Option<Result<(RequestHead, ClientExchange), Broken>> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// See [`next`](Self::next).
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<(RequestHead, ClientExchange), Broken>>> {
        loop {
            let accepted = pin!(self.h2.accept()).poll(cx);
            match accepted {
                Poll::Ready(Some(Ok((request, respond)))) => {
                    if let Some(exchange) = self.admit(request, respond) {
                        return Poll::Ready(Some(Ok(exchange)));
                    }
                }
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(broken(error)))),
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending if self.flood().is_some() && !self.ending => {
                    self.ending = true;
                    self.h2.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
                }
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Exchanges under way.
    #[must_use]
    pub fn active(&self) -> usize {
        self.active.get()
    }

    /// Why the connection is being ended, if the client sent too much of something.
    #[must_use]
    pub fn flood(&self) -> Option<Flood> {
        self.traffic.flood()
    }

    pub(super) fn traffic(&self) -> &Traffic {
        &self.traffic
    }

    /// Says that no more requests are taken (GOAWAY); those under way go on, and then the connection ends.
    pub fn graceful_shutdown(&mut self) {
        self.h2.graceful_shutdown();
    }

    /// The exchange, unless the request is answered here and now.
    fn admit(
        &mut self,
        request: Request<RecvStream>,
        mut respond: SendResponse<Bytes>,
    ) -> Option<(RequestHead, ClientExchange)> {
        let (parts, stream) = request.into_parts();
        match head::read(&parts, self.scheme, self.fields_max, stream.is_end_stream()) {
            Ok(received) => Some(exchange(received, stream, Shared::new(respond, self.active.clone()))),
            Err(Refused::Malformed(rule)) => {
                tracing::debug!(rule, "malformed request");
                respond.send_reset(Reason::PROTOCOL_ERROR);
                None
            }
            Err(Refused::TooManyFields) => answer(&mut respond, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE),
            Err(Refused::Protocol) => answer(&mut respond, StatusCode::NOT_IMPLEMENTED),
        }
    }
}

fn builder(limits: Limits) -> Builder {
    let mut builder = Builder::new();
    builder
        .max_concurrent_streams(limits.h2.streams)
        .initial_window_size(limits.h2.stream_window)
        .initial_connection_window_size(limits.h2.connection_window)
        .max_header_list_size(u32::try_from(limits.head.size).unwrap_or(u32::MAX))
        .max_frame_size(FRAME_MAX)
        .max_send_buffer_size(SEND_BUFFER)
        .max_concurrent_reset_streams(RESET_STREAMS_MAX)
        .max_pending_accept_reset_streams(PENDING_RESETS_MAX)
        .max_local_error_reset_streams(Some(ERRORS_MAX))
        .enable_connect_protocol();
    builder
}

fn exchange(received: Received, stream: RecvStream, shared: Shared) -> (RequestHead, ClientExchange) {
    let Received { head, length } = received;
    let shared = Rc::new(shared);
    let body = ClientBody { receiver: Receiver::new(stream), length, shared: shared.clone() };
    let reply = ClientReply::new(shared, !head.protocol.is_empty());
    (head, ClientExchange { body, reply })
}

fn answer<N>(respond: &mut SendResponse<Bytes>, status: StatusCode) -> Option<N> {
    let mut response = Response::new(());
    *response.status_mut() = status;
    // It fails only when the client is gone.
    let _ = respond.send_response(response, true);
    None
}

/// One exchange on a client's connection. Dropped before its end, it resets the stream.
#[derive(Debug)]
pub struct ClientExchange {
    body: ClientBody,
    reply: ClientReply,
}

impl Downstream for ClientExchange {
    type Body = ClientBody;
    type Reply = ClientReply;

    fn halves(&mut self) -> (&mut ClientBody, &mut ClientReply) {
        (&mut self.body, &mut self.reply)
    }
}

/// The request's content.
#[derive(Debug)]
pub struct ClientBody {
    receiver: Receiver,
    length: Length,
    shared: Rc<Shared>,
}

impl Source for ClientBody {
    fn length(&self) -> Length {
        self.length
    }

    async fn next(&mut self) -> Result<Piece<'_>, Broken> {
        if self.length == Length::None && !self.shared.tunnel.get() {
            return Ok(Piece::End(None));
        }
        self.receiver.next().await
    }
}

impl Body for ClientBody {
    async fn gone(&mut self) {
        poll_fn(|cx| self.shared.poll_gone(cx)).await;
    }
}
