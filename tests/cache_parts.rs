//! What is missing of what is stored in part: only that is asked for, and no client gets bytes of two representations.

#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]

mod support;

use support::{Broken, Client, Gate, Origin, Response, Weir};

const CACHING: &str = "[cache.pages]\nmemory = \"64MiB\"\n[[route]]\npool = \"app\"\ncache = \"pages\"\n";
const DIGITS: &str = "0123456789";
const LETTERS: &str = "abcdefghijkl";
const FRESH: &str = "max-age=60";

/// The origin sends these bytes of `of`.
fn sends(origin: &Origin, of: &str, first: usize, last: usize, etag: &str) {
    lets(origin, of, first, last, etag, FRESH);
}

fn lets(origin: &Origin, of: &str, first: usize, last: usize, etag: &str, control: &str) {
    let reply = origin.replies(206).field("Cache-Control", control).field("ETag", etag).field("Content-Type", "a/b");
    reply.field("Content-Range", &format!("bytes {first}-{last}/{}", of.len())).body(&of[first..=last]);
}

/// The origin sends all of `of`.
fn sends_all(origin: &Origin, of: &str, etag: &str) {
    origin.replies(200).field("Cache-Control", FRESH).field("ETag", etag).body(of);
}

/// A cache that has digits 2 to 6, its client, and its origin.
fn with_a_part() -> (Origin, Weir, Client) {
    with_digits(2, 6)
}

fn with_digits(first: usize, last: usize) -> (Origin, Weir, Client) {
    let origin = Origin::start();
    sends(&origin, DIGITS, first, last, "\"1\"");
    let weir = Weir::before(&origin, CACHING);
    let mut client = weir.client();
    part(&mut client, &format!("bytes={first}-{last}"), 206).body(&DIGITS[first..=last]);
    (origin, weir, client)
}

fn part(client: &mut Client, range: &str, status: u16) -> Response {
    client.get("/x").field("Range", range).sees(status)
}

/// What the origin was asked for the last time.
fn asked(origin: &Origin, number: usize, range: Option<&str>, if_range: Option<&str>) {
    let seen = origin.request(number);
    assert_eq!(seen.fields.get("range").as_deref(), range, "{seen:?}");
    assert_eq!(seen.fields.get("if-range").as_deref(), if_range, "{seen:?}");
    origin.saw(number + 1);
}

#[test]
fn only_the_rest_is_asked_for() {
    let (origin, _weir, mut client) = with_a_part();
    sends(&origin, DIGITS, 7, 8, "\"1\"");
    let seen = part(&mut client, "bytes=4-8", 206).field("content-range", "bytes 4-8/10").body("45678");
    assert!(seen.value("cache-status").starts_with("weir; fwd=partial; ttl=60; stored"), "{seen:?}");
    asked(&origin, 1, Some("bytes=7-8"), Some("\"1\""));
    sends(&origin, DIGITS, 0, 1, "\"1\"");
    part(&mut client, "bytes=0-3", 206)
        .field("content-range", "bytes 0-3/10")
        .field("content-length", "4")
        .body("0123");
    asked(&origin, 2, Some("bytes=0-1"), Some("\"1\""));
    // All that was ever sent is stored.
    part(&mut client, "bytes=0-8", 206).body("012345678");
    origin.saw(3);
    sends(&origin, DIGITS, 9, 9, "\"1\"");
    part(&mut client, "bytes=-9", 206).field("content-range", "bytes 1-9/10").body("123456789");
    asked(&origin, 3, Some("bytes=9-9"), Some("\"1\""));
    client.get("/x").sees(200).lacks("content-range").field("content-length", "10").body(DIGITS);
    origin.saw(4);
}

#[test]
fn the_rest_of_the_whole_is_asked_for_and_the_whole_is_sent() {
    let (origin, _weir, mut client) = with_digits(0, 6);
    // What the cache knows already may be left out of a response to If-Range (RFC 9110 §15.3.7).
    let head =
        "HTTP/1.1 206 P\r\nETag: \"1\"\r\nCache-Control: max-age=60\r\nX-New: 1\r\nContent-Range: bytes 7-9/10\r\n";
    origin.says(format!("{head}Content-Length: 3\r\n\r\n789"));
    let seen = client.get("/x").sees(200).lacks("content-range").field("content-length", "10").body(DIGITS);
    seen.field("content-type", "a/b").field("x-new", "1").field("etag", "\"1\"");
    asked(&origin, 1, Some("bytes=7-9"), Some("\"1\""));
    client.get("/x").sees(200).field("content-type", "a/b").body(DIGITS);
    origin.saw(2);
}

