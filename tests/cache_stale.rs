//! What is stale: validated, served all the same while that goes on or fails, or not; and conditions of clients.

#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]

mod support;

use support::{Gate, Origin, Weir, eventually};

const CACHING: &str = "[cache.pages]\nmemory = \"64MiB\"\n[[route]]\npool = \"app\"\ncache = \"pages\"\n";
const MODIFIED: &str = "Mon, 02 Nov 2026 10:00:00 GMT";

/// An origin that says "a", stale at once, with those directives more; and what has stored that.
fn stale(directives: &str) -> (Origin, Weir) {
    let origin = Origin::start();
    let reply = origin.replies(200).field("Cache-Control", &format!("max-age=10{directives}")).field("Age", "11");
    reply.field("ETag", "\"1\"").field("Last-Modified", MODIFIED).field("X-One", "1").field("X-Two", "1").body("a");
    let weir = Weir::before(&origin, CACHING);
    weir.client().get("/x").sees(200).body("a");
    (origin, weir)
}

fn fresh(origin: &Origin, body: &str) {
    origin.replies(200).field("Cache-Control", "max-age=60").field("ETag", "\"2\"").body(body);
}

#[test]
fn a_304_freshens_the_fields_and_keeps_the_content() {
    let (origin, weir) = stale("");
    origin.replies(304).field("Cache-Control", "max-age=60").field("ETag", "\"1\"").field("X-One", "2");
    let mut client = weir.client();
    for _ in 0..2 {
        client
            .get("/x")
            .sees(200)
            .field("x-one", "2")
            .field("x-two", "1")
            .field("cache-control", "max-age=60")
            .body("a");
    }
    origin.request(1).field("if-none-match", "\"1\"").field("if-modified-since", MODIFIED);
    origin.saw(2);
}

#[test]
fn a_200_replaces_what_was_stored() {
    let (origin, weir) = stale("");
    fresh(&origin, "b");
    let mut client = weir.client();
    for _ in 0..2 {
        client.get("/x").sees(200).lacks("x-two").field("etag", "\"2\"").body("b");
    }
    origin.saw(2);
}

#[test]
fn an_error_of_the_origin_about_the_resource_is_the_answer_and_what_was_stored_is_gone() {
    for (directives, asked) in [("max-age=60", 2), ("no-store", 3)] {
        let (origin, weir) = stale("");
        (0..2).for_each(|_| drop(origin.replies(404).field("Cache-Control", directives).body("gone")));
        let mut client = weir.client();
        (0..2).for_each(|_| drop(client.get("/x").sees(404).body("gone")));
        origin.saw(asked);
    }
}

#[test]
fn conditions_of_clients_are_answered_from_what_is_stored() {
    let origin = Origin::start();
    let reply = origin.replies(200).field("Cache-Control", "max-age=60").field("ETag", "\"1\"");
    reply.field("Last-Modified", MODIFIED).body("a");
    let weir = Weir::before(&origin, CACHING);
    let mut client = weir.client();
    client.get("/x").sees(200).body("a");
    for (name, value, status) in [
        ("If-None-Match", "\"1\"", 304),
        ("If-None-Match", "\"0\", W/\"1\"", 304),
        ("If-None-Match", "*", 304),
        ("If-None-Match", "\"2\"", 200),
        ("If-Modified-Since", MODIFIED, 304),
        ("If-Modified-Since", "Mon, 02 Nov 2026 09:59:59 GMT", 200),
        ("If-Modified-Since", "yesterday", 200),
        ("If-Match", "\"1\"", 200),
        ("If-Match", "\"2\"", 412),
        ("If-Match", "W/\"1\"", 412),
        ("If-Unmodified-Since", MODIFIED, 200),
        ("If-Unmodified-Since", "Mon, 02 Nov 2026 09:59:59 GMT", 412),
    ] {
        let seen = client.get("/x").field(name, value).sees(status);
        match status {
            200 => drop(seen.body("a")),
            304 => drop(seen.field("etag", "\"1\"").lacks("content-length").body("")),
            _ => drop(seen.body("")),
        }
    }
    // RFC 9110 §13.1.3: the ETag decides if there is one.
    client.get("/x").field("If-None-Match", "\"2\"").field("If-Modified-Since", MODIFIED).sees(200).body("a");
    origin.saw(1);
}

