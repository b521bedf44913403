//! Content from one side to the other, both ways at once.

use super::kept::Kept;
use super::mirror::Tee;
use super::reuse::Keep;
use super::{Body, Broken, Chunk, Piece, Refusal, Reply, Request, Response, Sink, Source};
use crate::access::Own;
use crate::clock::Clock;
use crate::http::{Length, ResponseHead};
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

/// Bounds on one exchange's content.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// The client makes no progress.
    pub(super) client: Duration,
    /// The backend makes no progress.
    pub(super) backend: Duration,
    /// To the head of the response.
    pub(super) first_byte: Duration,
    /// Neither side says anything on a tunnel.
    pub(super) tunnel: Duration,
    /// Bytes of request content.
    pub(super) max_body: Option<u64>,
}

/// Bytes of content that went through.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Moved {
    pub(super) up: u64,
    pub(super) down: u64,
}

/// Why content did not go through.
#[derive(Debug)]
pub(super) enum Fault {
    /// The client is gone, or takes nothing.
    ClientGone,
    /// What the client sent cannot go on.
    Client(Refusal),
    /// The backend failed.
    Backend(Broken),
    /// The backend makes no progress.
    BackendTimeout,
    /// The backend answered with a status for which another one is asked.
    Status(u16),
}

/// What sees request content pass.
pub(super) struct Witnesses<'a, 'w> {
    pub(super) tee: &'a Tee,
    pub(super) kept: &'a mut Kept<'w>,
    pub(super) moved: &'a mut u64,
    /// What no client may say, not even at the end.
    pub(super) own: &'a Own,
}

/// Sends the request's content on, first what an earlier attempt had read.
pub(super) async fn upload<B: Body, Q: Request>(
    body: &mut B,
    request: &mut Q,
    seen: Witnesses<'_, '_>,
    clock: &Clock,
    bounds: &Bounds,
) -> Result<(), Fault> {
    if body.length() == Length::None {
        return request.end(None).await.map_err(Fault::Backend);
    }
    let Witnesses { tee, kept, moved, own } = seen;
    if again(request, kept, clock, bounds).await? {
        return Ok(());
    }
    request.flush().await.map_err(Fault::Backend)?;
    loop {
        let piece = match clock.within(bounds.client, pin!(body.next())).await {
            Ok(piece) => piece.map_err(of_client)?,
            Err(_) => return Err(Fault::Client(Refusal::BodyTimeout)),
        };
        match piece {
            Piece::Data { chunk, more } => {
                *moved += chunk.as_slice().len() as u64;
                if bounds.max_body.is_some_and(|max| *moved > max) {
                    return Err(Fault::Client(Refusal::BodyTooLarge));
                }
                tee.data(chunk.as_slice());
                kept.data(chunk.as_slice());
                let sent = clock.within(bounds.backend, pin!(request.data(chunk, more))).await;
                sent.map_err(|_| Fault::BackendTimeout)?.map_err(Fault::Backend)?;
            }
            Piece::End(trailers) => {
                let stripped = trailers.filter(|_| !own.is_empty()).map(|trailers| own.stripped(trailers));
                let trailers = stripped.as_ref().or(trailers);
                tee.end(trailers);
                kept.end(trailers);
                let sent = clock.within(bounds.backend, pin!(request.end(trailers))).await;
                return sent.map_err(|_| Fault::BackendTimeout)?.map_err(Fault::Backend);
            }
        }
    }
}

/// Sends what was read by an earlier attempt; whether that was all.
async fn again<Q: Request>(request: &mut Q, kept: &Kept<'_>, clock: &Clock, bounds: &Bounds) -> Result<bool, Fault> {
    if !kept.content().is_empty() {
        let sent = request.data(Chunk::Lent(kept.content()), kept.ended().is_some());
        clock.within(bounds.backend, pin!(sent)).await.map_err(|_| Fault::BackendTimeout)?.map_err(Fault::Backend)?;
    }
    let Some(trailers) = kept.ended() else { return Ok(false) };
    let sent = clock.within(bounds.backend, pin!(request.end(trailers))).await;
    sent.map_err(|_| Fault::BackendTimeout)?.map_err(Fault::Backend)?;
    Ok(true)
}

fn of_client(broken: Broken) -> Fault {
    match broken {
        Broken::Malformed(rule) => Fault::Client(Refusal::Body(rule)),
        Broken::Closed | Broken::Io(_) => Fault::ClientGone,
    }
}

/// Receives the response's head; interim ones go on at once.
pub(super) async fn response_head<R: Reply, S: Response>(
    response: &mut S,
    reply: &mut R,
    head: &mut ResponseHead,
) -> Result<(), Fault> {
    loop {
        response.head(head).await.map_err(Fault::Backend)?;
        if !head.is_interim() {
            return Ok(());
        }
        let _ = crate::http::strip_hop_by_hop(&mut head.fields);
        reply.interim(head).await.map_err(|_| Fault::ClientGone)?;
    }
}

