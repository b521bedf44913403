//! Which route a request meets, and what the route does with it.

#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]

mod support;

use support::{Origin, Puppet, Weir};

/// Answers of its own say which route it was.
fn says(conditions: &str, word: &str) -> String {
    format!("[[route]]\n{conditions}\nrespond = {{ body = \"{word}\" }}\n")
}

fn routes(all: &[(&str, &str)]) -> Weir {
    Weir::start(&all.iter().map(|(conditions, word)| says(conditions, word)).collect::<String>(), &[])
}

#[test]
fn an_exact_host_comes_before_a_wildcard_before_none() {
    let weir = routes(&[
        ("", "any"),
        ("host = \"*.example\"", "wide"),
        ("host = \"*.shop.example\"", "narrow"),
        ("host = \"a.shop.example\"", "exact"),
    ]);
    let mut client = weir.client();
    for (host, word) in [
        ("a.shop.example", "exact"),
        ("A.Shop.Example", "exact"),
        ("a.shop.example:8080", "exact"),
        ("b.shop.example", "narrow"),
        ("c.b.shop.example", "narrow"),
        ("shop.example", "wide"),
        ("example", "any"),
        ("a.shop.example.org", "any"),
        ("[::1]:80", "any"),
    ] {
        client.get("/").host(host).sees(200).body(word);
    }
    client.get("http://b.shop.example/x").host("b.shop.example").sees(200).body("narrow");
}

#[test]
fn an_exact_path_comes_before_a_prefix_before_an_expression() {
    let weir = routes(&[
        ("", "any"),
        ("path = \"~^/a/[0-9]+$\"", "digits"),
        ("path = \"~^/n/[0-9]+$\"", "numbers"),
        ("path = \"/a/*\"", "prefix"),
        ("path = \"/a/b/*\"", "longer"),
        ("path = \"/a/b/c\"", "exact"),
    ]);
    let mut client = weir.client();
    for (path, word) in [
        ("/a/b/c", "exact"),
        ("/a/b/c?q=1", "exact"),
        ("/a/%62/c", "exact"),
        ("/a/b/c/", "longer"),
        ("/a/b", "longer"),
        ("/a/bc", "prefix"),
        ("/a", "prefix"),
        ("/a/7", "prefix"),
        ("/n/7", "numbers"),
        ("/n/7x", "any"),
        ("/ab", "any"),
        ("/", "any"),
    ] {
        client.get(path).sees(200).body(word);
    }
}

#[test]
fn methods_fields_and_parameters_narrow_a_route() {
    let weir = routes(&[
        ("", "any"),
        ("method = [\"POST\", \"PUT\"]", "write"),
        ("field = { \"x-kind\" = \"a*\" }", "kind"),
        ("field = { \"x-kind\" = \"a*\", \"x-more\" = \"*\" }", "kind and more"),
        ("query = { v = \"~^[0-9]+$\" }", "version"),
    ]);
    let mut client = weir.client();
    client.get("/").sees(200).body("any");
    client.post("/", "x").sees(200).body("write");
    client.get("/").field("X-Kind", "abc").sees(200).body("kind");
    client.get("/").field("X-Kind", "bc").sees(200).body("any");
    client.get("/").field("X-Kind", "a").field("X-More", "").sees(200).body("kind and more");
    client.get("/?u=1&v=12").sees(200).body("version");
    client.get("/?v=x").sees(200).body("any");
}

#[test]
fn the_network_of_the_client_counts_and_is_believed_only_from_those_we_trust() {
    let text = says("", "stranger") + &says("client = \"10.0.0.0/8\"", "friend");
    let trusting = "[[listener]]\naddress = \"127.0.0.1:{port}\"\ntrust_forwarded = [\"127.0.0.1\"]\n";
    let weir = Weir::start(&format!("{trusting}{text}"), &[]);
    weir.client().get("/").sees(200).body("stranger");
    weir.client().get("/").field("X-Forwarded-For", "10.1.2.3").sees(200).body("friend");
    weir.client().get("/").field("X-Forwarded-For", "10.1.2.3, 8.8.8.8").sees(200).body("stranger");
    let weir = Weir::start(&text, &[]);
    weir.client().get("/").field("X-Forwarded-For", "10.1.2.3").sees(200).body("stranger");
}

