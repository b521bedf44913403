//! What happens when a backend or a client goes away, or says what cannot be understood.

#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]

mod support;

use support::{Broken, Client, Origin, Puppet, Weir};

const ALL: &str = "[[route]]\npool = \"app\"\n";

fn before(puppet: &Puppet) -> Weir {
    Weir::start(ALL, &[("origin", &puppet.address())])
}

/// A connection to the backend that has served one exchange, and the client's.
fn stood(weir: &Weir, origin: &Puppet) -> (Client, support::Peer) {
    let mut client = weir.client();
    client.get("/").sent();
    let mut peer = origin.accepts();
    peer.gets();
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    client.sees(200);
    (client, peer)
}

#[test]
fn a_request_that_met_a_closing_connection_is_made_again_if_that_is_safe() {
    let origin = Puppet::start();
    let weir = before(&origin);
    let (mut client, mut peer) = stood(&weir, &origin);
    client.get("/again").sent();
    peer.gets();
    drop(peer);
    let mut peer = origin.accepts();
    assert_eq!(peer.gets().line, "GET /again HTTP/1.1");
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nagain");
    client.sees(200).body("again");
    // Nobody knows whether a POST was already acted upon.
    client.post("/once", "x").sent();
    peer.gets();
    drop(peer);
    client.sees(502);
    origin.is_left_alone();
}

#[test]
fn a_connection_that_was_closed_while_idle_is_not_used() {
    let origin = Puppet::start();
    let weir = before(&origin);
    let (mut client, peer) = stood(&weir, &origin);
    drop(peer);
    // The close is in the kernel of this very machine before the next request is.
    client.post("/", "x").sent();
    let mut peer = origin.accepts();
    assert_eq!(peer.gets().body, b"x");
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    client.sees(200);
}

/// Many servers send a head and its content one after the other, and may be killed in between.
#[test]
fn a_backend_that_dies_between_head_and_content_is_replaced_if_that_is_safe() {
    let (dies, stands) = (Puppet::start(), Origin::start());
    let weir = Weir::start(
        "[pool.app]\nbackends = [\"{dies}\", \"{stands}\"]\nbalance = { policy = \"round_robin\" }\noutlier = \"off\"\n[[route]]\npool = \"app\"\n",
        &[("dies", &dies.address()), ("stands", &stands.address())],
    );
    let mut clients = [0; 2].map(|_| weir.client());
    clients.iter_mut().for_each(|client| client.get("/").sent());
    let mut peer = dies.accepts();
    peer.gets();
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
    drop(peer);
    clients.iter_mut().for_each(|client| drop(client.sees(200).body("ok")));
    // Nobody knows what a POST did.
    clients.iter_mut().for_each(|client| client.post("/", "x").sent());
    let mut peer = dies.accepts();
    peer.gets();
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
    drop(peer);
    let mut statuses = clients.map(|mut client| client.response("POST").unwrap().status);
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 502]);
}

#[test]
fn a_head_whose_content_takes_its_time_is_passed_on_before_it() {
    let origin = Puppet::start();
    let weir = before(&origin);
    let mut client = weir.client();
    client.get("/").sent();
    let mut peer = origin.accepts();
    peer.gets();
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
    client.sees_head(200);
    peer.send("later");
    assert_eq!(client.into_wire().exactly(5).unwrap(), b"later");
}

#[test]
fn a_new_connection_that_closes_at_once_is_a_502() {
    let origin = Origin::start();
    let weir = Weir::before(&origin, ALL);
    origin.hangs_up();
    weir.client().get("/").sees(502);
    weir.client().get("/").sees(200);
    origin.saw(2);
}

