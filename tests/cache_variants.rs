//! Which requests get the same stored response, and which responses are stored at all.

#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]

mod support;

use support::{Client, Origin, Response, Weir};

/// Serves with a cache that has those lines more.
fn caching(origin: &Origin, lines: &str) -> Weir {
    let text = format!("[cache.pages]\nmemory = \"64MiB\"\n{lines}\n[[route]]\npool = \"app\"\ncache = \"pages\"\n");
    Weir::before(origin, &text)
}

fn reply(origin: &Origin, fields: &[(&str, &str)], body: &str) {
    let reply = origin.replies(200).field("Cache-Control", "max-age=60");
    fields.iter().fold(reply, |reply, (name, value)| reply.field(name, value)).body(body);
}

fn get(client: &mut Client, fields: &[(&str, &str)]) -> Response {
    fields.iter().fold(client.get("/x"), |ask, (name, value)| ask.field(name, value)).sees(200)
}

#[test]
fn each_combination_of_selecting_fields_is_a_variant() {
    let origin = Origin::start();
    let vary = [("Vary", "X-One"), ("Vary", "x-two")];
    ["a", "b", "c"].iter().for_each(|body| reply(&origin, &vary, body));
    let weir = caching(&origin, "");
    let mut client = weir.client();
    let asks: [(&[(&str, &str)], &str); 3] =
        [(&[("X-One", "1"), ("X-Two", "1")], "a"), (&[("X-One", "1")], "b"), (&[], "c")];
    for _ in 0..2 {
        for (fields, body) in asks {
            get(&mut client, fields).body(body);
        }
    }
    // What is not named makes no difference, nor does white space between members.
    get(&mut client, &[("X-Three", "3"), ("X-One", "1")]).body("b");
    origin.saw(3);
}

#[test]
fn a_miss_by_a_selecting_field_is_told_apart() {
    let origin = Origin::start();
    ["a", "b"].iter().for_each(|body| reply(&origin, &[("Vary", "X-One")], body));
    let weir = caching(&origin, "");
    let mut client = weir.client();
    get(&mut client, &[]).field("cache-status", "weir; fwd=uri-miss; ttl=60; stored");
    get(&mut client, &[("X-One", "1")]).field("cache-status", "weir; fwd=vary-miss; ttl=60; stored");
}

#[test]
fn codings_in_any_order_and_quality_are_one_variant() {
    let origin = Origin::start();
    ["both", "none", "gzip"].iter().for_each(|body| reply(&origin, &[("Vary", "Accept-Encoding")], body));
    let weir = caching(&origin, "");
    let mut client = weir.client();
    for value in ["gzip, br", "br,gzip", "br;q=0.5, gzip", "x-gzip;q=1.0, br, deflate, unknown"] {
        get(&mut client, &[("Accept-Encoding", value)]).body("both");
    }
    for value in ["gzip;q=0", "identity", "deflate", ""] {
        get(&mut client, &[("Accept-Encoding", value)]).body("none");
    }
    get(&mut client, &[("Accept-Encoding", "br;q=0, gzip")]).body("gzip");
    origin.request(0).field("accept-encoding", "br, gzip");
    origin.saw(3);
}

#[test]
fn a_url_has_no_more_variants_than_it_may() {
    let origin = Origin::start();
    ["a", "b", "c", "a"].iter().for_each(|body| reply(&origin, &[("Vary", "X-One")], body));
    let weir = caching(&origin, "variants = 2");
    let mut client = weir.client();
    for value in ["a", "b", "c", "c", "b"] {
        get(&mut client, &[("X-One", value)]).body(value);
    }
    origin.saw(3);
    get(&mut client, &[("X-One", "a")]).body("a");
    origin.saw(4);
}

#[test]
fn what_varies_with_everything_or_with_the_client_is_not_stored() {
    for vary in ["*", "X-One, *", "X-Forwarded-For", "Via", "X-Request-Id", "Forwarded"] {
        let origin = Origin::start();
        (0..2).for_each(|_| reply(&origin, &[("Vary", vary)], "a"));
        let weir = caching(&origin, "");
        let mut client = weir.client();
        get(&mut client, &[]).field("cache-status", "weir; fwd=uri-miss; detail=vary");
        get(&mut client, &[]).body("a");
        origin.saw(2);
    }
}

#[test]
fn fields_that_the_operator_names_are_made_alike() {
    let origin = Origin::start();
    ["a", "b"].iter().for_each(|body| reply(&origin, &[("Vary", "X-Device")], body));
    let weir = caching(&origin, "key = { normalise = [\"x-device\"] }");
    let mut client = weir.client();
    for value in ["Phone", "phone", " PHONE "] {
        get(&mut client, &[("X-Device", value)]).body("a");
    }
    get(&mut client, &[("X-Device", "tablet")]).body("b");
    origin.saw(2);
}

