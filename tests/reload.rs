//! SIGHUP takes a new configuration over, or refuses it; SIGTERM finishes what is in flight.

#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]

mod support;

use std::net::TcpStream;
use support::{Broken, Client, Origin, Puppet, Weir};

fn says(word: &str) -> String {
    format!("[[route]]\nrespond = {{ body = \"{word}\" }}\n")
}

const TWO_LISTENERS: &str =
    "[[listener]]\naddress = \"127.0.0.1:{port}\"\n[[listener]]\naddress = \"127.0.0.1:{port2}\"\n";

#[test]
fn an_exchange_in_flight_ends_by_the_configuration_that_it_began_with() {
    let origin = Puppet::start();
    let route =
        |mark: &str| format!("[[route]]\npool = \"app\"\nresponse = {{ set = {{ \"x-mark\" = \"{mark}\" }} }}\n");
    let weir = Weir::start(&route("old"), &[("origin", &origin.address())]);
    let (mut early, mut late) = (weir.client(), weir.client());
    early.get("/early").sent();
    let mut first = origin.accepts();
    first.gets();
    weir.becomes(&route("new"));
    late.get("/late").sent();
    let mut second = origin.accepts();
    second.gets();
    for peer in [&mut first, &mut second] {
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    }
    early.sees(200).field("x-mark", "old");
    late.sees(200).field("x-mark", "new");
    // The connection stays, and its next exchange is a new one.
    early.get("/again").sent();
    second.gets();
    second.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    early.sees(200).field("x-mark", "new");
}

#[test]
fn all_workers_take_a_reload_over_and_nobody_is_turned_away() {
    let server = "[server]\nworkers = 4\n";
    let weir = Weir::start(&format!("{server}{}", says("0")), &[]);
    let mut clients: Vec<_> = (0..16).map(|_| weir.client()).collect();
    for word in ["1", "2", "3", "4"] {
        weir.becomes(&format!("{server}{}", says(word)));
        for client in &mut clients {
            client.get("/").sees(200).body(word);
        }
    }
    weir.counts("weir_reloads_total{result=\"ok\"}", 4.0);
}

#[test]
fn connections_to_backends_outlive_a_reload() {
    let origin = Origin::start();
    let route = "[[route]]\npool = \"app\"\n";
    let weir = Weir::before(&origin, route);
    weir.client().get("/").sees(200);
    weir.becomes(&format!("{route}[[route]]\npath = \"/x\"\nrespond = {{}}\n"));
    weir.client().get("/").sees(200);
    assert_eq!(origin.connections(), 1);
}

#[test]
fn a_listener_comes_and_goes_while_the_other_serves_on() {
    let weir = Weir::start(&says("one"), &[]);
    let mut client = weir.client();
    client.get("/").sees(200);
    assert!(TcpStream::connect(weir.at("port2")).is_err());
    weir.becomes(&format!("{TWO_LISTENERS}{}", says("two")));
    let mut second = support::Client::connect(weir.at("port2"));
    second.get("/").sees(200).body("two");
    client.get("/").sees(200).body("two");
    weir.becomes(&says("one"));
    // Its open connection is served on; new ones find nobody once the workers heard of it.
    second.get("/").sees(200).body("one");
    let deadline = std::time::Instant::now() + support::PATIENCE;
    while TcpStream::connect(weir.at("port2")).is_ok() {
        assert!(std::time::Instant::now() < deadline, "it still listens");
    }
    client.get("/").sees(200).body("one");
}

#[test]
fn a_listener_whose_address_is_taken_refuses_the_whole_reload() {
    let weir = Weir::start(&says("old"), &[]);
    let taken = std::net::TcpListener::bind(weir.at("port2")).unwrap();
    weir.rewrite(&format!("{TWO_LISTENERS}{}", says("new")));
    let said = weir.reload().unwrap_err();
    assert!(said.contains(&weir.at("port2").to_string()) && said.contains("ss -ltnp"), "{said}");
    weir.client().get("/").sees(200).body("old");
    drop(taken);
    weir.reload().unwrap();
    weir.client().get("/").sees(200).body("new");
}

#[test]
fn what_a_reload_cannot_change_is_refused_by_name() {
    let server = |workers: u32| format!("[server]\nworkers = {workers}\n{}", says(&workers.to_string()));
    let weir = Weir::start(&server(1), &[]);
    weir.rewrite(&server(2));
    let said = weir.reload().unwrap_err();
    assert!(said.contains("[server] workers"), "{said}");
    weir.client().get("/").sees(200).body("1");
    weir.counts("weir_reloads_total{result=\"failed\"}", 1.0);
}

