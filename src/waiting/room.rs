use super::calls::{CALLS_MAX, Calls};
use super::inside::{Inside, Known};
use super::line::{FIRST_MAX, Line, Next};
use super::pace::{DOOR, Headroom, Pace};
use super::saved::Ahead;
use super::{Bad, Rules};
use std::time::Duration;

/// One room. All times count from the start of the process; `headroom` is the pool's at that time.
#[derive(Debug)]
pub struct Room {
    pub(super) line: Line,
    pub(super) calls: Calls,
    pub(super) inside: Inside,
    pace: Pace,
    pub(super) ahead: Ahead,
    turned: Option<Duration>,
    counts: Counts,
}

/// What becomes of a visitor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Verdict {
    /// He is inside.
    Enter(Entry),
    /// He waits.
    Wait(Waiting),
    /// His number is of no use any more; or it never was.
    Refused(Bad),
    /// So many wait that he is to come back another time.
    Full,
    /// He cannot come in, and gets no number: he may not wait, or there is none to be had at this moment.
    NotNow(Waiting),
}

/// One who comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// His number.
    pub number: u64,
    /// For how long his request is to be held back, so that all come in evenly.
    pub after: Duration,
}

/// How it stands with one who waits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Waiting {
    /// His number; 0 if he has none.
    pub number: u64,
    /// 1 is next.
    pub place: u32,
    /// How many wait.
    pub waiting: u32,
    /// How long it will take, if that is known.
    pub wait: Option<Duration>,
    /// When he is to ask again, in whole seconds.
    pub refresh: Duration,
}

/// What happened, ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Came in.
    pub entered: u64,
    /// Got a place.
    pub queued: u64,
    /// Left the line, or were called and did not come.
    pub left: u64,
    /// Were not given a place, as too many wait.
    pub full: u64,
    /// Showed a ticket that is none.
    pub forged: u64,
    /// Showed another client's ticket.
    pub copied: u64,
    /// Showed a ticket whose turn was over.
    pub spent: u64,
}

/// How a room is at a moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Standing {
    /// Wait in the line.
    pub waiting: u32,
    /// Are called, and did not come in yet.
    pub called: u32,
    /// Are inside.
    pub inside: u32,
    /// How long one who comes now will wait, if that is known.
    pub wait: Option<Duration>,
    /// Whether it acts as one with the other members of its fleet, if there is one.
    pub shared: Option<bool>,
    /// What happened.
    pub counts: Counts,
}

impl Counts {
    /// One showed something that is none of his tickets.
    pub(super) fn refused(&mut self, why: Bad) {
        match why {
            Bad::Forged => self.forged += 1,
            Bad::Copied => self.copied += 1,
            Bad::Spent => self.spent += 1,
        }
    }
}

impl Room {
    pub(super) fn of(line: Line, calls: Calls, inside: Inside, ahead: Ahead) -> Room {
        Room { line, calls, inside, pace: Pace::default(), ahead, turned: None, counts: Counts::default() }
    }

    /// One who shows nothing, or nothing that counts. `may_wait`: he can be given a number.
    pub fn newcomer(&mut self, now: Duration, rules: &Rules, headroom: Headroom, may_wait: bool) -> Verdict {
        self.turn(now, rules, headroom);
        if self.is_open(now, rules, headroom) {
            let (number, left) = self.line.give_past();
            self.counts.left += left;
            return self.enter(number, now, rules);
        }
        if !may_wait || !self.has_number() {
            return Verdict::NotNow(Waiting { number: 0, ..self.waiting(self.line.next(), rules, headroom) });
        }
        if self.line.present() >= rules.places || self.line.len() >= rules.places as usize * MARKS_PER_PLACE {
            self.counts.full += 1;
            return Verdict::Full;
        }
        let number = self.line.give(now);
        self.counts.queued += 1;
        let waiting = self.waiting(number, rules, headroom);
        // Whether he keeps his ticket shows soon.
        Verdict::Wait(Waiting { refresh: waiting.refresh.min(FIRST_REFRESH_MAX), ..waiting })
    }

