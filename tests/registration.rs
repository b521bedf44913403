//! Backends that register themselves: `PUT /v1/pools/POOL/backends/ADDRESS`, and what becomes of them.

#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]

mod support;

use serde_json::json;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use support::{Backend, Client, Crowd, Held, Mood, Registrar, Weir, eventually, json_of};

const WORKERS: &str = "secret-of-workers";

/// One pool, `app`, that takes registrations; `more` of it.
fn open(more: &str) -> String {
    format!(
        "[admin]\nlisten = \"127.0.0.1:{{admin}}\"\n\
         tokens = [{{ name = \"workers\", role = \"registrar\", secret = \"{WORKERS}\" }}]\n\
         [pool.app]\nregister = {{ tokens = [\"workers\"], ttl = \"10s\" }}\n{more}\n\
         [[route]]\npool = \"app\"\n"
    )
}

fn served_by(weir: &Weir) -> String {
    weir.client().get("/").sees(200).text()
}

#[test]
fn a_backend_registers_renews_and_leaves() {
    let (weir, one, two) = (Weir::start(&open(""), &[]), Backend::start(), Backend::start());
    let workers = Registrar::new(&weir, WORKERS);
    let empty = weir.client().get("/").field("Accept", "text/plain").sees(503).field("retry-after", "1");
    assert!(empty.text().contains("No server is there"), "{}", empty.text());
    weir.counts("weir_refusals_total{reason=\"pool_empty\"}", 1.0);
    let said = workers.puts("app", &one.address(), "{\"ttl\": \"5s\", \"zone\": \"a\"}");
    assert_eq!(said.status, 201, "{}", said.text());
    let said = json_of(&said);
    assert_eq!((&said["new"], &said["ttl"], &said["renew_after_ms"]), (&json!(true), &json!("5s"), &json!(1666)));
    // Who hears that it is registered is in the pool.
    assert_eq!(served_by(&weir), one.address());
    let again = workers.puts("app", &one.address(), "{\"weight\": 3, \"load\": 0.5}");
    assert_eq!((again.status, &json_of(&again)["new"]), (200, &json!(false)));
    workers.registers("app", &two.address(), "");
    let shown = json_of(&weir.admin(&format!("/v1/pools/app/backends/{}", one.address())));
    let lease = &shown["lease"];
    assert_eq!(
        (&shown["state"], &shown["available"], &lease["state"]),
        (&json!("up"), &json!(true), &json!("serving"))
    );
    // What is not said again has its default again.
    assert_eq!((&lease["weight"], &lease["zone"], &lease["ttl"]), (&json!(3), &json!(null), &json!("10s")));
    assert_eq!((&lease["load"], &lease["by"]), (&json!(0.5), &json!("workers")));
    assert!(lease["expires_in_ms"].as_u64().is_some_and(|left| (1..=10_000).contains(&left)), "{lease}");
    weir.counts("weir_leases{pool=\"app\",state=\"serving\"}", 2.0);
    weir.counts("weir_lease_renewals_total{pool=\"app\"}", 1.0);
    assert_eq!(workers.takes_out("app", &one.address())["left"], json!(true));
    assert_eq!(weir.leases("app"), [(two.address(), "serving".to_owned())]);
    for _ in 0..4 {
        assert_eq!(served_by(&weir), two.address());
    }
    assert_eq!(workers.asks("DELETE", &format!("/v1/pools/app/backends/{}", one.address()), "").status, 404);
    assert_eq!(weir.admin(&format!("/v1/pools/app/backends/{}", one.address())).status, 404);
    // A broken connection to the one that has left is nobody's failure.
    one.dies();
    assert_eq!(served_by(&weir), two.address());
}

