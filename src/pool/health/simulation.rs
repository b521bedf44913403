//! Pools under a clock that is only a number: thousands of backends fall ill and recover, and what must hold is checked
//! at each step.

use super::outlier::{Company, ejected_max, judge};
use super::probe::{Rules, first_probe, next_probe};
use super::standing::Facts;
use super::*;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

const PROBE: Rules = Rules { every: secs(5), timeout: secs(1), rise: 2, fall: 3 };

const OUTLIER: OutlierRules = OutlierRules {
    consecutive_failures: 5,
    failure_rate: 3_000,
    window: secs(10),
    requests_min: 20,
    eject: secs(5),
    max_ejected: 3_000,
};

const BREAKER: BreakerRules =
    BreakerRules { failure_rate: 8_000, window: secs(10), requests_min: 50, open: secs(5), probes: 3 };

const SLOW_START: Duration = secs(10);

/// How long an exchange waits for a backend that says nothing.
const STALL: Duration = secs(2);

/// How long a backend that is well again may be left out: its exchanges still end, the longest ejection, its check, the
/// ramp.
const BACK_WITHIN: Duration = secs(2 + 10 * 5 + 4 * 6 + 10 + 1);

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// What is wrong with a backend, which nobody in the pool is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Illness {
    Well,
    /// Refuses connections; probes fail, too.
    Dead,
    /// Accepts and says nothing.
    Stalls,
    /// Half of its responses are errors, and its check passes.
    Half,
}

struct Backend {
    facts: Facts,
    tally: Tally,
    illness: Illness,
    well_since: Duration,
    /// Attempts that ended.
    ended: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Probe,
    Success { trial: bool },
    Failure { trial: bool },
}

struct Pool {
    backends: Vec<Backend>,
    events: BinaryHeap<Reverse<(Duration, usize, Event)>>,
    breaker: Breaker,
    budget: Budget,
    random: Random,
    probes: u64,
    ejections: u64,
    requests: u64,
    attempts: u64,
}

impl Pool {
    fn new(size: usize, checked: bool, seed: u64) -> Pool {
        let backend = |_| Backend {
            facts: Facts { checked: checked.then(Checked::default), ..Facts::default() },
            tally: Tally::new(OUTLIER),
            illness: Illness::Well,
            well_since: Duration::ZERO,
            ended: 0,
        };
        let probes = (0..size).filter(|_| checked);
        let probes = probes.map(|at| Reverse((first_probe(at, size, &PROBE), at, Event::Probe)));
        Pool {
            backends: (0..size).map(backend).collect(),
            events: probes.collect(),
            breaker: Breaker::new(BREAKER),
            budget: Budget::new(2_000),
            random: Random(seed),
            probes: 0,
            ejections: 0,
            requests: 0,
            attempts: 0,
        }
    }

    /// All that ends up to `now`, in order.
    fn advance(&mut self, now: Duration) {
        while self.events.peek().is_some_and(|Reverse((at, ..))| *at <= now) {
            let Some(Reverse((at, backend, event))) = self.events.pop() else { return };
            self.backends[backend].ended += u32::from(event != Event::Probe);
            match event {
                Event::Probe => self.probe(backend, at),
                Event::Success { trial } => {
                    self.backends[backend].tally.succeeded(at);
                    self.breaker.succeeded(at, trial);
                }
                Event::Failure { trial } => {
                    self.breaker.failed(at, trial);
                    if self.backends[backend].tally.failed(at) {
                        self.judge(backend, at);
                    }
                    if self.budget.withdraw() {
                        self.attempt(at);
                    }
                }
            }
        }
    }

    fn probe(&mut self, at: usize, now: Duration) {
        self.probes += 1;
        self.events.push(Reverse((next_probe(now, &PROBE, self.random.next()), at, Event::Probe)));
        let Backend { facts, tally, illness, .. } = &mut self.backends[at];
        let Some(checked) = &mut facts.checked else { return };
        let was = *checked;
        let turn = checked.judge(matches!(illness, Illness::Well | Illness::Half), &PROBE);
        if turn == Some(Turn::Up) && was != Checked::Unknown {
            facts.up_since = Some(now);
            if let Some(ejection) = facts.ejection.as_mut().filter(|ejection| ejection.holds(now)) {
                ejection.lift(now);
                tally.restart(now);
            }
        }
    }

