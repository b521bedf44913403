//! WebSocket and other upgrades: RFC 6455 spoken frame by frame.

#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]

mod support;

use support::{Broken, Client, Peer, Puppet, Weir, Wire};

const ALL: &str = "[[route]]\npool = \"app\"\n";
/// The example of RFC 6455 §1.3.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

fn before(puppet: &Puppet, text: &str) -> Weir {
    Weir::start(text, &[("origin", &puppet.address())])
}

fn hello(more: &[u8]) -> Vec<u8> {
    let head = format!(
        "GET /chat?room=1 HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n\
         Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: chat, superchat\r\n\r\n"
    );
    [head.as_bytes(), more].concat()
}

/// RFC 6455 §5.2: a whole message, in a mask if a client sends it.
fn frame(opcode: u8, mask: Option<[u8; 4]>, text: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x80 | opcode];
    let flag = if mask.is_some() { 0x80 } else { 0 };
    match text.len() {
        short @ ..126 => frame.push(flag | short as u8),
        long => {
            frame.push(flag | 126);
            frame.extend((long as u16).to_be_bytes());
        }
    }
    frame.extend(mask.unwrap_or_default().iter().take(if mask.is_some() { 4 } else { 0 }));
    let mask = mask.unwrap_or_default();
    frame.extend(text.iter().enumerate().map(|(at, byte)| byte ^ mask[at % 4]));
    frame
}

/// The opcode and text of the next frame.
fn next(wire: &mut Wire) -> Result<(u8, Vec<u8>), Broken> {
    let start = wire.exactly(2)?;
    let length = match start[1] & 0x7f {
        126 => u16::from_be_bytes(wire.exactly(2)?.try_into().unwrap()).into(),
        short => usize::from(short),
    };
    let mask = if start[1] & 0x80 != 0 { wire.exactly(4)? } else { vec![0; 4] };
    let text = wire.exactly(length)?;
    Ok((start[0] & 0x0f, text.iter().enumerate().map(|(at, byte)| byte ^ mask[at % 4]).collect()))
}

/// A client and a backend that have shaken hands.
fn shaken(weir: &Weir, puppet: &Puppet) -> (Client, Peer) {
    let mut client = weir.client();
    client.send(hello(b""));
    let mut peer = puppet.accepts();
    peer.gets_head();
    peer.send(format!("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {ACCEPT}\r\n\r\n"));
    client.sees(101);
    (client, peer)
}

const MASK: Option<[u8; 4]> = Some([1, 2, 3, 4]);
const TEXT: u8 = 1;
const CLOSE: u8 = 8;

#[test]
fn a_conversation_from_the_handshake_to_the_closing_one() {
    let origin = Puppet::start();
    let weir = before(&origin, ALL);
    let mut client = weir.client();
    client.send(hello(b""));
    let mut peer = origin.accepts();
    let seen = peer.gets_head();
    assert_eq!(seen.line, "GET /chat?room=1 HTTP/1.1");
    seen.field("upgrade", "websocket").field("sec-websocket-key", KEY).field("sec-websocket-version", "13");
    seen.field("sec-websocket-protocol", "chat, superchat").field("x-forwarded-for", "127.0.0.1");
    assert!(seen.value("connection").to_ascii_lowercase().contains("upgrade"));
    peer.send(format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {ACCEPT}\r\nSec-WebSocket-Protocol: superchat\r\n\r\n"
    ));
    let answer = client.sees(101).field("upgrade", "websocket").field("sec-websocket-accept", ACCEPT);
    assert!(answer.field("sec-websocket-protocol", "superchat").value("connection").eq_ignore_ascii_case("upgrade"));
    let long = vec![b'x'; 60_000];
    for text in [b"hello".as_slice(), b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", &long] {
        client.send(frame(TEXT, MASK, text));
        assert_eq!(next(&mut peer).unwrap(), (TEXT, text.to_vec()));
        peer.send(frame(TEXT, None, text));
        assert_eq!(next(&mut client).unwrap(), (TEXT, text.to_vec()));
    }
    // The backend may speak unasked.
    peer.send([frame(TEXT, None, b"a"), frame(TEXT, None, b"b")].concat());
    assert_eq!(next(&mut client).unwrap().1, b"a");
    assert_eq!(next(&mut client).unwrap().1, b"b");
    client.send(frame(CLOSE, MASK, &1000u16.to_be_bytes()));
    assert_eq!(next(&mut peer).unwrap(), (CLOSE, 1000u16.to_be_bytes().to_vec()));
    peer.send(frame(CLOSE, None, &1000u16.to_be_bytes()));
    drop(peer);
    assert_eq!(next(&mut client).unwrap().0, CLOSE);
    client.ends();
    weir.counts("weir_exchanges_in_flight", 0.0);
    weir.counts("weir_client_aborts_total", 0.0);
}

