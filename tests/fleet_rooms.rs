//! Waiting rooms that several Weirs share through a real Redis. If that is not installed, it is said, and the tests pass.

#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]

mod support;

use serde_json::Value;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use support::{Origin, PATIENCE, Redis, Response, Strait, Weather, Weir, eventually};

/// One visitor inside at a time, at all members together.
const ONE: &str = "active = 1\nsession = \"10m\"";

/// Ten a second, at all members together.
const TEN: &str = "enter = \"10/s\"\nsession = \"10m\"";

fn text(room: &str) -> String {
    format!(
        "[server]\nworkers = 2\nstate = \"kept\"\n[cluster]\nredis = \"{{redis}}\"\nlease = \"1s\"\n\
         [waiting_room.sale]\n{room}\n[[route]]\npath = \"/*\"\npool = \"app\"\nwaiting_room = \"sale\"\n"
    )
}

fn member(origin: &Origin, redis: &str, room: &str) -> Weir {
    Weir::start(&text(room), &[("origin", &origin.address()), ("redis", redis)])
}

fn of_room(weir: &Weir, what: &str) -> f64 {
    weir.metric(&format!("weir_waiting_room_{what}{{room=\"sale\"}}"))
}

/// Waits until each knows that so many are there, and acts as one with them.
fn gather(weirs: &[&Weir], members: u64) {
    for weir in weirs {
        eventually("the fleet gathers", || {
            let status: Value = serde_json::from_slice(&weir.admin("/v1/status").body).unwrap();
            status["fleet"]["members"] == members && status["waiting_rooms"][0]["shared"] == true
        });
    }
}

/// Waits until each knows that it is alone.
fn scatter(weirs: &[&Weir]) {
    for weir in weirs {
        eventually("it knows that it is alone", || of_room(weir, "shared") < 0.5);
    }
}

/// A browser: it has a name, and keeps cookies.
#[derive(Clone)]
struct Visitor {
    agent: String,
    cookies: BTreeMap<String, String>,
}

impl Visitor {
    fn called(agent: &str) -> Visitor {
        Visitor { agent: agent.to_owned(), cookies: BTreeMap::new() }
    }

    fn asks(&mut self, weir: &Weir) -> Response {
        let mut client = weir.client();
        let mut ask = client.get("/").field("User-Agent", &self.agent).field("Accept", "application/json");
        if !self.cookies.is_empty() {
            let pairs: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            ask = ask.field("Cookie", &pairs.join("; "));
        }
        let response = ask.gets().unwrap();
        assert!([200, 503].contains(&response.status), "{response:?}");
        for cookie in response.fields.all("Set-Cookie") {
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        response
    }

    fn is_in(&mut self, weir: &Weir) -> bool {
        self.asks(weir).status == 200
    }

    fn page(&mut self, weir: &Weir) -> Value {
        let response = self.asks(weir);
        assert_eq!(response.status, 503, "{response:?}");
        serde_json::from_slice(&response.body).unwrap()
    }

    /// Has that place at a member, of which it may hear in a moment; never another ticket.
    fn has_place(&mut self, weir: &Weir, place: u64) {
        let before = self.cookies.len();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let page = self.page(weir);
            assert!(page["note"].is_null(), "{} of {place}: {page}", self.agent);
            if page["place"] == place {
                break;
            }
            assert!(Instant::now() < deadline, "{} has no place {place}: {page}", self.agent);
        }
        assert!(before == 0 || self.cookies.len() == before);
    }
}

/// The first who asks any of them comes in; then there is no room.
fn one_is_inside(weirs: &[&Weir]) -> Visitor {
    let mut inside = Visitor::called("inside");
    eventually("the first comes in", || inside.is_in(weirs[0]));
    inside
}

/// Visitors who came one after the other, now to this member, now to that.
fn line(weirs: &[&Weir], count: usize) -> Vec<Visitor> {
    let visitor = |at: usize| {
        let mut visitor = Visitor::called(&format!("visitor {at}"));
        visitor.has_place(weirs[at % weirs.len()], at as u64 + 1);
        weirs.iter().for_each(|weir| eventually("all know of him", || of_room(weir, "waiting") > at as f64));
        visitor
    };
    (0..count).map(visitor).collect()
}

/// Each has his place, whichever member he asks.
fn all_are_there(line: &mut [Visitor], weirs: &[&Weir]) {
    for (at, visitor) in line.iter_mut().enumerate() {
        weirs.iter().for_each(|weir| visitor.has_place(weir, at as u64 + 1));
    }
}

