use super::*;
use std::ops::Range;
use std::time::Duration;

const RULES: Rules =
    Rules { active: 2, enter: None, session: Duration::from_secs(60), absence: Duration::from_secs(90), places: 10 };

const POOL: Headroom = Headroom { capacity: None, queue: 0, busy: 0, done: 0 };

fn enter(number: u64) -> Verdict {
    Verdict::Enter(Entry { number, after: Duration::ZERO })
}

fn at(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A room for which more is written than it gives out or calls here.
fn free() -> Room {
    let mut room = Room::kept();
    room.written(Saved { next_to: 1 << 40, front_to: 1 << 40, ..Saved::default() }, at(0));
    room
}

/// A room with two visitors inside, numbers 1 and 2, since second 0.
fn full() -> Room {
    let mut room = free();
    assert_eq!(room.newcomer(at(0), &RULES, POOL, true), enter(1));
    assert_eq!(room.newcomer(at(0), &RULES, POOL, true), enter(2));
    room
}

fn ranges(edges: &[(u64, u64)]) -> Vec<Range<u64>> {
    edges.iter().map(|(start, end)| *start..*end).collect()
}

fn waiting(verdict: Verdict) -> Waiting {
    match verdict {
        Verdict::Wait(waiting) => waiting,
        other => panic!("{other:?}"),
    }
}

#[test]
fn who_comes_when_it_is_full_waits_for_his_turn() {
    let mut room = full();
    let three = waiting(room.newcomer(at(1000), &RULES, POOL, true));
    let four = waiting(room.newcomer(at(2000), &RULES, POOL, true));
    assert_eq!((three.number, three.place, four.number, four.place, four.waiting), (3, 1, 4, 2, 2));
    assert_eq!(three.wait, Some(at(30_000)), "two in a minute");
    assert!((1..=5).contains(&three.refresh.as_secs()));
    // 1 goes on, 2 does not.
    room.renew(1, at(50_000), &RULES);
    for second in [10, 20, 30, 40, 50, 60] {
        assert_eq!(waiting(room.ticket(4, at(second * 1000), &RULES, POOL)).place, 2);
        assert_eq!(waiting(room.ticket(3, at(second * 1000), &RULES, POOL)).place, 1);
    }
    assert_eq!(waiting(room.ticket(4, at(63_000), &RULES, POOL)).place, 1, "3 is called");
    assert_eq!(room.ticket(3, at(63_000), &RULES, POOL), enter(3));
    assert_eq!(waiting(room.ticket(4, at(64_000), &RULES, POOL)).place, 1);
    let standing = room.standing(at(64_000), &RULES, POOL);
    assert_eq!((standing.waiting, standing.called, standing.inside), (1, 0, 2));
    assert_eq!((standing.counts.entered, standing.counts.queued), (3, 2));
}

#[test]
fn a_ticket_is_good_for_one_stay() {
    let mut room = full();
    assert_eq!(room.ticket(1, at(10_000), &RULES, POOL), enter(1), "the same stay: its pass may be lost");
    assert_eq!(room.ticket(1, at(11_000), &RULES, POOL), Verdict::Refused(Bad::Spent));
    assert_eq!(room.ticket(99, at(11_000), &RULES, POOL), Verdict::Refused(Bad::Spent), "never given out");
    let standing = room.standing(at(11_000), &RULES, POOL);
    assert_eq!((standing.inside, standing.counts.spent), (2, 2));
    assert_eq!(room.ticket(1, at(80_000), &RULES, POOL), Verdict::Refused(Bad::Spent), "the stay is over");
}

#[test]
fn who_is_held_back_is_so_however_many_requests_he_makes() {
    let enter_at = Some(crate::config::Rate { count: 4, per: Duration::from_secs(1) });
    let rules = Rules { active: 100, enter: enter_at, ..RULES };
    let mut room = free();
    (1..=5).for_each(|number| {
        assert!(matches!(room.newcomer(at(0), &rules, POOL, true), Verdict::Enter(it) if it.number == number))
    });
    let held = |number, millis| Verdict::Enter(Entry { number, after: at(millis) });
    assert_eq!(room.ticket(5, at(100), &rules, POOL), held(5, 900));
    assert_eq!(room.ticket(2, at(100), &rules, POOL), held(2, 150));
    assert_eq!(room.ticket(1, at(100), &rules, POOL), held(1, 0));
    assert_eq!(room.ticket(5, at(1000), &rules, POOL), held(5, 0));
}

#[test]
fn who_does_not_come_when_he_is_called_loses_his_place_to_the_next() {
    let mut room = full();
    waiting(room.newcomer(at(1000), &RULES, POOL, true));
    waiting(room.ticket(3, at(50_000), &RULES, POOL));
    waiting(room.newcomer(at(60_000), &RULES, POOL, true));
    waiting(room.newcomer(at(60_000), &RULES, POOL, true));
    // Both stays are over; 3 and 4 are called.
    assert_eq!(waiting(room.ticket(5, at(63_000), &RULES, POOL)).place, 1);
    assert_eq!(room.ticket(4, at(64_000), &RULES, POOL), enter(4));
    assert_eq!(waiting(room.ticket(5, at(92_000), &RULES, POOL)).place, 1);
    assert_eq!(room.ticket(5, at(94_001), &RULES, POOL), enter(5));
    assert_eq!(room.ticket(3, at(95_000), &RULES, POOL), Verdict::Refused(Bad::Spent));
}

#[test]
fn those_who_may_not_wait_are_told_when_to_come_again() {
    let mut room = full();
    let verdict = room.newcomer(at(1000), &RULES, POOL, false);
    assert!(matches!(verdict, Verdict::NotNow(Waiting { number: 0, place: 1, .. })), "{verdict:?}");
    assert_eq!(room.standing(at(1000), &RULES, POOL).waiting, 0);
    let mut empty = free();
    assert_eq!(empty.newcomer(at(0), &RULES, POOL, false), enter(1));
}

#[test]
fn no_more_wait_than_may() {
    let mut room = full();
    (0..10).for_each(|_| assert!(waiting(room.newcomer(at(1000), &RULES, POOL, true)).number > 2));
    assert_eq!(room.newcomer(at(1000), &RULES, POOL, true), Verdict::Full);
    // Those who keep no tickets are gone soon, and so are their places; a few times as many are remembered.
    for second in [30, 60] {
        let now = at(second * 1000);
        room.renew(1, now, &RULES);
        room.renew(2, now, &RULES);
        (0..10).for_each(|_| assert!(waiting(room.newcomer(now, &RULES, POOL, true)).number > 2));
        assert_eq!(room.newcomer(now, &RULES, POOL, true), Verdict::Full);
    }
}

#[test]
fn a_pool_that_is_full_lets_nobody_in() {
    let rules = Rules { active: 100, ..RULES };
    let pool = |free: u32| Headroom { capacity: Some(9), queue: 0, busy: 9 - free, done: 0 };
    let mut room = free();
    assert_eq!(room.newcomer(at(0), &rules, pool(1), true), enter(1));
    assert_eq!(waiting(room.newcomer(at(0), &rules, pool(0), true)).number, 2);
    assert_eq!(waiting(room.ticket(2, at(1000), &rules, pool(0))).place, 1);
    assert_eq!(waiting(room.newcomer(at(2000), &rules, pool(1), true)).number, 3, "behind the one who is called");
    assert_eq!(waiting(room.ticket(2, at(2000), &rules, pool(0))).place, 1, "called, and there is no room just now");
    assert_eq!(room.ticket(2, at(3000), &rules, pool(1)), enter(2));
}

#[test]
fn a_rate_that_becomes_faster_lets_in_at_once() {
    let at_rate = |count, seconds| {
        let enter = Some(crate::config::Rate { count, per: Duration::from_secs(seconds) });
        Rules { active: 100, enter, ..RULES }
    };
    let (slow, fast) = (at_rate(1, 3600), at_rate(50, 1));
    let mut room = free();
    assert_eq!(room.newcomer(at(0), &slow, POOL, true), enter(1));
    assert_eq!(waiting(room.newcomer(at(10), &slow, POOL, true)).number, 2);
    let mut lets_in = |now| matches!(room.ticket(2, at(now), &fast, POOL), Verdict::Enter(_));
    assert!((1..=20).any(|turn| lets_in(1000 + turn * 100)), "within two seconds");
}

#[test]
fn nothing_is_given_out_or_called_before_it_is_written() {
    let rules = Rules { active: 1, ..RULES };
    let mut room = Room::kept();
    assert!(matches!(room.newcomer(at(0), &rules, POOL, true), Verdict::NotNow(_)));
    let saved = room.to_write(at(0), &rules).unwrap();
    assert!(saved.is_sound() && saved.next == 1 && saved.front_to == 2);
    room.written(saved, at(0));
    assert_eq!(room.newcomer(at(0), &rules, POOL, true), enter(1));
    assert_eq!(waiting(room.newcomer(at(0), &rules, POOL, true)).number, 2);
    let saved = room.to_write(at(100), &rules).expect("that somebody waits is news");
    assert_eq!((saved.next, saved.front, saved.front_to, saved.inside), (3, 2, 2, 1));
    room.written(saved.clone(), at(100));
    assert_eq!(room.to_write(at(5000), &rules), None);
    // The stay is over, but 2 is called once that is written.
    assert_eq!(waiting(room.ticket(2, at(65_000), &rules, POOL)).place, 1);
    assert_eq!(room.calls.len(), 0);
    let later = room.to_write(at(65_000), &rules).unwrap();
    assert_eq!((later.front_to, later.inside), (3, 0));
    room.written(later, at(65_000));
    assert_eq!(room.ticket(2, at(65_100), &rules, POOL), enter(2));
}

#[test]
fn a_small_room_that_is_nearly_empty_lets_those_who_come_together_in() {
    for active in [20, 100] {
        let rules = Rules { active, ..RULES };
        let mut room = Room::kept();
        let write = |room: &mut Room, now| {
            let saved = room.to_write(now, &rules).expect("there is less than half left");
            room.written(saved, now);
        };
        write(&mut room, at(0));
        (1..=16).for_each(|number| assert_eq!(room.newcomer(at(50), &rules, POOL, true), enter(number), "{active}"));
        write(&mut room, at(100));
        assert_eq!(room.newcomer(at(150), &rules, POOL, true), enter(17));
    }
}

#[test]
fn a_room_that_becomes_larger_calls_more() {
    let mut room = Room::kept();
    let one = Rules { active: 1, ..RULES };
    let write = |room: &mut Room, now, rules| {
        if let Some(saved) = room.to_write(now, rules) {
            room.written(saved, now);
        }
    };
    write(&mut room, at(0), &one);
    assert_eq!(room.newcomer(at(0), &one, POOL, true), enter(1));
    waiting(room.newcomer(at(0), &one, POOL, true));
    write(&mut room, at(2000), &one);
    write(&mut room, at(4000), &RULES);
    assert_eq!(room.ticket(2, at(4100), &RULES, POOL), enter(2));
}

#[test]
fn a_restart_goes_on_where_it_was() {
    let mut room = Room::kept();
    let write = |room: &mut Room, now| {
        if let Some(saved) = room.to_write(now, &RULES) {
            room.written(saved, now);
        }
    };
    write(&mut room, at(0));
    assert_eq!(room.newcomer(at(0), &RULES, POOL, true), enter(1));
    write(&mut room, at(100));
    assert_eq!(room.newcomer(at(100), &RULES, POOL, true), enter(2));
    waiting(room.newcomer(at(200), &RULES, POOL, true));
    waiting(room.newcomer(at(200), &RULES, POOL, true));
    let saved = room.close(at(250), &RULES);
    assert_eq!((saved.next, saved.next_to, saved.front, saved.front_to, saved.inside), (5, 5, 3, 3, 2));
    assert!(matches!(room.newcomer(at(300), &RULES, POOL, true), Verdict::NotNow(_)), "another process does it");
    let mut room = Room::recovered(&saved, at(0));
    write(&mut room, at(0));
    assert_eq!(waiting(room.ticket(4, at(1000), &RULES, POOL)).place, 2);
    assert_eq!(waiting(room.newcomer(at(1000), &RULES, POOL, true)).number, 5);
    room.renew(2, at(2000), &RULES);
    assert_eq!(room.standing(at(3000), &RULES, POOL).inside, 2);
    waiting(room.ticket(3, at(55_000), &RULES, POOL));
    write(&mut room, at(60_100));
    // 1 was not heard of for a whole stay, and a second more as nobody knows when its last one began.
    assert_eq!(waiting(room.ticket(3, at(61_200), &RULES, POOL)).place, 1);
    write(&mut room, at(61_300));
    assert_eq!(room.ticket(3, at(61_400), &RULES, POOL), enter(3));
}

#[test]
fn what_was_not_written_by_a_room_is_no_sound_state() {
    let sound = Saved {
        next: 5,
        next_to: 9,
        front: 3,
        front_to: 4,
        session: 60,
        called: vec![1, 2],
        gone: ranges(&[(3, 4), (4, 5)]),
        ..Saved::default()
    };
    assert!(sound.is_sound());
    for broken in [
        Saved { front: 0, ..sound.clone() },
        Saved { next: 2, ..sound.clone() },
        Saved { next: 10, ..sound.clone() },
        Saved { front_to: 2, ..sound.clone() },
        Saved { front_to: 10, ..sound.clone() },
        Saved { next_to: u64::MAX, ..sound.clone() },
        Saved { called: vec![2, 1], ..sound.clone() },
        Saved { called: vec![3], ..sound.clone() },
        Saved { gone: ranges(&[(2, 4)]), ..sound.clone() },
        Saved { gone: ranges(&[(4, 6)]), ..sound.clone() },
        Saved { gone: ranges(&[(4, 5), (3, 4)]), ..sound.clone() },
        Saved { unheard: ranges(&[(4, 4)]), ..sound.clone() },
        Saved { called: (0..9000).map(|_| 1).collect(), ..sound.clone() },
        Saved { called: vec![1; 4096], front_to: 260, next_to: 260, ..sound.clone() },
        Saved { next: u64::MAX, next_to: u64::MAX, front: u64::MAX, front_to: u64::MAX, ..Saved::default() },
        Saved {
            called: vec![],
            gone: vec![],
            next: MANY + 1,
            next_to: MANY + 1,
            front: MANY,
            front_to: MANY,
            ..Saved::default()
        },
    ] {
        assert!(!broken.is_sound(), "{broken:?}");
    }
}

const MANY: u64 = 1 << 62;

#[test]
fn as_many_as_can_be_called_are_after_any_number_of_restarts() {
    let rules = Rules { active: 1_000_000, places: 1_000_000, ..RULES };
    let pool = |capacity| Headroom { capacity: Some(capacity), ..POOL };
    let mut room = Room::kept();
    let write = |room: &mut Room, now| {
        let saved = room.to_write(now, &rules).expect("there is news");
        assert!(saved.is_sound(), "{} called, {} more may be", saved.called.len(), saved.front_to - saved.front);
        room.written(saved.clone(), now);
        saved
    };
    let mut now = at(0);
    write(&mut room, now);
    for _ in 0..8000 {
        if let Verdict::NotNow(_) = room.newcomer(now, &rules, pool(0), true) {
            now += at(1100);
            write(&mut room, now);
            waiting(room.newcomer(now, &rules, pool(0), true));
        }
    }
    // Nobody comes in, and as many are called as may be; then it crashes, again and again.
    for restart in 0..5 {
        let mut saved = Saved::default();
        for _ in 0..40 {
            now += at(100);
            room.standing(now, &rules, pool(1_000_000));
            if let Some(next) = room.to_write(now, &rules) {
                assert!(next.is_sound(), "{restart}: {} called", next.called.len());
                room.written(next.clone(), now);
                saved = next;
            }
        }
        assert!(room.calls.len() >= 4096, "{restart}: {}", room.calls.len());
        room = Room::recovered(&saved, at(0));
        now = at(0);
    }
}
