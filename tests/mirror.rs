//! Copies of requests to another pool: whole, only a share, and never at the cost of the original.

#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]

mod support;

use std::time::{Duration, Instant};
use support::{Origin, PATIENCE, Puppet, Seen, Weir};

const POOLS: &str = "[pool.app]\nbackends = [\"{origin}\"]\n[pool.shadow]\nbackends = [\"{shadow}\"]\n";
const SENT: &str = "weir_mirrored_total{result=\"sent\"}";
const DROPPED: &str = "weir_mirrored_total{result=\"dropped\"}";

fn mirroring(origin: &Origin, shadow: &str, route: &str) -> Weir {
    let text = format!("{POOLS}[[route]]\npool = \"app\"\n{route}");
    Weir::start(&text, &[("origin", &origin.address()), ("shadow", shadow)])
}

const ALL: &str = "mirror = { pool = \"shadow\" }\n";

fn same(a: &Seen, b: &Seen) {
    assert_eq!((&a.line, &a.fields, &a.trailers), (&b.line, &b.fields, &b.trailers));
    assert!(a.body == b.body, "{} bytes, {} bytes", a.body.len(), b.body.len());
}

#[test]
fn a_copy_is_the_same_request_and_its_answer_is_not_seen() {
    let (origin, shadow) = (Origin::start(), Origin::named("shadow"));
    shadow.replies(500).field("X-Shadow", "1").body("boom");
    let weir = mirroring(&origin, &shadow.address(), &format!("{ALL}rewrite = {{ prefix = \"/to\" }}\n"));
    let mut client = weir.client();
    client.get("/a?b=c").field("X-One", "1").field("Cookie", "d=e").sees(200).body("ok").lacks("x-shadow");
    client.ask("HEAD", "/h").sees(200);
    client.ask("DELETE", "/d").sees(200);
    for number in 0..3 {
        // Each copy is a task of its own: the order of arrival is nobody's promise.
        let line = origin.request(number).line;
        let copy = (0..3).map(|at| shadow.request(at)).find(|seen| seen.line == line).unwrap();
        same(&origin.request(number), &copy);
    }
    origin.request(0).field("host", "test.example");
    assert!(origin.request(0).line.contains("/to/a?b=c"), "{:?}", origin.request(0));
    weir.counts(SENT, 3.0);
    shadow.saw(3);
    origin.saw(3);
}

#[test]
fn a_share_of_requests_is_copied() {
    let (origin, shadow) = (Origin::start(), Origin::start());
    let weir = mirroring(&origin, &shadow.address(), "mirror = { pool = \"shadow\", share = \"50%\" }\n");
    let mut client = weir.client();
    for _ in 0..400 {
        client.get("/").sees(200);
    }
    let sent = weir.metric(SENT);
    // 200 wanted; 50 off is five standard deviations of a fair coin.
    assert!((sent - 200.0).abs() < 50.0, "{sent}");
    shadow.request(sent as usize - 1);
    weir.counts(
        "weir_attempts_total{pool=\"shadow\",backend=\"{shadow}\"}".replace("{shadow}", &shadow.address()).as_str(),
        sent,
    );
    origin.saw(400);
}

#[test]
fn small_content_is_copied_whole() {
    let (origin, shadow) = (Origin::start(), Origin::start());
    let weir = mirroring(&origin, &shadow.address(), ALL);
    let mut client = weir.client();
    for (number, size) in [1, 1000, 64 * 1024].into_iter().enumerate() {
        client.post("/", &"x".repeat(size)).sees(200).body("ok");
        same(&origin.request(number), &shadow.request(number));
        assert_eq!(shadow.last().body.len(), size);
    }
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n");
    client.send("3\r\nabc\r\n");
    client.send("2\r\nde\r\n0\r\nX-Sum: 5\r\n\r\n");
    client.sees(200);
    same(&origin.request(3), &shadow.request(3));
    assert_eq!((&shadow.last().body[..], shadow.last().trailers.get("x-sum").as_deref()), (&b"abcde"[..], Some("5")));
    client.post("/", "").sees(200);
    same(&origin.request(4), &shadow.request(4));
    weir.counts(SENT, 5.0);
    weir.counts(DROPPED, 0.0);
}

