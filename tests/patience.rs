//! How long a listener waits, and how much it takes.

#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]

mod support;

use std::io::{Read, Write};
use std::time::{Duration, Instant};
use support::{Origin, Puppet, Weir};

fn listener(settings: &str) -> String {
    format!(
        "[[listener]]\naddress = \"127.0.0.1:{{port}}\"\n{settings}\n[[route]]\nrespond = {{ body = \"ok\" }}\n[[route]]\npath = \"/app\"\npool = \"app\"\n"
    )
}

#[test]
fn a_head_has_one_limit_for_all_of_it() {
    let origin = Origin::start();
    let weir = Weir::before(&origin, &listener("timeouts = { head = \"100ms\" }"));
    // Whoever trickles gets no more time than whoever stops.
    let mut client = weir.client();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n");
    while client.try_send("x").is_ok() && client.nothing_for(Duration::from_millis(5)) {}
    client.sees(408).field("connection", "close");
    client.ends();
    // Whoever says nothing gets no answer.
    weir.client().ends();
    weir.counts("weir_protocol_errors_total{kind=\"head_timeout\"}", 1.0);
    weir.client().get("/").sees(200);
}

#[test]
fn an_idle_connection_is_closed_in_its_time() {
    let origin = Origin::start();
    let weir = Weir::before(&origin, &listener("timeouts = { idle = \"50ms\", head = \"10s\" }"));
    let mut client = weir.client();
    for _ in 0..3 {
        client.get("/").sees(200);
    }
    client.ends();
}

#[test]
fn content_that_stops_coming_is_a_408() {
    let origin = Puppet::start();
    let text = listener("timeouts = { body = \"50ms\" }");
    let weir = Weir::start(&text, &[("origin", &origin.address())]);
    let mut client = weir.client();
    client.send("POST /app HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nfive.");
    let mut peer = origin.accepts();
    peer.gets_head();
    client.sees(408).field("connection", "close");
    client.ends();
    assert_eq!(peer.rest().unwrap_or_default(), b"five.");
    weir.counts("weir_protocol_errors_total{kind=\"body_timeout\"}", 1.0);
}

#[test]
fn a_client_that_takes_nothing_is_left() {
    let origin = Puppet::start();
    let text = listener("timeouts = { body = \"50ms\" }");
    let weir = Weir::start(&text, &[("origin", &origin.address())]);
    let mut client = weir.client();
    client.get("/app").sent();
    let mut peer = origin.accepts();
    peer.gets();
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n");
    // More than all sockets on the way hold.
    let piece = vec![b'x'; 1 << 20];
    assert!((0..100).any(|_| peer.try_send(&piece).is_err()), "it was all taken");
    weir.counts("weir_client_aborts_total", 1.0);
    client.sees_broken();
}

#[test]
fn a_client_that_takes_a_stored_response_slowly_gets_all_of_it() {
    let origin = Origin::start();
    let content = "x".repeat(12 << 20);
    origin.replies(200).field("Cache-Control", "max-age=60").body(&content);
    let text = "[[listener]]\naddress = \"127.0.0.1:{port}\"\ntimeouts = { body = \"1s\" }\n\
                [cache.pages]\nmemory = \"256MiB\"\n[[route]]\npool = \"app\"\ncache = \"pages\"\n";
    let weir = Weir::before(&origin, text);
    weir.client().get("/x").sees(200);
    let mut stream = std::net::TcpStream::connect(weir.address()).unwrap();
    socket2::SockRef::from(&stream).set_recv_buffer_size(64 << 10).unwrap();
    stream.set_read_timeout(Some(support::PATIENCE)).unwrap();
    stream.write_all(b"GET /x HTTP/1.1\r\nHost: test.example\r\nConnection: close\r\n\r\n").unwrap();
    let (mut taken, mut room, began) = (0, vec![0; 1 << 20], Instant::now());
    // A client is slow by being slow: this takes longer than the listener waits for any progress.
    loop {
        let mut read = 0;
        while read < room.len() {
            match stream.read(&mut room[read..]).unwrap() {
                0 => break,
                more => read += more,
            }
        }
        taken += read;
        if read < room.len() {
            break;
        }
        std::thread::sleep(Duration::from_millis(250));
    }
    assert!(taken > content.len(), "{taken} bytes after {:?}", began.elapsed());
    assert!(began.elapsed() > Duration::from_secs(2));
    origin.saw(1);
}

#[test]
fn a_tls_handshake_that_does_not_come_is_given_up() {
    let directory = tempfile::tempdir().unwrap();
    let pem = support::Authority::new().signs("shop.example", "server");
    std::fs::write(directory.path().join("server.pem"), pem).unwrap();
    let text = listener("timeouts = { handshake = \"50ms\" }\ntls = { certificates = [{ cert = \"server.pem\" }] }");
    let weir = Weir::start_in(directory, &text, &[("origin", "127.0.0.1:1")]);
    weir.client().ends();
    let mut client = weir.client();
    client.send("\x16\x03\x01\x02\x00\x01");
    client.ends();
}

#[test]
fn heads_beyond_the_limits_are_a_431() {
    let origin = Origin::start();
    let weir = Weir::before(&origin, &listener("limits = { head = \"2KiB\", fields = 10 }"));
    let mut client = weir.client();
    client.get("/").field("X", &"a".repeat(1900)).sees(200);
    client.get("/").field("X", &"a".repeat(2100)).sees(431).field("connection", "close");
    client.ends();
    let many = "X: y\r\n".repeat(10);
    let mut client = weir.client();
    client.send(format!("GET / HTTP/1.1\r\nHost: a\r\n{many}\r\n"));
    client.sees(431);
    // One that never ends.
    let mut client = weir.client();
    while client.try_send("a".repeat(1000)).is_ok() && client.nothing_for(Duration::from_millis(1)) {}
    client.sees(431);
}

#[test]
fn a_backend_that_does_not_accept_is_given_up_in_its_time() {
    // A backlog of one that is full: the kernel lets further connections wait.
    let full = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    full.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    full.listen(0).unwrap();
    let address = full.local_addr().unwrap().as_socket().unwrap();
    let _first = std::net::TcpStream::connect(address).unwrap();
    let origin = Origin::start();
    let text = "[pool.app]\nbackends = [\"{full}\", \"{origin}\"]\ntimeouts = { connect = \"50ms\" }\n[[route]]\npool = \"app\"\n";
    let weir = Weir::start(text, &[("full", &address.to_string()), ("origin", &origin.address())]);
    let mut client = weir.client();
    for _ in 0..2 {
        client.post("/", "x").sees(200);
    }
    assert!(weir.metric(&format!("weir_connect_failures_total{{pool=\"app\",backend=\"{address}\"}}")) >= 1.0);
}
