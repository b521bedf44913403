//! TLS on both sides.

#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]

mod support;

use support::tls::{connect, leaf};
use support::{Authority, Origin, Puppet, Weir};
use tempfile::TempDir;

const ALL: &str = "[[route]]\npool = \"app\"\n";

/// A directory with `ca.pem` and these files.
fn files(authority: &Authority, files: &[(&str, &str)]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    authority.writes(directory.path());
    files.iter().for_each(|(name, text)| std::fs::write(directory.path().join(name), text).unwrap());
    directory
}

fn listener(tls: &str) -> String {
    format!("[[listener]]\naddress = \"127.0.0.1:{{port}}\"\ntls = {{ {tls} }}\n")
}

#[test]
fn a_client_gets_the_certificate_for_the_name_it_asks_for() {
    let authority = Authority::new();
    let [shop, pay] = ["shop.example", "*.pay.example"].map(|name| authority.signs(name, "server"));
    let directory = files(&authority, &[("shop.pem", &shop), ("pay.pem", &pay)]);
    let origin = Origin::start();
    let tls = "certificates = [{ cert = \"shop.pem\" }, { cert = \"pay.pem\" }]";
    let weir = Weir::start_in(directory, &format!("{}{ALL}", listener(tls)), &[("origin", &origin.address())]);
    let config = authority.client(None);
    for (name, pem) in [("shop.example", &shop), ("a.pay.example", &pay)] {
        let session = connect(weir.address(), name, &config).shakes().unwrap();
        assert_eq!(session.shown(), leaf(pem), "{name}");
        let mut client = session.client();
        client.get("/").host(name).sees(200).body("ok");
        client.post("/", "more").host(name).sees(200);
        origin.last().field("x-forwarded-proto", "https").lacks("x-client-subject");
    }
    assert!(connect(weir.address(), "other.example", &config).shakes().is_err());
    // Plain text on this port gets no answer that could be taken for one.
    let mut plain = weir.client();
    plain.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(plain.response("GET").is_err());
    let address = weir.address();
    for result in ["ok", "failed"] {
        weir.counts(&format!("weir_tls_handshakes_total{{listener=\"{address}\",result=\"{result}\"}}"), 2.0);
    }
}

#[test]
fn tls_where_plain_text_is_spoken_is_closed_without_an_answer() {
    let weir = Weir::start("[[route]]\nrespond = {}\n", &[]);
    let config = Authority::new().client(None);
    assert!(connect(weir.address(), "a.example", &config).shakes().is_err());
    weir.client().get("/").sees(200);
}

#[test]
fn a_client_certificate_is_asked_for_and_its_subject_passed_on() {
    let (authority, strangers) = (Authority::new(), Authority::new());
    let (server, ada) = (authority.signs("shop.example", "server"), authority.signs("ada", "ada, the first"));
    let eve = strangers.signs("eve", "ada, the first");
    let origin = Origin::start();
    for required in [true, false] {
        let directory = files(&authority, &[("server.pem", &server)]);
        let tls = format!(
            "certificates = [{{ cert = \"server.pem\" }}], client = {{ ca = \"ca.pem\", required = {required} }}"
        );
        let weir = Weir::start_in(directory, &format!("{}{ALL}", listener(&tls)), &[("origin", &origin.address())]);
        let ask = |certificate: Option<&str>| {
            let mut client =
                connect(weir.address(), "shop.example", &authority.client(certificate)).shakes().ok()?.client();
            // With TLS 1.3, a client learns only after its handshake that it was refused.
            let request = "GET / HTTP/1.1\r\nHost: shop.example\r\nX-Client-Subject: CN=forged\r\n\r\n";
            client.try_send(request).ok()?;
            client.response("GET").ok().map(|response| response.status)
        };
        assert_eq!(ask(Some(&ada)), Some(200));
        origin.last().field("x-client-subject", "CN=ada\\, the first");
        let before = origin.count();
        assert_eq!(ask(Some(&eve)), None);
        origin.saw(before);
        if required {
            assert_eq!(ask(None), None);
            origin.saw(before);
        } else {
            assert_eq!(ask(None), Some(200));
            origin.last().lacks("x-client-subject");
        }
    }
}

/// Serves with a cache, to clients with certificates and without.
fn caching(authority: &Authority, origin: &Origin) -> Weir {
    let directory = files(authority, &[("server.pem", &authority.signs("shop.example", "server"))]);
    let tls = "certificates = [{ cert = \"server.pem\" }], client = { ca = \"ca.pem\", required = false }";
    let routes = "[cache.pages]\nmemory = \"16MiB\"\n[[route]]\npool = \"app\"\ncache = \"pages\"\n";
    Weir::start_in(directory, &format!("{}{routes}", listener(tls)), &[("origin", &origin.address())])
}

#[test]
fn what_varies_with_the_certificate_is_for_its_holder() {
    let authority = Authority::new();
    let [ada, bob] = ["ada", "bob"].map(|name| authority.signs(name, name));
    let origin = Origin::start();
    for body in ["for ada", "for bob", "for all"] {
        origin.replies(200).field("Cache-Control", "max-age=60").field("Vary", "X-Client-Subject").body(body);
    }
    let weir = caching(&authority, &origin);
    let session = |certificate: Option<&str>| {
        connect(weir.address(), "shop.example", &authority.client(certificate)).shakes().unwrap().client()
    };
    let [mut ada, mut bob, mut other] = [Some(&*ada), Some(&*bob), None].map(session);
    for _ in 0..2 {
        ada.get("/me").sees(200).body("for ada");
        bob.get("/me").field("X-Client-Subject", "CN=ada").sees(200).body("for bob");
        // Who has none is not believed.
        other.get("/me").field("X-Client-Subject", "CN=ada").sees(200).body("for all");
        other.get("/me").sees(200).body("for all");
    }
    origin.saw(3);
}

