//! Several Weirs that share their state through a real Redis. If that is not installed, it is said, and the tests pass.

#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]

mod support;

use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Instant;
use support::{Client, Redis, Strait, Weather, Weir, eventually};

/// A backend of one page, which it says to whoever asks for anything; a validation of the page as it is gets 304.
struct Page {
    address: SocketAddr,
    version: Arc<AtomicUsize>,
}

impl Page {
    fn start() -> Page {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let page = Page { address: listener.local_addr().unwrap(), version: Arc::default() };
        let version = Arc::clone(&page.version);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, version) = (stream.unwrap(), Arc::clone(&version));
                std::thread::spawn(move || answer(&stream, &version));
            }
        });
        page
    }

    /// Becomes another one; what it says from now on.
    fn changes(&self) -> String {
        format!("v{}", self.version.fetch_add(1, SeqCst) + 1)
    }
}

fn answer(mut stream: &TcpStream, version: &AtomicUsize) {
    let mut lines = BufReader::new(stream).lines();
    let mut validates = None;
    while let Some(Ok(line)) = lines.next() {
        if let Some(etag) = line.to_ascii_lowercase().strip_prefix("if-none-match: ") {
            validates = Some(etag.to_owned());
        }
        if !line.is_empty() {
            continue;
        }
        let body = format!("v{}", version.load(SeqCst));
        let fields = format!("Cache-Control: max-age=600\r\nCache-Tag: t\r\nETag: \"{body}\"");
        let said = match validates.take() {
            Some(etag) if etag == format!("\"{body}\"") => format!("HTTP/1.1 304 Not Modified\r\n{fields}\r\n\r\n"),
            _ => format!("HTTP/1.1 200 OK\r\n{fields}\r\nContent-Length: {}\r\n\r\n{body}", body.len()),
        };
        if stream.write_all(said.as_bytes()).is_err() {
            return;
        }
    }
}

/// A member in front of `page`; it counts for gone after so long without a word.
fn member(page: &Page, redis: &str, lease: &str) -> Weir {
    let text = "[cluster]\nredis = \"{redis}\"\nlease = \"{lease}\"\n[cache.pages]\nmemory = \"16MiB\"\n\
                [[route]]\npool = \"app\"\ncache = \"pages\"\n";
    Weir::start(text, &[("origin", &page.address.to_string()), ("redis", redis), ("lease", lease)])
}

/// Waits until each knows that so many are there.
fn gather(weirs: &[&Weir], members: u64) {
    for weir in weirs {
        eventually("the fleet gathers", || {
            let status: Value = serde_json::from_slice(&weir.admin("/v1/status").body).unwrap();
            status["fleet"]["members"] == members && status["fleet"]["redis"] == "up"
        });
    }
}

/// Content, and whether no backend was asked for it.
fn asks(weir: &Weir) -> (String, bool) {
    let response = weir.client().get("/x").sees(200);
    (response.text(), response.value("cache-status").starts_with("weir; hit"))
}

/// Waits until it serves that of what it has stored.
fn holds(weir: &Weir, text: &str) {
    eventually("it serves what it has stored", || asks(weir) == (text.to_owned(), true));
}

/// Purges through a member; status and content of the answer.
fn purge(weir: &Weir, what: &str) -> (u16, Value) {
    let mut client = Client::connect(weir.at("admin"));
    let answer = client.post("/v1/purge", what).field("Content-Type", "application/json").gets().unwrap();
    (answer.status, serde_json::from_slice(&answer.body).unwrap())
}

