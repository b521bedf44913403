//! Limits as clients meet them: rates, exchanges at once, bandwidth.

#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]

mod support;

use std::time::{Duration, Instant};
use support::{Gate, Origin, PATIENCE, Weir, eventually};

/// A route that answers by itself, with these limits.
fn answering(limits: &str, sections: &str) -> String {
    format!("[[route]]\nname = \"r\"\nrespond = {{ body = \"in\" }}\nlimits = [{limits}]\n{sections}")
}

#[test]
fn a_rate_lets_in_its_burst_and_says_when_to_come_back() {
    let weir =
        Weir::start(&answering("\"slow\"", "[limit.slow]\nkey = \"client_ip\"\nrate = \"6/m\"\nburst = 2\n"), &[]);
    let mut client = weir.client();
    for _ in 0..2 {
        client.get("/").sees(200).body("in").lacks("RateLimit").lacks("RateLimit-Policy");
    }
    let refused = client.get("/").sees(429);
    let wait: u64 = refused.value("Retry-After").parse().unwrap();
    assert!((1..=10).contains(&wait), "{wait}");
    let refused = refused.field("RateLimit-Policy", "\"slow\";q=2;w=20").field("Cache-Control", "no-store");
    assert_eq!(refused.value("RateLimit"), format!("\"slow\";r=0;t={wait}"));
    assert!(refused.text().contains("Too Many Requests"));
    // HEAD gets the same without content, and the connection goes on.
    let head = client.ask("HEAD", "/").sees(429);
    assert!(head.body.is_empty() && head.fields.has("Retry-After"));
    client.post("/", "content that nobody reads").sees(429);
    weir.client().get("/").sees(429);
    weir.counts("weir_limit_requests_total{limit=\"slow\",outcome=\"refused\"}", 4.0);
    weir.counts("weir_limit_requests_total{limit=\"slow\",outcome=\"passed\"}", 2.0);
    weir.counts("weir_refusals_total{reason=\"limit\"}", 4.0);
    assert_eq!(
        (weir.metric("weir_limit_keys{limit=\"slow\"}"), weir.metric("weir_limit_overflow_total{limit=\"slow\"}")),
        (1.0, 0.0)
    );
    assert!(weir.metric("weir_limit_keys_max{limit=\"slow\"}") > 200_000.0);
}

#[test]
fn who_waits_as_he_was_told_is_let_in() {
    let weir = Weir::start(&answering("\"a\"", "[limit.a]\nkey = \"host\"\nrate = \"1/s\"\nburst = 1\n"), &[]);
    let mut client = weir.client();
    client.get("/").sees(200);
    let refused = Instant::now();
    let wait: u64 = client.get("/").sees(429).value("Retry-After").parse().unwrap();
    eventually("the time is over", || refused.elapsed() >= Duration::from_secs(wait));
    client.get("/").sees(200);
}

#[test]
fn keys_have_each_their_own_and_what_lacks_the_key_has_one_together() {
    let sections = "[limit.a]\nkey = [\"field:x-user\", \"route\"]\nrate = \"1/h\"\n\
                    [[route]]\npath = \"/other\"\nrespond = { body = \"other\" }\nlimits = [\"a\"]\n";
    let weir = Weir::start(&answering("\"a\"", sections), &[]);
    let mut client = weir.client();
    for user in ["ann", "bob"] {
        client.get("/").field("X-User", user).sees(200);
        client.get("/").field("x-user", user).sees(429);
        client.get("/other").field("X-User", user).sees(200);
    }
    client.get("/").sees(200);
    client.get("/").sees(429);
    client.get("/").field("X-User", "").sees(429);
    // Nobody gets a key of his own by saying it twice.
    client.get("/").field("X-User", "carl").field("X-User", "1").sees(200);
    client.get("/").field("X-User", "carl").field("X-User", "2").sees(429);
}

