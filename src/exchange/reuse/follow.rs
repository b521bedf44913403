//! A miss: everyone who wants the same response reads one fetch of it.

use super::deliver::{Serving, lines_of_now};
use super::fetch::Failure;
use super::{Looked, Question, Reused, Stale, outcome};
use crate::cache::entry::Entry;
use crate::cache::flight::{Flights, Heard, Piece, Seat};
use crate::exchange::attempts::{Ended, Trail};
use crate::exchange::serve::{Course, Scratch};
use crate::exchange::{Body, Broken, Chunk, Downstream, Refusal, Reply, Sink};
use crate::http::{
    CacheStatus, FieldName, Fields, Forward, Length, Method, Ranges, RequestHead, ResponseHead, Unstorable, ranges,
    selected,
};
use crate::telemetry::access::End;
use crate::telemetry::metrics::CacheOutcome;
use std::cell::RefCell;
use std::future::poll_fn;
use std::ops::Range;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

/// Fetches that a request may turn to before it goes by itself: the first one may show that another variant is wanted.
const FLIGHTS_MAX: u32 = 2;

impl Question<'_> {
    /// What a fetch is known by: key, variant as far as it is known, range, and what was purged before it.
    pub(super) fn flight_key(&self, request: &RequestHead, selecting: Option<&[u8]>) -> (u128, u64) {
        let secret = &self.rules.cache.secret;
        let mut text = selecting.map(|names| selected(names, &request.fields, &self.rules.normal)).unwrap_or_default();
        if let Some(range) = request.fields.get(FieldName::Range) {
            text.extend_from_slice(b"\0range ");
            text.extend_from_slice(range);
        }
        text.extend_from_slice(&self.rules.cache.purges.generation().to_le_bytes());
        (self.hash, secret.hash64(&text))
    }
}

/// How a reader got on.
enum Followed {
    Ended(End),
    /// The response is not for this client; what is known of how variants differ.
    Other(Option<Arc<Entry>>),
    Failed(Failure),
}