    /// One who shows a ticket.
    pub fn ticket(&mut self, number: u64, now: Duration, rules: &Rules, headroom: Headroom) -> Verdict {
        self.turn(now, rules, headroom);
        if self.line.saw(number, now) {
            return Verdict::Wait(self.waiting(number, rules, headroom));
        }
        if self.calls.has(number) {
            if self.pace.free(now, rules, headroom) == 0 {
                self.calls.knock(number, now);
                return Verdict::Wait(self.at_the_door(number));
            }
            self.calls.take(number, now);
            return self.enter(number, now, rules);
        }
        match self.inside.has_just_entered(number, now) {
            // The same stay, and no further one.
            true => Verdict::Enter(Entry { number, after: self.pace.is_held(number, now) }),
            false => {
                self.counts.spent += 1;
                Verdict::Refused(Bad::Spent)
            }
        }
    }

    /// One who shows a pass that is about to need another: he is inside for longer.
    pub fn renew(&mut self, number: u64, now: Duration, rules: &Rules) {
        self.expire(now, rules);
        // One who was called before a restart came in before it, too.
        let was_called = self.calls.take(number, now);
        if was_called || self.inside.saw(number, now) != Known::Inside {
            self.inside.enter(number, now, rules.session);
        }
    }

    /// One showed something that is none of his tickets.
    pub fn refused(&mut self, why: Bad) {
        self.counts.refused(why);
    }

    /// How it is.
    pub fn standing(&mut self, now: Duration, rules: &Rules, headroom: Headroom) -> Standing {
        self.turn(now, rules, headroom);
        let is_open = self.is_open(now, rules, headroom);
        Standing {
            waiting: self.line.present(),
            called: u32::try_from(self.calls.len()).unwrap_or(u32::MAX),
            inside: self.inside.total(),
            wait: if is_open { Some(Duration::ZERO) } else { self.wait(self.line.present() + 1, rules, headroom) },
            shared: None,
            counts: self.counts,
        }
    }

    /// Does what time brings: stays end, absent ones are passed over, and those whose turn it is are called.
    fn turn(&mut self, now: Duration, rules: &Rules, headroom: Headroom) {
        if self.turned.is_some_and(|turned| now < turned + TURN) {
            return;
        }
        self.turned = Some(now);
        self.expire(now, rules);
        self.counts.left += self.calls.lapse(now);
        self.line.sweep(now, rules.absence);
        let is_waiting = self.line.present() > 0;
        self.pace.keep_to(now, rules);
        self.pace.measure(now, headroom, self.counts.entered, is_waiting);
        self.call(now, rules, headroom);
    }

    fn expire(&mut self, now: Duration, rules: &Rules) {
        self.inside.expire(now, rules.session);
    }

    /// Calls in order, as many as there will be room for.
    fn call(&mut self, now: Duration, rules: &Rules, headroom: Headroom) {
        if self.line.len() == 0 {
            return;
        }
        let ahead = self.pace.ahead(now, rules, headroom, &self.calls).unwrap_or(u32::MAX);
        let mut left = ahead.saturating_sub(self.expected(now)).min(self.unclaimed(rules));
        while left > 0 && self.may_move_on() && self.calls.len() < CALLS_MAX {
            match self.line.call(now, rules.absence) {
                Next::Number(number) => {
                    self.calls.add(number, now);
                    left -= 1;
                }
                Next::Left => self.counts.left += 1,
                Next::Held | Next::Nobody => break,
            }
        }
    }

    fn expected(&self, now: Duration) -> u32 {
        u32::try_from(self.calls.expected(now)).unwrap_or(u32::MAX)
    }

