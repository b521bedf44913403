//! A queueing model on a clock that is only a number: exchanges come by chance, wait in a queue for room, and are served by
//! backends that are of some strength, and get into trouble.

use super::{Limiter, Rules, Ticket};
use std::collections::VecDeque;
use std::time::Duration;

/// How a backend serves those that it has.
#[derive(Clone, Copy, Debug)]
pub(super) enum Service {
    /// So many servers, one queue: M/M/c and its like.
    Servers(usize),
    /// All at once; above so many, they share its strength, and of that some is lost: at twice as many in flight, so much
    /// of it.
    Shared { strength: usize, lost: f64 },
}

/// How long exchanges take at a backend that has nothing else to do.
#[derive(Clone, Copy, Debug)]
pub(super) enum Work {
    Always(f64),
    /// Exponentially distributed.
    About(f64),
    /// Of ten, nine take the first and one the second.
    Two(f64, f64),
}

impl Work {
    pub(super) fn mean(self) -> f64 {
        match self {
            Work::Always(work) | Work::About(work) => work,
            Work::Two(short, long) => 0.9 * short + 0.1 * long,
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Backend {
    pub(super) service: Service,
    pub(super) work: Work,
    /// Nothing is done until then.
    pub(super) paused_until: f64,
    /// It answers with 503 what is above so many.
    pub(super) refuses_above: Option<usize>,
    inside: Vec<Inside>,
}

#[derive(Clone, Copy, Debug)]
struct Inside {
    left: f64,
    began: f64,
    ticket: Option<Ticket>,
}

/// What came of the exchanges of some time.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    pub(super) shed: u64,
    /// How long each was at the backend, in seconds.
    served: Vec<f64>,
}

impl Seen {
    /// How many were answered.
    pub(super) fn goodput(&self) -> f64 {
        self.served.len() as f64
    }

    pub(super) fn served_percentile(&self, share: f64) -> f64 {
        let mut served = self.served.clone();
        served.sort_by(f64::total_cmp);
        served[(served.len() as f64 * share) as usize]
    }
}

pub(super) struct World {
    pub(super) now: f64,
    pub(super) backends: Vec<(Backend, Option<Limiter>)>,
    /// Exchanges a second.
    rate: f64,
    next_arrival: f64,
    waiting: VecDeque<f64>,
    turn: usize,
    random: Random,
    seen: Seen,
    /// How many the backends answered with 503.
    pub(super) refused: u64,
}

/// As with the defaults of a pool.
const QUEUE_MAX: usize = 500;
const QUEUE_TIMEOUT: f64 = 2.0;

pub(super) const RULES: Rules = Rules { min: 2, max: 10_000, tolerance: 125 };

impl Backend {
    pub(super) fn new(service: Service, work: Work) -> Backend {
        Backend { service, work, paused_until: 0.0, refuses_above: None, inside: Vec::new() }
    }

    /// How fast each of those inside is served, by its place.
    fn pace(&self, place: usize, now: f64) -> f64 {
        if now < self.paused_until {
            return 0.0;
        }
        match self.service {
            Service::Servers(servers) => f64::from(u8::from(place < servers)),
            Service::Shared { strength, lost } => {
                let crowd = self.inside.len() as f64 / strength as f64;
                if crowd <= 1.0 { 1.0 } else { (1.0 / crowd) / (1.0 + (crowd - 1.0) * lost / (1.0 - lost)) }
            }
        }
    }

    /// When the next is done, and which.
    fn next(&self, now: f64) -> Option<(f64, usize)> {
        let resumes = self.paused_until.max(now);
        let when = |(place, inside): (usize, &Inside)| {
            let pace = self.pace(place, resumes);
            (pace > 0.0).then(|| (resumes + inside.left / pace, place))
        };
        self.inside.iter().enumerate().filter_map(when).min_by(|a, b| a.0.total_cmp(&b.0))
    }

    fn work_until(&mut self, from: f64, to: f64) {
        let from = from.max(self.paused_until.min(to));
        for place in 0..self.inside.len() {
            let pace = self.pace(place, from);
            self.inside[place].left -= pace * (to - from);
        }
    }
}

impl World {
    /// Backends that are alike, each with a limiter of its own.
    pub(super) fn new(count: usize, backend: &Backend, rate: f64, seed: u64) -> World {
        let backends = (0..count).map(|_| (backend.clone(), Some(limiter(None, 0.0)))).collect();
        World {
            now: 0.0,
            backends,
            rate,
            next_arrival: 0.0,
            waiting: VecDeque::new(),
            turn: 0,
            random: Random(seed),
            seen: Seen::default(),
            refused: 0,
        }
    }

    /// From now on so many come in a second.
    pub(super) fn set_rate(&mut self, rate: f64) {
        self.rate = rate;
        self.next_arrival = self.now + self.random.exponential() / rate.max(1e-9);
    }

    pub(super) fn unlimited(mut self) -> World {
        self.backends.iter_mut().for_each(|(_, limiter)| *limiter = None);
        self
    }

    pub(super) fn limit(&self, at: usize) -> u32 {
        self.backends[at].1.as_ref().map_or(0, Limiter::limit)
    }

    pub(super) fn join(&mut self, backend: Backend) {
        let limits: Vec<u32> = self.backends.iter().filter_map(|(_, it)| it.as_ref().map(Limiter::limit)).collect();
        let mean = limits.iter().sum::<u32>() / limits.len().max(1) as u32;
        self.backends.push((backend, Some(limiter(Some(mean), self.now))));
    }

    /// Goes on for so many seconds; what came of it.
    pub(super) fn run(&mut self, seconds: f64) -> Seen {
        let end = self.now + seconds;
        self.seen = Seen::default();
        loop {
            let done = self.backends.iter().enumerate().filter_map(|(at, (backend, _))| {
                let (when, place) = backend.next(self.now)?;
                Some((when, at, place))
            });
            let done = done.min_by(|a, b| a.0.total_cmp(&b.0)).filter(|(when, ..)| *when <= self.next_arrival);
            let to = done.map_or(self.next_arrival, |(when, ..)| when);
            if to > end {
                self.pass(end);
                return std::mem::take(&mut self.seen);
            }
            self.pass(to);
            match done {
                Some((_, at, place)) => self.done(at, place),
                None => self.arrive(),
            }
            self.seat();
        }
    }

    fn pass(&mut self, to: f64) {
        let from = self.now;
        self.backends.iter_mut().for_each(|(backend, _)| backend.work_until(from, to));
        self.now = to;
        while self.waiting.front().is_some_and(|came| to - came > QUEUE_TIMEOUT) {
            self.waiting.pop_front();
            self.seen.shed += 1;
        }
    }

    fn arrive(&mut self) {
        self.next_arrival = self.now + self.random.exponential() / self.rate.max(1e-9);
        if self.waiting.len() < QUEUE_MAX {
            self.waiting.push_back(self.now);
        } else {
            self.seen.shed += 1;
        }
    }

    fn seat(&mut self) {
        'waiting: while !self.waiting.is_empty() {
            for _ in 0..self.backends.len() {
                self.turn = (self.turn + 1) % self.backends.len();
                let (backend, limiter) = &mut self.backends[self.turn];
                let ticket = match limiter {
                    Some(limiter) if !limiter.has_room(time(self.now)) => continue,
                    Some(limiter) => limiter.enter(time(self.now)),
                    None => None,
                };
                self.waiting.pop_front();
                if let (Some(most), Some(limiter)) = (backend.refuses_above, &limiter)
                    && backend.inside.len() >= most
                {
                    limiter.leave();
                    ticket.map(|ticket| limiter.overloaded(ticket, time(self.now)));
                    self.refused += 1;
                    continue 'waiting;
                }
                let left = match backend.work {
                    Work::Always(work) => work,
                    Work::About(work) => work * self.random.exponential(),
                    Work::Two(short, _) if self.random.uniform() < 0.9 => short,
                    Work::Two(_, long) => long,
                };
                backend.inside.push(Inside { left, began: self.now, ticket });
                continue 'waiting;
            }
            return;
        }
    }

    fn done(&mut self, at: usize, place: usize) {
        let (backend, limiter) = &mut self.backends[at];
        let inside = backend.inside.remove(place);
        let served = self.now - inside.began;
        if let (Some(limiter), Some(ticket)) = (limiter, inside.ticket) {
            limiter.leave();
            limiter.answered(ticket, time(served), time(self.now));
        }
        self.seen.served.push(served);
    }
}

fn limiter(start: Option<u32>, now: f64) -> Limiter {
    Limiter::new(RULES, start, time(now))
}

fn time(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds.max(0.0))
}

/// SplitMix64 (Steele, Lea, Flood, 2014): the same numbers each time.
struct Random(u64);

impl Random {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    fn exponential(&mut self) -> f64 {
        -(1.0 - self.uniform()).ln()
    }
}
