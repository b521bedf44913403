//! `weir status`, `weir drain` and `weir undrain`, which ask a process that runs.

#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]

mod support;

use std::process::Command;
use support::{Backend, Weir, eventually};

/// What a command prints, and whether it succeeds.
fn run(weir: &Weir, arguments: &[&str]) -> (bool, String) {
    let file = weir.path("weir.toml");
    let output = Command::new(env!("CARGO_BIN_EXE_weir")).args(arguments).arg("-c").arg(file).output().unwrap();
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    (output.status.success(), String::from_utf8(output.stdout).unwrap())
}

fn pool(backends: &[&Backend]) -> String {
    let addresses: Vec<_> = backends.iter().map(|backend| format!("\"{}\"", backend.address())).collect();
    format!(
        "[pool.app]\nbackends = [{}]\nhealth = {{ path = \"/healthz\", every = \"100ms\", timeout = \"100ms\", fall = 1 }}\n\
         [[route]]\npool = \"app\"\n",
        addresses.join(", ")
    )
}

#[test]
fn the_status_says_who_is_up_and_why_others_are_not() {
    let (good, bad) = (Backend::start(), Backend::start());
    bad.health(418);
    let weir = Weir::start(&pool(&[&good, &bad]), &[]);
    let (ok, said) = run(&weir, &["status"]);
    assert!(ok, "{said}");
    for part in [
        "ready, up ",
        "reloads 0, refused 0",
        "app: 1 of 2 backends may be used",
        &format!("{}  up", good.address()),
        &format!("{}  down", bad.address()),
        "last probe: it answered with status 418",
    ] {
        assert!(said.contains(part), "{part}\n{said}");
    }
    let json: serde_json::Value = serde_json::from_str(&run(&weir, &["status", "--json"]).1).unwrap();
    assert_eq!(json["pools"][0]["backends"][1]["state"], "down");
    good.health(503);
    eventually("a pool that is down fails the command", || !run(&weir, &["status"]).0);
}

#[test]
fn what_the_configuration_warned_of_and_names_that_stand_for_nothing_are_shown() {
    let dns = support::Dns::start();
    let text = format!(
        "[pool.app]\nbackends = [\"gone.test:80\"]\nresolve = {{ servers = \"{}\" }}\n\
         [pool.spare]\nbackends = [\"127.0.0.1:1\"]\n[[route]]\npool = \"app\"\n",
        dns.address()
    );
    let weir = Weir::start(&text, &[]);
    let (ok, said) = run(&weir, &["status"]);
    assert!(!ok && said.contains("warning: ") && said.contains("no route uses pool `spare`"), "{said}");
    assert!(said.contains("app: 0 of 0 backends may be used"), "{said}");
    assert!(said.contains("gone.test:80  cannot be resolved: the name does not exist"), "{said}");
    let (ok, said) = run(&weir, &["check"]);
    assert!(ok && said.contains("warning: [pool.app]: gone.test:80 cannot be resolved now"), "{said}");
}

#[test]
fn a_backend_is_taken_out_softly_and_put_back() {
    let (one, two) = (Backend::start(), Backend::start());
    let weir = Weir::start(&pool(&[&one, &two]), &[]);
    let mut client = weir.client();
    let (ok, said) = run(&weir, &["drain", "app", &two.address()]);
    assert!(ok && said == format!("app: {} gets no new exchanges\n", two.address()), "{said}");
    for _ in 0..6 {
        client.get("/").sees(200).body(&one.address());
    }
    assert!(run(&weir, &["status"]).1.contains("draining"));
    // A reload leaves it out, also with another check.
    weir.becomes(&pool(&[&one, &two]).replace("fall = 1", "fall = 2"));
    two.is_probed(2);
    for _ in 0..6 {
        client.get("/").sees(200).body(&one.address());
    }
    assert!(run(&weir, &["undrain", "app", &two.address()]).0);
    eventually("it is back", || client.get("/").sees(200).text() == two.address());
    let (ok, said) = run(&weir, &["drain", "app", "127.0.0.1:1"]);
    assert!(!ok && said.contains("has no backend \"127.0.0.1:1\": `weir status` lists them"), "{said}");
    // No page in a browser may do that.
    let path = format!("/v1/pools/app/backends/{}/drain", two.address());
    let mut browser = support::Client::connect(weir.at("admin"));
    browser.ask("POST", &path).field("Content-Type", "application/json").field("Origin", "http://a").sees(403);
    browser.ask("GET", &path).sees(405);
    client.get("/").sees(200);
}