#[test]
fn a_visitor_has_his_place_at_each_member_and_comes_in_at_any_when_it_is_his_turn() {
    let Some(redis) = Redis::start() else { return };
    let origin = Origin::start();
    let weirs = [(); 3].map(|()| member(&origin, &redis.url(), ONE));
    let [a, b, c] = &weirs;
    gather(&[a, b, c], 3);
    let mut inside = one_is_inside(&[b, a, c]);
    let mut line = line(&[a, b, c], 7);
    all_are_there(&mut line, &[a, b, c]);
    // His pass is good everywhere, and he is one.
    for weir in [a, b, c] {
        assert!(inside.is_in(weir));
    }
    let tickets: Vec<_> = line.clone();
    // There is room for two more, whichever member knows it first.
    for weir in [a, b, c] {
        weir.becomes(&text(&ONE.replace("= 1\n", "= 3\n")));
    }
    for at in 0..2 {
        let visitor = &mut line[at];
        eventually("it is his turn", || visitor.is_in([a, b, c][(at + 1) % 3]));
        assert!(visitor.is_in([a, b, c][at]));
    }
    let at = Instant::now();
    line[2].has_place(a, 1);
    line[3].has_place(c, 2);
    let entered: f64 = [a, b, c].map(|weir| of_room(weir, "entered_total")).iter().sum();
    assert_eq!(entered as u64, 3);
    // What he had before is no second ticket, at any member, once his pass has surely arrived.
    for (ticket, weir) in tickets[..2].iter().flat_map(|ticket| [(ticket, a), (ticket, b), (ticket, c)]) {
        let page = loop {
            let said = ticket.clone().asks(weir);
            if said.status == 503 {
                break serde_json::from_slice::<Value>(&said.body).unwrap();
            }
            assert!(at.elapsed() < PATIENCE * 3);
        };
        assert!(page["note"].as_str().unwrap().contains("turn was over"), "{page}");
    }
    assert!(at.elapsed() > Duration::from_secs(5), "{:?}", at.elapsed());
    // Nor is another's.
    for (thief, weir) in [("thief", a), ("another thief", c)] {
        let mut thief = Visitor { agent: thief.to_owned(), ..line[2].clone() };
        let page = thief.page(weir);
        assert!(page["note"].as_str().unwrap().contains("another device"), "{page}");
    }
}

#[test]
fn no_place_is_lost_whatever_becomes_of_redis() {
    let Some(mut redis) = Redis::start() else { return };
    let origin = Origin::start();
    let weirs = [(); 3].map(|()| member(&origin, &redis.url(), ONE));
    let [a, b, c] = &weirs;
    gather(&[a, b, c], 3);
    let mut inside = one_is_inside(&[a, b, c]);
    let mut line = line(&[a, b, c], 4);
    let key = |what| format!("{{weir:weir}}:room-{what}:sale");
    for fate in ["killed", "stopped", "emptied", "forgetful", "forgetful again"] {
        match fate {
            "killed" => redis.kill(),
            "stopped" => redis.signal("STOP"),
            "emptied" => drop(redis.says("FLUSHALL")),
            // Of the room alone, so that nothing else tells.
            _ => drop(redis.says(&format!("DEL {}", ["words", "state", "claims"].map(key).join(" ")))),
        }
        if ["killed", "stopped"].contains(&fate) {
            scatter(&[a, b, c]);
        }
        // Nobody fails, and who comes meanwhile has a place behind all whom his member knows of.
        all_are_there(&mut line, &[a, b, c]);
        assert!(inside.is_in(a) && inside.is_in(b));
        let mut late = Visitor::called(&format!("while it is {fate}"));
        late.has_place(b, line.len() as u64 + 1);
        late.has_place(c, line.len() as u64 + 1);
        match fate {
            "killed" => assert!(redis.begin()),
            "stopped" => redis.signal("CONT"),
            _ => {}
        }
        gather(&[a, b, c], 3);
        line.push(late);
        all_are_there(&mut line, &[a, b, c]);
    }
    // Another one forgets nothing either.
    let entered: f64 = [a, b, c].map(|weir| of_room(weir, "entered_total")).iter().sum();
    assert_eq!(entered as u64, 1);
}

#[test]
fn what_redis_has_of_a_room_goes_some_days_after_its_members() {
    let Some(redis) = Redis::start() else { return };
    let origin = Origin::start();
    let rooms = [ONE, TEN].map(|room| member(&origin, &redis.url(), room));
    gather(&[&rooms[0], &rooms[1]], 2);
    one_is_inside(&[&rooms[0]]);
    line(&[&rooms[0]], 2);
    let keys = redis.says("KEYS {weir:weir}:room*").unwrap();
    let keys: Vec<_> = keys.lines().filter(|line| line.starts_with("{weir:weir}:")).collect();
    for wanted in ["room-words:sale", "room-state:sale", "room-claims:sale", "room-issuers:sale", "room-secrets"] {
        assert!(keys.iter().any(|key| key.ends_with(wanted)), "{wanted}: {keys:?}");
    }
    let lasts = |key: &str| redis.says(&format!("PTTL {key}")).unwrap()[1..].trim().parse::<i64>().unwrap();
    // Longer than tickets are good, which is a day, and passes, which is ten minutes.
    let (least, most) = ((2 * 86_400 + 60) * 1_000, (2 * 86_400 + 700) * 1_000);
    for key in keys.into_iter().filter(|key| !key.contains("room-all:")) {
        eventually("it has an end", || (least..=most).contains(&lasts(key)));
        // As long as a member is there, that is far away.
        redis.says(&format!("PEXPIRE {key} 10000"));
        eventually("it is put off", || (least..=most).contains(&lasts(key)));
    }
}

