//! The limits of a route on the way of a request: after admission, before anything is done for it.

use super::Refusal;
use super::attempts::Trail;
use super::serve::Course;
use crate::config::{LimitId, Route};
use crate::http::{Fields, RequestHead};
use crate::limit::{Admit, Ask, Asked, Each, Place, admit};
use crate::live::{LiveLimit, Snapshot};
use crate::telemetry::metrics::LimitOutcome;
use std::time::Duration;

/// A limit that refuses a request, and for how long it does by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exceeded {
    /// Which.
    pub limit: LimitId,
    /// Above zero.
    pub wait: Duration,
}

/// What responses that pass say of limits, where the operator wants that.
#[derive(Debug, Default)]
pub(super) struct Shown {
    policies: Vec<u8>,
    left: Vec<u8>,
}

/// Places that an exchange has among those at once; given back when it is dropped, however the exchange ends.
pub(super) struct Seats<'a> {
    limits: &'a [LiveLimit],
    route: &'a [LimitId],
    places: [Option<Place>; Route::LIMITS_MAX],
}

impl Drop for Seats<'_> {
    fn drop(&mut self) {
        for (id, place) in self.route.iter().zip(self.places) {
            place.iter().for_each(|place| self.limits[id.0].limiter.release(*place));
        }
    }
}

impl<'a> Course<'a> {
    /// Lets a request through the limits of its route, or says which refuses it.
    #[inline]
    pub(super) fn limit(&self, route: &'a Route, head: &RequestHead, trail: &mut Trail) -> Result<Seats<'a>, Refusal> {
        let mut seats = Seats { limits: self.limits(), route: &route.limits, places: [None; Route::LIMITS_MAX] };
        match route.limits.is_empty() {
            true => Ok(seats),
            false => self.ask_limits(route, head, &mut seats, trail).map(|()| seats),
        }
    }

    fn ask_limits(
        &self,
        route: &'a Route,
        head: &RequestHead,
        seats: &mut Seats<'_>,
        trail: &mut Trail,
    ) -> Result<(), Refusal> {
        let mut asks = [None; Route::LIMITS_MAX];
        for (ask, id) in asks.iter_mut().zip(&route.limits) {
            *ask = self.ask_limit(*id, route, head);
        }
        let count = route.limits.len().min(Route::LIMITS_MAX);
        let mut each = [Each::Unasked; Route::LIMITS_MAX];
        let outcome = admit(&asks[..count], self.came, &mut each[..count]);
        if let Admit::Refuse { at, wait, is_spill } = outcome {
            let limit = route.limits[at];
            self.count(limit, LimitOutcome::Refused, is_spill);
            trail.limit = Some(limit);
            return Err(Refusal::Limit(Exceeded { limit, wait }));
        }
        for (at, (id, each)) in route.limits.iter().zip(each).enumerate() {
            match each {
                Each::Unasked => self.count(*id, LimitOutcome::Excepted, false),
                Each::Observed => {
                    self.count(*id, LimitOutcome::Observed, false);
                    trail.limit_observed.get_or_insert(*id);
                }
                Each::Passed { left, charge } => {
                    let place = charge.map(|charge| charge.place());
                    self.count(*id, LimitOutcome::Passed, place.is_some_and(Place::is_spill));
                    seats.places[at] = place.filter(|_| self.limits()[id.0].limiter.gives_places());
                    self.show(*id, left);
                }
            }
        }
        Ok(())
    }

    /// What one limit is asked; none if it is not for this client.
    pub(super) fn ask_limit(&self, id: LimitId, route: &Route, head: &RequestHead) -> Option<Ask<'a>> {
        let (live, config) = (&self.limits()[id.0], &self.snapshot().config.limits[id.0]);
        if !config.except.is_empty() {
            let client = self.who.to_canonical();
            if config.except.iter().any(|network| network.contains(&client)) {
                return None;
            }
        }
        let key = live.keys.key(Asked { head, client: self.who, route: &route.name });
        Some(Ask { limiter: &live.limiter, key, observe: config.observe })
    }

    fn count(&self, id: LimitId, outcome: LimitOutcome, is_spill: bool) {
        self.worker.metrics.limit_asked(&self.limits()[id.0].metrics, outcome, is_spill);
    }

    /// Notes what the response is to say of a limit.
    fn show(&self, id: LimitId, left: u64) {
        if self.snapshot().config.limits[id.0].fields {
            let policy = &self.limits()[id.0].policy;
            let mut shown = self.shown.borrow_mut();
            policy.push_text(&mut shown.policies);
            policy.push_left(left, &mut shown.left);
        }
    }

    fn limits(&self) -> &'a [LiveLimit] {
        &self.snapshot().limits
    }

    fn snapshot(&self) -> &'a Snapshot {
        &self.held.generation.snapshot
    }
}

impl Shown {
    pub(super) fn is_empty(&self) -> bool {
        self.policies.is_empty()
    }

    pub(super) fn push(&self, fields: &mut Fields) {
        push(&self.policies, &self.left, fields);
    }
}

impl Exceeded {
    /// What a refusal says of the limit.
    pub(super) fn push(&self, limits: &[LiveLimit], seconds: u64, fields: &mut Fields) {
        let Some(live) = limits.get(self.limit.0) else { return };
        let mut left = Vec::new();
        live.policy.push_refused(seconds, &mut left);
        push(live.policy.text(), &left, fields);
    }
}

/// A list may come in several lines (RFC 9651 §3.1): what a backend says of its own limits stays.
fn push(policies: &[u8], left: &[u8], fields: &mut Fields) {
    fields.push(b"ratelimit-policy", policies);
    if !left.is_empty() {
        fields.push(b"ratelimit", left);
    }
}