impl Course<'_> {
    pub(super) fn flights(&self, question: &Question<'_>) -> &Arc<Flights<Failure>> {
        &self.held.generation.flights[question.id.0]
    }

    /// Answers by a fetch that others share, where that is possible.
    pub(super) async fn miss<D: Downstream>(
        &self,
        question: &Question<'_>,
        forward: Forward,
        stale: Option<Stale>,
        scratch: &mut Scratch,
        down: &mut D,
        trail: &mut Trail,
    ) -> Reused {
        let (forward, stale) = match question.look_on_disk(self, forward, stale, &scratch.request).await {
            Looked::Hit(entry, reuse) => {
                return Reused::Ended(self.hit(question, &entry, reuse, scratch, down, trail).await);
            }
            Looked::Miss(forward, stale) => (forward, stale),
            Looked::Purge | Looked::Pass(..) => (forward, None),
        };
        trail.cache = Some(outcome(forward));
        if question.directives.only_if_cached {
            // RFC 9111 §5.2.1.7
            return Reused::Ended(self.refuse(Refusal::OnlyIfCached, scratch, down, trail).await);
        }
        if let Some(detail) = self.goes_alone(question, &scratch.request, stale.as_ref()) {
            return Reused::Forward(Box::new(question.forwarded(self, forward, Some(detail))));
        }
        let whole = stale.as_ref().is_some_and(|stale| stale.entry.whole().is_some());
        let mut request = std::mem::take(&mut scratch.request);
        let range = request.fields.get(FieldName::Range).map(<[u8]>::to_vec);
        if whole {
            // All of it is validated, and fetched anew if it changed.
            request.fields.remove(FieldName::Range);
        }
        let mut known = stale.as_ref().map(|stale| Arc::clone(&stale.entry)).or_else(|| question.sibling());
        let mut followed = Followed::Other(None);
        for _ in 0..FLIGHTS_MAX {
            let key = question.flight_key(&request, known.as_ref().map(|entry| entry.selecting()));
            let Some(mut seat) = self.flights(question).board(key) else { break };
            let mut fetched = None;
            if !seat.leads() {
                self.worker.metrics.collapsed(&question.rules.metrics);
            }
            if seat.leads() {
                let flight = Arc::clone(seat.flight());
                match self.depart(question, &request, (&flight, key), stale.as_ref(), false) {
                    Ok(trail) => fetched = Some(trail),
                    Err(refusal) => {
                        self.flights(question).land(key, &flight);
                        flight.fail(Failure::Refused(refusal));
                    }
                }
            }
            let reading = Reading { forward, range: if whole { range.as_deref() } else { None }, fetched };
            scratch.request = request;
            if let (true, Some(range)) = (whole, &range) {
                scratch.request.fields.push_known(FieldName::Range, range);
            }
            followed = self.follow(question, &mut seat, &reading, scratch, down, trail).await;
            request = std::mem::take(&mut scratch.request);
            if whole {
                request.fields.remove(FieldName::Range);
            }
            match &followed {
                Followed::Other(Some(entry)) => known = Some(Arc::clone(entry)),
                _ => break,
            }
        }
        if let (true, Some(range)) = (whole, &range) {
            request.fields.push_known(FieldName::Range, range);
        }
        scratch.request = request;
        self.conclude_miss(question, forward, stale, followed, scratch, down, trail).await
    }

    #[expect(clippy::too_many_arguments, reason = "the stages of one exchange")]
    async fn conclude_miss<D: Downstream>(
        &self,
        question: &Question<'_>,
        forward: Forward,
        stale: Option<Stale>,
        followed: Followed,
        scratch: &mut Scratch,
        down: &mut D,
        trail: &mut Trail,
    ) -> Reused {
        match (followed, stale) {
            (Followed::Ended(end), _) => Reused::Ended(end),
            (Followed::Failed(failure), Some(Stale { entry, if_failed })) if failure.leaves(if_failed) => {
                trail.cache = Some(CacheOutcome::Stale);
                let forward_status = match failure {
                    Failure::Error(status) => Some(status),
                    Failure::Refused(_) => None,
                };
                let status = CacheStatus {
                    ttl: Some(entry.life.ttl(question.now_ms)),
                    detail: Some("stale-if-error"),
                    forward: Some(forward),
                    forward_status,
                    ..CacheStatus::HIT
                };
                let serving = Serving { entry: &entry, status, is_hit: true };
                Reused::Ended(self.deliver(question, &serving, scratch, down, trail).await)
            }
            (Followed::Failed(Failure::Refused(refusal)), _) => {
                Reused::Ended(self.conclude(Ended::Refused(refusal), scratch, down, trail).await)
            }
            (Followed::Failed(Failure::Error(_)), _) => {
                Reused::Forward(Box::new(question.forwarded(self, forward, Some("error"))))
            }
            (Followed::Other(_), _) => Reused::Forward(Box::new(question.forwarded(self, forward, Some("not-shared")))),
        }
    }

    /// Why a request does not share a fetch.
    fn goes_alone(
        &self,
        question: &Question<'_>,
        request: &RequestHead,
        stale: Option<&Stale>,
    ) -> Option<&'static str> {
        let fields = &request.fields;
        if request.method != Method::Get {
            return Some("head");
        }
        if question.directives.no_store {
            return Some("no-store");
        }
        if stale.is_none() && fields.has(FieldName::Range) && fields.has(FieldName::IfRange) {
            return Some("if-range");
        }
        question.rules.cache.unstored.knows(question.hash, question.now_ms).then_some("not-storable")
    }

    /// Reads a fetch as it goes on.
    async fn follow<D: Downstream>(
        &self,
        question: &Question<'_>,
        seat: &mut Seat<Failure>,
        reading: &Reading<'_>,
        scratch: &mut Scratch,
        down: &mut D,
        trail: &mut Trail,
    ) -> Followed {
        let (entry, length, is_done) = loop {
            match self.heard(seat, down).await {
                None => return Followed::Ended(self.conclude(Ended::ClientGone, scratch, down, trail).await),
                Some(Heard::Interim(head)) => {
                    if down.halves().1.interim(&head).await.is_err() {
                        return Followed::Ended(self.conclude(Ended::ClientGone, scratch, down, trail).await);
                    }
                }
                Some(Heard::Head(entry, length)) => break (entry, length, false),
                Some(Heard::Done(entry)) => break (entry, Length::None, true),
                Some(Heard::NotForAll) => return Followed::Other(None),
                Some(Heard::Failed(failure)) => {
                    reading.note(trail);
                    return Followed::Failed(failure);
                }
            }
        };
        reading.note(trail);
        let fits = entry.is_selected_by(&scratch.request.fields, &question.rules.normal);
        if !seat.leads() && !fits {
            return Followed::Other(Some(entry));
        }
        let status = CacheStatus {
            forward: Some(reading.forward),
            forward_status: is_done.then_some(304),
            collapsed: !seat.leads(),
            stored: entry.why_not().is_none(),
            detail: entry.why_not().map(Unstorable::as_str),
            ttl: (entry.why_not().is_none()).then(|| entry.life.ttl(question.now_ms)),
            ..CacheStatus::HIT
        };
        let serving = Serving { entry: &entry, status, is_hit: false };
        if is_done {
            return Followed::Ended(self.deliver(question, &serving, scratch, down, trail).await);
        }
        let ended = self.stream(question, &serving, length, seat, reading, scratch, down, trail).await;
        Followed::Ended(self.conclude(ended, scratch, down, trail).await)
    }

    /// The next that is heard of the head; `None` if the client is gone before.
    async fn heard<D: Downstream>(&self, seat: &mut Seat<Failure>, down: &mut D) -> Option<Heard<Failure>> {
        let mut gone = pin!(down.halves().0.gone());
        poll_fn(|cx| {
            if let Poll::Ready(heard) = seat.poll_head(cx) {
                return Poll::Ready(Some(heard));
            }
            gone.as_mut().poll(cx).map(|()| None)
        })
        .await
    }

    /// Sends the response as it grows.
    #[expect(clippy::too_many_arguments, reason = "the stages of one exchange")]
    async fn stream<D: Downstream>(
        &self,
        question: &Question<'_>,
        serving: &Serving<'_>,
        length: Length,
        seat: &mut Seat<Failure>,
        reading: &Reading<'_>,
        scratch: &mut Scratch,
        down: &mut D,
        trail: &mut Trail,
    ) -> Ended {
        let Scratch { request, response, added, .. } = scratch;
        added.clear();
        lines_of_now(question, serving.entry, &serving.status, serving.is_hit, added);
        response.clear();
        response.status = serving.entry.status;
        response.fields = serving.entry.fields();
        Fields::of_lines(added).iter().for_each(|(_, name, value)| response.fields.push(name, value));
        if let Some(extra) = seat.extra() {
            extra.iter().for_each(|(_, name, value)| response.fields.push(name, value));
        }
        if let Some((_, route)) = self.route.filter(|(_, route)| !route.response.is_empty()) {
            crate::route::edit(&route.response, &mut response.fields);
        }
        let form = growing(serving.entry, request, length, reading.range, question.now_ms);
        let sent = self.send_growing(form, length, response, seat, down, trail).await;
        match sent {
            Ok(()) => Ended::Answered,
            Err(Fault::Client) => Ended::ClientGone,
            Err(Fault::Backend) => Ended::Broken(Refusal::BackendClosed),
        }
    }

    async fn send_growing<D: Downstream>(
        &self,
        form: Growing,
        length: Length,
        response: &mut ResponseHead,
        seat: &mut Seat<Failure>,
        down: &mut D,
        trail: &mut Trail,
    ) -> Result<(), Fault> {
        let (body, reply) = down.halves();
        let limit = self.client.gate.timeouts.body;
        let clock = &self.worker.clock;
        let mut left = u64::MAX;
        let length = match form {
            Growing::Whole => length,
            Growing::NotModified(status) => {
                response.status = status;
                response
                    .fields
                    .retain(|name, _, _| !matches!(name, FieldName::ContentType | FieldName::ContentEncoding));
                reply.head(response, if status == 304 { Length::None } else { Length::Known(0) }).await?;
                return Ok(reply.end(None).await?);
            }
            Growing::Part(range, complete) => {
                response.status = 206;
                let value = crate::http::content_range(&range, complete);
                response.fields.push_known(FieldName::ContentRange, value.as_bytes());
                seat.skip_to(range.start);
                left = range.end - range.start;
                Length::Known(left)
            }
        };
        reply.head(response, length).await?;
        if length == Length::None {
            return Ok(reply.end(None).await?);
        }
        // Who leaves while the backend is silent gives up the seat at once.
        let mut gone = pin!(body.gone());
        loop {
            let piece = poll_fn(|cx| Poll::Ready(seat.poll_next(cx))).await;
            let piece = match piece {
                Poll::Ready(piece) => piece,
                Poll::Pending => {
                    clock.within(limit, pin!(reply.flush())).await.map_err(|_| Fault::Client)??;
                    let next = poll_fn(|cx| match seat.poll_next(cx) {
                        Poll::Ready(piece) => Poll::Ready(Some(piece)),
                        Poll::Pending => gone.as_mut().poll(cx).map(|()| None),
                    });
                    next.await.ok_or(Fault::Client)?
                }
            };
            match piece {
                Piece::Data(mut bytes, more) => {
                    bytes.truncate(usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len()));
                    left -= bytes.len() as u64;
                    trail.moved.down += bytes.len() as u64;
                    let sent = reply.data(Chunk::Owned(bytes), more && left > 0);
                    clock.within(limit, pin!(sent)).await.map_err(|_| Fault::Client)??;
                    if left == 0 {
                        return Ok(clock.within(limit, pin!(reply.end(None))).await.map_err(|_| Fault::Client)??);
                    }
                }
                Piece::End(trailers) => {
                    let sent = reply.end(trailers.as_ref());
                    return Ok(clock.within(limit, pin!(sent)).await.map_err(|_| Fault::Client)??);
                }
                Piece::Broken => return Err(Fault::Backend),
            }
        }
    }
}

