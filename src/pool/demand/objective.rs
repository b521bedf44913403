use super::Sample;
use super::rates::weight;
use std::time::Duration;

/// How many of the exchanges of late met the objective, and how busy backends may be for that.
///
/// Where it is missed for a minute with all the backends that are wanted, they may be less busy from then on. If two such steps
/// changed little, more backends are not what is missing, and the steps are taken back. After a long while in which it is met,
/// it is tried whether they may be a little busier again; each try that failed makes the next twice as late.
#[derive(Clone, Debug)]
pub(super) struct Objective {
    on_time: f64,
    late: f64,
    /// How busy backends may be.
    busy_max: f64,
    /// Since when as many are there as are wanted, and all the while met the objective, or missed it.
    settled: Duration,
    was_missed: bool,
    /// Steps since the objective was met last, and the share that was late before the first.
    steps: Option<(u32, f64)>,
    /// More backends do not help; nothing is tried before.
    given_up: Option<Duration>,
    /// The last step was up.
    was_raised: bool,
    /// Tries in a row that failed.
    failed: u32,
}

/// What there is, and what is wanted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Company {
    pub(super) available: u32,
    pub(super) wanted: u32,
    pub(super) busy: Option<f64>,
}

impl Default for Objective {
    fn default() -> Objective {
        Objective {
            on_time: 0.0,
            late: 0.0,
            busy_max: BUSY_MAX,
            settled: Duration::ZERO,
            was_missed: false,
            steps: None,
            given_up: None,
            was_raised: false,
            failed: 0,
        }
    }
}

impl Objective {
    pub(super) fn add(&mut self, sample: &Sample, span: f64, company: Company, now: Duration) {
        if !sample.has_objective {
            *self = Objective { settled: now, ..Objective::default() };
            return;
        }
        let kept = 1.0 - weight(span, SHARE_SECS);
        self.on_time = self.on_time * kept + sample.on_time as f64;
        self.late = self.late * kept + sample.late as f64;
        let is_missed = self.is_missed();
        let has_turned = std::mem::replace(&mut self.was_missed, is_missed) != is_missed;
        if company.wanted == 0 || company.available < company.wanted || self.share().is_none() || has_turned {
            self.settled = now;
        }
        self.judge(company, now);
    }

    pub(super) fn busy_max(&self) -> f64 {
        self.busy_max
    }

    /// The share that met it; `None`: too few.
    pub(super) fn share(&self) -> Option<f64> {
        let all = self.on_time + self.late;
        (all >= ENOUGH).then(|| self.on_time / all)
    }

    pub(super) fn is_out_of_reach(&self) -> bool {
        self.is_missed() && (self.given_up.is_some() || self.busy_max <= BUSY_LEAST)
    }

    fn is_missed(&self) -> bool {
        self.share().is_some_and(|share| share < SHARE)
    }

    fn judge(&mut self, company: Company, now: Duration) {
        let settled = now.saturating_sub(self.settled);
        if self.given_up.is_some_and(|until| now >= until) || !self.is_missed() {
            self.given_up = None;
        }
        let is_busy = company.busy.is_none_or(|busy| busy >= self.busy_max * BUSY_ENOUGH);
        if self.is_missed() {
            if self.given_up.is_none() && is_busy && settled >= MISSED_FOR {
                self.lower(now);
            }
        } else if settled >= MET_FOR * (1 << self.failed) && self.busy_max < BUSY_MAX {
            self.raise(now);
        }
    }

    fn lower(&mut self, now: Duration) {
        let late = 1.0 - self.share().unwrap_or(1.0);
        let (steps, before) = self.steps.unwrap_or((0, late));
        if std::mem::take(&mut self.was_raised) {
            self.failed = (self.failed + 1).min(FAILED_MAX);
        }
        self.settled = now;
        if steps >= STEPS && late > before * BETTER {
            self.busy_max = BUSY_MAX;
            self.steps = None;
            self.given_up = Some(now + MET_FOR * (1 << self.failed));
            self.failed = (self.failed + 1).min(FAILED_MAX);
            return;
        }
        self.steps = Some((steps + 1, before));
        self.busy_max = (self.busy_max * BUSY_FALLS).max(BUSY_LEAST);
    }

    fn raise(&mut self, now: Duration) {
        if std::mem::replace(&mut self.was_raised, true) {
            self.failed = 0;
        }
        self.steps = None;
        self.busy_max = (self.busy_max + BUSY_RISES).min(BUSY_MAX);
        self.settled = now;
    }
}

/// How busy backends may be where nothing else is known: beyond, waits grow fast.
const BUSY_MAX: f64 = 0.8;

/// Less busy, more backends do not make exchanges any faster.
const BUSY_LEAST: f64 = 0.2;

/// So near to what they may be, backends are busy.
const BUSY_ENOUGH: f64 = 0.7;

/// Missed for so long, they may be less busy by a sixth.
const MISSED_FOR: Duration = Duration::from_secs(60);
const BUSY_FALLS: f64 = 5.0 / 6.0;

/// Two steps, half as many backends again, that leave four fifths of those that are late do not help.
const STEPS: u32 = 2;
const BETTER: f64 = 0.8;

/// Met for so long, it is tried whether they may be a little busier. Up to 16 times as long, where that failed.
const MET_FOR: Duration = Duration::from_secs(1_800);
const BUSY_RISES: f64 = 0.05;
const FAILED_MAX: u32 = 4;

/// p99
const SHARE: f64 = 0.99;
const SHARE_SECS: f64 = 15.0;

/// With less, one in a hundred is nobody.
const ENOUGH: f64 = 50.0;
