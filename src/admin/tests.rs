use super::serve::{Limits, start_within};
use super::*;
use crate::config::AdminListen;
use crate::telemetry::Exposition;
use crate::telemetry::parse::parse;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::num::NonZeroUsize;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

/// An admin listener that ends with the test.
struct Admin {
    state: Arc<AdminState>,
    address: SocketAddr,
    admin: super::Admin,
    asks: mpsc::Receiver<Ask>,
}

impl Admin {
    fn start(limits: Limits) -> Admin {
        let listener = bind(&AdminListen::Tcp(([127, 0, 0, 1], 0).into())).unwrap();
        let address = listener.name().parse().unwrap();
        let (asker, asks) = mpsc::channel(ASKS_MAX);
        let state = AdminState::new(Metrics::new(NonZeroUsize::MIN), asker);
        let mut admin = start_within(limits, listener, Arc::clone(&state)).unwrap();
        admin.begin();
        Admin { state, address, admin, asks }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Status line and fields, and content.
    fn ask(&self, method: &str, path: &str, fields: &str) -> (String, String) {
        exchange(self.connect(), method, path, fields)
    }

    fn status(&self, method: &str, path: &str) -> u16 {
        self.ask(method, path, "").0[9..12].parse().unwrap()
    }
}

/// Stops, and waits until the thread has ended.
fn end(admin: &mut super::Admin) {
    admin.stop();
    let deadline = Instant::now() + PATIENCE;
    while !admin.is_finished() {
        assert!(Instant::now() < deadline, "it does not end");
        std::thread::yield_now();
    }
}

fn exchange(mut stream: impl Read + Write, method: &str, path: &str, fields: &str) -> (String, String) {
    write!(stream, "{method} {path} HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n{fields}\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, content) = text.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), content.to_owned())
}

/// Reads until the other side closes, orderly or not; gives how much came.
fn drain(stream: &mut TcpStream) -> usize {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Err(why) if why.kind() == std::io::ErrorKind::WouldBlock => panic!("it stayed open"),
        _ => bytes.len(),
    }
}

const PATIENCE: Duration = Duration::from_secs(10);
/// Longer than any test waits.
const FOREVER: Duration = Duration::from_secs(600);
const ROOMY: Limits = Limits { connections: 64, head: FOREVER, age: FOREVER, end: FOREVER };

#[test]
fn each_page_is_there_and_no_other() {
    let admin = Admin::start(ROOMY);
    assert_eq!(admin.status("GET", "/healthz"), 200);
    assert_eq!(admin.ask("GET", "/healthz", "").1, "ok\n");
    assert_eq!(admin.status("GET", "/healthz?verbose"), 200);
    assert!(admin.ask("GET", "/", "").1.contains("/metrics"));
    assert_eq!(admin.status("GET", "/other"), 404);
    let (head, content) = admin.ask("HEAD", "/metrics", "");
    assert!(head.starts_with("HTTP/1.1 200") && content.is_empty());
    let (head, _) = admin.ask("POST", "/healthz", "Content-Length: 0\r\n");
    assert!(head.starts_with("HTTP/1.1 405") && head.to_ascii_lowercase().contains("\r\nallow: get, head"), "{head}");
}

#[test]
fn it_is_ready_when_it_is_told_so() {
    let admin = Admin::start(ROOMY);
    assert_eq!(admin.status("GET", "/readyz"), 503);
    admin.state.set_ready(true);
    assert_eq!(admin.status("GET", "/readyz"), 200);
    admin.state.set_ready(false);
    assert_eq!(admin.status("GET", "/readyz"), 503);
    assert_eq!(admin.status("GET", "/healthz"), 200);
}

#[test]
fn metrics_are_what_prometheus_reads() {
    let admin = Admin::start(ROOMY);
    admin.state.metrics.reloaded(true);
    let (head, content) = admin.ask("GET", "/metrics", "");
    assert!(head.contains("text/plain; version=0.0.4"), "{head}");
    let samples = parse(&content, Exposition::Prometheus).unwrap();
    assert!(samples.iter().any(|sample| sample.name == "weir_reloads_total" && sample.value == 1.0));
    let (head, content) = admin.ask("GET", "/metrics", "Accept: application/openmetrics-text; version=1.0.0\r\n");
    assert!(head.contains("application/openmetrics-text"), "{head}");
    parse(&content, Exposition::OpenMetrics).unwrap();
}

#[test]
fn garbage_ends_its_own_connection_only() {
    let admin = Admin::start(ROOMY);
    let long = format!("GET / HTTP/1.1\r\nx: {}", "a".repeat(40_000));
    for garbage in [&b"\x16\x03\x01\x02\x00\x01\x00"[..], b"\0\0\0\0\r\n\r\n", b"GET\r\n\r\n", long.as_bytes()] {
        let mut stream = admin.connect();
        let _ = stream.write_all(garbage);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        drain(&mut stream);
    }
    assert_eq!(admin.status("GET", "/healthz"), 200);
}

#[test]
fn slow_clients_in_all_places_give_them_back() {
    let head = Duration::from_millis(100);
    let admin = Admin::start(Limits { connections: 2, head, ..ROOMY });
    let mut silent = admin.connect();
    let mut slow = admin.connect();
    slow.write_all(b"GET /healthz HTTP/1.1\r\nHost:").unwrap();
    assert_eq!(admin.status("GET", "/healthz"), 200);
    drain(&mut silent);
    drain(&mut slow);
}

#[test]
fn a_client_that_does_not_read_is_ended() {
    let short = Duration::from_millis(200);
    let admin = Admin::start(Limits { connections: 1, age: short, end: short, ..ROOMY });
    let mut stream = admin.connect();
    stream.set_nonblocking(true).unwrap();
    // Far more is asked for than the sockets hold, and nothing read.
    while stream.write(&b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n".repeat(100)).is_ok() {}
    assert_eq!(admin.status("GET", "/healthz"), 200);
}

/// A listener on a Unix-domain socket that serves.
fn on_unix(path: &Path) -> super::Admin {
    let (asker, _) = mpsc::channel(ASKS_MAX);
    let state = AdminState::new(Metrics::new(NonZeroUsize::MIN), asker);
    let mut admin = super::start(bind(&AdminListen::Unix(path.to_owned())).unwrap(), state).unwrap();
    admin.begin();
    admin
}

#[test]
fn it_serves_on_a_unix_socket_and_removes_it_at_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("admin.sock");
    let mut admin = on_unix(&path);
    let (head, content) = exchange(UnixStream::connect(&path).unwrap(), "GET", "/healthz", "");
    assert!(head.starts_with("HTTP/1.1 200") && content == "ok\n");
    end(&mut admin);
    drop(admin);
    assert!(!path.exists());
}

#[test]
fn a_socket_that_was_taken_over_is_served_on_with_its_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("admin.sock");
    let mut old = on_unix(&path);
    let socket = old.socket().unwrap().try_clone_to_owned().unwrap();
    // Whoever does not come to serve leaves it alone.
    drop(adopt(&AdminListen::Unix(path.clone()), socket.try_clone().unwrap()).unwrap());
    let listener = adopt(&AdminListen::Unix(path.clone()), socket).unwrap();
    let (asker, _) = mpsc::channel(ASKS_MAX);
    let mut new = super::start(listener, AdminState::new(Metrics::new(NonZeroUsize::MIN), asker)).unwrap();
    end(&mut old);
    old.leave_file();
    drop(old);
    // Who came in between waits.
    let waiting = UnixStream::connect(&path).unwrap();
    new.begin();
    assert_eq!(exchange(waiting, "GET", "/healthz", "").1, "ok\n");
    end(&mut new);
    drop(new);
    assert!(!path.exists());
}

