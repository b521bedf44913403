//! Backends that register at one of several Weirs, which share a real Redis. If that is not installed, it is said, and the tests pass.

#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]

mod support;

use std::time::{Duration, Instant};
use support::{Backend, Redis, Registrar, Strait, Weather, Weir, eventually, json_of};

const WORKERS: &str = "secret-of-workers";

fn member(redis: &str) -> Weir {
    member_with(redis, "60s")
}

/// One whose leases last so long.
fn member_with(redis: &str, ttl: &str) -> Weir {
    let text = format!(
        "[server]\nworkers = 1\nstate = \"kept\"\n[admin]\nlisten = \"127.0.0.1:{{admin}}\"\nspeaks = [\"consul\"]\n\
         tokens = [{{ name = \"workers\", role = \"registrar\", secret = \"{WORKERS}\" }}]\n\
         [cluster]\nredis = \"{{redis}}\"\n\
         [pool.app]\nregister = {{ tokens = [\"workers\"], ttl = \"{ttl}\" }}\n[[route]]\npool = \"app\"\n"
    );
    Weir::start(&text, &[("redis", redis)])
}

/// For so long, checked all the while, each has a lease of that backend.
fn have_all_the_while(weirs: &[&Weir], addresses: &[String], time: Duration) {
    let begun = Instant::now();
    while begun.elapsed() < time {
        for weir in weirs {
            let now = weir.leases("app");
            for address in addresses {
                let stays = now.iter().any(|(other, state)| other == address && state != "draining");
                assert!(stays, "{address} after {:?}: {now:?}", begun.elapsed());
            }
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Longer than two leases of [`SHORT`], and than a member is one without a word.
const LONG: Duration = Duration::from_secs(5);

const SHORT: &str = "{\"ttl\": \"2s\"}";

fn is_up(weir: &Weir) {
    eventually("it is in touch with Redis", || weir.metric("weir_fleet_up") > 0.5);
}

#[test]
fn who_registers_at_one_member_is_known_to_all_and_to_who_comes_later() {
    let Some(mut redis) = Redis::start() else { return };
    let weirs = [(); 2].map(|()| member(&redis.url()));
    let [a, b] = &weirs;
    weirs.iter().for_each(is_up);
    let (one, two, three) = (Backend::start(), Backend::start(), Backend::start());
    let (at_a, at_b) = (Registrar::new(a, WORKERS), Registrar::new(b, WORKERS));
    at_a.registers("app", &one.address(), "{\"weight\": 2}");
    at_b.registers("app", &two.address(), "");
    let both = [(one.address(), "serving"), (two.address(), "serving")];
    let both = both.each_ref().map(|(address, state)| (address.as_str(), *state));
    weirs.iter().for_each(|weir| weir.leases_are("app", &both));
    let heard = b.backends("app").into_iter().find(|backend| backend["address"] == one.address()).unwrap();
    assert_eq!(heard["lease"]["weight"], 2);
    let late = member(&redis.url());
    late.leases_are("app", &both);
    // Whoever is given back at one has left them all, wherever he registered.
    at_b.takes_out("app", &one.address());
    [a, b, &late].into_iter().for_each(|weir| weir.leases_are("app", &both[1..]));
    // A Redis that has forgotten everything is told again, and what changed meanwhile.
    redis.kill();
    for weir in [a, b, &late] {
        eventually("it knows that it is alone", || weir.metric("weir_fleet_up") < 0.5);
    }
    at_a.registers("app", &three.address(), "");
    at_a.takes_out("app", &two.address());
    assert!(redis.begin());
    [a, b, &late].into_iter().for_each(|weir| weir.leases_are("app", &[(&three.address(), "serving")]));
    assert_eq!(late.client().get("/").sees(200).text(), three.address());
}

#[test]
fn leases_that_others_granted_are_kept_while_redis_hangs() {
    let Some(redis) = Redis::start() else { return };
    let weirs = [(); 2].map(|()| member(&redis.url()));
    let [a, b] = &weirs;
    weirs.iter().for_each(is_up);
    let (one, two, three) = (Backend::start(), Backend::start(), Backend::start());
    let (at_a, at_b) = (Registrar::new(a, WORKERS), Registrar::new(b, WORKERS));
    at_a.registers("app", &one.address(), "{\"ttl\": \"2s\"}");
    // So that what cannot be heard is the lesser part.
    let own = [&two, &three].map(|backend| at_b.registers("app", &backend.address(), "{\"ttl\": \"60s\"}"));
    assert_eq!(own.len(), 2);
    let all = [&one, &two, &three].map(|backend| (backend.address(), "serving"));
    let all = all.each_ref().map(|(address, state)| (address.as_str(), *state));
    b.leases_are("app", &all);
    redis.signal("STOP");
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(5) {
        at_a.registers("app", &one.address(), "{\"ttl\": \"2s\"}");
        let mut now = b.leases("app");
        now.sort();
        let mut wanted = all.map(|(address, state)| (address.to_owned(), state.to_owned()));
        wanted.sort();
        assert_eq!(now, wanted, "after {:?}", begun.elapsed());
        std::thread::sleep(Duration::from_millis(200));
    }
    redis.signal("CONT");
    weirs.iter().for_each(is_up);
    // Now its end is heard again, and nobody renews it.
    weirs.iter().for_each(|weir| weir.leases_are("app", &all[1..]));
}

#[test]
fn what_is_taken_out_at_one_member_is_no_service_of_another_one_any_more() {
    let Some(redis) = Redis::start() else { return };
    let weirs = [(); 2].map(|()| member_with(&redis.url(), "2s"));
    let [a, b] = &weirs;
    weirs.iter().for_each(is_up);
    let (one, two) = (Backend::start(), Backend::start());
    let at = |weir: &Weir, path: &str, json: &str| Registrar::new(weir, WORKERS).asks("PUT", path, json).status;
    let service = |id: &str, backend: &Backend, check: &str| {
        let port = backend.address().rsplit_once(':').unwrap().1.to_owned();
        format!("{{\"Name\": \"app\", \"ID\": \"{id}\", \"Port\": {port}{check}}}")
    };
    let register = "/v1/agent/service/register";
    assert_eq!(at(a, register, &service("one", &one, "")), 200);
    assert_eq!(at(a, register, &service("two", &two, "")), 200);
    let both = [(one.address(), "serving"), (two.address(), "serving")];
    let both = both.each_ref().map(|(address, state)| (address.as_str(), *state));
    weirs.iter().for_each(|weir| weir.leases_are("app", &both));
    Registrar::new(b, WORKERS).takes_out("app", &one.address());
    let services = |weir: &Weir| json_of(&weir.admin("/v1/agent/services")).as_object().unwrap().len();
    eventually("it is forgotten where it registered", || services(a) == 1);
    // The other one is renewed by the member at which it registered, again and again; that one is not.
    let renewals = "weir_lease_renewals_total{pool=\"app\"}";
    let before = a.metric(renewals);
    eventually("services are renewed", || a.metric(renewals) > before + 1.0);
    weirs.iter().for_each(|weir| weir.leases_are("app", &both[1..]));
    // One that is at both, and says at one of them that it fails, is still known at the other.
    let check = ", \"Check\": {\"TTL\": \"2s\", \"Status\": \"passing\"}";
    weirs.iter().for_each(|weir| assert_eq!(at(weir, register, &service("one", &one, check)), 200));
    weirs.iter().for_each(|weir| weir.leases_are("app", &both));
    assert_eq!(at(a, "/v1/agent/check/fail/service:one", ""), 200);
    eventually("the other has heard of it", || b.leases("app").len() == 1 || services(b) == 0);
    assert_eq!(at(b, "/v1/agent/check/pass/service:one", ""), 200);
    b.leases_are("app", &both);
}

/// Three members, at each of which a third of the backends registered, lose one of them in that way: what registered there stays
/// at the others for as long as it answers.
fn loses_a_member(loses: impl FnOnce(&Strait, &mut Weir), comes_back: impl FnOnce(&Strait, &mut Weir)) {
    let Some(redis) = Redis::start() else { return };
    let strait = Strait::to(redis.port);
    let (mut a, b, c) = (member(&strait.url()), member(&redis.url()), member(&redis.url()));
    [&a, &b, &c].into_iter().for_each(is_up);
    let backends = [(); 6].map(|()| Backend::start());
    let [one, two, ..] = &backends;
    for (backend, (weir, lasts)) in
        backends.iter().zip([(&a, SHORT), (&a, SHORT), (&b, ""), (&b, ""), (&c, ""), (&c, "")])
    {
        Registrar::new(weir, WORKERS).registers("app", &backend.address(), lasts);
    }
    let all = backends.each_ref().map(Backend::address);
    let serving = all.each_ref().map(|address| (address.as_str(), "serving"));
    [&b, &c].into_iter().for_each(|weir| weir.leases_are("app", &serving));
    loses(&strait, &mut a);
    have_all_the_while(&[&b, &c], &all, LONG);
    // They are looked at: one that does not answer goes as if its time had run out.
    two.dies();
    let rest: Vec<_> = serving.into_iter().filter(|(address, _)| *address != two.address()).collect();
    [&b, &c].into_iter().for_each(|weir| weir.leases_are("app", &rest));
    have_all_the_while(&[&b, &c], &[one.address()], Duration::from_secs(2));
    // Once it is back, what nobody renews runs out there, and everywhere.
    comes_back(&strait, &mut a);
    [&b, &c].into_iter().for_each(|weir| weir.leases_are("app", &rest[1..]));
}

#[test]
fn leases_of_a_member_that_is_cut_off_are_kept_by_the_others_as_long_as_their_backends_answer() {
    loses_a_member(|strait, _| strait.turns(Weather::Storm), |strait, _| strait.turns(Weather::Calm));
}

#[test]
fn leases_of_a_member_that_falls_silent_are_kept_by_the_others_as_long_as_their_backends_answer() {
    loses_a_member(|strait, _| strait.turns(Weather::Fog), |strait, _| strait.turns(Weather::Calm));
}

#[test]
fn leases_of_a_member_that_is_killed_are_kept_by_the_others_as_long_as_their_backends_answer() {
    loses_a_member(|_, a| a.is_killed(), |_, a| a.starts_again());
}

#[test]
fn leases_of_a_member_that_says_good_bye_run_out_unless_they_are_renewed_elsewhere() {
    let Some(redis) = Redis::start() else { return };
    let [mut a, b] = [(); 2].map(|()| member(&redis.url()));
    [&a, &b].into_iter().for_each(is_up);
    let backends = [(); 5].map(|()| Backend::start());
    let all = backends.each_ref().map(Backend::address);
    all[..2].iter().for_each(|address| drop(Registrar::new(&a, WORKERS).registers("app", address, SHORT)));
    all[2..].iter().for_each(|address| drop(Registrar::new(&b, WORKERS).registers("app", address, "")));
    let serving = all.each_ref().map(|address| (address.as_str(), "serving"));
    b.leases_are("app", &serving);
    a.signal("TERM");
    Registrar::new(&b, WORKERS).registers("app", &all[1], "");
    assert!(a.ends().success());
    b.leases_are("app", &serving[1..]);
}

/// Lines that Redis gets, of which words on that many leases come that were said so long ago.
fn fill(redis: &Redis, first: usize, count: usize, ago: u64, says: &str) {
    let said = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap() - Duration::from_secs(ago);
    let word = format!(
        "{{\"pool\": \"app\", \"address\": \"10.9.9.9:%d\", \"member\": \"m\", \"said_us\": {}, {says}}}",
        said.as_micros()
    );
    let lua =
        "for i = ARGV[1], ARGV[2] do redis.call('HSET', KEYS[1], 'app 10.9.9.9:' .. i, string.format(ARGV[3], i)) end";
    let (last, key) = (first + count - 1, "{weir:weir}:leases");
    let said = redis.says(&format!("EVAL \"{lua}\" 1 {key} {first} {last} '{word}'")).unwrap();
    assert!(said.starts_with("$-1"), "{said}");
}

fn words_in(redis: &Redis) -> usize {
    redis.says("HLEN {weir:weir}:leases").unwrap().trim_start_matches(':').trim().parse().unwrap()
}

#[test]
fn what_is_over_does_not_stay_in_redis() {
    let Some(redis) = Redis::start() else { return };
    let granted = |secs: u64| {
        let ttl = secs * 1_000_000;
        format!(
            "\"granted\": {{\"ttl_us\": {ttl}, \"weight\": 1, \"zone\": null, \"load\": null, \"by\": \"workers\", \"probed\": false}}"
        )
    };
    // More than anybody would like to be told at once.
    (0..5).for_each(|n| fill(&redis, 1 + n * 10_000, 10_000, 100, &granted(10)));
    fill(&redis, 60_000, 1, 3_500, "\"for_good\": true");
    fill(&redis, 60_001, 1, 3_500, &granted(3_600));
    let a = member_with(&redis.url(), "1h");
    is_up(&a);
    a.leases_are("app", &[("10.9.9.9:60001", "serving")]);
    eventually("there is no more than that", || words_in(&redis) == 2);
    let b = member(&redis.url());
    is_up(&b);
    // And as they work on, whoever has joined long ago.
    fill(&redis, 1, 500, 100, &granted(10));
    fill(&redis, 600, 1, 3_700, "\"for_good\": true");
    fill(&redis, 700, 1, 50, "\"strange\": 1");
    redis.says("HSET {weir:weir}:leases other nonsense").unwrap();
    eventually("there is only what is not over", || words_in(&redis) == 3);
    let one = Backend::start();
    Registrar::new(&a, WORKERS).registers("app", &one.address(), "");
    eventually("what is said goes on there", || words_in(&redis) == 4);
    eventually("the other knows it", || b.leases("app").iter().any(|(address, _)| *address == one.address()));
}

/// Redis is away as a member is followed by another process: what others granted stays.
fn is_followed_without_redis(follows: impl FnOnce(&mut Weir)) {
    let Some(mut redis) = Redis::start() else { return };
    let [mut a, b] = [(); 2].map(|()| member(&redis.url()));
    [&a, &b].into_iter().for_each(is_up);
    let backends = [(); 4].map(|()| Backend::start());
    let all = backends.each_ref().map(Backend::address);
    all[..2].iter().for_each(|address| drop(Registrar::new(&a, WORKERS).registers("app", address, "")));
    all[2..].iter().for_each(|address| drop(Registrar::new(&b, WORKERS).registers("app", address, SHORT)));
    let serving = all.each_ref().map(|address| (address.as_str(), "serving"));
    a.leases_are("app", &serving);
    let state = a.path("kept/leases");
    let is_written = || all.iter().all(|it| std::fs::read_to_string(&state).is_ok_and(|text| text.contains(it)));
    eventually("it is written", is_written);
    redis.kill();
    follows(&mut a);
    have_all_the_while(&[&a], &all, LONG);
    // Nobody renews them: once they can be heard, they go.
    assert!(redis.begin());
    is_up(&a);
    a.leases_are("app", &serving[..2]);
}

#[test]
fn an_upgrade_without_redis_keeps_what_others_granted() {
    is_followed_without_redis(|a| a.upgrade().unwrap());
}

#[test]
fn a_restart_without_redis_keeps_what_others_granted() {
    is_followed_without_redis(|a| {
        a.is_killed();
        a.starts_again();
    });
}
