//! A reload changes listeners one by one: those that stay do not notice, and open connections end as they began.

#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]

mod support;

use std::net::TcpStream;
use support::load::{Load, echo};
use support::tls::connect;
use support::{Authority, Client, Weir};

const FIXED: &str = "[[route]]\nrespond = { body = \"x\" }\n";
const OTHER: &str = "[[listener]]\naddress = \"127.0.0.1:{port2}\"\n";

/// A listener with these keys, beside another one that stays as it is.
fn with(keys: &str) -> String {
    format!("{OTHER}[[listener]]\naddress = \"127.0.0.1:{{port}}\"\n{keys}{FIXED}")
}

/// A connection to the listener that stays, which serves through everything that `change` does.
fn beside(weir: &Weir, change: impl FnOnce()) {
    let mut other = Client::connect(weir.at("port2"));
    other.get("/").sees(200);
    change();
    other.get("/").sees(200);
    Client::connect(weir.at("port2")).get("/").sees(200);
}

#[test]
fn tls_is_taken_up_and_given_up() {
    let directory = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    std::fs::write(directory.path().join("a.pem"), authority.signs("a.example", "server")).unwrap();
    let weir = Weir::start_in(directory, &with(""), &[]);
    let mut plain = weir.client();
    plain.get("/").sees(200).body("x");
    beside(&weir, || weir.becomes(&with("tls = { certificates = [{ cert = \"a.pem\" }] }\n")));
    plain.get("/").sees(200).body("x");
    let config = authority.client(None);
    let mut secret = connect(weir.address(), "a.example", &config).shakes().unwrap().client();
    secret.get("/").host("a.example").sees(200).body("x");
    beside(&weir, || weir.becomes(&with("")));
    secret.get("/").host("a.example").sees(200).body("x");
    weir.client().get("/").sees(200).body("x");
}

#[test]
fn protocols_are_changed_for_new_connections() {
    let weir = Weir::start(&with(""), &[]);
    let mut first = weir.client();
    first.get("/").sees(200);
    beside(&weir, || weir.becomes(&with("protocols = [\"h2\"]\n")));
    first.get("/").sees(200);
    // A server's first frame is SETTINGS (RFC 9113 §3.4).
    let mut second = weir.client();
    second.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0");
    assert_eq!(second.exactly(9).unwrap()[3], 4);
    beside(&weir, || weir.becomes(&with("")));
    weir.client().get("/").sees(200);
}

#[test]
fn a_proxy_header_is_wanted_from_new_connections_only() {
    let weir = Weir::start(&with(""), &[]);
    let mut first = weir.client();
    first.get("/").sees(200);
    beside(&weir, || weir.becomes(&with("proxy_protocol = { from = [\"127.0.0.0/8\"] }\n")));
    first.get("/").sees(200);
    let mut second = weir.client();
    second.send("PROXY TCP4 192.0.2.1 127.0.0.1 5 80\r\n");
    second.get("/").sees(200);
    let mut third = weir.client();
    third.get("/").sent();
    third.ends();
}

#[test]
fn the_number_of_connections_is_counted_on_through_a_change_of_its_bound() {
    let weir = Weir::start(&with("max_connections = 1\n"), &[]);
    let mut first = weir.client();
    first.get("/").sees(200);
    weir.client().ends();
    beside(&weir, || weir.becomes(&with("max_connections = 2\n")));
    let mut second = weir.client();
    second.get("/").sees(200);
    weir.client().ends();
    beside(&weir, || weir.becomes(&with("max_connections = 1\n")));
    // Whoever is there already stays.
    first.get("/").sees(200);
    second.get("/").sees(200);
    weir.client().ends();
}

#[test]
fn a_listener_moves_between_one_address_and_all_of_them() {
    let origin = echo().to_string();
    let at = |ip: &str| {
        format!("[server]\nworkers = 2\n{OTHER}[[listener]]\naddress = \"{ip}:{{port}}\"\n[[route]]\npool = \"app\"\n")
    };
    let weir = Weir::start(&at("127.0.0.1"), &[("origin", &origin)]);
    let load = Load::start(weir.address(), 8, 500);
    load.goes_on(100);
    for ip in ["0.0.0.0", "127.0.0.1", "0.0.0.0"] {
        beside(&weir, || weir.becomes(&at(ip)));
        load.goes_on(100);
        weir.client().get("/y").sees(200).body("/y");
    }
    let elsewhere = std::net::SocketAddr::from(([127, 0, 0, 2], weir.address().port()));
    Client::connect(elsewhere).get("/z").sees(200).body("/z");
    weir.becomes(&at("127.0.0.1"));
    support::eventually("it listens there no more", || TcpStream::connect(elsewhere).is_err());
    let tally = load.stop();
    assert_eq!((tally.failed, tally.repeated), (vec![], 0));
}
