//! Three members before visitors who ask now this one, now that, and a Redis that comes and goes; on a clock of the
//! simulation's own. It holds against the rooms what none of them can see.

use super::super::{Bad, Entry, Headroom, Rules, Saved, Verdict};
use super::SharedRoom;
use super::simulated_redis::{Redis, UNIX};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet, VecDeque};
use std::time::Duration;

pub(super) const MEMBERS: usize = 3;

/// What a simulation is made of.
#[derive(Clone)]
pub(super) struct Plan {
    pub(super) rules: Rules,
    /// Exchanges that each member's pool takes at once; `None`: any number.
    pub(super) capacity: Option<u32>,
    pub(super) service: Duration,
    pub(super) visitors: usize,
    pub(super) arrive: Duration,
    /// Requests that each makes once he is inside, a second apart.
    pub(super) requests: u32,
    /// How many of so many together ask each member.
    pub(super) weights: [u64; MEMBERS],
    /// Of a hundred times that somebody asks, how often he stays with the member that he asked last.
    pub(super) sticky: u64,
    /// Of a hundred who wait, so many leave after a while without a word.
    pub(super) leaving: u64,
    /// With a hundred requests come so many tickets that were used before, at any member.
    pub(super) thieves: u64,
    /// What befalls them, and when, in milliseconds.
    pub(super) fates: Vec<(u64, Fate)>,
    pub(super) seed: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fate {
    /// Redis is gone, or out of reach of one.
    Gone,
    CutOff(usize),
    /// It is back, for all, as it was or empty.
    Back,
    Empty,
    /// A member is killed, and begins at once with what it wrote last, or with nothing.
    Killed(usize),
    Forgets(usize),
}

#[derive(Default)]
struct Visitor {
    arrived: Duration,
    at: usize,
    number: Option<u64>,
    leaves: Option<Duration>,
    entered: Option<Duration>,
    /// When he was let in.
    judged: Duration,
    requests: u32,
    seen: Duration,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Ask(usize),
    Ended(usize),
    Beat(usize),
    Fate(Fate),
}

struct Member {
    room: SharedRoom,
    name: String,
    began: Duration,
    is_cut_off: bool,
    /// When it tries to reach Redis again.
    returns: Duration,
    /// The last word that it heard; `None`: it is to join.
    after: Option<usize>,
    written: Saved,
    entering: u32,
    in_flight: u32,
    queue: VecDeque<()>,
    done: u64,
}

pub(super) struct Simulation {
    plan: Plan,
    members: Vec<Member>,
    redis: Option<Redis>,
    /// As it was when it went.
    gone: Redis,
    now: Duration,
    events: BinaryHeap<Reverse<(Duration, u64, Event)>>,
    count: u64,
    visitors: Vec<Visitor>,
    random: u64,
    came: usize,
    kills: Vec<Duration>,
    pub(super) found: Found,
}

/// What was seen.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// When visitors came in, and how many had come before them.
    pub(super) entries: Vec<(Duration, usize)>,
    pub(super) inside_max: usize,
    pub(super) in_flight_max: u32,
    pub(super) queue_max: usize,
    pub(super) second_max: usize,
    /// Those who had a place and lost it.
    pub(super) lost: usize,
    /// Were let in while somebody who came [`TOLD`] before them still waited for his call.
    pub(super) jumped: usize,
    pub(super) turned_away: usize,
    pub(super) left: usize,
    pub(super) twice: usize,
    pub(super) refused: usize,
    numbers: HashSet<u64>,
}

/// Nobody waits for longer.
const LONGEST: Duration = Duration::from_secs(400);

/// Within that time all members know of a place.
const TOLD: Duration = Duration::from_millis(100);

