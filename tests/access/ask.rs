use super::basic::{USERS, credentials};
use super::support::{Gate, Origin, Weir};

const ASKED: &str = r#"
[pool.app]
backends = ["{origin}"]
[pool.auth]
backends = ["{auth}"]
[access.sso]
ask = { pool = "auth", path = "/check?x=1", timeout = "2s", fields = ["x-groups", "authorization"], user = "x-user" }
[[route]]
pool = "app"
access = "sso"
"#;

fn serve(origin: &Origin, auth: &Origin, text: &str) -> Weir {
    Weir::start_in(super::with(&[("users", USERS)]), text, &[("origin", &origin.address()), ("auth", &auth.address())])
}

fn sso() -> (Origin, Origin, Weir) {
    let (origin, auth) = (Origin::start(), Origin::start());
    let weir = serve(&origin, &auth, ASKED);
    (origin, auth, weir)
}

#[test]
fn the_backend_is_asked_with_what_the_client_sent_and_without_its_content() {
    let (origin, auth, weir) = sso();
    auth.replies(200)
        .field("X-User", "ann")
        .field("X-Groups", "a")
        .field("X-Groups", "b")
        .field("X-Other", "c")
        .body("hello");
    let mut client = weir.client();
    client
        .post("/a/b?c=%2F", "content")
        .field("Cookie", "session=1")
        .field("Authorization", "Bearer client")
        .field("X-Forwarded-Uri", "/forged")
        .field("X-Forwarded-Method", "FORGED")
        .field("X_Forwarded_Uri", "/forged")
        .field("X-Original-URL", "/forged")
        .field("X-User", "root")
        .field("x_groups", "root")
        .field("If-None-Match", "*")
        .field("Range", "bytes=0-0")
        .sees(200)
        .body("ok");
    let asked = auth.request(0);
    assert_eq!((asked.line.as_str(), asked.body.len()), ("GET /check?x=1 HTTP/1.1", 0));
    asked
        .field("host", "test.example")
        .field("cookie", "session=1")
        .field("authorization", "Bearer client")
        .field("x-forwarded-method", "POST")
        .field("x-forwarded-uri", "/a/b?c=%2F")
        .field("x-forwarded-host", "test.example")
        .field("x-forwarded-proto", "http")
        .field("x-forwarded-for", "127.0.0.1");
    for name in [
        "content-length",
        "transfer-encoding",
        "if-none-match",
        "range",
        "x-original-url",
        "x_forwarded_uri",
        "x-user",
        "x_groups",
    ] {
        asked.lacks(name);
    }
    let passed = origin.request(0);
    assert_eq!(passed.body, b"content");
    passed
        .field("x-user", "ann")
        .field("cookie", "session=1")
        .field("range", "bytes=0-0")
        .lacks("x_groups")
        .lacks("x-other");
    let groups: Vec<_> = passed
        .fields
        .0
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case("x-groups"))
        .map(|(_, value)| value.as_str())
        .collect();
    assert_eq!(groups, ["a", "b"]);
    // The answer has none, so the request has none, whatever the client sent.
    passed.lacks("authorization");
    assert_eq!(passed.value("x-request-id"), asked.value("x-request-id"));
}

#[test]
fn a_field_of_the_answer_takes_the_place_of_the_client_s() {
    let (origin, auth, weir) = sso();
    auth.replies(204).field("Authorization", "Bearer inner");
    weir.client().get("/").field("Authorization", "Bearer outer").sees(200);
    auth.request(0).field("authorization", "Bearer outer");
    origin.last().field("authorization", "Bearer inner").lacks("x-user");
}