#[test]
fn large_or_broken_content_is_not_copied_and_the_original_is_whole() {
    let (origin, shadow) = (Origin::start(), Origin::start());
    let weir = mirroring(&origin, &shadow.address(), ALL);
    let large = "y".repeat(64 * 1024 + 1);
    weir.client().post("/", &large).sees(200).body("ok");
    assert!(origin.last().body == large.as_bytes());
    let mut client = weir.client();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    client.send(format!("{:x}\r\n{large}\r\n", large.len()));
    client.send(format!("{:x}\r\n{large}\r\n0\r\n\r\n", large.len()));
    client.sees(200).body("ok");
    assert_eq!(origin.last().body.len(), 2 * large.len());
    weir.counts(DROPPED, 2.0);
    let mut client = weir.client();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc");
    client.into_wire().reset();
    weir.counts(DROPPED, 3.0);
    weir.counts(SENT, 0.0);
    shadow.saw(0);
}

#[test]
fn a_dead_mirror_is_not_noticed() {
    let origin = Origin::start();
    // Bound and not listening: nobody else takes the port, and nobody answers there.
    let dead = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    dead.bind(&"127.0.0.1:0".parse::<std::net::SocketAddr>().unwrap().into()).unwrap();
    let address = dead.local_addr().unwrap().as_socket().unwrap().to_string();
    let weir = mirroring(&origin, &address, ALL);
    let mut client = weir.client();
    client.get("/").sees(200).body("ok");
    client.post("/", "abc").sees(200).body("ok");
    weir.counts(SENT, 2.0);
    weir.counts(&format!("weir_connect_failures_total{{pool=\"shadow\",backend=\"{address}\"}}"), 2.0);
    weir.counts("weir_exchanges_total{route=\"*/*\",status=\"2xx\"}", 2.0);
}

#[test]
fn copies_to_a_mirror_that_stalls_are_bounded_and_cost_the_original_nothing() {
    let (origin, shadow) = (Origin::start(), Puppet::start());
    let weir = mirroring(&origin, &shadow.address(), ALL);
    let begun = Instant::now();
    let mut client = weir.client();
    for _ in 0..100 {
        client.get("/").sees(200).body("ok");
        client.post("/", "abc").sees(200).body("ok");
    }
    assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
    weir.counts(SENT, 64.0);
    weir.counts(DROPPED, 136.0);
    // All that were sent have a connection of their own; there is no sixty-fifth.
    let peers: Vec<_> = (0..64).map(|_| shadow.accepts()).collect();
    shadow.is_left_alone();
    // A place that becomes free is taken again.
    drop(peers);
    weir.counts("weir_exchanges_in_flight", 0.0);
    let mut freed = false;
    while !freed && begun.elapsed() < PATIENCE {
        client.get("/").sees(200);
        freed = weir.metric(SENT) > 64.0;
    }
    assert!(freed);
}

#[test]
fn an_answer_without_end_is_left() {
    let (origin, shadow) = (Origin::start(), Puppet::start());
    let weir = mirroring(&origin, &shadow.address(), ALL);
    weir.client().get("/").sees(200).body("ok");
    let mut peer = shadow.accepts();
    peer.gets();
    peer.send("HTTP/1.1 200 OK\r\n\r\n");
    let piece = vec![b'z'; 64 * 1024];
    let until = (0..1000).find(|_| peer.try_send(&piece).is_err());
    assert!(until.is_some(), "64 MB were read of what nobody wants");
}

#[test]
fn a_drain_waits_for_a_copy_that_is_under_way() {
    let (origin, shadow) = (Origin::start(), Puppet::start());
    let mut weir = mirroring(&origin, &shadow.address(), ALL);
    weir.client().get("/").field("Connection", "close").sees(200).body("ok");
    let mut peer = shadow.accepts();
    peer.gets();
    weir.signal("TERM");
    assert!(peer.nothing_for(Duration::from_millis(200)), "the copy was cut off");
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    assert!(weir.ends().success());
}

#[test]
fn tunnels_are_not_copied() {
    let (origin, shadow) = (Puppet::start(), Puppet::start());
    let text = format!("{POOLS}[[route]]\npool = \"app\"\n{ALL}");
    let weir = Weir::start(&text, &[("origin", &origin.address()), ("shadow", &shadow.address())]);
    let mut client = weir.client();
    client
        .get("/")
        .field("Connection", "Upgrade")
        .field("Upgrade", "websocket")
        .field("Sec-WebSocket-Version", "13")
        .field("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
        .sent();
    let mut peer = origin.accepts();
    peer.gets_head();
    peer.send(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
    );
    client.sees_head(101);
    shadow.is_left_alone();
    assert!(weir.metric(SENT) + weir.metric(DROPPED) < f64::EPSILON);
}
