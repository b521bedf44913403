//! Stored responses on a route that compresses: encoded once, and kept so.

#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]

mod support;

use std::io::Read;
use support::{Client, Origin, Response, Weir};

const ROUTE: &str = "[cache.c]\nmemory = \"64MiB\"\n[[route]]\npool = \"app\"\ncache = \"c\"\n";

fn serving(origin: &Origin, more: &str) -> Weir {
    Weir::before(origin, &format!("{ROUTE}compress = [\"gzip\", \"br\", \"zstd\"]\n{more}"))
}

/// Encoded where it is asked for.
fn small() -> String {
    "<p>hello</p>".repeat(500)
}

/// Encoded beside.
fn large(mark: &str) -> String {
    format!("<p>hello {mark}</p>").repeat(5_000)
}

fn says(origin: &Origin, life: &str, etag: &str, body: &str) {
    let reply = origin.replies(200).field("Content-Type", "text/html").field("ETag", etag);
    drop(reply.field("Cache-Control", life).body(body));
}

fn gzip(client: &mut Client) -> Response {
    client.get("/").field("Accept-Encoding", "gzip").sees(200)
}

fn shown(response: &Response) -> String {
    assert_eq!(response.value("content-encoding"), "gzip");
    let mut out = String::new();
    flate2::read::GzDecoder::new(&*response.body).read_to_string(&mut out).unwrap();
    out
}

/// Whether it went as it is kept: then its length is known before its end.
fn is_whole(response: &Response) -> bool {
    response.fields.has("content-length")
}

fn made(weir: &Weir, result: &str, count: f64) {
    weir.counts(&format!("weir_cache_encodings_total{{cache=\"c\",result=\"{result}\"}}"), count);
}

/// Fetches it, and asks again until its form is there.
fn warmed(weir: &Weir, client: &mut Client, body: &str) {
    let kept = "weir_cache_encodings_total{cache=\"c\",result=\"kept\"}";
    let before = weir.metric(kept);
    for _ in 0..2 {
        assert_eq!(shown(&gzip(client)), body);
    }
    weir.counts(kept, before + 1.0);
    let response = gzip(client);
    assert!(is_whole(&response) && shown(&response) == body, "{response:?}");
}

#[test]
fn a_small_response_is_encoded_by_the_first_hit_and_kept_for_the_others() {
    let origin = Origin::start();
    let weir = serving(&origin, "");
    let mut client = weir.client();
    says(&origin, "max-age=60", "\"a\"", &small());
    assert!(!is_whole(&gzip(&mut client)), "the fetch streams");
    for _ in 0..3 {
        let response = gzip(&mut client);
        assert!(is_whole(&response) && shown(&response) == small());
        assert!(response.value("cache-status").starts_with("weir; hit; ttl="));
        let response = response.field("etag", "W/\"a\"").field("vary", "Accept-Encoding");
        response.field("content-type", "text/html").field("age", "0").lacks("accept-ranges");
    }
    made(&weir, "kept", 1.0);
    weir.counts("weir_cache_encoded_hits_total{cache=\"c\"}", 2.0);
    weir.counts("weir_cache_objects{cache=\"c\",tier=\"memory\"}", 2.0);
    // Another coding is another form; who wants none gets none.
    for coding in ["br", "zstd"] {
        let response = client.get("/").field("Accept-Encoding", coding).sees(200).field("content-encoding", coding);
        assert!(is_whole(&response) && response.body.len() < 200);
    }
    let response = client.get("/").sees(200).body(&small()).field("etag", "\"a\"");
    response.field("vary", "Accept-Encoding").lacks("content-encoding");
    made(&weir, "kept", 3.0);
    origin.saw(1);
}

#[test]
fn a_large_response_is_encoded_beside_once_however_many_ask_meanwhile() {
    let origin = Origin::start();
    let weir = serving(&origin, "");
    says(&origin, "max-age=60", "\"a\"", &large("a"));
    assert_eq!(shown(&gzip(&mut weir.client())), large("a"));
    let mut crowd: Vec<Client> = (0..50).map(|_| weir.client()).collect();
    for client in &mut crowd {
        client.get("/").field("Accept-Encoding", "gzip").sent();
    }
    for client in &mut crowd {
        assert_eq!(shown(&client.sees(200)), large("a"));
    }
    made(&weir, "kept", 1.0);
    let response = gzip(&mut crowd[0]);
    assert!(is_whole(&response) && shown(&response) == large("a"));
    origin.saw(1);
}

