//! HTTP/2 requests that would become two, or another one, as HTTP/1.1 towards an origin (RFC 9113 §8).

use super::frames::{CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, Outcome, block, frame, open, outcome};
use super::origin::{Heard, Origin};
use super::strict::Wrong;
use super::support::{Weir, honest};
use std::io::Write;

type Field = (&'static [u8], &'static [u8]);

struct Case {
    rule: &'static str,
    frames: Vec<u8>,
    /// What the origin hears, if it is a legal one.
    heard: Option<&'static str>,
}

const METHOD: Field = (b":method", b"GET");
const POST: Field = (b":method", b"POST");
const SCHEME: Field = (b":scheme", b"http");
const PATH: Field = (b":path", b"/x");
const AUTHORITY: Field = (b":authority", b"a");

fn head(fields: &[Field], flags: u8) -> Vec<u8> {
    frame(HEADERS, flags | END_HEADERS, 1, &block(fields))
}

fn bad(rule: &'static str, fields: &[Field]) -> Case {
    Case { rule, frames: head(fields, END_STREAM), heard: None }
}

/// A request with one more field.
fn with(rule: &'static str, field: Field) -> Case {
    bad(rule, &[METHOD, SCHEME, PATH, AUTHORITY, field])
}

fn pseudo_fields() -> Vec<Case> {
    let mut cases = Vec::new();
    let paths: [&[u8]; 17] = [
        b"",
        b"x",
        b"/x y",
        b"/x\r\nX: y",
        b"/x\ny",
        b"/x\ry",
        b"/x\0",
        b"/x HTTP/1.1\r\nHost: b\r\n\r\nGET /smuggled",
        b"/\xff",
        b"*",
        b"http://a/x",
        b"/x\ty",
        b"/x\\y",
        b" /x",
        b"/x ",
        b"/x\x7f",
        b"\r\n/x",
    ];
    cases.extend(paths.map(|path| bad(":path", &[METHOD, SCHEME, (b":path", path), AUTHORITY])));
    let methods: [&[u8]; 9] =
        [b"", b"GET /smuggled HTTP/1.1\r\nX:", b"G T", b"GET\r\n", b"GET\0", b" GET", b"GET ", b"GE(T", b"G\xc9T"];
    cases.extend(methods.map(|method| bad(":method", &[(b":method", method), SCHEME, PATH, AUTHORITY])));
    let authorities: [&[u8]; 16] = [
        b"",
        b"a\r\nX: y",
        b"a b",
        b"u@a",
        b"u:p@a",
        b"a/x",
        b"a?x",
        b"a#x",
        b"a,b",
        b"a:99999",
        b"a:b",
        b"a\0",
        b"a\n",
        b" a",
        b"a ",
        b"[::1",
    ];
    cases.extend(authorities.map(|authority| bad(":authority", &[METHOD, SCHEME, PATH, (b":authority", authority)])));
    let schemes: [&[u8]; 5] = [b"", b"http\r\nX: y", b"ht tp", b"http://evil/", b"http\0"];
    cases.extend(schemes.map(|scheme| bad(":scheme", &[METHOD, (b":scheme", scheme), PATH, AUTHORITY])));
    for at in 0..4 {
        let all = [METHOD, SCHEME, PATH, AUTHORITY];
        let twice = [&all[..], &[all[at]]].concat();
        cases.push(bad("a pseudo-field twice", &twice));
        let mut late = all.to_vec();
        let moved = late.remove(at);
        cases.push(bad("a pseudo-field too late", &[&late[..], &[(b"x", b"y"), moved]].concat()));
        late.retain(|field| field.0 != b":authority");
        if at < 3 {
            cases.push(bad("a pseudo-field is missing", &[&late[..], &[AUTHORITY]].concat()));
        }
    }
    cases.push(bad("no authority and no host", &[METHOD, SCHEME, PATH]));
    cases.push(bad("a response's pseudo-field", &[METHOD, SCHEME, PATH, AUTHORITY, (b":status", b"200")]));
    cases.push(bad("an unknown pseudo-field", &[METHOD, SCHEME, PATH, AUTHORITY, (b":evil", b"x")]));
    cases.push(bad("CONNECT with a path", &[(b":method", b"CONNECT"), SCHEME, PATH, AUTHORITY]));
    cases.push(bad("CONNECT without authority", &[(b":method", b"CONNECT")]));
    cases.push(bad("TRACE", &[(b":method", b"TRACE"), SCHEME, PATH, AUTHORITY]));
    cases
}

