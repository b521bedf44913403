//! Attempts: one try at one backend each, until one gives a response or none can.

use super::mirror::Tee;
use super::relay::{self, Bounds, Fault, Moved};
use super::worker::{Held, HeldPool};
use super::{Body, Broken, Client, Downstream, Refusal, Reply, Request, Source, Upstream, Worker, prepare};
use crate::config::{PoolId, Route};
use crate::http::{FieldName, Length, RequestHead, ResponseHead};
use crate::live::LiveBackend;
use crate::route;
use crate::telemetry::metrics::AttemptFailure;
use crate::upstream::{Connection, Line, Taken};
use std::cell::Cell;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

/// Tries at backends for one exchange.
const ATTEMPTS_MAX: u32 = 3;

/// What attempts need to know.
pub(super) struct Task<'a> {
    pub(super) worker: &'a Worker,
    pub(super) client: &'a Client,
    pub(super) held: &'a Held,
    pub(super) route: &'a Route,
    pub(super) pool: PoolId,
    pub(super) head: &'a RequestHead,
    pub(super) tee: &'a Tee,
}

/// What is known of the attempts made.
#[derive(Default)]
pub(super) struct Trail {
    pub(super) attempts: u32,
    pub(super) backend: Option<usize>,
    pub(super) first_byte: Option<Instant>,
    pub(super) moved: Moved,
}

/// How the attempts ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// The client has the whole response.
    Answered,
    /// Nothing was said to the client yet.
    Refused(Refusal),
    /// The response broke off midway.
    Broken(Refusal),
    /// The client is gone.
    ClientGone,
}

/// Tries backends until one answers.
pub(super) async fn attempts<D: Downstream>(
    task: &Task<'_>,
    response: &mut ResponseHead,
    down: &mut D,
    trail: &mut Trail,
) -> Ended {
    let pool = &task.held.pools[task.pool.0];
    let mut tried = Tried::default();
    let mut last = Refusal::NoBackend;
    let mut again = None;
    while trail.attempts < ATTEMPTS_MAX {
        let fresh = again.is_some();
        let Some(at) = again.take().or_else(|| pool.policy.borrow_mut().pick(|at| !tried.has(at))) else { break };
        trail.attempts += 1;
        trail.backend = Some(at);
        if trail.attempts > 1 {
            task.worker.metrics.retried(&task.live_pool().metrics);
        }
        match attempt(task, pool, at, fresh, response, down, trail).await {
            Step::Ended(ended) => return ended,
            Step::Next(refusal) => {
                tried.add(at);
                last = refusal;
            }
            Step::Again => again = Some(at),
        }
    }
    Ended::Refused(last)
}

/// What follows an attempt.
enum Step {
    Ended(Ended),
    /// Nothing was sent: another backend may have it.
    Next(Refusal),
    /// A connection that had stood was closed under us: the same backend, on a new one.
    Again,
}

async fn attempt<D: Downstream>(
    task: &Task<'_>,
    pool: &HeldPool,
    at: usize,
    fresh: bool,
    response: &mut ResponseHead,
    down: &mut D,
    trail: &mut Trail,
) -> Step {
    let (worker, backend) = (task.worker, &task.live_pool().backends[at]);
    let line = &pool.lines[at];
    let Taken { connection, reused } = match connect(task, line, backend, fresh).await {
        Ok(taken) => taken,
        Err(refusal) => return Step::Next(refusal),
    };
    worker.metrics.attempt(&backend.metrics, reused);
    let before = trail.moved.up;
    let (result, heard, unprocessed) = match connection {
        Connection::Http1(mut connection) => {
            let mut up = connection.exchange(&worker.buffers, task.head.method.clone(), !task.head.protocol.is_empty());
            let result = run(task, response, down, &mut up, trail).await;
            drop(up);
            let heard = connection.heard();
            if result.is_ok() {
                line.put_back(connection, &worker.buffers, worker.clock.coarse());
            }
            (result, heard, false)
        }
        Connection::Http2(connection) => {
            let mut up = Box::new(connection.exchange(task.head.method.clone()));
            // Boxed: the future for HTTP/2 is larger, and what is boxed costs nothing where it is not used.
            let result = Box::pin(run(task, response, down, &mut *up, trail)).await;
            (result, up.heard(), up.unprocessed())
        }
    };
    let Err(fault) = result else { return Step::Ended(Ended::Answered) };
    let started = down.halves().1.started();
    let untouched = trail.moved.up == before && !started;
    // RFC 9110 §9.2.2: closed before a word was said, a request may be repeated if that changes nothing.
    let stale = reused && !heard && matches!(fault, Fault::Backend(Broken::Closed)) && task.head.method.is_idempotent();
    if untouched && (stale || unprocessed) {
        return Step::Again;
    }
    Step::Ended(conclude(task, backend, fault, started))
}

/// A connection that stands, or a new one.
async fn connect(task: &Task<'_>, line: &Line, backend: &LiveBackend, fresh: bool) -> Result<Taken, Refusal> {
    if !fresh && let Some(taken) = line.take() {
        return Ok(taken);
    }
    let (worker, limit) = (task.worker, task.config().timeouts.connect);
    // Boxed: rare, and large.
    let dial = Box::pin(line.dial(task.client.peer, task.client.local, &worker.clock));
    match worker.clock.within(limit, dial).await {
        Ok(Ok(taken)) => {
            worker.metrics.connected(&backend.metrics);
            Ok(taken)
        }
        Ok(Err(error)) => {
            worker.metrics.connect_failed(&backend.metrics);
            tracing::debug!(backend = backend.name, ?error, "cannot connect");
            Err(Refusal::ConnectFailed)
        }
        Err(_) => {
            worker.metrics.connect_failed(&backend.metrics);
            tracing::debug!(backend = backend.name, ?limit, "cannot connect in time");
            Err(Refusal::ConnectFailed)
        }
    }
}

