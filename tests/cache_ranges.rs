//! Parts of what is stored, and parts that are stored.

#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]

mod support;

use support::{Client, Gate, Origin, Response, Weir};

const CACHING: &str = "[cache.pages]\nmemory = \"64MiB\"\n[[route]]\npool = \"app\"\ncache = \"pages\"\n";
const DIGITS: &str = "0123456789";

/// A cache that has [`DIGITS`], and a client of it.
fn stored(origin: &Origin) -> (Weir, Client) {
    let reply = origin.replies(200).field("Cache-Control", "max-age=60").field("ETag", "\"1\"");
    reply.field("Content-Type", "text/plain").field("Last-Modified", "Mon, 02 Nov 2026 10:00:00 GMT").body(DIGITS);
    let weir = Weir::before(origin, CACHING);
    let mut client = weir.client();
    client.get("/x").sees(200).body(DIGITS);
    (weir, client)
}

/// The origin sends these digits of ten.
fn sends(origin: &Origin, first: usize, last: usize, etag: &str) {
    let reply = origin.replies(206).field("Cache-Control", "max-age=60").field("ETag", etag);
    reply.field("Content-Range", &format!("bytes {first}-{last}/10")).body(&DIGITS[first..=last]);
}

fn part(client: &mut Client, range: &str, status: u16) -> Response {
    client.get("/x").field("Range", range).sees(status)
}

#[test]
fn one_part_of_a_stored_response() {
    let origin = Origin::start();
    let (_weir, mut client) = stored(&origin);
    for (range, said, body) in [
        ("bytes=2-4", "bytes 2-4/10", "234"),
        ("bytes=7-", "bytes 7-9/10", "789"),
        ("bytes=-3", "bytes 7-9/10", "789"),
        ("bytes=-100", "bytes 0-9/10", DIGITS),
        ("bytes=0-0", "bytes 0-0/10", "0"),
        ("bytes=8-100", "bytes 8-9/10", "89"),
        ("BYTES=1-1", "bytes 1-1/10", "1"),
    ] {
        let seen = part(&mut client, range, 206).field("content-range", said).body(body);
        seen.field("etag", "\"1\"").field("content-type", "text/plain");
    }
    for range in ["bytes=4-2", "bytes=a", "lines=1-2", "bytes="] {
        part(&mut client, range, 200).lacks("content-range").body(DIGITS);
    }
    client.ask("HEAD", "/x").field("Range", "bytes=2-4").sees(200).field("content-length", "10");
    origin.saw(1);
}

#[test]
fn what_no_range_meets_is_said_with_the_length() {
    let origin = Origin::start();
    let (_weir, mut client) = stored(&origin);
    for range in ["bytes=10-", "bytes=20-30", "bytes=-0"] {
        part(&mut client, range, 416).field("content-range", "bytes */10");
    }
    origin.saw(1);
}

#[test]
fn several_parts_are_one_multipart_body() {
    let origin = Origin::start();
    let content: String = (0..1000).map(|number| format!("{number:03}\n")).collect();
    let reply = origin.replies(200).field("Cache-Control", "max-age=60").field("ETag", "\"1\"");
    reply.field("Content-Type", "text/plain").body(&content);
    let weir = Weir::before(&origin, CACHING);
    let mut client = weir.client();
    client.get("/x").sees(200).body(&content);
    let seen = part(&mut client, "bytes=0-2, 2000-2006, -4", 206).lacks("content-range");
    let kind = seen.value("content-type");
    let boundary = kind.strip_prefix("multipart/byteranges; boundary=").unwrap().trim_matches('"');
    let (text, close) = (seen.text(), format!("\r\n--{boundary}--"));
    let whole = format!("\r\n{}", text.trim_end().strip_suffix(&close).unwrap().trim_start());
    let between = format!("\r\n--{boundary}\r\n");
    let parts = whole.split(&between).skip(1).map(|part| part.split_once("\r\n\r\n").unwrap());
    let wanted = [("0-2", &content[..3]), ("2000-2006", &content[2000..2007]), ("3996-3999", &content[3996..])];
    assert_eq!(parts.clone().count(), wanted.len(), "{text}");
    for ((head, content), (range, body)) in parts.zip(wanted) {
        let head = head.to_ascii_lowercase();
        assert!(head.contains(&format!("content-range: bytes {range}/4000")), "{head}");
        assert!(head.contains("content-type: text/plain"), "{head}");
        assert_eq!(content, body);
    }
    // Parts that are as good as one are one, and more than a client can want are the whole.
    part(&mut client, "bytes=0-2, 3-5", 206).field("content-range", "bytes 0-5/4000").body(&content[..6]);
    let many: Vec<_> = (0..500).map(|_| "0-").collect();
    assert!(part_or_whole(&mut client, &format!("bytes={}", many.join(","))) <= 4000);
    origin.saw(1);
}

