//! A fetch leaves: a task of its own that asks a backend for all who want the response.

use super::fetch::FetchDown;
use super::landing::{Failure, Landing};
use super::rest::Rest;
use super::stow::Stow;
use super::worth::Worth;
use super::{Basis, Question, Stale};
use crate::cache::entry::Entry;
use crate::cache::flight::Flight;
use crate::cache::key::{KeyRules, push_authority, push_target};
use crate::config::PoolId;
use crate::exchange::attempts::{Ended, Task, Trail, attempts};
use crate::exchange::mirror::Tee;
use crate::exchange::priority::fetch_priority;
use crate::exchange::serve::{Course, Scratch};
use crate::exchange::worker::Held;
use crate::exchange::{Client, Refusal, Worker, prepare};
use crate::http::{
    FieldName, Fields, IfFailed, Length, Method, RequestDirectives, RequestHead, ResponseHead, codings,
    strip_conditions, strip_hop_by_hop,
};
use std::cell::{Cell, RefCell};
use std::net::IpAddr;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

/// All that a fetch needs, for as long as it takes.
pub(in crate::exchange) struct Voyage {
    pub(super) worker: Rc<Worker>,
    pub(super) client: Client,
    pub(super) who: IpAddr,
    pub(super) held: Rc<Held>,
    pub(super) route: usize,
    pub(super) pool: PoolId,
    /// As it goes to the backend.
    pub(super) head: RequestHead,
    pub(super) stow: Stow,
    pub(super) flight: Arc<Flight<Failure>>,
    pub(super) flight_key: (u128, u64),
    /// What is validated.
    pub(super) stale: Option<Arc<Entry>>,
    /// What is asked for, where parts are stored.
    pub(super) rest: Option<Rest>,
    /// Errors of the backend are not passed on: what is stale is used.
    pub(super) if_error: bool,
    /// Nobody waits for it.
    pub(super) background: bool,
    /// Whether it goes on where nobody waits for it.
    pub(super) worth: Cell<Worth>,
    began: Instant,
    /// What the leader's log says of the backend; and what he has of a waiting room, until it departs.
    pub(super) trail: Rc<RefCell<Trail>>,
    /// Fields for the leader alone.
    pub(in crate::exchange) extra: RefCell<Fields>,
    tee: Tee,
}

impl Course<'_> {
    /// Sends a fetch on its way; where its trail will be.
    pub(super) fn depart(
        &self,
        question: &Question<'_>,
        request: &RequestHead,
        flight: (&Arc<Flight<Failure>>, (u128, u64)),
        basis: Basis<'_>,
        background: bool,
    ) -> Result<Rc<RefCell<Trail>>, Refusal> {
        let Some((at, route)) = self.route else { return Err(Refusal::NoRoute) };
        let Some(pool) = self.pool(route, request) else { return Err(Refusal::NoBackend) };
        let mut head = request.clone();
        prepare_fetch(&mut head, question, basis);
        prepare::request(&mut head, self.client, route, self.id)?;
        let ranged = head.fields.has(FieldName::Range);
        let mut stow = self.stow(question, request, ranged);
        if background {
            // The wishes of the client that was served already are not those of the cache.
            stow.directives = RequestDirectives::default();
        }
        // What `Connection` takes away on the way does not select a variant.
        strip_hop_by_hop(&mut stow.asked).map_err(|_| Refusal::ConnectionOptions)?;
        let tee = self.tee(at, route, &head, Length::None);
        let (stale, rest) = match basis {
            Basis::Nothing => (None, None),
            Basis::Stale(stale) => (Some(stale), None),
            Basis::Parts(rest) => (None, Some(rest.clone())),
        };
        let trail = Rc::<RefCell<Trail>>::default();
        let voyage = Voyage {
            worker: Rc::clone(self.worker),
            client: self.client.clone(),
            who: self.who,
            held: Rc::clone(self.held),
            route: at,
            pool,
            head,
            stow,
            flight: Arc::clone(flight.0),
            flight_key: flight.1,
            stale: stale.map(|stale| Arc::clone(&stale.entry)),
            rest,
            if_error: stale.is_some_and(|stale| stale.if_failed == IfFailed::IfError),
            background,
            worth: Cell::new(if background { Worth::Finished } else { Worth::GivenUp }),
            began: Instant::now(),
            trail: Rc::clone(&trail),
            extra: RefCell::default(),
            tee,
        };
        self.worker.metrics.fetched(&question.rules.metrics);
        tokio::task::spawn_local(voyage.run());
        Ok(trail)
    }

    /// What is to be known of a request when its response is stored.
    pub(super) fn stow(&self, question: &Question<'_>, request: &RequestHead, ranged: bool) -> Stow {
        Stow {
            worker: Rc::clone(self.worker),
            held: Rc::clone(self.held),
            cache: question.id,
            key: question.key.clone(),
            raw: question.raw.clone(),
            url_at: question.url_at,
            hash: question.hash,
            method: request.method.clone(),
            scheme: request.scheme,
            authority: request.authority.clone(),
            asked: request.fields.clone(),
            directives: question.directives,
            ranged,
            personal: self.access().is_some_and(|access| access.knows_who_asks()),
            born: question.rules.cache.purges.generation(),
            asked_ms: self.worker.now_ms(),
        }
    }

    /// Validates in the background what was served stale, unless somebody does.
    pub(super) fn refresh(&self, question: &Question<'_>, entry: &Arc<Entry>, scratch: &Scratch) {
        let mut request = scratch.request.clone();
        request.method = Method::Get;
        if entry.whole().is_some() {
            // Otherwise no more is fetched than is stored.
            request.fields.remove(FieldName::Range);
        }
        let (key, span) =
            (question.flight_key(&request, Some(entry.selecting())), question.span(&request, Some(entry.selecting())));
        let Some(seat) = self.flights(question).board(key, span) else { return };
        if seat.leads() {
            let stale = Stale { entry: Arc::clone(entry), if_failed: IfFailed::IfError };
            let flight = Arc::clone(seat.flight());
            if self.depart(question, &request, (&flight, key), Basis::Stale(&stale), true).is_err() {
                self.flights(question).land(key, &flight);
            }
        }
    }
}

