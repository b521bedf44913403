//! A miss: everyone who wants the same response reads one fetch of it.

use super::board::{Boarded, Search};
use super::deliver::Serving;
use super::follow::{Followed, Reading};
use super::landing::Failure;
use super::stow::Stow;
use super::{Keep, Looked, Question, Reused, Stale, outcome};
use crate::cache::entry::Entry;
use crate::cache::flight::Flights;
use crate::exchange::attempts::{Ended, Trail};
use crate::exchange::serve::{Course, Scratch};
use crate::exchange::{Downstream, Refusal};
use crate::http::{CacheStatus, FieldName, Forward, Method, RequestHead, Reuse, strip_hop_by_hop};
use crate::telemetry::metrics::CacheOutcome;
use std::sync::Arc;

/// What came of looking for a fetch to share.
enum Shared {
    /// It ended meanwhile, and what it brought is stored.
    Landed(Arc<Entry>, Reuse),
    Followed(Followed),
}

/// Fetches of others that a request may turn to before it has one of its own: the first one may show that another variant is
/// wanted.
const FLIGHTS_MAX: u32 = 2;

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
        let search = Search::of(self, question, stale.as_ref(), rest.as_ref(), &scratch.request);
        match self.share(search, forward, scratch, down, trail).await {
            Shared::Landed(entry, reuse) => {
                Reused::Ended(self.hit(question, &entry, reuse, scratch, down, trail).await)
            }
            Shared::Followed(followed) => {
                self.conclude_miss(question, forward, stale, followed, scratch, down, trail).await
            }
        }
    }

    /// Reads fetches, its own or of others, until one of them has what is wanted, or none has.
    async fn share<D: Downstream>(
        &self,
        mut search: Search<'_>,
        forward: Forward,
        scratch: &mut Scratch,
        down: &mut D,
        trail: &mut Trail,
    ) -> Shared {
        let mut followed = Followed::Other(None);
        for round in 0..=FLIGHTS_MAX {
            search.goes_alone |= round == FLIGHTS_MAX;
            search.shorten(&mut scratch.request);
            let boarded = self.board(&mut search, &scratch.request, trail);
            search.restore(&mut scratch.request);
            let (mut seat, is_within, fetched) = match boarded {
                Boarded::Seat { seat, is_within, fetched } => (seat, is_within, fetched),
                Boarded::Landed(entry, reuse) => return Shared::Landed(entry, reuse),
                Boarded::Nowhere => break,
            };
            let reading = Reading { forward, range: search.range.as_deref(), is_within, fetched };
            followed = self.follow(search.question, &mut seat, &reading, scratch, down, trail).await;
            match &followed {
                _ if seat.leads() => break,
                Followed::Other(Some(entry)) => search.known = Some(Arc::clone(entry)),
                Followed::Passed => self.flights(search.question).pass(search.question.hash, seat.flight()),
                // It did not bring what it was asked for.
                Followed::Other(None) if is_within => {}
                Followed::Other(None) => search.goes_alone = true,
                Followed::Ended(_) | Followed::Failed(_) => break,
            }
        }
        Shared::Followed(followed)
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
