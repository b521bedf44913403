//! The same requests through each pair of codecs: what goes end to end must not depend on the versions of the hops.

#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]

mod answers;
mod cases;
mod client;
mod origin;
mod seen;
#[path = "../support/mod.rs"]
mod support;

use cases::{CONFIGURATION, Case, cases};
use seen::Seen;
use std::sync::mpsc::channel;
use support::{PATIENCE, Weir};

#[test]
fn what_goes_end_to_end_is_the_same_through_each_pair_of_codecs() {
    let (http1, http2) = (origin::http1(), origin::http2(channel().0));
    let weirs = [("http/1.1", http1), ("h2", http2)].map(|(protocol, address)| {
        let text = CONFIGURATION.replace("{protocol}", protocol);
        (protocol, Weir::start(&text, &[("origin", &address.to_string())]))
    });
    let cases = cases();
    assert!(cases.len() >= 40, "{}", cases.len());
    let mut wrong = Vec::new();
    for case in &cases {
        let all: Vec<_> = weirs.iter().flat_map(|(protocol, weir)| through(case, protocol, weir)).collect();
        let (first, seen) = &all[0];
        if seen.status != case.status {
            wrong.push(format!("{}: {first} has {}, not {}", case.name, seen.status, case.status));
        }
        let others = all[1..].iter().filter(|(_, other)| other != seen);
        wrong.extend(
            others.map(|(pair, other)| format!("{}: {first} has\n{seen:?}\nbut {pair} has\n{other:?}", case.name)),
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn a_mirror_gets_the_same_whatever_the_versions() {
    let (tell, told) = channel();
    let places = [("origin", origin::http1().to_string()), ("shadow", origin::http2(tell).to_string())];
    let weir = Weir::start(MIRRORING, &places.each_ref().map(|(name, address)| (*name, address.as_str())));
    let mut count = 0;
    for case in cases().iter().filter(|case| case.target == "/echo" && case.status == 200) {
        // Whoever gets an echo sees what the origin got; an OPTIONS without a hop left is answered here.
        for seen in
            [client::http1(&weir, case), client::http2(&weir, case)].into_iter().filter(|seen| !seen.body.is_empty())
        {
            if seen.body.len() < CONTENT_MAX {
                let copy = told.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("{}: no copy", case.name));
                assert!(copy == seen.body, "{}: {}", case.name, String::from_utf8_lossy(&copy));
                count += 1;
            }
        }
    }
    assert!(count > 30, "{count}");
    assert!(told.try_recv().is_err(), "a copy too many");
}

const MIRRORING: &str = r#"
[[listener]]
address = "127.0.0.1:{port}"
protocols = ["h2", "http/1.1"]
[pool.app]
backends = ["{origin}"]
[pool.shadow]
backends = ["{shadow}"]
protocol = "h2"
[[route]]
pool = "app"
mirror = { pool = "shadow" }
"#;

/// Longer content is not copied.
const CONTENT_MAX: usize = 64 * 1024;

/// The case by both versions towards one backend.
fn through(case: &Case, protocol: &str, weir: &Weir) -> [(String, Seen); 2] {
    [("http/1.1", client::http1(weir, case)), ("h2", client::http2(weir, case))].map(|(version, seen)| {
        let seen = if case.by_codec { Seen { status: seen.status, ..Seen::default() } } else { seen.normal() };
        (format!("{version} to {protocol}"), seen)
    })
}
