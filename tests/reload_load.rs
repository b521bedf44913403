//! Many reloads under load: nothing fails, and nothing is kept. `WEIR_RELOADS=1000` makes it a thousand in a minute.

#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]

mod support;

use std::time::{Duration, Instant};
use support::load::{Load, echo};
use support::{Authority, Weir};

/// Reloads before memory is looked at, and after.
const WARM_UP: u32 = 20;
const RELOADS: u32 = 100;

/// How many a second; a process that is busy merges them.
const PER_SECOND: u32 = 17;

/// What the process may have grown by, whatever the number of reloads.
const GROWN_BYTES_MAX: f64 = 12.0 * 1024.0 * 1024.0;

/// A configuration of some size, different each time.
fn text(number: u32) -> String {
    let tls = "[[listener]]\naddress = \"127.0.0.1:{port2}\"\ntls = { certificates = [{ cert = \"a.pem\" }] }\n";
    let mut text = format!(
        "[server]\nworkers = 2\n[[listener]]\naddress = \"127.0.0.1:{{port}}\"\n{tls}\
         [pool.app]\nbackends = [\"{{origin}}\"]\n\
         [[route]]\npool = \"app\"\nresponse = {{ set = {{ \"x-number\" = \"{number}\" }} }}\n"
    );
    for route in 0..100 {
        text += &format!("[[route]]\npath = \"/fixed/{route}/{number}\"\nrespond = {{ body = \"{route}\" }}\n");
    }
    text
}

fn resident(weir: &Weir) -> f64 {
    weir.metric("process_resident_memory_bytes")
}

#[test]
fn nothing_fails_and_nothing_is_kept() {
    let reloads = std::env::var("WEIR_RELOADS").map_or(RELOADS, |count| count.parse().unwrap());
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("a.pem"), Authority::new().signs("a.example", "server")).unwrap();
    let mut weir = Weir::start_in(directory, &text(0), &[("origin", &echo().to_string())]);
    // An idle connection keeps no old configuration, nor does a worker without work.
    let mut idle: Vec<_> = (0..20).map(|_| weir.client()).collect();
    for client in &mut idle {
        client.get("/idle").sees(200);
    }
    let load = Load::start(weir.address(), 16, 500);
    load.goes_on(500);
    let mut before = 0.0;
    let begun = Instant::now();
    for number in 1..=WARM_UP + reloads {
        weir.becomes(&text(number));
        std::thread::sleep((Duration::from_secs(1) / PER_SECOND * number).saturating_sub(begun.elapsed()));
        if number == WARM_UP {
            before = resident(&weir);
        }
    }
    let took = begun.elapsed();
    load.goes_on(500);
    let grown = resident(&weir) - before;
    drop(idle);
    let tally = load.stop();
    println!("{reloads} reloads, {took:?} with the first {WARM_UP}: {} bytes more than {}, {tally:?}", grown, before);
    assert_eq!((tally.failed, tally.repeated), (vec![], 0));
    weir.counts("weir_reloads_total{result=\"ok\"}", f64::from(WARM_UP + reloads));
    weir.client().get("/x").sees(200).field("x-number", &(WARM_UP + reloads).to_string());
    assert!(grown < GROWN_BYTES_MAX, "{grown} bytes more after {reloads} reloads");
    assert!(weir.stop().success());
}

#[test]
fn reloads_that_come_faster_than_they_are_done_are_merged() {
    const WISHES: u32 = 500;
    let text = |number| text(number).replace("tls = ", "# ");
    let weir = Weir::start(&text(0), &[("origin", "127.0.0.1:1")]);
    for number in 1..=WISHES {
        weir.rewrite(&text(number));
        weir.signal("HUP");
    }
    // The last wish is heeded: what was written before it is served.
    let last = format!("/fixed/7/{WISHES}");
    let mut client = weir.client();
    let mut answer = || {
        client.get(&last).sent();
        client.response("GET").unwrap().text()
    };
    support::until(|| answer() == "7", "the last one is not served");
    let done = weir.metric("weir_reloads_total{result=\"ok\"}");
    assert!((1.0..=f64::from(WISHES)).contains(&done), "{done}");
    weir.counts("weir_reloads_total{result=\"failed\"}", 0.0);
}
