//! Who may share a fetch: only those for whom its response could be reused if it had been stored already (RFC 9111 §4). The
//! others do not wait for one another.

#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]

mod support;

use std::thread;
use std::time::Duration;
use support::{Gate, Origin, Response, Weir, eventually};

const CACHING: &str = "[server]\nworkers = 2\n[pool.app]\nbackends = [\"{origin}\"]\n\
    [cache.pages]\nmemory = \"64MiB\"\n[[route]]\npool = \"app\"\ncache = \"pages\"\n";
const COLLAPSED: &str = "weir_cache_collapsed_total{cache=\"pages\"}";

fn caching(origin: &Origin) -> Weir {
    Weir::start(CACHING, &[("origin", &origin.address())])
}

fn says(fields: &str, body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n{fields}\r\n{body}", body.len())
}

fn status(response: &Response) -> String {
    response.value("cache-status")
}

/// What a backend says of an account that it knows by its cookie, and does not forbid to store.
const ACCOUNTS: [&str; 5] = [
    "",
    "ETag: \"1\"\r\n",
    "ETag: \"1\"\r\nCache-Control: max-age=0\r\n",
    "ETag: \"1\"\r\nCache-Control: no-cache\r\n",
    "ETag: \"1\"\r\nCache-Control: max-age=60\r\nAge: 61\r\n",
];

#[test]
fn nobody_gets_the_account_of_another_who_asks_at_the_same_time() {
    for fields in ACCOUNTS {
        let (origin, gate) = (Origin::start(), Gate::new());
        origin.says("").after(&gate).then(says(fields, "account of a"));
        origin.says(says(fields, "account of b"));
        let weir = caching(&origin);
        let (mut a, mut b) = (weir.client(), weir.client());
        a.get("/account").field("Cookie", "a").sent();
        origin.request(0).field("cookie", "a");
        b.get("/account").field("Cookie", "b").sent();
        weir.counts(COLLAPSED, 1.0);
        gate.open();
        a.sees(200).body("account of a");
        let seen = b.sees(200).body("account of b");
        assert!(!status(&seen).contains("collapsed"), "{fields}: {seen:?}");
        origin.request(1).field("cookie", "b");
        origin.saw(2);
    }
}

#[test]
fn what_a_304_makes_stale_again_each_validates_for_himself() {
    let (origin, gate) = (Origin::start(), Gate::new());
    origin.says(says("ETag: \"1\"\r\nCache-Control: max-age=60\r\n", "a"));
    let renewed = "HTTP/1.1 304 Not Modified\r\nETag: \"1\"\r\nCache-Control: no-cache\r\n\r\n";
    origin.says("").after(&gate).then(renewed);
    origin.says(says("ETag: \"2\"\r\nCache-Control: no-cache\r\n", "b"));
    let weir = caching(&origin);
    weir.client().get("/x").sees(200).body("a");
    let (mut a, mut b) = (weir.client(), weir.client());
    a.get("/x").field("Cookie", "a").field("Cache-Control", "no-cache").sent();
    origin.request(1).field("cookie", "a");
    b.get("/x").field("Cookie", "b").field("Cache-Control", "no-cache").sent();
    weir.counts(COLLAPSED, 1.0);
    gate.open();
    a.sees(200).body("a");
    b.sees(200).body("b");
    origin.request(2).field("cookie", "b").field("if-none-match", "\"1\"");
    origin.saw(3);
}

#[test]
fn those_who_may_not_share_are_released_at_once_and_do_not_wait_the_next_time() {
    const CLIENTS: usize = 20;
    for fields in ACCOUNTS {
        let origin = Origin::start();
        let (first, others, later) = (Gate::new(), Gate::new(), Gate::new());
        origin.says("").after(&first).then(says(fields, "first"));
        (1..CLIENTS).for_each(|_| drop(origin.says("").after(&others).then(says(fields, "other"))));
        (0..2).for_each(|_| drop(origin.says("").after(&later).then(says(fields, "later"))));
        let weir = caching(&origin);
        let asking = |count: usize| {
            let mut clients: Vec<_> = (0..count).map(|_| weir.client()).collect();
            clients.iter_mut().for_each(|client| client.get("/x").sent());
            clients
        };
        let mut clients = asking(CLIENTS);
        weir.counts(COLLAPSED, (CLIENTS - 1) as f64);
        first.open();
        // All others ask at the same time.
        origin.request(CLIENTS - 1);
        others.open();
        let texts: Vec<_> = clients.iter_mut().map(|client| client.sees(200).text()).collect();
        assert_eq!(texts.iter().filter(|text| *text == "first").count(), 1, "{fields}: {texts:?}");
        let mut clients = asking(2);
        let asked = origin.request(CLIENTS + 1);
        later.open();
        clients.iter_mut().for_each(|client| drop(client.sees(200).body("later")));
        // Each validates what is stored.
        assert_eq!(asked.fields.get("if-none-match").is_some(), fields.contains("ETag"), "{fields}: {asked:?}");
        origin.saw(CLIENTS + 2);
    }
}

