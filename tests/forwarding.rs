//! What reaches the backend, and what reaches the client.

#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]

mod support;

use support::{Origin, Puppet, Weir};

const ALL: &str = "[[route]]\npool = \"app\"\n";

fn before(puppet: &Puppet) -> Weir {
    Weir::start(ALL, &[("origin", &puppet.address())])
}

#[test]
fn what_concerns_one_connection_is_not_passed_on() {
    let origin = Origin::start();
    let weir = Weir::before(&origin, ALL);
    let reply = origin.replies(200).field("Connection", "x-hop, close").field("X-Hop", "1").field("Keep-Alive", "a");
    drop(reply.field("Proxy-Authenticate", "Basic").field("Upgrade", "x").field("X-End", "2").body("a"));
    let mut client = weir.client();
    let ask = client.get("/").field("Connection", "X-Mine, keep-alive").field("X-Mine", "1").field("X-End", "2");
    let ask = ask.field("Keep-Alive", "a").field("Proxy-Connection", "keep-alive").field("TE", "gzip");
    let response = ask.field("Proxy-Authorization", "Basic x").field("Upgrade", "x").sees(200).body("a");
    response.lacks("x-hop").lacks("keep-alive").lacks("proxy-authenticate").lacks("upgrade").field("x-end", "2");
    let seen = origin.request(0);
    for name in ["x-mine", "keep-alive", "proxy-connection", "te", "proxy-authorization", "upgrade", "connection"] {
        seen.lacks(name);
    }
    seen.field("x-end", "2");
    // The backend's wish to close is not the client's business.
    client.get("/").sees(200);
    assert_eq!(origin.connections(), 2);
}

#[test]
fn the_backend_is_told_who_asks_and_strangers_cannot_lie() {
    let origin = Origin::start();
    let weir = Weir::before(&origin, ALL);
    let mut client = weir.client();
    let ask = client.get("/").field("X-Forwarded-For", "1.1.1.1").field("X-Forwarded-Proto", "https");
    let ask = ask.field("X-Forwarded-Host", "evil.example").field("X-Forwarded-Port", "1").field("Forwarded", "for=a");
    ask.field("X_Forwarded_For", "2.2.2.2").field("X-Request-ID", "mine").field("Via", "1.0 fred").sees(200);
    let seen = origin.request(0);
    seen.field("x-forwarded-for", "127.0.0.1").field("x-forwarded-proto", "http");
    seen.field("x-forwarded-host", "test.example").lacks("x-forwarded-port").lacks("forwarded");
    seen.lacks("x_forwarded_for").field("via", "1.0 fred, 1.1 weir");
    assert_eq!(seen.value("x-request-id").len(), 32);
}

#[test]
fn whom_we_trust_is_believed_and_continued() {
    let origin = Origin::start();
    let listener = "[[listener]]\naddress = \"127.0.0.1:{port}\"\ntrust_forwarded = [\"127.0.0.0/8\"]\n";
    let weir = Weir::before(&origin, &format!("{listener}{ALL}"));
    let mut client = weir.client();
    let ask = client.get("/").field("X-Forwarded-For", "1.1.1.1").field("X-Forwarded-Proto", "https");
    ask.field("Forwarded", "for=1.1.1.1").field("X-Request-ID", "theirs").sees(200);
    let seen = origin.request(0);
    seen.field("x-forwarded-for", "1.1.1.1, 127.0.0.1").field("x-forwarded-proto", "https");
    seen.field("x-request-id", "theirs");
    seen.field("forwarded", "for=1.1.1.1, for=127.0.0.1;host=\"test.example\";proto=http");
}

#[test]
fn a_date_is_added_where_there_is_none() {
    let origin = Origin::start();
    let weir = Weir::before(&origin, ALL);
    origin.replies(200).field("Date", "Sun, 06 Nov 1994 08:49:37 GMT");
    weir.client().get("/").sees(200).field("date", "Sun, 06 Nov 1994 08:49:37 GMT");
    assert!(weir.client().get("/").sees(200).value("date").ends_with(" GMT"));
}

