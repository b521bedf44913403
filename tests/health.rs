//! Which backends get traffic: checks, failures that exchanges see, and what happens when none is left.

#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]

mod support;

use std::time::{Duration, Instant};
use support::{Backend, Crowd, Mood, Weir, eventually};

/// A pool of these backends, with `more` of its keys.
fn pool(backends: &[&Backend], more: &str) -> String {
    let addresses: Vec<_> = backends.iter().map(|backend| format!("\"{}\"", backend.address())).collect();
    format!("[pool.app]\nbackends = [{}]\n{more}\n[[route]]\npool = \"app\"\n", addresses.join(", "))
}

const CHECK: &str = "health = { path = \"/healthz\", every = \"100ms\", timeout = \"100ms\", rise = 2, fall = 2 }\n";

#[test]
fn a_backend_gets_traffic_once_its_first_probe_has_passed() {
    let (good, bad) = (Backend::start(), Backend::start());
    bad.health(503);
    let weir = Weir::start(&pool(&[&good, &bad], CHECK), &[]);
    let mut client = weir.client();
    for _ in 0..10 {
        client.get("/").sees(200).body(&good.address());
    }
    assert_eq!(bad.exchanges(), 0);
    assert!(weir.log.text().contains("it answered with status 503"));
    bad.health(200);
    eventually("it is up", || client.get("/").sees(200).text() == bad.address());
}

#[test]
fn a_backend_whose_probes_fail_in_a_row_gets_none_until_they_pass_in_a_row() {
    let (steady, shaky) = (Backend::start(), Backend::start());
    let weir = Weir::start(&pool(&[&steady, &shaky], CHECK), &[]);
    let mut client = weir.client();
    client.get("/").sees(200);
    client.get("/").sees(200);
    assert_eq!((steady.exchanges(), shaky.exchanges()), (1, 1), "both are up at once");
    shaky.health(500);
    shaky.is_probed(3);
    eventually("it is down", || weir.log.text().contains("down"));
    let before = shaky.exchanges();
    for _ in 0..10 {
        client.get("/").sees(200);
    }
    assert_eq!(shaky.exchanges(), before);
    shaky.health(204);
    eventually("it is up", || client.get("/").sees(200).text() == shaky.address());
}

#[test]
fn a_connection_is_enough_for_a_check_of_connections() {
    let (alive, dead) = (Backend::start(), Backend::start());
    dead.dies();
    let check = "health = { tcp = true, every = \"100ms\", timeout = \"100ms\" }\nretry = { attempts = 1 }\n";
    let weir = Weir::start(&pool(&[&alive, &dead], check), &[]);
    let mut client = weir.client();
    for _ in 0..6 {
        client.get("/").sees(200).body(&alive.address());
    }
    dead.comes_back();
    eventually("it is up", || client.get("/").sees(200).text() == dead.address());
}

#[test]
fn a_pool_that_is_down_says_so_at_once_and_serves_as_soon_as_one_is_back() {
    let (one, two) = (Backend::start(), Backend::start());
    one.health(500);
    two.health(500);
    // However many probes in a row are wanted otherwise: where nobody is left, the first that passes is enough.
    let check = CHECK.replace("rise = 2", "rise = 50");
    let weir = Weir::start(&pool(&[&one, &two], &format!("{check}slow_start = \"1s\"")), &[]);
    let mut client = weir.client();
    let began = Instant::now();
    for _ in 0..20 {
        client.get("/").sees(503).field("retry-after", "1");
    }
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    one.health(200);
    one.is_probed(1);
    eventually("it serves", || client.get("/").gets().unwrap().status == 200);
    assert!(one.probes() < 40, "{}", one.probes());
    // The other has to wait for its row.
    two.health(200);
    two.is_probed(2);
    for _ in 0..4 {
        client.get("/").sees(200).body(&one.address());
    }
}

#[test]
fn a_backend_that_came_back_begins_with_a_tenth_of_its_share() {
    let (steady, back) = (Backend::start(), Backend::start());
    back.health(500);
    let weir = Weir::start(&pool(&[&steady, &back], &format!("{CHECK}slow_start = \"1h\"")), &[]);
    let mut client = weir.client();
    client.get("/").sees(200).body(&steady.address());
    back.health(200);
    weir.counts(&format!("weir_backend_up{{pool=\"app\",backend=\"{}\"}}", back.address()), 1.0);
    let before = (steady.exchanges(), back.exchanges());
    for _ in 0..100 {
        client.get("/").sees(200);
    }
    let (steady, back) = (steady.exchanges() - before.0, back.exchanges() - before.1);
    assert!((7..=11).contains(&back) && steady + back == 100, "{back} and {steady}");
}

