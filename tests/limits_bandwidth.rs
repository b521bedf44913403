//! Bandwidth: content is slowed down, not refused, and shared among the exchanges of a key.

#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};
use support::{Origin, Weir, eventually};

const KIB: usize = 1024;

/// A route to the backend, whose content goes down at 400 KiB a second after the first 100 KiB.
fn slow(limit: &str, route: &str) -> String {
    format!(
        "[[route]]\npool = \"app\"\nlimits = [\"slow\"]\n{route}\n\
         [limit.slow]\nkey = \"client_ip\"\nbandwidth = \"400KiB/s\"\nburst = \"100KiB\"\n{limit}\n"
    )
}

/// The least time that so much takes.
fn least(bytes: usize) -> Duration {
    Duration::from_secs_f64(bytes.saturating_sub(100 * KIB) as f64 / (400 * KIB) as f64)
}

fn timed(ask: impl FnOnce()) -> Duration {
    let began = Instant::now();
    ask();
    began.elapsed()
}

/// What looks like no other piece of it.
fn content(bytes: usize) -> String {
    (0..bytes / 8).map(|n| format!("{n:08}")).collect()
}

#[test]
fn a_response_takes_its_time_and_is_whole_and_a_stored_one_does_too() {
    let (origin, body) = (Origin::start(), content(300 * KIB));
    origin.replies(200).field("cache-control", "max-age=60").body(&body);
    let route = "cache = \"c\"";
    let text = format!("{}[cache.c]\nmemory = \"8MiB\"\nmax_object = \"1MiB\"\n", slow("fields = true", route));
    let weir = Weir::before(&origin, &text);
    let mut client = weir.client();
    let first = timed(|| {
        let response = client.get("/").sees(200).body(&body).lacks("RateLimit");
        drop(response.field("RateLimit-Policy", "\"slow\";q=409600;qu=\"content-bytes\";w=1"));
    });
    assert!(first >= least(300 * KIB), "{first:?}");
    let hit = timed(|| assert!(client.get("/").sees(200).body(&body).value("Cache-Status").contains("hit")));
    // Nothing was saved up since.
    assert!(first + hit >= least(600 * KIB), "{first:?} {hit:?}");
    origin.saw(1);
    assert!(weir.metric("weir_limit_waits_total{limit=\"slow\"}") >= 5.0);
}

#[test]
fn exchanges_of_a_key_share_it_and_waiting_costs_no_time_of_the_processor() {
    let (origin, body) = (Origin::start(), content(150 * KIB));
    (0..2).for_each(|_| drop(origin.replies(200).body(&body)));
    let weir = Weir::before(&origin, &slow("", ""));
    let (before, mut clients) = (processor(&weir), [weir.client(), weir.client()]);
    let both = timed(|| {
        clients.iter_mut().for_each(|client| client.get("/").sent());
        clients.iter_mut().for_each(|client| drop(client.sees(200).body(&body)));
    });
    let busy = processor(&weir) - before;
    assert!(both >= least(300 * KIB), "{both:?}");
    assert!(busy < both / 2, "{busy:?} of {both:?}");
}