    fn judge(&mut self, at: usize, now: Duration) {
        let others = self.backends.iter().enumerate().filter(|(other, _)| *other != at);
        let company = Company {
            size: self.backends.len(),
            ejected: self.ejected(now),
            others_usable: others.clone().filter(|(_, other)| other.standing(now).available()).count(),
            others: others.map(|(_, other)| other.tally.counts(now)).sum(),
        };
        let backend = &mut self.backends[at];
        let counts = backend.tally.counts(now);
        if let Some(ejection) = judge(&counts, backend.facts.ejection, &company, backend.tally.rules(), now) {
            backend.facts.ejection = Some(ejection);
            backend.tally.restart(ejection.until);
            self.ejections += 1;
            assert!(company.others_usable > 0);
            assert!(self.ejected(now) <= ejected_max(self.backends.len(), &OUTLIER));
        }
    }

    fn request(&mut self, now: Duration) {
        self.requests += 1;
        self.budget.deposit();
        self.attempt(now);
    }

    fn attempt(&mut self, now: Duration) {
        let Some(at) = self.pick(now) else { return };
        let trial = match self.breaker.admit(now) {
            Admit::Refuse { .. } => return,
            admit => admit == Admit::Trial,
        };
        self.attempts += 1;
        let (success, failure) = (Event::Success { trial }, Event::Failure { trial });
        let (wait, end) = match self.backends[at].illness {
            Illness::Well => (Duration::from_millis(20), success),
            Illness::Dead => (Duration::from_millis(1), failure),
            Illness::Stalls => (STALL, failure),
            Illness::Half if self.random.below(2) == 0 => (Duration::from_millis(20), success),
            Illness::Half => (Duration::from_millis(5), failure),
        };
        self.events.push(Reverse((now + wait, at, end)));
    }

    /// By chance and share; a few tries, then the next one that may be used.
    fn pick(&mut self, now: Duration) -> Option<usize> {
        let size = self.backends.len();
        let from = self.random.below(size);
        for _ in 0..8 {
            let at = self.random.below(size);
            let share = self.backends[at].facts.share(SLOW_START, now) as usize;
            if self.backends[at].standing(now).available() && self.random.below(256) < share {
                return Some(at);
            }
        }
        (from..from + size).map(|at| at % size).find(|&at| self.backends[at].standing(now).available())
    }

    fn ejected(&self, now: Duration) -> usize {
        let ejections = self.backends.iter().filter_map(|backend| backend.facts.ejection);
        ejections.filter(|ejection| ejection.holds(now)).count()
    }

    /// Somebody falls ill, somebody else recovers.
    fn stir(&mut self, now: Duration) {
        const ILLNESSES: [Illness; 3] = [Illness::Dead, Illness::Stalls, Illness::Half];
        let ill = self.random.below(self.backends.len());
        self.backends[ill].illness = ILLNESSES[self.random.below(ILLNESSES.len())];
        let well = self.random.below(self.backends.len());
        self.heal(well, now);
    }

    fn heal(&mut self, at: usize, now: Duration) {
        let backend = &mut self.backends[at];
        if std::mem::replace(&mut backend.illness, Illness::Well) != Illness::Well {
            backend.well_since = now;
        }
    }

    fn check(&self, now: Duration) {
        assert!(self.ejected(now) <= ejected_max(self.backends.len(), &OUTLIER));
        for (at, backend) in self.backends.iter().enumerate() {
            let due = backend.illness == Illness::Well && now > backend.well_since + BACK_WITHIN;
            assert!(!due || backend.standing(now) == Standing::Up, "{at} at {now:?}: {:?}", backend.facts);
        }
        assert!(self.attempts * 10 <= self.requests * 12 + budget::RESERVE_RETRIES * 10);
    }
}

impl Backend {
    fn standing(&self, now: Duration) -> Standing {
        Standing::of(&self.facts, SLOW_START, now)
    }
}

/// SplitMix64 (Steele, Lea, Flood, 2014): the same numbers each time.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.next()) * bound as u128) >> 64) as usize
    }
}

#[path = "simulation_tests.rs"]
mod tests;
