//! Poisoning and deception: one client plants, another harvests, and nothing that only the first one sent may show.
//!
//! The backend reflects all that it sees into an answer that may be stored, so whatever reaches it without being part of the
//! key shows up in what the second client gets. Fields that a proxy cannot know (any `X-Whatever` that a backend makes
//! something of without `Vary`, `Cookie` among them) are the operator's: the rows that are `Seen` state it. So does content
//! that the backend codes by Accept-Encoding without saying so in `Vary`.

#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]

mod support;

use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;
use support::{Fields, Framing, Origin, Weir, Wire};

/// What the second client may get of the first one's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Unseen,
    /// It reaches the second client: nobody but the backend can tell that it matters.
    Seen,
}
use Fate::{Seen, Unseen};

const ROUTES: &str = "[cache.pages]\nmemory = \"64MiB\"\n\
    [[route]]\nhost = \"trimmed.example\"\npool = \"app\"\ncache = \"trimmed\"\n\
    [cache.trimmed]\nmemory = \"16MiB\"\nkey = { ignore_query = [\"utm_*\"] }\n\
    [[route]]\npool = \"app\"\ncache = \"pages\"\n";

/// What marks all that the first client alone sends.
const MARK: &str = "EVIL";

/// The first client's request, the second one's: `{p}` is a path of their own for each row.
const POISONING: &[(&str, &str, &str, Fate)] = &[
    // Where the client was, or came to: Weir says it, not the client.
    ("forwarded host", "GET {p} HTTP/1.1\r\nHost: a.example\r\nX-Forwarded-Host: EVIL\r\n\r\n", PLAIN, Unseen),
    ("forwarded proto", "GET {p} HTTP/1.1\r\nHost: a.example\r\nX-Forwarded-Proto: EVIL\r\n\r\n", PLAIN, Unseen),
    ("forwarded port", "GET {p} HTTP/1.1\r\nHost: a.example\r\nX-Forwarded-Port: EVIL\r\n\r\n", PLAIN, Unseen),
    ("forwarded for", "GET {p} HTTP/1.1\r\nHost: a.example\r\nX-Forwarded-For: EVIL\r\n\r\n", PLAIN, Unseen),
    (
        "forwarded",
        "GET {p} HTTP/1.1\r\nHost: a.example\r\nForwarded: for=EVIL;host=EVIL;proto=EVIL\r\n\r\n",
        PLAIN,
        Unseen,
    ),
    ("forwarded prefix", "GET {p} HTTP/1.1\r\nHost: a.example\r\nX-Forwarded-Prefix: /EVIL\r\n\r\n", PLAIN, Unseen),
    ("forwarded in disguise", "GET {p} HTTP/1.1\r\nHost: a.example\r\nX_Forwarded_Host: EVIL\r\n\r\n", PLAIN, Unseen),
    ("forwarded scheme", "GET {p} HTTP/1.1\r\nHost: a.example\r\nX-Forwarded-Scheme: EVIL\r\n\r\n", PLAIN, Unseen),
    ("forwarded ssl", "GET {p} HTTP/1.1\r\nHost: a.example\r\nX_Forwarded_Ssl: EVIL\r\n\r\n", PLAIN, Unseen),
    ("forwarded server", "GET {p} HTTP/1.1\r\nHost: a.example\r\nX-Forwarded-Server: EVIL\r\n\r\n", PLAIN, Unseen),
    ("request id", "GET {p} HTTP/1.1\r\nHost: a.example\r\nX-Request-Id: EVIL\r\n\r\n", PLAIN, Unseen),
    ("client subject", "GET {p} HTTP/1.1\r\nHost: a.example\r\nX-Client-Subject: EVIL\r\n\r\n", PLAIN, Unseen),
    (
        "client subject in disguise",
        "GET {p} HTTP/1.1\r\nHost: a.example\r\nX_Client_Subject: EVIL\r\n\r\n",
        PLAIN,
        Unseen,
    ),
    // Another target or method than the one that is the key.
    ("original url", "GET {p} HTTP/1.1\r\nHost: a.example\r\nX-Original-URL: /EVIL\r\n\r\n", PLAIN, Unseen),
    ("rewrite url", "GET {p} HTTP/1.1\r\nHost: a.example\r\nX-Rewrite-URL: /EVIL\r\n\r\n", PLAIN, Unseen),
    ("method override", "GET {p} HTTP/1.1\r\nHost: a.example\r\nX-HTTP-Method-Override: EVIL\r\n\r\n", PLAIN, Unseen),
    ("method", "GET {p} HTTP/1.1\r\nHost: a.example\r\nX-HTTP-Method: EVIL\r\n\r\n", PLAIN, Unseen),
    (
        "method override, other name",
        "GET {p} HTTP/1.1\r\nHost: a.example\r\nX-Method-Override: EVIL\r\n\r\n",
        PLAIN,
        Unseen,
    ),
    (
        "method override in disguise",
        "GET {p} HTTP/1.1\r\nHost: a.example\r\nX_HTTP_Method_Override: EVIL\r\n\r\n",
        PLAIN,
        Unseen,
    ),
    ("rewrite url in disguise", "GET {p} HTTP/1.1\r\nHost: a.example\r\nX_Rewrite-URL: /EVIL\r\n\r\n", PLAIN, Unseen),
    ("another field for the host", "GET {p} HTTP/1.1\r\nHost: a.example\r\nX-Host: EVIL\r\n\r\n", PLAIN, Unseen),
    ("post", "POST {p} HTTP/1.1\r\nHost: a.example\r\nContent-Length: 4\r\n\r\nEVIL", PLAIN, Unseen),
    // Content in a GET.
    ("fat get", "GET {p} HTTP/1.1\r\nHost: a.example\r\nContent-Length: 4\r\n\r\nEVIL", PLAIN, Unseen),
    (
        "fat get in chunks",
        "GET {p} HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nEVIL\r\n0\r\n\r\n",
        PLAIN,
        Unseen,
    ),
    (
        "fat get as a form",
        "GET {p}?a=1 HTTP/1.1\r\nHost: a.example\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 6\r\n\r\na=EVIL",
        "GET {p}?a=1 HTTP/1.1\r\nHost: a.example\r\n\r\n",
        Unseen,
    ),
    // Query.
    ("query", "GET {p}?EVIL HTTP/1.1\r\nHost: a.example\r\n\r\n", PLAIN, Unseen),
    (
        "ignored parameter that is reflected",
        "GET {p}?a=1&utm_x=EVIL HTTP/1.1\r\nHost: trimmed.example\r\n\r\n",
        TRIMMED,
        Unseen,
    ),
    (
        "cloaking in an ignored parameter",
        "GET {p}?a=1&utm_x=1;a=EVIL HTTP/1.1\r\nHost: trimmed.example\r\n\r\n",
        TRIMMED,
        Unseen,
    ),
    ("cloaking before", "GET {p}?utm_x=1;a=EVIL&a=1 HTTP/1.1\r\nHost: trimmed.example\r\n\r\n", TRIMMED, Unseen),
    (
        "cloaking by an encoded name",
        "GET {p}?a=1&%75tm_x=EVIL HTTP/1.1\r\nHost: trimmed.example\r\n\r\n",
        TRIMMED,
        Unseen,
    ),
    (
        "cloaking by a second question mark",
        "GET {p}?a=1?utm_x=EVIL HTTP/1.1\r\nHost: trimmed.example\r\n\r\n",
        TRIMMED,
        Unseen,
    ),
    ("cloaking by case", "GET {p}?a=1&UTM_X=EVIL HTTP/1.1\r\nHost: trimmed.example\r\n\r\n", TRIMMED, Unseen),
    ("repeated parameter", "GET {p}?a=1&a=EVIL HTTP/1.1\r\nHost: trimmed.example\r\n\r\n", TRIMMED, Unseen),
    ("fragment", "GET {p}#EVIL HTTP/1.1\r\nHost: a.example\r\n\r\n", PLAIN, Unseen),
    // Host.
    ("host with another port", "GET {p} HTTP/1.1\r\nHost: a.example:666\r\nX-Mark: EVIL\r\n\r\n", PLAIN, Unseen),
    ("host with a port that is none", "GET {p} HTTP/1.1\r\nHost: a.example:EVIL\r\n\r\n", PLAIN, Unseen),
    ("host with userinfo", "GET {p} HTTP/1.1\r\nHost: EVIL@a.example\r\n\r\n", PLAIN, Unseen),
    ("absolute form of another host", "GET http://EVIL.example{p} HTTP/1.1\r\nHost: a.example\r\n\r\n", PLAIN, Unseen),
    (
        "absolute form with another Host",
        "GET http://a.example{p} HTTP/1.1\r\nHost: EVIL.example\r\n\r\n",
        PLAIN,
        Unseen,
    ),
    (
        "absolute form of another scheme",
        "GET https://a.example{p} HTTP/1.1\r\nHost: a.example\r\nX-Mark: EVIL\r\n\r\n",
        PLAIN,
        Unseen,
    ),
    ("two hosts", "GET {p} HTTP/1.1\r\nHost: a.example\r\nHost: EVIL\r\n\r\n", PLAIN, Unseen),
    ("two hosts, the other way", "GET {p} HTTP/1.1\r\nHost: EVIL\r\nHost: a.example\r\n\r\n", PLAIN, Unseen),
    ("host on a folded line", "GET {p} HTTP/1.1\r\nHost: a.example\r\n EVIL\r\n\r\n", PLAIN, Unseen),
    ("white space before Host's colon", "GET {p} HTTP/1.1\r\nHost : EVIL\r\nHost: a.example\r\n\r\n", PLAIN, Unseen),
    ("HTTP/1.0 without host", "GET {p} HTTP/1.0\r\nX-Mark: EVIL\r\n\r\n", PLAIN, Unseen),
    ("HTTP/1.0 with absolute form", "GET http://EVIL{p} HTTP/1.0\r\n\r\n", PLAIN, Unseen),
    // Paths that are read in more than one way are different keys.
    (
        "encoded character",
        "GET {p}/%7e HTTP/1.1\r\nHost: a.example\r\nX-Mark: EVIL\r\n\r\n",
        "GET {p}/~ HTTP/1.1\r\nHost: a.example\r\n\r\n",
        Unseen,
    ),
    (
        "case of encoding",
        "GET {p}/%2F HTTP/1.1\r\nHost: a.example\r\nX-Mark: EVIL\r\n\r\n",
        "GET {p}/%2f HTTP/1.1\r\nHost: a.example\r\n\r\n",
        Unseen,
    ),
    (
        "encoded slash",
        "GET {p}%2fx HTTP/1.1\r\nHost: a.example\r\nX-Mark: EVIL\r\n\r\n",
        "GET {p}/x HTTP/1.1\r\nHost: a.example\r\n\r\n",
        Unseen,
    ),
    (
        "two slashes",
        "GET {p}//x HTTP/1.1\r\nHost: a.example\r\nX-Mark: EVIL\r\n\r\n",
        "GET {p}/x HTTP/1.1\r\nHost: a.example\r\n\r\n",
        Unseen,
    ),
    (
        "dot",
        "GET {p}/./x HTTP/1.1\r\nHost: a.example\r\nX-Mark: EVIL\r\n\r\n",
        "GET {p}/x HTTP/1.1\r\nHost: a.example\r\n\r\n",
        Unseen,
    ),
    (
        "two dots",
        "GET {p}/y/../x HTTP/1.1\r\nHost: a.example\r\nX-Mark: EVIL\r\n\r\n",
        "GET {p}/x HTTP/1.1\r\nHost: a.example\r\n\r\n",
        Unseen,
    ),
    (
        "two dots after a semicolon",
        "GET {p}/y/..;/x HTTP/1.1\r\nHost: a.example\r\nX-Mark: EVIL\r\n\r\n",
        "GET {p}/x HTTP/1.1\r\nHost: a.example\r\n\r\n",
        Unseen,
    ),
    (
        "path parameter",
        "GET {p}/x;EVIL HTTP/1.1\r\nHost: a.example\r\n\r\n",
        "GET {p}/x HTTP/1.1\r\nHost: a.example\r\n\r\n",
        Unseen,
    ),
    (
        "encoded question mark",
        "GET {p}%3fx HTTP/1.1\r\nHost: a.example\r\nX-Mark: EVIL\r\n\r\n",
        "GET {p}?x HTTP/1.1\r\nHost: a.example\r\n\r\n",
        Unseen,
    ),
    (
        "backslash",
        "GET {p}\\x HTTP/1.1\r\nHost: a.example\r\nX-Mark: EVIL\r\n\r\n",
        "GET {p}/x HTTP/1.1\r\nHost: a.example\r\n\r\n",
        Unseen,
    ),
    ("trailing slash", "GET {p}/ HTTP/1.1\r\nHost: a.example\r\nX-Mark: EVIL\r\n\r\n", PLAIN, Unseen),
    (
        "case of path",
        "GET {p}/X HTTP/1.1\r\nHost: a.example\r\nX-Mark: EVIL\r\n\r\n",
        "GET {p}/x HTTP/1.1\r\nHost: a.example\r\n\r\n",
        Unseen,
    ),
    // Errors that only the first request deserves. The backend refuses fields of 4,000 bytes and more.
    (
        "oversized field",
        "GET {p}/denial HTTP/1.1\r\nHost: a.example\r\nX-Long: EVIL{long}\r\n\r\n",
        "GET {p}/denial HTTP/1.1\r\nHost: a.example\r\n\r\n",
        Unseen,
    ),
    (
        "meta character",
        "GET {p}/denial HTTP/1.1\r\nHost: a.example\r\nX-Meta: EVIL\x07\r\n\r\n",
        "GET {p}/denial HTTP/1.1\r\nHost: a.example\r\n\r\n",
        Unseen,
    ),
    (
        "meta character that is legal",
        "GET {p}/denial HTTP/1.1\r\nHost: a.example\r\nX-Refused: EVIL\r\n\r\n",
        "GET {p}/denial HTTP/1.1\r\nHost: a.example\r\n\r\n",
        Unseen,
    ),
    (
        "range on an error page",
        "GET {p}/range400 HTTP/1.1\r\nHost: a.example\r\nRange: bytes=EVIL\r\n\r\n",
        "GET {p}/range400 HTTP/1.1\r\nHost: a.example\r\n\r\n",
        Unseen,
    ),
    (
        "range not satisfied, kept by the backend's word",
        "GET {p}/range416 HTTP/1.1\r\nHost: a.example\r\nRange: bytes=99999-\r\nX-Mark: EVIL\r\n\r\n",
        "GET {p}/range416 HTTP/1.1\r\nHost: a.example\r\n\r\n",
        Unseen,
    ),
    (
        "condition that fails at the backend",
        "GET {p}/conditions HTTP/1.1\r\nHost: a.example\r\nIf-Match: \"EVIL\"\r\n\r\n",
        "GET {p}/conditions HTTP/1.1\r\nHost: a.example\r\n\r\n",
        Unseen,
    ),
    ("expectation", "GET {p} HTTP/1.1\r\nHost: a.example\r\nExpect: EVIL\r\n\r\n", PLAIN, Unseen),
    ("upgrade", "GET {p} HTTP/1.1\r\nHost: a.example\r\nConnection: upgrade\r\nUpgrade: EVIL\r\n\r\n", PLAIN, Unseen),
    (
        "transfer coding that is unknown",
        "GET {p} HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: EVIL\r\n\r\n",
        PLAIN,
        Unseen,
    ),
    ("hop-by-hop", "GET {p} HTTP/1.1\r\nHost: a.example\r\nConnection: X-Hop\r\nX-Hop: EVIL\r\n\r\n", PLAIN, Unseen),
    // Fields by which the backend says that it chooses.
    (
        "reflected Origin",
        "GET {p}/origin HTTP/1.1\r\nHost: a.example\r\nOrigin: https://EVIL\r\n\r\n",
        "GET {p}/origin HTTP/1.1\r\nHost: a.example\r\nOrigin: https://a.example\r\n\r\n",
        Unseen,
    ),
    (
        "reflected Origin, none wanted",
        "GET {p}/origin HTTP/1.1\r\nHost: a.example\r\nOrigin: https://EVIL\r\n\r\n",
        "GET {p}/origin HTTP/1.1\r\nHost: a.example\r\n\r\n",
        Unseen,
    ),
    (
        "a selecting field that is taken away on the way",
        "GET {p}/device HTTP/1.1\r\nHost: a.example\r\nX-Device: phone\r\nConnection: X-Device\r\nCookie: EVIL\r\n\r\n",
        "GET {p}/device HTTP/1.1\r\nHost: a.example\r\nX-Device: phone\r\n\r\n",
        Unseen,
    ),
    (
        "quality of a coding",
        "GET {p}/coding HTTP/1.1\r\nHost: a.example\r\nAccept-Encoding: gzip;q=1, EVIL\r\n\r\n",
        "GET {p}/coding HTTP/1.1\r\nHost: a.example\r\nAccept-Encoding: gzip\r\n\r\n",
        Unseen,
    ),
    ("coding that is unknown", "GET {p} HTTP/1.1\r\nHost: a.example\r\nAccept-Encoding: EVIL\r\n\r\n", PLAIN, Unseen),
    (
        "Vary on nothing that others send",
        "GET {p}/vary HTTP/1.1\r\nHost: a.example\r\nX-Mark: EVIL\r\n\r\n",
        "GET {p}/vary HTTP/1.1\r\nHost: a.example\r\n\r\n",
        Unseen,
    ),
    // The operator's.
    (
        "any field that the backend makes something of",
        "GET {p} HTTP/1.1\r\nHost: a.example\r\nX-Whatever: EVIL\r\n\r\n",
        PLAIN,
        Seen,
    ),
    ("cookie", "GET {p} HTTP/1.1\r\nHost: a.example\r\nCookie: session=EVIL\r\n\r\n", PLAIN, Seen),
    ("language", "GET {p} HTTP/1.1\r\nHost: a.example\r\nAccept-Language: EVIL\r\n\r\n", PLAIN, Seen),
    ("agent", "GET {p} HTTP/1.1\r\nHost: a.example\r\nUser-Agent: EVIL\r\n\r\n", PLAIN, Seen),
];