#[test]
fn nothing_is_joined_where_it_spares_nothing() {
    let (origin, _weir, mut client) = with_a_part();
    sends_all(&origin, DIGITS, "\"1\"");
    client.get("/x").sees(200).body(DIGITS);
    asked(&origin, 1, None, None);
}

#[test]
fn what_lies_between_two_gaps_comes_again_with_them() {
    let (origin, _weir, mut client) = with_a_part();
    sends(&origin, DIGITS, 9, 9, "\"1\"");
    part(&mut client, "bytes=9-", 206).body("9");
    asked(&origin, 1, Some("bytes=9-"), None);
    sends(&origin, DIGITS, 0, 8, "\"1\"");
    part(&mut client, "bytes=0-", 206).field("content-range", "bytes 0-9/10").body(DIGITS);
    asked(&origin, 2, Some("bytes=0-8"), Some("\"1\""));
    client.get("/x").sees(200).body(DIGITS);
    origin.saw(3);
}

#[test]
fn of_what_changed_the_client_gets_only_the_new() {
    let (origin, _weir, mut client) = with_a_part();
    sends_all(&origin, LETTERS, "\"2\"");
    part(&mut client, "bytes=4-8", 206).field("content-range", "bytes 4-8/12").field("etag", "\"2\"").body("efghi");
    asked(&origin, 1, Some("bytes=7-8"), Some("\"1\""));
    part(&mut client, "bytes=2-6", 206).body("cdefg");
    client.get("/x").sees(200).body(LETTERS);
    origin.saw(2);

    let (origin, _weir, mut client) = with_digits(0, 6);
    sends_all(&origin, LETTERS, "\"2\"");
    client.get("/x").sees(200).field("etag", "\"2\"").body(LETTERS);
    asked(&origin, 1, Some("bytes=7-9"), Some("\"1\""));
}

#[test]
fn whatever_does_not_fit_is_asked_for_anew_as_the_client_asked() {
    let field = |lines: &str, body: &str| {
        format!("HTTP/1.1 206 P\r\nCache-Control: max-age=60\r\n{lines}Content-Length: {}\r\n\r\n{body}", body.len())
    };
    for said in [
        // It knows nothing of If-Range.
        field("ETag: \"2\"\r\nContent-Range: bytes 7-8/12\r\n", "hi"),
        field("ETag: \"1\"\r\nContent-Range: bytes 7-8/12\r\n", "hi"),
        field("ETag: W/\"1\"\r\nContent-Range: bytes 7-8/10\r\n", "hi"),
        field("Content-Range: bytes 7-8/10\r\n", "hi"),
        field("ETag: \"1\"\r\nContent-Range: bytes 6-8/10\r\n", "ghi"),
        field("ETag: \"1\"\r\nContent-Range: bytes 7-8/10\r\n", "ghi"),
        field("ETag: \"1\"\r\nContent-Range: bytes 7-8/10\r\nContent-Encoding: br\r\n", "hi"),
        field("ETag: \"1\"\r\nContent-Type: multipart/byteranges; boundary=x\r\n", "--x--"),
        "HTTP/1.1 416 R\r\nContent-Range: bytes */3\r\nContent-Length: 0\r\n\r\n".to_owned(),
        "HTTP/1.1 304 N\r\nETag: \"1\"\r\n\r\n".to_owned(),
    ] {
        let (origin, _weir, mut client) = with_a_part();
        origin.says(&said);
        sends(&origin, LETTERS, 4, 8, "\"2\"");
        let seen = part(&mut client, "bytes=4-8", 206).field("content-range", "bytes 4-8/12").field("etag", "\"2\"");
        seen.body("efghi");
        asked(&origin, 2, Some("bytes=4-8"), None);
        part(&mut client, "bytes=4-8", 206).body("efghi");
        // Nothing is left of what was.
        sends(&origin, LETTERS, 2, 3, "\"2\"");
        part(&mut client, "bytes=2-3", 206).body("cd");
        origin.saw(4);

        let (origin, _weir, mut client) = with_digits(0, 6);
        origin.says(&said);
        sends_all(&origin, LETTERS, "\"2\"");
        client.get("/x").sees(200).field("etag", "\"2\"").body(LETTERS);
        asked(&origin, 2, None, None);
    }
}

