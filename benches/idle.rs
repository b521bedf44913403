//! What an idle HTTP/1.1 connection holds: resident bytes of the process by 10,000 of them, fresh and after a request.

#![allow(clippy::unwrap_used, reason = "what it did not expect ends a measurement")]

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

fn main() {
    // As with criterion: `cargo bench` measures, `cargo test` only sees that it runs.
    let count = if std::env::args().any(|flag| flag == "--bench") { 10_000 } else { 200 };
    let (_, hard) = rlimit::Resource::NOFILE.get().unwrap();
    rlimit::Resource::NOFILE.set(hard, hard).unwrap();
    let origin = origin();
    for (name, asks) in [("fresh", false), ("after a request", true)] {
        // A process each: what the first freed would hide what the second takes.
        let (mut weir, address, _folder) = start(origin);
        // The first one pays for what all share.
        let _warm = connect(address, true);
        let before = resident(&weir);
        let idle: Vec<TcpStream> = (0..count).map(|_| connect(address, asks)).collect();
        // All are accepted once the last is answered.
        connect(address, true);
        let grown = resident(&weir).saturating_sub(before);
        println!("idle/{name}: {count} connections, {} bytes each", grown / count);
        drop(idle);
        weir.kill().unwrap();
        weir.wait().unwrap();
    }
}

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
    let mut tail = Vec::new();
    while let Ok(n @ 1..) = stream.read(&mut room) {
        tail.extend_from_slice(&room[..n]);
        if tail.ends_with(b"\r\n\r\n") {
            tail.clear();
            stream.write_all(RESPONSE).unwrap();
        }
    }
}

fn start(origin: SocketAddr) -> (Child, SocketAddr, tempfile::TempDir) {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "version = 1\n[server]\nworkers = 1\n[log]\nlevel = \"error\"\naccess = {{ to = \"off\" }}\n[[listener]]\n\
         address = \"{address}\"\ntimeouts = {{ head = \"10m\", idle = \"10m\" }}\n[pool.app]\nbackends = [\"{origin}\"]\n\
         [[route]]\npool = \"app\"\n"
    );
    fs::write(folder.path().join("weir.toml"), text).unwrap();
    let weir = Command::new(env!("CARGO_BIN_EXE_weir"))
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

fn connect(address: SocketAddr, asks: bool) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    if asks {
        stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        let mut seen = Vec::new();
        let mut room = [0; 1024];
        while !seen.ends_with(b"\r\n\r\nok") {
            let n = stream.read(&mut room).unwrap();
            assert!(n > 0, "no answer");
            seen.extend_from_slice(&room[..n]);
        }
    }
    stream
}

/// Bytes, as the kernel sums them up.
fn resident(weir: &Child) -> u64 {
    let text = fs::read_to_string(format!("/proc/{}/smaps_rollup", weir.id())).unwrap();
    let line = text.lines().find(|line| line.starts_with("Rss:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}
