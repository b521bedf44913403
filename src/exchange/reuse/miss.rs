//! A miss: everyone who wants the same response reads one fetch of it.

use super::deliver::Serving;
use super::follow::{Followed, Reading};
use super::landing::Failure;
use super::stow::Stow;
use super::{Basis, Keep, Looked, Question, Reused, Stale, outcome};
use crate::cache::flight::{Flights, Span};
use crate::exchange::attempts::{Ended, Trail};
use crate::exchange::serve::{Course, Scratch};
use crate::exchange::{Downstream, Refusal};
use crate::http::{
    CacheStatus, FieldName, Forward, Method, RangeSpec, RequestHead, parse_range, selected, strip_hop_by_hop,
};
use crate::telemetry::metrics::CacheOutcome;
use std::sync::Arc;

/// Fetches of others that a request may turn to before it has one of its own: the first one may show that another variant is
/// wanted.
const FLIGHTS_MAX: u32 = 2;

impl Question<'_> {
    /// What a fetch is known by: key, variant as far as it is known, range, and what was purged before it.
    pub(super) fn flight_key(&self, request: &RequestHead, selecting: Option<&[u8]>) -> (u128, u64) {
        let secret = &self.rules.cache.secret;
        let mut text = self.kind_text(request, selecting);
        if let Some(range) = request.fields.get(FieldName::Range) {
            text.extend_from_slice(b"\0range ");
            text.extend_from_slice(range);
            // Whoever has a part of what was gets the whole of what is, and others a part of that.
            for condition in request.fields.all(FieldName::IfRange) {
                text.extend_from_slice(b"\0if-range ");
                text.extend_from_slice(condition);
            }
        }
        (self.hash, secret.hash64(&text))
    }
}