#[test]
fn a_split_gives_each_pool_about_its_share() {
    let (stable, canary) = (Origin::named("stable"), Origin::named("canary"));
    let weir = Weir::start(
        "[pool.stable]\nbackends = [\"{stable}\"]\n[pool.canary]\nbackends = [\"{canary}\"]\n[pool.none]\nbackends = [\"{canary}\"]\n\
         [[route]]\npool = { split = { stable = 3, canary = 1 } }\n[[route]]\npath = \"/none\"\npool = { split = { stable = 1, none = 0 } }\n",
        &[("stable", &stable.address()), ("canary", &canary.address())],
    );
    let mut client = weir.client();
    for _ in 0..400 {
        client.get("/").sees(200);
    }
    // 100 wanted; 40 off is more than four standard deviations of a fair die.
    assert!(canary.count().abs_diff(100) < 40, "{}", canary.count());
    assert_eq!(stable.count() + canary.count(), 400);
    let before = canary.count();
    for _ in 0..50 {
        client.get("/none").sees(200).body("stable");
    }
    canary.saw(before);
}

#[test]
fn who_wrote_reads_what_he_wrote() {
    let (read, write) = (Origin::named("read"), Origin::named("write"));
    let weir = Weir::start(
        "[pool.r]\nbackends = [\"{r}\"]\n[pool.w]\nbackends = [\"{w}\"]\n\
         [[route]]\npool = { read = \"r\", write = \"w\", read_your_writes = \"60s\" }\n",
        &[("r", &read.address()), ("w", &write.address())],
    );
    let mut client = weir.client();
    client.get("/").sees(200).body("read").lacks("set-cookie");
    client.ask("HEAD", "/").sees(200);
    let cookie = client.post("/", "x").sees(200).body("write").value("set-cookie");
    let (pair, attributes) = cookie.split_once(';').unwrap();
    assert!(pair.starts_with("weir_wrote=") && attributes.contains("HttpOnly"), "{cookie}");
    client.get("/").field("Cookie", &format!("a=1; {pair}; b=2")).sees(200).body("write");
    write.last().field("cookie", "a=1; b=2");
    // A client that holds no cookie, or one that nobody gave it, reads where all read.
    client.get("/").sees(200).body("read");
    client.get("/").field("Cookie", "weir_wrote=99999999999").sees(200).body("read");
    // A write that failed is none.
    write.replies(500);
    client.post("/", "x").sees(500).lacks("set-cookie");
}

#[test]
fn a_redirect_says_where_to() {
    let weir = Weir::start(
        "[[route]]\nhost = \"old.example\"\nredirect = { to = \"https://new.example{path}\" }\n\
         [[route]]\nredirect = { to = \"{scheme}://{host}/login?from={path}\", status = 302 }\n",
        &[],
    );
    let mut client = weir.client();
    client.get("/a%20b?c=d").host("old.example").sees(308).field("location", "https://new.example/a%20b?c=d").body("");
    client.get("/x").host("h.example").sees(302).field("location", "http://h.example/login?from=/x");
    // A client cannot write lines of the response.
    client.send("GET /%0d%0aSet-Cookie:%20a HTTP/1.1\r\nHost: old.example\r\n\r\n");
    client.sees(308).lacks("set-cookie");
}

