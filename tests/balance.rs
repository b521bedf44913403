//! Which backend an exchange goes to: policies, sticky cookies, room and the queue for it, and attempts after the first.

#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]

mod support;

use std::collections::HashSet;
use std::time::{Duration, Instant};
use support::{Backend, Client, Crowd, Mood, Origin, Puppet, Weir, eventually};

/// A pool of these addresses, with `more` of its keys.
fn pool(addresses: &[String], more: &str) -> String {
    let quoted: Vec<_> = addresses.iter().map(|address| format!("\"{address}\"")).collect();
    format!("[pool.app]\nbackends = [{}]\n{more}\n[[route]]\npool = \"app\"\n", quoted.join(", "))
}

fn backends<const N: usize>() -> ([Backend; N], [String; N]) {
    let backends = std::array::from_fn(|_| Backend::start());
    let addresses = std::array::from_fn(|at: usize| Backend::address(&backends[at]));
    (backends, addresses)
}

#[test]
fn weights_are_kept_by_every_policy_that_shares_by_weight() {
    for (policy, slack) in [("round_robin", 1), ("random", 60), ("least_connections", 1)] {
        let ([light, heavy], _) = backends();
        let text = format!(
            "[pool.app]\nbackends = [\"{}\", {{ address = \"{}\", weight = 3 }}]\nbalance = {{ policy = \"{policy}\" }}\n\
             [[route]]\npool = \"app\"\n",
            light.address(),
            heavy.address()
        );
        let weir = Weir::start(&text, &[]);
        let mut client = weir.client();
        for _ in 0..400 {
            client.get("/").sees(200);
        }
        let got = light.exchanges();
        assert!(got.abs_diff(100) <= slack, "{policy}: {got} of 400");
    }
}

#[test]
fn the_same_key_leads_to_the_same_backend_and_others_to_others() {
    for (by, table) in
        [("cookie:uid", "ketama"), ("field:x-user", "maglev"), ("query:user", "ketama"), ("path", "maglev")]
    {
        let (_backends, addresses) = backends::<4>();
        let balance = format!("balance = {{ policy = \"hash\", by = \"{by}\", table = \"{table}\" }}");
        let weir = Weir::start(&pool(&addresses, &balance), &[]);
        let mut client = weir.client();
        let mut ask = |user: usize| {
            let target = format!("/u{user}?user=u{user}");
            let target = if by == "query:user" { &target } else { target.split('?').next().unwrap() };
            let target = if by.contains(':') && by != "query:user" { "/" } else { target };
            let (cookie, field) = (format!("a=b; uid=u{user}"), format!("u{user}"));
            client.get(target).field("Cookie", &cookie).field("X-User", &field).sees(200).text()
        };
        let homes: Vec<_> = (0..40).map(&mut ask).collect();
        assert_eq!(homes, (0..40).map(&mut ask).collect::<Vec<_>>(), "{by}");
        assert_eq!(homes.iter().collect::<HashSet<_>>().len(), 4, "{by}");
    }
}

#[test]
fn a_key_whose_backend_is_gone_moves_and_comes_back_with_it() {
    let (backends, addresses) = backends::<3>();
    let keys = "balance = { policy = \"hash\", by = \"path\" }\nretry = { attempts = 3 }\noutlier = \"off\"\n";
    let weir = Weir::start(&pool(&addresses, keys), &[]);
    let mut client = weir.client();
    let mut homes = || (0..30).map(|key| client.get(&format!("/{key}")).sees(200).text()).collect::<Vec<_>>();
    let before = homes();
    backends[0].dies();
    let during = homes();
    for (old, new) in before.iter().zip(&during) {
        assert!(if *old == addresses[0] { new != old } else { new == old });
    }
    backends[0].comes_back();
    assert_eq!(homes(), before);
}

