//! Who may use a route: networks, passwords, tokens, and the word of another backend.

#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]

mod ask;
mod basic;
mod cached;
mod keys;
mod limits;
mod networks;
mod own;
#[path = "../support/mod.rs"]
mod support;
mod token;
mod tokens;

use std::path::Path;
use support::{Origin, Weir};

/// A directory with files in it.
fn with(files: &[(&str, &str)]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    files.iter().for_each(|(name, text)| write(directory.path(), name, text));
    directory
}

fn write(directory: &Path, name: &str, text: &str) {
    std::fs::write(directory.join(name), text).unwrap();
}

/// Serves `text` with those files and the pool `app`.
fn serve(origin: &Origin, text: &str, files: &[(&str, &str)]) -> Weir {
    Weir::start_in(with(files), text, &[("origin", &origin.address())])
}

/// One exchange over HTTP/2: its status, and the fields of its response.
fn over_h2(weir: &Weir, target: &str, fields: &[(&str, &str)]) -> (u16, Vec<(String, String)>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let exchange = async {
        let stream = tokio::net::TcpStream::connect(weir.address()).await.unwrap();
        let (client, connection) = h2::client::handshake(stream).await.unwrap();
        tokio::spawn(connection);
        let uri = format!("http://test.example{target}");
        let mut head = http::Request::builder().uri(uri);
        for (name, value) in fields {
            head = head.header(*name, *value);
        }
        let (response, _) = client.ready().await.unwrap().send_request(head.body(()).unwrap(), true).unwrap();
        let response = response.await.unwrap();
        let line = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
            (name.as_str().to_owned(), value.to_str().unwrap().to_owned())
        };
        (response.status().as_u16(), response.headers().iter().map(line).collect())
    };
    runtime.block_on(async { tokio::time::timeout(support::PATIENCE, exchange).await }).unwrap()
}
