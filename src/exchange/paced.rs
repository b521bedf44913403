//! A response on its way to the client at the bandwidth that limits leave it, with what limits have to say.

use super::limit::Shown;
use super::serve::Course;
use super::{Broken, Chunk, Downstream, Prepared, Reply, Sink, Worker};
use crate::config::{LimitId, Route};
use crate::http::{Fields, Length, ResponseHead};
use crate::limit::{Key, Limiter};
use crate::live::Snapshot;
use std::cell::RefCell;
use std::future::pending;
use std::pin::pin;
use std::time::{Duration, Instant};

/// How the content of one exchange's response is paced, and what is said of limits. Both are known once it was admitted.
pub(super) struct Pacing<'a> {
    worker: &'a Worker,
    snapshot: &'a Snapshot,
    lanes: &'a RefCell<Vec<(LimitId, Key)>>,
    shown: &'a RefCell<Shown>,
    /// For how long the client may take nothing.
    limit: Duration,
}

impl<'a> Course<'a> {
    /// Whether the responses of a route need a [`Paced`].
    pub(super) fn is_paced(&self, route: &Route) -> bool {
        let snapshot = self.snapshot();
        if route.waiting_room.is_some() {
            return true;
        }
        let is_paced = |LimitId(at): &LimitId| {
            snapshot.config.limits[*at].fields || matches!(*snapshot.limits[*at].limiter, Limiter::Bandwidth(..))
        };
        route.limits.iter().any(is_paced)
    }

    pub(super) fn pacing(&'a self) -> Pacing<'a> {
        let limit = self.client.gate.timeouts.body;
        let Course { worker, lanes, shown, .. } = self;
        Pacing { worker, snapshot: self.snapshot(), lanes, shown, limit }
    }
}

impl<'a> Pacing<'a> {
    fn is_free(&self) -> bool {
        self.lanes.borrow().is_empty()
    }

    /// Bytes that are sent in one piece.
    fn slice(&self) -> usize {
        let now = self.worker.clock.coarse();
        let slice = |(id, _): &(LimitId, Key)| {
            self.snapshot.limits[id.0].limiter.bandwidth(now).map_or(usize::MAX, |(flow, _)| flow.slice())
        };
        self.lanes.borrow().iter().map(slice).min().unwrap_or(usize::MAX)
    }

    /// Takes so many bytes from all lanes, and says how long they are to wait; the longest wait counts.
    fn reserve(&self, bytes: usize) -> (Reserved<'_, 'a>, Duration) {
        let now = self.worker.clock.exact(Instant::now());
        let wait = |(id, key): &(LimitId, Key)| self.wait_in(*id, *key, bytes as u64, now);
        let wait = self.lanes.borrow().iter().map(wait).max().unwrap_or_default();
        (Reserved { pacing: self, bytes, is_sent: false }, wait)
    }

    fn give_back(&self, bytes: usize) {
        let now = self.worker.clock.exact(Instant::now());
        for (id, key) in self.lanes.borrow().iter().filter(|(id, _)| !self.snapshot.config.limits[id.0].observe) {
            if let Some((flow, table)) = self.snapshot.limits[id.0].limiter.bandwidth(now) {
                table.give_back(*key, flow, bytes as u64, now);
            }
        }
    }

    fn wait_in(&self, id: LimitId, key: Key, bytes: u64, now: Duration) -> Duration {
        let live = &self.snapshot.limits[id.0];
        let Some((flow, table)) = live.limiter.bandwidth(now) else { return Duration::ZERO };
        let observe = self.snapshot.config.limits[id.0].observe;
        let wait = match observe {
            true => table.observe(key, flow, bytes, now),
            false => table.reserve(key, flow, bytes, now),
        };
        if !wait.is_zero() {
            self.worker.metrics.limit_waits(&live.metrics);
        }
        if observe { Duration::ZERO } else { wait }
    }
}

/// Bytes that were taken from lanes. Of those that are not sent, as the client went away, others have the use.
struct Reserved<'p, 'a> {
    pacing: &'p Pacing<'a>,
    bytes: usize,
    is_sent: bool,
}

impl Drop for Reserved<'_, '_> {
    fn drop(&mut self) {
        if !self.is_sent {
            self.pacing.give_back(self.bytes);
        }
    }
}

/// The client's receiving half, which gets content no faster than it may.
pub(super) struct Paced<'a, R: Reply> {
    reply: &'a mut R,
    pacing: Pacing<'a>,
}

