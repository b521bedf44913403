//! Rates that several Weirs share through a real Redis. If that is not installed, it is said, and the tests pass.
//!
//! `WEIR_SECONDS` and `WEIR_KILLS` make them as long as the bars want them.

#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]

mod support;

use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use support::{Redis, Strait, Weather, Weir, eventually};

const RATE: u64 = 1_000;
const BURST: u64 = 50;
const TRIES: usize = 4;
/// After so long without a word from Redis a member keeps to its part.
const IN_TOUCH: f64 = 0.1;
/// A beat, and what it takes a machine with other work to come round to it.
const BEAT: f64 = 0.1;

/// A member whose only route lets in [`RATE`].
fn member(redis: &str) -> Weir {
    member_with(redis, "")
}

/// The same with more of `[cluster]`, and what follows.
fn member_with(redis: &str, more: &str) -> Weir {
    let text = format!(
        "[cluster]\nredis = \"{{redis}}\"\nlease = \"3s\"\n{more}\n[limit.all]\nkey = \"route\"\nrate = \"{RATE}/s\"\n\
         burst = {BURST}\n[[route]]\nrespond = {{ status = 200, body = \"in\" }}\nlimits = [\"all\"]\n"
    );
    Weir::start(&text, &[("redis", redis)])
}

fn gather(weirs: &[&Weir], members: u64) {
    for weir in weirs {
        eventually("the fleet gathers", || {
            let status: Value = serde_json::from_slice(&weir.admin("/v1/status").body).unwrap();
            status["fleet"]["members"] == members && status["fleet"]["limits"] == "shared"
        });
    }
}

/// Clients that ask as fast as they may, each on one connection.
struct Crowd {
    ended: Arc<AtomicBool>,
    admitted: Arc<AtomicU64>,
    refused: Arc<AtomicU64>,
    threads: Vec<JoinHandle<()>>,
}

impl Crowd {
    /// So many clients at each member.
    fn at(places: &[(&Weir, usize)]) -> Crowd {
        let mut crowd =
            Crowd { ended: Arc::default(), admitted: Arc::default(), refused: Arc::default(), threads: Vec::new() };
        for (weir, clients) in places {
            for _ in 0..*clients {
                let (address, ended) = (weir.address(), Arc::clone(&crowd.ended));
                let (admitted, refused) = (Arc::clone(&crowd.admitted), Arc::clone(&crowd.refused));
                crowd.threads.push(thread::spawn(move || {
                    let mut stream = TcpStream::connect(address).unwrap();
                    let mut answers = BufReader::new(stream.try_clone().unwrap());
                    while !ended.load(SeqCst) {
                        match ask(&mut stream, &mut answers) {
                            200 => admitted.fetch_add(1, SeqCst),
                            429 => refused.fetch_add(1, SeqCst),
                            other => panic!("{other}"),
                        };
                        // What it thinks about the answer.
                        thread::sleep(Duration::from_millis(2));
                    }
                }));
            }
        }
        crowd
    }

    fn admitted(&self) -> u64 {
        self.admitted.load(SeqCst)
    }

    /// None of them got anything but 200 and 429.
    fn ends(self) -> (u64, u64) {
        self.ended.store(true, SeqCst);
        self.threads.into_iter().for_each(|thread| thread.join().unwrap());
        (self.admitted.load(SeqCst), self.refused.load(SeqCst))
    }
}