#[test]
fn the_tightest_of_several_decides_and_the_others_are_not_charged() {
    let sections = "[limit.wide]\nkey = \"client_ip\"\nrate = \"3/h\"\n\
                    [limit.tight]\nkey = \"query:k\"\nrate = \"1/h\"\n";
    let weir = Weir::start(&answering("\"wide\", \"tight\"", sections), &[]);
    let mut client = weir.client();
    client.get("/?k=1").sees(200);
    for _ in 0..10 {
        let refused = client.get("/?k=1").sees(429);
        assert!(refused.value("RateLimit").starts_with("\"tight\";r=0;t="), "{refused:?}");
    }
    client.get("/?k=2").sees(200);
    client.get("/?k=3").sees(200);
    let refused = client.get("/?k=4").sees(429);
    assert!(refused.value("RateLimit").starts_with("\"wide\";"), "{refused:?}");
}

#[test]
fn what_observes_lets_all_pass_and_tells() {
    let text = format!(
        "[log]\naccess = {{ format = \"{{status}} {{limit}} {{limit_observed}}\" }}\n{}",
        answering(
            "\"watch\", \"hard\"",
            "[limit.watch]\nkey = \"host\"\nrate = \"1/h\"\nobserve = true\n[limit.hard]\nkey = \"host\"\nrate = \"2/h\"\n"
        )
    );
    let weir = Weir::start(&text, &[]);
    let mut client = weir.client();
    client.get("/").sees(200);
    client.get("/").sees(200);
    client.get("/").sees(429);
    weir.counts("weir_limit_requests_total{limit=\"watch\",outcome=\"observed\"}", 1.0);
    for line in ["200 - -", "200 - watch", "429 hard -"] {
        assert!(weir.out.find(0, line).is_some(), "{line}\n{}", weir.out.text());
    }
}

#[test]
fn networks_that_are_excepted_and_responses_that_show_what_is_left() {
    let sections = "[limit.open]\nkey = \"host\"\nrate = \"1/h\"\nexcept = [\"127.0.0.0/8\"]\n\
                    [limit.shown]\nkey = \"host\"\nrate = \"60/m\"\nburst = 10\nfields = true\n\
                    [limit.places]\nkey = \"host\"\nconcurrency = 5\nfields = true\n";
    let weir = Weir::start(&answering("\"open\", \"shown\", \"places\"", sections), &[]);
    let mut client = weir.client();
    client
        .get("/")
        .sees(200)
        .field("RateLimit-Policy", "\"shown\";q=10;w=10, \"places\";q=5;qu=\"concurrent-requests\"")
        .field("RateLimit", "\"shown\";r=9;t=9, \"places\";r=4")
        .body("in");
    client.get("/").sees(200);
    weir.counts("weir_limit_requests_total{limit=\"open\",outcome=\"excepted\"}", 2.0);
}

#[test]
fn stored_responses_are_limited_too_and_do_not_store_what_is_left() {
    let origin = Origin::start();
    origin.replies(200).field("cache-control", "max-age=60").field("ratelimit", "\"origin\";r=7").body("stored");
    let text = "[pool.app]\nbackends = [\"{origin}\"]\n[cache.c]\nmemory = \"1MiB\"\n\
                [[route]]\npool = \"app\"\ncache = \"c\"\nlimits = [\"a\"]\n\
                [limit.a]\nkey = \"host\"\nrate = \"3/h\"\nfields = true\n";
    let weir = Weir::before(&origin, text);
    let mut client = weir.client();
    for left in [2, 1, 0] {
        let response = client.get("/").sees(200).body("stored");
        let said: Vec<_> = response.fields.all("ratelimit");
        assert!(said.contains(&"\"origin\";r=7") && said.len() == 2, "{said:?}");
        assert!(said.iter().any(|value| value.starts_with(&format!("\"a\";r={left};t="))), "{said:?}");
    }
    client.get("/").sees(429).lacks("Cache-Status");
    origin.saw(1);
}

