//! Members of a room in which one visitor may be inside, and a Redis that begins anew, empty: they are back one after the other.

use super::super::{Headroom, Rules, Verdict};
use super::SharedRoom;
use super::simulated_redis::{Redis, UNIX};
use std::time::Duration;

const RULES: Rules = Rules {
    active: 1,
    enter: None,
    session: Duration::from_secs(600),
    absence: Duration::from_secs(120),
    places: 1_000,
};
const POOL: Headroom = Headroom { capacity: None, queue: 0, busy: 0, done: 0 };
const BEAT: Duration = Duration::from_millis(20);

/// Where a member is with Redis.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Link {
    /// It cannot reach it, or is dead.
    Down,
    /// It is there again, and has not told anything of the room yet.
    There,
    /// It has heard up to that word; `None`: it is to join.
    Up(Option<usize>),
}

struct Member {
    name: String,
    room: SharedRoom,
    link: Link,
}

impl Member {
    fn beat(&mut self, redis: &mut Redis, is_news: bool, now: Duration) {
        if self.link != Link::Down {
            redis.counts(&self.name);
        }
        let Link::Up(after) = self.link else { return };
        let after = after.unwrap_or_else(|| {
            self.room.joins(now);
            redis.last()
        });
        let said = self.room.say(now, &RULES, POOL);
        let mut heard = redis.hears(&self.name, after, &said, now);
        if is_news {
            heard.others.clear();
        }
        self.link = Link::Up(Some(redis.last()));
        for teller in self.room.hear(now, &RULES, &heard) {
            redis.all_of(&teller).into_iter().for_each(|all| self.room.merge(&teller, all, now));
        }
    }
}

struct Fleet {
    members: Vec<Member>,
    redis: Redis,
    now: Duration,
    /// Who waits, and where he came.
    line: Vec<(u64, usize)>,
    /// Nobody asks anywhere else.
    is_sticky: bool,
    /// What places inside others have was told so late that nobody has heard it.
    is_news: bool,
}

impl Fleet {
    /// So many that act as one.
    fn of(members: u16) -> Fleet {
        let member = |who| {
            let room = SharedRoom::new(who, u64::from(who), Duration::ZERO, UNIX);
            Member { name: format!("member {who}"), room, link: Link::Up(None) }
        };
        let members = (0..members).map(member).collect();
        let (redis, now, line) = (Redis::default(), Duration::ZERO, Vec::new());
        let mut fleet = Fleet { members, redis, now, line, is_sticky: false, is_news: false };
        fleet.goes_on(3_000);
        fleet
    }

    /// Time goes by; those who wait ask all members over and over: how many came in.
    fn goes_on(&mut self, millis: u64) -> usize {
        let (end, mut entered) = (self.now + Duration::from_millis(millis), 0);
        while self.now < end {
            self.now += BEAT;
            for (at, member) in self.members.iter_mut().enumerate() {
                member.beat(&mut self.redis, self.is_news, self.now);
                self.line.retain(|(number, came)| {
                    if self.is_sticky && *came != at {
                        return true;
                    }
                    let is_in = matches!(member.room.ticket(*number, self.now, &RULES, POOL), Verdict::Enter(_));
                    entered += usize::from(is_in);
                    !is_in
                });
            }
        }
        entered
    }

    /// One comes who shows nothing; whether he is inside.
    fn comes(&mut self, at: usize) -> bool {
        match self.members[at].room.newcomer(self.now, &RULES, POOL, true) {
            Verdict::Enter(_) => true,
            Verdict::Wait(waiting) => {
                self.line.push((waiting.number, at));
                false
            }
            other => panic!("{other:?}"),
        }
    }

    /// The first comes in, more wait; which member he is at, who has his place.
    fn one_is_inside(&mut self) -> usize {
        let holder = (0..self.members.len()).find(|at| self.comes(*at)).unwrap();
        assert!((0..self.members.len()).all(|at| !self.comes(at)));
        assert_eq!(self.goes_on(1_000), 0, "there is no room");
        holder
    }

    fn empties(&mut self, link: Link) {
        self.redis = Redis::default();
        self.members.iter_mut().for_each(|member| member.link = link);
    }
}

#[test]
fn one_that_is_there_and_has_not_told_yet_whom_it_has_inside_is_waited_for() {
    // It is counted for up to a second before it tells of the room.
    for (silent, is_news) in [40, 200, 900].into_iter().flat_map(|silent| [(silent, false), (silent, true)]) {
        let mut fleet = Fleet { is_news, ..Fleet::of(3) };
        let holder = fleet.one_is_inside();
        fleet.empties(Link::Down);
        assert_eq!(fleet.goes_on(2_000), 0);
        fleet
            .members
            .iter_mut()
            .enumerate()
            .filter(|(at, _)| *at != holder)
            .for_each(|(_, it)| it.link = Link::Up(None));
        assert_eq!(fleet.goes_on(1_500), 0);
        fleet.members[holder].link = Link::There;
        assert_eq!(fleet.goes_on(silent), 0, "it is silent for {silent} ms");
        fleet.members[holder].link = Link::Up(None);
        assert_eq!(fleet.goes_on(10_000), 0);
    }
}

#[test]
fn places_inside_count_for_those_who_are_back_last() {
    let mut fleet = Fleet::of(3);
    let holder = fleet.one_is_inside();
    fleet.empties(Link::Down);
    assert_eq!(fleet.goes_on(2_000), 0);
    // The others have stopped waiting for it long before it is back, and Redis is emptied again meanwhile.
    for _ in 0..2 {
        fleet.empties(Link::Up(None));
        fleet.members[holder].link = Link::Down;
        assert_eq!(fleet.goes_on(20_000), 0);
    }
    fleet.members[holder].link = Link::Up(None);
    assert_eq!(fleet.goes_on(10_000), 0);
    assert_eq!(fleet.members.iter_mut().map(|it| it.room.standing(fleet.now, &RULES, POOL).inside).sum::<u32>(), 1);
}

#[test]
fn who_may_come_in_does_not_wait_for_a_member_that_is_gone_when_redis_is_emptied() {
    // Whoever has the free place is the same each time.
    let holder = Fleet::of(3).one_is_inside();
    let mut fleet = Fleet { is_sticky: true, ..Fleet::of(3) };
    fleet.empties(Link::Up(None));
    fleet.members[(holder + 1) % 3].link = Link::Down;
    assert_eq!(fleet.goes_on(BEAT.as_millis() as u64), 0);
    assert!(!fleet.comes((holder + 2) % 3), "the place is at another member");
    assert_eq!(fleet.goes_on(1_300), 1);
}
