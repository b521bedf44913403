//! A response on its way to the client at the bandwidth that limits leave it, with what limits have to say.

use super::limit::Shown;
use super::serve::Course;
use super::{Broken, Chunk, Downstream, Prepared, Reply, Sink, Worker};
use crate::config::{LimitId, Route};
use crate::http::{Fields, Length, RequestHead, ResponseHead};
use crate::limit::{Ask, Bandwidth, Flow, Key, Limiter};
use crate::telemetry::metrics::LimitMetrics;
use std::cell::RefCell;
use std::future::pending;
use std::pin::pin;
use std::time::{Duration, Instant};

/// One limit's bandwidth, for the key of this exchange.
struct Lane<'a> {
    table: &'a Bandwidth,
    flow: Flow,
    key: Key,
    observe: bool,
    metrics: &'a LimitMetrics,
}

/// How the content of one exchange's response is paced, and what is said of limits.
pub(super) struct Pacing<'a> {
    worker: &'a Worker,
    lanes: Vec<Lane<'a>>,
    /// Bytes that are sent in one piece.
    slice: usize,
    /// For how long the client may take nothing.
    limit: Duration,
    shown: &'a RefCell<Shown>,
}

impl<'a> Course<'a> {
    /// Whether the responses of a route need a [`Paced`].
    pub(super) fn is_paced(&self, route: &Route) -> bool {
        let snapshot = &self.held.generation.snapshot;
        let is_paced = |LimitId(at): &LimitId| {
            snapshot.config.limits[*at].fields || matches!(*snapshot.limits[*at].limiter, Limiter::Bandwidth(..))
        };
        route.limits.iter().any(is_paced)
    }

    /// The bandwidths that hold for an exchange.
    pub(super) fn pacing(&'a self, route: &'a Route, head: &RequestHead) -> Pacing<'a> {
        let lane = |id: &LimitId| {
            let live = &self.held.generation.snapshot.limits[id.0];
            let Limiter::Bandwidth(flow, table) = &*live.limiter else { return None };
            let Ask { key, observe, .. } = self.ask_limit(*id, route, head)?;
            Some(Lane { table, flow: *flow, key, observe, metrics: &live.metrics })
        };
        let lanes: Vec<Lane<'_>> = route.limits.iter().filter_map(lane).collect();
        let slice = lanes.iter().map(|lane| lane.flow.slice()).min().unwrap_or(usize::MAX);
        Pacing { worker: self.worker, lanes, slice, limit: self.client.gate.timeouts.body, shown: &self.shown }
    }
}

impl Pacing<'_> {
    /// How long so many bytes are to wait. They are taken from all lanes; the longest wait counts.
    fn wait(&self, bytes: usize) -> Duration {
        let now = self.worker.clock.exact(Instant::now());
        let wait = |lane: &Lane<'_>| {
            let wait = match lane.observe {
                true => lane.table.observe(lane.key, lane.flow, bytes as u64, now),
                false => lane.table.reserve(lane.key, lane.flow, bytes as u64, now),
            };
            if !wait.is_zero() {
                self.worker.metrics.limit_waits(lane.metrics);
            }
            if lane.observe { Duration::ZERO } else { wait }
        };
        self.lanes.iter().map(wait).max().unwrap_or_default()
    }
}

/// The client's receiving half, which gets content no faster than it may.
pub(super) struct Paced<'a, R: Reply> {
    reply: &'a mut R,
    pacing: Pacing<'a>,
}

impl<R: Reply> Paced<'_, R> {
    /// Waits until so many bytes may be sent. What was kept back goes before, so that the client is not kept waiting twice.
    async fn turn(&mut self, bytes: usize) -> Result<(), Broken> {
        let wait = self.pacing.wait(bytes);
        if wait.is_zero() {
            return Ok(());
        }
        let clock = &self.pacing.worker.clock;
        clock.within(self.pacing.limit, pin!(self.reply.flush())).await.unwrap_or(Err(Broken::Closed))?;
        // Its own time is what it waits for.
        let _elapsed = clock.within(wait, pending::<()>()).await;
        Ok(())
    }
}

impl<R: Reply> Sink for Paced<'_, R> {
    async fn data(&mut self, chunk: Chunk<'_>, more: bool) -> Result<(), Broken> {
        if self.pacing.lanes.is_empty() {
            return self.reply.data(chunk, more).await;
        }
        let len = chunk.as_slice().len();
        for from in (0..len).step_by(self.pacing.slice) {
            let to = len.min(from + self.pacing.slice);
            self.turn(to - from).await?;
            let piece = match &chunk {
                Chunk::Lent(slice) => Chunk::Lent(&slice[from..to]),
                Chunk::Owned(bytes) => Chunk::Owned(bytes.slice(from..to)),
            };
            let sent = pin!(self.reply.data(piece, more || to < len));
            self.pacing.worker.clock.within(self.pacing.limit, sent).await.unwrap_or(Err(Broken::Closed))?;
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
        if self.pacing.lanes.is_empty() { self.reply.patience(limit) } else { PATIENCE }
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