/// Bytes of content that come for a range.
fn part_or_whole(client: &mut Client, range: &str) -> usize {
    client.get("/x").field("Range", range).gets().unwrap().body.len()
}

#[test]
fn a_part_is_given_only_of_the_response_that_the_client_has() {
    let origin = Origin::start();
    let (_weir, mut client) = stored(&origin);
    for (condition, status) in [
        ("\"1\"", 206),
        ("\"2\"", 200),
        ("W/\"1\"", 200),
        ("Mon, 02 Nov 2026 10:00:00 GMT", 206),
        ("Mon, 02 Nov 2026 10:00:01 GMT", 200),
    ] {
        let seen = client.get("/x").field("Range", "bytes=2-4").field("If-Range", condition).sees(status);
        seen.body(if status == 206 { "234" } else { DIGITS });
    }
    // RFC 9110 §13.2.2: the other conditions come first.
    client.get("/x").field("Range", "bytes=2-4").field("If-None-Match", "\"1\"").sees(304);
    client.get("/x").field("Range", "bytes=2-4").field("If-Match", "\"2\"").sees(412);
    origin.saw(1);
}

#[test]
fn a_part_is_fetched_alone_stored_and_used_again() {
    let origin = Origin::start();
    sends(&origin, 2, 6, "\"1\"");
    let weir = Weir::before(&origin, CACHING);
    let mut client = weir.client();
    part(&mut client, "bytes=2-6", 206).field("content-range", "bytes 2-6/10").body("23456");
    origin.request(0).field("range", "bytes=2-6");
    part(&mut client, "bytes=2-6", 206).field("content-range", "bytes 2-6/10").body("23456");
    part(&mut client, "bytes=3-4", 206).field("content-range", "bytes 3-4/10").body("34");
    origin.saw(1);
}

#[test]
fn a_part_that_is_fetched_goes_only_to_whom_it_is_for_by_the_conditions() {
    let origin = Origin::start();
    let weir = Weir::before(&origin, CACHING);
    let mut client = weir.client();
    let mut ask = |name: &str, value: &str, status: u16| {
        let seen = client.get("/x").field("Range", "bytes=5-").field(name, value).sees(status);
        match status {
            206 => seen.field("content-range", "bytes 5-9/10").body("56789"),
            _ => seen.lacks("content-range").body(""),
        }
    };
    // Nothing is stored; RFC 9110 §13.1.1: who resumes what he has of "1" gets nothing of "2".
    let sends = |control: &str| {
        let reply = origin.replies(206).field("Cache-Control", control).field("ETag", "\"2\"");
        let reply = reply.field("Last-Modified", "Mon, 02 Nov 2026 10:00:00 GMT").field("Content-Type", "a/b");
        reply.field("Content-Range", "bytes 5-9/10").body("56789");
    };
    let mut stored = 0.0;
    for (name, value, status) in [
        ("If-Match", "\"1\"", 412),
        ("If-Match", "\"2\"", 206),
        ("If-Unmodified-Since", "Mon, 02 Nov 2026 09:59:59 GMT", 412),
        ("If-Unmodified-Since", "Mon, 02 Nov 2026 10:00:00 GMT", 206),
        ("If-None-Match", "\"2\"", 304),
        ("If-None-Match", "\"1\"", 206),
    ] {
        // It is not to be stored, or it is, and then the next has it from there.
        for control in ["no-store", "max-age=60"] {
            weir.purges("{\"all\": true}");
            sends(control);
            let seen = ask(name, value, status);
            assert!(!seen.value("cache-status").contains("hit"), "{seen:?}");
            if status == 412 {
                seen.lacks("content-type").field("content-length", "0");
            }
        }
        stored += 1.0;
        weir.counts("weir_cache_stored_total{cache=\"pages\"}", stored);
        let seen = ask(name, value, status);
        assert!(seen.value("cache-status").contains("hit"), "{seen:?}");
    }
    origin.request(0).field("range", "bytes=5-").lacks("if-match");
}