#[test]
fn a_wish_to_reload_is_met_by_a_response_that_comes_after_it() {
    let (origin, gate) = (Origin::start(), Gate::new());
    origin.says(says("ETag: \"1\"\r\nCache-Control: max-age=60\r\n", "a"));
    origin.says("").after(&gate).then(says("Cache-Control: max-age=60\r\n", "b"));
    let weir = caching(&origin);
    weir.client().get("/x").sees(200).body("a");
    let mut clients: Vec<_> = (0..20).map(|_| weir.client()).collect();
    for (at, client) in clients.iter_mut().enumerate() {
        let wish = ["no-cache", "max-age=0"][at % 2];
        client.get("/x").field("Cache-Control", wish).sent();
    }
    weir.counts(COLLAPSED, 19.0);
    gate.open();
    clients.iter_mut().for_each(|client| drop(client.sees(200).body("b")));
    origin.saw(2);
}

#[test]
fn who_comes_when_a_response_is_stale_before_its_end_shares_the_next() {
    let (origin, rest, next) = (Origin::start(), Gate::new(), Gate::new());
    // Fresh for a second.
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\nCache-Control: max-age=60\r\nAge: 59\r\n\r\n";
    origin.says(head).then("first").after(&rest).then("-last");
    origin.says("").after(&next).then(says("Cache-Control: max-age=60\r\n", "new"));
    let weir = caching(&origin);
    let mut early = weir.client();
    early.get("/x").sent();
    early.sees_head(200);
    let mut late = Vec::new();
    eventually("one asks anew", || {
        let mut client = weir.client();
        client.get("/x").sent();
        late.push(client);
        // A second goes by, in which all that come share the first.
        thread::sleep(Duration::from_millis(50));
        origin.count() == 2
    });
    for _ in 0..3 {
        let mut client = weir.client();
        client.get("/x").sent();
        late.push(client);
    }
    next.open();
    let newest = late.split_off(late.len() - 3);
    for mut client in newest {
        client.sees(200).body("new");
    }
    rest.open();
    assert_eq!(early.exactly(10).unwrap(), b"first-last");
    late.iter_mut().for_each(|client| drop(client.sees(200)));
    // What ended last is not what is newest.
    weir.client().get("/x").sees(200).body("new");
    origin.saw(2);
}

#[test]
fn what_may_be_stale_while_it_is_validated_is_shared() {
    let (origin, gate) = (Origin::start(), Gate::new());
    let fields = "Cache-Control: max-age=0, stale-while-revalidate=60\r\n";
    origin.says("").after(&gate).then(says(fields, "a"));
    let weir = caching(&origin);
    let mut clients: Vec<_> = (0..20).map(|_| weir.client()).collect();
    clients.iter_mut().for_each(|client| client.get("/x").sent());
    weir.counts(COLLAPSED, 19.0);
    gate.open();
    clients.iter_mut().for_each(|client| drop(client.sees(200).body("a")));
    origin.saw(1);
}

#[test]
fn what_is_for_one_does_not_keep_what_is_for_all_from_being_stored() {
    let origin = Origin::start();
    origin.says(says("Cache-Control: private\r\n", "mine"));
    origin.says(says("Cache-Control: max-age=60\r\n", "for all"));
    let weir = caching(&origin);
    weir.client().get("/x").field("Cookie", "a").sees(200).body("mine");
    let seen = weir.client().get("/x").sees(200).body("for all");
    assert_eq!(status(&seen), "weir; fwd=uri-miss; ttl=60; stored");
    assert!(status(&weir.client().get("/x").sees(200).body("for all")).starts_with("weir; hit"));
    // And those who ask at the same time share again.
    weir.purges("{\"all\": true}");
    let gate = Gate::new();
    origin.says("").after(&gate).then(says("Cache-Control: max-age=60\r\n", "new"));
    let mut clients: Vec<_> = (0..5).map(|_| weir.client()).collect();
    clients.iter_mut().for_each(|client| client.get("/x").sent());
    weir.counts(COLLAPSED, 4.0);
    gate.open();
    clients.iter_mut().for_each(|client| drop(client.sees(200).body("new")));
    origin.saw(3);
}

