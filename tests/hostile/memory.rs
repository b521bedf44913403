//! More than the ceiling of memory allows: the process stays below it, serves whom it can, and recovers.
//!
//! What is held is looked at all the while, and held against the ceiling when the process ends.
//! `WEIR_HOSTILE_MEMORY=64MiB cargo test --test hostile` runs all other floods below a ceiling, too.

use super::origin::{Act, Origin};
use super::support::{Cut, NoReply, PATIENCE, Reader, Weir, honest, say};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

const MIB: u64 = 1 << 20;

/// One that may be turned away meanwhile; whether it was served.
pub(super) fn is_served(weir: &Weir) -> bool {
    let Ok(mut stream) = TcpStream::connect(weir.address) else { return false };
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let _ = stream.write_all(b"GET /tries HTTP/1.1\r\nHost: honest\r\nConnection: close\r\n\r\n");
    match Reader::new(&stream).reply("GET") {
        Ok(reply) if reply.status == 200 => true,
        Ok(reply) => {
            assert_eq!((reply.status, reply.field("retry-after")), (503, Some("1")));
            false
        }
        Err(NoReply::Closed | NoReply::Broken(_)) => false,
        Err(other) => panic!("{other:?}"),
    }
}

/// It is as before, soon.
pub(super) fn recovers(weir: &Weir) {
    let begun = Instant::now();
    let mut in_a_row = 0;
    while in_a_row < 20 {
        in_a_row = if is_served(weir) { in_a_row + 1 } else { 0 };
        assert!(begun.elapsed() < PATIENCE, "it does not recover");
    }
    println!("all are served again after {:?}", begun.elapsed());
    honest(weir, "/honest");
}

#[test]
fn heads_without_end_fill_it_and_are_cut_off() {
    let origin = Origin::start();
    let weir = Weir::below("48MiB", origin.address, "limits = { head = \"64KiB\" }", "", "");
    honest(&weir, "/warm");
    let head = format!("GET /x HTTP/1.1\r\nHost: a\r\nX: {}", "y".repeat(60_000));
    let mut flood = Vec::new();
    let (mut served, mut tries) = (0, 0);
    for number in 0..1_500 {
        let mut stream = weir.connect();
        let _ = stream.write_all(head.as_bytes());
        flood.push(stream);
        if number % 10 == 0 {
            tries += 1;
            served += u32::from(is_served(&weir));
        }
    }
    println!("{served} of {tries} others served meanwhile");
    assert!(served > 0);
    recovers(&weir);
}

/// What a cache holds goes first.
#[test]
fn a_flood_takes_it_from_a_cache_that_has_filled_it() {
    let origin = Origin::start();
    let weir = Weir::filled("64MiB", origin.address, "limits = { head = \"64KiB\" }", "", "");
    let before = weir.resident();
    assert!(before > 48 * MIB, "{before} bytes are held, most of them by the cache");
    let head = format!("GET /x HTTP/1.1\r\nHost: a\r\nX: {}", "y".repeat(60_000));
    let mut flood = Vec::new();
    let mut served = 0;
    for _ in 0..300 {
        let mut stream = weir.connect();
        say(&mut stream, head.as_bytes(), Cut::Whole);
        flood.push(stream);
        served += u32::from(is_served(&weir));
    }
    println!("{served} of 300 others served meanwhile");
    assert!(served > 50, "{served}");
    drop(flood);
    recovers(&weir);
}