#[test]
fn what_breaks_off_or_has_another_length_than_it_says_ends_broken_and_is_not_stored() {
    let head = "HTTP/1.1 206 P\r\nCache-Control: max-age=60\r\nETag: \"1\"\r\nContent-Range: bytes 7-9/10\r\n";
    for said in [
        format!("{head}Content-Length: 3\r\n\r\n78"),
        format!("{head}Transfer-Encoding: chunked\r\n\r\n2\r\n78\r\n0\r\n\r\n"),
        format!("{head}Transfer-Encoding: chunked\r\n\r\n4\r\n789x\r\n0\r\n\r\n"),
        format!("{head}Transfer-Encoding: chunked\r\n\r\n3\r\n789\r\n1\r\nx\r\n0\r\n\r\n"),
    ] {
        let is_told_late = said.contains("\r\n1\r\nx");
        let (origin, weir, mut client) = with_a_part();
        origin.says(&said).closes();
        client.get("/x").field("Range", "bytes=5-9").sent();
        // All that was asked for may be through before it is seen that more comes.
        match client.response("GET") {
            Err(Broken::Short | Broken::Reset) => {}
            Ok(seen) if is_told_late => drop(seen.body("56789")),
            other => panic!("{said}: {other:?}"),
        }
        asked(&origin, 1, Some("bytes=7-9"), Some("\"1\""));
        // What was stored before still is.
        let mut client = weir.client();
        part(&mut client, "bytes=2-6", 206).body("23456");
        origin.saw(2);
        sends(&origin, DIGITS, 7, 9, "\"1\"");
        part(&mut client, "bytes=5-9", 206).body("56789");
        asked(&origin, 2, Some("bytes=7-9"), Some("\"1\""));
    }
}

#[test]
fn the_rest_may_come_in_chunks() {
    let (origin, _weir, mut client) = with_a_part();
    let head = "HTTP/1.1 206 P\r\nCache-Control: max-age=60\r\nETag: \"1\"\r\nContent-Range: bytes 7-9/10\r\n";
    origin.says(format!("{head}Transfer-Encoding: chunked\r\n\r\n2\r\n78\r\n1\r\n9\r\n0\r\nX-Trailer: 1\r\n\r\n"));
    part(&mut client, "bytes=5-9", 206).field("content-length", "5").body("56789");
    part(&mut client, "bytes=2-9", 206).body("23456789");
    origin.saw(2);
}

#[test]
fn errors_and_what_may_not_be_stored_are_passed_on() {
    let (origin, _weir, mut client) = with_a_part();
    for status in [503, 404] {
        origin.replies(status).field("Cache-Control", FRESH).body("no");
        part(&mut client, "bytes=5-9", status).body("no");
    }
    // The parts are there all the same.
    part(&mut client, "bytes=2-6", 206).body("23456");
    origin.saw(3);
    lets(&origin, DIGITS, 7, 9, "\"1\"", "no-store");
    lets(&origin, DIGITS, 5, 9, "\"1\"", "no-store");
    part(&mut client, "bytes=5-9", 206).body("56789");
    asked(&origin, 4, Some("bytes=5-9"), None);
    lets(&origin, DIGITS, 2, 6, "\"1\"", "no-store");
    part(&mut client, "bytes=2-6", 206).body("23456");
    origin.saw(6);
}

#[test]
fn parts_without_a_strong_etag_are_joined_with_nothing() {
    for etag in ["W/\"1\"", "1", ""] {
        let origin = Origin::start();
        sends(&origin, DIGITS, 2, 6, etag);
        sends(&origin, DIGITS, 4, 8, etag);
        let weir = Weir::before(&origin, CACHING);
        let mut client = weir.client();
        part(&mut client, "bytes=2-6", 206).body("23456");
        part(&mut client, "bytes=4-8", 206).body("45678");
        asked(&origin, 1, Some("bytes=4-8"), None);
    }
}