/// Waits a little for content that is announced, before its head is passed on: while the client has seen nothing, another backend may
/// stand in for one that dies; and head and content, which many servers send one after the other, go out in one piece.
pub(super) async fn content_begins<S: Response>(response: &mut S) -> Result<(), Fault> {
    if !matches!(response.length(), Length::Known(1..)) {
        return Ok(());
    }
    let mut begins = pin!(response.content());
    // Nearly always it is there, and no timer is wanted.
    if let Poll::Ready(begun) = poll_fn(|cx| Poll::Ready(begins.as_mut().poll(cx))).await {
        return begun.map_err(Fault::Backend);
    }
    // Not the worker's clock: that is late by more than this is long.
    match tokio::time::timeout(HEAD_HELD, begins).await {
        Ok(begun) => begun.map_err(Fault::Backend),
        Err(_) => Ok(()),
    }
}

/// What is slower than that between head and content may be meant so; nobody is to notice that he waits for it.
const HEAD_HELD: Duration = Duration::from_millis(10);

/// Sends the response's content on, to its end.
pub(super) async fn download<R: Reply, S: Source>(
    response: &mut S,
    reply: &mut R,
    clock: &Clock,
    bounds: &Bounds,
    (moved, keep): (&mut u64, Option<&Keep>),
) -> Result<(), Fault> {
    loop {
        let mut next = pin!(response.next());
        let ready = poll_fn(|cx| Poll::Ready(next.as_mut().poll(cx))).await;
        let piece = match ready {
            Poll::Ready(piece) => piece,
            Poll::Pending => {
                // Nothing more for now: the client gets what was kept back before we wait.
                clock
                    .within(bounds.client, pin!(reply.flush()))
                    .await
                    .map_err(|_| Fault::ClientGone)?
                    .map_err(|_| Fault::ClientGone)?;
                clock.within(bounds.backend, next).await.map_err(|_| Fault::BackendTimeout)?
            }
        };
        match piece.map_err(Fault::Backend)? {
            Piece::Data { chunk, more } => {
                *moved += chunk.as_slice().len() as u64;
                if let Some(keep) = keep {
                    keep.data(chunk.as_slice());
                }
                let patience = reply.patience(bounds.client);
                let sent = clock.within(patience, pin!(reply.data(chunk, more))).await;
                sent.map_err(|_| Fault::ClientGone)?.map_err(|_| Fault::ClientGone)?;
            }
            Piece::End(trailers) => {
                if let Some(keep) = keep {
                    keep.end();
                }
                let sent = clock.within(bounds.client, pin!(reply.end(trailers))).await;
                return sent.map_err(|_| Fault::ClientGone)?.map_err(|_| Fault::ClientGone);
            }
        }
    }
}

/// Passes bytes both ways until both sides ended, either failed, or neither says anything for too long.
pub(super) async fn tunnel<B: Source, R: Reply, Q: Request, S: Source>(
    (body, reply): (&mut B, &mut R),
    (request, response): (&mut Q, &mut S),
    clock: &Clock,
    idle: Duration,
    moved: &mut Moved,
) {
    let activity = std::cell::Cell::new(0u64);
    let Moved { up, down } = moved;
    let mut upward = pin!(pass(body, request, up, &activity));
    let mut downward = pin!(async {
        let flushed = reply.flush().await;
        if flushed.is_ok() { pass(response, reply, down, &activity).await } else { Err(Broken::Closed) }
    });
    let (mut up_done, mut down_done) = (false, false);
    let mut timer = clock.timer(idle);
    let mut seen = 0;
    poll_fn(|cx| {
        if !up_done && let Poll::Ready(result) = upward.as_mut().poll(cx) {
            up_done = true;
            if result.is_err() {
                return Poll::Ready(());
            }
        }
        if !down_done && let Poll::Ready(_) = downward.as_mut().poll(cx) {
            down_done = true;
            // A backend that ended has nothing left to hear for.
            return Poll::Ready(());
        }
        if activity.get() != seen {
            seen = activity.get();
            timer.restart();
        }
        timer.poll_elapsed(cx)
    })
    .await;
}

async fn pass<A: Source, Z: Sink>(
    from: &mut A,
    to: &mut Z,
    moved: &mut u64,
    activity: &std::cell::Cell<u64>,
) -> Result<(), Broken> {
    loop {
        match from.next().await? {
            Piece::Data { chunk, .. } => {
                *moved += chunk.as_slice().len() as u64;
                activity.set(activity.get() + 1);
                to.data(chunk, false).await?;
            }
            Piece::End(_) => return to.end(None).await,
        }
    }
}
