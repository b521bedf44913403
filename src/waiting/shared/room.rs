use super::super::calls::CALLS_MAX;
use super::super::inside::{Inside, Known};
use super::super::line::FIRST_MAX;
use super::super::pace::{DOOR, HOLD_MAX, Headroom, Pace, interval};
use super::super::room::{FIRST_REFRESH_MAX, MARKS_PER_PLACE, TURN, reckon, refresh};
use super::super::saved::SESSION_MAX;
use super::super::{ACTIVE_MAX, Bad, Counts, Entry, Rules, Saved, Standing, Verdict, Waiting};
use super::crowd::About;
use super::elsewhere::Elsewhere;
use super::fleet::{Fleet, IN_TOUCH, Knows};
use super::message::{Call, Heard, Past, Said};
use super::number::{Issuer, OWN, unix};
use super::places::Places;
use super::word::{All, News, Word};
use crate::config::Rate;
use std::collections::HashSet;
use std::time::Duration;

/// One member's view of a room. All times count from the start of the process, but for those that say `unix`.
#[derive(Debug)]
pub struct SharedRoom {
    places: Places,
    inside: Inside,
    /// Who came in elsewhere not long ago.
    elsewhere: Elsewhere,
    issuer: Issuer,
    pace: Pace,
    /// What is to be told.
    news: News,
    /// Who is inside, and is told to have asked here, now or the last time.
    told: [HashSet<u64>; 2],
    /// Who came in here since it was told last.
    entered: u32,
    fleet: Fleet,
    turned: Option<Duration>,
    counts: Counts,
    /// Visitors who came in, at any member.
    entered_anywhere: u64,
    /// The first number that it would give out by itself, if it was not shared any more.
    next_alone: u64,
    is_closed: bool,
    is_changed: bool,
    written: Option<Duration>,
}

impl SharedRoom {
    /// How long a process that knows nothing waits for a first word of the others.
    pub const BEGIN_MAX: Duration = Fleet::BEGIN_MAX;

    /// A room of which nothing is known. `who`: random, of this member; `claimant`: the same; `unix`: the time.
    #[must_use]
    pub fn new(who: u16, claimant: u64, now: Duration, unix: Duration) -> SharedRoom {
        let fleet = Fleet {
            began: now,
            ahead: unix.saturating_sub(now),
            members: 1,
            touch: Duration::ZERO,
            claim: 0,
            claimed: now,
            claimant,
            others: Vec::new(),
            knows: Knows::Nothing,
            calls: None,
            hello: false,
            tells_all: false,
            is_asked: false,
            told_all: Duration::ZERO,
        };
        SharedRoom {
            places: Places::default(),
            inside: Inside::default(),
            elsewhere: Elsewhere::default(),
            issuer: Issuer::new(who),
            pace: Pace::default(),
            news: News { issuer: u32::from(who), ..News::default() },
            told: Default::default(),
            entered: 0,
            fleet,
            turned: None,
            counts: Counts::default(),
            entered_anywhere: 0,
            next_alone: 1,
            is_closed: false,
            is_changed: true,
            written: None,
        }
    }

    /// The room after a restart. What it gave out by itself, before it was shared, goes on.
    #[must_use]
    pub fn recovered(saved: &Saved, who: u16, claimant: u64, now: Duration, unix: Duration) -> SharedRoom {
        let (claimant, members) = saved.past.as_ref().map_or((claimant, 1), |past| (past.claimant, past.members));
        let mut room = SharedRoom::new(who, claimant, now, unix);
        room.fleet.members = members.max(1);
        let all = match &saved.past {
            Some(past) => All::decode(&past.all).unwrap_or_default(),
            None => alone(saved),
        };
        room.places.merge(&all, now);
        let own = all.complete.iter().filter(|(issuer, _)| *issuer == OWN);
        own.for_each(|(issuer, to)| room.places.completes(*issuer, *to));
        // Whose they were nobody knows: they are to have places inside.
        std::mem::swap(&mut room.places.mine, &mut room.places.others);
        room.inside = Inside::recovered(saved.inside, now + Duration::from_secs(saved.session.min(SESSION_MAX)));
        room.fleet.claim = room.taken();
        room.next_alone = saved.next_to;
        room
    }