#[test]
fn connections_that_say_nothing_fill_it_and_are_closed() {
    const COUNT: usize = 4_000;
    let origin = Origin::start();
    // Hardly more than an empty process takes, as idle connections take so little.
    let empty = Weir::below("1GiB", origin.address, "", "", "");
    honest(&empty, "/warm");
    let ceiling = empty.resident() + 5 * MIB;
    let weir = Weir::below(&format!("{ceiling}B"), origin.address, "", "", "");
    honest(&weir, "/warm");
    let mut idle = Vec::new();
    for number in 0..COUNT {
        let Ok(mut stream) = TcpStream::connect(weir.address) else { continue };
        if number % 2 == 0 {
            let _ = stream.write_all(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            let _ = stream.read(&mut [0; 1024]);
        }
        idle.push(stream);
    }
    recovers(&weir);
}

#[test]
fn slow_readers_of_what_is_large_do_not_fill_it() {
    let origin = Origin::start();
    let large = [b"HTTP/1.1 200 OK\r\nContent-Length: 33554432\r\n\r\n".to_vec(), vec![b'x'; 32 << 20]].concat();
    origin.script("/large", vec![Act::Say(large)]);
    let weir = Weir::below("32MiB", origin.address, "timeouts = { body = \"3s\" }", "", "");
    honest(&weir, "/warm");
    let mut slow = Vec::new();
    for _ in 0..100 {
        let mut stream = weir.connect();
        socket2::SockRef::from(&stream).set_recv_buffer_size(4096).unwrap();
        say(&mut stream, b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n", Cut::Whole);
        slow.push(stream);
    }
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(1) {
        is_served(&weir);
    }
    drop(slow);
    recovers(&weir);
}

/// Large misses at once, each kept whole for the cache while it comes.
#[test]
fn many_large_fetches_at_once_are_passed_on_without_being_kept() {
    const SIZE: usize = 8 << 20;
    let origin = Origin::start();
    let head = format!("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: {SIZE}\r\n\r\n");
    let large = [head.into_bytes(), vec![b'x'; SIZE]].concat();
    for number in 0..40 {
        origin.script(&format!("/{number}"), vec![Act::Say(large.clone())]);
    }
    let cache = "[cache.pages]\nmemory = \"1GiB\"";
    // A worker that gets no processor for a second has not connected in one.
    let pool = format!("timeouts = {{ connect = \"10s\" }}\n{cache}");
    let weir = Weir::below("64MiB", origin.address, "", &pool, "cache = \"pages\"");
    honest(&weir, "/warm");
    let clients: Vec<_> = (0..40)
        .map(|number| {
            let stream = weir.connect();
            std::thread::spawn(move || {
                let mut stream = stream;
                say(&mut stream, format!("GET /{number} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes(), Cut::Whole);
                let reply = Reader::new(&stream).reply("GET").unwrap();
                assert!(reply.status == 503 || (reply.status == 200 && reply.body.len() == SIZE), "{}", reply.status);
                reply.status == 200
            })
        })
        .collect();
    let served = clients.into_iter().map(|client| client.join().unwrap()).filter(|served| *served).count();
    println!("{served} of 40 served");
    assert!(served >= 8, "{served}");
    recovers(&weir);
}

#[test]
fn a_cache_larger_than_it_holds_what_there_is_room_for() {
    const SIZE: usize = 64 * 1024;
    let origin = Origin::start();
    let head = format!("HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nContent-Length: {SIZE}\r\n\r\n");
    let object = [head.into_bytes(), vec![b'x'; SIZE]].concat();
    for number in 0..3_000 {
        origin.script(&format!("/{number}"), vec![Act::Say(object.clone())]);
    }
    let cache = "[cache.pages]\nmemory = \"1GiB\"";
    let weir = Weir::below("64MiB", origin.address, "", cache, "cache = \"pages\"");
    honest(&weir, "/warm");
    let stream = weir.connect();
    let mut reader = Reader::new(&stream);
    let mut ask = |number: usize| {
        say(
            &mut stream.try_clone().unwrap(),
            format!("GET /{number} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes(),
            Cut::Whole,
        );
        let reply = reader.reply("GET").unwrap();
        assert_eq!((reply.status, reply.body.len()), (200, SIZE));
        reply.field("cache-status").unwrap().contains("; hit")
    };
    let misses = (0..3_000).map(&mut ask).filter(|hit| !hit).count();
    assert_eq!(misses, 3_000);
    // 187 MiB were asked for, once each; what is asked for again and again stays, as far as there is room.
    for _ in 0..3 {
        (0..300).for_each(|number| _ = ask(number));
    }
    let hits = (0..300).map(&mut ask).filter(|hit| *hit).count();
    println!("{hits} hits of 300, which are 19 of 64 MiB");
    assert!(hits > 250, "{hits}");
    recovers(&weir);
}
