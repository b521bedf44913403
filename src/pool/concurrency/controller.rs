use super::{Cohort, Rules};
use std::time::Duration;

/// Finds the limit for one backend.
///
/// It raises the limit while that costs no latency, and lowers it where latency rises above the tolerance. What latency would
/// be with few in flight is learnt by probes: for a moment the limit is half of what is in flight. If exchanges get faster by
/// that, they had waited for each other, and the limit falls until they do not; if not, they take as long as they take,
/// whatever the limit is. So a backend that only got slower keeps its limit, and one that lost a part of its strength gets
/// less. A limit that falls to half is such a probe, too: one that was lowered by chance comes back.
#[derive(Debug)]
pub struct Controller {
    rules: Rules,
    limit: f64,
    /// The logarithm of the latency with few in flight.
    base: Option<f64>,
    /// That of late cohorts, the last most.
    late: Option<f64>,
    state: State,
    /// How it was when the limit began to fall.
    falls_from: Option<Before>,
    /// The last cohort reached the limit, and took far too long.
    is_far: bool,
    /// Cohorts in a row that reached the limit and were hardly slower for it.
    calm: u32,
    /// Cohorts in a row that took too long, though the limit was not reached.
    suspicions: u32,
    /// No probe for a suspicion before.
    suspects_from: Duration,
    /// No probe without a suspicion before.
    probes_from: Duration,
    /// Probes in a row that had to be given up.
    vain: u32,
    /// Until when the limit does not rise above this, as the backend gave up on exchanges.
    ceiling: Option<(f64, Duration)>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    /// Nothing is known: the limit rises fast.
    Starting,
    /// The limit is about right.
    Steady,
    /// The limit is half of what was in flight.
    Probing(Before),
}

/// How it was with twice as many in flight.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Before {
    /// The logarithm of the latency.
    ln_latency: f64,
    /// How many were in flight.
    in_flight: f64,
    /// The limit, to be put back if latency does not depend on it.
    limit: f64,
    /// When the probe, or the first of several in a row, began.
    began: Duration,
}

impl Controller {
    /// One that begins with a limit of `start`, if somebody knows a good one.
    #[must_use]
    pub fn new(rules: Rules, start: Option<u32>) -> Controller {
        Controller {
            rules,
            limit: f64::from(start.unwrap_or(START).clamp(rules.min, rules.max)),
            base: None,
            late: None,
            state: State::Starting,
            falls_from: None,
            is_far: false,
            calm: 0,
            suspicions: 0,
            suspects_from: Duration::ZERO,
            probes_from: Duration::ZERO,
            vain: 0,
            ceiling: None,
        }
    }

    /// What it was made with.
    #[must_use]
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// How many exchanges may be in flight.
    #[must_use]
    pub fn limit(&self) -> u32 {
        (self.limit.round() as u32).clamp(self.rules.min, self.rules.max)
    }

    /// How many the backend bears: the limit but for probes.
    #[must_use]
    pub fn sustainable(&self) -> u32 {
        let limit = match self.state {
            State::Probing(before) => before.limit,
            State::Starting | State::Steady => self.limit,
        };
        (limit.round() as u32).clamp(self.rules.min, self.rules.max)
    }

    /// The latency with few in flight, as it was learnt: the geometric mean.
    #[must_use]
    pub fn unloaded(&self) -> Option<Duration> {
        self.base.map(nanos)
    }

    /// After how long a probe is to be given up, if until then nobody could come in.
    #[must_use]
    pub fn patience(&self) -> Option<Duration> {
        let latency = self.late.map_or(Duration::ZERO, nanos).min(DRAIN_MAX);
        matches!(self.state, State::Probing(_)).then(|| latency * DRAIN_LATENCIES + DRAIN_MIN)
    }

    /// A cohort has ended at `now`.
    pub fn judge(&mut self, cohort: &Cohort, now: Duration) {
        if cohort.overloads > 0 {
            self.give_way(cohort, now);
        }
        if cohort.count >= COUNT_MIN {
            match self.state {
                State::Probing(before) => self.probed(&before, cohort, now),
                State::Starting | State::Steady => self.seen(cohort, now),
            }
        }
        if let Some((ceiling, until)) = self.ceiling {
            self.limit = self.limit.min(ceiling);
            self.ceiling = self.ceiling.filter(|_| now < until);
        }
        self.limit = self.limit.clamp(f64::from(self.rules.min), f64::from(self.rules.max));
        if self.state == State::Starting && self.limit >= f64::from(self.rules.max) {
            self.state = State::Steady;
        }
    }

    /// What is in flight does not end, so that a probe lets nobody in.
    pub fn give_up(&mut self, now: Duration) {
        if let State::Probing(before) = self.state {
            self.limit = before.limit;
            self.vain += 1;
            self.settle(now, now.saturating_sub(before.began));
        }
    }