#[test]
fn an_absolute_target_reaches_the_backend_in_origin_form() {
    let origin = Origin::start();
    let weir = Weir::before(&origin, ALL);
    weir.client().get("http://a.example/x?y").host("a.example").sees(200);
    assert_eq!(origin.request(0).line, "GET /x?y HTTP/1.1");
    origin.request(0).field("host", "a.example");
    weir.client().get("http://a.example/").host("b.example").sees(400);
    origin.saw(1);
}

#[test]
fn trailers_pass_in_both_directions() {
    let origin = Origin::start();
    let weir = Weir::before(&origin, ALL);
    origin.says(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 6\r\n\r\n",
    );
    let mut client = weir.client();
    client.send(
        "POST / HTTP/1.1\r\nHost: a\r\nTE: trailers, gzip;q=0\r\nConnection: TE\r\nTrailer: X-Mine\r\n\
         Transfer-Encoding: chunked\r\n\r\n2;ext=1\r\nhi\r\n0\r\nX-Mine: 5\r\n\r\n",
    );
    client.sees(200).body("abc").trailer("x-sum", "6").field("trailer", "X-Sum");
    let seen = origin.request(0);
    assert_eq!((seen.body.as_slice(), seen.trailers.get("x-mine").as_deref()), (&b"hi"[..], Some("5")));
    seen.field("te", "trailers").field("trailer", "X-Mine");
    client.get("/").sees(200);
}

#[test]
fn a_client_waits_for_100_and_gets_it_from_the_backend() {
    let origin = Puppet::start();
    let weir = before(&origin);
    let mut client = weir.client();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
    let mut peer = origin.accepts();
    peer.gets_head().field("expect", "100-continue");
    peer.send("HTTP/1.1 100 Continue\r\n\r\n");
    client.sees_interim(100);
    client.send("abc");
    assert_eq!(peer.exactly(3).unwrap(), b"abc");
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    client.sees(200);
    client.get("/").sent();
    peer.gets();
    peer.send("HTTP/1.1 204 No Content\r\n\r\n");
    client.sees(204);
}

