//! Ranges that are asked for at the same time, one in the other: they are one fetch; and what came of a fetch that was given
//! up is not fetched again.

#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]

mod support;

use std::ops::Range;
use support::{Client, Gate, Origin, Peer, Puppet, Response, Weir, eventually};

const CACHING: &str = "[cache.pages]\nmemory = \"256MiB\"\n[[route]]\npool = \"app\"\ncache = \"pages\"\n";
const DIGITS: &str = "0123456789";
const LETTERS: &str = "abcdefghijkl";
const FRESH: &str = "max-age=60";
const FILM_BYTES: usize = 10_000_000;

fn film() -> String {
    (0..FILM_BYTES).map(|at| char::from(b'a' + (at / 7 % 26) as u8)).collect()
}

/// A gate that keeps nobody.
fn opened() -> Gate {
    let gate = Gate::new();
    gate.open();
    gate
}

/// The origin sends these bytes of `of` once the gate is open, and says that it does.
fn sends(origin: &Origin, gate: &Gate, of: &str, bytes: Range<usize>, etag: &str) {
    says(origin, gate, &format!("bytes {}-{}/{}", bytes.start, bytes.end - 1, of.len()), &of[bytes], etag);
}

fn says(origin: &Origin, gate: &Gate, range: &str, body: &str, etag: &str) {
    let reply = origin.replies(206).field("Cache-Control", FRESH).field("ETag", etag);
    reply.field("Content-Range", range).after(gate).body(body);
}

/// A client that asked for a range of `/x`.
fn asks(weir: &Weir, range: &str) -> Client {
    let mut client = weir.client();
    client.get("/x").field("Range", range).sent();
    client
}

/// One whose request is with the origin, and another who asks for `within` meanwhile.
fn two(origin: &Origin, weir: &Weir, around: &str, within: &str) -> (Client, Client) {
    let before = origin.count();
    let leader = asks(weir, around);
    origin.request(before);
    let other = asks(weir, within);
    weir.counts("weir_cache_collapsed_total{cache=\"pages\"}", 1.0);
    (leader, other)
}

fn collapsed(response: &Response) -> bool {
    response.value("cache-status").contains("collapsed")
}

#[test]
fn a_hundred_clients_on_the_beginning_of_a_film_are_one_request() {
    let (origin, gate, film) = (Origin::start(), Gate::new(), film());
    sends(&origin, &gate, &film, 0..65536, "\"1\"");
    let weir = Weir::before(&origin, CACHING);
    let ranges = [0..65536, 0..1024, 30_000..40_001, 65_535..65_536];
    let mut clients = vec![(asks(&weir, "bytes=0-65535"), ranges[0].clone())];
    origin.request(0);
    for range in ranges.iter().cycle().take(99) {
        clients.push((asks(&weir, &format!("bytes={}-{}", range.start, range.end - 1)), range.clone()));
    }
    weir.counts("weir_cache_collapsed_total{cache=\"pages\"}", 99.0);
    gate.open();
    for (number, (client, range)) in clients.iter_mut().enumerate() {
        let seen = client.sees(206).body(&film[range.clone()]);
        assert_eq!(collapsed(&seen), number > 0, "{seen:?}");
        let said = format!("bytes {}-{}/{FILM_BYTES}", range.start, range.end - 1);
        seen.field("content-range", &said).field("etag", "\"1\"");
    }
    origin.saw(1);
}

#[test]
fn a_range_is_cut_of_the_whole_that_is_on_its_way_unless_it_is_far_ahead() {
    let (origin, gate, film) = (Origin::start(), Gate::new(), film());
    let whole = origin.replies(200).field("Cache-Control", FRESH).field("ETag", "\"1\"").after(&gate);
    whole.body(&film);
    sends(&origin, &opened(), &film, 5_000_000..5_000_010, "\"1\"");
    let weir = Weir::before(&origin, CACHING);
    let mut leader = weir.client();
    leader.get("/x").sent();
    origin.request(0);
    let mut near = asks(&weir, "bytes=100-199");
    weir.counts("weir_cache_collapsed_total{cache=\"pages\"}", 1.0);
    // Who jumps does not wait for what comes before.
    asks(&weir, "bytes=5000000-5000009").sees(206).body(&film[5_000_000..5_000_010]);
    origin.request(1).field("range", "bytes=5000000-5000009");
    gate.open();
    near.sees(206).body(&film[100..200]);
    leader.sees(200).body(&film);
    origin.saw(2);
}