const PLAIN: &str = "GET {p} HTTP/1.1\r\nHost: a.example\r\n\r\n";
const TRIMMED: &str = "GET {p}?a=1 HTTP/1.1\r\nHost: trimmed.example\r\n\r\n";

/// A client with a session asks first; the second one tries to get what it got. The backend's account page says what the
/// last part of the path names.
const DECEPTION: &[(&str, &str, &str)] = &[
    (
        "style sheet below an account",
        "GET {p}/private/x.css HTTP/1.1\r\nHost: a.example\r\nCookie: EVIL\r\n\r\n",
        "GET {p}/private/x.css HTTP/1.1\r\nHost: a.example\r\n\r\n",
    ),
    (
        "delimiter",
        "GET {p}/private;x.css HTTP/1.1\r\nHost: a.example\r\nCookie: EVIL\r\n\r\n",
        "GET {p}/private;x.css HTTP/1.1\r\nHost: a.example\r\n\r\n",
    ),
    (
        "encoded delimiter",
        "GET {p}/private%3bx.css HTTP/1.1\r\nHost: a.example\r\nCookie: EVIL\r\n\r\n",
        "GET {p}/private%3bx.css HTTP/1.1\r\nHost: a.example\r\n\r\n",
    ),
    (
        "encoded slash",
        "GET {p}/private%2fx.css HTTP/1.1\r\nHost: a.example\r\nCookie: EVIL\r\n\r\n",
        "GET {p}/private%2fx.css HTTP/1.1\r\nHost: a.example\r\n\r\n",
    ),
    (
        "static directory left by dots",
        "GET {p}/static/..%2fprivate HTTP/1.1\r\nHost: a.example\r\nCookie: EVIL\r\n\r\n",
        "GET {p}/static/..%2fprivate HTTP/1.1\r\nHost: a.example\r\n\r\n",
    ),
    (
        "static file by query",
        "GET {p}/private?x.css HTTP/1.1\r\nHost: a.example\r\nCookie: EVIL\r\n\r\n",
        "GET {p}/private?x.css HTTP/1.1\r\nHost: a.example\r\n\r\n",
    ),
    (
        "a page that sets a cookie",
        "GET {p}/sets HTTP/1.1\r\nHost: a.example\r\nCookie: EVIL\r\n\r\n",
        "GET {p}/sets HTTP/1.1\r\nHost: a.example\r\n\r\n",
    ),
    (
        "a page that says nothing",
        "GET {p}/silent HTTP/1.1\r\nHost: a.example\r\nCookie: EVIL\r\n\r\n",
        "GET {p}/silent HTTP/1.1\r\nHost: a.example\r\n\r\n",
    ),
    ("a page for who is authorised", "GET {p} HTTP/1.1\r\nHost: a.example\r\nAuthorization: EVIL\r\n\r\n", PLAIN),
    (
        "a page that must not be stored",
        "GET {p}/private HTTP/1.1\r\nHost: a.example\r\nCookie: EVIL\r\n\r\n",
        "GET {p}/private HTTP/1.1\r\nHost: a.example\r\nCache-Control: max-stale, only-if-cached\r\n\r\n",
    ),
];

