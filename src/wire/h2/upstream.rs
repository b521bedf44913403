//! The side towards backends.

use super::broken;
use super::guard::{Guarded, Stall, Traffic};
use super::request::BackendRequest;
use super::response::BackendResponse;
use crate::clock::Clock;
use crate::exchange::{Broken, Upstream};
use crate::http::{Method, Scheme};
use ::h2::Reason;
use ::h2::client::{Builder, Connection, ResponseFuture, SendRequest};
use bytes::Bytes;
use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};

/// Streams at once on one connection, however many the backend allows.
const STREAMS_MAX: usize = 256;

/// Streams at once until the backend's settings come.
const STREAMS_FIRST: usize = 100;

/// Bytes: receive window of a stream.
const STREAM_WINDOW: u32 = 1024 * 1024;

/// Bytes: receive window of a connection.
const CONNECTION_WINDOW: u32 = 8 * 1024 * 1024;

/// Bytes of a response head or of trailers.
const HEAD_MAX: u32 = 64 * 1024;

/// Bytes of a frame that we take.
const FRAME_MAX: u32 = 64 * 1024;

/// Bytes of a stream's content that wait for the socket.
const SEND_BUFFER: usize = 128 * 1024;

/// Bytes of the frame header with which a backend's settings begin (RFC 9113 §3.4).
const FRAME_HEADER: u64 = 9;

/// A connection to a backend, shared by the exchanges on it. Dropped, it ends when the last of them does.
#[derive(Debug)]
pub struct BackendConnection {
    send: SendRequest<Bytes>,
    state: Rc<State>,
    scheme: Scheme,
}

/// What is known of a connection; its exchanges look at it too.
#[derive(Debug, Default)]
pub(super) struct State {
    active: Cell<usize>,
    /// The backend's settings have come, or never will.
    settled: Cell<bool>,
    closed: Cell<bool>,
    waiting: RefCell<Vec<Waker>>,
}

impl BackendConnection {
    /// Speaks HTTP/2 on a connected stream, by prior knowledge or after ALPN. Spawns a task on this thread that drives
    /// the connection; it gives up when the backend takes nothing for `stall`.
    ///
    /// # Errors
    /// The stream failed.
    pub async fn connect<T>(io: T, scheme: Scheme, clock: Rc<Clock>, stall: Duration) -> Result<Self, Broken>
    where
        T: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let io = Guarded::backend(io);
        let traffic = io.traffic();
        let (send, connection) = builder().handshake(io).await.map_err(broken)?;
        let state = Rc::new(State::default());
        tokio::task::spawn_local(drive(connection, traffic, state.clone(), clock, stall));
        Ok(BackendConnection { send, state, scheme })
    }

    /// How many more exchanges it takes now; 0 for ever after a GOAWAY or once it is closed.
    #[must_use]
    pub fn available(&self) -> usize {
        let mut cx = Context::from_waker(Waker::noop());
        let open = !self.state.closed.get() && matches!(self.send.clone().poll_ready(&mut cx), Poll::Ready(Ok(())));
        let max = if open { self.send.current_max_send_streams().min(STREAMS_MAX) } else { 0 };
        max.saturating_sub(self.state.active.get())
    }

    /// Whether it takes another exchange now.
    #[must_use]
    pub fn ready(&self) -> bool {
        self.available() > 0
    }

    /// Exchanges under way.
    #[must_use]
    pub fn active(&self) -> usize {
        self.state.active.get()
    }

    /// Whether it can never be used again.
    #[must_use]
    pub fn finished(&self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        self.state.closed.get() || matches!(self.send.clone().poll_ready(&mut cx), Poll::Ready(Err(_)))
    }

    /// The attempt of a request with that method. More than [`available`](Self::available) are queued.
    #[must_use]
    pub fn exchange(&self, method: Method) -> BackendExchange {
        let attempt = Rc::new(Attempt::new(self.state.clone()));
        BackendExchange {
            request: BackendRequest::new(self.send.clone(), self.scheme, attempt.clone()),
            response: BackendResponse::new(method, attempt.clone()),
            attempt,
        }
    }
}

fn builder() -> Builder {
    let mut builder = Builder::new();
    builder
        .enable_push(false)
        .initial_max_send_streams(STREAMS_FIRST)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(HEAD_MAX)
        .max_frame_size(FRAME_MAX)
        .max_send_buffer_size(SEND_BUFFER);
    builder
}