#[test]
fn a_client_that_has_a_part_gets_a_part_of_the_same_or_the_whole_of_another() {
    let (origin, _weir, mut client) = with_a_part();
    sends(&origin, DIGITS, 7, 8, "\"1\"");
    let asks = |client: &mut Client, range: &str, etag: &str, status| {
        client.get("/x").field("Range", range).field("If-Range", etag).sees(status)
    };
    asks(&mut client, "bytes=4-8", "\"1\"", 206).field("content-range", "bytes 4-8/10").body("45678");
    asked(&origin, 1, Some("bytes=7-8"), Some("\"1\""));
    // It has something else, of which nothing is stored: what comes of that is for it alone.
    sends_all(&origin, LETTERS, "\"2\"");
    let seen = asks(&mut client, "bytes=4-8", "\"0\"", 200).body(LETTERS);
    assert!(seen.value("cache-status").contains("detail=if-range"), "{seen:?}");
    asked(&origin, 2, Some("bytes=4-8"), Some("\"0\""));
    // There is another, which the backend sends whatever was asked.
    sends(&origin, LETTERS, 9, 9, "\"2\"");
    sends_all(&origin, LETTERS, "\"2\"");
    asks(&mut client, "bytes=4-9", "\"1\"", 200).field("etag", "\"2\"").body(LETTERS);
    asked(&origin, 4, None, None);
}

#[test]
fn a_stale_part_is_validated_and_a_client_that_has_a_part_gets_none_of_another() {
    let origin = Origin::start();
    lets(&origin, DIGITS, 2, 6, "\"1\"", "max-age=0");
    let weir = Weir::before(&origin, CACHING);
    let mut client = weir.client();
    part(&mut client, "bytes=2-6", 206).body("23456");
    origin.replies(304).field("ETag", "\"1\"").field("Cache-Control", "max-age=0");
    let seen = part(&mut client, "bytes=3-5", 206).field("content-range", "bytes 3-5/10").body("345");
    assert!(seen.value("cache-status").contains("fwd=stale; fwd-status=304"), "{seen:?}");
    origin.request(1).field("if-none-match", "\"1\"").field("range", "bytes=3-5");
    // The rest of what is stale is validated by If-Range.
    lets(&origin, DIGITS, 7, 7, "\"1\"", "max-age=0");
    part(&mut client, "bytes=2-7", 206).body("234567");
    asked(&origin, 2, Some("bytes=7-7"), Some("\"1\""));
    // It changed, and the backend knows nothing of If-Range.
    lets(&origin, LETTERS, 3, 5, "\"2\"", "max-age=0");
    sends_all(&origin, LETTERS, "\"2\"");
    let seen = client.get("/x").field("Range", "bytes=3-5").field("If-Range", "\"1\"").sees(200);
    seen.field("etag", "\"2\"").body(LETTERS);
    origin.request(3).field("if-none-match", "\"1\"").field("range", "bytes=3-5").field("if-range", "\"1\"");
    asked(&origin, 4, None, None);
    client.get("/x").sees(200).body(LETTERS);
    origin.saw(5);
}

#[test]
fn a_stale_part_that_may_not_be_stored_any_more_is_asked_for_again() {
    let origin = Origin::start();
    lets(&origin, DIGITS, 2, 6, "\"1\"", "max-age=0");
    let weir = Weir::before(&origin, CACHING);
    let mut client = weir.client();
    part(&mut client, "bytes=2-6", 206).body("23456");
    origin.replies(304).field("ETag", "\"1\"").field("Cache-Control", "no-store");
    lets(&origin, DIGITS, 3, 5, "\"1\"", "no-store");
    part(&mut client, "bytes=3-5", 206).body("345");
    asked(&origin, 2, Some("bytes=3-5"), None);
}

#[test]
fn no_more_than_the_part_is_refreshed_in_the_background() {
    let origin = Origin::start();
    lets(&origin, DIGITS, 2, 6, "\"1\"", "max-age=0, stale-while-revalidate=60");
    origin.replies(304).field("ETag", "\"1\"").field("Cache-Control", FRESH);
    let weir = Weir::before(&origin, CACHING);
    let mut client = weir.client();
    part(&mut client, "bytes=2-6", 206).body("23456");
    part(&mut client, "bytes=3-4", 206).body("34");
    origin.request(1).field("range", "bytes=3-4").field("if-none-match", "\"1\"");
    support::eventually("the part is fresh", || {
        part(&mut client, "bytes=2-6", 206).body("23456").value("cache-status").starts_with("weir; hit; ttl=")
            && !part(&mut client, "bytes=2-6", 206).value("cache-status").contains("ttl=-")
    });
}

