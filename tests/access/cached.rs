//! What is stored is for those who may have it.

use super::basic::{USERS, credentials};
use super::support::{Gate, Origin, Weir};

const CACHED: &str = r#"
[cache.pages]
memory = "16MiB"
[access.staff]
basic = { file = "users", user = "x-user" }
[access.office]
deny = ["10.0.0.0/8"]
[[listener]]
address = "127.0.0.1:{port}"
trust_forwarded = ["127.0.0.1"]
[[route]]
pool = "app"
cache = "pages"
method = "GET"
access = "staff"
[[route]]
pool = "app"
cache = "pages"
method = ["HEAD", "OPTIONS"]
[[route]]
path = "/office"
pool = "app"
cache = "pages"
access = "office"
"#;

fn serve(origin: &Origin) -> Weir {
    super::serve(origin, CACHED, &[("users", USERS)])
}

#[test]
fn what_one_was_given_is_not_for_others_unless_the_backend_says_so() {
    let origin = Origin::start();
    let weir = serve(&origin);
    let mut client = weir.client();
    let (ann, bob) = (credentials("ann:secret"), credentials("bob:secret"));
    origin.replies(200).field("Cache-Control", "max-age=60").body("ann's");
    let first = client.get("/a").field("Authorization", &ann).sees(200).body("ann's");
    assert_eq!(first.value("cache-status"), "weir; fwd=uri-miss; detail=authorization");
    client.get("/a").field("Authorization", &bob).sees(200).body("ok");
    origin.saw(2);
    for directive in ["public, max-age=60", "s-maxage=60", "max-age=60, must-revalidate"] {
        let path = format!("/{}", directive.replace([',', '=', ' '], ""));
        let before = origin.count();
        origin.replies(200).field("Cache-Control", directive).body("for all staff");
        client.get(&path).field("Authorization", &ann).sees(200).body("for all staff");
        client.get(&path).field("Authorization", &bob).sees(200).body("for all staff");
        origin.saw(before + 1);
    }
}

#[test]
fn what_is_stored_is_given_to_nobody_who_is_not_let_in() {
    let origin = Origin::start();
    let weir = serve(&origin);
    let mut client = weir.client();
    origin.replies(200).field("Cache-Control", "public, max-age=60").body("secret");
    client.get("/a").field("Authorization", &credentials("ann:secret")).sees(200).body("secret");
    for target in ["/a", "/./a", "http://test.example/a"] {
        client.get(target).sees(401);
    }
    client.get("/a").field("Authorization", &credentials("ann:wrong")).sees(401);
    client.get("/a").field("Cache-Control", "only-if-cached").sees(401);
    client.get("/a").field("If-None-Match", "*").sees(401);
    client.get("/a").field("Range", "bytes=0-1").sees(401);
    origin.saw(1);
    // Another route for the same URL has another access, and so another key.
    origin.replies(200).field("Cache-Control", "public, max-age=60");
    client.ask("HEAD", "/a").sees(200);
    origin.saw(2);
    origin.replies(200).field("Cache-Control", "max-age=60").body("for the office");
    client.get("/office").sees(200).body("for the office");
    client.get("/office").sees(200).body("for the office");
    client.get("/office").field("X-Forwarded-For", "10.1.1.1").sees(403);
    origin.saw(3);
}

#[test]
fn variants_by_who_asks_are_kept_apart() {
    let origin = Origin::start();
    let weir = serve(&origin);
    let mut client = weir.client();
    for (name, text) in [("ann", "ann's"), ("bob", "bob's")] {
        origin.replies(200).field("Cache-Control", "public, max-age=60").field("Vary", "X-User").body(text);
        client.get("/a").field("Authorization", &credentials(&format!("{name}:secret"))).sees(200).body(text);
    }
    for (name, text) in [("ann", "ann's"), ("bob", "bob's"), ("ann", "ann's")] {
        let given = credentials(&format!("{name}:secret"));
        // Whatever else the client says of itself.
        client.get("/a").field("Authorization", &given).field("X-User", "ann").sees(200).body(text);
    }
    origin.saw(2);
}

#[test]
fn who_waits_for_another_s_fetch_gets_nothing_of_it_unless_it_is_for_all() {
    let (origin, gate) = (Origin::start(), Gate::new());
    let weir = serve(&origin);
    let (mut first, mut second) = (weir.client(), weir.client());
    origin.says("").after(&gate).then("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 5\r\n\r\nann's");
    first.get("/a").field("Authorization", &credentials("ann:secret")).sent();
    origin.request(0).field("x-user", "ann");
    second.get("/a").field("Authorization", &credentials("bob:secret")).sent();
    weir.counts("weir_cache_collapsed_total{cache=\"pages\"}", 1.0);
    gate.open();
    first.sees(200).body("ann's");
    second.sees(200).body("ok");
    origin.request(1).field("x-user", "bob");
}

#[test]
fn a_backend_that_is_to_be_asked_is_asked_before_each_hit() {
    let (origin, auth) = (Origin::start(), Origin::start());
    let text = "[pool.app]\nbackends = [\"{origin}\"]\n[pool.auth]\nbackends = [\"{auth}\"]\n\
                [cache.pages]\nmemory = \"16MiB\"\n[access.sso]\nask = { pool = \"auth\", path = \"/\" }\n\
                [[route]]\npool = \"app\"\ncache = \"pages\"\naccess = \"sso\"\n";
    let weir = Weir::start(text, &[("origin", &origin.address()), ("auth", &auth.address())]);
    let mut client = weir.client();
    origin.replies(200).field("Cache-Control", "public, max-age=60").body("for all");
    client.get("/a").sees(200).body("for all");
    client.get("/a").sees(200).body("for all");
    auth.replies(403);
    client.get("/a").sees(403);
    auth.saw(3);
    origin.saw(1);
    // By a cookie, say: the response was for one who was let in.
    origin.replies(200).field("Cache-Control", "max-age=60").body("for one");
    client.get("/b").field("Cookie", "s=1").sees(200).body("for one");
    client.get("/b").field("Cookie", "s=2").sees(200).body("ok");
}
