//! How many backends a pool needs: pure, by what was counted each second.
//!
//! Backends that are wanted = what comes in a second / (what one backend does in a second × how busy it may be).
//!
//! What one does in a second follows from what it bears at once and how long exchanges take then (Little's law). How busy it
//! may be is four fifths, or less where the pool's objective is not met otherwise.
//! `docs/decisions/0015-demand.md` says why it is so.
//!
//! | file | decides |
//! |---|---|
//! | `capacity` | what one backend does in a second |
//! | `objective` | how busy backends may be |
//! | `rates` | what comes, and what is served, in a second |
//! | `wanted` | the number, which does not flap |

mod capacity;
mod objective;
mod rates;
mod wanted;

#[cfg(test)]
mod tests;

use capacity::Capacity;
use objective::{Company, Objective};
use rates::{Arrivals, Mean};
use std::time::Duration;
use wanted::Wanted;

/// What was counted since the last sample, and how it is now.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sample {
    /// How long that was.
    pub span: Duration,
    /// Exchanges that came.
    pub arrived: u64,
    /// Exchanges that a backend answered, errors of its own not among them.
    pub served: u64,
    /// Exchanges that were answered as soon as the objective says.
    pub on_time: u64,
    /// Exchanges that were answered later, were refused for want of room, or had no answer in time.
    pub late: u64,
    /// Exchanges refused for want of room.
    pub shed: u64,
    /// Exchanges that backends had, in the mean, as far as they count for what a backend bears.
    pub in_flight: f64,
    /// Backends that may be used.
    pub available: u32,
    /// What each of them bears at once, in the mean; `None`: nobody knows.
    pub bears: Option<f64>,
    /// By how much exchanges take longer then than with few in flight; 1 or more.
    pub tolerance: f64,
    /// The pool has an objective.
    pub has_objective: bool,
}

/// Follows one pool.
#[derive(Clone, Debug, Default)]
pub struct Demand {
    arrivals: Arrivals,
    served: Mean,
    shed: Mean,
    capacity: Capacity,
    objective: Objective,
    wanted: Wanted,
    last: Sample,
}

/// What is known.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Report {
    /// Exchanges that come in a second; rises fast, falls slowly.
    pub arrivals: f64,
    /// Exchanges that backends answer in a second.
    pub served: f64,
    /// Exchanges refused in a second for want of room.
    pub shed: f64,
    /// What a backend bears at once.
    pub bears: Option<f64>,
    /// What a backend does in a second.
    pub capacity: Option<f64>,
    /// How busy the backends are that may be used, 1 being all that they can.
    pub busy: Option<f64>,
    /// How busy they may be.
    pub busy_max: f64,
    /// The share of exchanges that met the objective lately.
    pub on_time: Option<f64>,
    /// Backends that are wanted; `None`: nobody knows what one bears.
    pub wanted: Option<u32>,
    /// The objective is missed, and more backends do not help.
    pub is_out_of_reach: bool,
}

impl Demand {
    /// A sample was taken at `now`.
    pub fn sample(&mut self, sample: &Sample, now: Duration) {
        let span = sample.span.as_secs_f64();
        if span <= 0.0 {
            return;
        }
        let rate = |count: u64| count as f64 / span;
        self.last = *sample;
        self.arrivals.add(rate(sample.arrived), span);
        self.served.add(rate(sample.served), span);
        self.shed.add(rate(sample.shed), span);
        self.capacity.add(sample, rate(sample.served), span);
        let company = Company { available: sample.available, wanted: self.wanted.count(), busy: self.busy() };
        self.objective.add(sample, span, company, now);
        let needed = self.needed(sample);
        self.wanted.follow(needed, now);
    }

    /// What is known now.
    #[must_use]
    pub fn report(&self) -> Report {
        let has_objective = self.last.has_objective;
        Report {
            arrivals: self.arrivals.rate(),
            served: self.served.value(),
            shed: self.shed.value(),
            bears: self.capacity.bears(),
            capacity: self.capacity.rate(),
            busy: self.busy(),
            busy_max: self.objective.busy_max(),
            on_time: self.objective.share().filter(|_| has_objective),
            wanted: self.capacity.bears().is_some().then(|| self.wanted.count()),
            is_out_of_reach: has_objective && self.objective.is_out_of_reach(),
        }
    }

    fn busy(&self) -> Option<f64> {
        let all = self.capacity.rate()? * f64::from(self.last.available);
        (all > 0.0).then(|| self.served.value() / all)
    }

    /// In backends, and parts of one.
    fn needed(&self, sample: &Sample) -> f64 {
        match self.capacity.rate() {
            _ if self.arrivals.is_quiet() => 0.0,
            Some(rate) => (self.arrivals.rate() / (rate * self.objective.busy_max())).max(LEAST),
            // Somebody comes, and nobody knows what that means: as many as there are.
            None => f64::from(sample.available).max(1.0),
        }
    }
}

/// Whoever comes needs one.
const LEAST: f64 = 0.01;
