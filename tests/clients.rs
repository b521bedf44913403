//! Clients as they are installed everywhere. One that is not there is said to be missing, and its test passes.

mod support;

use std::io::Write;
use std::process::{Command, Stdio};
use support::{Authority, Origin, Weir};

const ALL: &str = "[[route]]\npool = \"app\"\n";

/// What a program says on standard output; `None` if it is not installed.
fn says(program: &str, arguments: &[&str], input: &str) -> Option<String> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(why) if why.kind() == std::io::ErrorKind::NotFound => {
            eprintln!("SKIPPED: {program} is not installed");
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
        origin.continues(arguments.iter().any(|it| it.starts_with("Expect")));
        let Some(said) = curl(&weir, arguments, input) else { return };
        let version = if arguments.contains(&"--http1.0") { "1.1" } else { "1.1" };
        assert_eq!(said, format!("ok 200 {version}"), "{arguments:?}");
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

#[test]
fn curl_believes_our_certificate() {
    let authority = Authority::new();
    let directory = tempfile::tempdir().unwrap();
    authority.writes(directory.path());
    std::fs::write(directory.path().join("server.pem"), authority.signs("shop.example", "server")).unwrap();
    let listener = "[[listener]]\naddress = \"127.0.0.1:{port}\"\nprotocols = [\"http/1.1\"]\n\
                    tls = { certificates = [{ cert = \"server.pem\" }] }\n[[route]]\nrespond = { body = \"{SCHEME}\" }\n";
    let weir = Weir::start_in(directory, listener, &[("SCHEME", "safe")]);
    let (port, ca) = (weir.address().port(), weir.path("ca.pem"));
    let (url, resolve) = (format!("https://shop.example:{port}/"), format!("shop.example:{port}:127.0.0.1"));
    for version in ["--tlsv1.2", "--tlsv1.3"] {
        let arguments = ["-q", "-sS", "-m", "10", "--noproxy", "*", version, "--cacert", ca.to_str().unwrap()];
        let Some(said) = says("curl", &[&arguments[..], &["--resolve", &resolve, &url]].concat(), "") else { return };
        assert_eq!(said, "safe");
    }
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
