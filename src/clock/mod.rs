//! A worker's coarse timer: one wheel, no system call and no allocation per timeout once warm.
//!
//! Deadlines are kept to [`TICK`]: counted from the last turn of the wheel plus one tick, so that they fire up to one tick
//! late, and early only by as long as the worker was too busy to turn it.

mod boot;
mod date;
mod wheel;

pub use boot::boot_time;
pub use date::HttpDate;

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use wheel::{Key, Kind, Wheel};

/// How often the wheel turns, and so how exact a deadline is.
pub const TICK: Duration = Duration::from_millis(50);

/// A deadline passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elapsed;

/// The timer of one worker. Someone must call [`Clock::run`].
#[derive(Debug)]
pub struct Clock {
    start: Instant,
    tick: Cell<u64>,
    wheel: RefCell<Wheel>,
    date: HttpDate,
}

impl Default for Clock {
    fn default() -> Self {
        Clock::starting(Instant::now())
    }
}

impl Clock {
    /// A clock whose time counts from `start`, so that clocks with the same start agree.
    #[must_use]
    pub fn starting(start: Instant) -> Clock {
        let clock = Clock { start, tick: Cell::new(0), wheel: RefCell::default(), date: HttpDate::default() };
        clock.tick.set(clock.tick_at(Instant::now()));
        clock
    }

    /// Turns the wheel for as long as it is polled.
    pub async fn run(&self) {
        let mut interval = tokio::time::interval(TICK);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        loop {
            interval.tick().await;
            self.advance(Instant::now());
        }
    }

    /// Fires all deadlines up to `now`.
    pub fn advance(&self, now: Instant) {
        let tick = self.tick_at(now);
        self.date.refresh();
        while self.tick.get() < tick {
            self.tick.set(self.tick.get() + 1);
            self.wheel.borrow_mut().expire(self.tick.get());
        }
    }

    /// The current `Date`, to the second.
    #[must_use]
    pub fn date(&self) -> &HttpDate {
        &self.date
    }

    /// Time since the start, to the tick.
    #[must_use]
    pub fn coarse(&self) -> Duration {
        TICK * u32::try_from(self.tick.get()).unwrap_or(u32::MAX)
    }

    /// Time from the start to that moment, as exact as it is.
    #[must_use]
    pub fn exact(&self, moment: Instant) -> Duration {
        moment.saturating_duration_since(self.start)
    }

    /// Waits for `future`, at most `limit`.
    ///
    /// # Errors
    /// [`Elapsed`] if `limit` passed first.
    pub async fn within<F: Future>(&self, limit: Duration, future: F) -> Result<F::Output, Elapsed> {
        within(self.timer(limit), future).await
    }

    /// As [`within`](Self::within), counted anew with each change of `moved`.
    ///
    /// # Errors
    /// [`Elapsed`] if `limit` passed without one.
    pub async fn within_progress<F: Future>(
        &self,
        limit: Duration,
        moved: &Cell<u64>,
        future: F,
    ) -> Result<F::Output, Elapsed> {
        let mut future = pin!(future);
        let (mut timer, mut seen) = (self.timer(limit), moved.get());
        poll_fn(|cx| {
            if let Poll::Ready(output) = future.as_mut().poll(cx) {
                return Poll::Ready(Ok(output));
            }
            if seen != moved.get() {
                seen = moved.get();
                timer.restart();
            }
            timer.poll_elapsed(cx).map(|()| Err(Elapsed))
        })
        .await
    }

    /// As [`within`](Self::within), for a wait that [`end_idle`](Self::end_idle) may cut short.
    ///
    /// # Errors
    /// [`Elapsed`] if `limit` passed first, or idle waits were ended.
    pub async fn within_idle<F: Future>(&self, limit: Duration, future: F) -> Result<F::Output, Elapsed> {
        within(self.idle_timer(limit), future).await
    }

    /// As [`within`](Self::within), for a wait for the rest of a request's head, which [`end_unasked`](Self::end_unasked) may cut short.
    ///
    /// # Errors
    /// [`Elapsed`] if `limit` passed first, or such waits were ended.
    pub async fn within_head<F: Future>(&self, limit: Duration, future: F) -> Result<F::Output, Elapsed> {
        within(Timer { clock: self, limit, kind: Kind::Head, key: None }, future).await
    }

    /// Ends all waits that are idle now.
    pub fn end_idle(&self) {
        self.wheel.borrow_mut().expire_kinds(Kind::Idle);
    }

    /// Ends all waits for requests: those that are idle, and those for the rest of a head.
    pub fn end_unasked(&self) {
        self.wheel.borrow_mut().expire_kinds(Kind::Head);
    }

    /// As [`timer`](Self::timer), cut short by [`end_idle`](Self::end_idle).
    pub fn idle_timer(&self, limit: Duration) -> Timer<'_> {
        Timer { clock: self, limit, kind: Kind::Idle, key: None }
    }

    /// A deadline that starts to count when it is first polled.
    pub fn timer(&self, limit: Duration) -> Timer<'_> {
        Timer { clock: self, limit, kind: Kind::Busy, key: None }
    }

    fn tick_at(&self, now: Instant) -> u64 {
        millis(now.saturating_duration_since(self.start)) / TICK_MS
    }

    /// The tick by which at least `limit` from now has passed, whatever part of the current tick is gone.
    fn deadline(&self, limit: Duration) -> u64 {
        self.tick.get().saturating_add(millis(limit).div_ceil(TICK_MS) + 1)
    }
}