#[test]
fn a_member_that_is_cut_off_or_restarts_loses_no_place() {
    let Some(redis) = Redis::start() else { return };
    let (origin, strait) = (Origin::start(), Strait::to(redis.port));
    let (a, b) = (member(&origin, &redis.url(), ONE), member(&origin, &redis.url(), ONE));
    let mut far = member(&origin, &strait.url(), ONE);
    gather(&[&a, &b, &far], 3);
    one_is_inside(&[&a]);
    let mut line = line(&[&a, &b, &far], 4);
    for weather in [Weather::Fog, Weather::Storm] {
        strait.turns(weather);
        scatter(&[&far]);
        let mut late = Visitor::called(&format!("{weather:?}"));
        late.has_place(&far, line.len() as u64 + 1);
        all_are_there(&mut line, &[&a, &far]);
        strait.turns(Weather::Calm);
        gather(&[&a, &b, &far], 3);
        line.push(late);
        all_are_there(&mut line, &[&b, &far]);
    }
    for crash in [false, true] {
        if crash {
            far.is_killed();
        } else {
            assert!(far.stop().success());
        }
        all_are_there(&mut line, &[&a, &b]);
        far.starts_again();
        eventually("it is one of them again", || of_room(&far, "shared") > 0.5);
        all_are_there(&mut line, &[&far, &b]);
    }
    far.upgrade().unwrap();
    all_are_there(&mut line, &[&far, &a]);
    assert!(Visitor::called("new").asks(&far).status == 503, "the one inside still counts");
}

#[test]
fn one_that_knew_nobody_takes_the_tickets_of_all_and_its_own_stay_good() {
    let Some(mut redis) = Redis::start() else { return };
    let origin = Origin::start();
    redis.kill();
    let alone = member(&origin, &redis.url(), ONE);
    // Rooms wait a moment for the others, then go on.
    let mut inside = Visitor::called("inside");
    eventually("the first comes in", || inside.is_in(&alone));
    let mut ann = Visitor::called("ann");
    ann.has_place(&alone, 1);
    assert!(redis.begin());
    gather(&[&alone], 1);
    let new = member(&origin, &redis.url(), ONE);
    gather(&[&alone, &new], 2);
    assert!(inside.is_in(&new));
    ann.has_place(&new, 1);
    ann.has_place(&alone, 1);
    let mut bob = Visitor::called("bob");
    bob.has_place(&new, 2);
    bob.has_place(&alone, 2);
}

#[test]
fn the_rate_holds_for_all_together_and_the_first_come_in_first() {
    let Some(mut redis) = Redis::start() else { return };
    let origin = Origin::start();
    let weirs = [(); 3].map(|()| member(&origin, &redis.url(), TEN));
    let [a, b, c] = &weirs;
    gather(&[a, b, c], 3);
    let mut waiting: Vec<_> = (0..60).map(|at| (at, Visitor::called(&format!("visitor {at}")))).collect();
    let (begun, mut entries, mut turn, mut kills) = (Instant::now(), Vec::new(), 0, 2);
    while !waiting.is_empty() {
        assert!(begun.elapsed() < PATIENCE * 4, "{} wait", waiting.len());
        // Redis is gone for a part of it.
        if kills == 2 && entries.len() > 20 {
            redis.kill();
            kills = 1;
        } else if kills == 1 && entries.len() > 40 {
            assert!(redis.begin());
            kills = 0;
        }
        turn += 1;
        waiting.retain_mut(|(at, visitor)| {
            let is_in = visitor.is_in([a, b, c][(*at + turn) % 3]);
            if is_in {
                entries.push((begun.elapsed(), *at));
            }
            !is_in
        });
    }
    let took = begun.elapsed().as_secs_f64();
    println!("60 in {took:.1} s");
    // What each may hold back for the next second at the beginning, and one more each.
    assert!(took >= 60.0 / 10.0 - 1.5, "{took}");
    for window in entries.windows(20) {
        assert!(window[19].0 - window[0].0 > Duration::from_millis(500), "{window:?}");
    }
    let far = entries.iter().enumerate().map(|(place, (_, at))| place.abs_diff(*at)).max().unwrap();
    assert!(far < 40, "out of order by {far}: {entries:?}");
}
