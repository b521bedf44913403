use super::Rules;
use super::cohort::Sums;
use super::controller::Controller;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

/// Lets as many exchanges to a backend as it bears; shared by threads.
///
/// What counts are those that the backend has whole and did not begin to answer. Who downloads slowly, holds a tunnel or
/// uploads slowly takes no place from the others.
///
/// The limit is judged by cohorts: exchanges that began one after the other under the same limit, once all of them have
/// ended. What ends in some time would be the short ones first, and flatter a limit that is new.
#[derive(Debug)]
// A line of its own: each exchange of the backend writes it.
#[repr(align(128))]
pub struct Limiter {
    in_flight: AtomicU32,
    limit: AtomicU32,
    /// The number of the cohort.
    cohort: AtomicU32,
    /// Those in it.
    started: AtomicU32,
    /// Whether more join it.
    is_open: AtomicBool,
    /// Milliseconds: while more join it, the first moment at which it may be closed; then, when it is judged though some
    /// are missing.
    until: AtomicU64,
    /// Milliseconds: if nobody came in by then, a probe is given up; 0: there is none, or somebody did.
    patience: AtomicU64,
    sums: Sums,
    controller: Mutex<Controller>,
}

/// An exchange that came in; to be given back by one of [`Limiter::answered`], [`Limiter::overloaded`] and
/// [`Limiter::lost`].
#[derive(Clone, Copy, Debug)]
pub struct Ticket {
    /// None where it belongs to no cohort.
    cohort: Option<u32>,
    in_flight: u32,
    full: bool,
}

impl Limiter {
    /// One that begins with a limit of `start`, if somebody knows a good one.
    #[must_use]
    pub fn new(rules: Rules, start: Option<u32>, now: Duration) -> Limiter {
        let controller = Controller::new(rules, start);
        Limiter {
            in_flight: AtomicU32::new(0),
            limit: AtomicU32::new(controller.limit()),
            cohort: AtomicU32::new(0),
            started: AtomicU32::new(0),
            is_open: AtomicBool::new(true),
            until: AtomicU64::new(millis(now + COLLECT_MIN)),
            patience: AtomicU64::new(0),
            sums: Sums::default(),
            controller: Mutex::new(controller),
        }
    }

    /// What it was made with.
    #[must_use]
    pub fn rules(&self) -> Rules {
        *self.controller().rules()
    }

    /// How many may be in flight.
    #[must_use]
    pub fn limit(&self) -> u32 {
        self.limit.load(Relaxed)
    }

    /// How many the backend bears: the limit, but for a probe that is under way.
    #[must_use]
    pub fn sustainable(&self) -> u32 {
        self.controller().sustainable()
    }

    /// How many are.
    #[must_use]
    pub fn in_flight(&self) -> u32 {
        // SeqCst, as in `leave`: who looks in vain is in a queue by then, and is told of room that is made.
        self.in_flight.load(SeqCst)
    }

    /// The latency with few in flight, as it was learnt.
    #[must_use]
    pub fn unloaded(&self) -> Option<Duration> {
        self.controller().unloaded()
    }

    /// How many more may come in.
    #[must_use]
    pub fn room(&self) -> u32 {
        self.limit().saturating_sub(self.in_flight())
    }

    /// Whether one more may come in.
    #[must_use]
    pub fn has_room(&self, now: Duration) -> bool {
        let has = || self.in_flight() < self.limit();
        has() || (self.is_stuck(now) && self.stir(now) && has())
    }

    /// Comes in, if there is room.
    #[must_use]
    pub fn enter(&self, now: Duration) -> Option<Ticket> {
        let limit = self.limit();
        let more = |in_flight| (in_flight < limit).then_some(in_flight + 1);
        let before = self.in_flight.fetch_update(SeqCst, SeqCst, more).ok()?;
        if self.patience.load(Relaxed) != 0 {
            self.patience.store(0, Relaxed);
        }
        let cohort = self.is_open.load(Relaxed).then(|| self.join(now));
        Some(Ticket { cohort, in_flight: before + 1, full: before + 1 >= limit })
    }

    /// Comes back in: its request is whole now.
    pub fn enter_again(&self) {
        self.in_flight.fetch_add(1, SeqCst);
    }

    /// It is answered, is still being sent, or ends otherwise.
    pub fn leave(&self) {
        self.in_flight.fetch_sub(1, SeqCst);
    }

    /// The answer took so long. Whether the limit changed.
    pub fn answered(&self, ticket: Ticket, latency: Duration, now: Duration) -> bool {
        if self.is_of_cohort(ticket) {
            self.sums.add(latency, ticket.in_flight, ticket.full);
        }
        self.may_judge(now)
    }

    /// The backend gave up on it: it said 503, or nothing in time. Whether the limit changed.
    pub fn overloaded(&self, ticket: Ticket, now: Duration) -> bool {
        if self.is_of_cohort(ticket) {
            self.sums.add_overload();
        }
        self.may_judge(now)
    }

    /// It ended, and nothing is to be learnt from that. Whether the limit changed.
    pub fn lost(&self, ticket: Ticket, now: Duration) -> bool {
        if self.is_of_cohort(ticket) {
            self.sums.add_lost();
        }
        self.may_judge(now)
    }

