//! A client's HTTP/1.1 connection: exchanges one after the other.

use super::connection::Session;
use crate::exchange::{Client, Downstream, Refusal, Scratch, Worker, protocol_error, refuse_head, serve as exchange};
use crate::http::{Length, Version};
use crate::wire::h1::parse::{Bad, Limits, RequestFrame};
use crate::wire::h1::{ClientConnection, HeadEnd, Next};
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

/// How long unread content may keep a connection that is otherwise done with.
const DRAIN: Duration = Duration::from_secs(2);

/// A pause between requests that is still taken for one burst.
const BURST_PAUSE: Duration = Duration::from_millis(100);

/// Serves until either side has enough.
pub(super) async fn serve(mut session: Box<Session>) {
    let mut last = Duration::ZERO;
    while is_readable(&mut session, last.is_zero()).await {
        let now = session.open.worker.clock.coarse();
        // Boxed, so that an idle connection does not hold the room that an exchange needs; a busy one keeps the box.
        let is_busy = !last.is_zero() && now.saturating_sub(last) <= BURST_PAUSE;
        if Box::pin(burst(&mut session, is_busy)).await == Next::Close {
            break;
        }
        last = session.open.worker.clock.coarse().max(Duration::from_millis(1));
    }
    Box::pin(close(&mut session)).await;
}

/// Waits for a request. What an idle connection sleeps in.
async fn is_readable(session: &mut Session, is_first: bool) -> bool {
    let Session { connection, client, open } = session;
    let worker = &open.worker;
    // In a drain this wait is ended from outside; whoever asks before is told that the connection ends.
    let timeouts = &client.gate.timeouts;
    let mut timer = worker.clock.idle_timer(if is_first { timeouts.head } else { timeouts.idle });
    poll_fn(|cx| match connection.poll_readable(&worker.buffers, cx) {
        Poll::Ready(result) => Poll::Ready(result.is_ok()),
        Poll::Pending => timer.poll_elapsed(cx).map(|()| false),
    })
    .await
}

/// One exchange; if `is_busy`, also those that follow without a long pause.
async fn burst(session: &mut Session, is_busy: bool) -> Next {
    loop {
        let Session { connection, client, open } = &mut *session;
        let worker = &open.worker;
        let next = next_exchange(connection, client, open.door.limits, worker).await;
        if next == Next::Close || !is_busy || worker.draining.get() {
            return next;
        }
        let pause = BURST_PAUSE.min(client.gate.timeouts.idle);
        match worker.clock.within_idle(pause, connection.readable(&worker.buffers)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Next::Close,
            Err(_) => return Next::Request,
        }
    }
}

async fn close(session: &mut Session) {
    let worker = &session.open.worker;
    if worker.pressure.is_full() {
        return; // The memory is wanted more than a friendly end.
    }
    let _ = worker.clock.within(DRAIN, session.connection.close(&worker.buffers)).await;
}

async fn next_exchange(
    connection: &mut ClientConnection,
    client: &Client,
    limits: Limits,
    worker: &Rc<Worker>,
) -> Next {
    let mut scratch = worker.scratch();
    scratch.request.scheme = client.scheme;
    let received = {
        let head = pin!(connection.head(&worker.buffers, limits, &mut scratch.request));
        worker.clock.within_head(client.gate.timeouts.head, head).await
    };
    let next = match received {
        Ok(Ok(frame)) => one(connection, &frame, client, worker, &mut scratch).await,
        Ok(Err(HeadEnd::Closed { .. })) => Next::Close,
        Ok(Err(HeadEnd::Bad(bad))) => {
            Box::pin(decline(connection, Refusal::Head(bad), client, worker, &mut scratch)).await
        }
        Err(_) => Box::pin(decline(connection, Refusal::HeadTimeout, client, worker, &mut scratch)).await,
    };
    worker.reuse(scratch);
    next
}

async fn one(
    connection: &mut ClientConnection,
    frame: &RequestFrame,
    client: &Client,
    worker: &Rc<Worker>,
    scratch: &mut Scratch,
) -> Next {
    let version = scratch.request.version;
    let mut down = connection.exchange(&worker.buffers, frame, version, &worker.draining);
    exchange(worker, client, scratch, &mut down).await;
    if !down.is_received() {
        let _ = worker.clock.within(DRAIN, Box::pin(down.drain())).await;
    }
    drop(down);
    connection.next(&worker.buffers)
}

/// Says what is wrong with a head, and ends the connection: nobody knows where the next begins.
async fn decline(
    connection: &mut ClientConnection,
    refusal: Refusal,
    client: &Client,
    worker: &Worker,
    scratch: &mut Scratch,
) -> Next {
    worker.metrics.protocol_error(protocol_error(refusal));
    if refusal == Refusal::Head(Bad::Tls) {
        return Next::Close;
    }
    let frame = RequestFrame { consumed: 0, length: Length::None, persistent: false };
    let mut down = connection.exchange(&worker.buffers, &frame, Version::Http11, &worker.draining);
    let reply = down.halves().1;
    let _ = refuse_head(refusal, &worker.clock, client.gate.timeouts.body, &mut scratch.response, reply).await;
    Next::Close
}