#[test]
fn nothing_that_only_one_client_sent_reaches_another() {
    let weir = reflected();
    let mut wrong = Vec::new();
    for (number, (name, attack, ask, fate)) in POISONING.iter().enumerate() {
        let path = format!("/p{number}");
        let planted = talk(&weir, &attack.replace("{p}", &path));
        let harvest = talk(&weir, &ask.replace("{p}", &path));
        let found = if harvest.contains(MARK) { Seen } else { Unseen };
        if found != *fate || !is_fine(&harvest) {
            wrong.push(format!("{name}: {found:?}, not {fate:?}:\n{planted}\n---\n{harvest}"));
        }
    }
    assert!(wrong.is_empty(), "{} poisoned:\n{}", wrong.len(), wrong.join("\n======\n"));
}

#[test]
fn nobody_gets_what_was_meant_for_one_client() {
    let weir = reflected();
    for (number, (name, meant, ask)) in DECEPTION.iter().enumerate() {
        let path = format!("/d{number}");
        let first = talk(&weir, &meant.replace("{p}", &path));
        let harvest = talk(&weir, &ask.replace("{p}", &path));
        assert!(first.contains(MARK), "{name}: {first}");
        assert!(!harvest.contains(MARK), "{name}: {harvest}");
    }
}

/// Host in another case, with its default port or a dot at its end is the same key, so that it must not show either.
#[test]
fn a_backend_sees_a_host_as_the_key_has_it() {
    let weir = reflected();
    for (number, host) in ["A.EXAMPLE", "a.example:80", "a.example.", "A.example.:80"].iter().enumerate() {
        let harvest =
            [host, &"a.example"].map(|host| talk(&weir, &format!("GET /h{number} HTTP/1.1\r\nHost: {host}\r\n\r\n")));
        assert!(harvest[1].contains("weir; hit"), "{}", harvest[1]);
        assert!(!harvest[1].contains(&format!(": {host}\n")), "{}", harvest[1]);
    }
}

