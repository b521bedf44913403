//! Visitors in front of a room before a pool, on a clock of the simulation's own. It holds against the room what nobody in
//! it can see: who came first, who is inside, and what the pool has to do.

use super::{ACTIVE_MAX, Bad, Binding, Entry, Headroom, Keys, Kind, Room, Rules, SECRET_BYTES, Saved, Ticket, Verdict};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap, VecDeque};
use std::time::Duration;

/// What a simulation is made of.
#[derive(Clone, Copy)]
pub(super) struct Plan {
    pub(super) rules: Rules,
    /// Exchanges that the pool takes at once; `None`: the room hears of no bound.
    pub(super) capacity: Option<usize>,
    /// Exchanges that may wait in its queue.
    pub(super) queue: u32,
    /// How long the pool takes for one.
    pub(super) service: Duration,
    /// Visitors, who come evenly within that time.
    pub(super) visitors: usize,
    pub(super) arrive: Duration,
    /// Requests that each makes once he is inside, so long apart.
    pub(super) requests: u32,
    pub(super) think: Duration,
    /// Of a hundred who wait, so many leave after a while without a word.
    pub(super) leaving: u64,
    /// With a hundred requests of visitors come so many tickets that are none: forged, copied, and used before.
    pub(super) thieves: u64,
    /// When the process is killed and comes back at once, with what was written last.
    pub(super) crashes: &'static [u64],
    /// Of what is left to chance.
    pub(super) seed: u64,
}

#[derive(Default)]
struct Visitor {
    arrived: Duration,
    number: Option<u64>,
    leaves: Option<Duration>,
    entered: Option<Duration>,
    requests: u32,
    seen: Duration,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Ask(usize),
    Ended,
    Write,
    Crash,
}

pub(super) struct Simulation {
    plan: Plan,
    pub(super) room: Room,
    now: Duration,
    /// When the process began.
    began: Duration,
    events: BinaryHeap<Reverse<(Duration, u64, Event)>>,
    count: u64,
    visitors: Vec<Visitor>,
    /// Those who wait, by number.
    waiting: BTreeMap<u64, usize>,
    written: Option<Saved>,
    /// Visitors who came in, and whose first request is yet to come.
    entering: usize,
    in_flight: usize,
    queue: VecDeque<()>,
    done: u64,
    random: u64,
    keys: Keys,
    pub(super) found: Found,
}

/// What was seen.
#[derive(Default)]
pub(super) struct Found {
    /// When visitors came in, in that order, with their numbers.
    pub(super) entries: Vec<(Duration, u64)>,
    pub(super) inside_max: usize,
    pub(super) in_flight_max: usize,
    pub(super) queue_max: usize,
    /// The most that came in within a second.
    pub(super) second_max: usize,
    /// Those who had a place and lost it.
    pub(super) lost: usize,
    /// Were let in while somebody with a lower number still waited for his call.
    pub(super) jumped: usize,
    pub(super) turned_away: usize,
    pub(super) left: usize,
    /// Tickets that were none, by [`Bad`] in its order.
    pub(super) refused: [usize; 3],
}

impl Simulation {
    pub(super) fn run(plan: Plan) -> Simulation {
        let mut simulation = Simulation {
            room: Room::kept(),
            now: Duration::ZERO,
            began: Duration::ZERO,
            events: BinaryHeap::new(),
            count: 0,
            visitors: Vec::new(),
            waiting: BTreeMap::new(),
            written: None,
            entering: 0,
            in_flight: 0,
            queue: VecDeque::new(),
            done: 0,
            random: plan.seed | 1,
            keys: Keys::new(&[7; SECRET_BYTES], "sale"),
            found: Found::default(),
            plan,
        };
        simulation.write();
        for at in 0..plan.visitors {
            let arrived = plan.arrive * at as u32 / plan.visitors as u32;
            simulation.visitors.push(Visitor { arrived, ..Visitor::default() });
            simulation.at(arrived, Event::Ask(at));
        }
        plan.crashes.iter().for_each(|second| simulation.at(Duration::from_secs(*second), Event::Crash));
        simulation.at(Duration::from_millis(100), Event::Write);
        while let Some(Reverse((now, _, event))) = simulation.events.pop() {
            simulation.now = now;
            simulation.happens(event);
        }
        simulation
    }