fn conclude(task: &Task<'_>, backend: &LiveBackend, fault: Fault, started: bool) -> Ended {
    let (refusal, failure) = match fault {
        Fault::ClientGone => return Ended::ClientGone,
        Fault::Client(refusal) if started => return Ended::Broken(refusal),
        Fault::Client(refusal) => return Ended::Refused(refusal),
        Fault::BackendTimeout => (Refusal::BackendTimeout, AttemptFailure::Timeout),
        Fault::Backend(broken) => match Refusal::of_backend(&broken) {
            refusal @ Refusal::BackendProtocol(rule) => {
                tracing::warn!(backend = backend.name, rule, "a response that breaks a rule");
                (refusal, AttemptFailure::Protocol)
            }
            refusal => (refusal, AttemptFailure::Closed),
        },
    };
    task.worker.metrics.attempt_failed(&backend.metrics, failure);
    if started { Ended::Broken(refusal) } else { Ended::Refused(refusal) }
}

/// One exchange over one connection.
async fn run<D: Downstream, U: Upstream>(
    task: &Task<'_>,
    head: &mut ResponseHead,
    down: &mut D,
    up: &mut U,
    trail: &mut Trail,
) -> Result<(), Fault> {
    let clock = &*task.worker.clock;
    let bounds = task.bounds();
    let (body, reply) = down.halves();
    let (request, response) = up.halves();
    request.head(task.head, body.length()).await.map_err(Fault::Backend)?;
    let Trail { first_byte, moved, .. } = trail;
    let is_tunnel = {
        let sent = Cell::new(false);
        let answered = Cell::new(false);
        let Moved { up: moved_up, down: moved_down } = &mut *moved;
        let mut upward = pin!(async {
            let result = relay::upload(body, request, task.tee, clock, &bounds, moved_up).await;
            sent.set(true);
            result?;
            body.gone().await;
            Err::<(), Fault>(Fault::ClientGone)
        });
        let mut downward = pin!(async {
            relay::response_head(response, reply, head).await?;
            answered.set(true);
            *first_byte = Some(Instant::now());
            task.respond(head).map_err(|_| Fault::Backend(Broken::Malformed("connection_options")))?;
            let length = response.length();
            reply.head(head, length).await.map_err(|_| Fault::ClientGone)?;
            if length == Length::Tunnel {
                return Ok(true);
            }
            relay::download(response, reply, clock, &bounds, moved_down).await.map(|()| false)
        });
        let mut first_byte_timer = clock.timer(bounds.first_byte);
        let mut upward_over = false;
        poll_fn(|cx| {
            // Once the request is sent, upward only watches whether the client goes: the answer comes first.
            let was_sent = sent.get();
            if was_sent && let Poll::Ready(result) = downward.as_mut().poll(cx) {
                return Poll::Ready(result);
            }
            if !upward_over && let Poll::Ready(Err(fault)) = upward.as_mut().poll(cx) {
                upward_over = true;
                // A backend that takes no more may still have an answer for us.
                if !matches!(fault, Fault::Backend(_)) {
                    return Poll::Ready(Err(fault));
                }
            }
            if !was_sent && let Poll::Ready(result) = downward.as_mut().poll(cx) {
                return Poll::Ready(result);
            }
            if sent.get() && !answered.get() {
                return first_byte_timer.poll_elapsed(cx).map(|()| Err(Fault::BackendTimeout));
            }
            Poll::Pending
        })
        .await?
    };
    if is_tunnel {
        Box::pin(relay::tunnel((body, reply), (request, response), clock, bounds.tunnel, moved)).await;
    }
    Ok(())
}

impl Task<'_> {
    pub(super) fn live_pool(&self) -> &crate::live::LivePool {
        &self.held.generation.snapshot.pools[self.pool.0]
    }

    fn config(&self) -> &crate::config::Pool {
        &self.held.generation.snapshot.config.pools[self.pool.0]
    }

    fn bounds(&self) -> Bounds {
        let (pool, route) = (&self.config().timeouts, &self.route.timeouts);
        Bounds {
            client: self.client.gate.timeouts.body,
            backend: route.idle.unwrap_or(pool.idle),
            first_byte: route.first_byte.unwrap_or(pool.first_byte),
            tunnel: route.upgrade_idle.unwrap_or(TUNNEL_IDLE),
            max_body: self.route.max_body,
        }
    }

    /// Makes the backend's response the client's.
    fn respond(&self, head: &mut ResponseHead) -> Result<(), Refusal> {
        let clock = &self.worker.clock;
        prepare::response(head, self.route, clock)?;
        if let crate::config::Action::ReadWrite { read_your_writes: Some(ttl), .. } = &self.route.action
            && !self.head.method.is_safe()
            && head.status < 500
        {
            head.fields.push_known(FieldName::SetCookie, &route::wrote_cookie(clock.date().unix(), *ttl));
        }
        Ok(())
    }
}

/// How long a tunnel may be silent unless the route says otherwise.
const TUNNEL_IDLE: Duration = Duration::from_secs(3600);

/// Backends that were tried: those beyond the first 128 are taken for untried.
#[derive(Default)]
struct Tried(u128);

impl Tried {
    fn has(&self, at: usize) -> bool {
        at < 128 && self.0 & (1 << at) != 0
    }

    fn add(&mut self, at: usize) {
        if at < 128 {
            self.0 |= 1 << at;
        }
    }
}
