//! One line an exchange, where the operator wants it.

#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]

mod support;

use serde_json::Value;
use support::{Origin, Puppet, Weir};

const TO_STDOUT: &str = "[log]\naccess = { format = \"json\", to = \"stdout\" }\n";
const ROUTES: &str = "[[route]]\nname = \"shop\"\npool = \"app\"\n[[route]]\npath = \"/fixed\"\nname = \"fixed\"\nrespond = { body = \"abc\" }\n";

/// All lines, once the process has ended.
fn lines(weir: &mut Weir) -> Vec<Value> {
    assert!(weir.stop().success());
    weir.out.all().iter().map(|line| serde_json::from_str(line).expect(line)).collect()
}

#[test]
fn a_line_of_json_says_what_happened() {
    let origin = Origin::start();
    let mut weir = Weir::before(&origin, &format!("{TO_STDOUT}{ROUTES}"));
    let mut client = weir.client();
    client.post("/a?b=%22", "12345").field("User-Agent", "me \"quoted\"").field("Referer", "r").sees(200);
    let id = origin.request(0).value("x-request-id");
    client.get("/fixed").sees(200);
    client.ask("TRACE", "/").sees(405);
    let (listener, backend) = (weir.address().to_string(), origin.address());
    let lines = lines(&mut weir);
    assert_eq!(lines.len(), 3, "{lines:#?}");
    for (name, wanted) in [
        ("client", Value::from("127.0.0.1")),
        ("listener", listener.into()),
        ("scheme", "http".into()),
        ("host", "test.example".into()),
        ("method", "POST".into()),
        ("target", "/a?b=%22".into()),
        ("version", "1.1".into()),
        ("status", 200.into()),
        ("request_bytes", 5.into()),
        ("response_bytes", 2.into()),
        ("route", "shop".into()),
        ("pool", "app".into()),
        ("backend", backend.into()),
        ("attempts", 1.into()),
        ("request_id", id.into()),
        ("end", "complete".into()),
        ("user_agent", "me \"quoted\"".into()),
        ("referer", "r".into()),
    ] {
        assert_eq!(lines[0][name], wanted, "{name} in {:#}", lines[0]);
    }
    let (first, whole) = (lines[0]["first_byte_ms"].as_f64().unwrap(), lines[0]["duration_ms"].as_f64().unwrap());
    assert!(0.0 < first && first <= whole, "{first} of {whole}");
    assert_eq!((&lines[1]["route"], &lines[1]["response_bytes"]), (&"fixed".into(), &3.into()));
    assert!(lines[1].get("backend").is_none() && lines[1].get("first_byte_ms").is_none());
    assert_eq!((&lines[2]["status"], &lines[2]["end"]), (&405.into(), &"refused".into()));
}

#[test]
fn a_line_says_how_an_exchange_ended() {
    let origin = Puppet::start();
    let log = format!("{TO_STDOUT}[[route]]\npool = \"app\"\ntimeouts = {{ first_byte = \"2s\" }}\n");
    let slow = "[[route]]\npath = \"/slow\"\npool = \"app\"\ntimeouts = { first_byte = \"20ms\" }\n";
    let mut weir = Weir::start(&format!("{log}{slow}"), &[("origin", &origin.address())]);
    let mut client = weir.client();
    client.get("/gone").sent();
    let mut peer = origin.accepts();
    peer.gets();
    drop(client);
    peer.ends();
    let mut client = weir.client();
    client.get("/slow").sent();
    let mut peer = origin.accepts();
    peer.gets();
    client.sees(504);
    let mut client = weir.client();
    client.get("/broken").sent();
    let mut peer = origin.accepts();
    peer.gets();
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc");
    client.sees_head(200);
    drop(peer);
    assert!(client.content_breaks());
    let ends: Vec<_> = lines(&mut weir).iter().map(|line| (line["target"].clone(), line["end"].clone())).collect();
    let wanted = [("/gone", "client_aborted"), ("/slow", "timed_out"), ("/broken", "backend_aborted")];
    assert_eq!(ends, wanted.map(|(target, end)| (Value::from(target), Value::from(end))));
}

#[test]
fn off_means_that_nothing_is_written() {
    let mut weir = Weir::start("[log]\naccess = { to = \"off\" }\n[[route]]\nrespond = {}\n", &[]);
    weir.client().get("/").sees(200);
    assert!(lines(&mut weir).is_empty());
}

#[test]
fn a_file_that_was_moved_is_opened_anew_on_reload() {
    let text =
        "[log]\naccess = { format = \"{method} {path} {status}\", to = \"access.log\" }\n[[route]]\nrespond = {}\n";
    let mut weir = Weir::start(text, &[]);
    let mut client = weir.client();
    client.get("/before").sees(200);
    std::fs::rename(weir.path("access.log"), weir.path("access.log.1")).unwrap();
    weir.reload().unwrap();
    client.get("/after").sees(200);
    drop(client);
    assert!(weir.stop().success());
    let (old, new) = (weir.path("access.log.1"), weir.path("access.log"));
    let (old, new) = (std::fs::read_to_string(old).unwrap(), std::fs::read_to_string(new).unwrap());
    // A worker may still hold the first line when the file changes: it is written once, whichever way.
    let last = new.clone();
    assert_eq!(old + &new, "GET /before 200\nGET /after 200\n");
    assert!(last.ends_with("GET /after 200\n"));
    assert!(weir.out.all().is_empty());
}

#[test]
fn nothing_that_a_client_sends_forges_a_line() {
    let log = "[log]\naccess = { format = \"combined\", to = \"stdout\" }\n";
    let mut weir = Weir::start(&format!("{log}[[route]]\nrespond = {{}}\n"), &[]);
    let mut client = weir.client();
    client.send(b"GET /%0a\" HTTP/1.1\r\nHost: a\r\nUser-Agent: x\" 200 \x1b[31m\xff\r\nReferer: \\\r\n\r\n");
    let _ = client.response("GET");
    drop(client);
    weir.client().get("/").field("User-Agent", "a\u{9b}\"b").sees(200);
    assert!(weir.stop().success());
    for line in weir.out.all() {
        assert!(line.starts_with("127.0.0.1 - ") && line.bytes().all(|b| (b' '..=b'~').contains(&b)), "{line:?}");
    }
}
