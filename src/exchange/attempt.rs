//! One try at one backend.

use super::attempts::{Ended, Seated, Task, Trail};
use super::chances::{Cause, Chances};
use super::kept::Kept;
use super::relay::{self, Fault, Moved, Witnesses};
use super::{Body, Broken, Downstream, Refusal, Reply, Request, Source, Upstream};
use crate::config::Policy;
use crate::http::{Length, ResponseHead};
use crate::live::{self, Outcome};
use crate::telemetry::metrics::AttemptFailure;
use crate::upstream::{Connection, Line, Taken};
use std::cell::Cell;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Instant;

/// What follows an attempt.
pub(super) enum Step {
    Ended(Ended),
    /// Nothing was said to the client: another backend may have it. `granted`: that was decided already.
    Next {
        refusal: Refusal,
        granted: bool,
        cause: Cause,
    },
    /// A connection that had stood was closed under us: the same backend, on a new one.
    Again,
}

pub(super) async fn attempt<D: Downstream>(
    task: &Task<'_>,
    seated: &Seated<'_>,
    chances: &Chances<'_>,
    kept: &mut Kept<'_>,
    response: &mut ResponseHead,
    down: &mut D,
    trail: &mut Trail,
) -> Step {
    let (worker, backend) = (task.worker, seated.slot.backend);
    let line = &seated.crew.lines[seated.slot.at];
    let Taken { connection, reused } = match connect(task, line, seated).await {
        Ok(taken) => taken,
        Err(cause) => {
            note(task, seated, Outcome::Failed);
            return Step::Next { refusal: Refusal::ConnectFailed, granted: false, cause };
        }
    };
    worker.metrics.attempt(&backend.metrics, reused);
    let before = trail.moved.up;
    trail.first_byte = None;
    let sent = learns(task).then(Instant::now);
    if let Some(sent) = sent {
        seated.slot.sending(sent);
    }
    let try_one = Try { task, seated, chances, sent };
    let (result, heard, unprocessed) = match connection {
        Connection::Http1(mut connection) => {
            let mut up = connection.exchange(&worker.buffers, task.head.method.clone(), !task.head.protocol.is_empty());
            let result = try_one.run(response, kept, down, &mut up, trail).await;
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
            let result = Box::pin(try_one.run(response, kept, down, &mut *up, trail)).await;
            (result, up.heard(), up.unprocessed())
        }
    };
    let Err(fault) = result else {
        note(task, seated, Outcome::Status(response.status));
        return Step::Ended(Ended::Answered);
    };
    let started = down.halves().1.started();
    let untouched = trail.moved.up == before && !started;
    // RFC 9110 §9.2.2: closed before a word was said, a request may be repeated if that changes nothing.
    let stale = reused && !heard && matches!(fault, Fault::Backend(Broken::Closed)) && task.head.method.is_idempotent();
    if untouched && !seated.fresh && (stale || unprocessed) {
        return Step::Again;
    }
    try_one.conclude(fault, started, unprocessed)
}

/// Whether anybody wants latencies.
fn learns(task: &Task<'_>) -> bool {
    let config = task.config();
    config.balance.policy == Policy::PeakEwma || config.concurrency.is_some()
}

/// A connection that stands, or a new one.
async fn connect(task: &Task<'_>, line: &Line, seated: &Seated<'_>) -> Result<Taken, Cause> {
    if !seated.fresh
        && let Some(taken) = line.take()
    {
        return Ok(taken);
    }
    let (worker, backend, limit) = (task.worker, seated.slot.backend, task.config().timeouts.connect);
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
            Err(if error.is_unreached() { Cause::Unreached } else { Cause::Unsent })
        }
        Err(_) => {
            worker.metrics.connect_failed(&backend.metrics);
            seated.slot.is_silent(task.now());
            tracing::debug!(backend = backend.name, ?limit, "cannot connect in time");
            Err(Cause::Unsent)
        }
    }
}