#[test]
fn whoever_was_let_in_before_it_stops_gets_an_answer() {
    let mut admin = Admin::start(ROOMY);
    let first = admin.connect();
    // Accepted after the first one.
    assert_eq!(admin.status("GET", "/healthz"), 200);
    admin.admin.stop();
    assert!(exchange(first, "GET", "/healthz", "").0.starts_with("HTTP/1.1 200 "));
    end(&mut admin.admin);
}

#[test]
fn connections_end_with_their_response_when_it_stops() {
    let mut admin = Admin::start(ROOMY);
    let mut idle = admin.connect();
    let mut asking = admin.connect();
    write!(asking, "POST /v1/reload HTTP/1.1\r\nHost: a\r\n{JSON}Content-Length: 2\r\n\r\n{{}}").unwrap();
    let ask = admin.asks.blocking_recv().unwrap();
    admin.admin.stop();
    drain(&mut idle);
    ask.answer.send(Verdict::Done(serde_json::json!({ "applied": true }))).unwrap();
    let mut answer = String::new();
    asking.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("\"applied\": true"), "{answer}");
    end(&mut admin.admin);
    assert!(TcpStream::connect(admin.address).is_err());
}

const JSON: &str = "Content-Type: application/json\r\n";

#[test]
fn an_outcome_is_told_to_whoever_asked() {
    for (verdict, status, part) in [
        (Verdict::Done(serde_json::json!({ "applied": true, "pid": 7 })), 200, "\"pid\": 7"),
        (Verdict::NotNow("later"), 409, "later"),
        (Verdict::Failed("error: x".into(), Some(serde_json::json!([{ "line": 3 }]))), 422, "\"line\": 3"),
    ] {
        let mut admin = Admin::start(ROOMY);
        let stream = admin.connect();
        let asker = std::thread::spawn(move || exchange(stream, "POST", "/v1/upgrade", JSON));
        let ask = admin.asks.blocking_recv().unwrap();
        assert_eq!(ask.job, Job::Upgrade);
        ask.answer.send(verdict).unwrap();
        let (head, content) = asker.join().unwrap();
        assert!(head.starts_with(&format!("HTTP/1.1 {status}")) && content.contains(part), "{head}{content}");
    }
}