#[test]
fn its_refusal_is_what_the_client_gets() {
    let (origin, auth, weir) = sso();
    let mut client = weir.client();
    auth.replies(401)
        .field("WWW-Authenticate", "Custom a=\"b\"")
        .field("Set-Cookie", "s=1")
        .field("Set-Cookie", "t=2")
        .body("log in");
    let response = client
        .get("/")
        .sees(401)
        .field("www-authenticate", "Custom a=\"b\"")
        .field("cache-control", "no-store")
        .body("log in");
    assert_eq!(response.fields.0.iter().filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie")).count(), 2);
    auth.replies(302).field("Location", "https://login.example/?rd=x").field("Cache-Control", "no-cache");
    client.get("/").sees(302).field("location", "https://login.example/?rd=x").field("cache-control", "no-cache");
    auth.replies(403).field("Content-Type", "text/html").body("<p>no");
    weir.client().post("/", "content").sees(403).field("content-type", "text/html").body("<p>no");
    auth.replies(429).field("Retry-After", "7");
    client.get("/").sees(429).field("retry-after", "7");
    auth.replies(403).body("no");
    client.ask("HEAD", "/").sees(403).field("content-length", "2").body("");
    origin.saw(0);
    weir.counts("weir_access_total{access=\"sso\",verdict=\"denied\"}", 5.0);
    weir.counts("weir_refusals_total{reason=\"access\"}", 5.0);
    weir.counts("weir_pool_exchanges_total{pool=\"auth\",status=\"4xx\"}", 4.0);
}

#[test]
fn whatever_is_no_answer_lets_nobody_in() {
    let (origin, auth, weir) = sso();
    let mut client = weir.client();
    let refused = |client: &mut super::support::Client| {
        client.get("/").sees(503).field("retry-after", "1").lacks("set-cookie").lacks("location");
    };
    for status in [500, 502, 503, 400, 404, 405, 301, 304, 308, 418] {
        auth.replies(status).field("Set-Cookie", "s=1").field("Location", "/x").field("X-User", "root");
        refused(&mut client);
    }
    // 101 to who asked for no upgrade, broken answers, and content that is too long to be an answer.
    for bytes in [
        "HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX-User: root\r\nContent-Length: 50\r\n\r\nshort",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "nonsense\r\n\r\n",
    ] {
        auth.says(bytes).closes();
        refused(&mut client);
    }
    auth.replies(200).field("X-User", "root").body(&"x".repeat(100_000));
    refused(&mut client);
    auth.replies(403).body(&"x".repeat(100_000));
    refused(&mut client);
    auth.replies(200).field("X-Groups", &"x".repeat(20_000));
    refused(&mut client);
    origin.saw(0);
    weir.counts("weir_access_total{access=\"sso\",verdict=\"failed\"}", 18.0);
    weir.counts("weir_refusals_total{reason=\"access_unknown\"}", 18.0);
    client.get("/").sees(200);
}

#[test]
fn silence_ends_at_the_timeout_and_an_empty_pool_at_once() {
    let (origin, auth) = (Origin::start(), Origin::start());
    let weir = serve(&origin, &auth, &ASKED.replace("\"2s\"", "\"200ms\""));
    let gate = Gate::new();
    auth.says("").after(&gate).then("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    weir.client().get("/").sees(503);
    gate.open();
    // A head that comes in time does not make up for content that does not.
    let gate = Gate::new();
    auth.says("HTTP/1.1 200 OK\r\nX-User: ann\r\nContent-Length: 2\r\n\r\no").after(&gate).then("k");
    weir.client().get("/").sees(503);
    gate.open();
    origin.saw(0);
    let gone = super::support::free_port().to_string();
    let weir = Weir::start(ASKED, &[("origin", &origin.address()), ("auth", &format!("127.0.0.1:{gone}"))]);
    weir.client().get("/").sees(503);
    origin.saw(0);
}

#[test]
fn another_backend_is_asked_where_one_fails() {
    let (origin, auth) = (Origin::start(), Origin::start());
    let gone = format!("127.0.0.1:{}", super::support::free_port());
    let text = ASKED.replace("[\"{auth}\"]", "[\"{gone}\", \"{auth}\"]\noutlier = \"off\"");
    let weir = Weir::start(&text, &[("origin", &origin.address()), ("auth", &auth.address()), ("gone", &gone)]);
    let mut client = weir.client();
    for _ in 0..6 {
        client.get("/").sees(200);
    }
    auth.saw(6);
    origin.saw(6);
}

#[test]
fn it_is_asked_after_the_password_and_with_the_name() {
    let (origin, auth) = (Origin::start(), Origin::start());
    let text = ASKED
        .replace(
            "[access.sso]",
            "[access.sso]\nbasic = { file = \"users\", user = \"x-name\" }\ndeny = [\"10.0.0.0/8\"]",
        )
        .replace("path = \"/check?x=1\"", "path = \"/check\", host = \"auth.example\"");
    let weir = serve(&origin, &auth, &text);
    let mut client = weir.client();
    client.get("/").sees(401).field("www-authenticate", "Basic realm=\"sso\", charset=\"UTF-8\"");
    client.get("/").field("Authorization", &credentials("ann:wrong")).sees(401);
    auth.saw(0);
    client.get("/").field("Authorization", &credentials("ann:secret")).sees(200);
    auth.request(0)
        .field("x-name", "ann")
        .field("host", "auth.example")
        .field("x-forwarded-host", "test.example")
        .lacks("authorization");
    origin.last().field("x-name", "ann").field("host", "test.example");
}

#[test]
fn the_route_s_own_edits_and_rewrites_are_none_of_the_question_s() {
    let (origin, auth) = (Origin::start(), Origin::start());
    let text = format!(
        "{ASKED}rewrite = {{ prefix = \"/v1\" }}\nrequest = {{ set = {{ \"x-set\" = \"1\", host = \"inner.example\" }} }}\n\
         response = {{ remove = [\"x-user\"], set = {{ \"x-shown\" = \"1\" }} }}\n"
    );
    let weir = serve(&origin, &auth, &text);
    auth.replies(200).field("X-User", "ann");
    weir.client().get("/a").sees(200).field("x-shown", "1");
    let asked = auth.request(0);
    assert_eq!(asked.line, "GET /check?x=1 HTTP/1.1");
    asked.field("x-forwarded-uri", "/a").field("host", "test.example").lacks("x-set");
    let passed = origin.last();
    assert_eq!(passed.line, "GET /v1/a HTTP/1.1");
    passed.field("x-user", "ann").field("host", "inner.example");
    // What is denied is the route's response like any other.
    auth.replies(403).field("X-User", "ann");
    weir.client().get("/a").sees(403).field("x-shown", "1").lacks("x-user");
}

#[test]
fn a_circle_of_questions_ends() {
    let origin = Origin::start();
    let port = super::support::free_port().to_string();
    let auth = format!("127.0.0.1:{port}");
    let weir = Weir::start(ASKED, &[("origin", &origin.address()), ("auth", &auth), ("port", &port)]);
    weir.client().get("/").sees(503);
    origin.saw(0);
}

#[test]
fn a_path_that_is_read_in_two_ways_is_not_asked_about() {
    let (origin, auth, weir) = sso();
    let mut client = weir.client();
    for path in ["/a//../b", "/a/..;/b", "/a%00"] {
        client.get(path).sees(400);
    }
    auth.saw(0);
    origin.saw(0);
}
