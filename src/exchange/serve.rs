use super::attempts::{Ended, Task, Trail, attempts};
use super::compress::{Compressed, Compression, Wish};
use super::count::protocol_error;
use super::finish::{Finish, finish};
use super::limit::{Round, Shown};
use super::mirror::{self, Original, Tee};
use super::paced::PacedDown;
use super::parting::Parting;
use super::priority::priority;
use super::refusal::{Asked, refuse};
use super::reuse::Reused;
use super::worker::Held;
use super::{Client, Downstream, Refusal, Reply, Source, Worker, admit, answer, max_forwards, prepare};
use crate::config::{LimitId, PoolId, Route};
use crate::http::{Length, Method, RequestHead, ResponseHead, client_address, request_id};
use crate::limit::Key;
use crate::route::{Choice, select_pool, wrote_recently};
use crate::telemetry::access::End;
use std::cell::RefCell;
use std::net::IpAddr;
use std::pin::pin;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// The memory of one exchange, kept by the worker for the next.
#[derive(Debug, Default)]
pub struct Scratch {
    /// The request's head, as received and then as sent on.
    pub request: RequestHead,
    /// The response's head.
    pub response: ResponseHead,
    /// The target as received, where a route rewrites it.
    seen_target: Vec<u8>,
    /// The key of a cache.
    pub(super) key: Vec<u8>,
    /// Lines that are added to a stored head.
    pub(super) added: Vec<u8>,
    /// Who asks, where an access found that out.
    pub(super) user: Vec<u8>,
}

impl Worker {
    /// Memory for an exchange.
    #[must_use]
    pub fn scratch(&self) -> Box<Scratch> {
        self.scratch.borrow_mut().pop().unwrap_or_default()
    }

    /// Takes the memory back.
    pub fn reuse(&self, mut scratch: Box<Scratch>) {
        /// Kept at most; scattered ones pin whole pages of the allocator.
        const KEPT: usize = 64;
        let mut kept = self.scratch.borrow_mut();
        if kept.len() < KEPT {
            scratch.request.clear();
            scratch.response.clear();
            kept.push(scratch);
        }
    }
}

/// Serves one exchange, whose request head is in `scratch`.
pub async fn serve<D: Downstream>(worker: &Rc<Worker>, client: &Client, scratch: &mut Scratch, down: &mut D) {
    let started = Instant::now();
    let _in_flight = worker.metrics.exchange_started();
    let held = worker.current();
    let id = worker.random();
    let who = if client.gate.trust_forwarded.is_empty() {
        client.peer.ip()
    } else {
        client_address(&scratch.request.fields, client.peer.ip(), &client.gate.trust_forwarded)
    };
    let snapshot = &held.generation.snapshot;
    scratch.user.clear();
    if !snapshot.own.is_empty() && !client.is_trusted() {
        // Before anything is decided by them.
        snapshot.own.strip(&mut scratch.request.fields);
    }
    prepare::vouch(&mut scratch.request.fields, client);
    let route = snapshot.table.find(&scratch.request, who);
    let mut trail = Trail::default();
    let taken = route.map(|at| (at, &snapshot.config.routes[at]));
    let compress = taken.and_then(|(_, route)| route.compress.as_ref());
    let wish = compress.map(|compress| Wish::of(compress, &scratch.request));
    let course = Course {
        worker,
        client,
        held: &held,
        route: taken,
        id,
        who,
        came: worker.clock.exact(started),
        compression: Compression::of(compress, wish.as_ref(), &worker.encoders),
        shown: RefCell::default(),
        lanes: RefCell::default(),
    };
    let is_dressed = |route| course.compression.is_some() || course.is_paced(route);
    let (end, pool) = match course.route().is_some_and(is_dressed) {
        false => course.run(scratch, down, &mut trail).await,
        true => Box::pin(course.run_dressed(scratch, down, &mut trail)).await,
    };
    let target = if scratch.seen_target.is_empty() { &scratch.request.target } else { &scratch.seen_target };
    finish(&Finish {
        worker,
        client,
        held: &held,
        who,
        route,
        pool,
        trail: &trail,
        id,
        started,
        target,
        request: &scratch.request,
        response: &scratch.response,
        user: &scratch.user,
        end,
    });
    scratch.seen_target.clear();
}

/// One exchange after admission.
pub(super) struct Course<'a> {
    pub(super) worker: &'a Rc<Worker>,
    pub(super) client: &'a Client,
    pub(super) held: &'a Rc<Held>,
    pub(super) route: Option<(usize, &'a Route)>,
    pub(super) id: u128,
    pub(super) who: IpAddr,
    /// When it came, since the process began.
    pub(super) came: Duration,
    /// What the response says to this client alone.
    pub(super) shown: RefCell<Shown>,
    /// The bandwidths that hold for it.
    pub(super) lanes: RefCell<Vec<(LimitId, Key)>>,
    /// None: the route does not compress.
    pub(super) compression: Option<Compression<'a>>,
}