#[test]
fn nobody_registers_what_is_not_his() {
    let text = "[admin]\nlisten = \"127.0.0.1:{admin}\"\ntokens = [\n\
         { name = \"workers\", role = \"registrar\", secret = \"secret-of-workers\" },\n\
         { name = \"others\", role = \"registrar\", secret = \"secret-of-others\", networks = [\"10.1.0.0/16\"] },\n\
         { name = \"ops\", role = \"operator\", secret = \"secret-of-operators\", networks = [\"10.2.0.0/16\"] },\n]\n\
         [pool.app]\nbackends = [\"127.0.0.1:9\"]\nregister = { tokens = [\"workers\"] }\n\
         [pool.other]\nregister = { tokens = [\"others\"] }\n[pool.closed]\nbackends = [\"127.0.0.1:9\"]\n\
         [[route]]\npath = \"/a\"\npool = \"app\"\n[[route]]\npath = \"/b\"\npool = \"other\"\n[[route]]\npool = \"closed\"\n";
    let weir = Weir::start(text, &[]);
    let admin = weir.at("admin").to_string();
    let token = |secret: &str| Registrar::new(&weir, secret);
    let long = format!("{{\"zone\": \"{}\"}}", "a".repeat(5_000));
    let cases = [
        ("", "app", "127.0.0.1:1", "", 401, "needs a token"),
        ("nobody's token", "app", "127.0.0.1:1", "", 401, "nobody has that token"),
        ("secret-of-others", "app", "10.1.0.1:1", "", 403, "does not name it"),
        ("secret-of-workers", "other", "10.1.0.1:1", "", 403, "does not name it"),
        ("secret-of-others", "other", "10.2.0.1:1", "", 403, "none of its `networks`"),
        ("secret-of-workers", "app", "169.254.169.254:80", "", 403, "none of its `networks`"),
        ("secret-of-workers", "app", "[::ffff:169.254.169.254]:80", "", 403, "none of its `networks`"),
        ("secret-of-workers", "app", &admin, "", 403, "address of this admin listener"),
        ("secret-of-workers", "app", "127.0.0.1:9", "", 409, "stands in `backends`"),
        ("secret-of-workers", "nowhere", "127.0.0.1:1", "", 404, "no pool of that name"),
        ("secret-of-workers", "closed", "127.0.0.1:1", "", 403, "takes no registrations"),
        ("secret-of-operators", "other", "10.1.0.1:1", "", 403, "none of its `networks`"),
        ("secret-of-workers", "app", "app.example:80", "", 400, "IP address with a port"),
        ("secret-of-workers", "app", "unix:%2Frun%2Fdocker.sock", "", 400, "IP address with a port"),
        ("secret-of-workers", "app", "127.0.0.1:1", "{\"ttl\": 1}", 400, "ttl: a duration"),
        ("secret-of-workers", "app", "127.0.0.1:1", "garbage", 400, "no JSON object"),
        ("secret-of-workers", "app", "127.0.0.1:1", &long, 413, "cannot be read"),
    ];
    for (secret, pool, address, json, status, why) in cases {
        let said = token(secret).puts(pool, address, json);
        assert_eq!(said.status, status, "{secret} {pool} {address}: {}", said.text());
        assert!(said.text().contains(why) && json_of(&said)["applied"] == json!(false), "{}", said.text());
        let wants = said.fields.get("www-authenticate");
        assert_eq!(wants.is_some_and(|wants| wants.starts_with("Bearer realm=\"weir\"")), status == 401);
        assert!(!said.text().contains("secret-of"), "{}", said.text());
    }
    token("secret-of-others").registers("other", "10.1.0.1:1", "");
    // Nor does anybody take out what is another pool's.
    let out = token("secret-of-workers").asks("DELETE", "/v1/pools/other/backends/10.1.0.1:1", "");
    assert_eq!(out.status, 403, "{}", out.text());
    token("secret-of-operators").registers("other", "10.2.0.1:1", "");
    // Nor one of the same pool that he could not register; an operator may.
    let out = token("secret-of-others").asks("DELETE", "/v1/pools/other/backends/10.2.0.1:1", "");
    assert!(out.status == 403 && out.text().contains("none of its `networks`"), "{}", out.text());
    assert_eq!(weir.leases("other").len(), 2);
    token("secret-of-operators").takes_out("other", "10.1.0.1:1");
    assert_eq!((weir.leases("app").len(), weir.leases("closed").len()), (0, 0));
    assert_eq!(token("secret-of-workers").asks("PATCH", "/v1/pools/app/backends/10.1.0.1:1", "").status, 405);
    assert_eq!(token("secret-of-workers").asks("PUT", "/v1/pools/app/backends", "").status, 405);
}