    /// A room of so many members, at least, as long as nobody can count them.
    #[must_use]
    pub fn of(mut self, members: u32) -> SharedRoom {
        self.fleet.members = self.fleet.members.max(members);
        self
    }

    /// One who shows nothing, or nothing that counts. `may_wait`: he can be given a number.
    pub fn newcomer(&mut self, now: Duration, rules: &Rules, headroom: Headroom, may_wait: bool) -> Verdict {
        self.turn(now, rules, headroom);
        if self.is_closed || self.fleet.is_beginning(now) && matches!(self.fleet.knows, Knows::Nothing) {
            return Verdict::NotNow(Waiting { number: 0, ..self.waiting(u64::MAX, rules, headroom) });
        }
        if self.is_open(now, rules, headroom) {
            let number = self.give(now);
            return self.enter(number, now, rules);
        }
        if !may_wait {
            return Verdict::NotNow(Waiting { number: 0, ..self.waiting(u64::MAX, rules, headroom) });
        }
        if self.places.crowd.present() >= rules.places {
            self.counts.full += 1;
            return Verdict::Full;
        }
        let number = self.give(now);
        self.places.crowd.add(number, now, About { here: true, confirmed: false, present: true });
        self.news.given.push(number);
        self.counts.queued += 1;
        let waiting = self.waiting(number, rules, headroom);
        // Whether he keeps his ticket shows soon.
        Verdict::Wait(Waiting { refresh: waiting.refresh.min(FIRST_REFRESH_MAX), ..waiting })
    }

    /// One who shows a ticket, which says itself that it was given out.
    pub fn ticket(&mut self, number: u64, now: Duration, rules: &Rules, headroom: Headroom) -> Verdict {
        self.turn(now, rules, headroom);
        if let Some(is_news) = self.places.crowd.saw(number, now) {
            self.heard(number, is_news);
            return Verdict::Wait(self.waiting(number, rules, headroom));
        }
        if self.places.is_called(number) {
            if self.is_closed || self.pace.free(now, &self.part(rules), headroom) == 0 {
                self.places.knock(number, now);
                self.heard(number, true);
                return Verdict::Wait(self.at_the_door(number));
            }
            return self.enter(number, now, rules);
        }
        if self.inside.has_just_entered(number, now) || self.elsewhere.has(number, now) {
            // The same stay, and no further one.
            self.stays(number, now, rules);
            return Verdict::Enter(Entry { number, after: self.pace.is_held(number, now) });
        }
        if self.places.is_over(number) || unix(number) + NUMBER_AGE < now + self.fleet.ahead && number >= FIRST_SHARED {
            self.counts.spent += 1;
            return Verdict::Refused(Bad::Spent);
        }
        self.places.by_ticket(number, now);
        self.heard(number, true);
        Verdict::Wait(self.waiting(number, rules, headroom))
    }

    /// One who shows a pass that is about to need another: he is inside for longer.
    pub fn renew(&mut self, number: u64, now: Duration, rules: &Rules) {
        self.inside.expire(now, rules.session);
        if self.places.is_called(number) || self.places.crowd.has(number) {
            // He came in where nobody can be heard.
            self.places.enter(number, now);
            self.news.entered.push(number);
        }
        self.stays(number, now, rules);
    }

    /// One showed something that is none of his tickets.
    pub fn refused(&mut self, why: Bad) {
        self.counts.refused(why);
    }

    /// How it is.
    pub fn standing(&mut self, now: Duration, rules: &Rules, headroom: Headroom) -> Standing {
        self.turn(now, rules, headroom);
        let is_open = self.is_open(now, rules, headroom);
        let waiting = self.places.crowd.present();
        Standing {
            waiting,
            called: u32::try_from(self.places.called()).unwrap_or(u32::MAX),
            inside: self.inside.total(),
            wait: if is_open { Some(Duration::ZERO) } else { self.wait(waiting + 1, rules, headroom) },
            shared: Some(self.fleet.is_together(now)),
            counts: self.counts,
        }
    }

