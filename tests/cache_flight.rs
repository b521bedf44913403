//! One fetch for all who ask: what they get, when, and what becomes of it if somebody leaves or it fails.

#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]

mod support;

use support::{Backend, Client, Gate, Origin, Puppet, Response, Weir, eventually};

const CACHING: &str = "[server]\nworkers = 2\n[pool.app]\nbackends = [\"{origin}\"]\n\
    [cache.pages]\nmemory = \"256MiB\"\nmax_object = \"32MiB\"\n[[route]]\npool = \"app\"\ncache = \"pages\"\n";
const KEPT: &str = "Cache-Control: max-age=60\r\n";

fn caching(address: &str) -> Weir {
    Weir::start(CACHING, &[("origin", address)])
}

/// So many clients that have asked for `/x`.
fn asking(weir: &Weir, count: usize) -> Vec<Client> {
    let mut clients: Vec<_> = (0..count).map(|_| weir.client()).collect();
    clients.iter_mut().for_each(|client| client.get("/x").sent());
    clients
}

fn head(length: usize, fields: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n{fields}\r\n")
}

fn collapsed(response: &Response) -> bool {
    response.value("cache-status").contains("collapsed")
}

#[test]
fn two_hundred_clients_on_a_cold_key_are_one_request_and_read_it_as_it_comes() {
    let origin = Origin::start();
    let (first, last) = (Gate::new(), Gate::new());
    origin.says("").after(&first).then(head(10, KEPT) + "first").after(&last).then("-last");
    let weir = caching(&origin.address());
    let mut clients = asking(&weir, 200);
    weir.counts("weir_cache_collapsed_total{cache=\"pages\"}", 199.0);
    first.open();
    let heads: Vec<_> = clients.iter_mut().map(|client| client.sees_head(200)).collect();
    assert_eq!(heads.iter().filter(|head| !collapsed(head)).count(), 1, "{heads:?}");
    // All have the beginning before the origin sent the end.
    clients.iter_mut().for_each(|client| assert_eq!(client.exactly(5).unwrap(), b"first"));
    last.open();
    clients.iter_mut().for_each(|client| assert_eq!(client.exactly(5).unwrap(), b"-last"));
    origin.saw(1);
    weir.client().get("/x").sees(200).body("first-last");
    origin.saw(1);
}

#[test]
fn a_leader_that_leaves_does_not_end_the_fetch_of_the_others() {
    let origin = Puppet::start();
    let weir = caching(&origin.address());
    let mut clients = asking(&weir, 1);
    let mut peer = origin.accepts();
    peer.gets();
    let mut other = asking(&weir, 1).remove(0);
    peer.send(head(10, KEPT) + "first");
    clients[0].sees_head(200);
    other.sees_head(200);
    clients.remove(0).into_wire().reset();
    weir.counts("weir_client_aborts_total", 1.0);
    peer.send("-last");
    assert_eq!(other.exactly(10).unwrap(), b"first-last");
    weir.client().get("/x").sees(200).body("first-last");
    origin.is_left_alone();
}

#[test]
fn a_large_fetch_that_nobody_waits_for_any_more_ends() {
    const MIB: usize = 1024 * 1024;
    // One that is to be stored, one that is too large for it.
    for length in [30 * MIB, 100 * MIB] {
        let origin = Puppet::start();
        let weir = caching(&origin.address());
        let mut client = asking(&weir, 1).remove(0);
        let mut peer = origin.accepts();
        peer.gets();
        peer.send(head(length, KEPT) + "first");
        client.sees_head(200);
        client.into_wire().reset();
        weir.counts("weir_client_aborts_total", 1.0);
        let piece = vec![0; 64 * 1024];
        assert!((0..200).any(|_| peer.try_send(&piece).is_err()), "read on: {length}");
    }
}

#[test]
fn a_fetch_that_nobody_waits_for_ends_at_once_though_the_backend_is_silent() {
    const CHUNKED: &str =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nCache-Control: max-age=60\r\n\r\n5\r\nfirst\r\n";
    for beginning in [
        // Nothing is known of it yet; it is large; how large is not known; it is not to be stored.
        String::new(),
        head(10 * 1024 * 1024, KEPT) + "first",
        CHUNKED.to_owned(),
        head(10, "Cache-Control: no-store\r\n") + "first",
    ] {
        let origin = Puppet::start();
        let weir = caching(&origin.address());
        let mut clients = asking(&weir, 1);
        let mut peer = origin.accepts();
        peer.gets();
        peer.send(&beginning);
        if !beginning.is_empty() {
            clients[0].sees_head(200);
            clients[0].exactly(5).unwrap();
        }
        clients.remove(0).into_wire().reset();
        peer.ends();
        // Whoever comes next is not told of it.
        let mut next = asking(&weir, 1).remove(0);
        let mut peer = origin.accepts();
        peer.gets();
        peer.send(head(2, KEPT) + "ok");
        next.sees(200).body("ok");
    }
}