#[test]
fn an_origin_that_ignores_ranges_is_asked_once() {
    let (origin, gate) = (Origin::start(), Gate::new());
    let whole = origin.replies(200).field("Cache-Control", FRESH).field("ETag", "\"1\"").after(&gate);
    whole.body(DIGITS);
    let weir = Weir::before(&origin, CACHING);
    let (mut leader, mut other) = two(&origin, &weir, "bytes=0-6", "bytes=2-4");
    gate.open();
    leader.sees(206).field("content-range", "bytes 0-6/10").body("0123456");
    other.sees(206).field("content-range", "bytes 2-4/10").body("234");
    origin.saw(1);
}

#[test]
fn nobody_gets_bytes_of_two_representations_when_it_changes_between_two_parts() {
    for is_partial in [true, false] {
        let (origin, gate) = (Origin::start(), Gate::new());
        sends(&origin, &opened(), DIGITS, 0..5, "\"1\"");
        let weir = Weir::before(&origin, CACHING);
        asks(&weir, "bytes=0-4").sees(206).body("01234");
        if is_partial {
            // It does not heed If-Range, and is asked again for all of it.
            sends(&origin, &gate, LETTERS, 5..9, "\"2\"");
            sends(&origin, &gate, LETTERS, 0..9, "\"2\"");
        } else {
            origin.replies(200).field("Cache-Control", FRESH).field("ETag", "\"2\"").after(&gate).body(LETTERS);
        }
        let (mut leader, mut other) = two(&origin, &weir, "bytes=0-8", "bytes=3-6");
        origin.request(1).field("range", "bytes=5-8").field("if-range", "\"1\"");
        gate.open();
        leader.sees(206).field("etag", "\"2\"").field("content-range", "bytes 0-8/12").body(&LETTERS[..9]);
        other.sees(206).field("etag", "\"2\"").field("content-range", "bytes 3-6/12").body(&LETTERS[3..7]);
        origin.saw(if is_partial { 3 } else { 2 });
    }
}

#[test]
fn what_does_not_bring_what_it_was_asked_for_is_for_the_one_who_asked_for_it() {
    for (range, body) in [
        // Other bytes, more than there are, how many there are of it is not known, and none that are named.
        ("bytes 6-9/10", "6789"),
        ("bytes 0-6/10", "012"),
        ("bytes 0-6/*", "0123456"),
        ("bytes 6-0/10", "0123456"),
        ("bytes */10", "0123456"),
    ] {
        let (origin, gate) = (Origin::start(), Gate::new());
        says(&origin, &gate, range, body, "\"1\"");
        sends(&origin, &opened(), DIGITS, 2..5, "\"1\"");
        let weir = Weir::before(&origin, CACHING);
        let (mut leader, mut other) = two(&origin, &weir, "bytes=0-6", "bytes=2-4");
        gate.open();
        leader.sees(206).body(body);
        other.sees(206).field("content-range", "bytes 2-4/10").body("234");
        origin.request(1).field("range", "bytes=2-4");
        origin.saw(2);
    }
}

#[test]
fn an_error_to_a_range_is_no_answer_to_one_within_it() {
    let (origin, gate) = (Origin::start(), Gate::new());
    origin.replies(416).field("Content-Range", "bytes */10").after(&gate).body("");
    sends(&origin, &opened(), DIGITS, 2..5, "\"1\"");
    let weir = Weir::before(&origin, CACHING);
    let (mut leader, mut other) = two(&origin, &weir, "bytes=0-6", "bytes=2-4");
    gate.open();
    leader.sees(416);
    other.sees(206).body("234");
    origin.saw(2);
}

#[test]
fn what_is_not_surely_in_the_whole_that_comes_is_asked_for_alone() {
    // It lies beyond the end; or nobody knows how long the whole is.
    let (origin, gate) = (Origin::start(), Gate::new());
    origin.replies(200).field("Cache-Control", FRESH).field("ETag", "\"1\"").after(&gate).body(DIGITS);
    origin.replies(416).field("Content-Range", "bytes */10").body("");
    let weir = Weir::before(&origin, CACHING);
    let (mut leader, mut other) = with_whole(&origin, &weir, "bytes=20-");
    gate.open();
    leader.sees(200).body(DIGITS);
    other.sees(416).field("content-range", "bytes */10");

    let (origin, gate, end) = (Origin::start(), Gate::new(), Gate::new());
    let head =
        format!("HTTP/1.1 200 OK\r\nCache-Control: {FRESH}\r\nETag: \"1\"\r\nTransfer-Encoding: chunked\r\n\r\n");
    origin.says("").after(&gate).then(head + "a\r\n0123456789\r\n").after(&end).then("0\r\n\r\n");
    sends(&origin, &opened(), DIGITS, 0..2, "\"1\"");
    let weir = Weir::before(&origin, CACHING);
    let (mut leader, mut other) = with_whole(&origin, &weir, "bytes=0-1");
    gate.open();
    other.sees(206).field("content-range", "bytes 0-1/10").body("01");
    end.open();
    leader.sees(200).body(DIGITS);
    origin.saw(2);
}

