//! How many backends a pool needs, asked by whoever adds them.

use super::strained::Strained;
use super::support::{Puppet, Weir};
use super::surge::{Stream, Surge};
use super::{PATIENCE, strained};
use serde_json::{Value, json};
use std::thread;
use std::time::{Duration, Instant};

fn demand(weir: &Weir) -> Value {
    let answer = weir.admin("/v1/pools/app/demand");
    assert_eq!(answer.status, 200);
    serde_json::from_str(&answer.text()).unwrap()
}

/// What the answer becomes, in time.
fn becomes(weir: &Weir, wanted: impl Fn(&Value) -> bool) -> Value {
    let begun = Instant::now();
    loop {
        let seen = demand(weir);
        if wanted(&seen) {
            return seen;
        }
        assert!(begun.elapsed() < 2 * PATIENCE, "{seen:#}");
        thread::sleep(Duration::from_millis(20));
    }
}

const NOTHING: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

#[test]
fn what_is_in_flight_and_what_waits_is_told_at_once() {
    let origin = Puppet::start();
    let text = format!(
        "[pool.app]\nbackends = [\"{}\"]\nconnections = {{ max = 1, queue = 5, queue_timeout = \"10s\" }}\nobjective = {{ p99 = \"1h\" }}\n\
         [[route]]\npool = \"app\"\n",
        origin.address()
    );
    let weir = Weir::start(&text, &[]);
    let (mut first, mut second) = (weir.client(), weir.client());
    first.get("/1").sent();
    let mut peer = origin.accepts();
    peer.gets();
    second.get("/2").sent();
    let seen = becomes(&weir, |seen| seen["queued"] == 1 && seen["arrivals_per_second"].as_f64() > Some(0.0));
    assert_eq!((&seen["pool"], &seen["in_flight"]), (&"app".into(), &1.into()), "{seen:#}");
    assert_eq!(seen["per_backend"], json!({ "concurrency": 1.0, "exchanges_per_second": null }), "nothing ended yet");
    assert_eq!(seen["backends"], json!({ "available": 1, "wanted": 1 }), "as many as there are, as somebody came");
    assert_eq!(seen["objective"], json!({ "p99_seconds": 3600.0, "met": null, "out_of_reach": false }));
    weir.counts("weir_pool_exchanges_in_flight{pool=\"app\"}", 1.0);
    weir.counts("weir_pool_backends_wanted{pool=\"app\"}", 1.0);
    weir.counts("weir_pool_objective_seconds{pool=\"app\"}", 3_600.0);
    peer.send(NOTHING);
    first.sees(200);
    peer.gets();
    peer.send(NOTHING);
    second.sees(200);
    weir.counts("weir_pool_arrivals_total{pool=\"app\"}", 2.0);
    weir.counts("weir_pool_objective_total{pool=\"app\",result=\"ok\"}", 2.0);
    weir.counts("weir_pool_objective_total{pool=\"app\",result=\"failed\"}", 0.0);
    // A backend that drains is none that may be used.
    let draining = text.replace("backends = [", "backends = [{ address = \"127.0.0.1:1\", weight = 0 }, ");
    weir.becomes(&draining);
    assert_eq!(demand(&weir)["backends"]["available"], 1);
    assert_eq!(weir.admin("/v1/pools/other/demand").status, 404);
}

#[test]
fn whoever_is_late_refused_or_gone_has_not_met_the_objective() {
    let origin = Puppet::start();
    let weir = Weir::start(
        &format!(
            "[pool.app]\nbackends = [\"{}\"]\nconnections = {{ max = 1, queue = 0 }}\nobjective = {{ p99 = \"1ms\" }}\n\
             [[route]]\npool = \"app\"\n",
            origin.address()
        ),
        &[],
    );
    let failed = |count: u32| weir.counts("weir_pool_objective_total{pool=\"app\",result=\"failed\"}", count.into());
    let mut late = weir.client();
    late.get("/late").sent();
    let mut peer = origin.accepts();
    peer.gets();
    // That takes its time, too.
    weir.client().get("/refused").sees(503);
    failed(1);
    thread::sleep(Duration::from_millis(2));
    peer.send(NOTHING);
    late.sees(200);
    failed(2);
    let mut gone = weir.client();
    gone.get("/gone").sent();
    peer.gets();
    thread::sleep(Duration::from_millis(2));
    drop(gone);
    failed(3);
    weir.counts("weir_pool_objective_total{pool=\"app\",result=\"ok\"}", 0.0);
}

#[test]
fn where_nobody_knows_what_a_backend_bears_no_number_is_made_up() {
    let weir = Weir::start("[pool.app]\nbackends = [\"127.0.0.1:1\"]\n[[route]]\npool = \"app\"\n", &[]);
    weir.client().get("/").sees(502);
    let seen = becomes(&weir, |seen| seen["arrivals_per_second"].as_f64() > Some(0.0));
    assert_eq!(seen["backends"], json!({ "available": 1, "wanted": null }));
    assert_eq!(seen["objective"], Value::Null);
    assert!(!weir.admin("/metrics").text().contains("\nweir_pool_backends_wanted{"));
}

/// One backend has too much, as many as are wanted have not.
#[test]
fn as_many_as_are_wanted_do_what_comes() {
    let backends: Vec<Strained> = (0..BACKENDS_MAX).map(|_| strained()).collect();
    let text = |count: usize| {
        let all: Vec<_> = backends[..count].iter().map(|backend| format!("\"{}\"", backend.address)).collect();
        let pool = "concurrency = \"adaptive\"\nconnections = { queue = 50, queue_timeout = \"500ms\" }\n\
             objective = { p99 = \"300ms\" }";
        format!("[pool.app]\nbackends = [{}]\n{pool}\n[[route]]\npool = \"app\"\n", all.join(", "))
    };
    let weir = Weir::start(&text(1), &[]);
    let (address, rush) = (weir.address(), Stream { path: "/", per_second: 600.0 });
    let surge = move |seconds: u64| Surge::run(address, [rush], Duration::ZERO, Duration::from_secs(seconds));
    let overloaded = thread::spawn(move || surge(15));
    let seen = becomes(&weir, |seen| seen["backends"]["wanted"].as_u64() >= Some(3));
    let [first] = overloaded.join().unwrap();
    assert!(first.refused > first.sent / 5, "{} of {}", first.refused, first.sent);
    let wanted = demand(&weir)["backends"]["wanted"].as_u64().unwrap();
    println!("{wanted} wanted: {seen:#}");
    let mut count = usize::try_from(wanted).unwrap().min(BACKENDS_MAX);
    weir.becomes(&text(count));
    // Limits of the new ones begin at what the first one was found to bear. More may be wanted once they are seen to share a machine.
    let mut refused = Vec::new();
    loop {
        let [then] = surge(3);
        if then.refused * 50 < then.sent {
            break;
        }
        refused.push((then.refused, then.sent, count));
        let seen = demand(&weir);
        assert!(refused.len() < 6, "{refused:?} refused: {seen:#}");
        let wanted = usize::try_from(seen["backends"]["wanted"].as_u64().unwrap()).unwrap().min(BACKENDS_MAX);
        if wanted > count {
            count = wanted;
            weir.becomes(&text(count));
        }
    }
    let seen = demand(&weir);
    assert_eq!(seen["backends"]["available"], count, "{seen:#}");
}

/// Four are enough; on a machine that is busy with other things backends are slower, and more are wanted.
const BACKENDS_MAX: usize = 8;