#[test]
fn in_panic_health_is_ignored() {
    let (one, two) = (Backend::start(), Backend::start());
    one.health(500);
    two.health(500);
    let weir = Weir::start(&pool(&[&one, &two], &format!("{CHECK}panic = \"50%\"")), &[]);
    let mut client = weir.client();
    client.get("/").sees(200);
    client.get("/").sees(200);
    assert_eq!((one.exchanges(), two.exchanges()), (1, 1));
}

#[test]
fn health_is_carried_over_a_reload_and_a_new_check_leaves_nobody_without_backends() {
    let (good, bad) = (Backend::start(), Backend::start());
    bad.health(500);
    let weir = Weir::start(&pool(&[&good, &bad], CHECK), &[]);
    weir.becomes(&format!("{}[[route]]\npath = \"/x\"\nrespond = {{}}\n", pool(&[&good, &bad], CHECK)));
    let mut client = weir.client();
    for _ in 0..6 {
        client.get("/").sees(200).body(&good.address());
    }
    // Another check, which has said nothing yet, does not take away what served.
    weir.becomes(&pool(&[&good, &bad], &CHECK.replace("100ms\", timeout", "1h\", timeout")));
    client.get("/").sees(200).body(&good.address());
    let third = Backend::start();
    weir.becomes(&pool(&[&third], CHECK));
    client.get("/").sees(200).body(&third.address());
}

/// Asks until the backend is ejected, or `most` exchanges have come to it.
fn is_ejected(weir: &Weir, backend: &Backend, most: usize) {
    let sample = format!("weir_ejections_total{{pool=\"app\",backend=\"{}\"}}", backend.address());
    for _ in 0..most * 3 {
        // A connection each, as a response that breaks off ends its own.
        let _ = weir.client().get("/").gets();
        if weir.metric(&sample) > 0.0 {
            break;
        }
    }
    assert!(weir.metric(&sample) > 0.0, "not ejected after {}", backend.exchanges());
    assert!(backend.exchanges() <= most, "{} exchanges", backend.exchanges());
    let (mut client, before) = (weir.client(), backend.exchanges());
    for _ in 0..10 {
        client.get("/").sees(200);
    }
    assert_eq!(backend.exchanges(), before, "it still gets traffic");
}

#[test]
fn a_backend_that_fails_in_a_row_is_ejected_within_the_count() {
    for mood in [Mood::Says(500), Mood::Resets, Mood::ResetsMidBody, Mood::Silent] {
        let (one, two, bad) = (Backend::start(), Backend::start(), Backend::start());
        bad.is(mood);
        let keys = "outlier = { consecutive_failures = 4, eject = \"1m\" }\ntimeouts = { first_byte = \"100ms\" }\n\
                    retry = { on = \"502-504\", attempts = 2 }\n";
        let weir = Weir::start(&pool(&[&one, &two, &bad], keys), &[]);
        is_ejected(&weir, &bad, 4);
    }
}

#[test]
fn a_backend_that_fails_half_of_all_is_ejected_by_its_rate() {
    let (one, two, bad) = (Backend::start(), Backend::start(), Backend::start());
    bad.is(Mood::SaysToHalf(500));
    let keys = "outlier = { requests_min = 20, failure_rate = \"40%\", eject = \"1m\" }\n";
    let weir = Weir::start(&pool(&[&one, &two, &bad], keys), &[]);
    // The rate is looked at when an exchange fails: the first at which there are twenty, or the next.
    is_ejected(&weir, &bad, 21);
}

#[test]
fn an_ejected_backend_comes_back_when_its_time_is_over() {
    let (good, bad) = (Backend::start(), Backend::start());
    bad.is(Mood::Says(503));
    let keys = "outlier = { consecutive_failures = 2, eject = \"200ms\" }\n";
    let weir = Weir::start(&pool(&[&good, &bad], keys), &[]);
    is_ejected(&weir, &bad, 2);
    bad.is(Mood::Fine);
    let mut client = weir.client();
    eventually("it is back", || client.get("/").sees(200).text() == bad.address());
}

#[test]
fn the_last_backend_is_never_ejected_nor_is_anybody_where_that_is_off() {
    let (one, two) = (Backend::start(), Backend::start());
    one.is(Mood::Says(500));
    two.is(Mood::Says(500));
    for keys in ["outlier = { consecutive_failures = 1, max_ejected = \"100%\" }", "outlier = \"off\""] {
        let weir = Weir::start(&pool(&[&one, &two], keys), &[]);
        let mut client = weir.client();
        let before = one.exchanges() + two.exchanges();
        for _ in 0..20 {
            client.get("/").sees(500);
        }
        assert_eq!(one.exchanges() + two.exchanges(), before + 20);
    }
}