fn fields() -> Vec<Case> {
    let names: [&[u8]; 19] = [
        b"",
        b"X",
        b"Content-Length",
        b"x y",
        b"x:y",
        b"x:",
        b":x:",
        b"x\r",
        b"x\n",
        b"x\0",
        b"x\r\ny",
        b"x\t",
        b" x",
        b"x ",
        b"x\xc3\xa9",
        b"x(",
        b"x\x7f",
        b"transfer-encoding: chunked\r\nx",
        b"x\"",
    ];
    let mut cases: Vec<Case> = names.map(|name| with("field name", (name, b"y"))).into();
    let values: [&[u8]; 12] = [
        b"y\r\nX: z",
        b"y\rz",
        b"y\nz",
        b"y\0z",
        b"y\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: s\r\n\r\n",
        b"\r\n",
        b" y",
        b"y ",
        b"\ty",
        b"y\t",
        b"y\x01",
        b"y\x7f",
    ];
    cases.extend(values.map(|value| with("field value", (b"x", value))));
    let of_connections: [Field; 12] = [
        (b"connection", b"close"),
        (b"connection", b"x"),
        (b"connection", b"content-length"),
        (b"keep-alive", b"timeout=5"),
        (b"proxy-connection", b"keep-alive"),
        (b"transfer-encoding", b"chunked"),
        (b"transfer-encoding", b"identity"),
        (b"upgrade", b"h2c"),
        (b"upgrade", b"websocket"),
        (b"te", b"chunked"),
        (b"te", b"trailers, chunked"),
        (b"te", b"gzip"),
    ];
    cases.extend(of_connections.map(|field| with("of a connection", field)));
    cases.push(with("another host", (b"host", b"b")));
    cases.push(with("another port", (b"host", b"a:81")));
    cases.push(with("a host that is none", (b"host", b"a\r\nX: y")));
    cases.push(with("a list of hosts", (b"host", b"a,b")));
    cases.push(with("an empty host", (b"host", b"")));
    cases.push(bad("two hosts", &[METHOD, SCHEME, PATH, AUTHORITY, (b"host", b"a"), (b"host", b"b")]));
    cases.push(bad("two hosts, no authority", &[METHOD, SCHEME, PATH, (b"host", b"a"), (b"host", b"b")]));
    cases
}

fn contents() -> Vec<Case> {
    let post = |length: &'static [u8]| head(&[POST, SCHEME, PATH, AUTHORITY, (b"content-length", length)], 0);
    let data = |content: &[u8], flags| frame(DATA, flags, 1, content);
    let case = |rule, frames: &[Vec<u8>], heard| Case { rule, frames: frames.concat(), heard };
    let smuggled = b"GET /smuggled HTTP/1.1\r\nHost: s\r\n\r\n";
    let mut cases = vec![
        case("shorter than its length", &[post(b"5"), data(b"hel", END_STREAM)], None),
        case("longer than its length", &[post(b"5"), data(b"hello!", END_STREAM)], None),
        case("longer, in pieces", &[post(b"5"), data(b"hello", 0), data(smuggled, END_STREAM)], None),
        case("nothing, of five", &[post(b"5"), data(b"", END_STREAM)], None),
        case("an odd end", &[post(b"5"), data(b"hel", 0), frame(3, 0, 1, &[0, 0, 0, 8])], None),
        case(
            "trailers too early",
            &[post(b"5"), data(b"hel", 0), frame(HEADERS, END_STREAM | END_HEADERS, 1, &block(&[(b"x", b"y")]))],
            None,
        ),
    ];
    // That nothing follows was said, so the origin may have heard it; what follows goes nowhere.
    cases.push(case("longer than nothing", &[post(b"0"), data(smuggled, END_STREAM)], Some("POST /x a")));
    for length in [&b"+5"[..], b"-5", b"5, 5", b"0x5", b"", b"five", b"99999999999999999999", b"5 "] {
        cases.push(case("a length that is none", &[post(length), data(b"hello", END_STREAM)], None));
    }
    let twice = head(&[POST, SCHEME, PATH, AUTHORITY, (b"content-length", b"5"), (b"content-length", b"6")], 0);
    cases.push(case("two lengths", &[twice, data(b"hello", END_STREAM)], None));
    cases.push(with("a length and no content", (b"content-length", b"5")));
    let trailers: [Field; 5] =
        [(b"X", b"y"), (b"x", b"y\r\nz"), (b"x\r\n\r\n", b"y"), (b"connection", b"x"), (b"", b"y")];
    for field in trailers {
        let open = head(&[POST, SCHEME, PATH, AUTHORITY], 0);
        let end = frame(HEADERS, END_STREAM | END_HEADERS, 1, &block(&[field]));
        cases.push(case("bad trailers", &[open, data(b"hello", 0), end], None));
    }
    cases
}

