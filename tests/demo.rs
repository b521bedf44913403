//! `weir demo` does what it says.

#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

/// What is to be seen at each printed path, whatever stands before its URL in the curl line.
const SEEN: &[(&str, u16, &str)] = &[
    ("/json", 200, "\"backend\":"),
    ("/", 200, "<h1>Backend "),
    ("/canary/json", 200, "\"path\":\"/json\""),
    ("/data/json", 200, "\"backend\":"),
    ("/failover/json", 200, "\"backend\":\"one\""),
    ("/sticky/json", 200, "set-cookie: demo_backend="),
    ("/report", 200, "line 20 of a report"),
    ("/old/page", 308, "location: /hello"),
    ("/hello", 200, "Weir itself"),
    ("/limited", 200, "ratelimit: \"few\";r=2"),
    ("/gone", 502, "\"status\":502"),
    ("/closed", 503, "retry-after: "),
    ("/headers", 200, "via: 1.1 weir"),
    ("/echo", 200, "hello"),
    ("/status/418", 418, "says 418"),
    ("/slow", 200, "after 2 s"),
    ("/sse", 200, "event 1 of "),
    ("/metrics", 200, "weir_"),
];

#[test]
fn every_line_that_the_demo_prints_shows_what_it_promises_and_sigterm_ends_it() {
    let demo = Demo::start();
    let tried: HashSet<String> = demo.lines.iter().map(|line| try_line(line)).collect();
    assert_eq!(tried.len(), SEEN.len(), "{tried:?}");
    demo.balances();
    demo.caches();
    demo.sends_those_who_ask_to_the_canary();
    demo.lets_writers_read_what_they_wrote();
    let (code, log) = demo.terminate();
    assert_eq!(code, Some(0));
    assert!(log.contains("200 GET /json pool=all backend=127.0.0.1:"), "{log}");
}

#[test]
fn an_address_that_is_taken_is_named_with_the_way_out() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = Command::new(WEIR).args(["demo", "--listen", &address]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    assert!(said.contains(&format!("cannot listen on {address}")) && said.contains("weir demo --listen"), "{said}");
}

/// Sends what a printed curl line would, and checks the answer; gives its path.
fn try_line(line: &str) -> String {
    let quoted: Vec<&str> = line.split('\'').collect();
    let url = quoted.iter().find_map(|word| word.strip_prefix("http://")).unwrap();
    let (address, path) = url.split_at(url.find('/').unwrap());
    let after = |flag: &str| quoted.windows(2).find(|pair| pair[0].ends_with(flag)).map(|pair| pair[1]);
    let seen = ask(address, path, after("-H "), after("-d "), if path == "/sse" { "\n\n" } else { "" });
    let (_, status, text) = SEEN.iter().find(|(known, ..)| *known == path).unwrap_or_else(|| panic!("{line}"));
    assert!(seen.starts_with(&format!("HTTP/1.1 {status} ")) && seen.contains(text), "{line}\n{seen}");
    path.to_owned()
}

/// One request; the whole answer, or as much as there is up to the first `enough` in its content.
fn ask(address: &str, path: &str, field: Option<&str>, content: Option<&str>, enough: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let method = if content.is_some() { "POST" } else { "GET" };
    let field = field.map(|field| format!("{field}\r\n")).unwrap_or_default();
    let content = content.unwrap_or_default();
    let length = content.len();
    write!(stream, "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {length}\r\n{field}\r\n{content}").unwrap();
    let (mut seen, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        let count = stream.read(&mut piece).unwrap();
        seen.extend_from_slice(&piece[..count]);
        let text = String::from_utf8_lossy(&seen);
        if count == 0 || (!enough.is_empty() && text.contains(enough)) {
            return text.into_owned();
        }
    }
}

/// A demo that runs.
struct Demo {
    process: Child,
    out: BufReader<ChildStdout>,
    address: String,
    lines: Vec<String>,
}

impl Demo {
    /// Starts it, and reads what it prints up to where the access log begins.
    fn start() -> Demo {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let mut command = Command::new(WEIR);
        let mut process = command.args(["demo", "--listen", &address]).stdout(Stdio::piped()).spawn().unwrap();
        let out = BufReader::new(process.stdout.take().unwrap());
        let mut demo = Demo { process, out, address, lines: Vec::new() };
        loop {
            let mut line = String::new();
            assert!(demo.out.read_line(&mut line).unwrap() > 0, "it ended early");
            match line.trim() {
                end if end.starts_with("Ctrl-C") => return demo,
                curl if curl.starts_with("curl ") => demo.lines.push(curl.to_owned()),
                _ => {}
            }
        }
    }

    fn balances(&self) {
        let all = (0..ENOUGH).map(|_| backend(&ask(&self.address, "/json", None, None, "")));
        assert_eq!(all.collect::<HashSet<_>>().len(), 3);
    }

    fn caches(&self) {
        let again = ask(&self.address, "/report", None, None, "");
        assert!(again.contains("cache-status: weir; hit; ttl=") && again.contains("age: "), "{again}");
    }

    fn sends_those_who_ask_to_the_canary(&self) {
        for _ in 0..ENOUGH {
            assert_eq!(backend(&ask(&self.address, "/canary/json", Some("x-canary: 1"), None, "")), "three");
        }
    }

    fn lets_writers_read_what_they_wrote(&self) {
        let written = ask(&self.address, "/data/json", None, Some("a=1"), "");
        assert_eq!(backend(&written), "one");
        let cookie = between(&written, "set-cookie: ", ";");
        let read = ask(&self.address, "/data/json", Some(&format!("cookie: {cookie}")), None, "");
        assert_eq!(backend(&read), "one");
        assert_ne!(backend(&ask(&self.address, "/data/json", None, None, "")), "one");
    }

    /// SIGTERM; its exit code, and what it had printed.
    fn terminate(mut self) -> (Option<i32>, String) {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        let mut log = String::new();
        self.out.read_to_string(&mut log).unwrap();
        (self.process.wait().unwrap().code(), log)
    }
}

impl Drop for Demo {
    /// A test that fails leaves nothing running.
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn backend(seen: &str) -> String {
    between(seen, "\"backend\":\"", "\"").to_owned()
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let rest = text.split_once(before).unwrap_or_else(|| panic!("no {before} in {text}")).1;
    rest.split(after).next().unwrap_or(rest)
}

const WEIR: &str = env!("CARGO_BIN_EXE_weir");

/// More than `/slow` takes, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// So many requests meet every backend, whichever workers take them.
const ENOUGH: usize = 32;
