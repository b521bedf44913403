//! Clients as they are installed everywhere. One that is not there is said to be missing, and its test passes.

#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]

mod support;

use std::io::Write;
use std::process::{Command, Stdio};
use support::{Authority, Origin, Weir, skipped};

const ALL: &str = "[[route]]\npool = \"app\"\n";

/// What a program says on standard output; `None` if it is not installed.
fn says(program: &str, arguments: &[&str], input: &str) -> Option<String> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(why) if why.kind() == std::io::ErrorKind::NotFound => {
            skipped(program);
            return None;
        }
        Err(why) => panic!("{program}: {why}"),
    };
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {said}");
    Some(String::from_utf8(output.stdout).unwrap())
}

/// What curl gets, and then `STATUS VERSION`.
fn curl(weir: &Weir, arguments: &[&str], input: &str) -> Option<String> {
    let url = format!("http://{}/x", weir.address());
    let fixed = ["-q", "-sS", "--noproxy", "*", "-m", "10", "-w", " %{http_code} %{http_version}", &url];
    says("curl", &[&fixed, arguments].concat(), input)
}

#[test]
fn curl_speaks_with_us_in_all_its_ways() {
    let origin = Origin::start();
    let weir = Weir::before(&origin, ALL);
    let large = "0123456789".repeat(200_000);
    for (arguments, input, sent) in [
        (&[][..], "", 0),
        (&["--http1.0"], "", 0),
        (&["-d", "a=b"], "", 3),
        (&["-T", "-"], &*large, large.len()),
        (&["-H", "Expect: 100-continue", "--expect100-timeout", "10", "-d", "a=b"], "", 3),
        (&["--data-binary", "@-"], &large, large.len()),
        (&["-X", "PUT", "-H", "Transfer-Encoding: chunked", "-d", "@-"], "chunks", 6),
    ] {
        let count = origin.count();
        let Some(said) = curl(&weir, arguments, input) else { return };
        assert_eq!(said, "ok 200 1.1", "{arguments:?}");
        origin.saw(count + 1);
        assert_eq!(origin.last().body.len(), sent, "{arguments:?}");
    }
    let Some(head) = curl(&weir, &["-I"], "") else { return };
    assert!(head.starts_with("HTTP/1.1 200 ") && head.to_ascii_lowercase().contains("content-length: 2\r\n"), "{head}");
}

#[test]
fn curl_reuses_its_connection() {
    let origin = Origin::start();
    let weir = Weir::before(&origin, ALL);
    let url = format!("http://{}/y", weir.address());
    let Some(said) = curl(&weir, &[&url, &url, "-w", "%{num_connects} "], "") else { return };
    assert_eq!(said, "ok1 ok0 ok0 ");
}

/// Behind TLS, with a certificate for `shop.example`.
fn secure(origin: &Origin) -> Weir {
    let authority = Authority::new();
    let directory = tempfile::tempdir().unwrap();
    authority.writes(directory.path());
    std::fs::write(directory.path().join("server.pem"), authority.signs("shop.example", "server")).unwrap();
    let listener =
        "[[listener]]\naddress = \"127.0.0.1:{port}\"\ntls = { certificates = [{ cert = \"server.pem\" }] }\n";
    Weir::start_in(directory, &format!("{listener}{ALL}"), &[("origin", &origin.address())])
}

#[test]
fn curl_believes_our_certificate_and_agrees_on_a_version() {
    let origin = Origin::start();
    let weir = secure(&origin);
    let (port, ca) = (weir.address().port(), weir.path("ca.pem"));
    let (url, resolve) = (format!("https://shop.example:{port}/"), format!("shop.example:{port}:127.0.0.1"));
    let base = ["-q", "-sS", "-m", "10", "--noproxy", "*", "-w", " %{http_version}", "--cacert", ca.to_str().unwrap()];
    let base = [&base[..], &["--resolve", &resolve, &url]].concat();
    for (tls, http, version) in
        [("--tlsv1.2", "--http2", "2"), ("--tlsv1.3", "--http2", "2"), ("--tlsv1.3", "--http1.1", "1.1")]
    {
        let Some(said) = says("curl", &[&base[..], &[tls, http, "-d", "abc"]].concat(), "") else { return };
        assert_eq!(said, format!("ok {version}"));
        let seen = origin.last();
        seen.field("host", &format!("shop.example:{port}")).field("x-forwarded-proto", "https");
        seen.field("via", &format!("{} weir", if version == "2" { "2.0" } else { version }));
        assert_eq!(seen.body, b"abc");
    }
}