    /// What it says to the others now.
    pub fn say(&mut self, now: Duration, rules: &Rules, headroom: Headroom) -> Said {
        self.turn(now, rules, headroom);
        self.fleet.settle(now);
        let mut said = Said::default();
        let is_first = std::mem::take(&mut self.fleet.hello);
        if is_first {
            self.fleet.claim = self.claim(now, rules);
            said.others.clone_from(&self.fleet.others);
            said.words.push(Word::Hello.encode());
        }
        // Those who come back one after the other are told together, within the time that they wait for it.
        let is_asked = self.fleet.is_asked && now >= self.fleet.told_all + TELL_PAUSE;
        if is_asked || self.fleet.tells_all {
            (self.fleet.tells_all, self.fleet.is_asked, self.fleet.told_all) = (false, false, now);
            said.all = Some(self.places.all().encode());
            said.words.push(Word::All.encode());
        }
        self.told.swap(0, 1);
        self.told[0].clear();
        self.news.to = self.issuer.last().max(self.news.from);
        if !self.news.is_empty() {
            let (issuer, from) = (self.news.issuer, self.news.to);
            let news = std::mem::replace(&mut self.news, News { issuer, from, to: from, ..News::default() });
            said.words.push(Word::News(news).encode());
        }
        said.pace = rules.enter.map(|rate| {
            let (each, least) = (interval(rate), is_first.then(|| self.pace.held(now)));
            let most = HOLD_MAX * 2 + each * (self.fleet.members + 1);
            super::message::Pace { cost: each.saturating_mul(self.entered), least, most }
        });
        self.entered = 0;
        let wanted = if self.places.crowd.present() == 0 { 0 } else { self.wanted(now, rules, headroom) };
        let (mut called, taken) = (0, self.taken());
        if let Some(after) = self.fleet.calls.filter(|_| wanted > 0 && self.fleet.is_together(now) && !self.is_closed) {
            let numbers = self.places.crowd.first(self.bounded(wanted, rules), false);
            called = numbers.len() as u32;
            said.call = (called > 0).then(|| Call { after, word: Word::Called(numbers).encode() });
        }
        let spare = (rules.active / 8).clamp(1, SPARE_MAX) + wanted.min(SPARE_MAX).max(called);
        (said.active, said.wanted) = (bound(rules), taken.saturating_add(spare));
        if self.is_closed {
            // Another process has its places, and says so.
            said.active = None;
        }
        // What is not wanted any more is given back; nobody else takes anything away.
        self.fleet.claim = self.fleet.claim.min(said.wanted);
        said.kept = self.fleet.claim.max(taken);
        if !matches!(self.fleet.knows, Knows::All) {
            // What the others have is not known there yet.
            said.wanted = said.kept;
        }
        (said.lasts, said.claimant) = (rules.session + CLAIM_MORE, self.fleet.claimant);
        said
    }