#[test]
fn a_part_of_what_took_the_place_of_what_was_stored_is_not_for_who_wants_that() {
    let origin = Origin::start();
    sends(&origin, 2, 6, "\"1\"");
    let weir = Weir::before(&origin, CACHING);
    let mut client = weir.client();
    part(&mut client, "bytes=2-6", 206).body("23456");
    // The rest is of another, which is then asked for by itself.
    sends(&origin, 7, 8, "\"2\"");
    sends(&origin, 4, 8, "\"2\"");
    let ask = client.get("/x").field("Range", "bytes=4-8").field("If-Match", "\"1\"");
    ask.sees(412).lacks("content-range").field("etag", "\"2\"").body("");
    origin.request(1).field("range", "bytes=7-8").field("if-range", "\"1\"");
    origin.request(2).field("range", "bytes=4-8").lacks("if-range");
    // It is stored for those who want it; for the others nothing more of it is fetched.
    let ask = client.get("/x").field("Range", "bytes=4-8").field("If-Match", "\"2\"");
    ask.sees(206).field("content-range", "bytes 4-8/10").body("45678");
    let ask = client.get("/x").field("Range", "bytes=4-9").field("If-Match", "\"1\"");
    ask.sees(412).lacks("content-range").body("");
    origin.saw(3);
}

#[test]
fn parts_of_one_strong_etag_become_the_whole() {
    let origin = Origin::start();
    sends(&origin, 0, 4, "\"1\"");
    sends(&origin, 5, 9, "\"1\"");
    let weir = Weir::before(&origin, CACHING);
    let mut client = weir.client();
    part(&mut client, "bytes=0-4", 206).body("01234");
    part(&mut client, "bytes=5-9", 206).body("56789");
    client.get("/x").sees(200).lacks("content-range").field("content-length", "10").body(DIGITS);
    part(&mut client, "bytes=3-6", 206).field("content-range", "bytes 3-6/10").body("3456");
    origin.saw(2);
}

#[test]
fn parts_of_different_or_weak_etags_stay_apart() {
    for (one, other) in [("\"1\"", "\"2\""), ("W/\"1\"", "W/\"1\"")] {
        let origin = Origin::start();
        sends(&origin, 0, 4, one);
        sends(&origin, 5, 9, other);
        origin.replies(200).field("Cache-Control", "max-age=60").body("whole");
        let weir = Weir::before(&origin, CACHING);
        let mut client = weir.client();
        part(&mut client, "bytes=0-4", 206).body("01234");
        part(&mut client, "bytes=5-9", 206).body("56789");
        client.get("/x").sees(200).body("whole");
        origin.saw(3);
    }
}

#[test]
fn a_part_that_is_shorter_than_it_says_is_as_much_of_it_and_a_longer_one_is_none() {
    let origin = Origin::start();
    let says = |content: &str| {
        let reply = origin.replies(206).field("Cache-Control", "max-age=60").field("ETag", "\"1\"");
        reply.field("Content-Range", "bytes 4-9/10").body(content);
    };
    says("45678");
    let weir = Weir::before(&origin, CACHING);
    let mut client = weir.client();
    part(&mut client, "bytes=-6", 206).body("45678");
    part(&mut client, "bytes=6-8", 206).field("content-range", "bytes 6-8/10").body("678");
    origin.saw(1);
    origin.replies(206).field("Content-Range", "bytes 9-9/10").field("ETag", "\"1\"").body("9");
    part(&mut client, "bytes=6-", 206).field("content-range", "bytes 6-9/10").body("6789");
    origin.saw(2);

    let origin = Origin::start();
    let reply = origin.replies(206).field("Cache-Control", "max-age=60").field("ETag", "\"1\"");
    reply.field("Content-Range", "bytes 4-5/10").body("4567");
    sends(&origin, 4, 5, "\"1\"");
    let weir = Weir::before(&origin, CACHING);
    let mut client = weir.client();
    part(&mut client, "bytes=4-5", 206).body("4567");
    part(&mut client, "bytes=4-5", 206).body("45");
    origin.saw(2);
}

#[test]
fn what_was_purged_is_no_part_of_what_comes_after() {
    let origin = Origin::start();
    sends(&origin, 0, 4, "\"1\"");
    // Its content is another one by now, though its ETag is not.
    let reply = origin.replies(206).field("Cache-Control", "max-age=60").field("ETag", "\"1\"");
    reply.field("Content-Range", "bytes 5-9/10").body("fghij");
    origin.replies(200).field("Cache-Control", "max-age=60").body("abcdefghij");
    let weir = Weir::before(&origin, CACHING);
    let mut client = weir.client();
    part(&mut client, "bytes=0-4", 206).body("01234");
    weir.purges("{\"all\": true}");
    part(&mut client, "bytes=5-9", 206).body("fghij");
    client.get("/x").sees(200).body("abcdefghij");
}