#[test]
fn what_was_purged_is_joined_with_nothing() {
    let (origin, weir, mut client) = with_a_part();
    weir.purges("{\"all\": true}");
    sends(&origin, LETTERS, 4, 8, "\"1\"");
    part(&mut client, "bytes=4-8", 206).body("efghi");
    asked(&origin, 1, Some("bytes=4-8"), None);
    // It is purged while the rest is on its way: this client may have it, as it asked before, but nobody after it.
    let gate = Gate::new();
    let head = "HTTP/1.1 206 P\r\nCache-Control: max-age=60\r\nETag: \"1\"\r\nContent-Range: bytes 9-9/12\r\n";
    origin.says(format!("{head}Content-Length: 1\r\n\r\n")).after(&gate).then("j");
    client.get("/x").field("Range", "bytes=8-9").sent();
    client.sees_head(206).field("content-range", "bytes 8-9/12");
    weir.purges("{\"all\": true}");
    gate.open();
    let mut other = weir.client();
    sends(&origin, DIGITS, 8, 8, "\"1\"");
    part(&mut other, "bytes=8-8", 206).body("8");
    origin.saw(4);
    // Purged before the response came: nothing of what was stored is used.
    let gate = Gate::new();
    origin.says("").after(&gate).then(format!("{}Content-Length: 1\r\n\r\n9", head.replace("/12", "/10")));
    sends(&origin, LETTERS, 8, 9, "\"1\"");
    other.get("/x").field("Range", "bytes=8-9").sent();
    asked(&origin, 4, Some("bytes=9-9"), Some("\"1\""));
    weir.purges("{\"all\": true}");
    gate.open();
    other.sees(206).field("content-range", "bytes 8-9/12").body("ij");
    asked(&origin, 5, Some("bytes=8-9"), None);
}

#[test]
fn who_wants_the_same_shares_one_fetch_of_the_rest() {
    let (origin, weir, _client) = with_a_part();
    let gate = Gate::new();
    let head = "HTTP/1.1 206 P\r\nCache-Control: max-age=60\r\nETag: \"1\"\r\nContent-Range: bytes 7-9/10\r\n";
    origin.says("").after(&gate).then(format!("{head}Content-Length: 3\r\n\r\n789"));
    let mut clients: Vec<_> = (0..5).map(|_| weir.client()).collect();
    clients.iter_mut().for_each(|client| client.get("/x").field("Range", "bytes=4-9").sent());
    asked(&origin, 1, Some("bytes=7-9"), Some("\"1\""));
    weir.counts("weir_cache_collapsed_total{cache=\"pages\"}", 4.0);
    gate.open();
    clients.iter_mut().for_each(|client| drop(client.sees(206).field("content-range", "bytes 4-9/10").body("456789")));
    origin.saw(2);
}

#[test]
fn a_cookie_of_the_rest_is_for_the_client_who_caused_it_alone() {
    let (origin, weir, mut client) = with_a_part();
    let gate = Gate::new();
    let head = "HTTP/1.1 206 P\r\nCache-Control: max-age=60\r\nETag: \"1\"\r\nContent-Range: bytes 7-9/10\r\n";
    let cookies = "Set-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 3\r\n\r\n";
    origin.says("").after(&gate).then(format!("{head}{cookies}789"));
    client.get("/x").field("Range", "bytes=4-9").sent();
    asked(&origin, 1, Some("bytes=7-9"), Some("\"1\""));
    let mut other = weir.client();
    other.get("/x").field("Range", "bytes=4-9").sent();
    weir.counts("weir_cache_collapsed_total{cache=\"pages\"}", 1.0);
    gate.open();
    let seen = client.sees(206).body("456789");
    let set: Vec<_> = seen.fields.0.iter().filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie")).collect();
    assert_eq!(set.iter().map(|(_, value)| &value[..]).collect::<Vec<_>>(), ["a=1", "b=2"], "{seen:?}");
    other.sees(206).lacks("set-cookie").body("456789");
    let seen = part(&mut client, "bytes=4-9", 206).lacks("set-cookie").body("456789");
    assert!(seen.value("cache-status").starts_with("weir; hit"), "{seen:?}");
    origin.saw(2);
}