#[test]
fn a_fixed_answer_has_its_type_and_edits_and_no_content_for_head() {
    let weir = Weir::start(
        "[[route]]\nrespond = { status = 418, body = \"{\\\"a\\\":1}\", type = \"application/json\" }\n\
         response = { set = { \"x-set\" = \"1\" } }\n[[route]]\npath = \"/none\"\nrespond = { status = 204 }\n",
        &[],
    );
    let mut client = weir.client();
    client.get("/").sees(418).field("content-type", "application/json").field("x-set", "1").body("{\"a\":1}");
    client.ask("HEAD", "/").sees(418).field("content-length", "7").body("");
    client.get("/none").sees(204).lacks("content-type");
    client.post("/none", "what nobody reads").sees(204);
    client.get("/none").sees(204);
}

#[test]
fn a_rewrite_changes_the_path_and_keeps_the_query() {
    let origin = Origin::start();
    let weir = Weir::before(
        &origin,
        r#"
        [[route]]
        path = "/strip/*"
        rewrite = { strip = "/strip" }
        pool = "app"
        [[route]]
        path = "/add/*"
        rewrite = { prefix = "/v1" }
        pool = "app"
        [[route]]
        path = "/all/*"
        rewrite = { path = "/one" }
        pool = "app"
        [[route]]
        path = "/re/*"
        rewrite = { regex = "^/re/([0-9]+)/(.*)$", to = "/$2/$1" }
        pool = "app"
        "#,
    );
    let mut client = weir.client();
    for (asked, wanted) in [
        ("/strip/a%2fb?q=/strip", "/a%2fb?q=/strip"),
        ("/strip", "/"),
        ("/strip?q", "/?q"),
        ("/add/x?y", "/v1/add/x?y"),
        ("/all/that?is=asked", "/one?is=asked"),
        ("/re/12/x/y?z=1", "/x/y/12?z=1"),
        ("/re/none", "/re/none"),
    ] {
        client.get(asked).sees(200);
        assert_eq!(origin.last().line, format!("GET {wanted} HTTP/1.1"), "{asked}");
    }
}

#[test]
fn fields_are_edited_in_both_directions() {
    let origin = Origin::start();
    let weir = Weir::before(
        &origin,
        r#"
        [[route]]
        pool = "app"
        request = { remove = ["x-secret"], set = { host = "inner.example", "x-set" = "new" }, add = { "x-add" = "2" } }
        response = { remove = ["server", "x-gone"], set = { "cache-control" = "no-store" }, add = { "vary" = "b" } }
        "#,
    );
    origin.replies(200).field("Server", "a").field("X-Gone", "1").field("Cache-Control", "public").field("Vary", "a");
    let mut client = weir.client();
    let ask = client.get("/").field("X-Secret", "1").field("X-Set", "old").field("X-Add", "1");
    ask.sees(200).lacks("server").lacks("x-gone").field("cache-control", "no-store").field("vary", "a, b");
    origin.last().lacks("x-secret").field("host", "inner.example").field("x-set", "new").field("x-add", "1, 2");
    origin.last().field("x-forwarded-host", "test.example");
}

#[test]
fn a_backend_that_takes_too_long_is_a_504() {
    let origin = Puppet::start();
    let weir = Weir::start(
        "[[route]]\npool = \"app\"\ntimeouts = { first_byte = \"50ms\" }\n\
         [[route]]\npath = \"/total\"\npool = \"app\"\ntimeouts = { total = \"50ms\" }\n\
         [[route]]\npath = \"/idle\"\npool = \"app\"\ntimeouts = { idle = \"50ms\" }\n",
        &[("origin", &origin.address())],
    );
    for path in ["/", "/total"] {
        let mut client = weir.client();
        client.get(path).sent();
        let mut peer = origin.accepts();
        peer.gets();
        client.sees(504);
        peer.ends();
    }
    // Once the response has begun, there is nothing left to say.
    for path in ["/total", "/idle"] {
        let mut client = weir.client();
        client.get(path).sent();
        let mut peer = origin.accepts();
        peer.gets();
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfive.");
        client.sees_broken();
        peer.ends();
    }
    weir.counts("weir_refusals_total{reason=\"backend_timeout\"}", 2.0);
}

