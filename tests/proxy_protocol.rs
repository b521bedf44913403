//! PROXY headers, in and out.

#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]

mod support;

use support::tls::over;
use support::{Authority, Origin, Puppet, Weir};

const ALL: &str = "[[route]]\npool = \"app\"\n";
const REQUEST: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

fn trusting(origin: &Origin, from: &str) -> Weir {
    let listener =
        format!("[[listener]]\naddress = \"127.0.0.1:{{port}}\"\nproxy_protocol = {{ from = [\"{from}\"] }}\n");
    Weir::before(origin, &format!("{listener}{ALL}"))
}

/// Version 2, for TCP over IPv4 from 1.2.3.4:5 to 6.7.8.9:80, with what follows the addresses.
fn v2(more: &[u8]) -> Vec<u8> {
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11".to_vec();
    header.extend((12 + more.len() as u16).to_be_bytes());
    header.extend([1, 2, 3, 4, 6, 7, 8, 9, 0, 5, 0, 80]);
    header.extend(more);
    header
}

#[test]
fn the_client_is_whom_the_header_names() {
    let origin = Origin::start();
    let weir = trusting(&origin, "127.0.0.0/8");
    let local = b"\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00";
    let headers: [(&[u8], &str); 7] = [
        (b"PROXY TCP4 1.2.3.4 6.7.8.9 5 80\r\n", "1.2.3.4"),
        (b"PROXY TCP6 2001:db8::1 ::1 5 80\r\n", "2001:db8::1"),
        (b"PROXY UNKNOWN\r\n", "127.0.0.1"),
        (b"PROXY UNKNOWN what ever\r\n", "127.0.0.1"),
        (&v2(b""), "1.2.3.4"),
        (&v2(b"\x04\x00\x03abc"), "1.2.3.4"),
        (local, "127.0.0.1"),
    ];
    for (header, client) in headers {
        let mut talk = weir.client();
        talk.send([header, REQUEST.as_bytes()].concat());
        talk.sees(200);
        origin.last().field("x-forwarded-for", client);
    }
}

#[test]
fn a_header_may_come_in_pieces() {
    let origin = Origin::start();
    let weir = trusting(&origin, "127.0.0.1");
    for header in [v2(b"\x04\x00\x03abc"), b"PROXY TCP4 1.2.3.4 6.7.8.9 5 80\r\n".to_vec()] {
        // No delay is needed: without Nagle, each byte is a segment of its own.
        let mut client = weir.client();
        for byte in header.iter().chain(REQUEST.as_bytes()) {
            client.send([*byte]);
        }
        client.sees(200);
        origin.last().field("x-forwarded-for", "1.2.3.4");
    }
}

#[test]
fn garbage_ends_its_own_connection_only() {
    let origin = Origin::start();
    let weir = trusting(&origin, "127.0.0.1");
    let (mut version, mut family) = (v2(b""), v2(b""));
    version[12] = 0x31;
    family[14..16].copy_from_slice(&3u16.to_be_bytes());
    for garbage in [
        REQUEST.as_bytes(),
        b"PROXY TCP4 1.2.3.4 6.7.8.9 5\r\n",
        b"PROXY TCP4 1.2.3.4 6.7.8.9 5 80\n",
        b"PROXY TCP4 1.2.3.999 6.7.8.9 5 80\r\n",
        b"PROXY TCP4 2001:db8::1 ::1 5 80\r\n",
        &b"PROXY UNKNOWN ".iter().copied().chain([b'x'; 200]).collect::<Vec<_>>(),
        b"\r\n\r\n\0\r\nQUIX\n\x21\x11\0\0",
        &version,
        &family,
        b"\x16\x03\x01\x00\x01\x01",
    ] {
        let mut client = weir.client();
        client.send(garbage);
        let _ = client.try_send(REQUEST);
        client.ends();
    }
    origin.saw(0);
    let mut client = weir.client();
    client.send(v2(b""));
    client.get("/").sees(200);
}

#[test]
fn nobody_else_may_send_one() {
    let origin = Origin::start();
    let weir = trusting(&origin, "10.0.0.0/8");
    for start in ["PROXY TCP4 1.2.3.4 6.7.8.9 5 80\r\n", ""] {
        let mut client = weir.client();
        let _ = client.try_send(format!("{start}{REQUEST}"));
        client.ends();
    }
    origin.saw(0);
    // And where none is expected, it is no request.
    let weir = Weir::before(&origin, ALL);
    let mut client = weir.client();
    client.send(format!("PROXY TCP4 1.2.3.4 6.7.8.9 5 80\r\n{REQUEST}"));
    client.sees(400);
    client.ends();
    origin.saw(0);
}

#[test]
fn tls_follows_the_header() {
    let authority = Authority::new();
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("server.pem"), authority.signs("shop.example", "server")).unwrap();
    let origin = Origin::start();
    let listener = "[[listener]]\naddress = \"127.0.0.1:{port}\"\nproxy_protocol = { from = [\"127.0.0.1\"] }\n\
                    tls = { certificates = [{ cert = \"server.pem\" }] }\n";
    let weir = Weir::start_in(directory, &format!("{listener}{ALL}"), &[("origin", &origin.address())]);
    let mut socket = std::net::TcpStream::connect(weir.address()).unwrap();
    std::io::Write::write_all(&mut socket, &v2(b"")).unwrap();
    let mut client = over(socket, "shop.example", &authority.client(None)).shakes().unwrap().client();
    client.get("/").sees(200);
    origin.last().field("x-forwarded-for", "1.2.3.4").field("x-forwarded-proto", "https");
}

#[test]
fn backends_are_told_in_a_header_on_a_connection_for_each_client() {
    let origin = Puppet::start();
    for version in ["v1", "v2"] {
        let pool = format!("[pool.app]\nbackends = [\"{{origin}}\"]\nproxy_protocol = \"{version}\"\n{ALL}");
        let weir = Weir::start(&pool, &[("origin", &origin.address())]);
        for _ in 0..2 {
            let mut client = weir.client();
            client.get("/").sent();
            let mut peer = origin.accepts();
            let (from, to) = (client.local().port(), weir.address().port());
            if version == "v1" {
                assert_eq!(peer.line().unwrap(), format!("PROXY TCP4 127.0.0.1 127.0.0.1 {from} {to}"));
            } else {
                let mut wanted = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\x7f\0\0\x01\x7f\0\0\x01".to_vec();
                wanted.extend([from.to_be_bytes(), to.to_be_bytes()].concat());
                assert_eq!(peer.exactly(28).unwrap(), wanted);
            }
            assert_eq!(peer.gets().line, "GET / HTTP/1.1");
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
            client.sees(200);
            // Nobody else may speak in this client's name.
            peer.ends();
        }
    }
}

#[test]
fn what_came_in_a_header_goes_out_in_one() {
    let origin = Puppet::start();
    let listener = "[[listener]]\naddress = \"127.0.0.1:{port}\"\nproxy_protocol = { from = [\"127.0.0.1\"] }\n";
    let pool = "[pool.app]\nbackends = [\"{origin}\"]\nproxy_protocol = \"v1\"\n";
    let weir = Weir::start(&format!("{listener}{pool}{ALL}"), &[("origin", &origin.address())]);
    let mut client = weir.client();
    client.send([&v2(b""), REQUEST.as_bytes()].concat());
    let mut peer = origin.accepts();
    assert_eq!(peer.line().unwrap(), "PROXY TCP4 1.2.3.4 6.7.8.9 5 80");
    peer.gets().field("x-forwarded-for", "1.2.3.4");
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    client.sees(200);
}