/// What comes of a request that is not shared may change what is stored all the same.
#[test]
fn what_asks_about_something_stored_carries_no_more_than_the_key_has() {
    let origin = Origin::start();
    let weir = Weir::before(&origin, ROUTES);
    let mut client = weir.client();
    let reply = || origin.replies(200).field("Cache-Control", "max-age=60").field("ETag", "\"1\"");
    reply().body("a");
    client.get("/a").host("trimmed.example").sees(200).body("a");
    let asks = [("HEAD", "no-cache"), ("GET", "no-cache"), ("HEAD", "no-store"), ("GET", "no-store")];
    for (number, (method, directive)) in asks.iter().enumerate() {
        let says = "HTTP/1.1 200 Said\r\nETag: \"1\"\r\nContent-Length: 1\r\nLink: </a?utm_x=EVIL>\r\n\r\n";
        origin.says(says).then(if *method == "GET" { "a" } else { "" });
        let ask = client.ask(method, "/a?utm_x=EVIL&b").host("TRIMMED.example.:80").field("Cache-Control", directive);
        ask.field("X-Forwarded-Scheme", "EVIL").field("X_Forwarded_Ssl", "EVIL").sees(200);
        let seen = origin.request(number + 1);
        assert_eq!(seen.line, format!("{method} /a?b HTTP/1.1"));
        seen.field("host", "trimmed.example").field("x-forwarded-host", "trimmed.example");
        seen.lacks("x-forwarded-scheme").lacks("x_forwarded_ssl");
    }
    // The log has what was asked for; a write goes as it is, and what it gives is stored for its own URL alone.
    reply().field("Content-Location", "/w?utm_x=EVIL").body("EVIL");
    client.post("/w?utm_x=EVIL", "b").host("trimmed.example").sees(200);
    assert_eq!(origin.last().line, "POST /w?utm_x=EVIL HTTP/1.1");
    client.get("/w").host("trimmed.example").sees(200).body("ok");
    // In disguise, it is an override as well.
    let ask = client.get("/a").host("trimmed.example").field("X_HTTP_Method_Override", "PUT").sees(200);
    ask.field("cache-status", "weir; fwd=bypass; detail=override");
}