#[test]
fn what_was_kept_for_who_went_away_others_have() {
    const GONE: usize = 60;
    let (origin, body) = (Origin::start(), content(200 * KIB));
    (0..=GONE).for_each(|_| drop(origin.replies(200).body(&body)));
    let weir = Weir::before(&origin, &slow("", ""));
    let left = timed(|| {
        for _ in 0..GONE {
            let mut stream = TcpStream::connect(weir.address()).unwrap();
            stream.write_all(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n").unwrap();
            stream.read_exact(&mut [0; 64]).unwrap();
        }
        eventually("nobody is there any more", || weir.metric("weir_exchanges_in_flight") < 0.5);
    });
    let mut client = weir.client();
    let took = timed(|| drop(client.get("/").sees(200).body(&body)));
    // A twentieth of a second was kept for each.
    assert!(took + left < least(200 * KIB) + Duration::from_millis(50) * GONE as u32, "{took:?} after {left:?}");
}

#[test]
fn what_observes_slows_nobody_down() {
    let (origin, body) = (Origin::start(), content(200 * KIB));
    (0..20).for_each(|_| drop(origin.replies(200).body(&body)));
    let weir = Weir::before(&origin, &slow("observe = true", ""));
    let mut client = weir.client();
    let all = timed(|| (0..20).for_each(|_| drop(client.get("/").sees(200).body(&body))));
    assert!(all < least(4_000 * KIB), "{all:?}");
    assert!(weir.metric("weir_limit_waits_total{limit=\"slow\"}") >= 1.0);
}

#[test]
fn bounds_on_waiting_hold_for_the_client_and_not_for_the_bandwidth() {
    let (origin, body) = (Origin::start(), content(300 * KIB));
    origin.replies(200).body(&body);
    let patient = "[[listener]]\naddress = \"127.0.0.1:{port}\"\ntimeouts = { body = \"200ms\" }\n";
    let weir = Weir::before(&origin, &format!("{}{patient}", slow("", "")));
    // Longer than the client may take nothing: it takes all that it gets.
    weir.client().get("/").sees(200).body(&body);
    // A client that takes nothing is let go.
    origin.replies(200).body(&content(24 << 20));
    let text = slow("", "").replace("400KiB/s", "1GiB/s").replace("100KiB", "1GiB");
    weir.becomes(&format!("{text}{patient}"));
    let mut deaf = weir.client();
    deaf.get("/").sent();
    weir.counts("weir_client_aborts_total", 1.0);
    deaf.sees_broken();
}

#[test]
fn the_time_of_a_whole_exchange_holds() {
    let (origin, body) = (Origin::start(), content(400 * KIB));
    origin.replies(200).body(&body);
    let weir = Weir::before(&origin, &slow("", "timeouts = { total = \"250ms\" }"));
    let mut client = weir.client();
    client.get("/").sent();
    client.sees_broken();
}

/// Four pieces a second for all who ask for a path.
const SLOWEST: &str = "[[route]]\npool = \"app\"\npath = \"/stored\"\nlimits = [\"slow\"]\ncache = \"c\"\n{route}\n\
    [[route]]\npath = \"/own\"\nlimits = [\"slow\"]\nrespond = { body = \"{body}\" }\n{route}\n\
    [limit.slow]\nkey = \"path\"\nbandwidth = \"1KiB/s\"\nburst = \"1KiB\"\n\
    [cache.c]\nmemory = \"8MiB\"\n";

fn slowest(route: &str) -> String {
    SLOWEST.replace("{body}", &content(8 * KIB)).replace("{route}", route)
}

#[test]
fn whoever_goes_while_he_waits_for_a_response_that_no_backend_gives_is_seen_to() {
    /// The turn of the last would come after half a minute; nothing is sent before that could fail.
    const CROWD: usize = 120;
    let origin = Origin::start();
    origin.replies(200).field("cache-control", "max-age=60").body(&content(8 * KIB));
    let weir = Weir::before(&origin, &slowest(""));
    let arrives = |path: &str| {
        let mut stream = TcpStream::connect(weir.address()).unwrap();
        stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: a.example\r\n\r\n").as_bytes()).unwrap();
        // The head comes before the wait.
        stream.read_exact(&mut [0; 64]).unwrap();
        stream
    };
    // The first by a miss whose fetch is over soon.
    for path in ["/stored", "/own"] {
        let crowd: Vec<_> = (0..CROWD).map(|_| arrives(path)).collect();
        drop(crowd);
        eventually("nobody is there any more", || weir.metric("weir_exchanges_in_flight") < 0.5);
    }
    origin.saw(1);
}

#[test]
fn the_time_of_a_whole_exchange_holds_for_what_no_backend_gives() {
    let origin = Origin::start();
    origin.replies(200).field("cache-control", "max-age=60").body(&content(8 * KIB));
    let weir = Weir::before(&origin, &slowest("timeouts = { total = \"1s\" }"));
    for path in ["/stored", "/stored", "/own"] {
        let mut client = weir.client();
        client.get(path).sent();
        client.sees_broken();
    }
    origin.saw(1);
    assert_eq!(weir.metric("weir_client_aborts_total"), 0.0);
}

#[test]
fn what_is_compressed_counts_as_it_goes_out() {
    let (origin, body) = (Origin::start(), "all the same ".repeat(60 * KIB));
    (0..3).for_each(|_| drop(origin.replies(200).field("content-type", "text/plain").body(&body)));
    let weir = Weir::before(&origin, &slow("", "compress = [\"gzip\"]"));
    let mut client = weir.client();
    let all = timed(|| {
        for _ in 0..3 {
            let response = client.get("/").field("Accept-Encoding", "gzip").sees(200);
            assert!(response.body.len() < 30 * KIB, "{}", response.body.len());
        }
    });
    assert!(all < least(3 * 780 * KIB), "{all:?}");
    assert_eq!(weir.metric("weir_limit_waits_total{limit=\"slow\"}"), 0.0);
}

/// What the process has used of the processor.
fn processor(weir: &Weir) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", weir.pid())).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    // utime and stime, in hundredths of a second (proc(5)).
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(ticks * 10)
}