/// Tells the pool what the attempt showed.
fn note(task: &Task<'_>, seated: &Seated<'_>, outcome: Outcome) {
    let Seated { slot, crew, admitted, .. } = seated;
    let ended = live::Ended { at: slot.at, outcome, now: task.now() };
    if task.live_pool().note(task.config(), &crew.members, admitted, ended) {
        task.worker.metrics.ejected(&slot.backend.metrics);
        tracing::warn!(pool = task.config().name, backend = slot.backend.name, "ejected: too many failures");
    }
}

struct Try<'a> {
    task: &'a Task<'a>,
    seated: &'a Seated<'a>,
    chances: &'a Chances<'a>,
    /// When the request began to be sent, where somebody wants latencies.
    sent: Option<Instant>,
}

impl Try<'_> {
    /// The head of a response is there. An error that comes fast is no reason to ask there more.
    fn learn(&self, status: u16) {
        let Some(sent) = self.sent else { return };
        if status < 500 {
            self.seated.slot.backend.latency.record(sent.elapsed(), self.task.now());
        }
        self.seated.slot.answered(status, self.task.now());
    }

    fn conclude(&self, fault: Fault, started: bool, unprocessed: bool) -> Step {
        let backend = self.seated.slot.backend;
        let (refusal, failure) = match fault {
            Fault::ClientGone => return Step::Ended(Ended::ClientGone),
            Fault::Client(refusal) if started => return Step::Ended(Ended::Broken(refusal)),
            Fault::Client(refusal) => return Step::Ended(Ended::Refused(refusal)),
            Fault::Status(status) => {
                note(self.task, self.seated, Outcome::Status(status));
                return Step::Next { refusal: Refusal::NoBackend, granted: true, cause: Cause::Status(status) };
            }
            Fault::BackendTimeout => {
                self.seated.slot.is_silent(self.task.now());
                (Refusal::BackendTimeout, AttemptFailure::Timeout)
            }
            Fault::Backend(broken) => match Refusal::of_backend(&broken) {
                refusal @ Refusal::BackendProtocol(rule) => {
                    tracing::warn!(backend = backend.name, rule, "a response that breaks a rule");
                    (refusal, AttemptFailure::Protocol)
                }
                refusal => (refusal, AttemptFailure::Closed),
            },
        };
        self.task.worker.metrics.attempt_failed(&backend.metrics, failure);
        note(self.task, self.seated, Outcome::Failed);
        if started {
            return Step::Ended(Ended::Broken(refusal));
        }
        let cause = if unprocessed { Cause::Unsent } else { Cause::Status(refusal.status()) };
        Step::Next { refusal, granted: false, cause }
    }

    /// One exchange over one connection.
    async fn run<D: Downstream, U: Upstream>(
        &self,
        head: &mut ResponseHead,
        kept: &mut Kept<'_>,
        down: &mut D,
        up: &mut U,
        trail: &mut Trail,
    ) -> Result<(), Fault> {
        let Try { task, seated, chances, .. } = *self;
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
                let own = &task.held.generation.snapshot.own;
                let seen = Witnesses { tee: task.tee, kept, moved: moved_up, own };
                let result = relay::upload(body, request, seen, clock, &bounds).await;
                sent.set(true);
                seated.slot.is_whole();
                result?;
                body.gone().await;
                Err::<(), Fault>(Fault::ClientGone)
            });
            let mut downward = pin!(async {
                relay::response_head(response, reply, head).await?;
                answered.set(true);
                *first_byte = Some(Instant::now());
                self.learn(head.status);
                if chances.allow(Cause::Status(head.status), seated.slot.at) {
                    return Err(Fault::Status(head.status));
                }
                relay::content_begins(response).await?;
                seated.want.answered(head.status);
                let length = response.length();
                task.respond(head, length, seated)
                    .map_err(|_| Fault::Backend(Broken::Malformed("connection_options")))?;
                reply.head(head, length).await.map_err(|_| Fault::ClientGone)?;
                if length == Length::Tunnel {
                    return Ok(true);
                }
                relay::download(response, reply, clock, &bounds, (moved_down, task.keep())).await.map(|()| false)
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
                if !sent.get() {
                    seated.slot.is_partial();
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
}