#[test]
fn a_digest_of_a_whole_message_is_not_said_of_a_part_of_it_nor_the_other_way_round() {
    let origin = Origin::start();
    let whole = origin.replies(200).field("Cache-Control", "max-age=60").field("ETag", "\"1\"");
    whole.field("Content-Digest", "sha-256=:YQ==:").field("Repr-Digest", "sha-256=:YQ==:").body(DIGITS);
    let some = origin.replies(206).field("Cache-Control", "max-age=60").field("Content-Range", "bytes 2-6/10");
    some.field("Content-Digest", "sha-256=:Yg==:").field("Repr-Digest", "sha-256=:YQ==:").body("23456");
    let weir = Weir::before(&origin, CACHING);
    let mut client = weir.client();
    client.get("/x").sees(200).field("content-digest", "sha-256=:YQ==:");
    part(&mut client, "bytes=2-4", 206).lacks("content-digest").field("repr-digest", "sha-256=:YQ==:");
    let mut of_y = |range| client.get("/y").field("Range", range).sees(206).field("repr-digest", "sha-256=:YQ==:");
    of_y("bytes=2-6").field("content-digest", "sha-256=:Yg==:");
    of_y("bytes=2-4").lacks("content-digest").body("234");
}

#[test]
fn a_backend_that_knows_no_ranges_gives_the_whole_which_is_stored() {
    let origin = Origin::start();
    origin.replies(200).field("Cache-Control", "max-age=60").body(DIGITS);
    let weir = Weir::before(&origin, CACHING);
    let mut client = weir.client();
    let seen = client.get("/x").field("Range", "bytes=2-4").gets().unwrap();
    assert!(matches!((seen.status, &seen.text()[..]), (200, DIGITS) | (206, "234")), "{seen:?}");
    part(&mut client, "bytes=2-4", 206).body("234");
    client.get("/x").sees(200).body(DIGITS);
    origin.saw(1);
}

#[test]
fn who_wants_the_same_part_shares_a_fetch_and_who_wants_more_does_not() {
    let origin = Origin::start();
    let gate = Gate::new();
    for (range, body) in [("0-0", "0"), ("0-1", "01")] {
        let head = "HTTP/1.1 206 Partial Content\r\nCache-Control: max-age=60\r\nETag: \"1\"\r\n";
        let lines = format!("Content-Range: bytes {range}/10\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        origin.says("").after(&gate).then(format!("{head}{lines}"));
    }
    let weir = Weir::before(&origin, CACHING);
    let mut clients: Vec<_> = (0..4).map(|_| weir.client()).collect();
    clients[..3].iter_mut().for_each(|client| client.get("/x").field("Range", "bytes=0-0").sent());
    origin.request(0).field("range", "bytes=0-0");
    clients[3].get("/x").field("Range", "bytes=0-1").sent();
    origin.request(1).field("range", "bytes=0-1");
    gate.open();
    clients[3].sees(206).body("01");
    clients[..3].iter_mut().for_each(|client| drop(client.sees(206).body("0")));
    origin.saw(2);
}

#[test]
fn an_error_that_is_made_of_a_stored_response_is_not_as_fresh_as_that() {
    const FRESHNESS: [&str; 4] = ["cache-control", "cdn-cache-control", "surrogate-control", "expires"];
    let fields = "Cache-Control: max-age=60\r\nCDN-Cache-Control: max-age=60\r\nSurrogate-Control: max-age=60\r\n\
                  Expires: Thu, 01 Jan 2037 00:00:00 GMT\r\nETag: \"1\"\r\n";
    let (origin, gate) = (Origin::start(), Gate::new());
    origin.says(format!("HTTP/1.1 200 Said\r\nContent-Length: 10\r\n{fields}\r\n")).after(&gate).then(DIGITS);
    let weir = Weir::before(&origin, CACHING);
    let mut client = weir.client();
    let is_bare = |response: Response| FRESHNESS.iter().fold(response, |response, name| response.lacks(name));
    // While it comes, and once it is there.
    let early = is_bare(client.get("/x").field("If-Match", "\"2\"").sees(412));
    early.field("etag", "\"1\"");
    gate.open();
    client.get("/x").sees(200).field("cache-control", "max-age=60").body(DIGITS);
    is_bare(client.get("/x").field("If-Match", "\"2\"").sees(412)).field("etag", "\"1\"");
    is_bare(part(&mut client, "bytes=20-30", 416)).field("content-range", "bytes */10");
    client.get("/x").field("If-None-Match", "\"1\"").sees(304).field("cache-control", "max-age=60");
    origin.saw(1);
}
