//! What is told of a response that there may be no room for is what becomes of it.

#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]

mod support;

use support::{Gate, Origin, Puppet, Weir};

/// One shard: what takes more than half of it is too large, and what takes more than a 32nd part is large.
const MEMORY: &str = "[cache.c]\nmemory = \"1MiB\"\nmax_object = \"512KiB\"\n";
const ROUTE: &str = "[[route]]\npool = \"app\"\ncache = \"c\"\n";
const LARGE_BYTES: usize = 200_000;
/// With its head it takes more than half.
const TOO_LARGE_BYTES: usize = 512 * 1024 - 50;

fn serving(origin: &Origin) -> Weir {
    Weir::before(origin, &format!("{MEMORY}{ROUTE}"))
}

fn replies(origin: &Origin, bytes: usize) {
    drop(origin.replies(200).field("Cache-Control", "max-age=60").body(&"x".repeat(bytes)));
}

/// The Cache-Status of a response of that length.
fn asked(weir: &Weir, path: &str, bytes: usize) -> String {
    let response = weir.client().get(path).sees(200);
    assert_eq!(response.body.len(), bytes);
    response.value("cache-status")
}

/// Fills the memory with what is not large.
fn fill(weir: &Weir, origin: &Origin) {
    let mut client = weir.client();
    for at in 0..120 {
        replies(origin, 10_000);
        assert!(client.get(&format!("/{at}")).sees(200).value("cache-status").contains("; stored"));
    }
    weir.counts("weir_cache_stored_total{cache=\"c\"}", 120.0);
    assert!(weir.metric("weir_cache_evictions_total{cache=\"c\"}") > 10.0, "it is full");
}

#[test]
fn what_no_tier_has_room_for_is_not_said_to_be_stored() {
    let origin = Origin::start();
    let weir = serving(&origin);
    replies(&origin, TOO_LARGE_BYTES);
    assert_eq!(asked(&weir, "/a", TOO_LARGE_BYTES), "weir; fwd=uri-miss; detail=too-large");
    // Nobody knows it of one without a length; it counts as what it was.
    let chunk = format!("{TOO_LARGE_BYTES:x}\r\n{}\r\n0\r\n\r\n", "x".repeat(TOO_LARGE_BYTES));
    let head = "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nTransfer-Encoding: chunked\r\n\r\n";
    drop(origin.says(format!("{head}{chunk}")));
    asked(&weir, "/b", TOO_LARGE_BYTES);
    weir.counts("weir_cache_objects{cache=\"c\",tier=\"memory\"}", 0.0);
    weir.counts("weir_cache_stored_total{cache=\"c\"}", 0.0);
    replies(&origin, 10_000);
    assert_eq!(asked(&weir, "/c", 10_000), "weir; fwd=uri-miss; ttl=60; stored");
    assert!(asked(&weir, "/c", 10_000).starts_with("weir; hit"));
    origin.saw(3);
}

#[test]
fn what_is_large_is_stored_when_it_is_asked_for_again_and_says_so_each_time() {
    let origin = Origin::start();
    let weir = serving(&origin);
    fill(&weir, &origin);
    for expected in ["weir; fwd=uri-miss; detail=asked-once", "weir; fwd=uri-miss; ttl=60; stored"] {
        replies(&origin, LARGE_BYTES);
        assert_eq!(asked(&weir, "/large", LARGE_BYTES), expected);
    }
    assert!(asked(&weir, "/large", LARGE_BYTES).starts_with("weir; hit"));
    weir.counts("weir_cache_unstored_total{cache=\"c\",why=\"asked-once\"}", 1.0);
    weir.counts("weir_cache_stored_total{cache=\"c\"}", 121.0);
    origin.saw(122);
}

#[test]
fn those_who_ask_meanwhile_share_what_is_not_stored() {
    let origin = Origin::start();
    let weir = serving(&origin);
    fill(&weir, &origin);
    let gate = Gate::new();
    let head = format!("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: {LARGE_BYTES}\r\n\r\n");
    drop(origin.says(head + &"x".repeat(1_000)).after(&gate).then("x".repeat(LARGE_BYTES - 1_000)));
    let mut clients = [weir.client(), weir.client(), weir.client()];
    clients.iter_mut().for_each(|client| client.get("/large").sent());
    let heads = clients.each_mut().map(|client| client.sees_head(200).value("cache-status"));
    assert!(heads.iter().all(|status| status.ends_with("; detail=asked-once")), "{heads:?}");
    assert_eq!(heads.iter().filter(|status| status.contains("; collapsed")).count(), 2, "{heads:?}");
    gate.open();
    clients.iter_mut().for_each(|client| assert_eq!(client.exactly(LARGE_BYTES).unwrap().len(), LARGE_BYTES));
    origin.saw(121);
}

#[test]
fn what_is_not_stored_is_not_fetched_for_nobody() {
    let (origin, puppet) = (Origin::start(), Puppet::start());
    let pool = "[pool.app]\nbackends = [\"{origin}\"]\n[pool.large]\nbackends = [\"{puppet}\"]\n";
    let route = "[[route]]\npath = \"/large\"\npool = \"large\"\ncache = \"c\"\n";
    let places = [("origin", &*origin.address()), ("puppet", &*puppet.address())];
    let weir = Weir::start(&format!("{pool}{MEMORY}{route}{ROUTE}"), &places);
    fill(&weir, &origin);
    let head = format!("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: {LARGE_BYTES}\r\n\r\n");
    for is_stored in [false, true] {
        let mut client = weir.client();
        client.get("/large").sent();
        let mut peer = puppet.accepts();
        peer.gets();
        // It is small enough, and enough of it is there, to be fetched to its end if it were stored.
        peer.send(head.clone() + &"x".repeat(LARGE_BYTES - 1_000));
        let status = client.sees_head(200).value("cache-status");
        assert_eq!(status.ends_with("; stored"), is_stored, "{status}");
        client.into_wire().reset();
        if is_stored {
            weir.counts("weir_client_aborts_total", 2.0);
            peer.send("x".repeat(1_000));
            weir.counts("weir_cache_stored_total{cache=\"c\"}", 121.0);
        } else {
            peer.ends();
        }
    }
    assert!(asked(&weir, "/large", LARGE_BYTES).starts_with("weir; hit"));
}

#[test]
fn what_the_disk_has_room_for_is_stored() {
    let origin = Origin::start();
    let folder = tempfile::tempdir().unwrap();
    let disk = format!("disk = {{ path = \"{}\", size = \"32MiB\" }}\n", folder.path().join("c").display());
    let weir = Weir::before(&origin, &format!("{MEMORY}{disk}{ROUTE}"));
    replies(&origin, TOO_LARGE_BYTES);
    assert_eq!(asked(&weir, "/a", TOO_LARGE_BYTES), "weir; fwd=uri-miss; ttl=60; stored");
    weir.counts("weir_cache_disk_writes_total{cache=\"c\",result=\"ok\"}", 1.0);
    assert!(asked(&weir, "/a", TOO_LARGE_BYTES).starts_with("weir; hit"));
    weir.counts("weir_cache_objects{cache=\"c\",tier=\"memory\"}", 0.0);
    weir.counts("weir_cache_stored_total{cache=\"c\"}", 1.0);
    origin.saw(1);
}