#[test]
fn a_sticky_cookie_keeps_a_client_with_its_backend_for_as_long_as_that_may_be_used() {
    let (backends, addresses) = backends::<3>();
    let keys = "sticky = { cookie = \"at\", secret = \"0123456789abcdef\", ttl = \"1h\" }\n\
                retry = { attempts = 3 }\noutlier = { consecutive_failures = 1 }\n";
    let weir = Weir::start(&pool(&addresses, keys), &[]);
    let mut client = weir.client();
    let first = client.get("/").sees(200);
    let set = first.value("set-cookie");
    assert!(set.ends_with("; Path=/; HttpOnly; SameSite=Lax; Max-Age=3600"), "{set}");
    let cookie = set.split(';').next().unwrap().to_owned();
    for _ in 0..6 {
        client.get("/").field("Cookie", &cookie).sees(200).body(&first.text()).lacks("set-cookie");
    }
    // A reload changes nothing of that, nor does another order of the backends.
    let mut turned = addresses.to_vec();
    turned.reverse();
    weir.becomes(&pool(&turned, keys));
    client.get("/").field("Cookie", &cookie).sees(200).body(&first.text());
    // A forged one is worth nothing.
    let forged = format!("{}0", &cookie[..cookie.len() - 1]);
    let forged = if forged == cookie { format!("{}1", &cookie[..cookie.len() - 1]) } else { forged };
    client.get("/").field("Cookie", &forged).sees(200).value("set-cookie");
    let home = addresses.iter().position(|address| *address == first.text()).unwrap();
    backends[home].dies();
    let moved = client.get("/").field("Cookie", &cookie).sees(200);
    assert!(moved.text() != first.text() && moved.value("set-cookie") != set);
}

#[test]
fn a_backend_gets_no_more_than_its_maximum_and_the_others_wait_in_order() {
    let origin = Puppet::start();
    let keys = "connections = { max = 1, queue = 2, queue_timeout = \"10s\" }\n";
    let weir = Weir::start(&pool(&[origin.address()], keys), &[]);
    let mut first = weir.client();
    first.get("/1").sent();
    let mut peer = origin.accepts();
    assert!(peer.gets().line.contains(" /1 "));
    let mut waiting: Vec<Client> = Vec::new();
    for target in ["/2", "/3"] {
        let mut client = weir.client();
        client.get(target).sent();
        waiting.push(client);
        weir.counts("weir_pool_queue{pool=\"app\"}", waiting.len() as f64);
    }
    // The queue is full.
    weir.client().get("/4").sees(503).field("retry-after", "1");
    weir.counts("weir_refusals_total{reason=\"queue\"}", 1.0);
    origin.is_left_alone();
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    first.sees(200);
    for (client, target) in waiting.iter_mut().zip([" /2 ", " /3 "]) {
        assert!(peer.gets().line.contains(target));
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        client.sees(200);
    }
    weir.counts("weir_pool_queue{pool=\"app\"}", 0.0);
}

#[test]
fn whoever_waits_for_too_long_is_told_and_whoever_leaves_the_queue_makes_room() {
    let origin = Puppet::start();
    let keys = "connections = { max = 1, queue = 1, queue_timeout = \"300ms\" }\n";
    let weir = Weir::start(&pool(&[origin.address()], keys), &[]);
    let mut first = weir.client();
    first.get("/").sent();
    let mut peer = origin.accepts();
    peer.gets();
    let began = Instant::now();
    weir.client().get("/").sees(503);
    assert!((250..3_000).contains(&began.elapsed().as_millis()), "{:?}", began.elapsed());
    let mut leaves = weir.client();
    leaves.get("/").sent();
    weir.counts("weir_pool_queue{pool=\"app\"}", 1.0);
    drop(leaves);
    weir.counts("weir_pool_queue{pool=\"app\"}", 0.0);
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    first.sees(200);
}

#[test]
fn a_retry_sends_the_content_again() {
    let (bad, good) = (Puppet::start(), Origin::start());
    let keys = "retry = { on = \"502-504\", content = \"1KiB\" }\ntimeouts = { first_byte = \"10s\" }\n";
    let weir = Weir::start(&pool(&[bad.address(), good.address()], keys), &[]);
    let mut client = weir.client();
    // One of the two takes it whole and goes away, whichever comes first.
    client.ask("PUT", "/thing").field("Content-Length", "5").sent();
    client.send("first");
    let mut peer = bad.accepts();
    assert_eq!(peer.gets().body, b"first");
    drop(peer);
    client.sees(200);
    assert_eq!(good.last().body, b"first");
    // Half of it was read when the backend went away.
    client.ask("PUT", "/half").field("Content-Length", "10").sent();
    client.send("hello");
    let mut peer = bad.accepts();
    peer.gets_head();
    assert_eq!(peer.exactly(5).unwrap(), b"hello");
    drop(peer);
    client.send("world");
    client.sees(200);
    assert_eq!(good.last().body, b"helloworld");
}

