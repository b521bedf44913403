use std::io::{self, Write};
use std::net::SocketAddr;

/// Says what to try, and how to stop.
pub(super) fn print(listen: SocketAddr, admin: SocketAddr, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "Weir serves conf/demo.toml on http://{listen}/ in front of three backends: one, two, three.\n")?;
    writeln!(out, "Try, in another terminal:")?;
    for (what, before, path) in LINES {
        writeln!(out, "\n  # {what}\n  curl -s {before}'http://{listen}{path}'")?;
    }
    writeln!(out, "\n  # what was counted, by route, pool and backend\n  curl -s 'http://{admin}/metrics'")?;
    writeln!(out, "\nCtrl-C stops it. Below: the access log, one line a request.\n")?;
    out.flush()
}

/// What it shows, what stands before the URL, and the path.
const LINES: &[(&str, &str, &str)] = &[
    ("balancing: again and again; three answers half of them", "", "/json"),
    ("the same for a browser", "", "/"),
    ("canary: one in four goes to three", "", "/canary/json"),
    ("canary: always, if asked for", "-H 'x-canary: yes' ", "/canary/json"),
    ("a read goes to two or three", "", "/data/json"),
    (
        "a write goes to one; the cookie in the answer sends this client's reads there too, for 5 s",
        "-i -d 'a=1' ",
        "/data/json",
    ),
    ("failover: one of two backends is dead, and nobody notices", "", "/failover/json"),
    ("a cookie that keeps a client with its backend: send it back with -H 'cookie: ...'", "-i ", "/sticky/json"),
    ("caching: takes 2 s to make; ask again within a minute, and see Age and Cache-Status", "-i ", "/report"),
    ("a redirect, and where it leads", "-L ", "/old/page"),
    ("a fixed response", "", "/hello"),
    ("a limit: the fourth in a row is refused with 429, which says when to come back", "-i ", "/limited"),
    (
        "an error page, by Accept: HTML, JSON or plain text; nobody listens behind this one",
        "-H 'accept: application/json' ",
        "/gone",
    ),
    ("maintenance: 503 with Retry-After", "-i ", "/closed"),
    ("the fields that a backend gets", "", "/headers"),
    ("content that streams to the backend and back", "-d 'hello' ", "/echo"),
    ("any status", "-i ", "/status/418"),
    ("an answer that takes 2 s", "", "/slow"),
    ("server-sent events, one a second", "-N ", "/sse"),
];
