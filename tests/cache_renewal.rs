//! What responses without content tell of what is stored: a 304, and one to HEAD.

#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]

mod support;

use support::{Client, Gate, Origin, Weir, eventually, pages};

const CACHING: &str = "[server]\nworkers = 2\n[cache.pages]\nmemory = \"64MiB\"\nstale_if_error = \"60s\"\n\
    [[route]]\npool = \"app\"\ncache = \"pages\"\n";
const MODIFIED: &str = "Mon, 02 Nov 2026 10:00:00 GMT";

/// A cache that has `old`, which is fresh for so many seconds.
fn stored(origin: &Origin, seconds: u32) -> (Weir, Client) {
    let reply = origin.replies(200).field("Cache-Control", &format!("max-age={seconds}")).field("ETag", "\"1\"");
    reply.field("Last-Modified", MODIFIED).field("X-Kept", "kept").field("X-New", "0").body("old");
    let weir = Weir::before(origin, CACHING);
    let mut client = weir.client();
    client.get("/x").sees(200).body("old");
    (weir, client)
}

#[test]
fn a_304_about_something_else_is_no_validation() {
    for (validator, value) in
        [("ETag", "\"2\""), ("ETag", "W/\"2\""), ("Last-Modified", "Mon, 02 Nov 2026 10:00:01 GMT")]
    {
        let origin = Origin::start();
        let (_weir, mut client) = stored(&origin, 0);
        origin.replies(304).field("Cache-Control", "max-age=60").field(validator, value);
        origin.replies(200).field("Cache-Control", "max-age=60").field("ETag", "\"2\"").body("new");
        client.get("/x").sees(200).field("etag", "\"2\"").body("new");
        origin.request(1).field("if-none-match", "\"1\"");
        origin.request(2).lacks("if-none-match").lacks("if-modified-since");
        client.get("/x").sees(200).body("new");
        origin.saw(3);
    }
}

#[test]
fn all_who_wait_for_a_validation_that_is_none_get_what_there_is_now_by_one_request() {
    let origin = Origin::start();
    let (weir, _client) = stored(&origin, 60);
    weir.purges("{\"all\": true, \"soft\": true}");
    let gate = Gate::new();
    origin.says("").after(&gate).then("HTTP/1.1 304 Not Modified\r\nETag: \"2\"\r\n\r\n");
    let head = "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nETag: \"2\"\r\nContent-Length: 3\r\n\r\n";
    let content = Gate::new();
    origin.says(head).after(&content).then("new");
    let mut clients: Vec<_> = (0..20).map(|_| weir.client()).collect();
    clients.iter_mut().for_each(|client| client.get("/x").sent());
    weir.counts("weir_cache_collapsed_total{cache=\"pages\"}", 19.0);
    gate.open();
    // The head is for all who wait, and the content comes later.
    clients.iter_mut().for_each(|client| drop(client.sees_head(200)));
    content.open();
    clients.iter_mut().for_each(|client| assert_eq!(client.exactly(3).unwrap(), b"new"));
    origin.saw(3);
}

#[test]
fn a_304_with_the_weak_form_of_the_tag_or_without_any_is_one() {
    for tag in [Some("\"1\""), Some("W/\"1\""), None] {
        let origin = Origin::start();
        let (_weir, mut client) = stored(&origin, 0);
        let reply = origin.replies(304).field("Cache-Control", "max-age=60").field("X-New", "1");
        drop(match tag {
            Some(tag) => reply.field("ETag", tag),
            None => reply,
        });
        client.get("/x").sees(200).field("x-kept", "kept").field("x-new", "1").body("old");
        client.get("/x").sees(200).body("old");
        origin.saw(2);
    }
}

#[test]
fn a_head_that_agrees_renews_what_is_stored() {
    for lines in [
        &[("ETag", "\"1\""), ("Last-Modified", MODIFIED), ("Content-Length", "3")][..],
        &[("ETag", "\"1\"")],
        &[("Content-Length", "3")],
        &[],
    ] {
        let origin = Origin::start();
        let (_weir, mut client) = stored(&origin, 0);
        answers_head(&origin, &[lines, &[("Cache-Control", "max-age=60"), ("X-New", "1")]].concat());
        client.ask("HEAD", "/x").sees(200).field("x-new", "1");
        let seen = client.get("/x").sees(200).field("x-kept", "kept").field("x-new", "1").body("old");
        assert!(seen.value("cache-status").starts_with("weir; hit"), "{seen:?}");
        origin.saw(2);
    }
}