/// Purges, which is acknowledged by so many members.
fn purged_at(weir: &Weir, members: u64) {
    let (status, said) = purge(weir, r#"{"tag": "t"}"#);
    assert_eq!((status, said["fleet"]["members"].as_u64()), (200, Some(members)), "{said}");
}

#[test]
fn a_purge_holds_at_all_members_once_it_is_acknowledged() {
    let Some(redis) = Redis::start() else { return };
    let page = Page::start();
    let weirs = [(); 3].map(|()| member(&page, &redis.url(), "3s"));
    let [a, b, c] = &weirs;
    gather(&[a, b, c], 3);
    let mut old = "v0".to_owned();
    for _ in 0..20 {
        [a, b, c].into_iter().for_each(|weir| holds(weir, &old));
        let new = page.changes();
        [a, b, c].into_iter().for_each(|weir| holds(weir, &old));
        let begun = Instant::now();
        purged_at(a, 3);
        println!("acknowledged after {:?}", begun.elapsed());
        for weir in [b, c, a] {
            assert_eq!(asks(weir), (new.clone(), false));
        }
        old = new;
    }
    assert_eq!((a.metric("weir_fleet_members") as u64, a.metric("weir_fleet_up") as u64), (3, 1));
}

#[test]
fn a_member_that_slept_through_a_purge_serves_nothing_of_it() {
    let Some(redis) = Redis::start() else { return };
    let page = Page::start();
    let weirs = [(); 2].map(|()| member(&page, &redis.url(), "500ms"));
    let [awake, asleep] = &weirs;
    gather(&[awake, asleep], 2);
    let mut old = "v0".to_owned();
    for _ in 0..3 {
        holds(asleep, &old);
        let new = page.changes();
        let mut client = asleep.client();
        asleep.signal("STOP");
        purged_at(awake, 1);
        // The request is there before the process wakes up: nothing of it has heard of the purge.
        client.get("/x").sent();
        asleep.signal("CONT");
        client.response("GET").unwrap().body(&new);
        gather(&[awake, asleep], 2);
        assert_eq!(asks(asleep).0, new);
        old = new;
    }
}

#[test]
fn without_redis_traffic_goes_on_and_purges_wait_for_it() {
    let Some(mut redis) = Redis::start() else { return };
    let page = Page::start();
    let weirs = [(); 2].map(|()| member(&page, &redis.url(), "500ms"));
    let [a, b] = &weirs;
    let mut old = "v0".to_owned();
    for _ in 0..3 {
        gather(&[a, b], 2);
        [a, b].into_iter().for_each(|weir| holds(weir, &old));
        redis.kill();
        eventually("it knows that it is alone", || b.metric("weir_fleet_up") < 0.5);
        // Nobody can say any more whether it was purged: the backend is asked.
        eventually("nothing is reused unasked", || asks(b) == (old.clone(), false));
        let (status, said) = purge(a, r#"{"tag": "t"}"#);
        assert_eq!((status, &said["applied"], &said["fleet"]["applied"]), (202, &true.into(), &false.into()), "{said}");
        let new = page.changes();
        assert_eq!((asks(a).0, asks(b).0), (new.clone(), new.clone()));
        assert!(redis.begin());
        gather(&[a, b], 2);
        old = new;
    }
}

#[test]
fn a_purge_that_waited_for_redis_reaches_all() {
    let Some(mut redis) = Redis::start() else { return };
    let page = Page::start();
    let weirs = [(); 2].map(|()| member(&page, &redis.url(), "60s"));
    let [a, b] = &weirs;
    gather(&[a, b], 2);
    [a, b].into_iter().for_each(|weir| holds(weir, "v0"));
    let new = page.changes();
    redis.kill();
    eventually("it knows that it is alone", || a.metric("weir_fleet_up") < 0.5);
    assert_eq!(purge(a, r#"{"tag": "t"}"#).0, 202);
    // Nobody has told that one, whose lease is long.
    assert_eq!((asks(a).0, asks(b).0), (new.clone(), "v0".to_owned()));
    assert!(redis.begin());
    eventually("the purge arrives", || asks(b).0 == new);
}

#[test]
fn a_member_cut_off_from_redis_asks_backends_until_it_has_caught_up() {
    let Some(redis) = Redis::start() else { return };
    let (page, strait) = (Page::start(), Strait::to(redis.port));
    let (near, far) = (member(&page, &redis.url(), "500ms"), member(&page, &strait.url(), "500ms"));
    let mut old = "v0".to_owned();
    for weather in [Weather::Fog, Weather::Storm] {
        gather(&[&near, &far], 2);
        holds(&far, &old);
        let new = page.changes();
        strait.turns(weather);
        purged_at(&near, 1);
        // It is acknowledged, and `far` has not heard of it.
        assert_eq!(asks(&far), (new.clone(), false));
        strait.turns(Weather::Calm);
        gather(&[&near, &far], 2);
        assert_eq!(asks(&far).0, new);
        old = new;
    }
}

#[test]
fn a_member_that_begins_without_redis_has_missed_what_was_purged_meanwhile() {
    let Some(redis) = Redis::start() else { return };
    let (page, strait) = (Page::start(), Strait::to(redis.port));
    strait.turns(Weather::Storm);
    let (near, far) = (member(&page, &redis.url(), "500ms"), member(&page, &strait.url(), "500ms"));
    gather(&[&near], 1);
    // Stored, though not reused unasked.
    assert_eq!(asks(&far), ("v0".to_owned(), false));
    let new = page.changes();
    purged_at(&near, 1);
    strait.turns(Weather::Calm);
    gather(&[&near, &far], 2);
    assert_eq!(asks(&far).0, new);
}

#[test]
fn a_disk_that_was_nobodys_may_have_missed_purges() {
    let Some(redis) = Redis::start() else { return };
    let page = Page::start();
    let without = "[cluster]\nredis = \"{redis}\"\n[[route]]\npool = \"app\"\n";
    let with = format!(
        "{without}cache = \"pages\"\n[cache.pages]\nmemory = \"16MiB\"\n\
         disk = {{ path = \"cache\", size = \"64MiB\" }}\n"
    );
    let places = [("origin", page.address.to_string()), ("redis", redis.url())];
    let weir = Weir::start(&with, &places.each_ref().map(|(name, value)| (*name, value.as_str())));
    gather(&[&weir], 1);
    holds(&weir, "v0");
    eventually("it is written down", || weir.metric("weir_cache_objects{cache=\"pages\",tier=\"disk\"}") > 0.5);
    weir.becomes(without);
    let new = page.changes();
    assert_eq!(purge(&weir, r#"{"tag": "t"}"#).0, 503, "there is no cache");
    weir.rewrite(&with);
    eventually("the last exchange with it is over", || weir.reload().is_ok());
    assert_eq!(asks(&weir), (new, false));
}

/// What a member with a disk keeps, which it says of itself once it is written.
fn keeper(page: &Page, redis: &str) -> Weir {
    let text = "[server]\nstate = \"state\"\n[cluster]\nredis = \"{redis}\"\nlease = \"500ms\"\n[cache.pages]\n\
                memory = \"16MiB\"\ndisk = { path = \"cache\", size = \"64MiB\" }\n\
                [[route]]\npool = \"app\"\ncache = \"pages\"\n";
    Weir::start(text, &[("origin", &page.address.to_string()), ("redis", redis)])
}

fn is_on_disk(weir: &Weir) {
    eventually("it is written down", || weir.metric("weir_cache_objects{cache=\"pages\",tier=\"disk\"}") > 0.5);
}

#[test]
fn a_disk_outlives_a_restart_and_what_was_purged_meanwhile_does_not() {
    let Some(mut redis) = Redis::start() else { return };
    let page = Page::start();
    let (mut weir, other) = (keeper(&page, &redis.url()), member(&page, &redis.url(), "500ms"));
    gather(&[&weir, &other], 2);
    // So that there is one that it has done.
    purged_at(&other, 2);
    holds(&weir, "v0");
    is_on_disk(&weir);
    assert!(weir.stop().success());
    let unseen = page.changes();
    weir.starts_again();
    gather(&[&weir, &other], 2);
    assert_eq!(asks(&weir), ("v0".to_owned(), true), "it is still there");
    // While it is away it is purged.
    assert!(weir.stop().success());
    purged_at(&other, 1);
    weir.starts_again();
    gather(&[&weir, &other], 2);
    assert_eq!(asks(&weir), (unseen.clone(), false));
    // And once more, killed, so that it cannot keep where it was.
    holds(&weir, &unseen);
    is_on_disk(&weir);
    weir.is_killed();
    let new = page.changes();
    purged_at(&other, 1);
    weir.starts_again();
    gather(&[&weir, &other], 2);
    assert_eq!(asks(&weir), (new.clone(), false));
    // Of a Redis that began anew meanwhile nobody knows what it said.
    holds(&weir, &new);
    is_on_disk(&weir);
    assert!(weir.stop().success());
    redis.kill();
    let last = page.changes();
    assert!(redis.begin());
    weir.starts_again();
    gather(&[&weir], 2);
    assert_eq!(asks(&weir), (last, false));
}

#[test]
fn a_slow_redis_is_no_lost_one() {
    let Some(redis) = Redis::start() else { return };
    let (page, strait) = (Page::start(), Strait::to(redis.port));
    let (near, far) = (member(&page, &redis.url(), "5s"), member(&page, &strait.url(), "5s"));
    gather(&[&near, &far], 2);
    strait.turns(Weather::Swell);
    for _ in 0..3 {
        holds(&far, &asks(&far).0);
        let new = page.changes();
        purged_at(&near, 2);
        assert_eq!(asks(&far), (new, false));
    }
}

#[test]
fn who_leaves_is_not_waited_for() {
    let Some(redis) = Redis::start() else { return };
    let page = Page::start();
    let (stays, mut goes) = (member(&page, &redis.url(), "60s"), member(&page, &redis.url(), "60s"));
    gather(&[&stays, &goes], 2);
    assert!(goes.stop().success());
    purged_at(&stays, 1);
}

#[test]
fn what_redis_refuses_is_left_out_alone_and_tried_again() {
    let Some(redis) = Redis::start() else { return };
    let page = Page::start();
    let (a, b) = (member(&page, &redis.url(), "3s"), member(&page, &redis.url(), "3s"));
    gather(&[&a, &b], 2);
    let why = |weir: &Weir| -> Value {
        let status: Value = serde_json::from_slice(&weir.admin("/v1/status").body).unwrap();
        assert_eq!(status["fleet"]["redis"], "up", "{status}");
        status["fleet"]["why"].clone()
    };
    // As if something else used the same key.
    redis.says("DEL {weir:weir}:words");
    redis.says("SET {weir:weir}:words 1");
    for weir in [&a, &b] {
        eventually("it says what is left out", || {
            why(weir).as_str().is_some_and(|why| why.starts_with("registered backends are not shared: "))
        });
    }
    purged_at(&a, 2);
    let said = |what: &str| a.log.text().lines().filter(|line| line.contains(what)).count();
    assert_eq!((said("the fleet does not share it"), said("cannot be reached")), (1, 0), "{}", a.log.text());
    redis.says("DEL {weir:weir}:words");
    for weir in [&a, &b] {
        eventually("it is shared again", || why(weir).is_null());
    }
    assert_eq!(said("the fleet shares it again"), 1);
}
