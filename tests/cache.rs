//! The cache as a client and a backend see it.

#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]

mod support;

use support::{Client, Origin, Weir};

const CACHING: &str = "[pool.app]\nbackends = [\"{origin}\"]\n[cache.pages]\nmemory = \"64MiB\"\n\
                       [[route]]\npool = \"app\"\ncache = \"pages\"\n";

fn caching(origin: &Origin) -> Weir {
    Weir::start(CACHING, &[("origin", &origin.address())])
}

#[test]
fn a_fresh_response_is_a_hit_and_says_how_old_it_is() {
    let origin = Origin::start();
    origin.replies(200).field("Cache-Control", "max-age=60").field("X-A", "b").body("a");
    let weir = caching(&origin);
    let mut client = weir.client();
    client.get("/x").sees(200).field("cache-status", "weir; fwd=uri-miss; ttl=60; stored").body("a");
    let hit = client.get("/x").sees(200).field("x-a", "b").field("age", "0");
    assert!(hit.value("cache-status").starts_with("weir; hit; ttl="), "{hit:?}");
    hit.body("a");
    client.ask("HEAD", "/x").sees(200).field("content-length", "1").body("");
    origin.saw(1);
}

#[test]
fn a_get_with_content_goes_by_itself_and_one_that_says_that_it_has_none_does_not() {
    let origin = Origin::start();
    origin.replies(200).field("Cache-Control", "max-age=60").body("a");
    let weir = caching(&origin);
    let mut client = weir.client();
    let response = client.get("/x").field("Content-Length", "0").sees(200);
    response.field("cache-status", "weir; fwd=uri-miss; ttl=60; stored");
    let response = client.get("/x").field("Content-Length", "0").sees(200).body("a");
    assert!(response.value("cache-status").starts_with("weir; hit; ttl="), "{response:?}");
    origin.replies(200).body("b");
    client.send("GET /x HTTP/1.1\r\nHost: test.example\r\nContent-Length: 1\r\n\r\nc");
    let response = client.sees(200).body("b");
    response.field("cache-status", "weir; fwd=bypass; detail=content");
    origin.saw(2);
}

#[test]
fn the_smallest_command_caches_in_memory() {
    let origin = Origin::start();
    let text = weir::config::text_for_backend(&origin.address());
    let text = text.replace("version = 1\n", "").replace(weir::config::TO_LISTEN, "127.0.0.1:{port}");
    let weir = Weir::start(&text, &[]);
    let mut client = weir.client();
    origin.replies(200).field("Cache-Control", "max-age=60").body("a");
    client.get("/a").sees(200).body("a").field("cache-status", "weir; fwd=uri-miss; ttl=60; stored");
    assert!(client.get("/a").sees(200).body("a").value("cache-status").starts_with("weir; hit; ttl="));
    origin.saw(1);
}

#[test]
fn a_response_that_may_not_be_stored_passes_and_says_why() {
    let origin = Origin::start();
    for _ in 0..2 {
        origin.replies(200).field("Cache-Control", "private").field("Set-Cookie", "a=b").body("a");
    }
    let weir = caching(&origin);
    let mut client = weir.client();
    client
        .get("/x")
        .sees(200)
        .field("set-cookie", "a=b")
        .field("cache-status", "weir; fwd=uri-miss; detail=private")
        .body("a");
    client.get("/x").sees(200).field("cache-status", "weir; fwd=uri-miss; detail=private").body("a");
    origin.saw(2);
}

#[test]
fn a_stale_response_is_validated_and_freshened() {
    let origin = Origin::start();
    origin.replies(200).field("Cache-Control", "max-age=0").field("ETag", "\"1\"").field("X-A", "1").body("a");
    origin.replies(304).field("Cache-Control", "max-age=60").field("ETag", "\"1\"").field("X-A", "2");
    let weir = caching(&origin);
    let mut client = weir.client();
    client.get("/x").sees(200).body("a");
    client
        .get("/x")
        .sees(200)
        .field("x-a", "2")
        .field("cache-status", "weir; fwd=stale; fwd-status=304; ttl=60; stored")
        .body("a");
    origin.request(1).field("if-none-match", "\"1\"");
    client.get("/x").sees(200).field("x-a", "2").body("a");
    client.get("/x").field("If-None-Match", "\"1\"").sees(304).lacks("content-type");
    origin.saw(2);
}

#[test]
fn a_304_that_says_so_ends_what_is_stored_and_one_with_a_cookie_gives_it_to_nobody_else() {
    let origin = Origin::start();
    for (control, cookie) in [("max-age=60", "a=b"), ("private", "c=d")] {
        origin.replies(200).field("Cache-Control", "max-age=0").field("ETag", "\"1\"").body("a");
        origin.replies(304).field("Cache-Control", control).field("ETag", "\"1\"").field("Set-Cookie", cookie);
    }
    origin.replies(200).field("Cache-Control", "max-age=60").body("b");
    let weir = caching(&origin);
    let mut client = weir.client();
    for target in ["/x", "/y"] {
        client.get(target).sees(200).body("a");
        client.get(target).sees(200).body("a");
    }
    client.get("/x").sees(200).lacks("set-cookie").body("a");
    client.get("/y").sees(200).body("b");
    origin.saw(5);
}