#[test]
fn a_head_that_does_not_agree_makes_stale_what_is_stored() {
    for line in [("ETag", "\"2\""), ("ETag", "W/\"1\""), ("Last-Modified", "now"), ("Content-Length", "4")] {
        let origin = Origin::start();
        let (_weir, mut client) = stored(&origin, 60);
        answers_head(&origin, &[line, ("Cache-Control", "max-age=60"), ("X-New", "1")]);
        client.ask("HEAD", "/x").field("Cache-Control", "no-cache").sees(200).field("x-new", "1");
        // It is validated, and as good as before if the backend fails.
        origin.replies(503);
        client.get("/x").sees(200).field("x-new", "0").body("old");
        origin.request(2).field("if-none-match", "\"1\"");
        origin.replies(200).field("Cache-Control", "max-age=60").body("new");
        client.get("/x").sees(200).body("new");
        client.get("/x").sees(200).body("new");
        origin.saw(4);
    }
}

#[test]
fn a_head_that_is_for_its_client_alone_tells_nothing_of_what_is_stored() {
    let head = ("Cache-Control", "max-age=60");
    for (name, value, status, lines) in [
        ("Cache-Control", "no-cache, no-store", 200, &[head, ("ETag", "\"2\"")][..]),
        ("Authorization", "Basic eDp4", 200, &[head, ("ETag", "\"1\""), ("X-New", "1")]),
        ("X", "x", 404, &[head, ("ETag", "\"2\"")]),
        ("X", "x", 500, &[head, ("ETag", "\"2\"")]),
    ] {
        let origin = Origin::start();
        let (_weir, mut client) = stored(&origin, 60);
        let lines: String = lines.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        origin.says(format!("HTTP/1.1 {status} Said\r\n{lines}Content-Length: 3\r\n\r\n"));
        let ask = client.ask("HEAD", "/x").field(name, value);
        let ask = if name == "Cache-Control" { ask } else { ask.field("Cache-Control", "no-cache") };
        ask.sees(status);
        client.get("/x").sees(200).field("x-new", "0").body("old");
        origin.saw(2);
    }
}

#[test]
fn a_head_that_forbids_what_is_stored_lets_go_of_it() {
    let origin = Origin::start();
    let (_weir, mut client) = stored(&origin, 60);
    answers_head(&origin, &[("ETag", "\"1\""), ("Cache-Control", "private")]);
    client.ask("HEAD", "/x").field("Cache-Control", "no-cache").sees(200);
    origin.replies(200).field("Cache-Control", "private").body("mine");
    client.get("/x").sees(200).body("mine");
    origin.request(2).lacks("if-none-match");
    origin.saw(3);
}

#[test]
fn a_head_is_about_the_variant_that_it_selects() {
    let origin = Origin::start();
    let weir = Weir::before(&origin, CACHING);
    let mut client = weir.client();
    for (kind, body) in [("a", "a1"), ("b", "b1")] {
        let reply = origin.replies(200).field("Cache-Control", "max-age=60").field("ETag", &format!("\"{body}\""));
        reply.field("Vary", "X-Kind").body(body);
        client.get("/x").field("X-Kind", kind).sees(200).body(body);
    }
    answers_head(&origin, &[("ETag", "\"a2\""), ("Vary", "X-Kind"), ("Cache-Control", "max-age=60")]);
    client.ask("HEAD", "/x").field("X-Kind", "a").field("Cache-Control", "no-cache").sees(200);
    client.get("/x").field("X-Kind", "b").sees(200).body("b1");
    origin.saw(3);
    origin.replies(200).field("Cache-Control", "max-age=60").field("Vary", "X-Kind").body("a2");
    client.get("/x").field("X-Kind", "a").sees(200).body("a2");
    origin.request(3).field("if-none-match", "\"a1\"");
}