    fn happens(&mut self, event: Event) {
        match event {
            Event::Ask(who) => self.ask(who),
            Event::Ended => self.ended(),
            Event::Write => {
                self.write();
                // As long as there is something else to come.
                if !self.events.is_empty() {
                    self.at(self.now + Duration::from_millis(100), Event::Write);
                }
            }
            Event::Crash => self.crash(),
        }
    }

    /// Writes what the room wants written.
    fn write(&mut self) {
        if let Some(saved) = self.room.to_write(self.clock(), &self.plan.rules) {
            assert!(saved.is_sound(), "{saved:?}");
            self.room.written(saved.clone(), self.clock());
            self.written = Some(saved);
        }
    }

    fn crash(&mut self) {
        self.began = self.now;
        let saved = self.written.clone().unwrap();
        let front = self.room.line.front();
        self.room = Room::recovered(&saved, self.clock());
        assert!(self.room.line.front() >= front, "the front went backwards");
        self.write();
    }

    fn ask(&mut self, who: usize) {
        let visitor = &mut self.visitors[who];
        if visitor.entered.is_none() && visitor.leaves.is_some_and(|leaves| leaves <= self.now) {
            self.found.left += 1;
            return;
        }
        visitor.seen = self.now;
        if self.random() % 100 < self.plan.thieves {
            self.thief_comes();
        }
        let visitor = &self.visitors[who];
        if visitor.entered.is_some() {
            return self.request(who);
        }
        let (now, headroom) = (self.clock(), self.headroom());
        let number = self.visitors[who].number;
        let verdict = match number {
            Some(number) => self.room.ticket(number, now, &self.plan.rules, headroom),
            None => self.room.newcomer(now, &self.plan.rules, headroom, true),
        };
        match verdict {
            Verdict::Enter(entry) => {
                assert!(number.is_none_or(|number| number == entry.number));
                self.enter(who, entry);
            }
            Verdict::Wait(waiting) => {
                if self.visitors[who].number.is_none() {
                    assert!(self.waiting.insert(waiting.number, who).is_none(), "{} given twice", waiting.number);
                    self.visitors[who].number = Some(waiting.number);
                    if self.random() % 100 < self.plan.leaving {
                        let after = Duration::from_millis(self.random() % 30_000);
                        self.visitors[who].leaves = Some(self.now + after);
                    }
                }
                assert_eq!(self.visitors[who].number, Some(waiting.number));
                self.again(who, waiting.refresh);
            }
            Verdict::NotNow(waiting) => self.again(who, waiting.refresh),
            Verdict::Refused(_) => self.found.lost += 1,
            Verdict::Full => self.found.turned_away += 1,
        }
    }

    /// Somebody tries tickets that are not his, or not good any more: each is refused.
    fn thief_comes(&mut self) {
        let (victim, thief) = (self.random(), self.binding(usize::MAX));
        let waiting = self.waiting.iter().nth(victim as usize % self.waiting.len().max(1));
        if let Some((number, victim)) = waiting {
            let ticket = |kind| Ticket { kind, number: *number, written: self.clock().as_secs() };
            let stolen = self.keys.write(&ticket(Kind::Ticket), self.binding(*victim));
            let pass = self.keys.write(&ticket(Kind::Pass), self.binding(*victim));
            let made = Keys::new(&[8; SECRET_BYTES], "sale").write(&ticket(Kind::Pass), thief);
            for (text, why) in [
                (stolen.clone(), Bad::Copied),
                (pass.clone(), Bad::Copied),
                (made, Bad::Forged),
                // The kind of one ticket on the other.
                (format!("{}{}", &pass[..2], &stolen[2..]), Bad::Forged),
            ] {
                assert_eq!(self.keys.read(text.as_bytes(), thief), Err(why));
                self.found.refused[why as usize] += 1;
            }
        }
        let (now, headroom, late) = (self.clock(), self.headroom(), Duration::from_secs(12));
        let old = self.found.entries.partition_point(|(when, _)| *when + late < self.now);
        if let Some((_, number)) = self.found.entries[..old].get(victim as usize % old.max(1)).copied() {
            assert_eq!(self.room.ticket(number, now, &self.plan.rules, headroom), Verdict::Refused(Bad::Spent));
            self.found.refused[Bad::Spent as usize] += 1;
        }
    }

    /// Of the browser of a visitor.
    fn binding(&self, who: usize) -> Binding {
        self.keys.binding(None, format!("browser {who}").as_bytes())
    }