/// Peers that are trusted say by X-Forwarded-* how clients came; what backends make of that is for those who came that way.
#[test]
fn what_a_trusted_peer_says_of_its_client_is_part_of_the_key() {
    let text = format!("[[listener]]\naddress = \"127.0.0.1:{{port}}\"\ntrust_forwarded = [\"127.0.0.1\"]\n{ROUTES}");
    let weir = Weir::start(&text, &[("origin", &reflector())]);
    let names = ["X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port", "X-Forwarded-Scheme", "X_Forwarded_Ssl"];
    for (number, name) in names.iter().enumerate() {
        let harvest = ["EVIL", "443"].map(|value| {
            talk(&weir, &format!("GET /t{number} HTTP/1.1\r\nHost: a.example\r\n{name}: {value}\r\n\r\n"))
        });
        assert!(harvest[0].contains(MARK) && !harvest[1].contains(MARK), "{name}: {}", harvest[1]);
    }
}

/// Requests whose own fault it is that their response is not kept do not keep others from the cache.
#[test]
fn nobody_turns_the_cache_off_for_others() {
    let weir = reflected();
    for (number, field) in ["Authorization: EVIL", "Cache-Control: no-store", "Range: bytes=99999-"].iter().enumerate()
    {
        let path = format!("/o{number}/range416");
        talk(&weir, &format!("GET {path} HTTP/1.1\r\nHost: a.example\r\n{field}\r\n\r\n"));
        let answers = [0; 2].map(|_| talk(&weir, &PLAIN.replace("{p}", &path)));
        assert!(answers[0].contains("; stored") && answers[1].contains("weir; hit"), "{field}: {answers:?}");
    }
}