#[test]
fn what_is_not_idempotent_or_was_not_kept_is_not_sent_twice() {
    let (bad, good) = (Puppet::start(), Origin::start());
    let keys = "retry = { on = \"502-504\", content = \"4B\" }\noutlier = \"off\"\n";
    let weir = Weir::start(&pool(&[bad.address(), good.address()], keys), &[]);
    let mut client = weir.client();
    for (method, content) in [("POST", "abc"), ("PUT", "more than four")] {
        client.ask(method, "/").field("Content-Length", &content.len().to_string()).sent();
        client.send(content);
        let mut peer = bad.accepts();
        peer.gets();
        drop(peer);
        client.sees(502);
        // The other's turn.
        client.get("/").sees(200);
    }
    assert_eq!(good.count(), 2);
}

#[test]
fn a_connection_that_cannot_be_made_is_no_reason_to_fail_even_a_post() {
    let (backends, addresses) = backends::<2>();
    backends[0].dies();
    let weir = Weir::start(&pool(&addresses, ""), &[]);
    let mut client = weir.client();
    for _ in 0..6 {
        client.post("/", "content").sees(200).body(&addresses[1]);
    }
}

#[test]
fn a_status_that_is_tried_again_is_shown_where_there_is_nobody_else() {
    let ([one], addresses) = backends();
    one.is(Mood::Says(503));
    let weir = Weir::start(&pool(&addresses, "retry = { on = \"503\" }"), &[]);
    weir.client().get("/").sees(503).body(&one.address());
    assert_eq!(one.exchanges(), 1);
}

#[test]
fn a_pool_that_fails_too_much_is_given_a_rest_and_tried_again() {
    let ([one], addresses) = backends();
    one.is(Mood::Says(500));
    let keys = "breaker = { failure_rate = \"50%\", requests_min = 5, open = \"300ms\", trials = 2 }";
    let weir = Weir::start(&pool(&addresses, keys), &[]);
    let mut client = weir.client();
    for _ in 0..5 {
        client.get("/").sees(500).body(&one.address());
    }
    client.get("/").sees(503).field("retry-after", "1");
    assert_eq!(one.exchanges(), 5);
    weir.counts("weir_refusals_total{reason=\"breaker\"}", 1.0);
    one.is(Mood::Fine);
    eventually("it is tried again", || client.get("/").gets().unwrap().status == 200);
    client.get("/").sees(200);
    client.get("/").sees(200);
}

#[test]
fn with_one_of_four_ten_times_slower_the_tail_is_at_most_half_of_round_robins() {
    let p99 = |policy: &str| {
        let (backends, addresses) = backends::<4>();
        for (at, backend) in backends.iter().enumerate() {
            backend.is(Mood::Slow(Duration::from_millis(if at == 2 { 20 } else { 2 })));
        }
        let weir = Weir::start(&pool(&addresses, &format!("balance = {{ policy = \"{policy}\" }}\n")), &[]);
        let load = Crowd::on(weir.address(), 16, Duration::ZERO);
        eventually("enough was asked", || backends.iter().map(Backend::exchanges).sum::<usize>() > 600);
        let mut seen = load.ends();
        assert!(seen.failures.is_empty(), "{:?}", seen.failures.first());
        seen.p99()
    };
    let in_turn = p99("round_robin");
    for policy in ["peak_ewma", "least_connections"] {
        let tail = p99(policy);
        eprintln!("{policy}: p99 {tail:?}, round_robin {in_turn:?}");
        assert!(tail * 2 <= in_turn, "{policy}: {tail:?} against {in_turn:?}");
    }
}