const H2C: &str = "[[listener]]\naddress = \"127.0.0.1:{port}\"\nprotocols = [\"h2\", \"http/1.1\"]\n";

#[test]
fn curl_knows_beforehand_that_we_speak_http_2() {
    let origin = Origin::start();
    let weir = Weir::before(&origin, &format!("{H2C}{ALL}"));
    let large = "0123456789".repeat(200_000);
    for (arguments, version) in
        [(&["--http2-prior-knowledge"][..], "2"), (&["--http1.1"], "1.1"), (&["--http2"], "1.1")]
    {
        for (more, input, sent) in [(&[][..], "", 0), (&["-T", "-"], &*large, large.len()), (&["-d", "a=b"], "", 3)] {
            let Some(said) = curl(&weir, &[arguments, more].concat(), input) else { return };
            assert_eq!(said, format!("ok 200 {version}"), "{arguments:?} {more:?}");
            assert_eq!(origin.last().body.len(), sent);
        }
    }
    origin.says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n").closes();
    let url = format!("http://{}/", weir.address());
    let mut fails = Command::new("curl");
    fails.args(["-q", "-s", "-m", "10", "--noproxy", "*", "--http2-prior-knowledge", &url]);
    assert!(!fails.output().unwrap().status.success(), "a broken response was taken for complete");
}

#[test]
fn h2load_gets_an_answer_to_each_request() {
    let origin = Origin::start();
    let weir = Weir::before(&origin, &format!("{H2C}{ALL}"));
    let url = format!("http://{}/", weir.address());
    for version in ["-ph2c", "--h1"] {
        let Some(said) = says("h2load", &["-n", "2000", "-c", "4", "-m", "16", "-t", "1", version, &url], "") else {
            return;
        };
        let all = "2000 total, 2000 started, 2000 done, 2000 succeeded, 0 failed, 0 errored, 0 timeout";
        assert!(said.contains(all) && said.contains("2000 2xx"), "{said}");
    }
    origin.saw(4000);
}

const PYTHON: &str = r#"
import http.client, sys
connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=10)
for method, body, headers in [
    ("GET", None, {}),
    ("POST", b"abc", {}),
    ("POST", iter([b"one", b"two"]), {"Transfer-Encoding": "chunked"}),
    ("HEAD", None, {}),
    ("DELETE", None, {}),
]:
    connection.request(method, "/p", body=body, headers=headers, encode_chunked=bool(headers))
    response = connection.getresponse()
    print(method, response.status, response.read().decode(), response.will_close)
"#;

#[test]
fn python_keeps_its_connection_over_many_methods() {
    let origin = Origin::start();
    let weir = Weir::before(&origin, ALL);
    origin.replies(200).body("first");
    origin.replies(201).body("second");
    origin.says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nthird\r\n0\r\n\r\n");
    origin.says("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n");
    origin.replies(204);
    let port = weir.address().port().to_string();
    let Some(said) = says("python3", &["-c", PYTHON, &port], "") else { return };
    assert_eq!(
        said,
        "GET 200 first False\nPOST 201 second False\nPOST 200 third False\nHEAD 200  False\nDELETE 204  False\n"
    );
    assert_eq!(origin.request(2).body, b"onetwo");
    let listener = weir.address();
    weir.counts(&format!("weir_connections_accepted_total{{listener=\"{listener}\"}}"), 1.0);
}