enum Fault {
    Client,
    Backend,
}

impl From<Broken> for Fault {
    fn from(_: Broken) -> Fault {
        Fault::Client
    }
}

/// One reader of a fetch.
struct Reading<'a> {
    forward: Forward,
    /// The range that this client wants of what is fetched as a whole.
    range: Option<&'a [u8]>,
    /// What the leader's fetch did.
    fetched: Option<Rc<RefCell<Trail>>>,
}

impl Reading<'_> {
    /// The leader's log tells of the backend.
    fn note(&self, trail: &mut Trail) {
        if let Some(fetched) = &self.fetched {
            let fetched = fetched.borrow();
            trail.attempts = fetched.attempts;
            trail.backend = fetched.backend;
            trail.crew.clone_from(&fetched.crew);
            trail.first_byte = fetched.first_byte;
        }
    }
}

/// What a client gets of a response whose content is still coming.
enum Growing {
    Whole,
    /// 304, or 412.
    NotModified(u16),
    Part(Range<u64>, u64),
}

fn growing(entry: &Entry, request: &RequestHead, length: Length, range: Option<&[u8]>, now_ms: u64) -> Growing {
    use crate::http::{Condition, Validators, conditions, has_conditions, range_may};
    let validators = Validators { etag: entry.etag(), last_modified: entry.last_modified(), date: entry.date() };
    if entry.status == 200 && has_conditions(&request.fields) {
        match conditions(request, &validators, now_ms / 1000) {
            Condition::Proceed => {}
            Condition::NotModified => return Growing::NotModified(304),
            Condition::PreconditionFailed => return Growing::NotModified(412),
        }
    }
    match (range, length) {
        (Some(range), Length::Known(complete)) if entry.status == 200 && range_may(request, &validators) => {
            match ranges(range, complete) {
                Ranges::Some(list) if list.len() == 1 => Growing::Part(list[0].clone(), complete),
                _ => Growing::Whole,
            }
        }
        _ => Growing::Whole,
    }
}