#[test]
fn a_fetch_goes_on_for_whoever_is_left() {
    let origin = Puppet::start();
    let weir = caching(&origin.address());
    let mut clients = asking(&weir, 2);
    let mut peer = origin.accepts();
    peer.gets();
    weir.counts("weir_cache_collapsed_total{cache=\"pages\"}", 1.0);
    clients.remove(0).into_wire().reset();
    weir.counts("weir_client_aborts_total", 1.0);
    peer.send(head(10 * 1024 * 1024, KEPT) + "first");
    clients[0].sees_head(200);
    assert_eq!(clients[0].exactly(5).unwrap(), b"first");
    clients.remove(0).into_wire().reset();
    peer.ends();
}

#[test]
fn one_who_had_enough_leaves_the_rest_to_be_stored() {
    const CHUNKED: &str =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nCache-Control: max-age=60\r\nETag: \"1\"\r\n\r\n";
    let origin = Puppet::start();
    let weir = caching(&origin.address());
    let mut client = weir.client();
    client.get("/x").field("If-None-Match", "\"1\"").sent();
    let mut peer = origin.accepts();
    peer.gets();
    peer.send(format!("{CHUNKED}5\r\nfirst\r\n"));
    client.sees(304);
    peer.send("5\r\n-last\r\n0\r\n\r\n");
    let stored = || weir.client().get("/x").sees(200).body("first-last");
    stored();
    assert!(stored().value("cache-status").contains("hit"));
    origin.is_left_alone();
}

#[test]
fn a_small_fetch_that_nobody_waits_for_any_more_is_finished_and_stored() {
    let origin = Puppet::start();
    let weir = caching(&origin.address());
    let mut client = asking(&weir, 1).remove(0);
    let mut peer = origin.accepts();
    peer.gets();
    peer.send(head(10, KEPT) + "first");
    client.sees_head(200);
    client.into_wire().reset();
    weir.counts("weir_client_aborts_total", 1.0);
    peer.send("-last");
    weir.client().get("/x").sees(200).body("first-last");
    origin.is_left_alone();
}

#[test]
fn a_response_that_is_for_one_releases_the_others_at_once_and_the_key_is_remembered() {
    const CLIENTS: usize = 20;
    let origin = Origin::start();
    let (first, others, later) = (Gate::new(), Gate::new(), Gate::new());
    origin.says("").after(&first).then(head(4, "Cache-Control: private\r\n") + "mine");
    (1..CLIENTS)
        .for_each(|_| drop(origin.says("").after(&others).then(head(5, "Cache-Control: private\r\n") + "yours")));
    (0..2).for_each(|_| drop(origin.says("").after(&later).then(head(5, "Cache-Control: private\r\n") + "later")));
    let weir = caching(&origin.address());
    let mut clients = asking(&weir, CLIENTS);
    weir.counts("weir_cache_collapsed_total{cache=\"pages\"}", (CLIENTS - 1) as f64);
    first.open();
    // All others ask at the same time.
    origin.request(CLIENTS - 1);
    others.open();
    let texts: Vec<_> = clients.iter_mut().map(|client| client.sees(200).text()).collect();
    assert_eq!(texts.iter().filter(|text| *text == "mine").count(), 1, "{texts:?}");
    let mut clients = asking(&weir, 2);
    origin.request(CLIENTS + 1);
    later.open();
    for client in &mut clients {
        client.sees(200).field("cache-status", "weir; fwd=uri-miss; detail=private").body("later");
    }
    origin.saw(CLIENTS + 2);
}

#[test]
fn a_fetch_that_breaks_off_is_broken_for_all_and_never_an_entry() {
    for framing in ["Content-Length: 10", "Transfer-Encoding: chunked"] {
        let origin = Origin::start();
        let (begin, end) = (Gate::new(), Gate::new());
        let start = format!(
            "HTTP/1.1 200 OK\r\n{KEPT}{framing}\r\n\r\n{}",
            if framing.contains("10") { "first" } else { "5\r\nfirst\r\n" }
        );
        origin.says("").after(&begin).then(start).after(&end).closes();
        origin.replies(200).field("Cache-Control", "max-age=60").body("whole");
        let weir = caching(&origin.address());
        let mut clients = asking(&weir, 5);
        begin.open();
        clients.iter_mut().for_each(|client| drop(client.sees_head(200)));
        end.open();
        clients.iter_mut().for_each(|client| assert!(client.content_breaks(), "{framing}"));
        origin.saw(1);
        weir.client().get("/x").sees(200).body("whole");
        origin.saw(2);
    }
}