#[test]
fn a_write_invalidates_what_was_read() {
    let origin = Origin::start();
    origin.replies(200).field("Cache-Control", "max-age=60").body("a");
    origin.replies(200).body("done");
    origin.replies(200).field("Cache-Control", "max-age=60").body("b");
    let weir = caching(&origin);
    let mut client = weir.client();
    client.get("/x").sees(200).body("a");
    client.post("/x", "b").sees(200).field("cache-status", "weir; fwd=method").body("done");
    client.get("/x").sees(200).body("b");
    client.get("/x").sees(200).body("b");
    origin.saw(3);
}

#[test]
fn the_response_to_a_post_that_says_it_is_that_of_a_get_is_stored() {
    let origin = Origin::start();
    origin.replies(200).field("Cache-Control", "max-age=60").field("Content-Location", "/x").body("a");
    origin.replies(200).field("Cache-Control", "max-age=60").field("Content-Location", "/z").body("b");
    let weir = caching(&origin);
    let mut client = weir.client();
    client.post("/x", "1").sees(200).body("a");
    assert!(client.get("/x").sees(200).value("cache-status").starts_with("weir; hit"));
    client.post("/y", "1").sees(200).body("b");
    client.get("/y").sees(200).body("ok");
    origin.saw(3);
}

#[test]
fn queries_that_make_no_difference_are_one_key_and_no_backend_sees_them() {
    let origin = Origin::start();
    let fresh = || origin.replies(200).field("Cache-Control", "max-age=60");
    fresh().body("a");
    fresh().field("No-Vary-Search", "key-order, params=(\"session\")").body("b");
    let ignoring = CACHING.replace("[[route]]", "key = { ignore_query = [\"utm_*\"] }\n[[route]]");
    let weir = Weir::start(&ignoring, &[("origin", &origin.address())]);
    let mut client = weir.client();
    client.get("/x?utm_a=1&b=2&utm_c=3").sees(200).body("a");
    assert!(origin.last().line.contains(" /x?b=2 "), "{:?}", origin.last());
    client.get("/x?b=2").sees(200).body("a");
    client.get("/y?b=2&session=1&a=1").sees(200).body("b");
    client.get("/y?a=1&b=2&session=9").sees(200).body("b");
    client.get("/y?a=1&b=2").sees(200).body("b");
    client.get("/y?a=1&b=3").sees(200).body("ok");
    origin.saw(3);
}

#[test]
fn a_purge_by_url_or_tag_takes_effect_at_once_and_says_what_it_did() {
    let origin = Origin::start();
    for _ in 0..2 {
        origin.replies(200).field("Cache-Control", "max-age=60").field("Surrogate-Key", "t1 t2").body("a");
    }
    let purging = CACHING.replace("[[route]]", "purge = [\"127.0.0.0/8\"]\n[[route]]");
    let weir = Weir::start(&purging, &[("origin", &origin.address())]);
    let mut client = weir.client();
    client.get("/x").sees(200).body("a");
    client.ask("PURGE", "/x").sees(200).body("purged, variants in memory: 1\n");
    client.get("/x").sees(200).body("a");
    client.get("/x").sees(200).body("a");
    origin.saw(2);
}

#[test]
fn what_was_stored_comes_back_from_the_disk_after_a_restart_and_what_was_purged_does_not() {
    let origin = Origin::start();
    for name in ["kept", "purged"] {
        let reply = origin.replies(200).field("Cache-Control", "max-age=60").field("Cache-Tag", name);
        reply.field("X-Name", name).body(name);
    }
    let directory = tempfile::tempdir().unwrap();
    let disk = format!("disk = {{ path = \"{}\", size = \"16MiB\" }}\n[[route]]", directory.path().display());
    let on_disk = CACHING.replace("[[route]]", &disk);
    let start = || Weir::start(&on_disk, &[("origin", &origin.address())]);
    let mut weir = start();
    weir.client().get("/kept").sees(200).body("kept");
    weir.client().get("/purged").sees(200).body("purged");
    let mut admin = Client::connect(weir.at("admin"));
    let purge = admin.post("/v1/purge", "{\"tag\": \"purged\"}").field("Content-Type", "application/json").sees(200);
    assert!(purge.text().contains("\"applied\": true"), "{purge:?}");
    weir.stop();
    let weir = start();
    let hit = weir.client().get("/kept").sees(200).field("x-name", "kept");
    assert!(hit.value("cache-status").starts_with("weir; hit"), "{hit:?}");
    hit.body("kept");
    weir.client().get("/purged").sees(200).body("ok");
    origin.saw(3);
}

#[test]
fn a_client_with_credentials_or_wishes_of_its_own_takes_nothing_from_the_others() {
    let origin = Origin::start();
    let tagged = |status| origin.replies(status).field("ETag", "\"1\"");
    tagged(200).field("Cache-Control", "max-age=0").body("a");
    tagged(304).field("Cache-Control", "max-age=0").body("");
    tagged(304).field("Cache-Control", "max-age=0, stale-while-revalidate=60").body("");
    tagged(304).field("Cache-Control", "max-age=60").body("");
    let weir = caching(&origin);
    let mut client = weir.client();
    client.get("/x").sees(200).body("a");
    client.get("/x").field("Authorization", "Basic YTpi").sees(200).body("a");
    client.get("/x").sees(200).body("a");
    origin.request(2).field("if-none-match", "\"1\"");
    // Served stale, and validated for all whatever this client says of storing.
    client.get("/x").field("Cache-Control", "no-store").sees(200).body("a");
    origin.request(3).field("if-none-match", "\"1\"");
    support::eventually("the response is fresh", || {
        let ttl = client.get("/x").sees(200).value("cache-status");
        ttl.starts_with("weir; hit; ttl=5") || ttl.starts_with("weir; hit; ttl=60")
    });
    origin.saw(4);
}
