//! Floods of HTTP/2 frames: an honest client is served meanwhile, and memory stays bounded.

use super::frames::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PING, PRIORITY, RST_STREAM, SETTINGS, WINDOW_UPDATE, block,
    frame, get, literal, open,
};
use super::memory::{is_served, recovers};
use super::origin::{Act, Origin};
use super::support::{Weir, honest};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Four attackers have 50 streams each, and a stream holds what its backend sent last, and what waits to be sent.
const GROWTH_MAX: u64 = 4 * 50 * (400 << 10);

/// Of the honest client's requests, beside a flood.
const SERVED_MIN: usize = 5;

/// Four attackers send pieces until they are cut off or have sent `count`, and read what comes if they are `polite`.
fn flood(polite: bool, count: usize, settings: &[u8], lead: &[u8], piece: impl Fn(usize) -> Vec<u8> + Sync) {
    let origin = origin();
    let weir = Weir::start(origin.address, LISTENER, "", "");
    flood_it(&weir, polite, count, settings, lead, piece);
}

const LISTENER: &str = "protocols = [\"http/1.1\", \"h2\"]\ntimeouts = { head = \"2s\", body = \"1s\", idle = \"2s\" }";

fn origin() -> Origin {
    let origin = Origin::start();
    let large = [b"HTTP/1.1 200 OK\r\nContent-Length: 2097152\r\n\r\n".to_vec(), vec![b'x'; 2 << 20]].concat();
    origin.script("/large", vec![Act::Say(large)]);
    origin
}

fn flood_it(
    weir: &Weir,
    polite: bool,
    count: usize,
    settings: &[u8],
    lead: &[u8],
    piece: impl Fn(usize) -> Vec<u8> + Sync,
) {
    honest(weir, "/warm");
    let before = weir.resident();
    let over = AtomicBool::new(false);
    let (mut most, mut served) = (0, 0);
    let attackers: Vec<TcpStream> = (0..4).map(|_| open(weir, settings)).collect();
    std::thread::scope(|scope| {
        for attacker in &attackers {
            let (over, piece) = (&over, &piece);
            scope.spawn(move || attack(attacker, lead, count, piece, over));
            if polite {
                scope.spawn(move || drop((&*attacker).read_to_end(&mut Vec::new())));
            }
        }
        let begun = Instant::now();
        // On a busy machine for longer: each is given its time, and none may be left without an answer.
        while begun.elapsed() < Duration::from_millis(1_200) || served < SERVED_MIN {
            served += usize::from(asks(weir));
            most = most.max(weir.resident());
        }
        over.store(true, Ordering::Relaxed);
        attackers.iter().for_each(|attacker| drop(attacker.shutdown(Shutdown::Both)));
    });
    if weir.has_ceiling() {
        recovers(weir);
    }
    honest(weir, "/honest");
    let grown = most.saturating_sub(before) / 1024;
    println!("{served} honest answers, {grown} KiB more");
    assert!(grown * 1024 < GROWTH_MAX, "{grown} KiB more");
}

/// An honest client; whether it is served, as it must be where there is memory.
fn asks(weir: &Weir) -> bool {
    if weir.has_ceiling() {
        return is_served(weir);
    }
    honest(weir, "/honest");
    true
}

fn attack(mut stream: &TcpStream, lead: &[u8], count: usize, piece: impl Fn(usize) -> Vec<u8>, over: &AtomicBool) {
    let _ = stream.write_all(lead);
    for n in 0..count {
        if over.load(Ordering::Relaxed) || stream.write_all(&piece(n)).is_err() {
            return;
        }
    }
}

fn stream(n: usize) -> u32 {
    2 * n as u32 + 1
}

#[test]
fn rapid_resets() {
    flood(true, 100_000, b"", b"", |n| {
        let open = frame(HEADERS, END_HEADERS | END_STREAM, stream(n), &get("/x"));
        [open, frame(RST_STREAM, 0, stream(n), &[0, 0, 0, 8])].concat()
    });
}