/// A request, and the status of its whole answer.
fn ask(stream: &mut TcpStream, answers: &mut impl BufRead) -> u16 {
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n").unwrap();
    let (mut status, mut length) = (0, 0);
    loop {
        let mut line = String::new();
        assert!(answers.read_line(&mut line).unwrap() > 0, "the connection is closed");
        if let Some(rest) = line.strip_prefix("HTTP/1.1 ") {
            status = rest[..3].parse().unwrap();
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line == "\r\n" {
            break;
        }
    }
    answers.read_exact(&mut vec![0; length]).unwrap();
    status
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[test]
fn three_members_let_in_together_what_one_may() {
    let Some(redis) = Redis::start() else { return };
    let weirs = [(); 3].map(|()| member(&redis.url()));
    let [a, b, c] = &weirs;
    gather(&[a, b, c], 3);
    let crowd = Crowd::at(&[(a, 8), (b, 3), (c, 1)]);
    eventually("the burst is used up", || crowd.admitted() > RATE / 2);
    // Clients that the machine lets wait ask for less than they may have; then it is measured again.
    let enough = (0..TRIES).any(|_| {
        let (begun, before) = (Instant::now(), crowd.admitted());
        thread::sleep(Duration::from_secs(number("WEIR_SECONDS", 3)));
        let (admitted, took) = (crowd.admitted() - before, begun.elapsed().as_secs_f64());
        let rate = admitted as f64 / took;
        println!("{admitted} in {took:.2} s, {rate:.0}/s");
        assert!(rate <= RATE as f64 * 1.03 + BURST as f64 / took, "{rate}");
        rate >= RATE as f64 * 0.97
    });
    let (admitted, refused) = crowd.ends();
    assert!(enough && refused > admitted / 10, "{admitted} let in, {refused} refused");
}

#[test]
fn limits_hold_while_redis_comes_and_goes_and_no_request_fails() {
    let Some(mut redis) = Redis::start() else { return };
    let weirs = [(); 3].map(|()| member(&redis.url()));
    let [a, b, c] = &weirs;
    gather(&[a, b, c], 3);
    let kills = number("WEIR_KILLS", 2);
    let begun = Instant::now();
    let crowd = Crowd::at(&[(a, 6), (b, 3), (c, 3)]);
    for _ in 0..kills {
        eventually("they let in", || crowd.admitted() > 0);
        redis.kill();
        for weir in &weirs {
            eventually("each has its part", || weir.metric("weir_fleet_limits_shared") < 0.5);
        }
        let (alone, before) = (Instant::now(), crowd.admitted());
        thread::sleep(Duration::from_millis(500));
        let (admitted, took) = (crowd.admitted() - before, alone.elapsed().as_secs_f64());
        assert!(admitted as f64 <= RATE as f64 * took * 1.03 + 2.0 * BURST as f64, "{admitted} in {took} s alone");
        assert!(redis.begin());
        gather(&[a, b, c], 3);
    }
    let took = begun.elapsed().as_secs_f64();
    let (admitted, refused) = crowd.ends();
    // Each loss, and each beat that comes late, may bring what the others let in before they know.
    let more = kills as f64 * (2.0 * RATE as f64 * (IN_TOUCH + BEAT) + 3.0 * BURST as f64) + BURST as f64;
    println!("{admitted} in {took:.1} s, {refused} refused, {kills} kills; bound {:.0}", RATE as f64 * took + more);
    assert!(admitted as f64 <= RATE as f64 * took + more, "{admitted} in {took} s");
}

#[test]
fn behind_a_slow_redis_each_has_its_part() {
    let Some(redis) = Redis::start() else { return };
    let strait = Strait::to(redis.port);
    let weirs = [(); 2].map(|()| member(&strait.url()));
    let [a, b] = &weirs;
    gather(&[a, b], 2);
    strait.turns(Weather::Swell);
    for weir in &weirs {
        eventually("each has its part", || weir.metric("weir_fleet_limits_shared") < 0.5);
    }
    let crowd = Crowd::at(&[(a, 8)]);
    eventually("the burst is used up", || crowd.admitted() > BURST);
    let (begun, before) = (Instant::now(), crowd.admitted());
    thread::sleep(Duration::from_millis(1_500));
    let rate = (crowd.admitted() - before) as f64 / begun.elapsed().as_secs_f64();
    crowd.ends();
    assert!(rate <= RATE as f64 / 2.0 * 1.03 + BURST as f64, "{rate}");
    strait.turns(Weather::Calm);
    gather(&[a, b], 2);
}

/// What clients at all members, who ask for far more, get of them for a while, and how much that may be at most.
fn let_in(weirs: &[Weir]) -> (u64, f64) {
    let places: Vec<_> = weirs.iter().map(|weir| (weir, 3)).collect();
    let (begun, crowd) = (Instant::now(), Crowd::at(&places));
    thread::sleep(Duration::from_millis(1_500));
    let (admitted, refused) = crowd.ends();
    let most = RATE as f64 * begun.elapsed().as_secs_f64() + BURST as f64 + 3.0;
    assert!(refused > 0, "{admitted} let in and nobody refused");
    (admitted, most)
}

#[test]
fn members_that_begin_while_redis_is_away_reckon_with_as_many_as_there_were() {
    let Some(mut redis) = Redis::start() else { return };
    let mut weirs = [(); 3].map(|()| member_with(&redis.url(), "[server]\nstate = \"state\""));
    gather(&weirs.each_ref(), 3);
    // The last of them is alone before it ends.
    weirs.iter_mut().for_each(|weir| assert!(weir.stop().success()));
    redis.kill();
    weirs.iter_mut().for_each(Weir::starts_again);
    let (admitted, most) = let_in(&weirs);
    assert!(admitted as f64 <= most, "{admitted} of {most}");
    assert!(redis.begin());
    gather(&weirs.each_ref(), 3);
}

#[test]
fn members_that_nobody_ever_counted_reckon_with_what_is_said() {
    let Some(mut redis) = Redis::start() else { return };
    redis.kill();
    let weirs = [(); 3].map(|()| member_with(&redis.url(), "members = 3"));
    let (admitted, most) = let_in(&weirs);
    assert!(admitted as f64 <= most, "{admitted} of {most}");
}
