//! What a client gets of a route that compresses, over real sockets.

#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]

mod support;

use std::io::Read;
use support::{Client, Gate, Origin, Weir};

const COMPRESSES: &str = "[[route]]\npool = \"app\"\ncompress = [\"gzip\"]\n";

fn page() -> String {
    "<p>hello</p>".repeat(500)
}

/// What gzip says, as far as it goes.
fn shown(encoded: &[u8]) -> String {
    let mut out = String::new();
    let _ = flate2::read::GzDecoder::new(encoded).read_to_string(&mut out);
    out
}

#[test]
fn a_page_is_compressed_for_who_accepts_it() {
    let origin = Origin::start();
    let weir = Weir::before(&origin, COMPRESSES);
    origin.replies(200).field("Content-Type", "text/html").field("ETag", "\"a\"").body(&page());
    let mut client = weir.client();
    let response = client.get("/").field("Accept-Encoding", "br, gzip").sees(200);
    assert_eq!(shown(&response.body), page());
    let response = response.field("content-encoding", "gzip").field("etag", "W/\"a\"").lacks("content-length");
    response.field("vary", "Accept-Encoding");

    origin.replies(200).field("Content-Type", "text/html").field("ETag", "\"a\"").body(&page());
    let response = client.get("/").sees(200).body(&page()).field("etag", "\"a\"");
    response.field("vary", "Accept-Encoding").lacks("content-encoding");
}

#[test]
fn the_connection_goes_on_after_a_compressed_response() {
    let origin = Origin::start();
    let weir = Weir::before(&origin, COMPRESSES);
    let mut client = weir.client();
    for _ in 0..3 {
        origin.replies(200).field("Content-Type", "text/html").body(&page());
        let response = client.get("/").field("Accept-Encoding", "gzip").sees(200);
        assert_eq!(shown(&response.body), page());
        origin.replies(200).field("Content-Type", "image/png").body("abc");
        client.get("/").field("Accept-Encoding", "gzip").sees(200).body("abc").lacks("vary");
    }
}

#[test]
fn head_and_304_say_what_get_says() {
    let origin = Origin::start();
    let weir = Weir::before(&origin, COMPRESSES);
    let mut client = weir.client();
    origin.says("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6000\r\nETag: \"a\"\r\n\r\n");
    let response = client.ask("HEAD", "/").field("Accept-Encoding", "gzip").sees(200);
    response.field("content-encoding", "gzip").lacks("content-length").field("etag", "W/\"a\"");
    origin.says("HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n\r\n");
    let ask = client.get("/").field("Accept-Encoding", "gzip").field("If-None-Match", "W/\"a\"");
    ask.sees(304).field("etag", "W/\"a\"");
}

#[test]
fn a_response_that_breaks_off_is_seen_as_broken() {
    let origin = Origin::start();
    let weir = Weir::before(&origin, COMPRESSES);
    origin.says("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6000\r\n\r\n<p>hel").closes();
    let mut client = weir.client();
    client.get("/").field("Accept-Encoding", "gzip").sent();
    client.sees_broken();
}

#[test]
fn what_streams_arrives_before_it_ends() {
    let origin = Origin::start();
    let weir = Weir::before(&origin, COMPRESSES);
    let gate = Gate::new();
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n4\r\none \r\n";
    drop(origin.says(head).after(&gate).then("4\r\ntwo \r\n0\r\n\r\n"));
    let mut client = weir.client();
    client.get("/").field("Accept-Encoding", "gzip").sent();
    client.sees_head(200).field("content-encoding", "gzip");
    let first = chunk(&mut client);
    assert_eq!(shown(&first), "one ", "the origin waits, and the client has what was said so far");
    gate.open();
    let all = [first, chunk(&mut client)].concat();
    assert_eq!(shown(&all), "one two ");
}

fn chunk(client: &mut Client) -> Vec<u8> {
    let size = usize::from_str_radix(&client.line().unwrap(), 16).unwrap();
    let content = client.exactly(size).unwrap();
    assert_eq!(client.line().unwrap(), "");
    content
}

#[test]
fn what_is_stored_serves_all_forms() {
    let origin = Origin::start();
    let weir = Weir::before(
        &origin,
        "[cache.c]\nmemory = \"16MiB\"\n[[route]]\npool = \"app\"\ncache = \"c\"\ncompress = [\"gzip\"]\n",
    );
    let reply = origin.replies(200).field("Content-Type", "text/html").field("ETag", "\"a\"");
    reply.field("Cache-Control", "max-age=60").body(&page());
    let mut client = weir.client();
    for _ in 0..2 {
        let response = client.get("/").field("Accept-Encoding", "gzip").sees(200);
        assert_eq!(shown(&response.body), page());
        response.field("content-encoding", "gzip").field("etag", "W/\"a\"").field("vary", "Accept-Encoding");
        let response = client.get("/").sees(200).body(&page()).field("etag", "\"a\"");
        response.field("vary", "Accept-Encoding").lacks("content-encoding");
    }
    let ask = client.get("/").field("Accept-Encoding", "gzip").field("If-None-Match", "W/\"a\"");
    ask.sees(304).field("etag", "W/\"a\"");
    let ask = client.get("/").field("Accept-Encoding", "gzip").field("Range", "bytes=0-2");
    ask.sees(206).body("<p>").lacks("content-encoding").field("etag", "\"a\"");
    let response = client.ask("HEAD", "/").field("Accept-Encoding", "gzip").sees(200);
    let length = response.value("content-length");
    response.field("content-encoding", "gzip").field("etag", "W/\"a\"");
    let response = client.get("/").field("Accept-Encoding", "gzip").sees(200).field("content-length", &length);
    assert_eq!(response.body.len().to_string(), length);
    origin.saw(1);
}

#[test]
fn fixed_answers_are_compressed_too() {
    let origin = Origin::start();
    let route = format!("[[route]]\nrespond = {{ body = \"{}\" }}\ncompress = [\"gzip\"]\n", page());
    let weir = Weir::before(&origin, &route);
    let response = weir.client().get("/").field("Accept-Encoding", "gzip").sees(200);
    assert_eq!(shown(&response.body), page());
}