#[test]
fn a_rest_that_does_not_fit_says_nothing_of_other_variants() {
    for disk in [false, true] {
        let directory = tempfile::tempdir().unwrap();
        let folder = format!("disk = {{ path = \"{}\", size = \"16MiB\" }}\n[[route]]", directory.path().display());
        let text = if disk { CACHING.replace("[[route]]", &folder) } else { CACHING.to_owned() };
        let origin = Origin::start();
        let mut weir = Weir::before(&origin, &text);
        let mut client = weir.client();
        let ask = |client: &mut Client, language: &str, range: &str| {
            client.get("/x").field("Accept-Language", language).field("Range", range).sees(206)
        };
        let sends = |of: &str, first: usize, last: usize, etag: &str, control: &str| {
            let reply = origin.replies(206).field("Cache-Control", control).field("ETag", etag);
            let reply = reply.field("Vary", "Accept-Language");
            reply.field("Content-Range", &format!("bytes {first}-{last}/{}", of.len())).body(&of[first..=last]);
        };
        sends(DIGITS, 2, 6, "\"en\"", FRESH);
        ask(&mut client, "en", "bytes=2-6").body("23456");
        sends(LETTERS, 2, 6, "\"fr\"", FRESH);
        ask(&mut client, "fr", "bytes=2-6").body("cdefg");
        // Another took the place of one, and is not to be stored.
        sends(LETTERS, 7, 8, "\"en2\"", FRESH);
        sends(LETTERS, 4, 8, "\"en2\"", "no-store");
        ask(&mut client, "en", "bytes=4-8").body("efghi");
        origin.saw(4);
        if disk {
            weir.stop();
            weir.starts_again();
            client = weir.client();
        }
        ask(&mut client, "fr", "bytes=2-6").body("cdefg");
        origin.saw(4);
        sends(LETTERS, 2, 6, "\"en2\"", FRESH);
        ask(&mut client, "en", "bytes=2-6").body("cdefg");
        origin.saw(5);
    }
}

#[test]
fn a_rest_that_does_not_fit_says_nothing_of_what_came_after_its_question() {
    let (origin, weir, mut client) = with_a_part();
    let gate = Gate::new();
    let head = "HTTP/1.1 206 P\r\nCache-Control: max-age=60\r\nETag: \"2\"\r\nContent-Range: bytes 7-8/12\r\n";
    origin.says("").after(&gate).then(format!("{head}Content-Length: 2\r\n\r\nhi"));
    client.get("/x").field("Range", "bytes=4-8").sent();
    asked(&origin, 1, Some("bytes=7-8"), Some("\"1\""));
    // It changes meanwhile, and all of it is stored.
    let mut other = weir.client();
    origin.replies(200).body("done");
    other.post("/x", "new").sees(200);
    sends_all(&origin, LETTERS, "\"2\"");
    other.get("/x").sees(200).body(LETTERS);
    assert!(other.get("/x").sees(200).body(LETTERS).value("cache-status").starts_with("weir; hit"));
    sends(&origin, LETTERS, 4, 8, "\"2\"");
    gate.open();
    client.sees(206).field("etag", "\"2\"").body("efghi");
    assert!(other.get("/x").sees(200).body(LETTERS).value("cache-status").starts_with("weir; hit"));
    asked(&origin, 4, Some("bytes=4-8"), None);
}

#[test]
fn who_has_a_part_does_not_share_with_who_has_none() {
    let (origin, weir, mut client) = with_a_part();
    let (mut other, gates) = (weir.client(), [Gate::new(), Gate::new()]);
    let head = "HTTP/1.1 206 P\r\nCache-Control: max-age=60\r\nETag: \"2\"\r\nContent-Range: bytes 7-8/12\r\n";
    for gate in &gates {
        origin.says("").after(gate).then(format!("{head}Content-Length: 2\r\n\r\nhi"));
    }
    client.get("/x").field("Range", "bytes=4-8").sent();
    asked(&origin, 1, Some("bytes=7-8"), Some("\"1\""));
    other.get("/x").field("Range", "bytes=4-8").field("If-Range", "\"1\"").sent();
    asked(&origin, 2, Some("bytes=7-8"), Some("\"1\""));
    sends(&origin, LETTERS, 4, 8, "\"2\"");
    gates[0].open();
    client.sees(206).field("content-range", "bytes 4-8/12").body("efghi");
    sends_all(&origin, LETTERS, "\"2\"");
    gates[1].open();
    other.sees(200).lacks("content-range").body(LETTERS);
    asked(&origin, 4, None, None);
}