    /// Whether there is reason to say and hear something soon.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.news.to != self.issuer.last()
            || !self.news.is_empty()
            || self.places.crowd.present() > 0
            || self.places.called() > 0
            || self.fleet.is_asked
            || !matches!(self.fleet.knows, Knows::All)
    }

    /// What it hears of the others; those of whom it is to hear all.
    pub fn hear(&mut self, now: Duration, rules: &Rules, heard: &Heard) -> Vec<String> {
        let fleet = &mut self.fleet;
        fleet.counts(now, heard.members);
        (fleet.claim, fleet.claimed) = (heard.claim, now);
        fleet.others.clone_from(&heard.others);
        fleet.ahead = heard.unix.saturating_sub(heard.asked);
        fleet.touch = heard.asked + IN_TOUCH;
        if rules.enter.is_some() {
            let each = self.part(rules).enter.map_or(Duration::ZERO, interval);
            self.pace.set_slot(heard.asked + heard.ahead + each.saturating_mul(self.entered));
        }
        let mut tellers = Vec::new();
        for told in &heard.told {
            match Word::decode(&told.word) {
                Some(Word::Called(numbers)) => self.places.call(&numbers, told.is_own, now),
                _ if told.is_own => {}
                Some(Word::News(news)) => self.hear_news(&news, now),
                Some(Word::Hello) => self.fleet.is_asked = true,
                Some(Word::All) => tellers.push(told.by.clone()),
                None => {}
            }
        }
        self.is_changed |= !heard.told.is_empty();
        self.fleet.calls = heard.is_all.then_some(heard.calls);
        tellers
    }

    /// All that another member knows.
    pub fn merge(&mut self, by: &str, all: &[u8], now: Duration) {
        let Some(all) = All::decode(all) else { return };
        self.places.merge(&all, now);
        self.is_changed = true;
        if let Knows::Asked { answered, .. } = &mut self.fleet.knows {
            answered.insert(by.to_owned());
        }
        self.fleet.settle(now);
    }

    /// It is in touch again, and may have missed anything; so may all others.
    pub fn joins(&mut self, now: Duration) {
        let (issuer, from) = (self.news.issuer, self.issuer.last());
        self.news = News { issuer, from, to: from, ..News::default() };
        self.entered = 0;
        self.fleet.asks(now);
    }

    /// Who gives out its numbers; as another, if one of them does so already.
    #[must_use]
    pub fn who(&self) -> u16 {
        self.issuer.who()
    }

    #[cfg(test)]
    pub(super) fn summary(&self) -> impl std::fmt::Debug {
        let Places { crowd, mine, others, .. } = &self.places;
        let fleet = &self.fleet;
        (
            crowd.present(),
            crowd.len(),
            mine.len(),
            others.len(),
            self.inside.total(),
            fleet.claim,
            fleet.calls,
            fleet.members,
        )
    }

    #[cfg(test)]
    pub(super) fn has_called(&self, number: u64) -> bool {
        self.places.is_called(number)
    }

    /// Another member gives out numbers as this one did.
    pub fn becomes(&mut self, who: u16) {
        self.issuer = Issuer::new(who);
        self.news = News { issuer: u32::from(who), ..News::default() };
    }

    /// What is to be written now, if anything is.
    pub fn to_write(&mut self, now: Duration, rules: &Rules) -> Option<Saved> {
        let is_due = self.written.is_none_or(|written| now >= written + WRITE_PAUSE);
        // What is closed opens once it is written.
        (is_due && (self.is_changed || self.is_closed)).then(|| {
            self.is_changed = false;
            self.to_save(rules)
        })
    }

    /// It is written.
    pub fn written(&mut self, now: Duration) {
        self.written = Some(now);
        self.is_closed = false;
    }

    /// What is so now, and nobody more comes in until it is [`written`](Self::written) again: another process goes on.
    pub fn close(&mut self, rules: &Rules) -> Saved {
        self.is_closed = true;
        self.to_save(rules)
    }

    fn to_save(&self, rules: &Rules) -> Saved {
        let next = self.next_alone;
        let past = Past { all: self.places.all().encode(), claimant: self.fleet.claimant, members: self.fleet.members };
        Saved {
            next,
            next_to: next,
            front: next,
            front_to: next,
            inside: self.inside.total(),
            session: rules.session.as_secs() + 1,
            past: Some(past),
            ..Saved::default()
        }
    }

    /// Does what time brings: stays end, absent ones are passed over, and if no other member can be heard, those whose turn
    /// it is are called.
    fn turn(&mut self, now: Duration, rules: &Rules, headroom: Headroom) {
        if self.turned.is_some_and(|turned| now < turned + TURN) {
            return;
        }
        self.turned = Some(now);
        let untold = self.news.given.len().max(self.news.entered.len()).max(self.told[0].len());
        if untold > NEWS_MAX && self.fleet.is_apart(now) {
            self.drop_news();
        }
        self.inside.expire(now, rules.session);
        self.counts.left += self.places.lapse(now);
        self.places.crowd.sweep(now, rules.absence, FIRST_MAX);
        self.places.trim(rules.places as usize * MARKS_PER_PLACE);
        self.elsewhere.forget(now);
        let is_waiting = self.places.crowd.present() > 0;
        self.pace.keep_to(now, &self.part(rules));
        self.pace.measure(now, headroom, self.entered_anywhere, is_waiting);
        if is_waiting && !self.is_closed && self.fleet.is_apart(now) {
            let wanted = self.wanted(now, &self.part(rules), headroom);
            // Others ask elsewhere: who cannot be heard there may still be.
            let numbers = self.places.crowd.first(self.bounded(wanted, rules), true);
            self.places.call(&numbers, true, now);
        }
    }

    /// How many more are to be called: of the rate, for all; of its pool, for this member.
    fn wanted(&self, now: Duration, rules: &Rules, headroom: Headroom) -> u32 {
        let Places { mine, others, .. } = &self.places;
        let ahead = |rules: &Rules, headroom| self.pace.ahead(now, rules, headroom, mine).map(|it| it as usize);
        let own = mine.expected(now);
        let by_rate = ahead(rules, Headroom { capacity: None, ..headroom });
        let by_rate = by_rate.map(|ahead| ahead.saturating_sub(own + others.expected(now)));
        let by_pool = ahead(&Rules { enter: None, ..*rules }, headroom).map(|ahead| ahead.saturating_sub(own));
        let least = by_rate.into_iter().chain(by_pool).min();
        least.map_or(u32::MAX, |least| u32::try_from(least).unwrap_or(u32::MAX))
    }

    fn bounded(&self, wanted: u32, rules: &Rules) -> usize {
        (wanted.min(self.unclaimed(rules)) as usize).min(CALLS_MAX.saturating_sub(self.places.called()))
    }

    /// Whether one who comes now need not wait.
    fn is_open(&self, now: Duration, rules: &Rules, headroom: Headroom) -> bool {
        let expected = self.places.mine.expected(now) + self.places.others.expected(now);
        (self.fleet.is_together(now) || self.fleet.is_apart(now))
            && self.places.crowd.present() == 0
            && self.unclaimed(rules) > 0
            && self.pace.free(now, &self.part(rules), headroom) as usize > expected
    }

    fn enter(&mut self, number: u64, now: Duration, rules: &Rules) -> Verdict {
        // It has a place inside already, of the member that called it.
        let moves = u32::from(self.places.others.has(number));
        self.fleet.claim = self.fleet.claim.saturating_add(moves);
        self.places.enter(number, now);
        self.news.entered.push(number);
        self.told[0].insert(number);
        self.inside.enter(number, now, rules.session);
        self.counts.entered += 1;
        self.entered_anywhere += 1;
        self.entered += 1;
        self.is_changed = true;
        let after = self.pace.enter(now, &self.part(rules));
        self.pace.hold(number, now, after);
        Verdict::Enter(Entry { number, after })
    }

    /// One is inside, and asks here.
    fn stays(&mut self, number: u64, now: Duration, rules: &Rules) {
        let before = self.inside.total();
        if self.inside.saw(number, now) != Known::Inside {
            self.inside.moves_in(number, now, rules.session);
        }
        let moves = self.inside.total().saturating_sub(before);
        self.fleet.claim = self.fleet.claim.saturating_add(moves);
        if self.news.inside.len() < NEWS_MAX {
            self.news.inside.push(number);
            self.told[0].insert(number);
        }
        self.is_changed = true;
    }

    /// Nobody could be told for so long that all is told at once when somebody can.
    fn drop_news(&mut self) {
        let (issuer, from) = (self.news.issuer, self.issuer.last());
        self.news = News { issuer, from, to: from, ..News::default() };
        self.told = Default::default();
        self.fleet.tells_all = true;
    }

    fn give(&mut self, now: Duration) -> u64 {
        let number = self.issuer.give(now + self.fleet.ahead);
        self.places.gave(u32::from(self.issuer.who()), number);
        self.is_changed = true;
        number
    }

    fn heard(&mut self, number: u64, is_news: bool) {
        if is_news && self.news.heard.len() < NEWS_MAX {
            self.news.heard.push(number);
        }
    }

    fn hear_news(&mut self, news: &News, now: Duration) {
        self.places.hear(news, now);
        for number in &news.entered {
            self.fleet.claim = self.fleet.claim.saturating_sub(u32::from(self.places.mine.has(*number)));
            self.entered_anywhere += u64::from(self.places.enter(*number, now));
            self.elsewhere.note(*number, now);
        }
        for number in news.entered.iter().chain(&news.inside) {
            // Who asks at both at once counts at one.
            let is_told = self.told[0].contains(number) || self.told[1].contains(number);
            let is_kept = news.issuer > self.news.issuer && is_told;
            if !is_kept && self.inside.has(*number) {
                self.inside.moved(*number);
                self.fleet.claim = self.fleet.claim.saturating_sub(1);
            }
        }
    }

    /// Places inside that are taken here.
    fn taken(&self) -> u32 {
        self.inside.total().saturating_add(u32::try_from(self.places.mine.len()).unwrap_or(u32::MAX))
    }

    /// Places inside that this member may take.
    fn unclaimed(&self, rules: &Rules) -> u32 {
        let claim = bound(rules).map_or(u32::MAX, |_| self.claim(self.turned.unwrap_or_default(), rules));
        claim.saturating_sub(self.taken())
    }

    /// Places inside that this member may have.
    fn claim(&self, now: Duration, rules: &Rules) -> u32 {
        let fleet = &self.fleet;
        let Some(active) = bound(rules) else { return fleet.claim };
        let part = (active / fleet.members).max(1);
        // Those who have more than their part give it up at once, and those who have less wait for that.
        match () {
            () if !self.fleet.is_apart(now) => fleet.claim,
            () if now < fleet.claimed + rules.session * 2 && !matches!(fleet.knows, Knows::Nothing) => {
                fleet.claim.min(part)
            }
            () => part,
        }
    }

    /// The part of the rate that this member keeps to until it hears what others let in.
    fn part(&self, rules: &Rules) -> Rules {
        let part = |rate: Rate| Rate { per: rate.per * self.fleet.members, ..rate };
        Rules { enter: rules.enter.map(part), ..*rules }
    }

    fn waiting(&self, number: u64, rules: &Rules, headroom: Headroom) -> Waiting {
        let place = self.places.crowd.before(number) + 1;
        let (wait, waiting) = (self.wait(place, rules, headroom), self.places.crowd.present());
        let soonest = self.pace.inflow_max(rules, headroom).map(|rate| reckon(place, rate));
        // Of numbers that are told by the time, what comes first tells neighbours apart.
        let refresh = refresh(number >> 16, place, soonest, (waiting, rules));
        Waiting { number, place, waiting, wait, refresh }
    }

    fn at_the_door(&self, number: u64) -> Waiting {
        Waiting { number, place: 1, waiting: self.places.crowd.present(), wait: Some(DOOR), refresh: DOOR }
    }

    fn wait(&self, place: u32, rules: &Rules, headroom: Headroom) -> Option<Duration> {
        self.pace.inflow(rules, headroom).map(|rate| reckon(place, rate))
    }
}

