use crate::judge::{Case, last, passes, refused};

pub(crate) fn cases() -> Vec<Case> {
    [counts(), values(), mismatches(), legal()].concat()
}

fn get(lines: &str) -> String {
    format!("GET /x HTTP/1.1\r\n{lines}\r\n\r\n")
}

/// RFC 9112 §3.2: exactly one.
fn counts() -> Vec<Case> {
    [
        "X: y",
        "Host: a\r\nHost: a",
        "Host: a\r\nHost: b",
        "Host: a\r\nhost: b",
        "Host: a\r\nX: y\r\nHOST: a",
        "Host: a\r\nHost:",
        "Host:\r\nHost: a",
        "Host: a\r\n Host: b",
        "Host: a\r\nHost : b",
        "Host : a",
        "Host\t: a",
        "Host\0: a",
        " Host: a",
        "Host: a\nHost: b",
        "Host: a\rHost: b",
        "Host: a\r\n b",
        "Hos\u{17f}: a",
        "H\u{d3}st: a",
        "X-Host: a",
        "Host_: a",
    ]
    .iter()
    .map(|lines| refused("host, once", get(lines)))
    .chain([
        refused("no field at all", "GET /x HTTP/1.1\r\n\r\n"),
        refused("two hosts in 1.0", "GET /x HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n"),
    ])
    .collect()
}

/// RFC 9110 §7.2, RFC 3986 §3.2: a host and perhaps a port.
fn values() -> Vec<Case> {
    [
        "",
        " ",
        "a b",
        "a, b",
        "a,b",
        "a\tb",
        "u@a",
        "u:p@a",
        "@a",
        "a@",
        "a/x",
        "a/",
        "/a",
        "a?x",
        "a#x",
        "a\\b",
        "http://a",
        "//a",
        "a:b",
        "a:",
        "a:+80",
        "a:-1",
        "a:99999",
        "a:65536",
        "a:080808",
        "a:80:80",
        "a:80,",
        "a: 80",
        "a :80",
        "a:8 0",
        ":80",
        ":",
        "a:0x50",
        "[::1",
        "::1",
        "::1]",
        "[::1]x",
        "[::1]:x",
        "[]",
        "[a]",
        "[1.2.3.4]",
        "[::1%25eth0]",
        "[v1.a]",
        "a[::1]",
        "[::1][::1]",
        "<a>",
        "a\"b",
        "\"a\"",
        "a|b",
        "a^b",
        "a{b}",
        "a`b",
        "a%",
        "a%4",
        "a%zz",
        "\u{e9}.example",
        "a\u{a0}",
        "a\0b",
        "a\u{b}",
        "a\u{7f}",
        "a;\u{1}",
        "a:8\u{660}",
    ]
    .iter()
    .filter(|value| **value != "a:")
    .map(|value| refused("host value", get(&format!("Host: {value}"))))
    .collect()
}

/// RFC 9112 §3.2.2
fn mismatches() -> Vec<Case> {
    [
        ("http://a/x", "b"),
        ("http://a/x", "a:81"),
        ("http://a:81/x", "a"),
        ("http://a/x", "a.b"),
        ("http://a.b/x", "a"),
        ("http://a/x", ""),
        ("http://a:80/x", "a:8080"),
        ("http://127.0.0.1/x", "localhost"),
        ("http://a/x", "a."),
        ("http://[::1]/x", "[::2]"),
        ("http://a%41/x", "aa"),
        ("http://a/x", "u@a"),
    ]
    .iter()
    .map(|(target, host)| refused("another host", format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n")))
    .chain([
        refused("absolute without host", "GET http://a/x HTTP/1.1\r\n\r\n"),
        refused("absolute with two hosts", "GET http://a/x HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"),
        refused("another host in 1.0", "GET http://a/x HTTP/1.0\r\nHost: b\r\n\r\n"),
    ])
    .collect()
}

fn legal() -> Vec<Case> {
    let mut cases: Vec<Case> = [
        "a",
        "a.example",
        "A.Example.",
        "a-b.c_d",
        "127.0.0.1",
        "127.0.0.1:8080",
        "[::1]",
        "[2001:db8::1]:443",
        "a:0",
        "a:65535",
        "a:",
        "a%20b",
        "a!$&'()*+;=",
        "xn--bcher-kva.example",
    ]
    .iter()
    .map(|host| passes("legal host", get(&format!("Host: {host}")), &[&format!("GET /x {host}")]))
    .collect();
    cases.push(passes("space around the host", get("Host: \t a \t"), &["GET /x a"]));
    cases.push(passes("host last", get("X: y\r\nhost:a"), &["GET /x a"]));
    cases.push(passes("connection cannot take the host away", get("Connection: host\r\nHost: a"), &["GET /x a"]));
    cases.push(last("no host in 1.0", "GET /x HTTP/1.0\r\n\r\n", &["GET /x"]));
    cases.push(passes("others of its kind", get("Host: a\r\nX-Host: b\r\nX-Forwarded-Host: b"), &["GET /x a"]));
    cases
}
