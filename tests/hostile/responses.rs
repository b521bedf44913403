//! What broken and malicious origins answer: a client sees a 502 or a response that visibly breaks off, the connection
//! is not used again, and nobody else hears of it.

use super::origin::{Act, Heard, Origin};
use super::support::{Cut, NoReply, Reader, Reply, Weir, honest, say};
use std::sync::Mutex;
use std::time::Duration;

/// A raw response, and what a client may see of it.
struct Case {
    rule: &'static str,
    method: &'static str,
    acts: Vec<Act>,
    sees: Sees,
    reused: bool,
}

#[derive(Clone, Debug, PartialEq)]
enum Sees {
    /// 502 from Weir itself.
    Refused,
    /// A response that breaks off, or 502.
    Broken,
    /// Status and content.
    Good(u16, &'static str),
}

fn case(rule: &'static str, sees: Sees, acts: Vec<Act>) -> Case {
    Case { rule, method: "GET", acts, sees, reused: false }
}

fn said(text: impl AsRef<[u8]>) -> Act {
    Act::Say(text.as_ref().to_vec())
}

fn rest() -> Act {
    Act::Rest(Duration::from_millis(60))
}

/// Heads that are none: nothing of them is passed on.
fn bad_heads() -> Vec<Case> {
    let heads: Vec<(&'static str, Vec<u8>)> = [
        ("status line", "HTTP/1.1 20 OK"),
        ("status line", "HTTP/1.1 2000 OK"),
        ("status line", "HTTP/1.1 abc OK"),
        ("status line", "HTTP/1.1  200 OK"),
        ("status line", "HTTP/1.1 200OK"),
        ("status line", "HTTP/1.1\t200 OK"),
        ("status line", "HTTP/1.1 -200 OK"),
        ("status line", "HTTP/1.1 +20 OK"),
        ("status line", "HTTP/1.1 2 0 OK"),
        ("status line", "HTTP/1.1 000 OK"),
        ("status line", "HTTP/1.1 099 OK"),
        ("status line", "HTTP/1.1 600 OK"),
        ("status line", "HTTP/1.1 999 OK"),
        ("status line", "HTTP/1.1 200 O\0K"),
        ("status line", "HTTP/1.1 200 O\rK"),
        ("status line", "HTTP/1.1"),
        ("status line", "HTTP/1.1 "),
        ("status line", "200 OK"),
        ("status line", "ICY 200 OK"),
        ("status line", "hello"),
        ("status line", " HTTP/1.1 200 OK"),
        ("status line", "\r\nHTTP/1.1 200 OK"),
        ("version", "HTTP/2.0 200 OK"),
        ("version", "HTTP/0.9 200 OK"),
        ("version", "http/1.1 200 OK"),
        ("version", "HTTP/1 200 OK"),
        ("version", "HTTP/11 200 OK"),
        ("version", "HTTPS/1.1 200 OK"),
        ("a request", "GET / HTTP/1.1"),
    ]
    .iter()
    .map(|(rule, line)| (*rule, format!("{line}\r\nContent-Length: 5\r\n\r\nhello").into_bytes()))
    .collect();
    let fields = [
        ("length", "Content-Length: 5\r\nContent-Length: 5"),
        ("length", "Content-Length: 5\r\nContent-Length: 6"),
        ("length", "Content-Length: 5, 5"),
        ("length", "Content-Length: +5"),
        ("length", "Content-Length: -5"),
        ("length", "Content-Length: 0x5"),
        ("length", "Content-Length:"),
        ("length", "Content-Length: 5 5"),
        ("length", "Content-Length: 99999999999999999999"),
        ("length", "Content-Length : 5"),
        ("length", "Content-Length: 5\u{b}"),
        ("length", "content-length: five"),
        ("both", "Content-Length: 5\r\nTransfer-Encoding: chunked"),
        ("both", "Transfer-Encoding: chunked\r\nContent-Length: 5"),
        ("both", "Transfer-Encoding: identity\r\nContent-Length: 5"),
        ("coding", "Transfer-Encoding: xchunked"),
        ("coding", "Transfer-Encoding: chunked, identity"),
        ("coding", "Transfer-Encoding: identity"),
        ("coding", "Transfer-Encoding: gzip, chunked"),
        ("coding", "Transfer-Encoding: chunked, chunked"),
        ("coding", "Transfer-Encoding:"),
        ("coding", "Transfer-Encoding: gzip"),
        ("coding", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
        ("coding", "Transfer-Encoding: \u{b}chunked"),
        ("fold", "X: y\r\n z\r\nContent-Length: 5"),
        ("fold", " X: y\r\nContent-Length: 5"),
        ("fold", "Content-Length:\r\n 5"),
        ("name", "X y: z\r\nContent-Length: 5"),
        ("name", ": y\r\nContent-Length: 5"),
        ("name", "X\r\nContent-Length: 5"),
        ("name", "X\0: y\r\nContent-Length: 5"),
        ("name", "X : y\r\nContent-Length: 5"),
        ("name", "X\u{e9}: y\r\nContent-Length: 5"),
        ("value", "X: a\0b\r\nContent-Length: 5"),
        ("value", "X: a\rb\r\nContent-Length: 5"),
        ("value", "X: a\u{1}\r\nContent-Length: 5"),
        ("line end", "X: y\nContent-Length: 5"),
        ("line end", "X: y\r\r\nContent-Length: 5"),
        ("line end", "Content-Length: 5\n"),
        ("splitting", "Location: /a\nSet-Cookie: b=c\r\nContent-Length: 5"),
        ("splitting", "Location: /a\rSet-Cookie: b=c\r\nContent-Length: 5"),
    ];
    let fields =
        fields.iter().map(|(rule, lines)| (*rule, format!("HTTP/1.1 200 OK\r\n{lines}\r\n\r\nhello").into_bytes()));
    let raw = [
        ("bare LF", "HTTP/1.1 200 OK\nContent-Length: 5\n\nhello".into()),
        ("TE in 1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n".into()),
        (
            "too large",
            format!("HTTP/1.1 200 OK\r\nX: {}\r\nContent-Length: 5\r\n\r\nhello", "y".repeat(70_000)).into_bytes(),
        ),
        (
            "too many fields",
            format!("HTTP/1.1 200 OK\r\n{}Content-Length: 5\r\n\r\nhello", "X: y\r\n".repeat(300)).into_bytes(),
        ),
        ("endless", [b"HTTP/1.1 200 OK\r\nX: ".to_vec(), vec![b'y'; 1 << 20]].concat()),
        ("binary", (0..=255u8).cycle().take(2000).collect()),
        ("TLS", b"\x15\x03\x01\0\x02\x02\x46".to_vec()),
        ("1xx flood", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n".repeat(100).into_bytes()),
        (
            "101 unasked",
            "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nx".into(),
        ),
        ("101 unasked", "HTTP/1.1 101 Switching Protocols\r\n\r\n".into()),
    ];
    let all = heads.into_iter().chain(fields).chain(raw);
    all.map(|(rule, bytes)| case(rule, Sees::Refused, vec![said(bytes), rest(), Act::Close])).collect()
}

/// Content that ends too early or is no content.
fn bad_contents() -> Vec<Case> {
    let chunked = |body: &str| format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{body}");
    let length = |body: &str| format!("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{body}");
    let mut cases = Vec::new();
    for body in [
        "5\r\nhello\r\n",
        "5\r\nhello",
        "5\r\nhel",
        "5\r\n",
        "5",
        "",
        "5\r\nhello\r\n0",
        "5\r\nhello\r\n0\r\n",
        "5\r\nhello\r\n0\r\n\r",
        "5\r\nhello\r\n0\r\nX: y\r\n",
        "5\r\nhello\r\nffffffff\r\nabc",
    ] {
        cases.push(case("chunks cut short", Sees::Broken, vec![said(chunked(body)), Act::Close]));
        cases.push(case("chunks cut short, later", Sees::Broken, vec![said(chunked(body)), rest(), Act::Reset]));
    }
    for body in [
        "5\r\nhello\n0\r\n\r\n",
        "5\nhello\r\n0\r\n\r\n",
        "5\r\nhelloX\r\n0\r\n\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
        " 5\r\nhello\r\n0\r\n\r\n",
        "+5\r\nhello\r\n0\r\n\r\n",
        "-1\r\n\r\n",
        "zz\r\n\r\n",
        "fffffffffffffffff\r\nhello",
        "5\r\nhello\r\n0\r\nX : y\r\n\r\n",
        "5\r\nhello\r\n0\r\nX: y\n\r\n",
        "5;a\0\r\nhello\r\n0\r\n\r\n",
        "5;\nhello\r\n0\r\n\r\n",
        "\r\n5\r\nhello\r\n0\r\n\r\n",
        "5\r\nhello\r\n0\r\n\n",
        "5 \r\nhello\r\n0\r\n\r\n",
    ] {
        cases.push(case("bad chunks", Sees::Broken, vec![said(chunked(body))]));
        cases.push(case("bad chunks, later", Sees::Broken, vec![said(chunked("1\r\na\r\n")), rest(), said(body)]));
    }
    for body in ["", "h", "hello", "hello wor"] {
        cases.push(case("length cut short", Sees::Broken, vec![said(length(body)), Act::Close]));
        cases.push(case("length cut short, later", Sees::Broken, vec![said(length(body)), rest(), Act::Reset]));
    }
    for head in ["HTTP/1.1 200 OK\r\nX: y\r\n", "HTTP/1.1 200", "H", ""] {
        cases.push(case("head cut short", Sees::Refused, vec![said(head), Act::Close]));
    }
    cases.push(case(
        "interim, then nothing",
        Sees::Refused,
        vec![said("HTTP/1.1 103 Early Hints\r\n\r\n"), Act::Close],
    ));
    cases
}

/// Good responses with something behind them that nobody asked for.
fn surplus() -> Vec<Case> {
    let evil = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nX-Saw: GET /honest\r\n\r\nevil";
    let good = |head: &str| format!("HTTP/1.1 {head}\r\n\r\n");
    let mut cases = Vec::new();
    let ok = || Sees::Good(200, "hello");
    for more in [evil, "x", "\r\n", "\0", "HTTP/1.1 ", "0\r\n\r\n"] {
        let with_length = format!("{}hello", good("200 OK\r\nContent-Length: 5"));
        let with_chunks = format!("{}5\r\nhello\r\n0\r\n\r\n", good("200 OK\r\nTransfer-Encoding: chunked"));
        for first in [with_length, with_chunks] {
            cases.push(case("surplus at once", ok(), vec![said(format!("{first}{more}"))]));
            cases.push(case(
                "surplus on an idle connection",
                ok(),
                vec![said(first), Act::Say(Vec::new()), rest(), said(more)],
            ));
        }
        for head in [
            "204 No Content",
            "304 Not Modified",
            "304 Not Modified\r\nContent-Length: 5",
            "204 No Content\r\nContent-Length: 5",
        ] {
            let status = head[..3].parse().unwrap();
            let text = format!("{}{more}", good(head));
            cases.push(case("content where there is none", Sees::Good(status, ""), vec![said(text)]));
        }
        let text = format!("{}{more}", good("200 OK\r\nContent-Length: 5"));
        cases.push(Case { method: "HEAD", ..case("content after HEAD", Sees::Good(200, ""), vec![said(text)]) });
        let text = format!("{}{more}", good("200 OK\r\nTransfer-Encoding: chunked"));
        cases.push(Case { method: "HEAD", ..case("chunks after HEAD", Sees::Good(200, ""), vec![said(text)]) });
    }
    cases
}

/// What is unusual and allowed.
fn legal() -> Vec<Case> {
    let ok = || Sees::Good(200, "hello");
    let texts: Vec<(&'static str, Sees, String, bool)> = [
        ("no reason", ok(), "HTTP/1.1 200 \r\nContent-Length: 5\r\n\r\nhello", true),
        ("no space for a reason", ok(), "HTTP/1.1 200\r\nContent-Length: 5\r\n\r\nhello", true),
        ("a reason with anything", ok(), "HTTP/1.1 200 \u{e9} \"a\" 404\r\nContent-Length: 5\r\n\r\nhello", true),
        ("a later minor version", ok(), "HTTP/1.2 200 OK\r\nContent-Length: 5\r\n\r\nhello", true),
        ("1.0", ok(), "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", false),
        ("1.0 kept alive", ok(), "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello", true),
        ("close", ok(), "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello", false),
        ("chunks", ok(), "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n2;a=b\r\nhe\r\n03\r\nllo\r\n000\r\nX-T: 1\r\n\r\n", true),
        ("no content", Sees::Good(200, ""), "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", true),
        ("204", Sees::Good(204, ""), "HTTP/1.1 204 No Content\r\n\r\n", true),
        ("304 with length", Sees::Good(304, ""), "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", true),
        ("interims", ok(), "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 102 X\r\nContent-Length: 9\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", true),
        ("any status", Sees::Good(599, "hello"), "HTTP/1.1 599 Odd\r\nContent-Length: 5\r\n\r\nhello", true),
        ("an upgrade that is offered only", ok(), "HTTP/1.1 200 OK\r\nConnection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 5\r\n\r\nhello", true),
        ("connection names the length", ok(), "HTTP/1.1 200 OK\r\nConnection: content-length\r\nContent-Length: 5\r\n\r\nhello", true),
    ]
    .map(|(rule, sees, text, reused)| (rule, sees, text.to_owned(), reused))
    .into();
    let mut cases: Vec<Case> = texts
        .into_iter()
        .map(|(rule, sees, text, reused)| Case { reused, ..case(rule, sees, vec![said(text)]) })
        .collect();
    cases.push(case("until close", ok(), vec![said("HTTP/1.1 200 OK\r\n\r\nhel"), rest(), said("lo"), Act::Close]));
    cases.push(case("until close in 1.0", ok(), vec![said("HTTP/1.0 200 OK\r\n\r\nhello"), Act::Close]));
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
    cases.push(Case { method: "HEAD", reused: true, ..case("HEAD", Sees::Good(200, ""), vec![said(head)]) });
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    cases.push(Case { method: "HEAD", reused: true, ..case("HEAD", Sees::Good(200, ""), vec![said(head)]) });
    cases
}

#[test]
fn heads_of_responses_that_are_none_are_a_502() {
    judge(bad_heads());
}

#[test]
fn content_that_breaks_off_is_seen_to_break_off() {
    judge(bad_contents());
}

#[test]
fn surplus_bytes_reach_nobody() {
    judge(surplus());
}

#[test]
fn unusual_responses_are_served() {
    judge(legal());
}

#[test]
fn a_reset_is_never_taken_for_the_end() {
    let origin = Origin::start();
    let weir = Weir::start(origin.address, "", "", "");
    let acts = vec![said("HTTP/1.1 200 OK\r\n\r\nhello"), rest(), Act::Reset];
    origin.script("/case", acts);
    let mut stream = weir.connect();
    say(&mut stream, b"GET /case HTTP/1.1\r\nHost: a\r\n\r\n", Cut::Whole);
    assert!(matches!(Reader::new(&stream).reply("GET"), Err(NoReply::Broken(_))));
    let mut old = weir.connect();
    say(&mut old, b"GET /case HTTP/1.0\r\nHost: a\r\n\r\n", Cut::Whole);
    assert!(matches!(Reader::new(&old).reply("GET"), Err(NoReply::Broken(_))));
}

#[test]
fn a_switch_to_what_was_not_asked_for_is_a_502() {
    let origin = Origin::start();
    let weir = Weir::start(origin.address, "", "", "");
    for line in ["Upgrade: h2c", "Upgrade: TLS/1.0", "X: y", "Upgrade: websocketx"] {
        let text = format!("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n{line}\r\n\r\nevil");
        origin.script("/case", vec![said(text)]);
        let mut stream = weir.connect();
        let request = b"GET /case HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
        say(&mut stream, request, Cut::Whole);
        let reply = Reader::new(&stream).reply("GET").unwrap();
        assert_eq!(reply.status, 502, "{line}");
    }
}

const LANES: usize = 4;

fn judge(cases: Vec<Case>) {
    let count = cases.len();
    let wrong = Mutex::new(Vec::new());
    let queue = Mutex::new(cases.into_iter());
    std::thread::scope(|scope| {
        for _ in 0..LANES {
            scope.spawn(|| {
                let origin = Origin::start();
                let weir = Weir::start(origin.address, "", "timeouts = { first_byte = \"3s\", idle = \"3s\" }", "");
                loop {
                    let Some(case) = queue.lock().unwrap().next() else { return };
                    if let Err(why) = one(&weir, &origin, &case) {
                        wrong.lock().unwrap().push(format!("{}: {why}\n    {:?}", case.rule, show(&case.acts)));
                    }
                }
            });
        }
    });
    let mut wrong = wrong.into_inner().unwrap();
    wrong.sort();
    assert!(wrong.is_empty(), "{} of {count} cases:\n{}", wrong.len(), wrong.join("\n"));
}

fn show(acts: &[Act]) -> String {
    format!(
        "{:.300}",
        acts.iter()
            .map(|act| match act {
                Act::Say(bytes) => String::from_utf8_lossy(bytes).into_owned(),
                other => format!(" <{other:?}> "),
            })
            .collect::<String>()
    )
}

fn one(weir: &Weir, origin: &Origin, case: &Case) -> Result<(), String> {
    origin.script("/case", case.acts.clone());
    let mut stream = weir.connect();
    let request = format!("{} /case HTTP/1.1\r\nHost: a\r\n\r\n", case.method);
    say(&mut stream, request.as_bytes(), Cut::Whole);
    let mut reader = Reader::new(&stream);
    let reply = reader.reply(case.method);
    let more = String::from_utf8_lossy(reader.rest()).into_owned();
    if case.rule.contains("idle") {
        std::thread::sleep(Duration::from_millis(120));
    }
    drop(stream);
    for _ in 0..2 {
        let honest = honest(weir, "/honest");
        if honest.body != b"honest words" {
            return Err(format!("an honest client sees {:?}", String::from_utf8_lossy(&honest.body)));
        }
    }
    let is_last = |heard: &[Heard]| {
        heard.iter().filter(|it| matches!(it, Heard::Request(_, m) if m.target == "/honest")).count() == 2
    };
    let heard = origin.take(is_last);
    seen(&case.sees, &reply)?;
    match more.as_str() {
        "" => connections(case, &heard),
        _ if reply.is_err() => connections(case, &heard),
        more => Err(format!("and more: {more:?}")),
    }
}

fn seen(sees: &Sees, reply: &Result<Reply, NoReply>) -> Result<(), String> {
    let good = match (sees, reply) {
        (Sees::Refused, Ok(reply)) => reply.status == 502,
        (Sees::Broken, Ok(reply)) => reply.status == 502 && !reply.body.starts_with(b"hello"),
        (Sees::Broken, Err(NoReply::Broken(_) | NoReply::Closed)) => true,
        (Sees::Good(status, body), Ok(reply)) => reply.status == *status && reply.body == body.as_bytes(),
        _ => false,
    };
    if good { Ok(()) } else { Err(format!("the client sees {reply:?}, not {sees:?}")) }
}

/// A connection that misbehaved is used once.
fn connections(case: &Case, heard: &[Heard]) -> Result<(), String> {
    let of = |target: &str| {
        heard.iter().find_map(|it| match it {
            Heard::Request(number, message) if message.target == target => Some(*number),
            _ => None,
        })
    };
    let count = heard.iter().filter(|it| matches!(it, Heard::Request(_, m) if m.target == "/case")).count();
    let (Some(own), Some(next)) = (of("/case"), of("/honest")) else { return Err(format!("heard {heard:?}")) };
    match () {
        () if count != 1 && case.method == "GET" && case.rule != "head cut short" => {
            Err(format!("asked {count} times"))
        }
        () if (own == next) != case.reused => Err(format!("used again: {}, wanted: {}", own == next, case.reused)),
        () => Ok(()),
    }
}