impl Simulation {
    pub(super) fn run(plan: Plan) -> Simulation {
        let mut simulation = Simulation {
            members: (0..MEMBERS).map(|at| Member::new(at as u16, Duration::ZERO, None)).collect(),
            redis: Some(Redis::default()),
            gone: Redis::default(),
            now: Duration::ZERO,
            events: BinaryHeap::new(),
            count: 0,
            visitors: Vec::new(),
            random: plan.seed | 1,
            came: 0,
            kills: Vec::new(),
            found: Found::default(),
            plan,
        };
        let plan = simulation.plan.clone();
        (0..MEMBERS).for_each(|at| simulation.at(Duration::from_millis(7 * at as u64), Event::Beat(at)));
        for at in 0..plan.visitors {
            // The fleet has gathered.
            let arrived = Duration::from_secs(1) + plan.arrive * at as u32 / plan.visitors as u32;
            simulation.visitors.push(Visitor { arrived, ..Visitor::default() });
            simulation.at(arrived, Event::Ask(at));
        }
        plan.fates.iter().for_each(|(millis, fate)| simulation.at(Duration::from_millis(*millis), Event::Fate(*fate)));
        while let Some(Reverse((now, _, event))) = simulation.events.pop() {
            simulation.now = now;
            if now > LONGEST {
                let room = |member: &Member| format!("{:?}", member.room.summary());
                println!("in vain: {:?}", simulation.members.iter().map(room).collect::<Vec<_>>());
                break;
            }
            match event {
                Event::Ask(who) => simulation.ask(who),
                Event::Ended(member) => simulation.ended(member),
                Event::Beat(member) => simulation.beat(member),
                Event::Fate(fate) => simulation.befalls(fate),
            }
        }
        simulation
    }

    fn befalls(&mut self, fate: Fate) {
        match fate {
            Fate::Gone => self.gone = self.redis.take().unwrap_or_default(),
            Fate::CutOff(member) => self.members[member].is_cut_off = true,
            Fate::Back | Fate::Empty => {
                let kept = std::mem::take(&mut self.gone);
                let redis = self.redis.take().unwrap_or(kept);
                self.redis = Some(if fate == Fate::Empty { Redis::default() } else { redis });
                for at in 0..MEMBERS {
                    let returns = self.now + Duration::from_millis(self.random() % 2000);
                    let member = &mut self.members[at];
                    (member.is_cut_off, member.after, member.returns) = (false, None, returns);
                }
            }
            Fate::Killed(at) | Fate::Forgets(at) => {
                self.kills.push(self.now);
                let who = at as u16 + 100 * self.kills.len() as u16;
                let saved = Some(&self.members[at].written).filter(|_| fate == Fate::Killed(at));
                let member = Member::new(who, self.now, saved);
                let before = std::mem::replace(&mut self.members[at], member);
                // What it had under way goes on, so that the count is right.
                let member = &mut self.members[at];
                (member.in_flight, member.queue) = (before.in_flight, before.queue);
            }
        }
    }

    fn beat(&mut self, at: usize) {
        // As long as there is somebody to come in.
        if self.came < self.plan.visitors || self.members.iter().any(|member| member.in_flight > 0) {
            self.at(self.now + Duration::from_millis(20), Event::Beat(at));
        }
        let (headroom, rules) = (self.headroom(at), self.plan.rules);
        let member = &mut self.members[at];
        let clock = self.now - member.began;
        if let Some(saved) = member.room.to_write(clock, &rules) {
            assert!(saved.is_sound());
            member.room.written(clock);
            member.written = saved;
        }
        let Some(redis) = self.redis.as_mut().filter(|_| !member.is_cut_off && self.now >= member.returns) else {
            member.after = None;
            return;
        };
        if member.after.is_none() {
            member.room.joins(clock);
            member.after = Some(redis.last());
        }
        let said = member.room.say(clock, &rules, headroom);
        redis.counts(&member.name);
        let mut heard = redis.hears(&member.name, member.after.unwrap_or(0), &said, self.now);
        heard.members = heard.members.min(MEMBERS as u32);
        heard.asked = clock;
        member.after = Some(redis.last());
        for teller in member.room.hear(clock, &rules, &heard) {
            if let Some(all) = redis.all_of(&teller) {
                member.room.merge(&teller, all, clock);
            }
        }
    }

