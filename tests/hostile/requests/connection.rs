use crate::judge::{Case, answered, last, passes, refused};

pub(crate) fn cases() -> Vec<Case> {
    [persistence(), upgrades(), expectations(), named(), pipelines(), early()].concat()
}

fn get(lines: &str) -> String {
    format!("GET /x HTTP/1.1\r\nHost: a\r\n{lines}\r\n\r\n")
}

/// RFC 9112 §9.3
fn persistence() -> Vec<Case> {
    let mut cases = Vec::new();
    for lines in [
        "Connection: close",
        "connection: CLOSE",
        "Connection: x, close",
        "Connection: x\r\nConnection: close",
        "Connection: close, keep-alive",
        "Connection: ,close,",
    ] {
        cases.push(last("close", get(lines), &["GET /x a"]));
    }
    for lines in [
        "Connection: keep-alive",
        "Connection: closed",
        "Connection: \"close\"",
        "Proxy-Connection: close",
        "Keep-Alive: timeout=0",
        "Connection:",
        "Connection: ,",
        "X-Connection: close",
    ] {
        cases.push(passes("no close", get(lines), &["GET /x a"]));
    }
    let old = |lines: &str| format!("GET /x HTTP/1.0\r\nHost: a\r\n{lines}\r\n\r\n");
    cases.push(passes("1.0 kept alive", old("Connection: Keep-Alive"), &["GET /x a"]));
    cases.push(last("1.0 close and keep-alive", old("Connection: keep-alive, close"), &["GET /x a"]));
    cases.push(last("1.0 with proxy-connection", old("Proxy-Connection: keep-alive"), &["GET /x a"]));
    cases
}

/// RFC 9110 §7.8: an upgrade that nobody accepted changes nothing; h2c is never passed on.
fn upgrades() -> Vec<Case> {
    let h2c = "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA";
    let websocket = "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
    let mut cases: Vec<Case> = [
        format!("Connection: Upgrade, HTTP2-Settings\r\n{h2c}"),
        format!("Connection: Upgrade\r\n{h2c}"),
        format!("Connection: HTTP2-Settings\r\n{h2c}"),
        h2c.to_owned(),
        "Connection: upgrade".to_owned(),
        "Upgrade: websocket".to_owned(),
        format!("Upgrade: websocket\r\n{websocket}"),
        "Connection: upgrade\r\nUpgrade: TLS/1.0".to_owned(),
        "Connection: upgrade\r\nUpgrade: h2".to_owned(),
        "Connection: upgrade\r\nUpgrade: websocketx".to_owned(),
        "Connection: upgrade\r\nUpgrade:".to_owned(),
        "Connection: keep-alive\r\nUpgrade: websocket".to_owned(),
        format!("Connection: upgrade\r\nUpgrade: websocket\r\n{websocket}"),
        "Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 777".to_owned(),
        format!("Connection: upgrade\r\nUpgrade: h2c, websocket\r\n{websocket}"),
    ]
    .iter()
    .map(|lines| passes("an upgrade that is not accepted", get(lines), &["GET /x a"]))
    .collect();
    let with_body = "POST /switch HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 5\r\n\r\nhello";
    cases.push(passes("an upgrade with content", with_body, &["POST /switch a hello"]));
    let get_body = with_body.replace("POST", "GET");
    cases.push(passes("an upgrade with content", get_body, &["GET /switch a hello"]));
    let old = "GET /switch HTTP/1.0\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
    cases.push(last("an upgrade in 1.0", old, &["GET /switch a"]));
    cases
}

/// RFC 9110 §10.1.1
fn expectations() -> Vec<Case> {
    let post =
        |expect: &str| format!("POST /x HTTP/1.1\r\nHost: a\r\nExpect: {expect}\r\nContent-Length: 5\r\n\r\nhello");
    let mut cases: Vec<Case> = ["100-continue", "100-Continue", " 100-continue "]
        .iter()
        .map(|expect| passes("expect", post(expect), &["POST /x a hello"]))
        .collect();
    cases.push(passes("expect without content", get("Expect: 100-continue"), &["GET /x a"]));
    let chunked = "POST /x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    cases.push(passes("expect with chunks", chunked, &["POST /x a hello"]));
    let early = "POST /early HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello";
    cases.push(passes("expect, answered at once", early, &["POST /early a hello"]));
    cases
}

/// RFC 9110 §7.6.1: what Connection names goes, but never what frames, routes or authorises.
fn named() -> Vec<Case> {
    ["Content-Length", "content-length, x", "host", "transfer-encoding", "te", "Authorization", "cookie", "x-forwarded-for",
        "connection", "upgrade", "via", "close-not", "expect", "max-forwards",
    ]
    .iter()
    .map(|name| {
        let raw = format!(
            "POST /x HTTP/1.1\r\nHost: a\r\nConnection: {name}\r\nAuthorization: b\r\nX: y\r\nContent-Length: 5\r\n\r\nhello"
        );
        passes("named by connection", raw, &["POST /x a hello"])
    })
    .collect()
}

/// RFC 9112 §9.3.2: in order, and nothing after one that ends the connection.
fn pipelines() -> Vec<Case> {
    let one = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
    let many: String = (0..40).map(|n| one(&format!("/{n}"))).collect();
    let heard: Vec<String> = (0..40).map(|n| format!("GET /{n} a")).collect();
    let heard: Vec<&str> = heard.iter().map(String::as_str).collect();
    let post = "POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello";
    let chunks = "PUT /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    let head = "HEAD /h HTTP/1.1\r\nHost: a\r\n\r\n";
    vec![
        passes("forty at once", many, &heard),
        passes(
            "mixed",
            format!("{post}{chunks}{head}{}", one("/y")),
            &["POST /p a hello", "PUT /c a hello", "HEAD /h a", "GET /y a"],
        ),
        last(
            "the last says so",
            format!("{}{}{}", one("/1"), get("Connection: close"), one("/never")),
            &["GET /1 a", "GET /x a"],
        ),
        refused("nothing after a bad one", format!("GET /b HTTP/1.1\r\n\r\n{}", one("/never"))),
        answered(405, "TRACE is refused by itself", "TRACE / HTTP/1.1\r\nHost: a\r\n\r\n"),
    ]
}

/// Responses that come before the request ended (RFC 9112 §9.5), and origins that read no content.
fn early() -> Vec<Case> {
    let post = |path: &str, n: usize| {
        format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {n}\r\n\r\n{}", "x".repeat(n))
    };
    let heard = |n: usize| format!("POST /early a {}", "x".repeat(n));
    vec![
        passes("answered before the content", post("/early", 5), &[&heard(5)]),
        passes("answered before more content", post("/early", 30_000), &[&heard(30_000)]),
    ]
}