#[test]
fn a_broken_file_is_refused_with_its_place_and_the_old_serves_on() {
    let weir = Weir::start(&says("old"), &[]);
    weir.rewrite("[[route]]\nrespnd = { body = \"new\" }\n");
    let said = weir.reload().unwrap_err();
    for part in ["not reloaded", "weir.toml:", "respnd", "respond"] {
        assert!(said.contains(part), "{part} in {said}");
    }
    let line = said.split("weir.toml:").nth(1).unwrap().split(':').next().unwrap().parse::<usize>().unwrap();
    let text = std::fs::read_to_string(weir.path("weir.toml")).unwrap();
    assert_eq!(text.lines().nth(line - 1), Some("respnd = { body = \"new\" }"));
    weir.client().get("/").sees(200).body("old");
    std::fs::remove_file(weir.path("weir.toml")).unwrap();
    weir.reload().unwrap_err();
    weir.client().get("/").sees(200).body("old");
    weir.becomes(&says("new"));
    weir.client().get("/").sees(200).body("new");
    weir.counts("weir_reloads_total{result=\"failed\"}", 2.0);
    weir.counts("weir_reloads_total{result=\"ok\"}", 1.0);
}

#[test]
fn sigterm_finishes_what_is_in_flight_and_closes_what_is_idle() {
    let origin = Puppet::start();
    let text = "[[route]]\npool = \"app\"\n[[route]]\npath = \"/x\"\nrespond = {}\n";
    let mut weir = Weir::start(text, &[("origin", &origin.address())]);
    let mut idle = weir.client();
    idle.get("/x").sees(200);
    let mut fresh = weir.client();
    let (mut busy, mut sending) = (weir.client(), weir.client());
    busy.get("/").sent();
    let mut peer = origin.accepts();
    peer.gets();
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nbef");
    busy.sees_head(200);
    sending.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc");
    let mut taking = origin.accepts();
    taking.gets_head();
    weir.signal("TERM");
    idle.ends();
    fresh.ends();
    assert_eq!(weir.admin("/readyz").status, 503);
    peer.send("ore");
    assert_eq!(busy.exactly(6).unwrap(), b"before");
    busy.ends();
    sending.send("def");
    assert_eq!(taking.exactly(6).unwrap(), b"abcdef");
    taking.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    sending.sees(200).body("ok").field("connection", "close");
    assert!(weir.ends().success());
    assert!(TcpStream::connect(weir.address()).is_err());
    assert!(weir.log.text().contains("drained"));
}

#[test]
fn the_drain_ends_when_its_time_is_over() {
    let origin = Puppet::start();
    let log = "[log]\naccess = { format = \"{path}\", to = \"stdout\" }\n[[route]]\npath = \"/x\"\nrespond = {}\n";
    let text = format!("{log}[server]\nworkers = 1\ndrain = \"50ms\"\n[[route]]\npool = \"app\"\n");
    let mut weir = Weir::start(&text, &[("origin", &origin.address())]);
    let mut client = weir.client();
    client.get("/x").sees(200);
    client.get("/").sent();
    let mut peer = origin.accepts();
    peer.gets();
    assert!(weir.stop().success());
    assert_eq!(weir.out.all(), ["/x"]);
    assert!(matches!(client.response("GET"), Err(Broken::Closed | Broken::Reset)));
    assert!(weir.log.text().contains("the time to drain is over"));
}

#[test]
fn a_second_sigterm_ends_at_once() {
    let origin = Puppet::start();
    let mut weir = Weir::start("[[route]]\npool = \"app\"\n", &[("origin", &origin.address())]);
    let mut client = weir.client();
    client.get("/").sent();
    let mut peer = origin.accepts();
    peer.gets();
    weir.signal("TERM");
    weir.log.find(0, "draining").unwrap();
    assert!(!weir.stop().success());
    client.ends();
}

#[test]
fn sigint_drains_too() {
    let mut weir = Weir::start(&says("x"), &[]);
    weir.client().get("/").sees(200);
    weir.signal("INT");
    assert!(weir.ends().success());
}

#[test]
fn whoever_was_let_in_before_a_drain_is_answered() {
    let mut weir = Weir::start(&says("x"), &[]);
    let address = weir.address();
    let (began, begun) = std::sync::mpsc::channel();
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let began = began.clone();
            std::thread::spawn(move || {
                let mut count = 0;
                // Each on a new connection, as closing an idle one may always meet a request.
                while let Ok(socket) = TcpStream::connect(address) {
                    let mut wire = support::Wire::new(socket);
                    if wire.try_send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").is_err() {
                        return Ok(()); // Reset before it could ask at all.
                    }
                    let mut client = Client::over(wire);
                    match client.response("GET") {
                        Ok(response) => assert_eq!(response.status, 200),
                        // Who is slow to ask meets a closed connection, as anyone may; who asked in time is answered.
                        Err(Broken::Reset) => return Ok(()),
                        Err(broken) => return Err((broken, count)),
                    }
                    count += 1;
                    let _ = began.send(());
                }
                Ok(())
            })
        })
        .collect();
    for _ in 0..200 {
        begun.recv_timeout(support::PATIENCE).unwrap();
    }
    assert!(weir.stop().success());
    for client in clients {
        client.join().unwrap().unwrap();
    }
}