/// One whose request for the whole is with the origin, and another who asks for `within` meanwhile.
fn with_whole(origin: &Origin, weir: &Weir, within: &str) -> (Client, Client) {
    let mut leader = weir.client();
    leader.get("/x").sent();
    origin.request(0);
    let other = asks(weir, within);
    weir.counts("weir_cache_collapsed_total{cache=\"pages\"}", 1.0);
    (leader, other)
}

/// The backend is asked for `asked`, and sends the first `count` bytes of that.
fn plays(peer: &mut Peer, film: &str, asked: &str, bytes: Range<usize>, count: usize) {
    peer.gets().field("range", asked);
    let Range { start, end } = bytes;
    let lines =
        format!("ETag: \"1\"\r\nCache-Control: max-age=60\r\nContent-Range: bytes {start}-{}/{FILM_BYTES}", end - 1);
    peer.send(format!("HTTP/1.1 206 Partial Content\r\nContent-Length: {}\r\n{lines}\r\n\r\n", end - start));
    peer.send(&film[start..start + count]);
}

#[test]
fn a_player_that_seeks_makes_no_byte_be_fetched_twice() {
    let (origin, film) = (Puppet::start(), film());
    let weir = Weir::start(CACHING, &[("origin", &origin.address())]);
    let mut player = asks(&weir, "bytes=0-1");
    let mut peer = origin.accepts();
    plays(&mut peer, &film, "bytes=0-1", 0..2, 2);
    player.sees(206).body("aa");
    player.get("/x").field("Range", "bytes=0-65535").sent();
    plays(&mut peer, &film, "bytes=2-65535", 2..65_536, 65_534);
    player.sees(206).body(&film[..65_536]);
    // What tells where the pictures are is at the end.
    player.get("/x").field("Range", "bytes=9900000-").sent();
    plays(&mut peer, &film, "bytes=9900000-", 9_900_000..FILM_BYTES, 100_000);
    player.sees(206).body(&film[9_900_000..]);
    // It plays, and jumps away before all of that came.
    player.get("/x").field("Range", "bytes=65536-").sent();
    plays(&mut peer, &film, "bytes=65536-9899999", 65_536..9_900_000, 300_000);
    player.sees_head(206).field("content-range", "bytes 65536-9999999/10000000");
    assert!(player.exactly(300_000).unwrap() == film.as_bytes()[65_536..365_536]);
    player.into_wire().reset();
    peer.ends();
    eventually("what came is kept", || weir.metric("weir_cache_bytes{cache=\"pages\",tier=\"memory\"}") > 465_536.0);
    let mut player = asks(&weir, "bytes=200000-700000");
    let mut peer = origin.accepts();
    plays(&mut peer, &film, "bytes=365536-700000", 365_536..700_001, 334_465);
    player.sees(206).body(&film[200_000..700_001]);
    player.get("/x").field("Range", "bytes=0-700000").sees(206).body(&film[..700_001]);
    origin.is_left_alone();
}

#[test]
fn what_came_of_a_fetch_that_was_given_up_is_kept_only_where_the_rest_can_be_joined() {
    let film = film();
    for (line, asked) in [
        ("ETag: \"1\"\r\n", Some("bytes=300000-9999999")),
        ("ETag: W/\"1\"\r\n", None),
        ("ETag: \"1\"\r\nContent-Digest: sha-256=:x:\r\n", None),
        ("", None),
    ] {
        let origin = Puppet::start();
        let weir = Weir::start(CACHING, &[("origin", &origin.address())]);
        let mut client = weir.client();
        client.get("/x").sent();
        let mut peer = origin.accepts();
        peer.gets();
        peer.send(format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {FILM_BYTES}\r\nCache-Control: max-age=60\r\n{line}\r\n"
        ));
        peer.send(&film[..300_000]);
        client.sees_head(200);
        assert!(client.exactly(300_000).unwrap() == film.as_bytes()[..300_000]);
        client.into_wire().reset();
        peer.ends();
        let stored = if asked.is_some() { 1.0 } else { 0.0 };
        weir.counts("weir_cache_stored_total{cache=\"pages\"}", stored);
        let mut next = weir.client();
        next.get("/x").sent();
        let seen = origin.accepts().gets();
        assert_eq!(seen.fields.get("range").as_deref(), asked, "{line}");
    }
}
