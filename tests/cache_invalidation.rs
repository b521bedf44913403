//! What writes and operators take out of the cache, and who counts as an operator.

#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]

mod support;

use support::{Origin, Weir};

const PROXIED: &str = "[[listener]]\naddress = \"127.0.0.1:{port}\"\ntrust_forwarded = [\"127.0.0.0/8\"]\n";

fn fresh(origin: &Origin, body: &str) {
    origin.replies(200).field("Cache-Control", "max-age=60").body(body);
}

#[test]
fn a_client_behind_a_proxy_that_may_purge_may_not() {
    let origin = Origin::start();
    let text = format!(
        "{PROXIED}[cache.pages]\nmemory = \"64MiB\"\npurge = [\"127.0.0.0/8\", \"10.0.0.0/8\"]\ndebug = [\"127.0.0.0/8\", \"10.0.0.0/8\"]\n\
         [[route]]\npool = \"app\"\ncache = \"pages\"\n"
    );
    let weir = Weir::before(&origin, &text);
    let mut client = weir.client();
    fresh(&origin, "a");
    client.get("/x").sees(200);
    for (who, is_ours) in
        [("9.9.9.9", false), ("10.1.1.1", true), ("9.9.9.9, 10.1.1.1", true), ("10.1.1.1, 9.9.9.9", false)]
    {
        fresh(&origin, "a");
        let seen = client.get("/x").field("X-Forwarded-For", who).sees(200);
        assert_eq!(seen.value("cache-status").contains("key="), is_ours, "{who}: {seen:?}");
        let purge = client.ask("PURGE", "/x").field("X-Forwarded-For", who).gets().unwrap();
        assert_eq!(purge.status, if is_ours { 200 } else { 405 }, "{who}");
    }
}