/// Waits until so many bytes may be sent. What was kept back goes before, so that the client is not kept waiting twice.
async fn turn<'p, 'a, R: Reply>(
    pacing: &'p Pacing<'a>,
    reply: &mut R,
    bytes: usize,
) -> Result<Reserved<'p, 'a>, Broken> {
    let (reserved, wait) = pacing.reserve(bytes);
    if !wait.is_zero() {
        let clock = &pacing.worker.clock;
        clock.within(pacing.limit, pin!(reply.flush())).await.unwrap_or(Err(Broken::Closed))?;
        // Its own time is what it waits for.
        let _elapsed = clock.within(wait, pending::<()>()).await;
    }
    Ok(reserved)
}

impl<R: Reply> Sink for Paced<'_, R> {
    async fn data(&mut self, chunk: Chunk<'_>, more: bool) -> Result<(), Broken> {
        if self.pacing.is_free() {
            return self.reply.data(chunk, more).await;
        }
        let Paced { reply, pacing } = self;
        let (len, slice) = (chunk.as_slice().len(), pacing.slice());
        for from in (0..len).step_by(slice) {
            let to = len.min(from + slice);
            let mut reserved = turn(pacing, *reply, to - from).await?;
            let piece = match &chunk {
                Chunk::Lent(slice) => Chunk::Lent(&slice[from..to]),
                Chunk::Owned(bytes) => Chunk::Owned(bytes.slice(from..to)),
            };
            let sent = pin!(reply.data(piece, more || to < len));
            pacing.worker.clock.within(pacing.limit, sent).await.unwrap_or(Err(Broken::Closed))?;
            reserved.is_sent = true;
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), Broken> {
        self.reply.flush().await
    }

    async fn end(&mut self, trailers: Option<&Fields>) -> Result<(), Broken> {
        self.reply.end(trailers).await
    }
}

impl<R: Reply> Reply for Paced<'_, R> {
    async fn interim(&mut self, head: &ResponseHead) -> Result<(), Broken> {
        self.reply.interim(head).await
    }

    async fn head(&mut self, head: &ResponseHead, length: Length) -> Result<(), Broken> {
        if self.pacing.shown.borrow().is_empty() {
            return self.reply.head(head, length).await;
        }
        let mut head = head.clone();
        self.pacing.shown.borrow().push(&mut head.fields);
        self.reply.head(&head, length).await
    }

    async fn prepared(&mut self, head: &Prepared<'_>, length: Length) -> Result<(), Broken> {
        if self.pacing.shown.borrow().is_empty() {
            return self.reply.prepared(head, length).await;
        }
        self.head(&head.to_head(), length).await
    }

    fn abort(&mut self) {
        self.reply.abort();
    }

    fn started(&self) -> bool {
        self.reply.started()
    }

    fn patience(&self, limit: Duration) -> Duration {
        if self.pacing.is_free() { self.reply.patience(limit) } else { PATIENCE }
    }
}

/// An exchange whose response is paced: the halves of another, with a [`Paced`] in place of its reply.
pub(super) struct PacedDown<'a, D: Downstream> {
    body: &'a mut D::Body,
    reply: Paced<'a, D::Reply>,
}

impl<'a, D: Downstream> PacedDown<'a, D> {
    pub(super) fn new(down: &'a mut D, pacing: Pacing<'a>) -> PacedDown<'a, D> {
        let (body, reply) = down.halves();
        PacedDown { body, reply: Paced { reply, pacing } }
    }
}

impl<'a, D: Downstream> Downstream for PacedDown<'a, D> {
    type Body = D::Body;
    type Reply = Paced<'a, D::Reply>;

    fn halves(&mut self) -> (&mut Self::Body, &mut Self::Reply) {
        (self.body, &mut self.reply)
    }
}

/// One piece of content may be as long on its way as its bandwidth wants; within, each wait for the client is bounded as
/// everywhere.
const PATIENCE: Duration = Duration::from_secs(86_400);