#[test]
fn so_many_exchanges_at_once_and_a_place_is_free_again_however_they_end() {
    let origin = Origin::start();
    let text = "[[route]]\npool = \"app\"\nlimits = [\"a\"]\n[limit.a]\nkey = \"host\"\nconcurrency = 2\n";
    let weir = Weir::before(&origin, text);
    let gate = Gate::new();
    for _ in 0..2 {
        drop(origin.says("").after(&gate).then("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate"));
    }
    let (mut one, mut two, mut three) = (weir.client(), weir.client(), weir.client());
    one.get("/").sent();
    origin.request(0);
    two.get("/").sent();
    origin.request(1);
    let refused = three.get("/").sees(429).field("Retry-After", "1").field("RateLimit", "\"a\";r=0");
    drop(refused.field("RateLimit-Policy", "\"a\";q=2;qu=\"concurrent-requests\""));
    origin.saw(2);
    // One vanishes, and its place is free, while the other still waits.
    drop(one);
    eventually("the place of who is gone is free", || three.get("/").gets().unwrap().status == 200);
    gate.open();
    two.sees(200).body("late");
    eventually("all places are free", || weir.metric("weir_limit_keys{limit=\"a\"}") == 0.0);
    for _ in 0..5 {
        two.get("/").sees(200).body("ok");
    }
}

#[test]
fn what_observes_exchanges_at_once_refuses_nobody() {
    let origin = Origin::start();
    let limit = "[limit.a]\nkey = \"host\"\nconcurrency = 1\nobserve = true\n";
    let weir = Weir::before(&origin, &format!("[[route]]\npool = \"app\"\nlimits = [\"a\"]\n{limit}"));
    let gate = Gate::new();
    drop(origin.says("").after(&gate).then("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate"));
    let (mut one, mut two) = (weir.client(), weir.client());
    one.get("/").sent();
    origin.request(0);
    two.get("/").sees(200);
    weir.counts("weir_limit_requests_total{limit=\"a\",outcome=\"observed\"}", 1.0);
    gate.open();
    one.sees(200);
    eventually("nobody is in", || weir.metric("weir_limit_keys{limit=\"a\"}") == 0.0);
}

#[test]
fn all_workers_share_one_limit() {
    let limit = "[limit.a]\nkey = \"client_ip\"\nrate = \"1/h\"\nburst = 100\n";
    let weir = Weir::start(&answering("\"a\"", &format!("{limit}[server]\nworkers = 3\n")), &[]);
    let admitted: usize = std::thread::scope(|scope| {
        let ask = || {
            let mut client = weir.client();
            (0..30).filter(|_| client.get("/").gets().unwrap().status == 200).count()
        };
        let clients: Vec<_> = (0..12).map(|_| scope.spawn(ask)).collect();
        clients.into_iter().map(|client| client.join().unwrap()).sum()
    });
    assert_eq!(admitted, 100);
}

#[test]
fn http2_is_limited_stream_by_stream() {
    let sections = "[limit.a]\nkey = \"client_ip\"\nrate = \"2/h\"\n\
                    [[listener]]\naddress = \"127.0.0.1:{port}\"\nprotocols = [\"http/1.1\", \"h2\"]\n";
    let weir = Weir::start(&answering("\"a\"", sections), &[]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let heads = runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(weir.address()).await.unwrap();
        let (client, connection) = h2::client::handshake(stream).await.unwrap();
        tokio::spawn(connection);
        let mut client = client.ready().await.unwrap();
        let mut heads = Vec::new();
        for _ in 0..3 {
            let request = http::Request::get("http://test.example/").body(()).unwrap();
            let (response, _) = client.send_request(request, true).unwrap();
            heads.push(tokio::time::timeout(PATIENCE, response).await.unwrap().unwrap().into_parts().0);
        }
        heads
    });
    assert_eq!(heads.iter().map(|head| head.status.as_u16()).collect::<Vec<_>>(), [200, 200, 429]);
    assert!(heads[2].headers.contains_key("retry-after"));
    assert_eq!(heads[2].headers["ratelimit-policy"], "\"a\";q=2;w=3600");
}