#[test]
fn with_an_operators_token_nobody_else_changes_anything() {
    let text = "[admin]\nlisten = \"127.0.0.1:{admin}\"\ntokens = [\n\
         { name = \"ops\", role = \"operator\", secret = { file = \"ops.token\" } },\n\
         { name = \"workers\", role = \"registrar\", secret = \"secret-of-workers\" },\n]\n\
         [cache.pages]\nmemory = \"16MiB\"\n[pool.app]\nregister = { tokens = [\"workers\"] }\n\
         [[route]]\npool = \"app\"\ncache = \"pages\"\n";
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("ops.token"), "secret-of-operators\n").unwrap();
    let weir = Weir::start_in(directory, text, &[]);
    for path in ["/", "/metrics", "/healthz", "/readyz", "/v1/status", "/v1/pools/app/backends"] {
        assert_eq!(weir.admin(path).status, 200, "{path}");
    }
    let ask = |secret: &str, method: &str, path: &str, json: &str| {
        Registrar::new(&weir, secret).asks(method, path, json).status
    };
    for (method, path, json, done) in [
        ("GET", "/v1/cache/top", "", 200),
        ("POST", "/v1/purge", "{\"all\": true}", 200),
        ("POST", "/v1/pools/app/backends/127.0.0.1:1/drain", "{}", 404),
        ("POST", "/v1/reload", "{}", 200),
    ] {
        assert_eq!(ask("", method, path, json), 401, "{path}");
        assert_eq!(ask("secret-of-nobody", method, path, json), 401, "{path}");
        assert_eq!(ask("secret-of-workers", method, path, json), 403, "{path}");
        assert_eq!(ask("secret-of-operators", method, path, json), done, "{path}");
    }
    // A token that changed is another one from the next reload on.
    std::fs::write(weir.path("ops.token"), "another secret of operators".replace(' ', "-")).unwrap();
    assert_eq!(ask("secret-of-operators", "POST", "/v1/reload", "{}"), 200);
    assert_eq!(ask("secret-of-operators", "POST", "/v1/reload", "{}"), 401);
    assert_eq!(ask("another-secret-of-operators", "POST", "/v1/reload", "{}"), 200);
}

#[test]
fn one_that_is_not_renewed_gets_nothing_once_its_time_is_over() {
    let (weir, stays, goes) = (Weir::start(&open(""), &[]), Backend::start(), Backend::start());
    let workers = Registrar::new(&weir, WORKERS);
    workers.registers("app", &stays.address(), "");
    workers.registers("app", &goes.address(), "{\"ttl\": \"1s\"}");
    let registered = Instant::now();
    let mut last = registered;
    let mut client = weir.client();
    while registered.elapsed() < Duration::from_millis(2_000) {
        let asked = Instant::now();
        if client.get("/").sees(200).text() == goes.address() {
            last = asked;
        }
    }
    let served = last - registered;
    println!("served for {served:?} by a lease of 1 s");
    assert!((Duration::from_millis(900)..Duration::from_millis(1_500)).contains(&served), "{served:?}");
    weir.leases_are("app", &[(&stays.address(), "serving")]);
    weir.counts("weir_lease_expiries_total{pool=\"app\"}", 1.0);
}

/// Holds the address of a process that was killed, takes and breaks whatever connects, and notes when somebody last did.
fn haunts(address: SocketAddr) -> Arc<Mutex<Vec<Instant>>> {
    let listener = TcpListener::bind(address).unwrap();
    let visits = Arc::<Mutex<Vec<Instant>>>::default();
    let noted = Arc::clone(&visits);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            noted.lock().unwrap().push(Instant::now());
            drop(stream);
        }
    });
    visits
}

#[test]
fn of_one_that_is_killed_nobody_hears_and_after_its_time_nobody_asks_it() {
    one_is_killed("");
}

#[test]
fn one_that_is_killed_and_not_ejected_for_its_failures_is_asked_until_its_lease_is_over_and_no_longer() {
    one_is_killed("outlier = \"off\"\nretry = { budget = \"100%\" }");
}

