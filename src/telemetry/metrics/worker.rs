use super::cells::{Count, WorkerCells, class};
use super::labels::{
    AccessVerdict, AttemptFailure, CacheOutcome, Encoded, LimitOutcome, Mirrored, ProtocolError, RefusalReason,
};
use super::{
    AccessMetrics, BackendMetrics, CacheMetrics, LimitMetrics, ListenerMetrics, Metrics, PoolMetrics, RouteMetrics,
};
use crate::config::Priority;
use crate::http::Unstorable;
use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::Ordering::Release;
use std::time::Duration;

/// What one worker counts through. It may move to its thread, and is then used there only.
pub struct WorkerMetrics {
    metrics: Arc<Metrics>,
    index: usize,
    /// Not `Sync`: two threads that count in one shard would lose counts.
    one_thread: PhantomData<Cell<()>>,
}

/// What is known of an exchange when it ends.
#[derive(Clone, Copy, Debug)]
pub struct Done {
    /// The final status that the client saw, or would have seen.
    pub status: u16,
    /// From the first byte of the request to the last of the response.
    pub duration: Duration,
    /// Bytes of request content.
    pub request_bytes: u64,
    /// Bytes of response content.
    pub response_bytes: u64,
}

/// An exchange counts as in flight until this is dropped.
#[must_use]
pub struct InFlight<'a>(&'a Count);

impl WorkerMetrics {
    pub(super) fn new(metrics: Arc<Metrics>, index: usize) -> WorkerMetrics {
        WorkerMetrics { metrics, index, one_thread: PhantomData }
    }

