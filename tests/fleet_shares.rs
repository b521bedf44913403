//! Bandwidth that several Weirs share through a real Redis. If that is not installed, it is said, and the tests pass.

#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]

mod support;

use serde_json::Value;
use std::thread;
use std::time::{Duration, Instant};
use support::{Origin, Redis, Weir, eventually};

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
        "[cluster]\nredis = \"{{redis}}\"\nlease = \"3s\"\n[limit.all]\nkey = \"route\"\n{limit}\n\
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