impl Course<'_> {
    async fn run<D: Downstream>(
        &self,
        scratch: &mut Scratch,
        down: &mut D,
        trail: &mut Trail,
    ) -> (End, Option<PoolId>) {
        let length = down.halves().0.length();
        let by_path = self.held.generation.snapshot.table.looks_at_paths();
        let (at, route) = match (admit::admit(&scratch.request, length, self.route(), by_path), self.route) {
            (Ok(()), Some(route)) => route,
            (Ok(()), None) => return (Box::pin(self.refuse(Refusal::NoRoute, scratch, down, trail)).await, None),
            (Err(refusal), _) => return (Box::pin(self.refuse(refusal, scratch, down, trail)).await, None),
        };
        // Both are held to the end of the exchange.
        let _reserved = match self.worker.memory() {
            Ok(reserved) => reserved,
            Err(refusal) => return (Box::pin(self.refuse(refusal, scratch, down, trail)).await, None),
        };
        let mut seats = self.seats(route);
        // To find out who it is may be costly, and is what is tried again and again.
        if let Err(refusal) = self.limit(route, Round::BeforeAccess, &scratch.request, &mut seats, trail) {
            return (Box::pin(self.refuse(refusal, scratch, down, trail)).await, None);
        }
        if let Some(access) = self.access() {
            if let Err(end) = self.enter(access, scratch, down, trail).await {
                return (end, None);
            }
            if let Err(refusal) = self.limit(route, Round::AfterAccess, &scratch.request, &mut seats, trail) {
                seats.refund(self.came);
                return (Box::pin(self.refuse(refusal, scratch, down, trail)).await, None);
            }
        }
        if let Some(id) = route.waiting_room
            && let Err(end) = Box::pin(self.wait(id, scratch, down, trail)).await
        {
            return (end, None);
        }
        if admit::answers_itself(&route.action) {
            return (Box::pin(self.answer(route, scratch, down, trail)).await, None);
        }
        if max_forwards::ends_here(&scratch.request) {
            return (Box::pin(self.end_here(route, scratch, down, trail)).await, None);
        }
        let forwarded = match route.cache {
            None => None,
            Some(id) => match self.reuse(id, scratch, down, trail).await {
                Reused::Ended(end) => return (end, None),
                Reused::Forward(forwarded) => Some(forwarded),
            },
        };
        let Some(pool) = self.pool(route, &scratch.request) else {
            return (Box::pin(self.refuse(Refusal::NoBackend, scratch, down, trail)).await, None);
        };
        if route.rewrite.is_some() || forwarded.is_some() {
            scratch.seen_target.clone_from(&scratch.request.target);
        }
        if let Some(forwarded) = &forwarded {
            forwarded.limit(&mut scratch.request);
        }
        if let Err(refusal) = prepare::request(&mut scratch.request, self.client, route, self.id) {
            return (Box::pin(self.refuse(refusal, scratch, down, trail)).await, None);
        }
        let tee = self.tee(at, route, &scratch.request, length);
        let Scratch { request, response, .. } = &mut *scratch;
        let Course { worker, client, held, who, .. } = *self;
        let forwarded = forwarded.as_deref();
        let (head, tee) = (&*request, &tee);
        let (voyage, priority) = (None, priority(route, head));
        let task = Task { worker, client, who, held, route, pool, head, tee, forwarded, voyage, priority };
        let ended = self.ask(&task, response, down, trail).await;
        (self.conclude(ended, scratch, down, trail).await, Some(pool))
    }

    /// As [`run`](Self::run), for a route that compresses, or whose limits pace the response or show themselves in it.
    async fn run_dressed<D: Downstream>(
        &self,
        scratch: &mut Scratch,
        down: &mut D,
        trail: &mut Trail,
    ) -> (End, Option<PoolId>) {
        let mut down = PacedDown::new(down, self.pacing());
        let mut down = Compressed::new(&mut down, self.compression);
        let ended = self.run(scratch, &mut down, trail).await;
        down.correct(&mut trail.moved.down);
        ended
    }

    /// The attempts, within the time that the route gives them.
    async fn ask<D: Downstream>(
        &self,
        task: &Task<'_>,
        response: &mut ResponseHead,
        down: &mut D,
        trail: &mut Trail,
    ) -> Ended {
        let ended = {
            let all = pin!(attempts(task, response, down, trail));
            match task.route.timeouts.total {
                None => return all.await,
                Some(limit) => self.worker.clock.within(limit, all).await,
            }
        };
        match ended {
            Ok(ended) => ended,
            Err(_) if down.halves().1.started() => Ended::Broken(Refusal::BackendTimeout),
            Err(_) => Ended::Refused(Refusal::BackendTimeout),
        }
    }

    fn route(&self) -> Option<&Route> {
        self.route.map(|(_, route)| route)
    }

    /// What makes a copy of the request, where the route says so.
    pub(super) fn tee(&self, at: usize, route: &Route, head: &RequestHead, length: Length) -> Tee {
        let Some(mirror) = &route.mirror else { return Tee::default() };
        let Course { worker, client, who, held, id, .. } = *self;
        mirror::mirror(mirror, &Original { worker, client, who, held, route: at, head, length, id })
    }

    pub(super) async fn conclude<D: Downstream>(
        &self,
        ended: Ended,
        scratch: &mut Scratch,
        down: &mut D,
        trail: &mut Trail,
    ) -> End {
        match ended {
            Ended::Answered => End::Complete,
            Ended::Refused(refusal) => Box::pin(self.refuse(refusal, scratch, down, trail)).await,
            Ended::Broken(refusal) => {
                if refusal.reason().is_none() {
                    self.worker.metrics.protocol_error(protocol_error(refusal));
                }
                down.halves().1.abort();
                if matches!(refusal, Refusal::BackendTimeout | Refusal::BodyTimeout) {
                    End::TimedOut
                } else {
                    End::BackendAborted
                }
            }
            Ended::ClientGone => {
                down.halves().1.abort();
                self.worker.metrics.client_aborted();
                End::ClientAborted
            }
        }
    }

    /// The pool that this request goes to.
    pub(super) fn pool(&self, route: &Route, head: &RequestHead) -> Option<PoolId> {
        let choice = match &route.action {
            crate::config::Action::Pool(pool) => return Some(*pool),
            crate::config::Action::ReadWrite { read_your_writes: Some(ttl), .. } => Choice {
                is_safe: head.method.is_safe(),
                wrote: wrote_recently(&head.fields, self.worker.clock.date().unix(), *ttl),
                roll: 0,
            },
            _ => Choice { is_safe: head.method.is_safe(), wrote: false, roll: (self.id >> 96) as u32 },
        };
        select_pool(&route.action, choice)
    }

    pub(super) async fn refuse<D: Downstream>(
        &self,
        refusal: Refusal,
        scratch: &mut Scratch,
        down: &mut D,
        trail: &mut Trail,
    ) -> End {
        trail.entering = None;
        match refusal.reason() {
            Some(reason) => self.worker.metrics.refused(reason),
            None => self.worker.metrics.protocol_error(protocol_error(refusal)),
        }
        tracing::debug!(?refusal, client = %self.who, "refused");
        let id = request_id(self.id);
        let challenge = match refusal {
            Refusal::Unauthenticated { wrong } => self.access().and_then(|access| access.challenge(wrong)),
            _ => None,
        };
        let asked = Asked {
            method: &scratch.request.method,
            fields: &scratch.request.fields,
            route: self.route(),
            challenge,
            limits: &self.held.generation.snapshot.limits,
            request_id: std::str::from_utf8(&id).expect("hexadecimal digits"),
        };
        let limit = self.client.gate.timeouts.body;
        let reply = down.halves().1;
        match refuse(refusal, asked, &self.worker.clock, limit, &mut scratch.response, reply).await {
            Ok(sent) => {
                trail.moved.down += sent;
                if refusal == Refusal::BackendTimeout { End::TimedOut } else { End::Refused }
            }
            Err(_) => {
                reply.abort();
                End::ClientAborted
            }
        }
    }

    /// Gives the response that the route itself holds.
    async fn answer<D: Downstream>(
        &self,
        route: &Route,
        scratch: &mut Scratch,
        down: &mut D,
        trail: &mut Trail,
    ) -> End {
        let content = answer::fixed(&route.action, &scratch.request, &self.worker.clock, &mut scratch.response);
        self.say(content, route, scratch, down, trail).await
    }

    /// Answers OPTIONS in place of a backend that it may not reach; TRACE would show what earlier hops added.
    async fn end_here<D: Downstream>(
        &self,
        route: &Route,
        scratch: &mut Scratch,
        down: &mut D,
        trail: &mut Trail,
    ) -> End {
        if scratch.request.method != Method::Options {
            return self.refuse(Refusal::Method, scratch, down, trail).await;
        }
        answer::options(&self.worker.clock, &mut scratch.response);
        self.say(b"", route, scratch, down, trail).await
    }

    /// Sends a response of our own, whose head is in `scratch`.
    pub(super) async fn say<D: Downstream>(
        &self,
        content: &[u8],
        route: &Route,
        scratch: &mut Scratch,
        down: &mut D,
        trail: &mut Trail,
    ) -> End {
        // No pool has a part in it, however long it takes to be read.
        trail.entering = None;
        let Scratch { request, response, .. } = scratch;
        if !route.response.is_empty() {
            crate::route::edit(&route.response, &mut response.fields);
        }
        let (body, reply) = down.halves();
        let limit = self.client.gate.timeouts.body;
        let patience = reply.patience(limit);
        let waits = patience > limit && body.length() == Length::None;
        let sent = {
            let send = pin!(answer::send(response, content, answer::is_head(&request.method), reply));
            self.send_within_bounds(body, waits, self.worker.clock.within(patience, send)).await
        };
        match sent {
            Ok(Ok(Ok(sent))) => {
                trail.moved.down += sent;
                End::Complete
            }
            parted => {
                reply.abort();
                if matches!(parted, Err(Parting::TimedOut)) { End::TimedOut } else { End::ClientAborted }
            }
        }
    }
}
