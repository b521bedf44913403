//! The limits of a route on the way of a request: after admission, before anything is done for it.

use super::Refusal;
use super::attempts::Trail;
use super::serve::Course;
use crate::config::{LimitId, Route};
use crate::http::{FieldName, Fields, RequestHead};
use crate::limit::{Admit, Ask, Asked, Charge, Each, Limiter, admit};
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

/// What a response says to its client alone: of limits, where the operator wants that, and of a waiting room.
#[derive(Debug, Default)]
pub(super) struct Shown {
    /// A value of Set-Cookie.
    pub(super) pass: Option<String>,
    policies: Vec<u8>,
    left: Vec<u8>,
}

/// When limits are judged on a route that has an access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Round {
    /// Those whose keys are known at once.
    BeforeAccess,
    /// Those whose keys are what the access found out.
    AfterAccess,
}

/// What an exchange took of the limits of its route. Places among those at once are given back when it is dropped, however
/// the exchange ends.
pub(super) struct Seats<'a> {
    limits: &'a [LiveLimit],
    route: &'a [LimitId],
    charges: [Option<Charge>; Route::LIMITS_MAX],
    /// Some of it is to be given back.
    holds: bool,
}

impl Seats<'_> {
    fn take(&mut self, at: usize, limiter: &Limiter, charge: Option<Charge>) {
        self.charges[at] = charge;
        self.holds |= matches!(limiter, Limiter::Concurrency(..));
    }

    /// Takes back what was charged: a limit of the next round refuses it.
    pub(super) fn refund(&mut self, now: Duration) {
        for (id, charge) in self.route.iter().zip(&mut self.charges) {
            charge.take().iter().for_each(|charge| self.limits[id.0].limiter.refund(*charge, now));
        }
    }
}

impl Drop for Seats<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.holds {
            self.release();
        }
    }
}

impl Seats<'_> {
    fn release(&self) {
        for (id, charge) in self.route.iter().zip(self.charges) {
            charge.iter().for_each(|charge| self.limits[id.0].limiter.release(charge.place()));
        }
    }
}

impl<'a> Course<'a> {
    /// What it has of the limits of a route at first: nothing.
    #[inline]
    pub(super) fn seats(&self, route: &'a Route) -> Seats<'a> {
        Seats { limits: self.limits(), route: &route.limits, charges: [None; Route::LIMITS_MAX], holds: false }
    }

    /// Lets a request through the limits of its route that are judged in that round, or says which refuses it.
    #[inline]
    pub(super) fn limit(
        &self,
        route: &Route,
        round: Round,
        head: &RequestHead,
        seats: &mut Seats<'a>,
        trail: &mut Trail,
    ) -> Result<(), Refusal> {
        // Without an access all are of the first round.
        match !route.limits.is_empty() && (route.access.is_some() || round == Round::BeforeAccess) {
            true => self.ask_limits(route, round, head, seats, trail),
            false => Ok(()),
        }
    }

    #[inline]
    fn round(&self, id: LimitId, route: &Route) -> Round {
        match route.access.is_some() && self.limits()[id.0].after_access {
            true => Round::AfterAccess,
            false => Round::BeforeAccess,
        }
    }

    fn ask_limits(
        &self,
        route: &Route,
        round: Round,
        head: &RequestHead,
        seats: &mut Seats<'a>,
        trail: &mut Trail,
    ) -> Result<(), Refusal> {
        let mut asks = [None; Route::LIMITS_MAX];
        for (at, id) in self.in_round(route, round) {
            asks[at] = self.ask_limit(id, route, head);
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
        for (at, id) in self.in_round(route, round) {
            match each[at] {
                Each::Unasked => self.count(id, LimitOutcome::Excepted, false),
                Each::Observed => {
                    self.count(id, LimitOutcome::Observed, false);
                    trail.limit_observed.get_or_insert(id);
                }
                Each::Passed { left, charge } => {
                    self.count(id, LimitOutcome::Passed, charge.is_some_and(|charge| charge.place().is_spill()));
                    seats.take(at, &self.limits()[id.0].limiter, charge);
                    self.show(id, left);
                    self.pace(id, asks[at]);
                }
            }
        }
        Ok(())
    }

    fn in_round(&self, route: &Route, round: Round) -> impl Iterator<Item = (usize, LimitId)> {
        let limits = route.limits.iter().copied().enumerate().take(Route::LIMITS_MAX);
        limits.filter(move |(_, id)| self.round(*id, route) == round)
    }

    /// What one limit is asked; none if it is not for this client.
    fn ask_limit(&self, id: LimitId, route: &Route, head: &RequestHead) -> Option<Ask<'a>> {
        let live = &self.limits()[id.0];
        if !live.except.is_empty() {
            let client = self.who.to_canonical();
            if live.except.iter().any(|network| network.contains(&client)) {
                return None;
            }
        }
        let key = live.keys.key(Asked { head, client: self.who, route: &route.name });
        Some(Ask { limiter: &live.limiter, key, observe: live.observe })
    }

    /// Notes a bandwidth that holds for the response.
    fn pace(&self, id: LimitId, ask: Option<Ask<'_>>) {
        if let Some(Ask { limiter: Limiter::Bandwidth(..), key, .. }) = ask {
            self.lanes.borrow_mut().push((id, key));
        }
    }

    fn count(&self, id: LimitId, outcome: LimitOutcome, is_spill: bool) {
        self.worker.metrics.limit_asked(&self.limits()[id.0].metrics, outcome, is_spill);
    }

    /// Notes what the response is to say of a limit.
    fn show(&self, id: LimitId, left: u64) {
        let LiveLimit { is_shown, policy, .. } = &self.limits()[id.0];
        if *is_shown {
            let mut shown = self.shown.borrow_mut();
            policy.push_text(&mut shown.policies);
            policy.push_left(left, &mut shown.left);
        }
    }

    fn limits(&self) -> &'a [LiveLimit] {
        &self.snapshot().limits
    }

    pub(super) fn snapshot(&self) -> &'a Snapshot {
        &self.held.generation.snapshot
    }
}

impl Shown {
    pub(super) fn is_empty(&self) -> bool {
        self.policies.is_empty() && self.pass.is_none()
    }

    pub(super) fn push(&self, fields: &mut Fields) {
        if !self.policies.is_empty() {
            push(&self.policies, &self.left, fields);
        }
        if let Some(pass) = &self.pass {
            fields.push_known(FieldName::SetCookie, pass.as_bytes());
        }
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
