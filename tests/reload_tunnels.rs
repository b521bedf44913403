//! A reload that changes one route while many WebSockets are open closes none of them.

#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]

mod support;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use support::{PATIENCE, Weir};

/// As many as the bar of the issue names.
const COUNT: usize = 500;

/// Accepts WebSockets, and says back what it hears. What is in the frames does not interest here.
fn echo() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        listener.set_nonblocking(true).unwrap();
        runtime.block_on(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(upgrade(stream));
            }
        });
    });
    address
}

async fn upgrade(mut stream: tokio::net::TcpStream) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else { return };
        head.push(byte);
    }
    let answer = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                  Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
    if stream.write_all(answer.as_bytes()).await.is_err() {
        return;
    }
    let (mut from, mut to) = stream.split();
    let _ = tokio::io::copy(&mut from, &mut to).await;
}

fn open(weir: &Weir) -> TcpStream {
    let mut stream = TcpStream::connect(weir.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
        .write_all(
            b"GET /socket HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
              Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        )
        .unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.extend_from_slice(&byte);
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));
    stream
}

fn answers(stream: &mut TcpStream, word: &[u8]) -> bool {
    let mut heard = vec![0; word.len()];
    stream.write_all(word).is_ok() && stream.read_exact(&mut heard).is_ok() && heard == word
}

#[test]
fn five_hundred_open_websockets_outlive_reloads_of_another_route() {
    let (_, hard) = rlimit::Resource::NOFILE.get().unwrap();
    rlimit::Resource::NOFILE.set(hard, hard).unwrap();
    let backend = echo();
    let text = |word: &str| {
        format!("[[route]]\npool = \"app\"\n[[route]]\npath = \"/word\"\nrespond = {{ body = \"{word}\" }}\n")
    };
    let weir = Weir::start(&text("one"), &[("origin", &backend)]);
    let mut sockets: Vec<_> = (0..COUNT).map(|_| open(&weir)).collect();
    assert!(sockets.iter_mut().all(|socket| answers(socket, b"before")));
    for word in ["two", "three", "four"] {
        weir.becomes(&text(word));
        weir.client().get("/word").sees(200).body(word);
        let closed = sockets.iter_mut().filter_map(|socket| (!answers(socket, word.as_bytes())).then_some(())).count();
        assert_eq!(closed, 0, "after the reload to {word}");
    }
}