#[test]
fn a_condition_on_a_cold_key_fetches_the_whole_for_all() {
    let origin = Origin::start();
    origin.replies(200).field("Cache-Control", "max-age=60").field("ETag", "\"1\"").body("a");
    let weir = Weir::before(&origin, CACHING);
    let mut client = weir.client();
    client.get("/x").field("If-None-Match", "\"1\"").sees(304).field("etag", "\"1\"");
    origin.request(0).lacks("if-none-match");
    client.get("/x").sees(200).body("a");
    origin.saw(1);
}

#[test]
fn a_condition_of_a_client_does_not_decide_about_what_is_stale() {
    let (origin, weir) = stale("");
    origin.replies(304).field("Cache-Control", "max-age=60").field("ETag", "\"1\"");
    let mut client = weir.client();
    client.get("/x").field("If-None-Match", "\"0\"").sees(200).body("a");
    origin.request(1).field("if-none-match", "\"1\"");
    client.get("/x").field("If-None-Match", "\"1\"").sees(304);
    origin.saw(2);
}

#[test]
fn what_may_be_stale_for_a_while_is_served_and_refreshed_once_behind_it() {
    let (origin, weir) = stale(", stale-while-revalidate=60");
    let gate = Gate::new();
    let head = "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 1\r\n\r\nb";
    origin.says("").after(&gate).then(head);
    let mut clients: Vec<_> = (0..20).map(|_| weir.client()).collect();
    clients.iter_mut().for_each(|client| client.get("/x").sent());
    for client in &mut clients {
        let seen = client.sees(200).body("a");
        assert!(seen.value("cache-status").starts_with("weir; hit; ttl=-"), "{seen:?}");
    }
    origin.request(1).field("if-none-match", "\"1\"");
    gate.open();
    eventually("it is refreshed", || weir.client().get("/x").sees(200).text() == "b");
    origin.saw(2);
}

#[test]
fn a_refresh_that_fails_leaves_what_may_still_be_served() {
    let (origin, weir) = stale(", stale-while-revalidate=60");
    origin.replies(503).body("down");
    weir.client().get("/x").sees(200).body("a");
    origin.request(1);
    fresh(&origin, "b");
    eventually("it is refreshed", || weir.client().get("/x").sees(200).text() == "b");
}

#[test]
fn an_error_is_bridged_by_what_is_stale_if_the_response_allows_it() {
    for status in [500, 502, 503, 504] {
        let (origin, weir) = stale(", stale-if-error=60");
        origin.replies(status).body("down");
        weir.client().get("/x").sees(200).field("x-one", "1").body("a");
        origin.saw(2);
    }
    let (origin, weir) = stale("");
    origin.replies(503).body("down");
    weir.client().get("/x").sees(503).body("down");
    let (origin, weir) = stale(", stale-if-error=60, must-revalidate");
    origin.replies(503).body("down");
    weir.client().get("/x").sees(503);
}

#[test]
fn what_nobody_says_about_errors_bridges_a_backend_that_does_not_answer() {
    for directives in ["", ", stale-if-error=60"] {
        let (origin, weir) = stale(directives);
        (0..4).for_each(|_| origin.hangs_up());
        weir.client().get("/x").sees(200).body("a");
    }
    for directives in [", must-revalidate", ", proxy-revalidate", ", no-cache", ", s-maxage=1"] {
        let (origin, weir) = stale(directives);
        (0..4).for_each(|_| origin.hangs_up());
        let seen = weir.client().get("/x").gets().unwrap();
        assert!(matches!(seen.status, 502 | 504), "{directives}: {seen:?}");
    }
}

#[test]
fn what_says_nothing_of_freshness_is_never_used_stale_for_another() {
    for validator in [None, Some("\"1\"")] {
        for wish in ["", "max-stale", "stale-if-error=60", "max-stale, only-if-cached"] {
            let origin = Origin::start();
            let reply = origin.replies(200);
            let reply = match validator {
                Some(tag) => reply.field("ETag", tag),
                None => reply,
            };
            reply.body("account of a");
            (0..4).for_each(|_| origin.hangs_up());
            let weir = Weir::before(&origin, CACHING);
            let seen = weir.client().get("/account").field("Cookie", "a").sees(200).body("account of a");
            let is_stored = seen.value("cache-status").contains("; stored");
            assert_eq!(is_stored, validator.is_some(), "{seen:?}");
            let mut b = weir.client();
            let seen = b.get("/account").field("Cookie", "b").field("Cache-Control", wish).gets().unwrap();
            assert!(matches!(seen.status, 502 | 504), "{validator:?} {wish}: {seen:?}");
        }
    }
}

