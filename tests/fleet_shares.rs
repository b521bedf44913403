//! Bandwidth and exchanges at once that several Weirs share through a real Redis. If that is not installed, it is said, and the tests pass.

#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]

mod support;

use serde_json::Value;
use std::thread;
use std::time::{Duration, Instant};
use support::{Client, Gate, Origin, Redis, Weir, eventually};

const KIB: usize = 1024;

fn gather(weirs: &[Weir], members: u64) {
    for weir in weirs {
        eventually("the fleet gathers", || {
            let status: Value = serde_json::from_slice(&weir.admin("/v1/status").body).unwrap();
            status["fleet"]["members"] == members && status["fleet"]["limits"] == "shared"
        });
    }
}

/// A member that asks `origin`, within a limit.
fn member(redis: &Redis, origin: &Origin, limit: &str) -> Weir {
    let text = format!(
        "[cluster]\nredis = \"{{redis}}\"\nlease = \"3s\"\n[limit.all]\nkey = \"host\"\n{limit}\n\
         [[route]]\npool = \"app\"\nlimits = [\"all\"]\n"
    );
    Weir::start(&text, &[("redis", &redis.url()), ("origin", &origin.address())])
}

/// So many clients at each member get `bytes` each; how long it takes.
fn all_get(weirs: &[Weir], clients: usize, origin: &Origin, bytes: usize) -> Duration {
    let body = "x".repeat(bytes);
    (0..weirs.len() * clients).for_each(|_| drop(origin.replies(200).body(&body)));
    let began = Instant::now();
    thread::scope(|scope| {
        for weir in weirs {
            (0..clients).for_each(|_| _ = scope.spawn(|| drop(weir.client().get("/").sees(200).body(&body))));
        }
    });
    began.elapsed()
}

/// The least time in which so much goes out at 400 KiB a second.
fn least(bytes: usize) -> Duration {
    Duration::from_secs_f64(bytes as f64 / (400 * KIB) as f64)
}

#[test]
fn members_send_together_what_one_may_and_each_its_part_without_redis() {
    let Some(mut redis) = Redis::start() else { return };
    let origin = Origin::start();
    let limit = "bandwidth = \"400KiB/s\"\nburst = \"100KiB\"";
    let weirs = [(); 2].map(|()| member(&redis, &origin, limit));
    gather(&weirs, 2);
    let took = all_get(&weirs, 2, &origin, 200 * KIB);
    // At each the burst, and before they hear of each other a piece of each exchange and what goes out in a beat or two.
    assert!(took >= least((800 - 2 * 100 - 4 * 20 - 20) * KIB), "{took:?}");
    assert!(took < least(2 * 800 * KIB), "{took:?}");
    // One that is asked alone has all of it.
    let took = all_get(&weirs[..1], 2, &origin, 200 * KIB);
    assert!(took >= least((400 - 100) * KIB) && took < least(2 * 400 * KIB), "{took:?}");
    redis.kill();
    for weir in &weirs {
        eventually("each has its part", || weir.metric("weir_fleet_limits_shared") < 0.5);
    }
    let took = all_get(&weirs[..1], 1, &origin, 200 * KIB);
    assert!(took >= least(2 * (200 - 50) * KIB), "{took:?}");
}

/// Clients that wait for an answer, which the origin withholds.
struct Waiting(Vec<Client>);

impl Waiting {
    /// So many try to come in at each member, one after the other; how many are refused there.
    fn come(&mut self, weir: &Weir, tries: usize) -> usize {
        let before = judged(weir, "refused");
        for _ in 0..tries {
            let asked = || judged(weir, "passed") + judged(weir, "refused");
            let (already, mut client) = (asked(), weir.client());
            client.get("/").sent();
            eventually("it is in or refused", || asked() > already);
            self.0.push(client);
        }
        judged(weir, "refused") - before
    }
}

fn judged(weir: &Weir, how: &str) -> usize {
    weir.metric(&format!("weir_limit_requests_total{{limit=\"all\",outcome=\"{how}\"}}")) as usize
}

/// Until what one member did is known to the others: they ask again, and are refused in vain.
fn hears(weir: &Weir, how: impl Fn(u16) -> bool) {
    eventually("it has heard", || {
        let mut client = weir.client();
        client.get("/probe").sent();
        client.response("GET").is_ok_and(|response| how(response.status))
    });
}

#[test]
fn members_have_together_as_many_at_once_as_one_may() {
    let Some(mut redis) = Redis::start() else { return };
    let origin = Origin::start();
    let limit = "concurrency = 6\n[[route]]\npath = \"/probe\"\nlimits = [\"all\"]\nrespond = {}";
    let mut weirs = [(); 3].map(|()| member(&redis, &origin, limit));
    gather(&weirs, 3);
    let gate = Gate::new();
    (0..400).for_each(|_| drop(origin.says("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n").after(&gate)));
    let mut waiting = Waiting(Vec::new());
    // All of it at one member, at once.
    assert_eq!(waiting.come(&weirs[0], 8), 2);
    // Others hear of it when they ask; from then on nobody is let in.
    weirs[1..].iter().for_each(|weir| hears(weir, |status| status == 429));
    for weir in &weirs[1..] {
        (0..20).for_each(|_| drop(weir.client().get("/probe").sees(429)));
    }
    // Who goes leaves room, wherever it is wanted.
    waiting.0.clear();
    weirs[1..].iter().for_each(|weir| hears(weir, |status| status == 200));
    assert_eq!(waiting.come(&weirs[1], 4), 0);
    hears(&weirs[2], |status| status == 200);
    // What a member has that is killed counts until its lease is over.
    weirs[1].is_killed();
    let mut others = Waiting(Vec::new());
    eventually("its places are free", || {
        others.0.clear();
        others.come(&weirs[2], 6) == 0
    });
    others.0.clear();
    // Without Redis each has its part.
    redis.kill();
    for weir in [&weirs[0], &weirs[2]] {
        eventually("each has its part", || weir.metric("weir_fleet_limits_shared") < 0.5);
        eventually("nobody is there", || weir.metric("weir_exchanges_in_flight") < 0.5);
        assert_eq!(others.come(weir, 5), 5 - 6 / 2);
    }
}