/// Under load, in a pool that says `more`: nobody sees a failure, and nothing comes to its address once its lease is over.
fn one_is_killed(more: &str) {
    const TTL: Duration = Duration::from_secs(2);
    let worker = "[[route]]\nrespond = { body = \"from a worker\" }\n";
    let (weir, mut killed) = (Weir::start(&open(more), &[]), Weir::start(worker, &[]));
    let others = [0; 2].map(|_| Weir::start(worker, &[]));
    let workers = Registrar::new(&weir, WORKERS);
    others.iter().for_each(|other| drop(workers.registers("app", &other.address().to_string(), "")));
    let address = killed.address();
    let crowd = Crowd::on(weir.address(), 8, Duration::from_millis(2));
    workers.registers("app", &address.to_string(), "{\"ttl\": \"2s\"}");
    let renewed = Instant::now();
    let attempts = format!("weir_attempts_total{{pool=\"app\",backend=\"{address}\"}}");
    eventually("it is busy", || weir.metric(&attempts) > 20.0);
    killed.is_killed();
    let visits = haunts(address);
    // The others go on renewing.
    eventually("it has left", || {
        others.iter().for_each(|other| drop(workers.registers("app", &other.address().to_string(), "")));
        weir.leases("app").len() == 2
    });
    let left = renewed.elapsed();
    // Whatever was chosen before is on its way by now.
    let before = crowd.seen();
    eventually("the load goes on", || crowd.seen() > before + 500);
    let seen = crowd.ends();
    let visits = visits.lock().unwrap();
    let last = visits.iter().max().map(|at| at.duration_since(renewed));
    println!(
        "{} fine; {} visits, the last after {last:?} of a lease of {TTL:?}; it left after {left:?}",
        seen.fine,
        visits.len()
    );
    assert!(seen.failures.is_empty() && seen.fine > 500, "{:?}", &seen.failures[..seen.failures.len().min(5)]);
    assert!(!visits.is_empty(), "nobody asked the one that was killed: nothing is shown by that");
    // One tick of the keeper, on a machine that others use too.
    assert!(last < Some(TTL + TICK), "{last:?}");
}

/// With nothing but the defaults, and none that is ejected: until its lease is half over, and it is looked at, a third of the load meets
/// a closed port.
#[test]
fn of_one_that_is_killed_and_at_whose_port_nobody_listens_nobody_hears_however_long_it_is_asked() {
    let worker = "[[route]]\nrespond = { body = \"from a worker\" }\n";
    let (weir, mut killed) = (Weir::start(&open("outlier = \"off\""), &[]), Weir::start(worker, &[]));
    let others = [0; 2].map(|_| Weir::start(worker, &[]));
    let workers = Registrar::new(&weir, WORKERS);
    let all_renew = || others.iter().for_each(|it| drop(workers.registers("app", &it.address().to_string(), "")));
    all_renew();
    let address = killed.address();
    let crowd = Crowd::on(weir.address(), 8, Duration::ZERO);
    workers.registers("app", &address.to_string(), "{\"ttl\": \"3s\"}");
    let renewed = Instant::now();
    let of = |what: &str| format!("{what}{{pool=\"app\",backend=\"{address}\"}}");
    eventually("it is busy", || weir.metric(&of("weir_attempts_total")) > 20.0);
    killed.is_killed();
    let failed = of("weir_connect_failures_total");
    let (mut refused, mut asked, mut last) = (0.0, 0, Duration::ZERO);
    eventually("it has left", || {
        all_renew();
        let now = weir.metric(&failed);
        if now > refused {
            (refused, asked, last) = (now, crowd.seen(), renewed.elapsed());
        }
        weir.leases("app").len() == 2
    });
    let before = crowd.seen();
    eventually("the load goes on", || crowd.seen() > before + 500);
    let seen = crowd.ends();
    println!("{} fine; {refused} of {asked} met a closed port, the last before {last:?} of a lease of 3 s", seen.fine);
    assert!(seen.failures.is_empty(), "{} of {}: {:?}", seen.failures.len(), seen.all(), seen.failures.first());
    // More than the budget would have paid for: ten in advance, and a fifth of what comes.
    assert!(refused > 10.0 + 0.2 * asked as f64, "{refused} of {asked}: nothing is shown by that");
    assert!(last < Duration::from_secs(3) + TICK, "{last:?}");
}

/// A tick of the clock, and what a busy machine may add to it.
const TICK: Duration = Duration::from_millis(500);