#[test]
fn what_is_validated_keeps_its_form_with_the_fields_that_it_has_now() {
    let origin = Origin::start();
    let weir = serving(&origin, "");
    let mut client = weir.client();
    says(&origin, "max-age=0", "\"a\"", &small());
    assert_eq!(shown(&gzip(&mut client)), small());
    for mark in ["1", "2", "3"] {
        drop(origin.replies(304).field("ETag", "\"a\"").field("X-Mark", mark).field("Cache-Control", "max-age=0"));
        let response = gzip(&mut client).field("x-mark", mark).field("etag", "W/\"a\"");
        assert!(is_whole(&response) && shown(&response) == small());
    }
    made(&weir, "kept", 1.0);
    weir.counts("weir_cache_objects{cache=\"c\",tier=\"memory\"}", 2.0);
    origin.last().field("if-none-match", "\"a\"");
    origin.saw(4);
}

#[test]
fn a_form_ends_with_what_it_was_made_of() {
    let origin = Origin::start();
    let weir = serving(&origin, "");
    let mut client = weir.client();
    let objects = "weir_cache_objects{cache=\"c\",tier=\"memory\"}";

    says(&origin, "max-age=60", "\"a\"", &large("a"));
    warmed(&weir, &mut client, &large("a"));
    weir.counts(objects, 2.0);

    // By a write.
    drop(origin.replies(200).body("done"));
    drop(client.post("/", "x").sees(200));
    weir.counts(objects, 0.0);
    says(&origin, "max-age=60", "\"b\"", &large("b"));
    warmed(&weir, &mut client, &large("b"));

    // By a client that reloads, with another response.
    says(&origin, "max-age=60", "\"c\"", &large("c"));
    let ask = client.get("/").field("Accept-Encoding", "gzip").field("Cache-Control", "no-cache");
    assert_eq!(shown(&ask.sees(200)), large("c"));
    weir.counts(objects, 1.0);
    warmed_again(&weir, &mut client, &large("c"));

    // By a purge, hard or soft.
    for (soft, etag) in [("false", "d"), ("true", "e")] {
        let body = format!("{{\"all\": true, \"soft\": {soft}}}");
        let mut admin = Client::connect(weir.at("admin"));
        let head = format!(
            "POST /v1/purge HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {}",
            body.len()
        );
        admin.send(format!("{head}\r\n\r\n{body}"));
        drop(admin.sees_to("POST", 200));
        says(&origin, "max-age=60", &format!("\"{etag}\""), &large(etag));
        let response = gzip(&mut client);
        assert_eq!(shown(&response), large(etag));
        assert!(response.value("cache-status").starts_with("weir; fwd="), "{response:?}");
        warmed_again(&weir, &mut client, &large(etag));
        weir.counts(objects, 2.0);
    }
    origin.saw(6);
}

/// As [`warmed`], of what was fetched.
fn warmed_again(weir: &Weir, client: &mut Client, body: &str) {
    let kept = "weir_cache_encodings_total{cache=\"c\",result=\"kept\"}";
    let before = weir.metric(kept);
    assert_eq!(shown(&gzip(client)), body);
    weir.counts(kept, before + 1.0);
    let response = gzip(client);
    assert!(is_whole(&response) && shown(&response) == body, "{response:?}");
}

#[test]
fn what_a_coding_would_not_make_smaller_goes_as_it_is_and_is_not_tried_again() {
    let origin = Origin::start();
    let weir = serving(&origin, "");
    let mut client = weir.client();
    let mut state = 7u64;
    let mut noise = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    let bytes: Vec<u8> = (0..4_000).map(|_| noise()).collect();
    let head = "HTTP/1.1 200 OK\r\nContent-Type: font/ttf\r\nCache-Control: max-age=60\r\nETag: \"a\"\r\n";
    drop(origin.says([format!("{head}Content-Length: {}\r\n\r\n", bytes.len()).as_bytes(), &bytes].concat()));
    drop(gzip(&mut client));
    for _ in 0..3 {
        let response = gzip(&mut client).lacks("content-encoding").field("etag", "\"a\"");
        assert_eq!(response.value("vary"), "Accept-Encoding");
        assert_eq!(response.body, bytes);
    }
    made(&weir, "not_smaller", 1.0);
    made(&weir, "kept", 0.0);
    origin.saw(1);
}