/// Whether an answer is one that a good request deserves.
fn is_fine(answer: &str) -> bool {
    answer.starts_with("HTTP/1.1 200 ")
}

/// All that comes back on a connection of its own; the answer to a request that is one.
fn talk(weir: &Weir, request: &str) -> String {
    let request = request.replace("{long}", &"x".repeat(5000)).replacen("\r\n", "\r\nConnection: close\r\n", 1);
    let socket = TcpStream::connect(weir.address()).unwrap();
    let mut wire = Wire::new(socket);
    wire.send(request);
    String::from_utf8_lossy(&wire.rest().unwrap_or_else(|broken| format!("{broken:?}").into_bytes())).into_owned()
}

fn reflected() -> Weir {
    Weir::start(ROUTES, &[("origin", &reflector())])
}

/// A backend that says what it was asked, and that it may be stored, unless its path has it otherwise.
fn reflector() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || reflect(stream));
        }
    });
    address.to_string()
}

fn reflect(stream: TcpStream) -> Option<()> {
    let mut wire = Wire::new(stream.try_clone().ok()?);
    loop {
        let (line, fields) = wire.head().ok()?;
        let framing = Framing::of(&fields).ok()?.unwrap_or(Framing::None);
        let content = wire.content(framing).ok()?.0;
        let mut body = format!("{line}\n");
        for (name, value) in &fields.0 {
            body += &format!("{name}: {value}\n");
        }
        body += &String::from_utf8_lossy(&content);
        let (status, says) = verdict(&line, &fields);
        let head = format!("HTTP/1.1 {status} Said\r\nContent-Length: {}\r\n{says}\r\n", body.len());
        wire.try_send(head + &body).ok().or_else(|| stream.shutdown(Shutdown::Both).ok())?;
    }
}