/// The origin answers HEAD so.
fn answers_head(origin: &Origin, lines: &[(&str, &str)]) {
    let lines: String = lines.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    origin.says(format!("HTTP/1.1 200 OK\r\n{lines}\r\n"));
}

#[test]
fn what_is_for_one_client_by_what_is_stored_is_not_renewed_for_all() {
    for (method, status) in [("GET", 304), ("HEAD", 200)] {
        let origin = Origin::start();
        let reply = origin.replies(200).field("Cache-Control", "max-age=0, private=\"x-user\"").field("ETag", "\"1\"");
        reply.field("X-User", "ada").body("old");
        let weir = Weir::before(&origin, CACHING);
        let mut client = weir.client();
        client.get("/x").sees(200).field("x-user", "ada").body("old");
        let length = if status == 200 { "Content-Length: 3\r\n" } else { "" };
        origin.says(format!("HTTP/1.1 {status} Said\r\nETag: \"1\"\r\nX-User: bob\r\nX-All: 1\r\n{length}\r\n"));
        client.ask(method, "/x").sees(200);
        origin.replies(304).field("ETag", "\"1\"");
        client.get("/x").sees(200).lacks("x-user").field("x-all", "1").body("old");
        origin.saw(3);
    }
}

#[test]
fn a_directive_that_names_too_much_or_has_no_end_is_for_all() {
    let names: Vec<_> = (0..65).map(|number| format!("x-{number}")).collect();
    for directive in [format!("private=\"{}\"", names.join(",")), "private=\"x-64".to_owned()] {
        let origin = Origin::start();
        for body in ["for ada", "for bob"] {
            let reply = origin.replies(200).field("Cache-Control", &format!("max-age=60, {directive}"));
            reply.field("X-64", body).body(body);
        }
        let weir = Weir::before(&origin, CACHING);
        for body in ["for ada", "for bob"] {
            weir.client().get("/x").sees(200).field("x-64", body).body(body);
        }
    }
}

#[test]
fn what_is_said_to_weir_alone_holds_until_it_is_said_anew() {
    for (ours, all) in [("no-cache", "max-age=31536000"), ("max-age=0", "no-store"), ("max-age=0", "max-age=60")] {
        let origin = Origin::start();
        let reply = origin.replies(200).field("Weir-Cache-Control", ours).field("Cache-Control", all);
        reply.field("ETag", "\"1\"").body("old");
        let weir = Weir::before(&origin, CACHING);
        let mut client = weir.client();
        client.get("/x").sees(200).lacks("weir-cache-control").body("old");
        for asked in 1..4 {
            origin.replies(304).field("ETag", "\"1\"").field("Cache-Control", all);
            client.get("/x").sees(200).lacks("weir-cache-control").body("old");
            origin.request(asked).field("if-none-match", "\"1\"");
        }
        origin.replies(304).field("ETag", "\"1\"").field("Weir-Cache-Control", "max-age=60");
        client.get("/x").sees(200).lacks("weir-cache-control").body("old");
        client.get("/x").sees(200).body("old");
        origin.saw(5);
    }
}

#[test]
fn what_is_said_to_weir_alone_outlives_a_crash() {
    let origin = Origin::start();
    let reply = origin
        .replies(200)
        .field("Weir-Cache-Control", "no-cache, max-age=600")
        .field("Cache-Control", "max-age=31536000");
    reply.field("ETag", "\"1\"").body("old");
    let disk = tempfile::tempdir().unwrap();
    let places = [("origin", &*origin.address()), ("disk", disk.path().to_str().unwrap())];
    let mut weir = Weir::start(pages::CACHING, &places);
    weir.client().get("/x").sees(200).body("old");
    eventually("it is on the disk", || pages::on_disk(&weir) == 1.0);
    weir.is_killed();
    weir.starts_again();
    for asked in 1..3 {
        origin.replies(304).field("ETag", "\"1\"");
        weir.client().get("/x").sees(200).lacks("weir-cache-control").body("old");
        origin.request(asked).field("if-none-match", "\"1\"");
    }
}