#[test]
fn pages_in_browsers_and_other_methods_change_nothing() {
    let mut admin = Admin::start(ROOMY);
    for (fields, part) in [
        ("", "content-type"),
        ("Content-Type: text/plain\r\n", "content-type"),
        ("Content-Type: application/json\r\nOrigin: http://127.0.0.1\r\n", "browser"),
        ("Content-Type: application/json\r\nSec-Fetch-Site: same-origin\r\n", "browser"),
    ] {
        let (head, content) = admin.ask("POST", "/v1/reload", fields);
        assert!(head.starts_with("HTTP/1.1 403") && content.contains(part), "{head}{content}");
    }
    let (head, _) = admin.ask("GET", "/v1/reload", JSON);
    assert!(head.starts_with("HTTP/1.1 405") && head.to_ascii_lowercase().contains("\r\nallow: post"), "{head}");
    assert!(admin.asks.try_recv().is_err());
}

#[test]
fn whoever_asks_too_much_at_once_is_told_so() {
    let admin = Admin::start(ROOMY);
    let asking: Vec<_> = (0..ASKS_MAX)
        .map(|_| {
            let mut stream = admin.connect();
            write!(stream, "POST /v1/reload HTTP/1.1\r\nHost: a\r\n{JSON}\r\n").unwrap();
            stream
        })
        .collect();
    let deadline = Instant::now() + PATIENCE;
    while admin.asks.len() < ASKS_MAX {
        assert!(Instant::now() < deadline);
        std::thread::yield_now();
    }
    assert_eq!(admin.ask("POST", "/v1/reload", JSON).0[9..12], *"409");
    drop(asking);
}

