//! More comes than backends bear: who is served, how fast, and who is told to come back later.
//!
//! The bounds here hold on a machine that is busy with other things. `WEIR_RUSH=strict cargo test --test rush -- --nocapture`
//! on a quiet one measures for longer, and holds the bars: nine tenths of the backend's best, and for the high priority a
//! 99th percentile of twice that without load.

#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]

mod demand;
mod dialogues;
mod strained;
#[path = "../support/mod.rs"]
mod support;
mod surge;

use std::time::Duration;
use strained::Strained;
use support::{PATIENCE, Weir};
use surge::{Seen, Stream, Surge};

/// What is asked for, and for how long it is measured.
struct Bars {
    goodput: f64,
    p99: f64,
    seconds: u64,
    /// A machine that does other things, too, may take any one of them away.
    tries: usize,
}

fn bars() -> Bars {
    match std::env::var("WEIR_RUSH").as_deref() {
        Ok("strict") => Bars { goodput: 0.9, p99: 2.0, seconds: 20, tries: 1 },
        _ => Bars { goodput: 0.6, p99: 10.0, seconds: 4, tries: 4 },
    }
}

const ROUTES: &str = "[[route]]\npath = \"/high/*\"\npool = \"app\"\npriority = \"high\"\n\
     [[route]]\npath = \"/low/*\"\npool = \"app\"\npriority = \"low\"\n";

/// Eight at once in 40 ms each are 200 a second, less what a busy machine takes of that; with twice as many in flight, three in ten of that are lost.
fn strained() -> Strained {
    Strained::start(8, Duration::from_millis(40), 0.3)
}

const BEST: f64 = 200.0;

fn weir(backend: &Strained, keys: &str) -> Weir {
    Weir::start(&format!("[pool.app]\nbackends = [\"{}\"]\n{keys}\n{ROUTES}", backend.address), &[])
}

/// Two and a half times as much as the backend can do, a fifth of it of high priority.
fn rush() -> [Stream; 2] {
    [Stream { path: "/high/x", per_second: 100.0 }, Stream { path: "/low/x", per_second: 400.0 }]
}

#[test]
fn a_backend_whose_latency_triples_does_its_best_and_the_high_priority_hardly_notices() {
    let bars = bars();
    let backend = strained();
    // What an operator would say who knows the backend.
    let known = weir(&backend, "connections = { max = 8 }");
    let weir = weir(&backend, "concurrency = \"adaptive\"");
    let mut missed = Vec::new();
    while let Err(why) = measure(&weir, &known, &backend, &bars) {
        missed.push(why);
        assert!(missed.len() < bars.tries, "{missed:#?}");
    }
    let shed = |priority: &str| weir.metric(&format!("weir_pool_shed_total{{pool=\"app\",priority=\"{priority}\"}}"));
    assert!(shed("low") > 20.0 * shed("high"), "{} {}", shed("low"), shed("high"));
}

/// Without load, then with; why the bars were not held, if they were not.
fn measure(weir: &Weir, known: &Weir, backend: &Strained, bars: &Bars) -> Result<(), String> {
    let time = Duration::from_secs(bars.seconds);
    let best =
        served(&Surge::run(known.address(), rush(), Duration::from_secs(1), time / 2)) / (time / 2).as_secs_f64();
    let quiet = [Stream { path: "/high/x", per_second: 20.0 }];
    let [alone] = Surge::run(weir.address(), quiet, Duration::ZERO, Duration::from_secs(2));
    let unloaded = alone.percentile(0.99).unwrap();
    // First it finds out what the backend bears.
    let [high, low] = Surge::run(weir.address(), rush(), Duration::from_secs(3), time);
    let goodput = (high.served() + low.served()) as f64 / time.as_secs_f64() / best;
    let p99 = high.percentile(0.99).unwrap();
    let times = p99.as_secs_f64() / unloaded.as_secs_f64();
    let seen = format!(
        "goodput {:.0} % of the best, {best:.0} a second; high: {} of {} served, p50 {:.1?}, p99 {p99:.1?} ({unloaded:.1?} without load, {times:.2} \
         times); low: {} of {} served, {} told to come back; limit {}",
        goodput * 100.0,
        high.served(),
        high.sent,
        high.percentile(0.5).unwrap(),
        low.served(),
        low.sent,
        low.refused,
        weir.metric(&format!("weir_backend_concurrency_limit{{pool=\"app\",backend=\"{}\"}}", backend.address)),
    );
    println!("{seen}");
    let holds = goodput >= bars.goodput
        && times <= bars.p99
        && high.served() * 100 >= high.sent * 99
        && (high.broken, low.broken) == (0, 0)
        && low.refused > 0;
    if holds { Ok(()) } else { Err(seen) }
}

fn served(seen: &[Seen]) -> f64 {
    seen.iter().map(Seen::served).sum::<usize>() as f64
}

/// What the limit is for.
#[test]
fn without_it_the_same_backend_does_a_part_of_its_best() {
    let backend = strained();
    let weir = weir(&backend, "");
    let [high, low] = Surge::run(weir.address(), rush(), Duration::from_secs(2), Duration::from_secs(2));
    let goodput = (high.served() + low.served()) as f64 / 2.0 / BEST;
    println!("goodput {:.0} % of the best; p50 of the high priority {:.1?}", goodput * 100.0, high.percentile(0.5));
    assert!(goodput < 0.6, "{goodput:.3}");
}