    /// It was given up after so long without an answer, which may not have been because of the backend.
    pub fn abandoned(&self, ticket: Ticket, after: Duration, now: Duration) -> bool {
        match self.unloaded() {
            Some(unloaded) if after > unloaded * ABANDONED_AFTER => self.answered(ticket, after, now),
            _ => self.lost(ticket, now),
        }
    }

    fn is_of_cohort(&self, ticket: Ticket) -> bool {
        ticket.cohort.is_some_and(|cohort| cohort == self.cohort.load(Relaxed))
    }

    fn join(&self, now: Duration) -> u32 {
        let cohort = self.cohort.load(Relaxed);
        let count = self.started.fetch_add(1, Relaxed) + 1;
        let is_due = || millis(now) >= self.until.load(Relaxed);
        if (count >= ENOUGH && is_due()) || count >= MANY || (count >= FEW && self.is_late(now)) {
            self.shut(now);
        }
        cohort
    }

    /// Nobody joins the cohort any more.
    fn shut(&self, now: Duration) {
        // One does it.
        if self.is_open.swap(false, Relaxed) {
            self.until.store(millis(now + STRAGGLERS), Relaxed);
        }
    }

    /// The cohort is collected for long.
    fn is_late(&self, now: Duration) -> bool {
        millis(now) >= self.until.load(Relaxed) + millis(COLLECT_MAX)
    }

    fn is_over(&self, now: Duration) -> bool {
        if self.is_open.load(Relaxed) {
            return false;
        }
        let (ended, started) = (self.sums.ended(), u64::from(self.started.load(Relaxed)));
        let until = self.until.load(Relaxed);
        ended >= started
            || (millis(now) >= until && ended * 8 >= started * 7)
            || millis(now) >= until + millis(STRAGGLERS_MAX)
    }

    /// Judges the cohort if it is over, unless somebody does.
    fn may_judge(&self, now: Duration) -> bool {
        if !self.is_over(now) {
            return false;
        }
        let Some(mut controller) = self.try_controller() else { return false };
        // Somebody may have been faster.
        if !self.is_over(now) {
            return false;
        }
        controller.judge(&self.sums.take(), now);
        self.follow(&controller, now)
    }

    /// The limit is reached, and what there is to be judged is not going to become more.
    fn is_stuck(&self, now: Duration) -> bool {
        let patience = self.patience.load(Relaxed);
        let until = self.until.load(Relaxed);
        match self.is_open.load(Relaxed) {
            _ if patience != 0 => millis(now) > patience,
            true if self.started.load(Relaxed) >= FEW => millis(now) >= until + millis(COLLECT_STUCK),
            true => millis(now) >= until + millis(COLLECT_MAX),
            false => self.is_over(now),
        }
    }

    /// Sees to it that what does not end is not in everybody's way. Whether something was done.
    fn stir(&self, now: Duration) -> bool {
        let Some(mut controller) = self.try_controller() else { return false };
        // Somebody may have been faster.
        if !self.is_stuck(now) {
            return false;
        }
        if self.patience.load(Relaxed) != 0 {
            controller.give_up(now);
        } else if !self.is_open.load(Relaxed) {
            controller.judge(&self.sums.take(), now);
        } else if self.started.load(Relaxed) >= FEW {
            self.shut(now);
            return true;
        } else {
            controller.stalled(COLLECT_MAX);
            self.limit.store(controller.limit(), Relaxed);
            self.until.store(millis(now), Relaxed);
            return true;
        }
        self.follow(&controller, now);
        true
    }

    /// Begins a new cohort. Whether the limit changed.
    fn follow(&self, controller: &Controller, now: Duration) -> bool {
        let limit = controller.limit();
        let changed = self.limit.swap(limit, Relaxed) != limit;
        let patience = controller.patience().map_or(0, |patience| millis(now + patience).max(1));
        self.patience.store(patience, Relaxed);
        self.cohort.fetch_add(1, Relaxed);
        let _of_the_last = self.sums.take();
        self.started.store(0, Relaxed);
        self.until.store(millis(now + COLLECT_MIN), Relaxed);
        self.is_open.store(true, Relaxed);
        changed
    }

    fn try_controller(&self) -> Option<MutexGuard<'_, Controller>> {
        match self.controller.try_lock() {
            Ok(controller) => Some(controller),
            Err(TryLockError::Poisoned(controller)) => Some(controller.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    fn controller(&self) -> MutexGuard<'_, Controller> {
        self.controller.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// A cohort is collected for so long at least: what befalls a moment is not what a limit does.
const COLLECT_MIN: Duration = Duration::from_millis(100);

/// And for so much longer at most, if it is of [`FEW`].
const COLLECT_MAX: Duration = Duration::from_secs(4);

/// Nor than this, if the limit is reached and those do not end.
const COLLECT_STUCK: Duration = Duration::from_secs(1);

/// So many exchanges tell a factor of 1.3 from none, mostly, where their latencies are distributed exponentially.
const ENOUGH: u32 = 160;

const FEW: u32 = 32;

/// More add nothing.
const MANY: u32 = 16_384;

/// An exchange that took so many times as long as it should says how slow the backend is, though it had no answer.
const ABANDONED_AFTER: u32 = 2;

/// The last eighth of a cohort is not waited for any longer.
const STRAGGLERS: Duration = Duration::from_millis(500);

/// Nor are more, after this.
const STRAGGLERS_MAX: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests;