#[test]
fn what_is_made_alike_keeps_its_parameters() {
    let origin = Origin::start();
    ["one", "two", "quoted", "Quoted", "comma"].iter().for_each(|body| reply(&origin, &[("Vary", "Accept")], body));
    let weir = caching(&origin, "key = { normalise = [\"accept\"] }");
    let mut client = weir.client();
    for (value, body) in [
        ("application/json;version=1", "one"),
        ("application/json;version=2", "two"),
        ("Application/JSON; Q=1.0; Version=2", "two"),
        ("application/json;version=2;q=1", "two"),
        ("application/json;q=0.5;version=1, application/json;version=2;q=0.2", "quoted"),
        ("application/json;version=2 ;q=0.20,application/json;version=1;q=0.5", "quoted"),
        ("a;v=\"A b\"", "Quoted"),
        ("A; V=\"A b\"", "Quoted"),
        ("a;v=\"a b,c;q=0\"", "comma"),
        ("a;v=\"a b", "ok"),
    ] {
        get(&mut client, &[("Accept", value)]).body(body);
    }
    origin.saw(6);
}

#[test]
fn a_key_is_made_of_what_surely_makes_a_difference() {
    let origin = Origin::start();
    let weir = caching(&origin, "");
    let mut client = weir.client();
    let mut asked = 0;
    for (host, target, is_new) in [
        ("shop.example", "/a?b=1&c=2", true),
        ("SHOP.Example", "/a?b=1&c=2", false),
        ("shop.example:80", "/a?b=1&c=2", false),
        ("shop.example:8080", "/a?b=1&c=2", true),
        ("other.example", "/a?b=1&c=2", true),
        ("shop.example", "/a?c=2&b=1", true),
        ("shop.example", "/a", true),
        ("shop.example", "/a?", true),
        ("shop.example", "/A", true),
        ("shop.example", "/~", true),
        ("shop.example", "/%7e", true),
        ("shop.example", "/%7E", true),
        ("shop.example", "//a", true),
        ("shop.example", "/./a", true),
        ("shop.example", "/a/", true),
        ("shop.example", "/a/../a", true),
    ] {
        asked += usize::from(is_new);
        let body = asked.to_string();
        if is_new {
            reply(&origin, &[], &body);
        }
        let seen = client.get(target).host(host).sees(200);
        assert_eq!(seen.value("cache-status").contains("hit"), !is_new, "{host} {target}: {seen:?}");
        // As it was sent.
        assert_eq!(origin.last().line.split(' ').nth(1), Some(target));
    }
    origin.saw(asked);
}

#[test]
fn cookies_are_stored_only_if_the_operator_says_so() {
    for (lines, stored) in [("", false), ("set_cookie = true", true)] {
        let origin = Origin::start();
        ["a", "b"].iter().for_each(|body| reply(&origin, &[("Set-Cookie", "a=b")], body));
        let weir = caching(&origin, lines);
        let mut client = weir.client();
        get(&mut client, &[]).field("set-cookie", "a=b").body("a");
        get(&mut client, &[]).field("set-cookie", "a=b").body(if stored { "a" } else { "b" });
        origin.saw(if stored { 1 } else { 2 });
    }
}

#[test]
fn what_an_authorized_client_got_is_stored_only_if_the_response_says_so() {
    for (directives, stored) in [
        ("max-age=60", false),
        ("max-age=60, public", true),
        ("s-maxage=60", true),
        ("max-age=60, must-revalidate", true),
        ("max-age=60, private", false),
    ] {
        let origin = Origin::start();
        ["a", "b"].iter().for_each(|body| drop(origin.replies(200).field("Cache-Control", directives).body(body)));
        let weir = caching(&origin, "");
        let mut client = weir.client();
        get(&mut client, &[("Authorization", "Basic YTpi")]).body("a");
        get(&mut client, &[]).body(if stored { "a" } else { "b" });
        origin.request(0).field("authorization", "Basic YTpi");
    }
}

#[test]
fn a_stored_response_answers_an_authorized_client() {
    let origin = Origin::start();
    reply(&origin, &[], "a");
    let weir = caching(&origin, "");
    let mut client = weir.client();
    get(&mut client, &[]).body("a");
    get(&mut client, &[("Authorization", "Basic YTpi")]).body("a");
    origin.saw(1);
}

#[test]
fn fields_that_are_for_one_client_reach_the_first_alone() {
    for directives in ["max-age=60, no-cache=\"x-once\"", "max-age=60, private=\"x-once\""] {
        let origin = Origin::start();
        origin.replies(200).field("Cache-Control", directives).field("X-Once", "1").field("X-All", "2").body("a");
        let weir = caching(&origin, "");
        let mut client = weir.client();
        get(&mut client, &[]).field("x-once", "1").field("x-all", "2").body("a");
        get(&mut client, &[]).lacks("x-once").field("x-all", "2").body("a");
        origin.saw(1);
    }
}
