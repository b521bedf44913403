//! Many reloads under load: nothing fails, and nothing is kept. `WEIR_RELOADS=1000` makes it a thousand in a minute.

#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]

mod support;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};
use support::load::{Load, echo};
use support::{Authority, Client, Weir, Wire};

/// Reloads before memory is looked at, and after.
const WARM_UP: u32 = 20;
const RELOADS: u32 = 100;

/// How many a second; a process that is busy merges them.
const PER_SECOND: u32 = 17;

/// What the process may have grown by, whatever the number of reloads.
const GROWN_BYTES_MAX: f64 = 12.0 * 1024.0 * 1024.0;

/// A configuration of some size, different each time.
fn text(number: u32) -> String {
    let tls = "[[listener]]\naddress = \"127.0.0.1:{port2}\"\ntls = { certificates = [{ cert = \"a.pem\" }] }\n";
    let mut text = format!(
        "[server]\nworkers = 2\n[[listener]]\naddress = \"127.0.0.1:{{port}}\"\n{tls}\
         [pool.app]\nbackends = [\"{{origin}}\"]\n\
         [[route]]\npool = \"app\"\nresponse = {{ set = {{ \"x-number\" = \"{number}\" }} }}\n"
    );
    for route in 0..100 {
        text += &format!("[[route]]\npath = \"/fixed/{route}/{number}\"\nrespond = {{ body = \"{route}\" }}\n");
    }
    text
}

fn resident(weir: &Weir) -> f64 {
    weir.metric("process_resident_memory_bytes")
}

#[test]
fn nothing_fails_and_nothing_is_kept() {
    let reloads = std::env::var("WEIR_RELOADS").map_or(RELOADS, |count| count.parse().unwrap());
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("a.pem"), Authority::new().signs("a.example", "server")).unwrap();
    let mut weir = Weir::start_in(directory, &text(0), &[("origin", &echo().to_string())]);
    // An idle connection keeps no old configuration, nor does a worker without work.
    let mut idle: Vec<_> = (0..20).map(|_| weir.client()).collect();
    for client in &mut idle {
        client.get("/idle").sees(200);
    }
    let load = Load::start(weir.address(), 16, 500);
    load.goes_on(500);
    let mut before = 0.0;
    let begun = Instant::now();
    for number in 1..=WARM_UP + reloads {
        weir.becomes(&text(number));
        std::thread::sleep((Duration::from_secs(1) / PER_SECOND * number).saturating_sub(begun.elapsed()));
        if number == WARM_UP {
            before = resident(&weir);
        }
    }
    let took = begun.elapsed();
    load.goes_on(500);
    let grown = resident(&weir) - before;
    drop(idle);
    let tally = load.stop();
    println!("{reloads} reloads, {took:?} with the first {WARM_UP}: {} bytes more than {}, {tally:?}", grown, before);
    assert_eq!((tally.failed, tally.repeated), (vec![], 0));
    weir.counts("weir_reloads_total{result=\"ok\"}", f64::from(WARM_UP + reloads));
    weir.client().get("/x").sees(200).field("x-number", &(WARM_UP + reloads).to_string());
    assert!(grown < GROWN_BYTES_MAX, "{grown} bytes more after {reloads} reloads");
    assert!(weir.stop().success());
}

#[test]
fn reloads_that_come_faster_than_they_are_done_are_merged() {
    const WISHES: u32 = 500;
    let text = |number| text(number).replace("tls = ", "# ");
    let weir = Weir::start(&text(0), &[("origin", "127.0.0.1:1")]);
    for number in 1..=WISHES {
        weir.rewrite(&text(number));
        weir.signal("HUP");
    }
    // The last wish is heeded: what was written before it is served.
    let last = format!("/fixed/7/{WISHES}");
    let mut client = weir.client();
    let mut answer = || {
        client.get(&last).sent();
        client.response("GET").unwrap().text()
    };
    support::eventually("the last one is served", || answer() == "7");
    let done = weir.metric("weir_reloads_total{result=\"ok\"}");
    assert!((1.0..=f64::from(WISHES)).contains(&done), "{done}");
    weir.counts("weir_reloads_total{result=\"failed\"}", 0.0);
}

/// A backend that turns each connection into a tunnel, and sends back what comes through it.
fn tunnels() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map(Result::unwrap) {
            std::thread::spawn(move || {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    let mut byte = [0];
                    stream.read_exact(&mut byte).unwrap();
                    head.push(byte[0]);
                }
                stream.write_all(SWITCHED).unwrap();
                let mut word = [0; 4];
                while stream.read_exact(&mut word).is_ok() && stream.write_all(&word).is_ok() {}
            });
        }
    });
    address
}

const SWITCHED: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
      Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
const SWITCH: &[u8] = b"GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
      Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

#[test]
fn five_hundred_tunnels_outlive_a_reload() {
    const TUNNELS: usize = 500;
    let (_, hard) = rlimit::Resource::NOFILE.get().unwrap();
    rlimit::Resource::NOFILE.set(hard, hard).unwrap();
    let text = |word: &str| {
        format!("[[route]]\npool = \"app\"\n[[route]]\npath = \"/x\"\nrespond = {{ body = \"{word}\" }}\n")
    };
    let weir = Weir::start(&text("old"), &[("origin", &tunnels().to_string())]);
    let mut open: Vec<TcpStream> = (0..TUNNELS)
        .map(|_| {
            let mut stream = TcpStream::connect(weir.address()).unwrap();
            stream.set_read_timeout(Some(support::PATIENCE)).unwrap();
            stream.write_all(SWITCH).unwrap();
            let mut client = Client::over(Wire::new(stream.try_clone().unwrap()));
            client.sees(101);
            stream
        })
        .collect();
    for word in ["new", "newer"] {
        weir.becomes(&text(word));
        weir.client().get("/x").sees(200).body(word);
        for stream in &mut open {
            stream.write_all(b"ping").unwrap();
        }
        for stream in &mut open {
            let mut answer = [0; 4];
            stream.read_exact(&mut answer).expect("an open tunnel");
            assert_eq!(&answer, b"ping");
        }
    }
}