#[test]
fn a_response_that_breaks_off_is_never_seen_as_complete() {
    let origin = Origin::start();
    let weir = Weir::before(&origin, ALL);
    for start in [
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfive.",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfive.\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfiv",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfive.\r\nx\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: 1\r\n",
    ] {
        for reset in [false, true] {
            match reset {
                false => origin.says(start).closes(),
                true => origin.says(start).resets(),
            }
            let mut client = weir.client();
            client.get("/").sent();
            match client.response("GET") {
                Err(Broken::Short | Broken::Reset) => {}
                // A reset may overtake what was said before it, but not become a success.
                Ok(response) if reset && response.status == 502 => {}
                other => panic!("{start:?}, reset {reset}: {other:?}"),
            }
        }
    }
    // A client of HTTP/1.0 knows the end only by the close: it has to see a reset.
    origin.says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfive.\r\n").closes();
    let mut client = weir.client();
    client.send("GET / HTTP/1.0\r\nHost: a\r\n\r\n");
    assert_eq!(client.response("GET").unwrap_err(), Broken::Reset);
}

#[test]
fn a_response_that_cannot_be_understood_is_a_502_and_its_connection_is_left() {
    let origin = Origin::start();
    let weir = Weir::before(&origin, ALL);
    for nonsense in [
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nBad Name: 1\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/2.0 200 OK\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        "SSH-2.0-OpenSSH_9\r\n",
        "\0\0\0\0\r\n\r\n",
    ] {
        origin.says(nonsense).closes();
        assert!(weir.client().get("/").sees(502).text().contains("502"), "{nonsense:?}");
    }
    // Surplus bytes answer nobody.
    origin.says("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
    let mut client = weir.client();
    client.get("/").sees(200).body("a");
    client.get("/").sees(200).body("ok");
    origin.says("HTTP/1.1 102 Processing\r\n\r\n".repeat(1000));
    let mut client = weir.client();
    client.get("/").sees(502);
}

#[test]
fn a_backend_that_takes_no_connections_is_passed_over_and_all_of_them_are_a_502() {
    let (origin, dead) = (Origin::start(), nobody());
    let weir = Weir::start(
        "[pool.app]\nbackends = [\"{dead}\", \"{origin}\"]\n[pool.dead]\nbackends = [\"{dead}\"]\n\
         [[route]]\npool = \"app\"\n[[route]]\npath = \"/dead\"\npool = \"dead\"\n",
        &[("origin", &origin.address()), ("dead", &dead)],
    );
    let mut client = weir.client();
    for _ in 0..4 {
        client.get("/").sees(200);
        client.post("/", "even this").sees(200);
    }
    client.get("/dead").sees(502);
    client.get("/").sees(200);
    origin.saw(9);
    weir.counts("weir_refusals_total{reason=\"connect_failed\"}", 1.0);
}

/// An address at which nobody listens.
fn nobody() -> String {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

#[test]
fn a_client_that_leaves_takes_its_exchange_with_it() {
    let origin = Puppet::start();
    let weir = before(&origin);
    // Before the answer, in the middle of it, and while still sending.
    let mut client = weir.client();
    client.get("/").sent();
    let mut peer = origin.accepts();
    peer.gets();
    drop(client);
    peer.ends();

    let mut client = weir.client();
    client.get("/").sent();
    let mut peer = origin.accepts();
    peer.gets();
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfive.");
    client.sees_head(200);
    drop(client);
    peer.ends();

    let mut client = weir.client();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nfive.");
    let mut peer = origin.accepts();
    peer.gets_head();
    peer.exactly(5).unwrap();
    drop(client);
    peer.ends();
    weir.counts("weir_client_aborts_total", 3.0);
    weir.counts("weir_exchanges_in_flight", 0.0);
}

#[test]
fn a_request_that_breaks_off_is_never_complete_for_the_backend() {
    let origin = Puppet::start();
    let weir = before(&origin);
    let start = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n";
    for (end, answer) in [("", None), ("x\r\n", Some(400)), ("0\r\nBad Name: 1\r\n\r\n", Some(400))] {
        let mut client = weir.client();
        client.send(start);
        let mut peer = origin.accepts();
        peer.gets_head();
        client.send(end);
        match answer {
            Some(status) => {
                client.sees(status).field("connection", "close");
            }
            None => client.finish(),
        }
        let said = peer.rest().unwrap_or_default();
        assert!(b"3\r\nabc\r\n".starts_with(&said), "{said:?}");
    }
    weir.counts("weir_protocol_errors_total{kind=\"chunk\"}", 2.0);
}