#[test]
fn a_network_that_is_cut_empties_no_pool() {
    let (weir, backends) = (Weir::start(&open(""), &[]), [0; 3].map(|_| Backend::start()));
    let workers = Registrar::new(&weir, WORKERS);
    let addresses = backends.each_ref().map(Backend::address);
    let all = |state| addresses.iter().map(|address| (address.as_str(), state)).collect::<Vec<_>>();
    addresses.iter().for_each(|address| drop(workers.registers("app", address, "{\"ttl\": \"1s\"}")));
    weir.leases_are("app", &all("kept"));
    assert!(weir.log.find(0, "more than half of a pool is silent").is_some());
    weir.counts("weir_leases_kept_total{pool=\"app\"}", 3.0);
    weir.counts("weir_leases{pool=\"app\",state=\"kept\"}", 3.0);
    let mut client = weir.client();
    let served: std::collections::BTreeSet<_> = (0..9).map(|_| client.get("/").sees(200).text()).collect();
    assert_eq!(served.len(), 3);
    // One of them is dead: it is found out, and gets nothing, though most are silent.
    backends[0].dies();
    eventually("it is down", || weir.backends("app").iter().any(|backend| backend["state"] == "down"));
    let before = backends[0].exchanges();
    (0..9).for_each(|_| drop(client.get("/").sees(200)));
    assert_eq!(backends[0].exchanges(), before);
    addresses[1..].iter().for_each(|address| drop(workers.registers("app", address, "")));
    weir.leases_are("app", &[(&addresses[1], "serving"), (&addresses[2], "serving")]);
    assert!(weir.log.find(0, "no lease is kept any more").is_some());
    assert_eq!(weir.log.text().matches("more than half of a pool is silent").count(), 1);
}

#[test]
fn the_only_one_that_is_killed_gets_no_traffic() {
    let (weir, only) = (Weir::start(&open(""), &[]), Backend::start());
    Registrar::new(&weir, WORKERS).registers("app", &only.address(), "{\"ttl\": \"1s\"}");
    only.dies();
    weir.leases_are("app", &[(&only.address(), "kept")]);
    weir.client().get("/").sees(503);
    // It is kept: as soon as it answers, it serves, without a word of its own.
    only.comes_back();
    eventually("it serves", || weir.client().get("/").gets().unwrap().status == 200);
}

#[test]
fn one_that_fails_its_check_gets_no_traffic() {
    let health = "health = { path = \"/healthz\", every = \"100ms\", timeout = \"100ms\", rise = 1, fall = 1 }";
    let (weir, ill) = (Weir::start(&open(health), &[]), Backend::start());
    ill.health(500);
    Registrar::new(&weir, WORKERS).registers("app", &ill.address(), "");
    ill.is_probed(2);
    weir.client().get("/").sees(503);
    let shown = &weir.backends("app")[0];
    assert_eq!((&shown["state"], &shown["lease"]["state"]), (&json!("down"), &json!("serving")));
    ill.health(200);
    eventually("it serves", || weir.client().get("/").gets().unwrap().status == 200);
}

#[test]
fn one_that_leaves_ends_what_it_has_and_whoever_asked_for_that_hears_of_it() {
    let (weir, slow, other) = (Weir::start(&open(""), &[]), Backend::start(), Backend::start());
    let workers = Registrar::new(&weir, WORKERS);
    workers.registers("app", &slow.address(), "");
    slow.is(Mood::Slow(Duration::from_millis(700)));
    let mut waits = weir.client();
    waits.get("/slow").sent();
    eventually("it is there", || slow.exchanges() == 1);
    workers.registers("app", &other.address(), "");
    let path = format!("/v1/pools/app/backends/{}", slow.address());
    let soon = workers.asks("DELETE", &format!("{path}?wait=0s"), "");
    assert_eq!((soon.status, &json_of(&soon)["left"]), (202, &json!(false)));
    assert_eq!(weir.leases("app").iter().find(|(address, _)| *address == slow.address()).unwrap().1, "draining");
    for _ in 0..4 {
        assert_eq!(served_by(&weir), other.address());
    }
    assert_eq!(workers.asks("DELETE", &path, "").status, 200);
    waits.sees(200).body(&slow.address());
    assert_eq!(slow.exchanges(), 1);
    assert_eq!(workers.asks("DELETE", &format!("{path}?wait=x"), "").status, 400);
}

