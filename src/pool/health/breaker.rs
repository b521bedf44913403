//! A pool that fails too much is given a rest: refused at once for a while, then tried with a few exchanges (the circuit
//! breaker of M. Nygard, Release It!).

use super::window::Window;
use crate::config;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// One pool's breaker, shared by all workers.
#[derive(Debug)]
pub struct Breaker {
    rules: config::Breaker,
    window: Window,
    /// Anything but closed; what the hot path looks at.
    tripped: AtomicBool,
    state: Mutex<State>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed,
    /// All are refused until then.
    Open(Duration),
    /// Some are let through: under way now, and passed so far.
    Trying {
        running: u32,
        passed: u32,
    },
}

/// Whether an exchange may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admit {
    /// As always.
    Pass,
    /// As one of a few; [`Breaker::tried`] must be told how it ended.
    Trial,
    /// Not before so long.
    Refuse(Duration),
}

/// How a trial ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trial {
    /// Well.
    Passed,
    /// Not.
    Failed,
    /// Nobody knows: the client went away.
    Unknown,
}

impl Breaker {
    /// A closed one.
    #[must_use]
    pub fn new(rules: config::Breaker) -> Breaker {
        let state = Mutex::new(State::Closed);
        Breaker { rules, window: Window::default(), tripped: AtomicBool::new(false), state }
    }

    /// What it was made with.
    #[must_use]
    pub fn rules(&self) -> &config::Breaker {
        &self.rules
    }

    /// Whether it lets all through.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        !self.tripped.load(Relaxed)
    }

    /// An exchange is to begin.
    pub fn admit(&self, now: Duration) -> Admit {
        if self.is_closed() {
            return Admit::Pass;
        }
        let mut state = self.state();
        match *state {
            State::Closed => Admit::Pass,
            State::Open(until) if now < until => Admit::Refuse(until - now),
            State::Open(_) => {
                *state = State::Trying { running: 1, passed: 0 };
                Admit::Trial
            }
            State::Trying { running, passed } if running + passed < self.rules.trials => {
                *state = State::Trying { running: running + 1, passed };
                Admit::Trial
            }
            State::Trying { .. } => Admit::Refuse(AGAIN),
        }
    }

    /// An attempt of an exchange that passed ended.
    pub fn count(&self, failed: bool, now: Duration) {
        self.window.count(failed, now, self.rules.window);
        if failed && self.is_closed() {
            let counts = self.window.counts(now, self.rules.window);
            if counts.reach(self.rules.failure_rate, self.rules.requests_min) {
                let mut state = self.state();
                if *state == State::Closed {
                    self.open(&mut state, now);
                }
            }
        }
    }

    /// An exchange on trial ended. Each is told exactly once.
    pub fn tried(&self, how: Trial, now: Duration) {
        let mut state = self.state();
        let State::Trying { running, passed } = *state else { return };
        let running = running.saturating_sub(1);
        match how {
            Trial::Failed => self.open(&mut state, now),
            Trial::Unknown => *state = State::Trying { running, passed },
            Trial::Passed if passed + 1 >= self.rules.trials => {
                *state = State::Closed;
                self.window.clear();
                self.tripped.store(false, Relaxed);
            }
            Trial::Passed => *state = State::Trying { running, passed: passed + 1 },
        }
    }

    fn open(&self, state: &mut State, now: Duration) {
        *state = State::Open(now + self.rules.open);
        self.tripped.store(true, Relaxed);
    }

    /// A panic elsewhere leaves it whole: each change is one store.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// When to come again while others are on trial.
const AGAIN: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const S: fn(u64) -> Duration = Duration::from_secs;

    fn breaker() -> Breaker {
        Breaker::new(config::Breaker {
            failure_rate: 5_000,
            window: S(10),
            requests_min: 4,
            open: S(5),
            trials: 2,
            statuses: config::Statuses::default(),
        })
    }

    fn tripped() -> Breaker {
        let breaker = breaker();
        (0..4).for_each(|_| breaker.count(true, S(1)));
        breaker
    }

    #[test]
    fn it_opens_at_its_rate_and_refuses_until_its_time_is_over() {
        let breaker = breaker();
        for failed in [true, false, true] {
            breaker.count(failed, S(1));
            assert_eq!(breaker.admit(S(1)), Admit::Pass);
        }
        breaker.count(true, S(1));
        assert_eq!(breaker.admit(S(2)), Admit::Refuse(S(4)));
        assert_eq!(breaker.admit(S(6)), Admit::Trial);
    }

    #[test]
    fn a_few_that_pass_close_it_and_one_that_fails_opens_it_again() {
        let breaker = tripped();
        assert_eq!((breaker.admit(S(6)), breaker.admit(S(6))), (Admit::Trial, Admit::Trial));
        assert_eq!(breaker.admit(S(6)), Admit::Refuse(AGAIN), "two are under way");
        breaker.tried(Trial::Passed, S(6));
        assert_eq!(breaker.admit(S(6)), Admit::Refuse(AGAIN), "one passed, one is under way");
        breaker.tried(Trial::Passed, S(6));
        assert_eq!(breaker.admit(S(6)), Admit::Pass);
        let breaker = tripped();
        assert_eq!(breaker.admit(S(6)), Admit::Trial);
        breaker.tried(Trial::Failed, S(7));
        assert_eq!(breaker.admit(S(8)), Admit::Refuse(S(4)));
    }

    #[test]
    fn a_trial_without_an_end_makes_room_for_another() {
        let breaker = tripped();
        for _ in 0..100 {
            assert_eq!(breaker.admit(S(6)), Admit::Trial);
            breaker.tried(Trial::Unknown, S(6));
        }
    }

    proptest! {
        #[test]
        fn it_never_stays_shut_once_exchanges_succeed(steps: Vec<(u8, u16)>) {
            let (breaker, mut now, mut on_trial) = (breaker(), S(0), 0);
            for (what, wait) in steps {
                now += Duration::from_millis(u64::from(wait));
                match (what % 4, on_trial) {
                    (0, _) => on_trial += u32::from(breaker.admit(now) == Admit::Trial),
                    (1, _) => breaker.count(what > 128, now),
                    (2, 1..) => {
                        on_trial -= 1;
                        breaker.tried(Trial::Failed, now);
                    }
                    (3, 1..) => {
                        on_trial -= 1;
                        breaker.tried(if what > 128 { Trial::Passed } else { Trial::Unknown }, now);
                    }
                    _ => {}
                }
            }
            (0..on_trial).for_each(|_| breaker.tried(Trial::Unknown, now));
            now += S(6);
            for _ in 0..2 {
                if breaker.admit(now) == Admit::Trial {
                    breaker.tried(Trial::Passed, now);
                }
            }
            prop_assert_eq!(breaker.admit(now), Admit::Pass);
        }
    }
}
