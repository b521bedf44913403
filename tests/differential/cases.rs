use super::answers::pairs;

/// One request, by any version.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) method: &'static str,
    pub(crate) target: &'static str,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) content: Content,
    pub(crate) status: u16,
    /// A codec answers it before the engine sees it: only the status is the same.
    pub(crate) by_codec: bool,
}

pub(crate) enum Content {
    None,
    Known(Vec<u8>),
    /// Of a length that is not said, with trailers.
    Open(Vec<u8>, Vec<(String, String)>),
}

impl Case {
    fn with(mut self, fields: &[(&str, &str)]) -> Case {
        self.fields.extend(pairs(fields));
        self
    }

    fn known(mut self, size: usize) -> Case {
        self.content = Content::Known(content(size));
        self
    }

    fn open(mut self, size: usize, trailers: &[(&str, &str)]) -> Case {
        self.content = Content::Open(content(size), pairs(trailers));
        self
    }
}

fn content(size: usize) -> Vec<u8> {
    b"abcdefghij\r\n0\r\n\r\n\0".iter().copied().cycle().take(size).collect()
}

fn case(name: &'static str, method: &'static str, target: &'static str, status: u16) -> Case {
    Case { name, method, target, fields: Vec::new(), content: Content::None, status, by_codec: false }
}

fn get(name: &'static str, target: &'static str, status: u16) -> Case {
    case(name, "GET", target, status)
}

fn post(name: &'static str, target: &'static str, status: u16) -> Case {
    case(name, "POST", target, status)
}

pub(crate) const CONFIGURATION: &str = r#"
[[listener]]
address = "127.0.0.1:{port}"
protocols = ["h2", "http/1.1"]
[pool.app]
backends = ["{origin}"]
protocol = "{protocol}"
[pool.dead]
backends = ["127.0.0.1:1"]
[[route]]
host = "test.example"
pool = "app"
max_body = "1MB"
[[route]]
path = "/fixed"
host = "test.example"
respond = { status = 202, body = "said by the route" }
[[route]]
path = "/old"
host = "test.example"
redirect = { to = "https://new.example{path}?{query}", status = 308 }
[[route]]
path = "/closed"
host = "test.example"
pool = "app"
maintenance = true
[[route]]
path = "/dead"
host = "test.example"
pool = "dead"
[[route]]
path = "/trace"
host = "test.example"
pool = "app"
allow = ["TRACE"]
[[route]]
path = "/edited/*"
host = "test.example"
pool = "app"
rewrite = { strip = "/edited" }
request = { set = { "X-Set" = "by the route" } }
response = { set = { "X-Set" = "by the route" } }
"#;

pub(crate) fn cases() -> Vec<Case> {
    let mut all = passed_on();
    all.extend(uploads());
    all.extend(responses());
    all.extend(said_by_weir());
    all.extend(said_by_codecs());
    all
}

fn passed_on() -> Vec<Case> {
    let twice = [("X-A", "1"), ("X-B", "x"), ("X-A", "2"), ("X-Empty", ""), ("X-Latin", "caf\u{e9}")];
    vec![
        get("plain", "/echo", 200),
        get("query", "/echo?a=b&c=%20d?e=/../f", 200),
        get("escapes and dots", "/echo/%7Ea/./b/../c;p=1/%2520", 200),
        get("fields that come twice", "/echo", 200).with(&twice),
        get("cookies", "/echo", 200).with(&[("Cookie", "a=1; b=2; c=3")]),
        get("conditions", "/echo", 200).with(&[("If-None-Match", "\"x\""), ("If-Modified-Since", "yesterday")]),
        get("a range", "/partial", 206).with(&[("Range", "bytes=2-4")]),
        get("what is believed of nobody", "/echo", 200).with(&[("X-Forwarded-For", "6.6.6.6"), ("Forwarded", "for=x")]),
        get("TE", "/echo", 200).with(&[("TE", "trailers")]),
        get("a large field", "/echo", 200).with(&[("X-Large", &"l".repeat(12_000))]),
        get("rewritten and edited", "/edited/echo/x?y", 200).with(&[("X-Set", "by the client")]),
        case("HEAD", "HEAD", "/large", 200),
        case("HEAD of a length not said", "HEAD", "/open", 200),
        case("OPTIONS", "OPTIONS", "/echo", 200),
        case("OPTIONS with hops left", "OPTIONS", "/echo", 200).with(&[("Max-Forwards", "7")]),
        case("DELETE", "DELETE", "/echo", 200),
        case("a method that nobody knows", "PROPFIND", "/echo", 200).with(&[("Depth", "1")]),
        case("TRACE where it is allowed", "TRACE", "/trace", 200),
    ]
}