#[test]
fn a_backend_that_nobody_reaches_is_an_error_for_all_and_nothing_is_remembered() {
    let origin = Backend::start();
    let weir = caching(&origin.address());
    origin.dies();
    asking(&weir, 20).iter_mut().for_each(|client| drop(client.sees(502)));
    origin.comes_back();
    eventually("it is reached", || weir.client().get("/x").gets().unwrap().status == 200);
}

#[test]
fn a_slow_reader_does_not_hold_the_others() {
    let origin = Origin::start();
    let content = "x".repeat(8 * 1024 * 1024);
    let gate = Gate::new();
    origin.says("").after(&gate).then(head(content.len(), KEPT) + &content);
    let weir = caching(&origin.address());
    let mut clients = asking(&weir, 2);
    gate.open();
    for client in clients.iter_mut().rev() {
        assert!(client.sees(200).body == content.as_bytes());
    }
    origin.saw(1);
}

#[test]
fn a_head_on_a_cold_key_goes_by_itself_and_stores_nothing() {
    let origin = Origin::start();
    origin.says(head(4, KEPT));
    origin.replies(200).field("Cache-Control", "max-age=60").body("whole");
    let weir = caching(&origin.address());
    let mut client = weir.client();
    client.ask("HEAD", "/x").sees(200).field("content-length", "4");
    assert!(origin.request(0).line.starts_with("HEAD "));
    client.get("/x").sees(200).body("whole");
    origin.saw(2);
}

#[test]
fn early_hints_reach_all_who_wait() {
    let origin = Origin::start();
    let gate = Gate::new();
    origin.says("").after(&gate).then("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n").then(head(1, KEPT) + "a");
    let weir = caching(&origin.address());
    let mut clients = asking(&weir, 3);
    weir.counts("weir_cache_collapsed_total{cache=\"pages\"}", 2.0);
    gate.open();
    for client in &mut clients {
        let seen = client.sees(200).body("a");
        assert!(!seen.value("cache-status").contains("hit") && seen.interim.len() == 1, "{seen:?}");
        seen.interim[0].clone().field("link", "</a>");
    }
    origin.saw(1);
}

#[test]
fn who_wants_only_what_is_stored_waits_for_nothing() {
    let origin = Origin::start();
    let weir = caching(&origin.address());
    weir.client().get("/x").field("Cache-Control", "only-if-cached").sees(504);
    origin.saw(0);
}

#[test]
fn what_was_fetched_while_somebody_wrote_is_not_stored() {
    let origin = Origin::start();
    let gate = Gate::new();
    origin.says("").after(&gate).then(head(3, KEPT) + "old");
    origin.replies(200).body("done");
    origin.replies(200).field("Cache-Control", "max-age=60").body("new");
    let weir = caching(&origin.address());
    let mut reader = asking(&weir, 1).remove(0);
    origin.request(0);
    weir.client().post("/x", "new").sees(200).body("done");
    gate.open();
    reader.sees(200).body("old");
    (0..2).for_each(|_| drop(weir.client().get("/x").sees(200).body("new")));
    origin.saw(3);
}

#[test]
fn a_client_that_wants_another_variant_asks_itself() {
    let origin = Origin::start();
    let gate = Gate::new();
    origin.says("").after(&gate).then(head(2, "Cache-Control: max-age=60\r\nVary: X-Kind\r\n") + "de");
    origin.says(head(2, "Cache-Control: max-age=60\r\nVary: X-Kind\r\n") + "fr");
    let weir = caching(&origin.address());
    let (mut de, mut fr) = (weir.client(), weir.client());
    de.get("/x").field("X-Kind", "de").sent();
    origin.request(0);
    fr.get("/x").field("X-Kind", "fr").sent();
    gate.open();
    de.sees(200).body("de");
    fr.sees(200).body("fr");
    fr.get("/x").field("X-Kind", "de").sees(200).body("de");
    fr.get("/x").field("X-Kind", "fr").sees(200).body("fr");
    origin.saw(2);
}

#[test]
fn a_stale_response_is_validated_once_for_all_who_wait() {
    let origin = Origin::start();
    let gate = Gate::new();
    origin.replies(200).field("Cache-Control", "max-age=60").field("ETag", "\"1\"").body("a");
    origin.says("").after(&gate).then("HTTP/1.1 304 Not Modified\r\nETag: \"1\"\r\nCache-Control: max-age=60\r\n\r\n");
    let weir = caching(&origin.address());
    weir.client().get("/x").sees(200).body("a");
    weir.purges("{\"all\": true, \"soft\": true}");
    let mut clients = asking(&weir, 50);
    origin.request(1).field("if-none-match", "\"1\"");
    weir.counts("weir_cache_collapsed_total{cache=\"pages\"}", 49.0);
    gate.open();
    clients.iter_mut().for_each(|client| drop(client.sees(200).body("a")));
    origin.saw(2);
}