#[test]
fn whoever_still_renews_one_that_leaves_does_not_keep_it_there() {
    let (weir, held, other) = (Weir::start(&open(""), &[]), Held::start(), Backend::start());
    let workers = Registrar::new(&weir, WORKERS);
    let mut waits = held.are_busy(&weir, &workers, "app", 1).remove(0);
    let leaves = held.address(1);
    workers.registers("app", &other.address(), "");
    // Kubernetes has the hook ask while all else of the pod goes on.
    let mut hook = Client::connect(weir.at("admin"));
    let path = format!("/v1/pools/app/backends/{leaves}?wait=30s");
    hook.ask("DELETE", &path).field("Authorization", &format!("Bearer {WORKERS}")).sent();
    weir.leases_are("app", &[(&leaves, "draining"), (&other.address(), "serving")]);
    for _ in 0..20 {
        let said = workers.puts("app", &leaves, "");
        assert_eq!((said.status, said.fields.get("retry-after").as_deref()), (409, Some("1")));
        assert!(said.text().contains("was taken out") && said.text().contains("once it has left"), "{}", said.text());
        assert_eq!(served_by(&weir), other.address());
    }
    held.answer();
    assert_eq!(json_of(&hook.sees(200))["left"], json!(true));
    waits.sees(200);
    // Once it has left, another one at its address is welcome.
    assert_eq!(workers.puts("app", &leaves, "").status, 201);
}

#[test]
fn however_many_are_taken_out_at_once_others_are_heard() {
    let (weir, held) = (Weir::start(&open("connections = { max = 1 }"), &[]), Held::start());
    let workers = Registrar::new(&weir, WORKERS);
    let waiting = held.are_busy(&weir, &workers, "app", 70);
    let authorization = format!("Bearer {WORKERS}");
    let hooks = (1..=70).map(|n| {
        let mut hook = Client::connect(weir.at("admin"));
        let path = format!("/v1/pools/app/backends/{}?wait=30s", held.address(n));
        hook.ask("DELETE", &path).field("Authorization", &authorization).sent();
        hook
    });
    let mut hooks: Vec<_> = hooks.collect();
    eventually("all are asked to leave", || {
        let all = weir.leases("app");
        all.len() == 70 && all.iter().all(|(_, state)| state == "draining")
    });
    assert_eq!(weir.admin("/metrics").status, 200);
    let one = Backend::start();
    workers.registers("app", &one.address(), "");
    // Some wait, and the rest are told to ask again, on connections that end.
    let mut told = Vec::new();
    eventually("the rest are told", || {
        told.extend(hooks.extract_if(.., |hook| !hook.nothing_for(Duration::from_millis(1))));
        told.len() == 70 - 32
    });
    for mut hook in told {
        let said = hook.sees(202).field("retry-after", "1").field("connection", "close");
        assert_eq!(json_of(&said)["left"], json!(false));
    }
    held.answer();
    for mut hook in hooks {
        assert_eq!(json_of(&hook.sees(200))["left"], json!(true));
    }
    for mut client in waiting {
        client.sees(200);
    }
    weir.leases_are("app", &[(&one.address(), "serving")]);
}

#[test]
fn who_reports_more_load_gets_less() {
    let (weir, idle, busy) = (Weir::start(&open(""), &[]), Backend::start(), Backend::start());
    let workers = Registrar::new(&weir, WORKERS);
    // Each report moves it halfway.
    for _ in 0..8 {
        workers.registers("app", &idle.address(), "{\"load\": 0}");
        workers.registers("app", &busy.address(), "{\"load\": 1}");
    }
    let mut client = weir.client();
    (0..100).for_each(|_| drop(client.get("/").sees(200)));
    assert!((78..=82).contains(&idle.exchanges()), "{} of 100", idle.exchanges());
}