#[test]
fn content_beyond_the_limit_is_a_413() {
    let origin = Origin::start();
    let weir = Weir::before(&origin, "[[route]]\npool = \"app\"\nmax_body = \"10B\"\n");
    weir.client().post("/", "0123456789").sees(200);
    origin.saw(1);
    // Known before: the backend hears nothing of it.
    weir.client().post("/", "0123456789x").sees(413).field("connection", "close");
    origin.saw(1);
    // Found out on the way.
    let mut client = weir.client();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n01234567\r\n");
    client.send("8\r\n89abcdef\r\n0\r\n\r\n");
    client.sees(413).field("connection", "close");
    client.ends();
    origin.saw(1);
    weir.client().get("/").sees(200);
}

#[test]
fn maintenance_is_a_503_with_retry_after_and_the_routes_own_page() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("sorry.html"), "<h1>Back soon</h1>").unwrap();
    let origin = Origin::start();
    let weir = Weir::start_in(
        directory,
        "[[route]]\npool = \"app\"\nmaintenance = true\nerrors = { \"503\" = \"sorry.html\" }\n\
         [[route]]\npath = \"/plain\"\npool = \"app\"\nmaintenance = true\n",
        &[("origin", &origin.address())],
    );
    let mut client = weir.client();
    let page = client.get("/").sees(503).body("<h1>Back soon</h1>");
    assert!(page.value("content-type").starts_with("text/html"));
    assert!(page.value("retry-after").parse::<u32>().is_ok());
    client.ask("HEAD", "/").sees(503).field("content-length", "18").body("");
    assert!(client.get("/plain").sees(503).text().contains("503"));
    origin.saw(0);
}

#[test]
fn an_error_page_is_what_the_client_accepts_and_names_the_request() {
    let weir = Weir::start(&says("path = \"/x\"", "x"), &[]);
    let mut client = weir.client();
    for (accept, kind) in [
        ("text/html,application/xhtml+xml,*/*;q=0.8", "text/html"),
        ("application/json", "application/json"),
        ("text/html;q=0.1, application/json", "application/json"),
        ("text/plain", "text/plain"),
        ("image/png", "text/plain"),
    ] {
        let page = client.get("/none").field("Accept", accept).sees(404);
        assert!(page.value("content-type").starts_with(kind), "{accept}: {page:?}");
        let id = page.value("x-request-id");
        assert!(id.len() == 32 && page.text().contains(&id), "{page:?}");
        assert_eq!(page.value("cache-control"), "no-store");
    }
    let (one, two) = (client.get("/none").sees(404), client.get("/none").sees(404));
    assert_ne!(one.value("x-request-id"), two.value("x-request-id"));
}

#[test]
fn trace_and_connect_are_refused_unless_asked_for() {
    let origin = Origin::start();
    let weir = Weir::before(
        &origin,
        "[[route]]\npool = \"app\"\n[[route]]\npath = \"/trace\"\npool = \"app\"\nallow = [\"TRACE\"]\n",
    );
    let mut client = weir.client();
    assert!(client.ask("TRACE", "/").sees(405).value("allow").contains("GET"));
    client.send("CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n");
    client.sees(405);
    origin.saw(0);
    weir.client().ask("TRACE", "/trace").sees(200);
    assert_eq!(origin.last().line, "TRACE /trace HTTP/1.1");
}

#[test]
fn options_for_the_server_as_a_whole_is_passed_as_it_is() {
    let origin = Origin::start();
    let weir = Weir::before(&origin, "[[route]]\npool = \"app\"\n");
    weir.client().ask("OPTIONS", "*").sees(200);
    assert_eq!(origin.last().line, "OPTIONS * HTTP/1.1");
    weir.client().ask("GET", "*").sees(400);
}
