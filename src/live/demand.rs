use super::state::lock;
use super::{LivePool, Member};
use crate::config;
use crate::pool::demand::{Demand, Report, Sample};
use crate::telemetry::metrics::{DemandCounts, DemandLook, PoolMetrics};
use std::sync::Mutex;
use std::time::Duration;

/// Follows how many backends a pool needs; it outlives reloads.
#[derive(Default)]
pub(super) struct Watched(Mutex<Watching>);

impl Watched {
    /// What was counted before `now` is none of its business.
    pub(super) fn begin(&self, metrics: &PoolMetrics, now: Duration) {
        lock(&self.0).before = (metrics.demand(), now);
    }
}

#[derive(Default)]
struct Watching {
    demand: Demand,
    /// What was counted when the last sample was taken, and when that was.
    before: (DemandCounts, Duration),
    glances: Glances,
}

/// What was in flight when somebody looked.
#[derive(Clone, Copy, Default)]
struct Glances {
    sum: u64,
    count: u32,
}

impl Glances {
    fn mean(self) -> Option<f64> {
        (self.count > 0).then(|| self.sum as f64 / f64::from(self.count))
    }
}

impl LivePool {
    /// Looks at what is in flight now. A sample is of the mean of what was seen: one look says little.
    pub fn glance(&self) {
        let in_flight: u64 = self.members.load().list.iter().map(|member| u64::from(counted(member))).sum();
        let glances = &mut lock(&self.state.demand.0).glances;
        glances.sum += in_flight;
        glances.count += 1;
    }

    /// Takes a sample of what the pool needs.
    pub fn sample(&self, pool: &config::Pool, now: Duration) {
        let counts = self.metrics.demand();
        let backends = Backends::of(self, pool, now);
        let mut watching = lock(&self.state.demand.0);
        let glances = std::mem::take(&mut watching.glances);
        let (before, then) = std::mem::replace(&mut watching.before, (counts, now));
        let sample = Sample {
            span: now.saturating_sub(then),
            arrived: counts.arrived.saturating_sub(before.arrived),
            served: counts.served.saturating_sub(before.served),
            on_time: counts.on_time.saturating_sub(before.on_time),
            late: counts.late.saturating_sub(before.late),
            shed: counts.shed.saturating_sub(before.shed),
            in_flight: glances.mean().unwrap_or_else(|| f64::from(backends.in_flight)),
            available: backends.available,
            bears: backends.bears,
            tolerance: pool.concurrency.map_or(1.0, |it| f64::from(it.tolerance) / 100.0),
            has_objective: pool.objective.is_some(),
        };
        watching.demand.sample(&sample, now);
    }

    /// What the pool needs, as it was when the last sample was taken.
    pub(super) fn demand(&self, pool: &config::Pool, now: Duration) -> DemandLook {
        let Report { arrivals, served, shed, bears, capacity, busy, busy_max, on_time, wanted, is_out_of_reach } =
            lock(&self.state.demand.0).demand.report();
        let backends = Backends::of(self, pool, now);
        DemandLook {
            in_flight: backends.in_flight,
            arrivals,
            served,
            shed,
            bears: bears.or(backends.bears),
            capacity,
            busy,
            busy_max,
            objective: pool.objective,
            on_time,
            is_out_of_reach,
            available: backends.available,
            wanted,
        }
    }
}

/// The backends of a pool now.
struct Backends {
    /// Exchanges that they have, as far as they count for what they bear.
    in_flight: u32,
    /// Those that may be used.
    available: u32,
    /// What each of these bears at once, in the mean.
    bears: Option<f64>,
}

impl Backends {
    fn of(live: &LivePool, pool: &config::Pool, now: Duration) -> Backends {
        let (mut all, mut borne) = (Backends { in_flight: 0, available: 0, bears: None }, 0.0);
        for member in &live.members.load().list {
            all.in_flight += counted(member);
            if member.standing(now, pool.slow_start).available() {
                all.available += 1;
                borne += f64::from(bears(member, pool).unwrap_or_default());
            }
        }
        if all.available > 0 && borne > 0.0 {
            all.bears = Some(borne / f64::from(all.available));
        }
        all
    }
}

/// Exchanges that count for what it bears.
fn counted(member: &Member) -> u32 {
    member.limiter.as_ref().map_or_else(|| member.backend.in_flight(), |limiter| limiter.in_flight())
}

fn bears(member: &Member, pool: &config::Pool) -> Option<u32> {
    member.limiter.as_ref().map(|limiter| limiter.sustainable()).or(pool.connections.max)
}