    /// Whether one who comes now need not wait: nobody does, and there is more room than those who are called will take.
    fn is_open(&mut self, now: Duration, rules: &Rules, headroom: Headroom) -> bool {
        self.line.present() == 0
            && !self.line.is_held(now)
            && self.unclaimed(rules) > 0
            && self.may_move_past()
            && self.pace.free(now, rules, headroom) > self.expected(now)
    }

    fn enter(&mut self, number: u64, now: Duration, rules: &Rules) -> Verdict {
        self.inside.enter(number, now, rules.session);
        self.counts.entered += 1;
        let after = self.pace.enter(now, rules);
        self.pace.hold(number, now, after);
        Verdict::Enter(Entry { number, after })
    }

    /// Places inside that nobody has, and that are kept for nobody.
    pub(super) fn unclaimed(&self, rules: &Rules) -> u32 {
        let called = u32::try_from(self.calls.len()).unwrap_or(u32::MAX);
        rules.active.saturating_sub(self.inside.total()).saturating_sub(called)
    }

    fn waiting(&self, number: u64, rules: &Rules, headroom: Headroom) -> Waiting {
        let place = self.line.before(number) + 1;
        let (wait, waiting) = (self.wait(place, rules, headroom), self.line.present());
        let soonest = self.pace.inflow_max(rules, headroom).map(|rate| reckon(place, rate));
        Waiting { number, place, waiting, wait, refresh: refresh(number, place, soonest, (waiting, rules)) }
    }

    fn at_the_door(&self, number: u64) -> Waiting {
        Waiting { number, place: 1, waiting: self.line.present(), wait: Some(DOOR), refresh: DOOR }
    }

    fn wait(&self, place: u32, rules: &Rules, headroom: Headroom) -> Option<Duration> {
        self.pace.inflow(rules, headroom).map(|rate| reckon(place, rate))
    }
}

/// How long the visitor in that place waits where `rate` come in a second.
pub(super) fn reckon(place: u32, rate: f64) -> Duration {
    Duration::from_secs_f64((f64::from(place) / rate).clamp(1.0, WAIT_MAX.as_secs_f64()))
}

/// When one who waits is to ask again: sooner the nearer he is, and so that all together do not ask too often. Neighbours
/// are spread.
pub(super) fn refresh(number: u64, place: u32, soonest: Option<Duration>, (waiting, rules): (u32, &Rules)) -> Duration {
    let by_place = match soonest {
        Some(soonest) => soonest / 4,
        None => (reckon(place, UNKNOWN_INFLOW) / 4).min(UNKNOWN_REFRESH),
    };
    let by_load = Duration::from_secs(u64::from(waiting / ASKS_PER_SECOND));
    let max = REFRESH_MAX.min(rules.absence / 3).as_secs().max(1);
    let seconds = by_place.max(by_load).as_secs().clamp(1, max);
    let spread = seconds / 4;
    // A multiplicative hash (Knuth): neighbours land far apart.
    let hash = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
    Duration::from_secs(seconds - spread + hash % (spread + 1))
}

/// Turns are not made more often.
pub(super) const TURN: Duration = Duration::from_millis(50);

/// No page is to come back later than that: whoever is called meanwhile must come in time.
const REFRESH_MAX: Duration = Duration::from_secs(20);
/// Where nothing is known of the wait: as if so many came in in a second, and sooner than that.
const UNKNOWN_INFLOW: f64 = 100.0;
const UNKNOWN_REFRESH: Duration = Duration::from_secs(5);
/// The first page comes back sooner.
pub(super) const FIRST_REFRESH_MAX: Duration = Duration::from_secs(FIRST_MAX.as_secs() / 4);
/// Requests a second that those who wait may make, about.
const ASKS_PER_SECOND: u32 = 2_000;

/// What is said of a wait at most.
const WAIT_MAX: Duration = Duration::from_secs(86_400);

/// Places of which some may be given up, for each that is taken.
pub(super) const MARKS_PER_PLACE: usize = 4;