#[test]
fn the_death_of_one_of_three_under_load_fails_nobody_and_it_is_back_after_its_rise() {
    let backends = [Backend::start(), Backend::start(), Backend::start()];
    let keys =
        format!("{CHECK}retry = {{ attempts = 3, on = [\"connect\", \"502\", \"503\", \"504\"], budget = \"20%\" }}\n");
    let weir = Weir::start(&pool(&[&backends[0], &backends[1], &backends[2]], &keys), &[]);
    let load = Crowd::on(weir.address(), 16, Duration::from_millis(5));
    eventually("all are busy", || backends.iter().all(|backend| backend.exchanges() > 100));
    let dead = &backends[1];
    let up = format!("weir_backend_up{{pool=\"app\",backend=\"{}\"}}", dead.address());
    dead.dies();
    let died = Instant::now();
    eventually("nobody is sent there", || weir.metric(&up) == 0.0);
    // One check interval with its jitter for each of `fall`, and the time of a probe; failures of exchanges say it sooner.
    let out = died.elapsed();
    assert!(out < Duration::from_millis(2 * 110 + 200), "{out:?}");
    eventually("its check says so", || weir.log.text().contains("down pool"));
    dead.comes_back();
    let back = Instant::now();
    eventually("it is up", || weir.metric(&up) == 1.0);
    let back = back.elapsed();
    assert!(back < Duration::from_millis(2 * 110 + 400), "{back:?}");
    let before = dead.exchanges();
    eventually("it gets its share", || dead.exchanges() > before + 50);
    eprintln!("out after {out:?}, back after {back:?}");
    let seen = load.ends();
    assert!(seen.failures.is_empty(), "{} of {}: {:?}", seen.failures.len(), seen.all(), seen.failures.first());
}

#[test]
fn attempts_stay_within_the_budget_however_much_fails() {
    let (one, two) = (Backend::start(), Backend::start());
    one.is(Mood::Says(503));
    two.is(Mood::Says(503));
    let keys = "outlier = \"off\"\nretry = { attempts = 5, on = \"503\", budget = \"10%\" }\n";
    let weir = Weir::start(&pool(&[&one, &two], keys), &[]);
    let mut client = weir.client();
    for _ in 0..500 {
        client.get("/").sees(503);
    }
    let attempts = one.exchanges() + two.exchanges();
    // Ten in advance, as the documentation says.
    assert!(attempts <= 550 + 10, "{attempts}");
    assert!(attempts >= 550, "{attempts}");
}

#[test]
fn backends_at_which_nobody_listens_cost_nothing_and_are_passed_over() {
    let (alive, dead) = (Backend::start(), [(); 5].map(|()| Backend::start()));
    dead.iter().for_each(Backend::dies);
    let all: Vec<_> = dead.iter().chain([&alive]).collect();
    let text = |retry: &str| pool(&all, &format!("outlier = \"off\"\nretry = {{ {retry} }}\n"));
    // More of them than attempts; and more failures than any budget pays for.
    let weir = Weir::start(&text("attempts = 2, budget = \"1%\""), &[]);
    let mut client = weir.client();
    for _ in 0..60 {
        client.get("/").sees(200).body(&alive.address());
    }
    assert_eq!(alive.exchanges(), 60);
    // Also for what may not be sent twice, as nothing of it was sent.
    client.post("/", "a=1").sees(200).body(&alive.address());
    for off in ["attempts = 1", "on = \"502\""] {
        weir.becomes(&text(off));
        let statuses: Vec<_> = (0..12).map(|_| weir.client().get("/").gets().unwrap().status).collect();
        let fine = statuses.iter().filter(|status| **status == 200).count();
        assert_eq!((fine, statuses.iter().filter(|status| **status == 502).count()), (2, 10), "{off}: {statuses:?}");
    }
}

#[test]
fn what_comes_to_backends_stays_within_the_budget_when_others_are_dead() {
    let (one, two, dead) = (Backend::start(), Backend::start(), Backend::start());
    one.is(Mood::Says(503));
    two.is(Mood::Says(503));
    dead.dies();
    let keys = "outlier = \"off\"\nretry = { attempts = 5, on = [\"connect\", \"503\"], budget = \"10%\" }\n";
    let weir = Weir::start(&pool(&[&one, &two, &dead], keys), &[]);
    let mut client = weir.client();
    for _ in 0..500 {
        client.get("/").gets().unwrap();
    }
    let attempts = one.exchanges() + two.exchanges();
    assert!(attempts <= 550 + 10, "{attempts}");
    assert!(attempts >= 500, "{attempts}");
}