#[test]
fn a_refusal_instead_of_100_ends_the_connection_or_the_expectation() {
    let origin = Puppet::start();
    let weir = before(&origin);
    let mut client = weir.client();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
    let mut peer = origin.accepts();
    peer.gets_head();
    peer.send("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
    client.sees(403).body("no").field("connection", "close");
    client.ends();
    // The backend still waits for three bytes: no other exchange may use its connection.
    peer.ends();
}

#[test]
fn hints_come_before_the_answer_is_known() {
    let origin = Puppet::start();
    let weir = before(&origin);
    let mut client = weir.client();
    client.get("/").sent();
    let mut peer = origin.accepts();
    peer.gets();
    peer.send("HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nConnection: x\r\nX: 1\r\n\r\n");
    client.sees_interim(103).field("link", "</a.css>").lacks("x").lacks("connection");
    peer.send("HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na");
    client.sees_interim(102);
    client.sees(200).body("a");
}

#[test]
fn an_early_answer_reaches_a_client_that_is_still_sending() {
    let origin = Puppet::start();
    let weir = before(&origin);
    let mut client = weir.client();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    let mut peer = origin.accepts();
    peer.gets_head();
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nearly");
    let response = client.sees(200).body("early");
    // It may go on or end, but what follows is never taken for a request of its own.
    client.try_send("16\r\nGET /x HTTP/1.1\r\nHost:a\r\n0\r\n\r\n").unwrap();
    drop(response);
    drop(client);
    origin.is_left_alone();
}

#[test]
fn events_arrive_one_by_one() {
    let origin = Puppet::start();
    let weir = before(&origin);
    let mut client = weir.client();
    client.get("/").sent();
    let mut peer = origin.accepts();
    peer.gets();
    peer.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n");
    client.sees_head(200);
    for event in ["data: a\n\n", "data: b\n\n"] {
        peer.send(format!("{:x}\r\n{event}\r\n", event.len()));
        assert_eq!(usize::from_str_radix(&client.line().unwrap(), 16).unwrap(), event.len());
        assert_eq!(client.exactly(event.len() + 2).unwrap(), format!("{event}\r\n").as_bytes());
    }
    peer.send("0\r\n\r\n");
    assert_eq!(client.exactly(5).unwrap(), b"0\r\n\r\n");
}

#[test]
fn content_streams_upward_piece_by_piece() {
    let origin = Puppet::start();
    let weir = before(&origin);
    let mut client = weir.client();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc");
    let mut peer = origin.accepts();
    peer.gets_head().field("content-length", "6");
    assert_eq!(peer.exactly(3).unwrap(), b"abc");
    client.send("def");
    assert_eq!(peer.exactly(3).unwrap(), b"def");
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    client.sees(200);
}

#[test]
fn statuses_and_methods_without_content_have_none() {
    let origin = Origin::start();
    let weir = Weir::before(&origin, ALL);
    origin.says("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nETag: \"a\"\r\n\r\n");
    origin.says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    origin.says("HTTP/1.1 204 No Content\r\n\r\n");
    origin.says("HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\nContent-Length: 1000\r\n\r\n");
    origin.says("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let mut client = weir.client();
    client.ask("HEAD", "/").sees(200).field("content-length", "1000").field("etag", "\"a\"");
    client.ask("HEAD", "/").sees(200);
    client.get("/").sees(204).lacks("content-length");
    client.get("/").field("If-None-Match", "\"a\"").sees(304).field("etag", "\"a\"");
    client.get("/").sees(200).field("content-length", "0").body("");
    assert_eq!(origin.connections(), 1);
}

#[test]
fn content_that_ends_with_its_connection_becomes_chunks() {
    let origin = Origin::start();
    let weir = Weir::before(&origin, ALL);
    origin.says("HTTP/1.1 200 OK\r\n\r\nuntil the end").closes();
    let mut client = weir.client();
    client.get("/").sees(200).body("until the end").field("transfer-encoding", "chunked");
    client.get("/").sees(200).body("ok");
    origin.says("HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nold").closes();
    client.get("/").sees(200).body("old");
}

#[test]
fn a_client_of_http_1_0_gets_no_chunks_and_an_end() {
    let origin = Origin::start();
    let weir = Weir::before(&origin, ALL);
    origin.says("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX: 1\r\n\r\n");
    let mut client = weir.client();
    client.send("GET / HTTP/1.0\r\nHost: a\r\n\r\n");
    client.sees(200).lacks("transfer-encoding").body("abc");
    assert_eq!(origin.request(0).line, "GET / HTTP/1.1");
    origin.request(0).field("via", "1.0 weir");
    // It may stay if it asks to, and if the length is known.
    let mut client = weir.client();
    for _ in 0..2 {
        client.send("GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n");
        client.sees(200).body("ok").field("connection", "keep-alive");
    }
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let origin = Origin::start();
    let weir = Weir::before(&origin, ALL);
    for word in ["a", "b", "c"] {
        drop(origin.replies(200).body(word));
    }
    let mut client = weir.client();
    client.send(
        "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nPOST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc\
         GET /3 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET /4 HTTP/1.1\r\nHost: a\r\n\r\n",
    );
    client.sees(200).body("a");
    client.sees(200).body("b");
    client.sees(200).body("c").field("connection", "close");
    client.ends();
    origin.saw(3);
    assert_eq!(origin.request(1).body, b"abc");
    assert_eq!(origin.connections(), 1);
}

#[test]
fn many_clients_share_one_connection_to_the_backend_in_turn() {
    let origin = Origin::start();
    let weir = Weir::before(&origin, ALL);
    for _ in 0..5 {
        weir.client().get("/").sees(200);
        weir.client().post("/", "x").sees(200);
    }
    assert_eq!(origin.connections(), 1);
    weir.counts(
        "weir_connection_reuses_total{pool=\"app\",backend=\"{origin}\"}"
            .replace("{origin}", &origin.address())
            .as_str(),
        9.0,
    );
}

#[test]
fn large_content_goes_through_whole_in_both_directions() {
    let origin = Origin::start();
    let weir = Weir::before(&origin, ALL);
    let large: String = ('a'..='z').cycle().take(8 << 20).collect();
    drop(origin.replies(200).body(&large));
    let mut client = weir.client();
    client.post("/", &large).sees(200).body(&large);
    assert!(origin.request(0).body == large.as_bytes());
    client.get("/").sees(200).body("ok");
}
