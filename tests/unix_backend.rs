//! Backends behind a Unix-domain socket, checked and asked like any other.

#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]

mod support;

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use support::Weir;

/// Answers with the request line; counts connections.
fn serve(path: &Path) -> Arc<AtomicUsize> {
    let listener = UnixListener::bind(path).unwrap();
    let connections = Arc::<AtomicUsize>::default();
    let count = connections.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            count.fetch_add(1, SeqCst);
            std::thread::spawn(move || {
                let mut stream = BufReader::new(stream.unwrap());
                let mut first = String::new();
                while stream.read_line(&mut first).is_ok_and(|n| n > 0) {
                    let mut line = String::new();
                    while line != "\r\n" {
                        line.clear();
                        stream.read_line(&mut line).unwrap();
                    }
                    let content = first.trim_end();
                    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{content}", content.len());
                    stream.get_mut().write_all(answer.as_bytes()).unwrap();
                    first.clear();
                }
            });
        }
    });
    connections
}

#[test]
fn a_unix_socket_is_a_backend_with_connections_that_stand() {
    let directory = tempfile::tempdir().unwrap();
    let connections = serve(&directory.path().join("app.sock"));
    // The path is relative to the file of the configuration.
    let text = "[pool.app]\nbackends = [\"unix:app.sock\", \"unix:gone.sock\"]\n\
                health = { path = \"/healthz\", every = \"1h\" }\n[[route]]\npool = \"app\"\n";
    let weir = Weir::start_in(directory, text, &[]);
    let mut client = weir.client();
    for path in ["/a", "/b", "/c"] {
        client.get(path).sees(200).body(&format!("GET {path} HTTP/1.1"));
    }
    // One for the probe, one for all exchanges.
    assert_eq!(connections.load(SeqCst), 2);
    assert!(weir.log.text().contains("gone.sock"), "{}", weir.log.text());
}