#[test]
fn no_spelling_of_the_subject_is_passed_on_that_is_not_ours() {
    let authority = Authority::new();
    let ada = authority.signs("ada", "ada");
    let origin = Origin::start();
    let weir = caching(&authority, &origin);
    for certificate in [Some(&*ada), None] {
        let session = connect(weir.address(), "shop.example", &authority.client(certificate)).shakes().unwrap();
        let mut client = session.client();
        client.get("/").field("X_Client_Subject", "CN=eve").field("X-Client_subject", "CN=eve").sees(200).body("ok");
        let seen = origin.last();
        seen.lacks("x_client_subject").lacks("x-client_subject");
        assert_eq!(seen.fields.get("x-client-subject").as_deref(), certificate.map(|_| "CN=ada"));
    }
}

#[test]
fn a_reload_takes_a_new_certificate_and_drops_no_connection() {
    let authority = Authority::new();
    let [old, new] = ["old", "new"].map(|subject| authority.signs("shop.example", subject));
    let directory = files(&authority, &[("server.pem", &old)]);
    let text =
        format!("{}[[route]]\nrespond = {{ body = \"a\" }}\n", listener("certificates = [{ cert = \"server.pem\" }]"));
    let weir = Weir::start_in(directory, &text, &[]);
    let config = authority.client(None);
    let before = connect(weir.address(), "shop.example", &config).shakes().unwrap();
    assert_eq!(before.shown(), leaf(&old));
    let mut before = before.client();
    before.get("/").sees(200);
    std::fs::write(weir.path("server.pem"), &new).unwrap();
    weir.reload().unwrap();
    before.get("/").sees(200).body("a");
    // A client without a session of before.
    let after = connect(weir.address(), "shop.example", &authority.client(None)).shakes().unwrap();
    assert_eq!(after.shown(), leaf(&new));
    // What cannot be used is refused, and the certificate in use stays.
    std::fs::write(weir.path("server.pem"), "no certificate").unwrap();
    let said = weir.reload().unwrap_err();
    assert!(said.contains("server.pem") && said.contains("weir.toml:"), "{said}");
    let after = connect(weir.address(), "shop.example", &authority.client(None)).shakes().unwrap();
    assert_eq!(after.shown(), leaf(&new));
    before.get("/").sees(200);
}

#[test]
fn a_backend_is_asked_over_tls_by_name_and_sees_our_certificate() {
    let (authority, strangers) = (Authority::new(), Authority::new());
    let weir_pem = authority.signs("weir.example", "weir");
    let theirs = authority.signs("inner.example", "backend");
    let origin = Puppet::start();
    let pool = |tls: &str| format!("[pool.app]\nbackends = [\"{{origin}}\"]\ntls = {{ {tls} }}\n{ALL}");
    let good = pool("server_name = \"inner.example\", ca = \"ca.pem\", certificate = { cert = \"weir.pem\" }");
    let weir = Weir::start_in(files(&authority, &[("weir.pem", &weir_pem)]), &good, &[("origin", &origin.address())]);
    let mut client = weir.client();
    client.get("/over/tls").sent();
    let mut peer = origin.accepts_tls(&authority.server(&theirs, true));
    assert_eq!(peer.gets().line, "GET /over/tls HTTP/1.1");
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nsafe");
    client.sees(200).body("safe");
    // The same connection again.
    client.post("/", "x").sent();
    assert_eq!(peer.gets().body, b"x");
    peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfive.\r\n");
    client.sees_head(200);
    drop(peer);
    assert!(client.content_breaks());
    // A certificate of another name, or of an authority that we do not trust: nothing is said to it.
    for stranger in [authority.signs("other.example", "x"), strangers.signs("inner.example", "x")] {
        let mut client = weir.client();
        client.get("/").sent();
        let mut peer = origin.accepts_tls(&authority.server(&stranger, false));
        assert!(peer.try_gets().is_err());
        client.sees(502);
    }
    // Nor do we get in where our certificate is missing.
    weir.becomes(&pool("server_name = \"inner.example\", ca = \"ca.pem\""));
    let mut client = weir.client();
    client.get("/").sent();
    let mut peer = origin.accepts_tls(&authority.server(&theirs, true));
    assert!(peer.try_gets().is_err());
    client.sees(502);
}

#[test]
fn a_response_cut_off_under_tls_has_no_proper_end() {
    let authority = Authority::new();
    let directory = files(&authority, &[("server.pem", &authority.signs("shop.example", "server"))]);
    let origin = Origin::start();
    let text = format!("{}{ALL}", listener("certificates = [{ cert = \"server.pem\" }]"));
    let weir = Weir::start_in(directory, &text, &[("origin", &origin.address())]);
    for start in [
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
    ] {
        for version in ["HTTP/1.0", "HTTP/1.1"] {
            origin.says(start).closes();
            let mut client =
                connect(weir.address(), "shop.example", &authority.client(None)).shakes().unwrap().client();
            client.send(format!("GET / {version}\r\nHost: shop.example\r\n\r\n"));
            client.response("GET").unwrap_err();
        }
    }
}