/// What a room knew that was not shared.
fn alone(saved: &Saved) -> All {
    let is_gone = |number: &u64| saved.gone.iter().any(|gone| gone.contains(number));
    let (gone, waiting) = (saved.front_to..saved.next).partition(is_gone);
    let called = saved.called.iter().copied().chain(saved.front..saved.front_to).collect();
    let complete = vec![(OWN, saved.next.max(saved.front_to).saturating_sub(1))];
    All { complete, entered: Vec::new(), waiting, gone, called }
}

/// Visitors inside that are counted at all.
fn bound(rules: &Rules) -> Option<u32> {
    (rules.active < ACTIVE_MAX).then_some(rules.active)
}

const FIRST_SHARED: u64 = super::number::FIRST;

/// Between two times that all that is known is told to those who ask.
const TELL_PAUSE: Duration = Duration::from_millis(300);

/// Places inside that a member holds ready for those who come.
const SPARE_MAX: u32 = 256;

/// So much longer than a session a member's places inside are its own if it is not heard of.
const CLAIM_MORE: Duration = Duration::from_secs(5);

/// Visitors of whom is told at once.
const NEWS_MAX: usize = 65_536;

/// A number is of no use any more.
const NUMBER_AGE: Duration = Duration::from_secs(86_400);

/// How often it is written.
const WRITE_PAUSE: Duration = Duration::from_secs(2);