#[test]
fn endless_continuations() {
    let lead = frame(HEADERS, END_STREAM, 1, &get("/x"));
    flood(true, 100_000, b"", &lead, |_| frame(CONTINUATION, 0, 1, &literal(b"x", &[b'y'; 1000])));
}

#[test]
fn endless_empty_continuations() {
    let lead = frame(HEADERS, END_STREAM, 1, &get("/x"));
    flood(true, 1_000, b"", &lead, |_| frame(CONTINUATION, 0, 1, b"").repeat(1_000));
}

#[test]
fn pings_that_are_answered_to_nobody() {
    flood(false, 2_000, b"", b"", |_| frame(PING, 0, 0, b"12345678").repeat(1_000));
}

#[test]
fn settings_that_are_answered_to_nobody() {
    flood(false, 2_000, b"", b"", |_| frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 100]).repeat(1_000));
}

#[test]
fn a_bomb_of_indexed_fields() {
    flood(true, 2_000, b"", b"", |n| {
        // RFC 7541 §6.2.1: the first names entry 62 of the table, the others are one byte for 4,000 each.
        let large = [&[0x40, 1, b'x'][..], &literal(b"", &[b'y'; 4000])[2..]].concat();
        let bomb = [get("/x"), large, vec![0x80 | 62; 10_000]].concat();
        frame(HEADERS, END_HEADERS | END_STREAM, stream(n), &bomb)
    });
}

#[test]
fn empty_data() {
    let lead = frame(
        HEADERS,
        END_HEADERS,
        1,
        &block(&[(b":method", b"POST"), (b":scheme", b"http"), (b":path", b"/x"), (b":authority", b"a")]),
    );
    flood(true, 1_000, b"", &lead, |_| frame(DATA, 0, 1, b"").repeat(1_000));
}

#[test]
fn streams_with_a_window_of_one_byte() {
    // SETTINGS_INITIAL_WINDOW_SIZE = 1
    flood(true, 50, &[0, 4, 0, 0, 0, 1], b"", |n| frame(HEADERS, END_HEADERS | END_STREAM, stream(n), &get("/large")));
}

/// All that each of them holds is there within a few milliseconds.
#[test]
fn streams_with_a_window_of_one_byte_beside_a_cache_that_has_filled_the_memory() {
    let origin = origin();
    let weir = Weir::filled("64MiB", origin.address, LISTENER, "", "");
    flood_it(&weir, true, 50, &[0, 4, 0, 0, 0, 1], b"", |n| {
        frame(HEADERS, END_HEADERS | END_STREAM, stream(n), &get("/large"))
    });
}

#[test]
fn responses_that_nobody_reads() {
    // SETTINGS_INITIAL_WINDOW_SIZE = 2^31 - 1, and the same for the connection.
    let lead = frame(WINDOW_UPDATE, 0, 0, &[0x7f, 0, 0, 0]);
    flood(false, 50, &[0, 4, 0x7f, 0xff, 0xff, 0xff], &lead, |n| {
        frame(HEADERS, END_HEADERS | END_STREAM, stream(n), &get("/large"))
    });
}

#[test]
fn priorities_and_window_updates_and_frames_unknown() {
    flood(true, 1_000, b"", b"", |n| match n % 3 {
        0 => frame(PRIORITY, 0, 1, &[0, 0, 0, 3, 9]).repeat(1_000),
        1 => frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1]).repeat(1_000),
        _ => frame(0xee, 0, 0, b"x").repeat(1_000),
    });
}

#[test]
fn streams_that_are_never_finished() {
    flood(true, 10_000, b"", b"", |n| {
        let fields: [(&[u8], &[u8]); 4] =
            [(b":method", b"POST"), (b":scheme", b"http"), (b":path", b"/x"), (b":authority", b"a")];
        frame(HEADERS, END_HEADERS, stream(n), &block(&fields))
    });
}
