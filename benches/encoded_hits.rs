//! CPU time of the process for a hit on a route that compresses, by coding and size, one worker, 32 connections.

#![allow(clippy::unwrap_used, reason = "what it did not expect ends a measurement")]

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const SIZES: [usize; 3] = [4 << 10, 16 << 10, 64 << 10];
const CODINGS: [&str; 4] = ["identity", "zstd", "br", "gzip"];
const CONNECTIONS: usize = 32;

fn main() {
    // As with criterion: `cargo bench` measures, `cargo test` only sees that it runs.
    let is_measured = std::env::args().any(|flag| flag == "--bench");
    let (rounds, turns) = if is_measured { (5, 40) } else { (1, 1) };
    let (mut weir, address, _folder) = start(origin());
    let mut crowd: Vec<TcpStream> = (0..CONNECTIONS).map(|_| TcpStream::connect(address).unwrap()).collect();
    for size in SIZES {
        for coding in CODINGS {
            let ask = format!("GET /{size} HTTP/1.1\r\nHost: a\r\nAccept-Encoding: {coding}\r\n\r\n");
            // What is made once is made, and what is learnt is learnt.
            let until = Instant::now() + if is_measured { Duration::from_millis(300) } else { Duration::ZERO };
            while Instant::now() < until {
                all_ask(&mut crowd, &ask);
            }
            let mut nanos: Vec<u64> = (0..rounds).map(|_| measured(&weir, &mut crowd, &ask, turns)).collect();
            nanos.sort_unstable();
            let sent = all_ask(&mut crowd, &ask) / CONNECTIONS;
            let micros = nanos[rounds / 2] as f64 / 1_000.0;
            println!("encoded_hits/{size}/{coding}: {micros:.2} µs a hit, {sent} bytes each");
        }
    }
    weir.kill().unwrap();
    weir.wait().unwrap();
}

/// Nanoseconds of CPU time for a hit.
fn measured(weir: &Child, crowd: &mut [TcpStream], ask: &str, turns: usize) -> u64 {
    let before = cpu_nanos(weir);
    for _ in 0..turns {
        all_ask(crowd, ask);
    }
    (cpu_nanos(weir) - before) / (turns * crowd.len()) as u64
}

/// Each connection asks once, and reads the answer; the bytes of all contents.
fn all_ask(crowd: &mut [TcpStream], ask: &str) -> usize {
    crowd.iter_mut().for_each(|stream| stream.write_all(ask.as_bytes()).unwrap());
    crowd.iter_mut().map(content).sum()
}

/// Reads a response; the bytes of its content with its framing.
fn content(stream: &mut TcpStream) -> usize {
    let mut seen = Vec::with_capacity(SIZES[2] * 2);
    let mut room = vec![0; 64 << 10];
    loop {
        let n = stream.read(&mut room).unwrap();
        assert!(n > 0, "no answer");
        seen.extend_from_slice(&room[..n]);
        let Some(head) = seen.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let text = String::from_utf8_lossy(&seen[..head]).to_lowercase();
        assert!(text.starts_with("http/1.1 200"), "{text}");
        let length = text.lines().find_map(|line| line.strip_prefix("content-length: "));
        let content = &seen[head + 4..];
        let is_all = match length {
            Some(length) => content.len() >= length.parse().unwrap(),
            None => content.ends_with(b"\r\n0\r\n\r\n"),
        };
        if is_all {
            return content.len();
        }
    }
}

/// Of all threads.
fn cpu_nanos(weir: &Child) -> u64 {
    let threads = fs::read_dir(format!("/proc/{}/task", weir.id())).unwrap();
    let nanos = |path: std::path::PathBuf| {
        let text = fs::read_to_string(path.join("schedstat")).unwrap_or_default();
        text.split_whitespace().next().and_then(|nanos| nanos.parse::<u64>().ok()).unwrap_or(0)
    };
    threads.map(|thread| nanos(thread.unwrap().path())).sum()
}

/// Answers `/N` with about N bytes of text that is neither all alike nor noise.
fn origin() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            std::thread::spawn(move || answer(stream.unwrap()));
        }
    });
    address
}

fn answer(mut stream: TcpStream) {
    let mut room = [0; 4096];
    let mut seen = Vec::new();
    while let Ok(n @ 1..) = stream.read(&mut room) {
        seen.extend_from_slice(&room[..n]);
        if seen.ends_with(b"\r\n\r\n") {
            let text = String::from_utf8_lossy(&seen).into_owned();
            let size: usize = text.split(['/', ' ']).nth(2).unwrap().parse().unwrap();
            let content = page(size);
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nCache-Control: max-age=86400\r\n\
                 ETag: \"{size}\"\r\nContent-Length: {}\r\n\r\n",
                content.len()
            );
            stream.write_all(head.as_bytes()).unwrap();
            stream.write_all(&content).unwrap();
            seen.clear();
        }
    }
}

fn page(size: usize) -> Vec<u8> {
    let words =
        ["water", "weir", "river", "bank", "stone", "mill", "gate", "fish", "stream", "meadow", "rain", "bridge"];
    let (mut text, mut state) = (String::new(), 7u64);
    while text.len() < size {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let word = words[(state >> 33) as usize % words.len()];
        text += &format!("<li id=\"{:x}\">{word}</li>\n", (state >> 50) & 0xfff);
    }
    text.truncate(size);
    text.into_bytes()
}

fn start(origin: SocketAddr) -> (Child, SocketAddr, tempfile::TempDir) {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "version = 1\n[server]\nworkers = 1\n[log]\nlevel = \"error\"\naccess = {{ to = \"off\" }}\n[[listener]]\n\
         address = \"{address}\"\n[pool.app]\nbackends = [\"{origin}\"]\n[cache.pages]\nmemory = \"64MiB\"\n\
         [[route]]\npool = \"app\"\ncache = \"pages\"\ncompress = {{}}\n"
    );
    fs::write(folder.path().join("weir.toml"), text).unwrap();
    // Another build, to be compared with.
    let binary = std::env::var("WEIR_BINARY").unwrap_or_else(|_| env!("CARGO_BIN_EXE_weir").to_owned());
    let weir = Command::new(binary)
        .args(["run", "-c", "weir.toml"])
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    while TcpStream::connect(address).is_err() {
        assert!(begun.elapsed() < Duration::from_secs(10), "weir does not listen");
        std::thread::sleep(Duration::from_millis(5));
    }
    (weir, address, folder)
}