#[test]
fn what_the_operator_says_of_stale_responses_holds_where_they_say_nothing() {
    let origin = Origin::start();
    origin.replies(200).body("a");
    origin.replies(503).body("down");
    let weir = Weir::before(&origin, &CACHING.replace("64MiB\"", "64MiB\"\nstale_if_error = \"60s\""));
    (0..2).for_each(|_| drop(weir.client().get("/x").sees(200).body("a")));
    origin.saw(2);
}

#[test]
fn what_nobody_says_about_errors_bridges_nothing_but_a_backend_that_is_not_reached() {
    // One that breaks the rules, and one that is slow.
    let (origin, weir) = stale("");
    origin.says("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nb");
    weir.client().get("/x").sees(502);
    let (origin, gate) = (Origin::start(), Gate::new());
    origin.replies(200).field("Cache-Control", "max-age=10").field("Age", "11").body("a");
    origin.says("").after(&gate).then("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nb");
    let weir = Weir::before(&origin, &format!("{CACHING}timeouts = {{ first_byte = \"200ms\" }}\n"));
    weir.client().get("/x").sees(200).body("a");
    weir.client().get("/x").sees(504);

    // One that all may not ask at once.
    let (origin, gate) = (Origin::start(), Gate::new());
    origin.replies(200).field("Cache-Control", "max-age=10").field("Age", "11").body("a");
    origin.says("").after(&gate).then("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbusy");
    let text = format!("[pool.app]\nbackends = [\"{{origin}}\"]\nconnections = {{ max = 1, queue = 0 }}\n{CACHING}");
    let weir = Weir::start(&text, &[("origin", &origin.address())]);
    weir.client().get("/x").sees(200).body("a");
    let mut busy = weir.client();
    busy.get("/busy").sent();
    origin.request(1);
    weir.client().get("/x").sees(503);
    gate.open();
    busy.sees(200).body("busy");
}

#[test]
fn who_reads_slowly_does_not_hold_up_the_refresh() {
    let origin = Origin::start();
    let content = "a".repeat(8 * 1024 * 1024);
    let reply = origin.replies(200).field("Cache-Control", "max-age=10, stale-while-revalidate=60").field("Age", "11");
    reply.field("ETag", "\"1\"").body(&content);
    let weir = Weir::before(&origin, &CACHING.replace("64MiB\"", "256MiB\"\nmax_object = \"32MiB\""));
    weir.client().get("/x").sees(200);
    fresh(&origin, "b");
    let mut slow = weir.client();
    slow.get("/x").sent();
    // It has read nothing yet.
    origin.request(1).field("if-none-match", "\"1\"");
    eventually("it is refreshed", || weir.client().get("/x").sees(200).text() == "b");
    assert_eq!(slow.sees(200).body, content.as_bytes());
    origin.saw(2);
}

#[test]
fn what_comes_from_the_disk_is_refreshed_as_well() {
    let (origin, disk) = (Origin::start(), tempfile::tempdir().unwrap());
    let reply = origin.replies(200).field("Cache-Control", "max-age=10, stale-while-revalidate=60").field("Age", "11");
    reply.field("ETag", "\"1\"").body("a");
    let keys = format!("64MiB\"\ndisk = {{ path = \"{}\", size = \"16MiB\" }}", disk.path().display());
    let mut weir = Weir::before(&origin, &CACHING.replace("64MiB\"", &keys));
    weir.client().get("/x").sees(200).body("a");
    eventually("it is on the disk", || weir.metric("weir_cache_objects{cache=\"pages\",tier=\"disk\"}") == 1.0);
    assert!(weir.stop().success());
    weir.starts_again();
    fresh(&origin, "b");
    let seen = weir.client().get("/x").sees(200).body("a");
    assert!(seen.value("cache-status").starts_with("weir; hit; ttl=-"), "{seen:?}");
    origin.request(1).field("if-none-match", "\"1\"");
    eventually("it is refreshed", || weir.client().get("/x").sees(200).text() == "b");
    origin.saw(2);
}