/// Whole milliseconds, in 64 bits: a division by a constant is then no call.
fn millis(time: Duration) -> u64 {
    time.as_secs().saturating_mul(1000).saturating_add(u64::from(time.subsec_millis()))
}

const TICK_MS: u64 = TICK.as_millis() as u64;

/// Waits for `future`, until `timer` fires.
async fn within<F: Future>(mut timer: Timer<'_>, future: F) -> Result<F::Output, Elapsed> {
    let mut future = pin!(future);
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Ok(output)),
        Poll::Pending => timer.poll_elapsed(cx).map(|()| Err(Elapsed)),
    })
    .await
}

/// See [`Clock::timer`]. Dropping it forgets the deadline.
#[derive(Debug)]
pub struct Timer<'c> {
    clock: &'c Clock,
    limit: Duration,
    kind: Kind,
    key: Option<Key>,
}

impl Timer<'_> {
    /// Ready once the limit has passed since the first poll.
    pub fn poll_elapsed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut wheel = self.clock.wheel.borrow_mut();
        match self.key {
            None => {
                self.key = Some(wheel.insert(self.clock.deadline(self.limit), self.kind, cx.waker().clone()));
                Poll::Pending
            }
            Some(key) => wheel.poll(key, cx),
        }
    }

    /// Starts to count anew at the next poll.
    pub fn restart(&mut self) {
        if let Some(key) = self.key.take() {
            self.clock.wheel.borrow_mut().remove(key);
        }
    }
}

impl Drop for Timer<'_> {
    fn drop(&mut self) {
        self.restart();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::Waker;

    fn at(clock: &Clock, ticks: u32) -> Instant {
        clock.start + TICK * ticks
    }

    #[test]
    fn a_deadline_fires_within_one_tick_after_its_time_and_never_before() {
        let clock = Clock::default();
        let mut cx = Context::from_waker(Waker::noop());
        let mut timer = clock.timer(TICK * 3);
        assert!(timer.poll_elapsed(&mut cx).is_pending());
        clock.advance(at(&clock, 3));
        assert!(timer.poll_elapsed(&mut cx).is_pending());
        clock.advance(at(&clock, 4));
        assert!(timer.poll_elapsed(&mut cx).is_ready());
    }

    #[test]
    fn a_deadline_further_off_than_the_wheel_is_round_still_fires_on_time() {
        let clock = Clock::default();
        let mut cx = Context::from_waker(Waker::noop());
        let far = wheel::BUCKETS as u32 * 2 + 7;
        let mut timer = clock.timer(TICK * far);
        assert!(timer.poll_elapsed(&mut cx).is_pending());
        clock.advance(at(&clock, far));
        assert!(timer.poll_elapsed(&mut cx).is_pending());
        clock.advance(at(&clock, far + 1));
        assert!(timer.poll_elapsed(&mut cx).is_ready());
    }

    #[test]
    fn ending_idle_waits_leaves_the_others_alone() {
        let clock = Clock::default();
        let mut cx = Context::from_waker(Waker::noop());
        let mut busy = clock.timer(TICK);
        let mut idle = Timer { clock: &clock, limit: TICK, kind: Kind::Idle, key: None };
        assert!(busy.poll_elapsed(&mut cx).is_pending() && idle.poll_elapsed(&mut cx).is_pending());
        clock.end_idle();
        assert!(busy.poll_elapsed(&mut cx).is_pending() && idle.poll_elapsed(&mut cx).is_ready());
        let mut head = Timer { clock: &clock, limit: TICK, kind: Kind::Head, key: None };
        assert!(head.poll_elapsed(&mut cx).is_pending());
        clock.end_idle();
        assert!(head.poll_elapsed(&mut cx).is_pending());
        clock.end_unasked();
        assert!(busy.poll_elapsed(&mut cx).is_pending() && head.poll_elapsed(&mut cx).is_ready());
    }

    #[test]
    fn dropped_and_restarted_timers_leave_nothing_behind() {
        let clock = Clock::default();
        let mut cx = Context::from_waker(Waker::noop());
        for _ in 0..100 {
            let mut timer = clock.timer(TICK);
            assert!(timer.poll_elapsed(&mut cx).is_pending());
            timer.restart();
            assert!(timer.poll_elapsed(&mut cx).is_pending());
        }
        assert_eq!(clock.wheel.borrow().len(), 0);
    }

    #[tokio::test]
    async fn within_gives_the_value_or_elapsed() {
        let clock = std::rc::Rc::new(Clock::default());
        assert_eq!(clock.within(TICK, async { 7 }).await, Ok(7));
        let never = clock.within(TICK, std::future::pending::<()>());
        let turn = async {
            tokio::task::yield_now().await;
            clock.advance(at(&clock, 2));
            std::future::pending::<()>().await;
        };
        tokio::select! {
            result = never => assert_eq!(result, Err(Elapsed)),
            () = turn => unreachable!(),
        }
    }
}