#[test]
fn a_purge_is_told_to_the_cache_and_what_went_to_whoever_asked() {
    let admin = Admin::start(ROOMY);
    let post = |content: &str| {
        let fields = format!("{JSON}Content-Length: {}\r\n\r\n{content}", content.len());
        let (head, content) = admin.ask("POST", "/v1/purge", &fields);
        (head[9..12].parse::<u16>().unwrap(), serde_json::from_str::<serde_json::Value>(&content).unwrap())
    };
    let (status, content) = post("{\"all\": true}");
    assert_eq!((status, &content["error"]), (503, &"there is no cache".into()));
    admin.state.set_purger(Box::new(|purge: &Purge| match purge.cache.as_deref() {
        None => Purged::Done { caches: vec!["pages".into()], generation: 7, objects: Some(purge.what.len() as u64) },
        Some("broken") => Purged::Failed("the disk is full".into()),
        Some(_) => Purged::NoSuchCache,
    }));
    let (status, content) = post("{\"url\": \"a/x\", \"tag\": \"t\", \"soft\": true}");
    let purged = serde_json::json!([{ "tag": "t" }, { "url": "http://a/x" }, { "url": "https://a/x" }]);
    assert_eq!((status, &content["purged"], &content["soft"]), (200, &purged, &true.into()), "{content}");
    assert_eq!((&content["generation"], &content["objects"]), (&7.into(), &3.into()));
    assert_eq!(content["caches"], serde_json::json!(["pages"]));
    let (status, content) = post("{\"all\": true, \"cache\": \"other\"}");
    assert_eq!((status, &content["error"]), (404, &"there is no cache \"other\"".into()));
    assert_eq!(post("{\"all\": true, \"cache\": \"broken\"}").0, 500);
    assert_eq!(post("{\"url\": \"\"}").0, 400);
    assert_eq!(admin.status("GET", "/v1/purge"), 405);
    assert_eq!(admin.status("POST", "/v1/purge"), 403);
}

#[tokio::test]
async fn a_purge_that_is_too_long_is_refused_unread() {
    let (asker, _) = mpsc::channel(ASKS_MAX);
    let state = AdminState::new(Metrics::new(NonZeroUsize::MIN), asker);
    let content = http_body_util::Full::new(hyper::body::Bytes::from(vec![b' '; PURGE_BYTES_MAX + 1]));
    let request = http::Request::post("/v1/purge").header("content-type", "application/json").body(content).unwrap();
    assert_eq!(super::answer::answer(request, &state, super::gate::Peer::Near).await.status(), 413);
}

#[test]
fn the_keys_that_cost_most_are_shown_in_their_order() {
    use crate::cache::top::{By, Top};
    let admin = Admin::start(ROOMY);
    assert_eq!(admin.status("GET", "/v1/cache/top"), 503);
    let top = Top::default();
    top.note(b"http://a/", 10);
    top.note(b"http://a/", 10);
    top.note(b"http://b/", 1_000);
    admin.state.set_topper(Box::new(move |ask: &TopAsk| match ask.cache.as_deref() {
        None | Some("pages") => Some(top.top(ask.by, ask.n)),
        Some(_) => None,
    }));
    let (head, content) = admin.ask("GET", "/v1/cache/top?by=bytes&n=1", "");
    let content: serde_json::Value = serde_json::from_str(&content).unwrap();
    let key = serde_json::json!({ "key": "http://b/", "count": 1, "bytes": 1_000, "error": 0 });
    assert!(head.starts_with("HTTP/1.1 200") && content["by"] == By::Bytes.name(), "{head}");
    assert_eq!(content["keys"], serde_json::json!([key]));
    assert!(admin.ask("GET", "/v1/cache/top?cache=pages", "").1.contains("http://a/"));
    assert_eq!(admin.status("GET", "/v1/cache/top?cache=other"), 404);
    assert_eq!(admin.status("GET", "/v1/cache/top?by=hits"), 400);
    assert_eq!(admin.status("POST", "/v1/cache/top"), 405);
}
