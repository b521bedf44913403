//! No-Vary-Search: what a response says of its query holds for that response, and for no other that comes under the same path.

#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]

mod support;

use support::{Gate, Origin, Weir};

fn caching(origin: &Origin) -> Weir {
    Weir::before(origin, "[cache.pages]\nmemory = \"64MiB\"\n[[route]]\npool = \"app\"\ncache = \"pages\"\n")
}

/// `/p` has a rule by which these make no difference, and nothing of it is fresh.
fn with_rule(origin: &Origin, weir: &Weir, rule: &str) {
    let reply = origin.replies(200).field("Cache-Control", "max-age=0").field("ETag", "\"0\"");
    reply.field("No-Vary-Search", rule).body("none");
    weir.client().get("/p?x=1").sees(200).body("none");
}

#[test]
fn what_says_nothing_is_stored_for_its_own_query_alone() {
    let origin = Origin::start();
    let weir = caching(&origin);
    with_rule(&origin, &weir, "params");
    for body in ["seven", "plain"] {
        origin.replies(200).field("Cache-Control", "max-age=60").body(body);
    }
    let mut client = weir.client();
    client.get("/p?id=7").sees(200).body("seven");
    client.get("/p").sees(200).body("plain");
    client.get("/p?id=7").sees(200).body("seven");
    client.get("/p").sees(200).body("plain");
    origin.saw(3);
}

#[test]
fn a_redirect_without_the_rule_is_not_for_those_who_did_not_ask_for_it() {
    let origin = Origin::start();
    let weir = caching(&origin);
    with_rule(&origin, &weir, "params=(\"utm\")");
    origin.replies(301).field("Cache-Control", "max-age=60").field("Location", "/q?utm=EVIL").body("");
    let mut client = weir.client();
    client.get("/p?utm=EVIL").sees(301);
    client.get("/p").sees(200).body("ok");
    client.get("/p?utm=1").sees(200).body("ok");
}

#[test]
fn a_fetch_is_shared_only_as_far_as_its_own_response_says() {
    for (says, shares) in [("params=(\"id\")", true), ("params=(\"id\" \"b\"), key-order", true), ("", false)] {
        let (origin, gate) = (Origin::start(), Gate::new());
        let weir = caching(&origin);
        with_rule(&origin, &weir, "params=(\"id\")");
        let head = format!("HTTP/1.1 200 Said\r\nCache-Control: max-age=60\r\nNo-Vary-Search: {says}\r\n");
        origin.says("").after(&gate).then(format!("{head}Content-Length: 5\r\n\r\nseven"));
        origin.replies(200).body("own");
        let (mut seven, mut eight) = (weir.client(), weir.client());
        seven.get("/p?id=7").sent();
        origin.request(1);
        eight.get("/p?id=8").sent();
        weir.counts("weir_cache_collapsed_total{cache=\"pages\"}", 1.0);
        gate.open();
        seven.sees(200).body("seven");
        eight.sees(200).body(if shares { "seven" } else { "own" });
    }
}

#[test]
fn who_asked_without_a_query_shares_nothing_that_was_asked_for_with_one() {
    let (origin, gate) = (Origin::start(), Gate::new());
    let weir = caching(&origin);
    with_rule(&origin, &weir, "params");
    origin
        .says("")
        .after(&gate)
        .then("HTTP/1.1 200 Said\r\nContent-Length: 5\r\nCache-Control: max-age=60\r\n\r\nseven");
    let (mut seven, mut plain) = (weir.client(), weir.client());
    seven.get("/p?id=7").sent();
    origin.request(1);
    plain.get("/p").sent();
    weir.counts("weir_cache_collapsed_total{cache=\"pages\"}", 1.0);
    gate.open();
    seven.sees(200).body("seven");
    plain.sees(200).body("ok");
}

#[test]
fn a_purge_of_a_url_reaches_what_was_stored_before_there_was_a_rule() {
    let origin = Origin::start();
    let weir = Weir::before(
        &origin,
        "[cache.pages]\nmemory = \"64MiB\"\npurge = [\"127.0.0.1\"]\n[[route]]\npool = \"app\"\ncache = \"pages\"\n",
    );
    let mut client = weir.client();
    let purges: [&dyn Fn(); 3] = [
        &|| drop(weir.purges("{\"urls\": [\"http://test.example/p?utm=1\"]}")),
        &|| drop(weir.client().ask("PURGE", "/p?utm=1").sees(200)),
        // RFC 9111 §4.4
        &|| drop(weir.client().post("/p?utm=1", "").sees(200)),
    ];
    for purge in purges {
        origin.replies(200).field("Cache-Control", "max-age=60").body("old");
        client.get("/p?utm=1").sees(200).body("old");
        // A rule comes, and goes.
        origin
            .replies(200)
            .field("Cache-Control", "max-age=60")
            .field("No-Vary-Search", "params=(\"utm\")")
            .body("ruled");
        client.get("/p?utm=2").sees(200).body("ruled");
        purge();
        origin.replies(200).field("Cache-Control", "max-age=60").body("other");
        client.get("/p?a=1&utm=3").sees(200).body("other");
        client.get("/p?utm=1").sees(200).body("ok");
        weir.purges("{\"all\": true}");
    }
}

#[test]
fn a_head_without_the_rule_says_nothing_of_what_others_get() {
    let origin = Origin::start();
    let weir = caching(&origin);
    let reply = origin.replies(200).field("Cache-Control", "max-age=60").field("ETag", "\"0\"");
    reply.field("No-Vary-Search", "params=(\"utm\")").body("a");
    let mut client = weir.client();
    client.get("/p?utm=1").sees(200).body("a");
    origin.says("HTTP/1.1 200 Said\r\nETag: \"0\"\r\nContent-Length: 1\r\nLink: </EVIL>\r\n\r\n");
    client.ask("HEAD", "/p?utm=EVIL").field("Cache-Control", "no-cache").sees(200);
    origin.saw(2);
    client.get("/p").sees(200).lacks("link").body("a");
    origin.saw(2);
}