fn verdict(line: &str, fields: &Fields) -> (u16, &'static str) {
    let kept = "Cache-Control: max-age=60\r\n";
    let refused = fields.has("x-refused") || fields.0.iter().any(|(_, value)| value.len() > 4000);
    match line {
        _ if line.contains("/denial") && refused => (400, ""),
        _ if line.contains("/range400") && fields.has("range") => (400, ""),
        _ if line.contains("/range416") && fields.has("range") => (416, kept),
        _ if line.contains("/conditions") && fields.has("if-match") => (412, kept),
        _ if line.contains("/origin") => (200, "Cache-Control: max-age=60\r\nVary: Origin\r\n"),
        _ if line.contains("/coding") => (200, "Cache-Control: max-age=60\r\nVary: Accept-Encoding\r\n"),
        _ if line.contains("/device") => (200, "Cache-Control: max-age=60\r\nVary: X-Device\r\n"),
        _ if line.contains("/vary") => (200, "Cache-Control: max-age=60\r\nVary: X-Mark\r\n"),
        _ if line.contains("private") => (200, "Cache-Control: private, max-age=60\r\n"),
        _ if line.contains("/sets") => (200, "Cache-Control: max-age=60\r\nSet-Cookie: a=b\r\n"),
        _ if line.contains("/silent") => (200, ""),
        _ => (200, kept),
    }
}

#[test]
fn routes_that_fields_part_share_nothing_also_without_names() {
    let (one, two) = (Origin::start(), Origin::start());
    one.replies(200).field("Cache-Control", "max-age=60").body("for one");
    two.replies(200).field("Cache-Control", "max-age=60").body("for two");
    let text = "[pool.one]\nbackends = [\"{one}\"]\n[pool.two]\nbackends = [\"{two}\"]\n[cache.pages]\nmemory = \"16MiB\"\n\
                [[route]]\nfield = { \"x-who\" = \"1\" }\npool = \"one\"\ncache = \"pages\"\n\
                [[route]]\nfield = { \"x-who\" = \"2\" }\npool = \"two\"\ncache = \"pages\"\n";
    let weir = Weir::start(text, &[("one", &one.address()), ("two", &two.address())]);
    let mut client = weir.client();
    for _ in 0..2 {
        client.get("/x").field("X-Who", "1").sees(200).body("for one");
        client.get("/x").field("X-Who", "2").sees(200).body("for two");
    }
    one.saw(1);
    two.saw(1);
}