#[test]
fn what_was_used_outlives_a_reload_that_leaves_the_limit_as_it_is() {
    let sections = "[limit.a]\nkey = \"host\"\nrate = \"2/h\"\n";
    let weir = Weir::start(&answering("\"a\"", sections), &[]);
    let mut client = weir.client();
    client.get("/").sees(200);
    weir.becomes(&answering("\"a\"", &format!("{sections}fields = true\n")));
    let mut client = weir.client();
    client.get("/").sees(200).value("RateLimit").starts_with("\"a\";r=0").then_some(()).unwrap();
    client.get("/").sees(429);
    // Another rate begins anew.
    weir.becomes(&answering("\"a\"", "[limit.a]\nkey = \"host\"\nrate = \"3/h\"\n"));
    let mut client = weir.client();
    (0..3).for_each(|_| _ = client.get("/").sees(200));
    client.get("/").sees(429);
}

#[test]
fn a_flood_of_forged_keys_frees_nobody_and_takes_no_memory() {
    let limit = "[limit.a]\nkey = \"field:x-user\"\nrate = \"1/h\"\nmemory = \"64KiB\"\n";
    let weir = Weir::start(&answering("\"a\"", &format!("{limit}[server]\nworkers = 2\n")), &[]);
    let mut ann = weir.client();
    ann.get("/").field("X-User", "ann").sees(200);
    ann.get("/").field("X-User", "ann").sees(429);
    // So that what three clients take at first is not counted.
    let first = forged(&weir, 0, 500);
    let before = weir.metric("weir_memory_held_bytes");
    let admitted = first + forged(&weir, 1_500, 4_000);
    ann.get("/").field("X-User", "ann").sees(429);
    let (keys, most) = (weir.metric("weir_limit_keys{limit=\"a\"}"), weir.metric("weir_limit_keys_max{limit=\"a\"}"));
    assert!(keys <= most && keys > most * 0.9, "{keys} of {most}");
    // One for each place, and one for each set.
    assert!((admitted as f64) <= most + most / 15.0, "{admitted}");
    assert!(weir.metric("weir_limit_overflow_total{limit=\"a\"}") > 1_000.0);
    let more = weir.metric("weir_memory_held_bytes") - before;
    // Not a kilobyte for each; queues of the access log are in it.
    assert!(more < 12e6, "{more}");
}

/// Three clients at once ask as so many others each, counted from `from`; how many were let in.
fn forged(weir: &Weir, from: usize, each: usize) -> usize {
    std::thread::scope(|scope| {
        let flood = |from: usize| {
            let mut client = weir.client();
            let ask =
                move |n: usize| client.get("/").field("X-User", &format!("forged-{n}")).gets().unwrap().status == 200;
            (from..from + each).map(ask).filter(|admitted| *admitted).count()
        };
        let floods: Vec<_> = (0..3).map(|thread| scope.spawn(move || flood(from + thread * each))).collect();
        floods.into_iter().map(|flood| flood.join().unwrap()).sum()
    })
}

#[test]
fn the_status_shows_limits() {
    let weir = Weir::start(&answering("\"a\"", "[limit.a]\nkey = \"host\"\nrate = \"1/h\"\n"), &[]);
    let mut client = weir.client();
    client.get("/").sees(200);
    client.get("/").sees(429);
    weir.counts("weir_limit_requests_total{limit=\"a\",outcome=\"refused\"}", 1.0);
    let file = weir.path("weir.toml");
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_weir")).args(["status", "-c"]).arg(file).output();
    let said = String::from_utf8(output.unwrap().stdout).unwrap();
    assert!(said.contains("  a  rate 1/h, burst 1: 1 passed, 1 refused; 1 of "), "{said}");
}
