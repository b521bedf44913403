//! A thousand clients at once ask for what nobody has, of an origin that is slow: it gets one request, and everybody reads
//! its response as it comes. `WEIR_HERD=1` asks for each first byte within 50 ms, which wants an optimised build.

#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]

mod support;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};
use support::{Gate, Weir};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::task::JoinSet;

const CACHING: &str = "[server]\nworkers = 2\n[pool.app]\nbackends = [\"{origin}\"]\n\
    [cache.pages]\nmemory = \"64MiB\"\n[[route]]\npool = \"app\"\ncache = \"pages\"\n";
const CLIENTS: usize = 1_000;
/// The origin rests for so long before its head, and before each piece.
const PAUSE: Duration = Duration::from_millis(150);
const PIECES: usize = 4;
const PIECE_BYTES: usize = 3_000;
/// The bar, from the origin's first byte to a client's.
const LATE_MAX: Duration = Duration::from_millis(50);
/// Without optimisation, on a machine that does other things as well.
const SOFT_LATE_MAX: Duration = Duration::from_secs(3);

#[test]
fn a_thousand_clients_on_a_cold_key_are_one_request_and_nobody_waits_for_longer() {
    let late_max = if std::env::var_os("WEIR_HERD").is_some() { LATE_MAX } else { SOFT_LATE_MAX };
    let (soft, hard) = rlimit::Resource::NOFILE.get().unwrap();
    rlimit::Resource::NOFILE.set(hard.min(soft.max(CLIENTS as u64 * 4)), hard).unwrap();
    let all_asked = Gate::new();
    let (origin, told) = slow_origin(&all_asked);
    let weir = Weir::start(CACHING, &[("origin", &origin.to_string())]);
    let (runtime, address) = (Builder::new_current_thread().enable_all().build().unwrap(), weir.address());
    let clients = thread::spawn(move || runtime.block_on(ask_all(address)));
    weir.counts("weir_cache_collapsed_total{cache=\"pages\"}", CLIENTS as f64 - 1.0);
    all_asked.open();
    let came = clients.join().unwrap();
    let wrote = told.iter().take(1 + PIECES).collect::<Vec<_>>();
    assert_eq!(weir.metric("weir_cache_fetches_total{cache=\"pages\"}"), 1.0);
    assert!(told.try_recv().is_err(), "another request came");
    let late = |at: usize| came.iter().map(|came| came[at].saturating_duration_since(wrote[at])).collect::<Vec<_>>();
    let mut first = late(0);
    first.sort_unstable();
    let (median, p99, longest) = (first[CLIENTS / 2], first[CLIENTS * 99 / 100], first[CLIENTS - 1]);
    println!("from the origin's first byte to a client's: median {median:?}, 99 of 100 {p99:?}, longest {longest:?}");
    for piece in 1..=PIECES {
        println!("piece {piece}: longest {:?}", late(piece).iter().max().unwrap());
    }
    assert!(longest < late_max, "the last client's first byte was {longest:?} late");
    // Nobody had what had not been sent.
    assert!(came.iter().all(|came| came.iter().zip(&wrote).all(|(came, wrote)| came >= wrote)));
    weir.client().get("/x").sees(200).body(&"x".repeat(PIECES * PIECE_BYTES));
}

/// Its address, and when it wrote the head and each piece.
fn slow_origin(all_asked: &Gate) -> (SocketAddr, Receiver<Instant>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let ((tell, told), all_asked) = (channel(), all_asked.clone());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, tell, all_asked) = (stream.unwrap(), tell.clone(), all_asked.clone());
            stream.set_nodelay(true).unwrap();
            thread::spawn(move || {
                while stream.read(&mut [0; 4096]).is_ok_and(|n| n > 0) {
                    all_asked.wait();
                    thread::sleep(PAUSE);
                    let length = PIECES * PIECE_BYTES;
                    let head =
                        format!("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: {length}\r\n\r\n");
                    tell.send(Instant::now()).unwrap_or_default();
                    stream.write_all(head.as_bytes()).unwrap();
                    for _ in 0..PIECES {
                        thread::sleep(PAUSE);
                        tell.send(Instant::now()).unwrap_or_default();
                        stream.write_all(&[b'x'; PIECE_BYTES]).unwrap();
                    }
                }
            });
        }
    });
    (address, told)
}

/// When the first byte, and the last of each piece, came to each client.
async fn ask_all(weir: SocketAddr) -> Vec<Vec<Instant>> {
    let mut connected = JoinSet::new();
    (0..CLIENTS).for_each(|_| drop(connected.spawn(async move { TcpStream::connect(weir).await.unwrap() })));
    let connected = connected.join_all().await;
    let mut asking = JoinSet::new();
    for mut stream in connected {
        asking.spawn(async move {
            stream.write_all(b"GET /x HTTP/1.1\r\nHost: test.example\r\n\r\n").await.unwrap();
            reads(stream).await
        });
    }
    asking.join_all().await
}

async fn reads(mut stream: TcpStream) -> Vec<Instant> {
    let (mut piece, mut head, mut came, mut content) = ([0; 16 * 1024], Vec::new(), Vec::new(), 0);
    while came.len() <= PIECES {
        let n = stream.read(&mut piece).await.unwrap();
        assert!(n > 0, "broken off");
        if came.is_empty() {
            came.push(Instant::now());
        }
        let mut bytes = &piece[..n];
        if !head.ends_with(b"\r\n\r\n") {
            let at = bytes.windows(4).position(|window| window == b"\r\n\r\n").map_or(n, |at| at + 4);
            head.extend_from_slice(&bytes[..at]);
            bytes = &bytes[at..];
        }
        assert!(bytes.iter().all(|&byte| byte == b'x'));
        content += bytes.len();
        while came.len() <= PIECES && content >= came.len() * PIECE_BYTES {
            came.push(Instant::now());
        }
    }
    assert!(head.starts_with(b"HTTP/1.1 200 ") && content == PIECES * PIECE_BYTES);
    came
}