async fn drive<T>(
    connection: Connection<Guarded<T>, Bytes>,
    traffic: Rc<Traffic>,
    state: Rc<State>,
    clock: Rc<Clock>,
    stall: Duration,
) where
    T: AsyncRead + AsyncWrite + Unpin,
{
    {
        let mut connection = pin!(connection);
        let mut stall = Stall::new(clock.timer(stall));
        poll_fn(|cx| {
            let ended = connection.as_mut().poll(cx);
            if traffic.received() >= FRAME_HEADER {
                state.settle();
            }
            match ended {
                Poll::Ready(Ok(())) => Poll::Ready(()),
                Poll::Ready(Err(error)) => {
                    tracing::debug!(%error, "a backend's connection ended");
                    Poll::Ready(())
                }
                Poll::Pending => stall.poll(&traffic, cx),
            }
        })
        .await;
    }
    state.closed.set(true);
    state.settle();
}

impl State {
    fn settle(&self) {
        if !self.settled.replace(true) {
            self.waiting.take().into_iter().for_each(Waker::wake);
        }
    }

    /// Waits for the backend's settings, without which it is not known what it speaks.
    pub(super) fn poll_settled(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.settled.get() {
            return Poll::Ready(());
        }
        self.waiting.borrow_mut().push(cx.waker().clone());
        Poll::Pending
    }
}

/// What both halves of an exchange share.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) connection: Rc<State>,
    /// The response to come, once the request's head is sent.
    response: RefCell<Option<ResponseFuture>>,
    waiting: RefCell<Option<Waker>>,
    /// The request is an extended CONNECT; the client's key, if it has one.
    pub(super) websocket: RefCell<Option<Vec<u8>>>,
    /// Bytes flow as they are.
    pub(super) tunnel: Cell<bool>,
    pub(super) heard: Cell<bool>,
    pub(super) unprocessed: Cell<bool>,
}

impl Attempt {
    fn new(connection: Rc<State>) -> Self {
        connection.active.set(connection.active.get() + 1);
        Attempt {
            connection,
            response: RefCell::default(),
            waiting: RefCell::default(),
            websocket: RefCell::default(),
            tunnel: Cell::default(),
            heard: Cell::default(),
            unprocessed: Cell::default(),
        }
    }

    /// The request's head was sent.
    pub(super) fn sent(&self, response: ResponseFuture) {
        *self.response.borrow_mut() = Some(response);
        if let Some(waker) = self.waiting.take() {
            waker.wake();
        }
    }

    /// Asks the response to come, once there is one.
    pub(super) fn poll_response<R>(
        &self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut ResponseFuture, &mut Context<'_>) -> Poll<R>,
    ) -> Poll<R> {
        match &mut *self.response.borrow_mut() {
            Some(response) => poll(response, cx),
            None => {
                *self.waiting.borrow_mut() = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    /// Notes whether the backend surely did nothing: REFUSED_STREAM (RFC 9113 §8.7), or GOAWAY with a lower stream
    /// (§6.8).
    pub(super) fn failed(&self, error: ::h2::Error) -> Broken {
        let refused = error.is_reset() && error.reason() == Some(Reason::REFUSED_STREAM);
        if error.is_remote() && (refused || error.is_go_away()) {
            self.unprocessed.set(true);
        }
        broken(error)
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        self.connection.active.set(self.connection.active.get() - 1);
    }
}

/// One exchange on a backend's connection. Dropped before its end, it is cancelled there (RST_STREAM).
#[derive(Debug)]
pub struct BackendExchange {
    request: BackendRequest,
    response: BackendResponse,
    attempt: Rc<Attempt>,
}

impl BackendExchange {
    /// After an error: the backend surely did nothing with the request, so it may be sent again whatever its method.
    #[must_use]
    pub fn unprocessed(&self) -> bool {
        self.attempt.unprocessed.get()
    }

    /// Whether the backend said anything in this exchange.
    #[must_use]
    pub fn heard(&self) -> bool {
        self.attempt.heard.get()
    }
}

impl Upstream for BackendExchange {
    type Request = BackendRequest;
    type Response = BackendResponse;

    fn halves(&mut self) -> (&mut BackendRequest, &mut BackendResponse) {
        (&mut self.request, &mut self.response)
    }
}