fn uploads() -> Vec<Case> {
    vec![
        post("known content", "/echo", 200).known(100),
        post("no content", "/echo", 200).known(0),
        post("large content", "/echo", 200).known(300_000),
        post("content of a length not said", "/echo", 200).open(70_000, &[]),
        post("trailers", "/echo", 200).open(1000, &[("X-Sum", "1"), ("X-More", "b")]).with(&[("Trailer", "X-Sum")]),
        post("content before 204", "/no-content", 204).known(10),
        post("an expectation that can be met", "/echo", 200).known(10).with(&[("Expect", "100-continue")]),
        case("PUT", "PUT", "/echo", 200).known(3),
        case("PATCH", "PATCH", "/echo", 200).open(3, &[]),
        case("DELETE with content", "DELETE", "/echo", 200).known(5),
        get("GET with content", "/echo", 200).known(5),
    ]
}

fn responses() -> Vec<Case> {
    let trailers = [("TE", "trailers")];
    vec![
        get("204", "/no-content", 204),
        get("304", "/not-modified", 304),
        get("301", "/moved", 301),
        get("404", "/missing", 404),
        get("410 without content", "/gone", 410),
        get("500", "/broken", 500),
        get("503", "/busy", 503),
        get("299", "/odd", 299),
        get("a length not said", "/open", 200),
        get("no content, of a length not said", "/open-empty", 200),
        get("large content of a length not said", "/open-large", 200),
        get("large content", "/large", 200),
        get("response trailers", "/trailers", 200).with(&trailers),
        get("trailers alone", "/trailers-only", 200).with(&trailers),
        get("strange fields", "/fields", 200),
        get("a large head", "/big-head", 200),
        get("early hints", "/hints", 200),
        case("HEAD of 404", "HEAD", "/missing", 404),
        case("HEAD of 204", "HEAD", "/no-content", 204),
    ]
}

fn said_by_weir() -> Vec<Case> {
    vec![
        get("a fixed response", "/fixed", 202),
        case("HEAD of a fixed response", "HEAD", "/fixed", 202),
        get("a redirect", "/old?a=b", 308),
        get("maintenance", "/closed", 503),
        get("maintenance, as HTML", "/closed", 503).with(&[("Accept", "text/html")]),
        get("maintenance, as JSON", "/closed", 503).with(&[("Accept", "application/json")]),
        case("HEAD of maintenance", "HEAD", "/closed", 503),
        get("no backend listens", "/dead", 502),
        get("an ambiguous path", "/a//../b", 400),
        case("TRACE", "TRACE", "/echo", 405),
        case("TRACE without a hop left", "TRACE", "/trace", 405).with(&[("Max-Forwards", "0")]),
        case("OPTIONS without a hop left", "OPTIONS", "/echo", 200).with(&[("Max-Forwards", "0")]),
        get("a circle", "/echo", 508).with(&[("Via", &["1.1 weir"].repeat(9).join(", "))]),
        get("an expectation", "/echo", 417).with(&[("Expect", "a-pony")]),
        post("an expectation with content", "/echo", 417).known(1000).with(&[("Expect", "a-pony")]),
        post("content that is too large", "/echo", 413).known(1_000_001),
        post("content that grows too large", "/echo", 413).open(1_200_000, &[]),
    ]
}

fn said_by_codecs() -> Vec<Case> {
    let large = "l".repeat(40_000);
    let cases = [
        get("too many fields", "/echo", 431).with(&[("X-Many", "1"); 400]),
        get("a head that is too large", "/echo", 431).with(&[("X-Large", &large), ("X-More", &large)]),
    ];
    cases.map(|case| Case { by_codec: true, ..case }).into()
}