    fn ask(&mut self, who: usize) {
        let now = self.now;
        if self.visitors[who].entered.is_none() && self.visitors[who].leaves.is_some_and(|leaves| leaves <= now) {
            self.found.left += 1;
            self.came += 1;
            return;
        }
        // His first request goes on where he came in.
        let goes_on = self.visitors[who].entered.is_some() && self.visitors[who].requests == 0;
        if !goes_on && (self.random() % 100 >= self.plan.sticky || self.visitors[who].number.is_none()) {
            self.visitors[who].at = self.chosen();
        }
        if self.random() % 100 < self.plan.thieves {
            self.thief_comes();
        }
        self.visitors[who].seen = now;
        if self.visitors[who].entered.is_some() {
            return self.request(who);
        }
        let (at, number) = (self.visitors[who].at, self.visitors[who].number);
        let (headroom, rules) = (self.headroom(at), self.plan.rules);
        let member = &mut self.members[at];
        let clock = now - member.began;
        let verdict = match number {
            Some(number) => member.room.ticket(number, clock, &rules, headroom),
            None => member.room.newcomer(clock, &rules, headroom, true),
        };
        match verdict {
            Verdict::Enter(entry) => self.enter(who, entry),
            Verdict::Wait(waiting) => {
                if number.is_none() {
                    assert!(self.found.numbers.insert(waiting.number), "{} given twice", waiting.number);
                    self.visitors[who].number = Some(waiting.number);
                    if self.random() % 100 < self.plan.leaving {
                        let after = Duration::from_millis(self.random() % 30_000);
                        self.visitors[who].leaves = Some(now + after);
                    }
                }
                assert_eq!(self.visitors[who].number, Some(waiting.number));
                self.again(who, waiting.refresh);
            }
            Verdict::NotNow(waiting) => self.again(who, waiting.refresh),
            Verdict::Refused(_) => {
                self.found.lost += 1;
                self.came += 1;
            }
            Verdict::Full => {
                self.found.turned_away += 1;
                self.came += 1;
            }
        }
    }

    /// Somebody shows a ticket that came in a while ago, wherever he likes.
    fn thief_comes(&mut self) {
        let (victim, at) = (self.random() as usize, self.chosen());
        let late = Duration::from_secs(12);
        let old = self.found.entries.partition_point(|(when, _)| *when + late < self.now);
        let Some((_, victim)) = self.found.entries[..old].get(victim % old.max(1)).copied() else { return };
        let Visitor { number: Some(number), judged, .. } = self.visitors[victim] else { return };
        // What a member did just before it was killed nobody else knows.
        if self.kills.iter().any(|kill| (judged..judged + Duration::from_millis(25)).contains(kill)) {
            return;
        }
        let (headroom, rules) = (self.headroom(at), self.plan.rules);
        let member = &mut self.members[at];
        match member.room.ticket(number, self.now - member.began, &rules, headroom) {
            Verdict::Refused(Bad::Spent) => self.found.refused += 1,
            Verdict::Enter(_) => self.found.twice += 1,
            _ => {}
        }
    }

    fn again(&mut self, who: usize, refresh: Duration) {
        // A browser takes a little longer than it is told.
        let late = Duration::from_millis(self.random() % 200);
        self.at(self.now + refresh + late, Event::Ask(who));
    }

    fn enter(&mut self, who: usize, Entry { number, after }: Entry) {
        let arrived = self.visitors[who].arrived;
        let waits = |visitor: &&Visitor| {
            let is_there = visitor.leaves.is_none_or(|leaves| leaves > self.now);
            visitor.entered.is_none() && is_there && visitor.arrived + TOLD < arrived
        };
        let is_uncalled = |visitor: &Visitor| {
            let is_called = |number| self.members.iter().any(|member| member.room.has_called(number));
            visitor.number.is_some_and(|number| !is_called(number))
        };
        self.found.jumped += usize::from(self.visitors[..who].iter().filter(waits).any(is_uncalled));
        let when = self.now + after;
        let visitor = &mut self.visitors[who];
        if visitor.number.is_none() {
            assert!(self.found.numbers.insert(number), "{number} given twice");
        }
        visitor.judged = self.now;
        (visitor.number, visitor.entered, visitor.seen) = (Some(number), Some(when), when);
        let at = visitor.at;
        let place = self.found.entries.partition_point(|(at, _)| *at <= when);
        self.found.entries.insert(place, (when, who));
        let second =
            self.found.entries[..=place].iter().rev().take_while(|(at, _)| *at + Duration::from_secs(1) > when);
        self.found.second_max = self.found.second_max.max(second.count());
        if self.plan.rules.active < super::super::ACTIVE_MAX {
            let session = self.plan.rules.session;
            let inside = self.visitors.iter().filter(|it| it.entered.is_some() && it.seen + session > self.now).count();
            self.found.inside_max = self.found.inside_max.max(inside);
        }
        self.members[at].entering += 1;
        self.at(when, Event::Ask(who));
    }