#[test]
fn bytes_that_come_with_the_handshakes_are_not_lost() {
    let origin = Puppet::start();
    let weir = before(&origin, ALL);
    let mut client = weir.client();
    client.send(hello(&frame(TEXT, MASK, b"early")));
    let mut peer = origin.accepts();
    peer.gets_head();
    peer.send(
        [
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n".as_slice(),
            &frame(TEXT, None, b"too"),
        ]
        .concat(),
    );
    assert_eq!(next(&mut peer).unwrap().1, b"early");
    client.sees(101);
    assert_eq!(next(&mut client).unwrap().1, b"too");
}

#[test]
fn a_backend_that_declines_answers_like_any_other() {
    let origin = Puppet::start();
    let weir = before(&origin, ALL);
    let mut client = weir.client();
    client.send(hello(b""));
    let mut peer = origin.accepts();
    peer.gets_head();
    peer.send("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
    client.sees(403).body("no");
    // The connections serve on, both of them.
    client.get("/").sent();
    peer.gets().lacks("upgrade");
    peer.send(
        "HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nConnection: upgrade\r\nContent-Length: 0\r\n\r\n",
    );
    client.sees(426);
}

#[test]
fn whoever_leaves_takes_the_other_along() {
    let origin = Puppet::start();
    let weir = before(&origin, ALL);
    let (client, mut peer) = shaken(&weir, &origin);
    drop(client);
    peer.ends();
    drop(peer);
    let (mut client, peer) = shaken(&weir, &origin);
    drop(peer);
    client.ends();
    let (mut client, peer) = shaken(&weir, &origin);
    peer.resets();
    client.ends();
    weir.counts("weir_exchanges_in_flight", 0.0);
}

#[test]
fn half_a_conversation_goes_on() {
    let origin = Puppet::start();
    let weir = before(&origin, ALL);
    let (mut client, mut peer) = shaken(&weir, &origin);
    client.send("last words");
    client.finish();
    assert_eq!(peer.rest().unwrap(), b"last words");
    peer.send("and an answer");
    drop(peer);
    assert_eq!(client.rest().unwrap(), b"and an answer");
}

#[test]
fn silence_ends_after_its_own_time() {
    let origin = Puppet::start();
    let route = "[[route]]\npool = \"app\"\ntimeouts = { idle = \"1h\", upgrade_idle = \"60ms\" }\n";
    let weir = before(&origin, route);
    let (mut client, mut peer) = shaken(&weir, &origin);
    client.ends();
    peer.ends();
    // And the time of ordinary content is not that of a conversation.
    weir.becomes("[[route]]\npool = \"app\"\ntimeouts = { idle = \"1ms\", first_byte = \"2s\" }\n");
    let (mut client, mut peer) = shaken(&weir, &origin);
    weir.counts("weir_exchanges_in_flight", 1.0);
    weir.counts("weir_reloads_total{result=\"ok\"}", 1.0);
    client.send(frame(TEXT, MASK, b"still here"));
    assert_eq!(next(&mut peer).unwrap().1, b"still here");
}

#[test]
fn an_upgrade_that_nobody_asked_for_is_no_response() {
    let origin = Puppet::start();
    let weir = before(&origin, ALL);
    let mut client = weir.client();
    client.get("/").sent();
    let mut peer = origin.accepts();
    peer.gets();
    peer.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
    client.sees(502);
    peer.ends();
}

#[test]
fn an_upgrade_is_not_passed_on_where_connection_does_not_name_it() {
    let origin = Puppet::start();
    let weir = before(&origin, ALL);
    let mut client = weir.client();
    client.get("/").field("Upgrade", "websocket").sent();
    let mut peer = origin.accepts();
    peer.gets().lacks("upgrade").lacks("connection");
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    client.sees(200);
}