impl Question<'_> {
    /// What a fetch brings, if that can be said before it does; `None` for several ranges, one from the end, and what depends on
    /// the part that a client has.
    pub(super) fn span(&self, request: &RequestHead, selecting: Option<&[u8]>) -> Option<Span> {
        let bytes = match request.fields.get(FieldName::Range).map(parse_range) {
            None => 0..u64::MAX,
            Some(Some(RangeSpec::FromTo(first, last))) if !request.fields.has(FieldName::IfRange) => {
                first..last.map_or(u64::MAX, |last| last.saturating_add(1))
            }
            Some(_) => return None,
        };
        Some(Span { kind: self.kind(request, selecting), bytes })
    }

    /// Stands for what a fetch is known by beside key and range.
    fn kind(&self, request: &RequestHead, selecting: Option<&[u8]>) -> u64 {
        self.rules.cache.secret.hash64(&self.kind_text(request, selecting))
    }

    fn kind_text(&self, request: &RequestHead, selecting: Option<&[u8]>) -> Vec<u8> {
        let mut text = selecting.map(|names| selected(names, &request.fields, &self.rules.normal)).unwrap_or_default();
        text.extend_from_slice(&self.rules.cache.purges.generation().to_le_bytes());
        text
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
        let rest = if stale.is_none() { question.rest(&scratch.request) } else { None };
        if let Some(detail) = self.goes_alone(question, &scratch.request, stale.is_some() || rest.is_some()) {
            let mut forwarded = question.forwarded(self, forward, Some(detail));
            forwarded.keep = self.overhears(question, &scratch.request);
            return Reused::Forward(Box::new(forwarded));
        }
        let is_plain = stale.is_none() && rest.is_none() && !scratch.request.fields.has(FieldName::Range);
        if is_plain && question.is_unshared() {
            // A fetch of its own costs twice as much. It is stored if it turns out to be for others, too.
            let mut forwarded = question.forwarded(self, forward, Some("not-shared"));
            forwarded.keep = self.learning(question, &scratch.request).map(Keep::of_get);
            return Reused::Forward(Box::new(forwarded));
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
        // What is validated is not taken from a fetch for something else.
        // What finds no memory goes at the pace of the slowest, for which nobody is to wait who wants another range.
        let is_calm = self.worker.pressure.is_calm();
        let mut may_be_within = stale.is_none() && range.is_some() && is_calm;
        // What is not for others is fetched at once, and may turn out to be for all after all.
        let mut is_alone = question.is_unshared();
        for round in 0..=FLIGHTS_MAX {
            is_alone |= round == FLIGHTS_MAX;
            let selecting = known.as_ref().map(|entry| entry.selecting());
            let (key, span) = (question.flight_key(&request, selecting), question.span(&request, selecting));
            let flights = self.flights(question);
            let around = span.as_ref().filter(|_| std::mem::take(&mut may_be_within) && !is_alone);
            let around = around.and_then(|span| flights.board_within(question.hash, span));
            let is_within = around.is_some();
            let shared = if is_alone { None } else { around.or_else(|| flights.board(key, span)) };
            is_alone |= shared.is_none();
            let Some(mut seat) = shared.or_else(|| flights.alone(question.hash)) else { break };
            let mut fetched = None;
            if !seat.leads() {
                self.worker.metrics.collapsed(&question.rules.metrics);
            }
            if seat.leads() {
                let flight = Arc::clone(seat.flight());
                let looked_at = stale.as_ref().map(|stale| &stale.entry);
                if let Some((entry, reuse)) = question.landed_meanwhile(self, &request, looked_at) {
                    self.flights(question).land(key, &flight);
                    // Whoever boarded behind has it, too.
                    flight.done(Arc::clone(&entry));
                    if let (true, Some(range)) = (whole, &range) {
                        request.fields.push_known(FieldName::Range, range);
                    }
                    scratch.request = request;
                    return Reused::Ended(self.hit(question, &entry, reuse, scratch, down, trail).await);
                }
                let basis = match (&stale, &rest) {
                    (Some(stale), _) => Basis::Stale(stale),
                    (None, Some(rest)) => Basis::Parts(rest),
                    (None, None) => Basis::Nothing,
                };
                match self.depart(question, &request, (&flight, key), basis, false) {
                    Ok(its) => {
                        // It is the fetch that has a place in the pool soon.
                        its.borrow_mut().entering = trail.entering.take();
                        fetched = Some(its);
                    }
                    Err(refusal) => {
                        self.flights(question).land(key, &flight);
                        flight.fail(Failure::Refused(refusal));
                    }
                }
            }
            trail.entering = None;
            let reading = Reading { forward, range: range.as_deref(), is_within, fetched };
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
                _ if seat.leads() => break,
                Followed::Other(Some(entry)) => known = Some(Arc::clone(entry)),
                Followed::Passed => self.flights(question).pass(question.hash, seat.flight()),
                // It did not bring what it was asked for.
                Followed::Other(None) if is_within => {}
                Followed::Other(None) => is_alone = true,
                Followed::Ended(_) | Followed::Failed(_) => break,
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
            (Followed::Other(_) | Followed::Passed, _) => {
                Reused::Forward(Box::new(question.forwarded(self, forward, Some("not-shared"))))
            }
        }
    }

    /// What learns from the response to a HEAD, where it may be about something stored.
    fn overhears(&self, question: &Question<'_>, request: &RequestHead) -> Option<Keep> {
        if request.method != Method::Head || question.directives.no_store {
            return None;
        }
        question.sibling()?;
        self.learning(question, request).map(Keep::of_head)
    }

    /// What is known of a request of whose response the cache is to learn.
    pub(super) fn learning(&self, question: &Question<'_>, request: &RequestHead) -> Option<Stow> {
        let mut stow = self.stow(question, request, false);
        // What `Connection` takes away on the way does not select a variant.
        strip_hop_by_hop(&mut stow.asked).ok()?;
        Some(stow)
    }

    /// Why a request does not share a fetch.
    fn goes_alone(&self, question: &Question<'_>, request: &RequestHead, is_known: bool) -> Option<&'static str> {
        let fields = &request.fields;
        if request.method != Method::Get {
            return Some("head");
        }
        if question.directives.no_store {
            return Some("no-store");
        }
        // What If-Range is about is known only where something of it is stored.
        (!is_known && fields.has(FieldName::Range) && fields.has(FieldName::IfRange)).then_some("if-range")
    }
}