    /// A request of one who is inside.
    fn request(&mut self, who: usize) {
        let rules = self.plan.rules;
        let visitor = &mut self.visitors[who];
        visitor.requests += 1;
        let (requests, number) = (visitor.requests, visitor.number.unwrap());
        let member = &mut self.members[visitor.at];
        if requests == 1 {
            member.entering = member.entering.saturating_sub(1);
        } else {
            member.room.renew(number, self.now - member.began, &rules);
        }
        let at = visitor.at;
        if requests < self.plan.requests {
            self.at(self.now + Duration::from_secs(1), Event::Ask(who));
        } else {
            self.came += 1;
        }
        match self.plan.capacity {
            Some(capacity) if self.members[at].in_flight >= capacity => self.members[at].queue.push_back(()),
            _ => self.begin(at),
        }
        let member = &self.members[at];
        self.found.queue_max = self.found.queue_max.max(member.queue.len());
        self.found.in_flight_max = self.found.in_flight_max.max(member.in_flight);
    }

    fn begin(&mut self, at: usize) {
        self.members[at].in_flight += 1;
        self.at(self.now + self.plan.service, Event::Ended(at));
    }

    fn ended(&mut self, at: usize) {
        let member = &mut self.members[at];
        member.in_flight -= 1;
        member.done += 1;
        if member.queue.pop_front().is_some() {
            self.begin(at);
        }
    }

    fn headroom(&self, at: usize) -> Headroom {
        let Member { entering, in_flight, queue, done, .. } = &self.members[at];
        let busy = entering + in_flight + u32::try_from(queue.len()).unwrap();
        Headroom { capacity: self.plan.capacity, queue: 500, busy, done: *done }
    }

    fn chosen(&mut self) -> usize {
        let mut ticket = self.random() % self.plan.weights.iter().sum::<u64>();
        for (at, weight) in self.plan.weights.iter().enumerate() {
            match ticket.checked_sub(*weight) {
                Some(rest) => ticket = rest,
                None => return at,
            }
        }
        0
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

impl Member {
    fn new(who: u16, began: Duration, saved: Option<&Saved>) -> Member {
        let (claimant, unix) = (u64::from(who), UNIX + began);
        let room = match saved {
            Some(saved) => SharedRoom::recovered(saved, who, claimant, Duration::ZERO, unix),
            None => SharedRoom::new(who, claimant, Duration::ZERO, unix),
        };
        Member {
            room,
            name: format!("member {who}"),
            began,
            is_cut_off: false,
            returns: Duration::ZERO,
            after: None,
            written: Saved::default(),
            entering: 0,
            in_flight: 0,
            queue: VecDeque::new(),
            done: 0,
        }
    }
}

impl Found {
    /// How long it took from the first to the last.
    pub(super) fn took(&self) -> Duration {
        self.entries.last().map_or(Duration::ZERO, |(last, _)| *last - self.entries[0].0)
    }

    /// By how many places anybody came in before, or after, those who had come before him.
    pub(super) fn out_of_order(&self) -> usize {
        let mut sorted: Vec<usize> = self.entries.iter().map(|(_, who)| *who).collect();
        sorted.sort_unstable();
        let place: HashMap<usize, usize> = sorted.iter().enumerate().map(|(at, who)| (*who, at)).collect();
        self.entries.iter().enumerate().map(|(at, (_, who))| at.abs_diff(place[who])).max().unwrap_or(0)
    }
}