#[test]
fn conditions_ranges_and_head_are_answered_beside_a_form() {
    let origin = Origin::start();
    let weir = serving(&origin, "");
    let mut client = weir.client();
    says(&origin, "max-age=60", "\"a\"", &small());
    warmed(&weir, &mut client, &small());
    let length = gzip(&mut client).value("content-length");
    let mut ask = |name: &str, value: &str, status| {
        client.get("/").field("Accept-Encoding", "gzip").field(name, value).sees(status)
    };
    ask("If-None-Match", "W/\"a\"", 304).field("etag", "W/\"a\"").field("vary", "Accept-Encoding");
    ask("If-None-Match", "\"a\"", 304).field("etag", "\"a\"");
    assert_eq!(shown(&ask("If-None-Match", "W/\"b\"", 200)), small());
    // A weak tag matches nothing strongly (RFC 9110 §13.1.1): the form has none that would.
    drop(ask("If-Match", "W/\"a\"", 412));
    ask("Range", "bytes=0-2", 206).body("<p>").lacks("content-encoding").field("etag", "\"a\"");
    let whole = client.get("/").field("Accept-Encoding", "gzip").field("Range", "bytes=0-2");
    assert_eq!(shown(&whole.field("If-Range", "W/\"a\"").sees(200)), small());
    let head = client.ask("HEAD", "/").field("Accept-Encoding", "gzip").sees(200);
    head.field("content-encoding", "gzip").field("content-length", &length).field("etag", "W/\"a\"").body("");
    let head = client.ask("HEAD", "/").sees(200).lacks("content-encoding");
    head.field("content-length", &small().len().to_string()).field("etag", "\"a\"");
    origin.saw(1);
}

#[test]
fn what_the_route_changes_is_changed_in_a_form_too() {
    let origin = Origin::start();
    let edits =
        "response = { set = { \"x-by\" = \"weir\", \"content-type\" = \"text/plain\", etag = \"\\\"new\\\"\" } }\n";
    let weir = serving(&origin, edits);
    let mut client = weir.client();
    // Only what the route makes of it is worth a coding.
    let reply = origin.replies(200).field("Content-Type", "image/png").field("ETag", "\"a\"");
    drop(reply.field("Cache-Control", "max-age=60").body(&small()));
    warmed(&weir, &mut client, &small());
    let response = gzip(&mut client).field("x-by", "weir").field("content-type", "text/plain");
    let response = response.field("etag", "W/\"new\"").field("vary", "Accept-Encoding");
    assert_eq!(response.body.len().to_string(), response.value("content-length"));
    let response = client.get("/").sees(200).body(&small()).field("x-by", "weir").field("etag", "\"new\"");
    response.field("vary", "Accept-Encoding");
    let length = gzip(&mut client).value("content-length");
    let head = client.ask("HEAD", "/").field("Accept-Encoding", "gzip").sees(200);
    head.field("content-length", &length).field("content-encoding", "gzip");
    made(&weir, "kept", 1.0);
}

#[test]
fn each_variant_has_forms_of_its_own_and_what_may_not_be_changed_has_none() {
    let origin = Origin::start();
    let weir = serving(&origin, "");
    let mut client = weir.client();
    let mut ask =
        |language: &str| client.get("/").field("Accept-Encoding", "gzip").field("Accept-Language", language).sees(200);
    for language in ["en", "fr"] {
        let reply = origin.replies(200).field("Content-Type", "text/html").field("Vary", "Accept-Language");
        drop(reply.field("Cache-Control", "max-age=60").body(&small().replace("hello", language)));
        drop(ask(language));
    }
    for _ in 0..3 {
        for language in ["en", "fr"] {
            let response = ask(language);
            assert_eq!(shown(&response), small().replace("hello", language));
            assert_eq!(response.value("vary"), "Accept-Language, Accept-Encoding");
        }
    }
    made(&weir, "kept", 2.0);
    let reply = origin.replies(200).field("Content-Type", "text/html");
    drop(reply.field("Cache-Control", "max-age=60, no-transform").body(&small()));
    for _ in 0..3 {
        let response = client.get("/as-it-is").field("Accept-Encoding", "gzip").sees(200).body(&small());
        drop(response.lacks("content-encoding").lacks("vary"));
    }
    made(&weir, "kept", 2.0);
    origin.saw(3);
}

