//! A seat on a fetch: one of others that brings what is wanted, or one of its own.

use super::landing::Failure;
use super::rest::Rest;
use super::{Basis, Question, Stale};
use crate::cache::entry::Entry;
use crate::cache::flight::{Seat, Span};
use crate::exchange::attempts::Trail;
use crate::exchange::serve::Course;
use crate::http::{FieldName, RangeSpec, RequestHead, Reuse, parse_range, selected};
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

/// What one request looks for among the fetches under way.
pub(super) struct Search<'a> {
    pub(super) question: &'a Question<'a>,
    stale: Option<&'a Stale>,
    rest: Option<&'a Rest>,
    /// What shows how the variants of the key differ.
    pub(super) known: Option<Arc<Entry>>,
    /// The range that the client wants, if it wants one.
    pub(super) range: Option<Vec<u8>>,
    /// It may be part of what is being fetched for others; tried once.
    may_be_within: bool,
    /// Nobody is to join it.
    pub(super) goes_alone: bool,
}

/// What came of it.
pub(super) enum Boarded {
    Seat {
        seat: Seat<Failure>,
        /// The fetch is for more than what is wanted.
        is_within: bool,
        /// What the leader's fetch does.
        fetched: Option<Rc<RefCell<Trail>>>,
    },
    /// Another fetch ended meanwhile.
    Landed(Arc<Entry>, Reuse),
    /// No place is left.
    Nowhere,
}

impl<'a> Search<'a> {
    pub(super) fn of(
        course: &Course<'_>,
        question: &'a Question<'a>,
        stale: Option<&'a Stale>,
        rest: Option<&'a Rest>,
        request: &RequestHead,
    ) -> Search<'a> {
        let range = request.fields.get(FieldName::Range).map(<[u8]>::to_vec);
        // What finds no memory goes at the pace of the slowest, for which nobody is to wait who wants another range.
        let is_calm = course.worker.pressure.is_calm();
        Search {
            question,
            stale,
            rest,
            known: stale.map(|stale| Arc::clone(&stale.entry)).or_else(|| question.sibling()),
            // What is validated is not taken from a fetch for something else.
            may_be_within: stale.is_none() && range.is_some() && is_calm,
            range,
            // What is not for others is fetched at once, and may turn out to be for all after all.
            goes_alone: question.is_unshared(),
        }
    }

    /// Takes the range out of the request of a fetch that validates a whole: all of it is validated, and fetched anew if it changed.
    pub(super) fn shorten(&self, request: &mut RequestHead) {
        if self.validates_whole() {
            request.fields.remove(FieldName::Range);
        }
    }

    /// Gives the client's request back what [`shorten`](Self::shorten) took.
    pub(super) fn restore(&self, request: &mut RequestHead) {
        if let (true, Some(range)) = (self.validates_whole(), &self.range) {
            request.fields.push_known(FieldName::Range, range);
        }
    }

    fn validates_whole(&self) -> bool {
        self.stale.is_some_and(|stale| stale.entry.whole().is_some())
    }

    fn basis(&self) -> Basis<'a> {
        match (self.stale, self.rest) {
            (Some(stale), _) => Basis::Stale(stale),
            (None, Some(rest)) => Basis::Parts(rest),
            (None, None) => Basis::Nothing,
        }
    }
}

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
    /// Takes a seat, and sends the fetch on its way where it is the leader's.
    pub(super) fn board(&self, search: &mut Search<'_>, request: &RequestHead, trail: &mut Trail) -> Boarded {
        let (question, flights) = (search.question, self.flights(search.question));
        let selecting = search.known.as_ref().map(|entry| entry.selecting());
        let (key, span) = (question.flight_key(request, selecting), question.span(request, selecting));
        let may_be_within = std::mem::take(&mut search.may_be_within) && !search.goes_alone;
        let around = span.as_ref().filter(|_| may_be_within).and_then(|span| flights.board_within(question.hash, span));
        let is_within = around.is_some();
        let shared = if search.goes_alone { None } else { around.or_else(|| flights.board(key, span)) };
        search.goes_alone |= shared.is_none();
        let Some(seat) = shared.or_else(|| flights.alone(question.hash)) else { return Boarded::Nowhere };
        let fetched = if seat.leads() {
            if let Some((entry, reuse)) = self.landed_meanwhile(search, request, (&seat, key)) {
                return Boarded::Landed(entry, reuse);
            }
            self.lead(search, request, (&seat, key), trail)
        } else {
            self.worker.metrics.collapsed(&question.rules.metrics);
            None
        };
        trail.entering = None;
        Boarded::Seat { seat, is_within, fetched }
    }

    /// What the fetch of another stored before this one was known of; whoever boarded behind has it, too.
    fn landed_meanwhile(
        &self,
        search: &Search<'_>,
        request: &RequestHead,
        (seat, key): (&Seat<Failure>, (u128, u64)),
    ) -> Option<(Arc<Entry>, Reuse)> {
        let looked_at = search.stale.map(|stale| &stale.entry);
        let (entry, reuse) = search.question.landed_meanwhile(self, request, looked_at)?;
        self.flights(search.question).land(key, seat.flight());
        seat.flight().done(Arc::clone(&entry));
        Some((entry, reuse))
    }

    fn lead(
        &self,
        search: &Search<'_>,
        request: &RequestHead,
        (seat, key): (&Seat<Failure>, (u128, u64)),
        trail: &mut Trail,
    ) -> Option<Rc<RefCell<Trail>>> {
        let flight = Arc::clone(seat.flight());
        match self.depart(search.question, request, (&flight, key), search.basis(), false) {
            Ok(its) => {
                // It is the fetch that has a place in the pool soon.
                its.borrow_mut().entering = trail.entering.take();
                Some(its)
            }
            Err(refusal) => {
                self.flights(search.question).land(key, &flight);
                flight.fail(Failure::Refused(refusal));
                None
            }
        }
    }
}
