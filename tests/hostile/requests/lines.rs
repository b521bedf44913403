use crate::judge::{Case, answered, last, passes, refused, refused_as};

pub(crate) fn cases() -> Vec<Case> {
    [request_lines(), versions(), targets(), forms(), line_ends(), empty_lines(), methods()].concat()
}

fn with_host(line: &str) -> String {
    format!("{line}\r\nHost: a\r\n\r\n")
}

/// RFC 9112 §3: three parts, one space between them.
fn request_lines() -> Vec<Case> {
    let lines: Vec<&str> = vec![
        "GET  /x HTTP/1.1",
        "GET /x  HTTP/1.1",
        "GET /x HTTP/1.1 ",
        " GET /x HTTP/1.1",
        "\tGET /x HTTP/1.1",
        "GET\t/x HTTP/1.1",
        "GET /x\tHTTP/1.1",
        "GET /x HTTP/1.1\t",
        "GET /x\u{b}HTTP/1.1",
        "GET\u{c}/x HTTP/1.1",
        "GET /x /y HTTP/1.1",
        "GET /x y HTTP/1.1",
        "GET /x",
        "GET",
        "GET ",
        "GET /x ",
        "/x HTTP/1.1",
        "HTTP/1.1",
        "GET /x HTTP/1.1 HTTP/1.1",
        "GET /x HTTP/1.1\0",
        "GET\0 /x HTTP/1.1",
        "GET /\0 HTTP/1.1",
        "GET \u{a0}/x HTTP/1.1",
        "GET /x HTTP/1.1, HTTP/1.1",
        "GET\u{b} /x HTTP/1.1",
        "GET  HTTP/1.1",
    ];
    lines.into_iter().map(|line| refused("request line", with_host(line))).collect()
}