    /// The limit is reached, and for so long too few have ended to say anything. That is nothing unusual where all take as
    /// long, or where it is not known yet how long they take.
    pub fn stalled(&mut self, time: Duration) {
        let most = match self.unloaded() {
            None => STALLED_MAX,
            Some(unloaded) if unloaded > time / 2 => f64::from(self.rules.max),
            Some(_) => return,
        };
        if self.state != State::Starting || self.limit < most {
            self.limit = (self.limit * (1.0 + START_GROWTH)).min(most.max(self.limit));
        }
        self.limit = self.limit.clamp(f64::from(self.rules.min), f64::from(self.rules.max));
    }

    /// A backend that says it has too much is believed, for a while.
    fn give_way(&mut self, cohort: &Cohort, now: Duration) {
        let share = f64::from(cohort.overloads) / f64::from(cohort.overloads + cohort.count);
        // Those that it answered it could bear.
        let borne = if cohort.count >= COUNT_MIN { cohort.in_flight } else { f64::INFINITY };
        let less = if borne.is_finite() { share / 8.0 } else { share / 2.0 };
        let lowered = |limit: f64| limit.min(borne) * (1.0 - less);
        if let State::Probing(before) = &mut self.state {
            before.limit = lowered(before.limit);
        }
        self.limit = lowered(self.limit);
        self.ceiling = Some((self.limit, now + CEILING_HOLDS));
    }

    fn seen(&mut self, cohort: &Cohort, now: Duration) {
        let (rise, tolerated) = (self.rise(cohort, now), self.tolerated());
        let is_full = cohort.full >= FULL_SHARE;
        if rise <= tolerated || !is_full {
            self.falls_from = None;
        }
        let was_far = std::mem::replace(&mut self.is_far, is_full && rise > tolerated + NOISE);
        self.calm = if is_full && rise <= tolerated / 2.0 { self.calm + 1 } else { 0 };
        self.suspicions = if !is_full && rise > tolerated + NOISE { self.suspicions + 1 } else { 0 };
        match self.state {
            _ if cohort.overloads * OVERLOADS_OF > cohort.count => {}
            State::Starting if is_full && rise > tolerated + NOISE => return self.probe(cohort, now),
            State::Starting => self.limit *= 1.0 + START_GROWTH * cohort.full,
            _ if rise <= tolerated => self.grow(cohort.full * ((tolerated - rise) / tolerated).min(1.0)),
            _ if is_full && was_far && self.is_far => {
                // As it was now: what was before does not matter any more.
                self.late = Some(cohort.ln_latency);
                return self.probe(cohort, now);
            }
            _ if is_full => return self.fall(rise - tolerated, cohort, now),
            // What is not reached is not why it takes so long.
            _ => {}
        }
        let is_suspicious = self.suspicions >= SUSPICIONS && now >= self.suspects_from;
        let is_due = is_full && now >= self.probes_from && self.state == State::Steady;
        if is_suspicious || is_due {
            self.probe(cohort, now);
        }
    }

    /// By how much more latency is than with few in flight: the logarithm of that factor.
    fn rise(&mut self, cohort: &Cohort, now: Duration) -> f64 {
        let ln = cohort.ln_latency;
        let late = self.late.map_or(ln, |late| late + LATE_WEIGHT * (ln - late));
        let mut base = self.base.unwrap_or(ln);
        if late < base - NOISE {
            // Nothing takes less than it must: what was learnt is out of date.
            base = late;
            self.probes_from = self.probes_from.min(now + PROBES_SOON);
        }
        (self.late, self.base) = (Some(late), Some(base));
        ln - base
    }

    fn grow(&mut self, share: f64) {
        let calm = f64::from(self.calm.min(CALM_MAX)) * CALM_GROWTH;
        self.limit += share * (self.limit.sqrt() * GROWTH).max(self.limit * calm);
    }

    fn fall(&mut self, above: f64, cohort: &Cohort, now: Duration) {
        let here = self.here(cohort, now);
        let before = *self.falls_from.get_or_insert(here);
        self.limit *= (-above.min(FALL_MAX) * FALL_WEIGHT).exp();
        if self.limit <= before.in_flight / 2.0 {
            self.limit = before.in_flight / 2.0;
            self.state = State::Probing(before);
        }
    }

    /// Halves what is in flight, to see what that does.
    fn probe(&mut self, cohort: &Cohort, now: Duration) {
        let here = self.here(cohort, now);
        let half = (here.in_flight / 2.0).max(f64::from(self.rules.min));
        if half > here.in_flight * HALF_MAX {
            // With so few at once none waits for another: that is how long they take.
            self.base = Some(here.ln_latency);
            return self.settle(now, Duration::ZERO);
        }
        self.state = State::Probing(here);
        self.limit = half;
    }