#[test]
fn parts_on_disk_are_joined_with_the_rest_after_a_restart() {
    let origin = Origin::start();
    sends(&origin, DIGITS, 2, 6, "\"1\"");
    let directory = tempfile::tempdir().unwrap();
    let disk = format!("disk = {{ path = \"{}\", size = \"16MiB\" }}\n[[route]]", directory.path().display());
    let on_disk = CACHING.replace("[[route]]", &disk);
    let mut weir = Weir::before(&origin, &on_disk);
    part(&mut weir.client(), "bytes=2-6", 206).body("23456");
    weir.stop();
    let mut weir = Weir::before(&origin, &on_disk);
    sends(&origin, DIGITS, 7, 8, "\"1\"");
    part(&mut weir.client(), "bytes=4-8", 206).field("content-range", "bytes 4-8/10").body("45678");
    asked(&origin, 1, Some("bytes=7-8"), Some("\"1\""));
    weir.stop();
    let weir = Weir::before(&origin, &on_disk);
    part(&mut weir.client(), "bytes=2-8", 206).body("2345678");
    origin.saw(2);
}

#[test]
fn what_the_latest_part_says_of_all_of_them_holds_after_a_restart() {
    for (control, key) in [("no-cache", ""), ("max-age=0", ""), (FRESH, "sale")] {
        let origin = Origin::start();
        sends(&origin, DIGITS, 2, 6, "\"1\"");
        let directory = tempfile::tempdir().unwrap();
        let disk = format!("disk = {{ path = \"{}\", size = \"16MiB\" }}\n[[route]]", directory.path().display());
        let mut weir = Weir::before(&origin, &CACHING.replace("[[route]]", &disk));
        part(&mut weir.client(), "bytes=2-6", 206).body("23456");
        let reply = origin.replies(206).field("Cache-Control", control).field("ETag", "\"1\"");
        reply.field("Surrogate-Key", key).field("Content-Range", "bytes 7-7/10").body("7");
        part(&mut weir.client(), "bytes=7-7", 206).body("7");
        weir.stop();
        weir.starts_again();
        if !key.is_empty() {
            weir.purges("{\"tag\": \"sale\"}");
        }
        sends(&origin, DIGITS, 2, 6, "\"1\"");
        part(&mut weir.client(), "bytes=2-6", 206).body("23456");
        origin.saw(3);
    }
}

#[test]
fn of_a_whole_that_comes_for_a_range_the_client_gets_its_range() {
    let origin = Origin::start();
    let long: String = "0123456789abcdef".repeat(128 * 1024);
    let at = long.len() - 5;
    // It is not stored, and the range begins further on than what is kept for slow readers.
    origin.replies(200).field("Cache-Control", "no-store").field("ETag", "\"1\"").body(&long);
    origin.replies(200).field("Cache-Control", FRESH).field("ETag", "\"1\"").body(&long);
    let weir = Weir::before(&origin, CACHING);
    let mut client = weir.client();
    for _ in 0..3 {
        let seen = part(&mut client, &format!("bytes={at}-"), 206).body("bcdef");
        seen.field("content-range", &format!("bytes {at}-{}/{}", long.len() - 1, long.len()));
    }
    origin.saw(2);
}

#[test]
fn fields_that_the_rest_has_for_one_client_go_to_the_one_who_caused_it() {
    let (origin, _weir, mut client) = with_a_part();
    let own = |first: usize, last: usize| {
        let control = "max-age=60, private=\"x-own\", no-cache=\"x-too\"";
        let reply = origin.replies(206).field("Cache-Control", control).field("ETag", "\"1\"");
        let reply = reply.field("X-Own", "a").field("X-Own", "b").field("X-Too", "c").field("X-All", "d");
        drop(reply.field("Content-Range", &format!("bytes {first}-{last}/10")).body(&DIGITS[first..=last]));
    };
    own(7, 8);
    let seen = part(&mut client, "bytes=4-8", 206).field("x-too", "c").field("x-all", "d").body("45678");
    assert_eq!(seen.fields.all("x-own"), ["a", "b"], "{seen:?}");
    part(&mut client, "bytes=4-8", 206).lacks("x-own").lacks("x-too").field("x-all", "d").body("45678");
    origin.saw(2);
    // The same where the whole is put together.
    own(0, 1);
    own(9, 9);
    part(&mut client, "bytes=0-3", 206).field("x-own", "a, b");
    client.get("/x").sees(200).field("x-own", "a, b").field("x-too", "c").body(DIGITS);
    client.get("/x").sees(200).lacks("x-own").lacks("x-too").body(DIGITS);
    origin.saw(4);
}