/// RFC 9112 §2.3
fn versions() -> Vec<Case> {
    let mut cases = Vec::new();
    for version in [
        "http/1.1",
        "Http/1.1",
        "HTTP/1",
        "HTTP/1.",
        "HTTP/.1",
        "HTTP/11",
        "HTTP/1.10",
        "HTTP/01.1",
        "HTTP/1.01",
        "HTTP/1,1",
        "HTTP 1.1",
        "HTTP/1.1x",
        "HTTP/+1.1",
        "HTTP/1.-1",
        "HTTP/a.b",
        "HTTPS/1.1",
        "HTCPCP/1.1",
        "/1.1",
        "HTTP/",
        "HTTP",
        "HTTP/1.\u{661}",
        "HTTP/1 .1",
        "HTTP/1.1\u{b}",
        "ICY/1.1",
        "RTSP/1.0",
    ] {
        cases.push(refused("version", with_host(&format!("GET /x {version}"))));
    }
    for version in ["HTTP/2.0", "HTTP/0.9", "HTTP/3.0", "HTTP/9.9", "HTTP/0.0"] {
        cases.push(refused_as(&[505, 400], "major version", with_host(&format!("GET /x {version}"))));
    }
    cases.push(refused_as(&[505, 400], "HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
    cases.push(passes("a later minor version", with_host("GET /x HTTP/1.2"), &["GET /x a"]));
    cases.push(last("HTTP/1.0", with_host("GET /x HTTP/1.0"), &["GET /x a"]));
    cases
}

/// RFC 9112 §3.2, RFC 3986 §3.3
fn targets() -> Vec<Case> {
    let mut cases = Vec::new();
    for target in [
        "x",
        "x/y",
        "?x",
        "#",
        "/x#y",
        "/#",
        "/x\\y",
        "\\x",
        "/x\"y",
        "/<x>",
        "/x\u{1}",
        "/x\u{7f}",
        "/\u{e9}",
        "/x\u{a0}",
        "/\u{b}",
        "./x",
        "../x",
        "a",
        "a:80",
        "[::1]:80",
        "*",
        "*/x",
        "/x?\u{e9}",
        "/x?a#b",
        "//\u{1}",
    ] {
        cases.push(refused("target", with_host(&format!("GET {target} HTTP/1.1"))));
    }
    // The head is whole, so the connection may go on; the path is one that backends decode differently.
    cases.push(answered(400, "an encoded NUL", with_host("GET /x%00 HTTP/1.1")));
    cases.push(passes("an encoded line end", with_host("GET /x%0d%0aX:y HTTP/1.1"), &["GET /x%0d%0aX:y a"]));
    let raw = b"GET /\xff\xfe HTTP/1.1\r\nHost: a\r\n\r\n";
    cases.push(refused("target", raw));
    for target in [
        "/",
        "/x",
        "/x?y",
        "/?",
        "/x?y?z",
        "/%41%20%7e",
        "/x//y",
        "//x",
        "/..",
        "/x/../y",
        "/x;y=z",
        "/a:b@c",
        "/x?a=/b",
        "/!$&'()*+,;=-._~",
        "/x?{}|^`",
        "/*",
    ] {
        cases.push(passes("legal target", with_host(&format!("GET {target} HTTP/1.1")), &[&format!("GET {target} a")]));
    }
    cases
}

/// RFC 9112 §3.2.1 to §3.2.4
fn forms() -> Vec<Case> {
    let mut cases = Vec::new();
    for target in [
        "http://",
        "http:///x",
        "http://a b/x",
        "http:/a/x",
        "http:a/x",
        "http//a/x",
        "://a/x",
        "http://u@a/x",
        "http://u:p@a/x",
        "http://@a/x",
        "http://a:b/x",
        "http://a:99999/x",
        "http://:80/x",
        "http://a#x",
        "http://a/x#y",
        "http://a\\b/x",
        "http://a,b/x",
        "http://[::1/x",
        "http://[a]/x",
        "http://::1/x",
        "http:// a/x",
        "http://?x",
        "ftp://a/x",
        "file:///x",
        "ws://a/x",
        "javascript://a/x",
        "httpx://a/x",
        " http://a/x",
        "http://a%/x",
        "http://a:80:80/x",
        "http://a/\u{e9}",
    ] {
        cases.push(refused("absolute form", with_host(&format!("GET {target} HTTP/1.1"))));
    }
    for target in ["http://a/x", "HTTP://a/x", "http://A/x", "http://a:80/x", "http://a:/x"] {
        let host = &target[7..target.len() - 2];
        let heard = format!("GET /x {host}");
        cases.push(passes("absolute form", with_host(&format!("GET {target} HTTP/1.1")), &[&heard]));
    }
    cases.push(passes("absolute without path", with_host("GET http://a HTTP/1.1"), &["GET / a"]));
    cases.push(passes("absolute with query only", with_host("GET http://a?x HTTP/1.1"), &["GET /?x a"]));
    cases.push(last("absolute in 1.0, no host", "GET http://a/x HTTP/1.0\r\n\r\n", &["GET /x a"]));
    cases.push(passes("OPTIONS *", with_host("OPTIONS * HTTP/1.1"), &["OPTIONS * a"]));
    cases.push(passes("OPTIONS http://a", with_host("OPTIONS http://a HTTP/1.1"), &["OPTIONS * a"]));
    cases.push(passes("OPTIONS /x", with_host("OPTIONS /x HTTP/1.1"), &["OPTIONS /x a"]));
    cases.push(refused("OPTIONS **", with_host("OPTIONS ** HTTP/1.1")));
    for line in [
        "CONNECT / HTTP/1.1",
        "CONNECT a HTTP/1.1",
        "CONNECT http://a:80/ HTTP/1.1",
        "CONNECT u@a:80 HTTP/1.1",
        "CONNECT * HTTP/1.1",
        "CONNECT a: HTTP/1.1",
        "CONNECT :80 HTTP/1.1",
        "CONNECT a:80/x HTTP/1.1",
        "POST a:80 HTTP/1.1",
        "HEAD * HTTP/1.1",
        "POST * HTTP/1.1",
        "options * HTTP/1.1",
    ] {
        cases.push(refused("form and method", with_host(line)));
    }
    cases.push(refused("CONNECT and another host", with_host("CONNECT b:80 HTTP/1.1")));
    cases
        .push(refused("CONNECT with content", "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\nContent-Length: 5\r\n\r\nhello"));
    cases
}

/// RFC 9112 §2.2: CRLF, and nothing else, ends a line.
fn line_ends() -> Vec<Case> {
    [
        "GET /x HTTP/1.1\nHost: a\r\n\r\n",
        "GET /x HTTP/1.1\r\nHost: a\n\r\n",
        "GET /x HTTP/1.1\nHost: a\n\n",
        "GET /x HTTP/1.1\r\nHost: a\r\n\n",
        "GET /x HTTP/1.1\r\nHost: a\n\n",
        "GET /x HTTP/1.1\rHost: a\r\n\r\n",
        "GET /x HTTP/1.1\r\nHost: a\r\r\n\r\n",
        "GET /x HTTP/1.1\r\r\nHost: a\r\n\r\n",
        "GET /x HTTP/1.1\n\rHost: a\r\n\r\n",
        "GET /x HTTP/1.1\r\nHost: a\r\nX: y\rz\r\n\r\n",
        "GET /x HTTP/1.1\r\nHost: a\r\n\r\r\n\r\n",
        "GET /x\r\nHost: a\r\n\r\n",
        "GET /x HTTP/1.1\r\nHost: a\r\n\rX\n",
        "GET /x HTTP/1.1\r\n\nHost: a\r\n\r\n",
        "GET /x HTTP/1.1\u{85}Host: a\r\n\r\n",
    ]
    .iter()
    .map(|raw| refused("line end", raw))
    .collect()
}

/// RFC 9112 §2.2: an empty line before a request may be skipped; many are none of HTTP.
fn empty_lines() -> Vec<Case> {
    let request = with_host("GET /x HTTP/1.1");
    let mut cases: Vec<Case> = ["\r\n\r\n\r\n", "\n", "\r", "\r\n\n", "\n\r\n", " \r\n", "\0", "\r\n "]
        .iter()
        .map(|lead| refused("before the request line", format!("{lead}{request}")))
        .collect();
    for lead in ["\r\n", "\r\n\r\n"] {
        cases.push(passes("an empty line before", format!("{lead}{request}"), &["GET /x a"]));
        let body = format!("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello{lead}{request}");
        cases.push(passes("an empty line after content", body, &["POST /x a hello", "GET /x a"]));
    }
    cases
}

/// RFC 9110 §9.1: case-sensitive tokens.
fn methods() -> Vec<Case> {
    let mut cases: Vec<Case> =
        ["G ET", "GET:", "GE(T", "G\u{c9}T", "\"GET\"", "GET,POST", "G/T", "{GET}", "G\u{1}T", "@"]
            .iter()
            .map(|method| refused("method", with_host(&format!("{method} /x HTTP/1.1"))))
            .collect();
    for method in ["get", "Get", "POst", "X", "M-SEARCH", "PROPFIND", "G!T", "PRI", "0"] {
        let heard = format!("{method} /x a");
        cases.push(passes("method", with_host(&format!("{method} /x HTTP/1.1")), &[&heard]));
    }
    cases.push(answered(405, "TRACE", with_host("TRACE /x HTTP/1.1")));
    cases.push(answered(405, "CONNECT", "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n"));
    cases
}
