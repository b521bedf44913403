//! A client's connection from its first request to its end, with the times that h2 does not know.

use super::census::Flood;
use super::downstream::{ClientConnection, ClientExchange};
use super::guard::Stall;
use crate::clock::{Clock, Timer};
use crate::exchange::Broken;
use crate::http::RequestHead;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};

/// How long a client may take.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// Without any exchange; then GOAWAY.
    pub idle: Duration,
    /// Without taking anything of what is to be sent; then the connection is dropped.
    pub stall: Duration,
}

/// Why a connection ended.
#[derive(Debug)]
pub enum Served {
    /// The client closed, or we did after [`Times::idle`] or a shutdown.
    Closed,
    /// The client sent too much of something.
    Flood(Flood),
    /// The client took nothing for [`Times::stall`].
    Stalled,
    /// The connection broke, or the client broke a rule of it.
    Broken(Broken),
}

/// Gives each request to `on_request`, which spawns its exchange, until the connection ends. When `shutdown` is done,
/// no more requests are taken and those under way are finished; bounding that time is the caller's.
pub async fn serve<T, F>(
    mut connection: ClientConnection<T>,
    clock: &Clock,
    times: Times,
    shutdown: impl Future<Output = ()>,
    mut on_request: F,
) -> Served
where
    T: AsyncRead + AsyncWrite + Unpin,
    F: FnMut(RequestHead, ClientExchange),
{
    let mut shutdown = pin!(shutdown);
    let mut ending = false;
    let mut idle = clock.timer(times.idle);
    let mut stall = Stall::new(clock.timer(times.stall));
    poll_fn(|cx| {
        while let Poll::Ready(next) = connection.poll_next(cx) {
            match next {
                Some(Ok((head, exchange))) => on_request(head, exchange),
                Some(Err(broken)) => return Poll::Ready(ended(connection.flood(), Some(broken))),
                None => return Poll::Ready(ended(connection.flood(), None)),
            }
        }
        if stall.poll(connection.traffic(), cx).is_ready() {
            return Poll::Ready(Served::Stalled);
        }
        if !ending && (shutdown.as_mut().poll(cx).is_ready() || poll_idle(&mut idle, connection.active(), cx)) {
            ending = true;
            connection.graceful_shutdown();
            // It is sent by polling the connection again; and a client that says nothing more is not waited for.
            cx.waker().wake_by_ref();
            idle.restart();
        } else if ending && poll_idle(&mut idle, connection.active(), cx) {
            return Poll::Ready(Served::Closed);
        }
        Poll::Pending
    })
    .await
}

fn ended(flood: Option<Flood>, broken: Option<Broken>) -> Served {
    match (flood, broken) {
        (Some(flood), _) => Served::Flood(flood),
        (None, Some(broken)) => Served::Broken(broken),
        (None, None) => Served::Closed,
    }
}

/// Whether no exchange was under way for as long as the timer is set.
fn poll_idle(timer: &mut Timer<'_>, active: usize, cx: &mut Context<'_>) -> bool {
    if active > 0 {
        timer.restart();
        return false;
    }
    timer.poll_elapsed(cx).is_ready()
}