    fn here(&self, cohort: &Cohort, now: Duration) -> Before {
        let ln_latency = self.late.unwrap_or(cohort.ln_latency);
        let limit = self.falls_from.map_or(self.limit, |before| before.limit);
        Before { ln_latency, in_flight: cohort.in_flight.min(self.limit), limit, began: now }
    }

    fn probed(&mut self, before: &Before, cohort: &Cohort, now: Duration) {
        let ln = cohort.ln_latency;
        self.late = Some(ln);
        self.base = Some(match self.base {
            Some(base) if (base - ln).abs() < NOISE => f64::midpoint(base, ln),
            _ => ln,
        });
        self.vain = 0;
        let (fall, tolerated) = (before.ln_latency - ln, self.tolerated());
        if fall >= STEEP && self.limit > f64::from(self.rules.min) {
            // Half as many did about as much: there may be too many still.
            self.falls_from = None;
            self.probe(cohort, now);
            if let State::Probing(next) = &mut self.state {
                next.began = before.began;
            }
            return;
        }
        self.limit = match fall > tolerated {
            true => (before.in_flight * (tolerated - fall).exp()).max(self.limit),
            false => before.limit,
        };
        self.settle(now, now.saturating_sub(before.began));
    }

    /// No probe is made soon after one that took so long.
    fn settle(&mut self, now: Duration, took: Duration) {
        self.state = State::Steady;
        self.falls_from = None;
        self.is_far = false;
        self.suspicions = 0;
        let rare = 1 << self.vain.min(VAIN_MAX);
        self.suspects_from = now + (took * SUSPECTS_AFTER).max(SUSPECTS_MIN) * rare;
        self.probes_from = now + (took * PROBES_AFTER).max(PROBES_MIN) * rare;
    }

    /// The logarithm of the factor.
    fn tolerated(&self) -> f64 {
        (f64::from(self.rules.tolerance.max(TOLERANCE_MIN)) / 100.0).ln()
    }
}

fn nanos(ln: f64) -> Duration {
    Duration::from_nanos(ln.exp().round() as u64)
}

/// Where nothing is known, few backends are hurt by so many at once.
const START: u32 = 8;

/// At the start, a cohort that filled the limit raises it by half.
const START_GROWTH: f64 = 0.5;

/// Then, by half of its square root: an eighth of 16, a fortieth of 400.
const GROWTH: f64 = 0.5;

/// Or, after several that had no reason to wait, by up to a quarter.
const CALM_GROWTH: f64 = 1.0 / 32.0;
const CALM_MAX: u32 = 8;

/// The limit falls by the square root of the factor that latency is above the tolerance, and of no more than two.
const FALL_WEIGHT: f64 = 0.5;
const FALL_MAX: f64 = std::f64::consts::LN_2;

/// Fewer exchanges say nothing.
const COUNT_MIN: u32 = 8;

/// If so many found the last place, the limit was reached.
const FULL_SHARE: f64 = 0.25;

/// How long a backend is believed that it has too much.
const CEILING_HOLDS: Duration = Duration::from_secs(10);

/// So many in flight are little for a backend of which nothing is known but that it takes its time.
const STALLED_MAX: f64 = 64.0;

/// The limit does not rise while the backend gives up on one of so many.
const OVERLOADS_OF: u32 = 50;

/// What the last cohort counts among late ones.
const LATE_WEIGHT: f64 = 0.5;

/// A factor of 1.2: by so much the latencies of two cohorts may differ for nothing.
const NOISE: f64 = 0.2;

/// A factor of 1.73. With half as many in flight, exchanges that only wait for each other take half as long.
const STEEP: f64 = 0.55;

/// What is more than that is no half.
const HALF_MAX: f64 = 0.75;

/// So many cohorts in a row are no coincidence.
const SUSPICIONS: u32 = 3;

/// Probes take a fiftieth of the time, those for suspicions that came to nothing a twentieth.
const PROBES_AFTER: u32 = 50;
const PROBES_MIN: Duration = Duration::from_secs(10);
const SUSPECTS_AFTER: u32 = 20;
const SUSPECTS_MIN: Duration = Duration::from_secs(2);

/// After what was learnt turned out to be out of date.
const PROBES_SOON: Duration = Duration::from_secs(1);

/// How long half of what is in flight may take to end.
const DRAIN_LATENCIES: u32 = 4;
const DRAIN_MIN: Duration = Duration::from_millis(200);
const DRAIN_MAX: Duration = Duration::from_secs(1);

/// Probes that had to be given up become rarer, up to 32 times.
const VAIN_MAX: u32 = 5;

/// Below, noise would be taken for latency.
pub const TOLERANCE_MIN: u16 = 105;

#[cfg(test)]
mod tests;