#[test]
fn registrations_survive_reloads_upgrades_and_restarts() {
    let state = "[server]\nworkers = 1\nstate = \"kept\"\n";
    for text in [open(""), format!("{state}{}", open(""))] {
        let (mut weir, one, two) = (Weir::start(&text, &[]), Backend::start(), Backend::start());
        let is_kept = text.contains("state");
        Registrar::new(&weir, WORKERS).registers("app", &one.address(), "{\"weight\": 7, \"zone\": \"z\"}");
        weir.becomes(&text.replace("ttl = \"10s\"", "ttl = \"9s\""));
        assert_eq!(served_by(&weir), one.address());
        for _ in 0..2 {
            weir.upgrade().unwrap();
            assert_eq!(served_by(&weir), one.address());
            assert_eq!(weir.backends("app")[0]["lease"]["weight"], json!(7));
        }
        Registrar::new(&weir, WORKERS).registers("app", &two.address(), "{\"ttl\": \"9s\"}");
        weir.leases_are("app", &[(&one.address(), "serving"), (&two.address(), "serving")]);
        if !is_kept {
            continue;
        }
        weir.signal("TERM");
        weir.first_ends();
        weir.ends();
        weir.starts_again();
        weir.leases_are("app", &[(&one.address(), "serving"), (&two.address(), "serving")]);
        // All of its time is before it again.
        let left = weir.backends("app")[0]["lease"]["expires_in_ms"].as_u64().unwrap();
        assert!(left > 6_000, "{left}");
        served_by(&weir);
        Registrar::new(&weir, WORKERS).takes_out("app", &two.address());
        eventually("it is written", || {
            !std::fs::read_to_string(weir.path("kept/leases")).unwrap().contains(&two.address())
        });
        weir.is_killed();
        weir.starts_again();
        weir.leases_are("app", &[(&one.address(), "serving")]);
        assert_eq!(weir.backends("app")[0]["lease"]["zone"], json!("z"));
        weir.is_killed();
        std::fs::write(weir.path("kept/leases"), "garbage").unwrap();
        weir.starts_again();
        assert!(weir.log.find(0, "a damaged file is put aside").is_some());
        weir.leases_are("app", &[]);
    }
}

#[test]
fn a_pool_that_takes_none_any_more_forgets_them_and_a_reload_that_is_refused_does_not() {
    let text = open("backends = [\"{backend}\"]");
    let (own, one) = (Backend::start(), Backend::start());
    let weir = Weir::start(&text, &[("backend", &own.address())]);
    let workers = Registrar::new(&weir, WORKERS);
    workers.registers("app", &one.address(), "");
    let closed = text.replace("register = { tokens = [\"workers\"], ttl = \"10s\" }", "");
    weir.rewrite(&format!("{closed}[log]\naccess = {{ to = \"/nowhere/at/all\" }}\n"));
    assert!(weir.reload().is_err());
    assert_eq!(weir.leases("app").len(), 1);
    let mut client = weir.client();
    let served: std::collections::BTreeSet<_> = (0..4).map(|_| client.get("/").sees(200).text()).collect();
    assert_eq!(served.len(), 2);
    weir.becomes(&closed);
    (0..4).for_each(|_| drop(client.get("/").sees(200).body(&own.address())));
    assert_eq!(workers.puts("app", &one.address(), "").status, 403);
    weir.becomes(&text);
    assert_eq!(weir.leases("app").len(), 0);
    assert_eq!(weir.backends("app").len(), 1);
}

#[test]
fn over_a_unix_socket_nobody_needs_a_token() {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;
    let text = "[admin]\nlisten = \"unix:admin.sock\"\n[pool.app]\nregister = {}\n[[route]]\npool = \"app\"\n";
    let (weir, one) = (Weir::start(text, &[]), Backend::start());
    let ask = |method: &str| {
        let mut stream = UnixStream::connect(weir.path("admin.sock")).unwrap();
        let address = one.address();
        write!(stream, "{method} /v1/pools/app/backends/{address} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            .unwrap();
        let mut said = String::new();
        stream.read_to_string(&mut said).unwrap();
        said
    };
    let said = ask("PUT");
    assert!(said.starts_with("HTTP/1.1 201"), "{said}");
    assert!(ask("GET").contains("\"by\": \"unix\""));
    assert_eq!(Client::connect(weir.address()).get("/").sees(200).text(), one.address());
    assert!(ask("DELETE").starts_with("HTTP/1.1 200"));
}