#[test]
fn a_reload_that_changes_what_is_compressed_holds_for_what_is_stored() {
    let origin = Origin::start();
    let weir = serving(&origin, "");
    let mut client = weir.client();
    says(&origin, "max-age=60", "\"a\"", &small());
    warmed(&weir, &mut client, &small());
    let place = |text: &str| text.replace("{origin}", &origin.address());
    weir.becomes(&place(&format!("{ROUTE}compress = {{ min = \"1MiB\" }}\n")));
    let response = gzip(&mut client).body(&small()).lacks("content-encoding").lacks("vary");
    drop(response.field("etag", "\"a\""));
    weir.becomes(&place(&format!("{ROUTE}compress = {{}}\n")));
    assert_eq!(shown(&gzip(&mut client)), small());
    made(&weir, "kept", 1.0);
    origin.saw(1);
}

#[test]
fn forms_count_in_the_memory_of_the_cache_and_never_drive_it_over() {
    let origin = Origin::start();
    let route = ROUTE.replace("64MiB", "1MiB");
    let weir = Weir::before(&origin, &format!("{route}compress = [\"gzip\", \"zstd\"]\n"));
    let mut client = weir.client();
    let bytes = "weir_cache_bytes{cache=\"c\",tier=\"memory\"}";
    // What is hard to encode: a form is three quarters of it.
    let mut state = 7u64;
    let mut digits = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        format!("{state:016x}")
    };
    let mut before = 0.0;
    for at in 0..150 {
        let body: String = (0..400).map(|_| digits()).collect();
        says(&origin, "max-age=60", "\"a\"", &body);
        let path = format!("/{at}");
        for _ in 0..2 {
            assert_eq!(shown(&client.get(&path).field("Accept-Encoding", "gzip").sees(200)), body);
        }
        if at == 0 {
            before = weir.metric(bytes);
            assert!(before > 1.5 * body.len() as f64, "{before} bytes for a response and its form");
        }
    }
    let held = weir.metric(bytes);
    assert!(held > 20.0 * before && held <= 1_048_576.0, "{held} bytes");
    assert!(weir.metric("weir_cache_evictions_total{cache=\"c\"}") > 50.0);
    made(&weir, "kept", 150.0);
}

#[test]
fn what_stands_for_a_part_or_for_none_says_vary_as_the_whole_does() {
    let origin = Origin::start();
    let weir = serving(&origin, "");
    let mut client = weir.client();
    let varies = "Accept-Encoding";
    says(&origin, "max-age=60", "\"a\"", &small());
    client.get("/").sees(200).field("vary", varies);
    for (name, value, status) in [
        ("Range", "bytes=0-9", 206),
        ("Range", "bytes=0-1,4-5", 206),
        ("If-None-Match", "\"a\"", 304),
        ("If-None-Match", "W/\"a\"", 304),
        ("If-None-Match", "*", 304),
    ] {
        client.get("/").field(name, value).sees(status).field("vary", varies);
    }
    origin.saw(1);
    // Also while it is fetched.
    for (path, name, value, status) in [("/part", "Range", "bytes=0-9", 206), ("/none", "If-None-Match", "\"a\"", 304)]
    {
        says(&origin, "max-age=60", "\"a\"", &small());
        client.get(path).field(name, value).sees(status).field("vary", varies);
    }
    let of_a_backend = origin.replies(206).field("Content-Type", "text/html").field("Content-Range", "bytes 0-3/1000");
    drop(of_a_backend.field("Cache-Control", "no-store").body("part"));
    client.get("/pass").field("Range", "bytes=0-3").sees(206).field("vary", varies).body("part");
    origin.saw(4);
}

#[test]
fn what_no_client_gets_encoded_does_not_vary_by_it() {
    let origin = Origin::start();
    let weir = serving(&origin, "");
    let mut client = weir.client();
    let reply = origin.replies(200).field("Content-Type", "image/png").field("ETag", "\"a\"");
    drop(reply.field("Cache-Control", "max-age=60").body(&small()));
    client.get("/").sees(200).lacks("vary");
    client.get("/").field("Range", "bytes=0-9").sees(206).lacks("vary");
    client.get("/").field("Range", "bytes=0-1,4-5").sees(206).lacks("vary");
    client.get("/").field("If-None-Match", "\"a\"").sees(304).lacks("vary");
    origin.saw(1);
}