/// It was asked for before the write, whatever it says of how long it is good.
#[test]
fn what_is_not_shared_is_not_stored_over_a_write_that_came_meanwhile() {
    let (origin, gate) = (Origin::start(), Gate::new());
    origin.says(says("Cache-Control: private\r\n", "mine"));
    origin.says("").after(&gate).then(says("Cache-Control: max-age=60\r\n", "before"));
    let weir = caching(&origin);
    weir.client().get("/x").sees(200).body("mine");
    let mut client = weir.client();
    client.get("/x").sent();
    origin.request(1);
    weir.client().post("/x", "y").sees(200);
    gate.open();
    assert_eq!(status(&client.sees(200).body("before")), "weir; fwd=uri-miss; detail=not-shared");
    origin.says(says("Cache-Control: max-age=60\r\n", "after"));
    weir.client().get("/x").sees(200).body("after");
    assert!(status(&weir.client().get("/x").sees(200).body("after")).starts_with("weir; hit"));
}

#[test]
fn what_one_gets_who_reloads_leaves_to_others_what_is_fresh() {
    for (code, fields) in
        [(200, "private"), (302, "private"), (400, ""), (401, ""), (403, "no-store"), (429, "no-store")]
    {
        let origin = Origin::start();
        origin.says(says("Cache-Control: max-age=60\r\n", "for all"));
        let weir = caching(&origin);
        weir.client().get("/x").sees(200).body("for all");
        origin.replies(code).field("Cache-Control", fields).body("for one");
        weir.client().get("/x").field("Cookie", "a").field("Cache-Control", "no-cache").sees(code).body("for one");
        let seen = weir.client().get("/x").sees(200).body("for all");
        assert!(status(&seen).starts_with("weir; hit"), "{code}: {seen:?}");
        origin.saw(2);
    }
}

#[test]
fn what_is_no_more_or_came_in_the_place_of_what_is_stale_takes_it_away() {
    for (is_fresh, code, fields, is_gone) in [
        (true, 404, "no-store", true),
        (true, 410, "no-store", true),
        (false, 404, "no-store", true),
        (false, 200, "private", true),
        (false, 302, "no-store", true),
        (false, 403, "no-store", true),
        (false, 400, "no-store", false),
    ] {
        let origin = Origin::start();
        let age = if is_fresh { "0" } else { "61" };
        origin.says(says(&format!("Cache-Control: max-age=60\r\nAge: {age}\r\nETag: \"1\"\r\n"), "for all"));
        let weir = caching(&origin);
        weir.client().get("/x").sees(200).body("for all");
        origin.replies(code).field("Cache-Control", fields).body("other");
        weir.client().get("/x").field("Cache-Control", "no-cache").sees(code).body("other");
        (0..4).for_each(|_| origin.hangs_up());
        let seen = weir.client().get("/x").gets().unwrap();
        assert_eq!(seen.status == 502, is_gone, "{is_fresh} {code}: {seen:?}");
    }
}

#[test]
fn an_error_that_one_deserves_does_not_end_the_sharing_of_the_others() {
    let origin = Origin::start();
    origin.replies(400).body("bad");
    let gate = Gate::new();
    origin.says("").after(&gate).then(says("Cache-Control: max-age=60\r\n", "for all"));
    let weir = caching(&origin);
    weir.client().get("/x").field("X-Bad", "1").sees(400).body("bad");
    let mut clients: Vec<_> = (0..5).map(|_| weir.client()).collect();
    clients.iter_mut().for_each(|client| client.get("/x").sent());
    weir.counts(COLLAPSED, 4.0);
    gate.open();
    clients.iter_mut().for_each(|client| drop(client.sees(200).body("for all")));
    origin.saw(2);
}