    /// An exchange began.
    #[inline]
    pub fn exchange_started(&self) -> InFlight<'_> {
        let in_flight = &self.cells().in_flight;
        in_flight.add(1);
        InFlight(in_flight)
    }

    /// An exchange ended.
    #[inline]
    pub fn exchange_done(&self, route: &RouteMetrics, done: &Done) {
        let cells = route.0.of(self.index);
        cells.classes[class(done.status)].add(1);
        cells.duration.observe(done.duration);
        cells.request_bytes.add(done.request_bytes);
        cells.response_bytes.add(done.response_bytes);
    }

    /// An exchange that used `pool` ended; `first_byte` is the time from the end of the request's head to the first
    /// byte of the backend's response, if there was one.
    #[inline]
    pub fn pool_done(&self, pool: &PoolMetrics, status: u16, first_byte: Option<Duration>) {
        let cells = pool.0.of(self.index);
        cells.classes[class(status)].add(1);
        if let Some(first_byte) = first_byte {
            cells.first_byte.observe(first_byte);
        }
    }

    /// A cache made `outcome` of a request, and sent so many bytes of what it holds.
    #[inline]
    pub fn cache_asked(&self, cache: &CacheMetrics, outcome: CacheOutcome, bytes: u64) {
        let cells = cache.0.of(self.index);
        cells.requests[outcome as usize].add(1);
        cells.bytes.add(bytes);
    }

    /// A request shares the fetch of another.
    pub fn collapsed(&self, cache: &CacheMetrics) {
        cache.0.of(self.index).collapsed.add(1);
    }

    /// A cache begins a fetch.
    pub fn fetched(&self, cache: &CacheMetrics) {
        cache.0.of(self.index).fetches.add(1);
    }

    /// A response was stored: so many were let go of for it, and so many variants of the same URL.
    pub fn stored(&self, cache: &CacheMetrics, evicted: usize, variants: usize) {
        let cells = cache.0.of(self.index);
        cells.stored.add(1);
        cells.evicted.add(evicted as u64);
        cells.dropped_variants.add(variants as u64);
    }

    /// A stored response was encoded; so many were let go of for it.
    pub fn encoded(&self, cache: &CacheMetrics, result: Encoded, evicted: usize) {
        let cells = cache.0.of(self.index);
        cells.encodings[result as usize].add(1);
        cells.evicted.add(evicted as u64);
    }

    /// A stored response was sent in an encoded form that was kept.
    #[inline]
    pub fn encoded_hit(&self, cache: &CacheMetrics) {
        cache.0.of(self.index).encoded_hits.add(1);
    }

    /// A response was not storable.
    pub fn unstored(&self, cache: &CacheMetrics, why: Unstorable) {
        cache.0.of(self.index).unstored[why as usize].add(1);
    }

    /// An access judged a request.
    #[inline]
    pub fn accessed(&self, access: &AccessMetrics, verdict: AccessVerdict) {
        access.0.of(self.index).verdicts[verdict as usize].add(1);
    }

    /// Keys of an access were fetched, or could not be.
    pub fn keys_fetched(&self, access: &AccessMetrics, ok: bool) {
        let cells = access.0.of(self.index);
        if ok { &cells.fetches_ok } else { &cells.fetches_failed }.add(1);
    }

    /// A limit made `outcome` of a request; `is_overflow`: as one of several new keys that share.
    #[inline]
    pub fn limit_asked(&self, limit: &LimitMetrics, outcome: LimitOutcome, is_overflow: bool) {
        let cells = limit.0.of(self.index);
        cells.requests[outcome as usize].add(1);
        cells.overflow.add(u64::from(is_overflow));
    }

    /// Content waits for its bandwidth, or would.
    pub fn limit_waits(&self, limit: &LimitMetrics) {
        limit.0.of(self.index).waits.add(1);
    }

    /// An exchange goes to another attempt.
    #[inline]
    pub fn retried(&self, pool: &PoolMetrics) {
        pool.0.of(self.index).retries.add(1);
    }

    /// An exchange was refused for want of room.
    pub fn shed(&self, pool: &PoolMetrics, priority: Priority) {
        pool.0.of(self.index).shed[priority as usize].add(1);
    }

    /// An exchange wants a backend of `pool`.
    #[inline]
    pub fn arrived(&self, pool: &PoolMetrics) {
        pool.0.of(self.index).arrived.add(1);
    }

    /// A backend of `pool` answered an exchange, and not with an error of its own.
    #[inline]
    pub fn served(&self, pool: &PoolMetrics) {
        pool.0.of(self.index).served.add(1);
    }

    /// An exchange was answered within the objective of `pool`, or was not.
    #[inline]
    pub fn judged(&self, pool: &PoolMetrics, is_on_time: bool) {
        let cells = pool.0.of(self.index);
        if is_on_time { &cells.on_time } else { &cells.late }.add(1);
    }

    /// An attempt at `backend` begins; `reused`: on a connection that stood.
    #[inline]
    pub fn attempt(&self, backend: &BackendMetrics, reused: bool) {
        let cells = backend.0.of(self.index);
        cells.attempts.add(1);
        cells.reuses.add(u64::from(reused));
    }

    /// A connection to `backend` was made.
    pub fn connected(&self, backend: &BackendMetrics) {
        backend.0.of(self.index).connects.add(1);
    }

    /// A connection to `backend` could not be made.
    pub fn connect_failed(&self, backend: &BackendMetrics) {
        backend.0.of(self.index).connect_failures.add(1);
    }

    /// An attempt failed on a connection that stood.
    pub fn attempt_failed(&self, backend: &BackendMetrics, how: AttemptFailure) {
        backend.0.of(self.index).failures[how as usize].add(1);
    }

    /// A backend was ejected for what exchanges saw of it.
    pub fn ejected(&self, backend: &BackendMetrics) {
        backend.0.of(self.index).ejections.add(1);
    }

    /// A probe of a backend ended.
    pub fn probed(&self, backend: &BackendMetrics, passed: bool) {
        let cells = backend.0.of(self.index);
        if passed { &cells.probes_passed } else { &cells.probes_failed }.add(1);
    }

    /// Weir declined an exchange.
    pub fn refused(&self, why: RefusalReason) {
        self.cells().refusals[why as usize].add(1);
    }

    /// A client broke its protocol.
    pub fn protocol_error(&self, what: ProtocolError) {
        self.cells().protocol_errors[what as usize].add(1);
    }

    /// A client went away before its exchange ended.
    pub fn client_aborted(&self) {
        self.cells().client_aborts.add(1);
    }

    /// A request was to be copied.
    pub fn mirrored(&self, result: Mirrored) {
        self.cells().mirrored[result as usize].add(1);
    }

    /// A connection was accepted; [`connection_closed`](Self::connection_closed) is to follow.
    pub fn connection_opened(&self, listener: &ListenerMetrics) {
        let cells = listener.0.of(self.index);
        cells.accepted.add(1);
        cells.open.add(1);
    }

    /// A connection that was accepted has ended.
    pub fn connection_closed(&self, listener: &ListenerMetrics) {
        listener.0.of(self.index).open.one_less();
    }

    /// A connection was closed at accept: there are too many.
    pub fn connection_refused(&self, listener: &ListenerMetrics) {
        listener.0.of(self.index).refused.add(1);
    }

    /// A TLS handshake ended.
    pub fn tls_handshake(&self, listener: &ListenerMetrics, ok: bool) {
        let cells = listener.0.of(self.index);
        if ok { &cells.tls_ok } else { &cells.tls_failed }.add(1);
    }

    /// A client opened an HTTP/2 stream.
    #[inline]
    pub fn h2_stream(&self) {
        self.cells().h2_streams.add(1);
    }

    /// An HTTP/2 stream was reset, by either side.
    pub fn h2_reset(&self) {
        self.cells().h2_resets.add(1);
    }

    /// GOAWAY was sent for an error.
    pub fn h2_goaway(&self) {
        self.cells().h2_goaways.add(1);
    }

    #[inline]
    fn cells(&self) -> &WorkerCells {
        self.metrics.workers.of(self.index)
    }
}

impl Drop for WorkerMetrics {
    fn drop(&mut self) {
        self.metrics.claimed[self.index].store(false, Release);
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.one_less();
    }
}