fn legal() -> Vec<Case> {
    let good = |rule, frames: Vec<u8>, heard| Case { rule, frames, heard: Some(heard) };
    let get = |field: Field| head(&[METHOD, SCHEME, PATH, AUTHORITY, field], END_STREAM);
    let post = |fields: &[Field]| head(&[&[POST, SCHEME, PATH, AUTHORITY], fields].concat(), 0);
    let data = |content: &[u8], flags| frame(DATA, flags, 1, content);
    let smuggled = b"0\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n";
    let fields = block(&[METHOD, SCHEME, PATH, AUTHORITY, (b"x", b"y")]);
    let split = [
        frame(HEADERS, END_STREAM, 1, &fields[..9]),
        frame(CONTINUATION, 0, 1, &fields[9..20]),
        frame(CONTINUATION, END_HEADERS, 1, &fields[20..]),
    ];
    let ended_oddly = frame(HEADERS, END_STREAM | END_HEADERS, 1, &block(&[(b":path", b"/y")]));
    vec![
        // h2 throws these away; nothing of them goes on.
        good("a fragment", head(&[METHOD, SCHEME, (b":path", b"/x#y"), AUTHORITY], END_STREAM), "GET /x a"),
        good("a pseudo-field in trailers", [post(&[]), data(b"hello", 0), ended_oddly].concat(), "POST /x a hello"),
        good("GET", get((b"x", b"y")), "GET /x a"),
        good("te: trailers", get((b"te", b"trailers")), "GET /x a"),
        good("the same host", get((b"host", b"a")), "GET /x a"),
        good("host alone", head(&[METHOD, SCHEME, PATH, (b"host", b"a")], END_STREAM), "GET /x a"),
        good("length 0", get((b"content-length", b"0")), "GET /x a"),
        good("an empty value", get((b"x", b"")), "GET /x a"),
        good(
            "OPTIONS *",
            head(&[(b":method", b"OPTIONS"), SCHEME, (b":path", b"*"), AUTHORITY], END_STREAM),
            "OPTIONS * a",
        ),
        good("in three frames", split.concat(), "GET /x a"),
        good("length", [post(&[(b"content-length", b"5")]), data(b"hello", END_STREAM)].concat(), "POST /x a hello"),
        good("no length", [post(&[]), data(b"hel", 0), data(b"lo", END_STREAM)].concat(), "POST /x a hello"),
        good("an empty end", [post(&[]), data(b"hello", 0), data(b"", END_STREAM)].concat(), "POST /x a hello"),
        good(
            "content that looks like the end of chunks",
            [post(&[]), data(smuggled, END_STREAM)].concat(),
            "POST /x a 0\r\n\r\nGET /smuggled HTTP/1.1",
        ),
        good(
            "trailers",
            [post(&[]), data(b"hello", 0), frame(HEADERS, END_STREAM | END_HEADERS, 1, &block(&[(b"x-t", b"1")]))]
                .concat(),
            "POST /x a hello",
        ),
    ]
}

#[test]
fn pseudo_fields_become_one_request_line_or_none() {
    judge(pseudo_fields());
}

#[test]
fn fields_that_http1_reads_otherwise_go_nowhere() {
    judge(fields());
}

#[test]
fn content_is_as_long_as_it_says() {
    judge(contents());
}

#[test]
fn legal_http2_requests_are_served() {
    judge(legal());
}

fn judge(cases: Vec<Case>) {
    let origin = Origin::start();
    let listener = "protocols = [\"http/1.1\", \"h2\"]\ntimeouts = { head = \"2s\", body = \"1s\" }";
    let weir = Weir::start(origin.address, listener, "", "");
    let wrong: Vec<String> = cases
        .iter()
        .filter_map(|case| {
            let why = one(&weir, &origin, case).err()?;
            Some(format!("{}: {why}\n    {:?}", case.rule, String::from_utf8_lossy(&case.frames)))
        })
        .collect();
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

fn one(weir: &Weir, origin: &Origin, case: &Case) -> Result<(), String> {
    let mut stream = open(weir, b"");
    let _ = stream.write_all(&case.frames);
    let outcome = match case.rule {
        "an odd end" => Outcome::Closed, // We ended it ourselves.
        _ => outcome(&mut stream, 1),
    };
    drop(stream);
    honest(weir, "/honest");
    let is_honest = |it: &Heard| matches!(it, Heard::Request(_, m) if m.target == "/honest");
    // On connections of their own, so in any order.
    let heard =
        origin.take(|all| all.iter().any(is_honest) && (case.heard.is_none() || all.iter().any(|it| !is_honest(it))));
    let mut lines = Vec::new();
    for it in heard {
        match it {
            Heard::Request(_, message) if message.target == "/honest" => {}
            Heard::Request(_, message) => lines.push(message.line()),
            Heard::Wrong(_, Wrong::Truncated(_)) if case.heard.is_none() => {}
            other => return Err(format!("the origin heard {other:?}")),
        }
    }
    let expected: Vec<&str> = case.heard.into_iter().collect();
    let good = outcome == Outcome::Good(b"honest words".to_vec()) || case.rule == "longer than nothing";
    match () {
        () if lines != expected => Err(format!("the origin heard {lines:?}, the client {outcome:?}")),
        () if outcome == Outcome::Silent => Err("nobody said anything".to_owned()),
        () if good != case.heard.is_some() => Err(format!("the client hears {outcome:?}")),
        () => Ok(()),
    }
}
