//! One reader of a fetch: from the first that is heard of it to the response's head.

use super::Question;
use super::deliver::Serving;
use super::landing::Failure;
use crate::cache::entry::Entry;
use crate::cache::flight::{Heard, Seat};
use crate::exchange::attempts::{Ended, Trail};
use crate::exchange::serve::{Course, Scratch};
use crate::exchange::{Body, Downstream, Reply};
use crate::http::{CacheStatus, Forward, Length, Unstorable};
use crate::telemetry::access::End;
use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

/// How a reader got on.
pub(super) enum Followed {
    Ended(End),
    /// The response is not for this client; what is known of how variants differ.
    Other(Option<Arc<Entry>>),
    Failed(Failure),
}

/// One reader of a fetch.
pub(super) struct Reading<'a> {
    pub(super) forward: Forward,
    /// The range that this client wants of what is fetched as a whole.
    pub(super) range: Option<&'a [u8]>,
    /// What the leader's fetch did.
    pub(super) fetched: Option<Rc<RefCell<Trail>>>,
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
    pub(super) async fn follow<D: Downstream>(
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
}
