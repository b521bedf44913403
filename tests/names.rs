//! Backends that are names: found before the first request, followed as they change, and missed without harm.

#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]

mod support;

use std::net::{Ipv4Addr, TcpListener};
use support::{Backend, Dns, Record, Weir, eventually};

fn pool(dns: &Dns, backends: &str, more: &str) -> String {
    format!(
        "[pool.app]\nbackends = [{backends}]\nresolve = {{ servers = \"{}\" }}\n{more}\n[[route]]\npool = \"app\"\n",
        dns.address()
    )
}

fn port(backend: &Backend) -> u16 {
    backend.address().rsplit(':').next().unwrap().parse().unwrap()
}

/// The same port on another address of the loopback: what it says is its own address.
fn twin(port: u16) -> Ipv4Addr {
    let address = Ipv4Addr::new(127, 0, 0, 2);
    let listener = TcpListener::bind((address, port)).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            std::thread::spawn(move || Backend::serves(stream.unwrap()));
        }
    });
    address
}

#[test]
fn a_name_is_found_before_the_first_request_and_its_changes_are_followed() {
    let (dns, backend) = (Dns::start(), Backend::start());
    let port = port(&backend);
    dns.says("app.test", &[Record::A(Ipv4Addr::LOCALHOST)]);
    let weir = Weir::start(&pool(&dns, &format!("\"app.test:{port}\""), ""), &[]);
    let mut client = weir.client();
    client.get("/").sees(200).body(&backend.address());
    let other = twin(port);
    dns.says("app.test", &[Record::A(Ipv4Addr::LOCALHOST), Record::A(other)]);
    eventually("the new address is used", || client.get("/").sees(200).text() == format!("{other}:{port}"));
    dns.says("app.test", &[Record::A(other)]);
    weir.counts(&format!("weir_backend_up{{pool=\"app\",backend=\"{}\"}}", backend.address()), 0.0);
    let before = backend.exchanges();
    for _ in 0..6 {
        client.get("/").sees(200).body(&format!("{other}:{port}"));
    }
    assert_eq!(backend.exchanges(), before);
    // A reload keeps what is known of the name, and the connections to it.
    weir.becomes(&format!(
        "{}[[route]]\npath = \"/x\"\nrespond = {{}}\n",
        pool(&dns, &format!("\"app.test:{port}\""), "")
    ));
    client.get("/").sees(200).body(&format!("{other}:{port}"));
}

#[test]
fn a_service_gives_ports_and_weights() {
    let (dns, light, heavy) = (Dns::start(), Backend::start(), Backend::start());
    dns.says("_http._tcp.app.test", &[Record::Srv(1, port(&light), "a.test"), Record::Srv(3, port(&heavy), "b.test")]);
    dns.says("a.test", &[Record::A(Ipv4Addr::LOCALHOST)]);
    dns.says("b.test", &[Record::A(Ipv4Addr::LOCALHOST)]);
    let weir = Weir::start(&pool(&dns, "\"srv:_http._tcp.app.test\"", ""), &[]);
    let mut client = weir.client();
    for _ in 0..40 {
        client.get("/").sees(200);
    }
    assert_eq!((light.exchanges(), heavy.exchanges()), (10, 30));
}

#[test]
fn a_name_that_is_denied_is_said_and_harms_nobody_else() {
    let (dns, backend) = (Dns::start(), Backend::start());
    let names = format!("\"gone.test:80\", \"{}\"", backend.address());
    let weir = Weir::start(&pool(&dns, &names, ""), &[]);
    for _ in 0..4 {
        weir.client().get("/").sees(200).body(&backend.address());
    }
    let said = weir.log.text();
    assert!(said.contains("a name cannot be resolved") && said.contains("gone.test:80"), "{said}");
    // It is found as soon as it is there.
    let late = Backend::start();
    let weir = Weir::start(&pool(&dns, &format!("\"late.test:{}\"", port(&late)), ""), &[]);
    let mut client = weir.client();
    client.get("/").sees(503);
    dns.says("late.test", &[Record::A(Ipv4Addr::LOCALHOST)]);
    eventually("it is found", || client.get("/").gets().unwrap().status == 200);
}

#[test]
fn a_backend_found_by_name_is_checked_before_it_gets_traffic() {
    let (dns, backend) = (Dns::start(), Backend::start());
    backend.health(503);
    dns.says("app.test", &[Record::A(Ipv4Addr::LOCALHOST)]);
    let check = "health = { path = \"/healthz\", every = \"100ms\", timeout = \"100ms\" }";
    let weir = Weir::start(&pool(&dns, &format!("\"app.test:{}\"", port(&backend)), check), &[]);
    let mut client = weir.client();
    client.get("/").sees(503);
    assert_eq!(backend.exchanges(), 0);
    backend.health(200);
    eventually("it is up", || client.get("/").gets().unwrap().status == 200);
}