/// Makes the request one whose response may be for all: without conditions of this client's, with those of the cache.
fn prepare_fetch(head: &mut RequestHead, question: &Question<'_>, basis: Basis<'_>) {
    as_in_key(head, &question.rules.key);
    let fields = &mut head.fields;
    // RFC 9110 §13.1.5: what the client has a part of may be gone, and then it gets the whole of what there is.
    let if_range = fields.get(FieldName::IfRange).filter(|_| fields.has(FieldName::Range)).map(<[u8]>::to_vec);
    strip_conditions(fields);
    if fields.has(FieldName::AcceptEncoding) {
        let codings = codings(fields);
        fields.set(FieldName::AcceptEncoding, codings.as_bytes());
    }
    match basis {
        Basis::Stale(stale) => {
            validate(&stale.entry, fields);
            if_range.iter().for_each(|if_range| fields.push_known(FieldName::IfRange, if_range));
        }
        Basis::Parts(rest) => rest.ask(fields),
        Basis::Nothing => {}
    }
}

/// Makes a request ask for no more than its key has: what else it says, a backend may reflect.
pub(super) fn as_in_key(head: &mut RequestHead, rules: &KeyRules) {
    host_as_in_key(head);
    if !rules.ignore_query.is_empty() {
        let mut target = Vec::with_capacity(head.target.len());
        push_target(&head.target, rules, &mut target);
        head.target = target;
    }
}

/// Forms of the host that are one key are one to the backend.
pub(super) fn host_as_in_key(head: &mut RequestHead) {
    let mut authority = Vec::with_capacity(head.authority.len());
    push_authority(head.scheme, &head.authority, &mut authority);
    head.authority = authority;
}

/// RFC 9111 §4.3.1
fn validate(stale: &Entry, fields: &mut Fields) {
    if let Some(etag) = stale.etag() {
        fields.push_known(FieldName::IfNoneMatch, etag);
    }
    if let Some(modified) = stale.last_modified() {
        fields.push_known(FieldName::IfModifiedSince, modified);
    }
}

impl Voyage {
    /// An attempt begins.
    pub(in crate::exchange) fn note(&self, trail: &Trail) {
        let mut noted = self.trail.borrow_mut();
        noted.attempts = trail.attempts;
        noted.backend = trail.backend;
        noted.crew.clone_from(&trail.crew);
    }

    /// The head of a response is there.
    pub(in crate::exchange) fn answered(&self) {
        self.trail.borrow_mut().first_byte = Some(Instant::now());
    }

    async fn run(mut self) {
        let landing = Landing::of(&self);
        let (mut ended, is_refuted) = self.ask().await;
        if is_refuted {
            // What was stored turned out to be of another representation: now without it.
            self.forget_what_is_stored();
            ended = self.ask().await.0;
        }
        landing.land(match ended {
            Ended::Refused(refusal) | Ended::Broken(refusal) => Failure::Refused(refusal),
            Ended::ClientGone | Ended::Answered => Failure::Refused(Refusal::BackendClosed),
        });
    }

    /// Asks for what the client asks for, by itself.
    fn forget_what_is_stored(&mut self) {
        let fields = &mut self.head.fields;
        self.stale = None;
        self.rest = None;
        strip_conditions(fields);
        if !self.stow.ranged {
            return;
        }
        fields.remove(FieldName::Range);
        // RFC 9110 §13.1.5: a client that has a part of what there was gets the whole of what there is.
        let asked = &self.stow.asked;
        if let Some(range) = asked.get(FieldName::Range).filter(|_| !asked.has(FieldName::IfRange)) {
            fields.push_known(FieldName::Range, range);
        }
        self.stow.ranged = fields.has(FieldName::Range);
    }

    /// The attempts; whether what they gave is about something else than what was to be validated.
    async fn ask(&self) -> (Ended, bool) {
        let Voyage { worker, client, who, held, pool, head, tee, .. } = self;
        let route = &held.generation.snapshot.config.routes[self.route];
        let (who, pool) = (*who, *pool);
        let (forwarded, voyage) = (None, Some(self));
        let priority = fetch_priority(route, self.background);
        let task = Task { worker, client, who, held, route, pool, head, tee, forwarded, voyage, priority };
        let (mut response, mut trail) = (ResponseHead::default(), Trail::default());
        trail.entering = self.trail.borrow_mut().entering.take();
        let mut down = FetchDown::of(self);
        let all = attempts(&task, &mut response, &mut down, &mut trail);
        let ended = match route.timeouts.total {
            None => all.await,
            Some(limit) => {
                let left = limit.saturating_sub(self.began.elapsed());
                worker.clock.within(left, pin!(all)).await.unwrap_or(Ended::Refused(Refusal::BackendTimeout))
            }
        };
        let is_refuted = down.conclude();
        let first_byte = trail.first_byte.map(|at| at.duration_since(self.began));
        worker.metrics.pool_done(&held.generation.snapshot.pools[pool.0].metrics, response.status, first_byte);
        tracing::debug!(route = route.name, status = response.status, ?ended, "fetched");
        (ended, is_refuted)
    }
}