    fn again(&mut self, who: usize, refresh: Duration) {
        // A browser takes a little longer than it is told.
        let late = Duration::from_millis(self.random() % 200);
        self.at(self.now + refresh + late, Event::Ask(who));
    }

    fn enter(&mut self, who: usize, Entry { number, after }: Entry) {
        self.waiting.remove(&number);
        let is_uncalled = |(other, who): (&u64, &usize)| {
            let is_there = self.visitors[*who].leaves.is_none_or(|leaves| leaves > self.now);
            is_there && !self.room.calls.has(*other)
        };
        self.found.jumped += usize::from(self.waiting.range(..number).any(is_uncalled));
        let when = self.now + after;
        let visitor = &mut self.visitors[who];
        (visitor.number, visitor.entered, visitor.seen) = (Some(number), Some(when), when);
        self.found.entries.push((when, number));
        let second = self.found.entries.iter().rev().take_while(|(at, _)| *at + Duration::from_secs(1) > when);
        self.found.second_max = self.found.second_max.max(second.count());
        if self.plan.rules.active < ACTIVE_MAX {
            let session = self.plan.rules.session;
            let inside = self.visitors.iter().filter(|it| it.entered.is_some() && it.seen + session > self.now).count();
            self.found.inside_max = self.found.inside_max.max(inside);
        }
        self.entering += 1;
        self.at(when, Event::Ask(who));
    }

    /// A request of one who is inside.
    fn request(&mut self, who: usize) {
        let (clock, rules) = (self.clock(), self.plan.rules);
        let visitor = &mut self.visitors[who];
        visitor.requests += 1;
        self.entering -= usize::from(visitor.requests == 1);
        self.room.renew(visitor.number.unwrap(), clock, &rules);
        if visitor.requests < self.plan.requests {
            self.at(self.now + self.plan.think, Event::Ask(who));
        }
        match self.plan.capacity {
            Some(capacity) if self.in_flight >= capacity => self.queue.push_back(()),
            _ => self.begin(),
        }
        self.found.queue_max = self.found.queue_max.max(self.queue.len());
        self.found.in_flight_max = self.found.in_flight_max.max(self.in_flight);
    }

    fn begin(&mut self) {
        self.in_flight += 1;
        self.at(self.now + self.plan.service, Event::Ended);
    }

    fn ended(&mut self) {
        self.in_flight -= 1;
        self.done += 1;
        if self.queue.pop_front().is_some() {
            self.begin();
        }
    }

    fn headroom(&self) -> Headroom {
        let busy = u32::try_from(self.entering + self.in_flight + self.queue.len()).unwrap();
        Headroom {
            capacity: self.plan.capacity.map(|capacity| u32::try_from(capacity).unwrap()),
            queue: self.plan.queue,
            busy,
            done: self.done,
        }
    }

    /// Since the process began.
    fn clock(&self) -> Duration {
        self.now - self.began
    }

    fn at(&mut self, when: Duration, event: Event) {
        self.count += 1;
        self.events.push(Reverse((when, self.count, event)));
    }

    /// Xorshift (Marsaglia).
    fn random(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random >> 16
    }
}

impl Found {
    /// How long it took from the first to the last.
    pub(super) fn took(&self) -> Duration {
        self.entries.last().map_or(Duration::ZERO, |(last, _)| *last - self.entries[0].0)
    }

    /// By how many places anybody came in before one with a lower number.
    pub(super) fn out_of_order(&self) -> usize {
        let mut sorted: Vec<u64> = self.entries.iter().map(|(_, number)| *number).collect();
        sorted.sort_unstable();
        let place: HashMap<u64, usize> = sorted.iter().enumerate().map(|(at, number)| (*number, at)).collect();
        let moved = self.entries.iter().enumerate().map(|(at, (_, number))| at.abs_diff(place[number]));
        moved.max().unwrap_or(0)
    }

    /// Those who came in twice.
    pub(super) fn twice(&self) -> usize {
        let mut numbers: Vec<u64> = self.entries.iter().map(|(_, number)| *number).collect();
        numbers.sort_unstable();
        numbers.windows(2).filter(|pair| pair[0] == pair[1]).count()
    }
}

impl Simulation {
    /// When visitors came, and when they came in, for those who did.
    pub(super) fn waits(&self) -> impl Iterator<Item = (Duration, Duration)> {
        self.visitors.iter().filter_map(|visitor| Some((visitor.arrived, visitor.entered?)))
    }
}
