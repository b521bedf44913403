//! The ways in which Redis is reached: with TLS and a password, by sentinels, as a cluster. If it is not installed, that is
//! said, and the tests pass.

#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]

mod support;

use serde_json::Value;
use support::{Authority, Client, Gate, Origin, Redis, Weir, eventually, free_port};

/// A member by these lines of `[cluster]`, beside which stand `files`.
fn member(origin: &Origin, lines: &str, files: &[(&str, String)]) -> Weir {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(directory.path().join(name), text).unwrap();
    }
    let text = format!(
        "[cluster]\n{lines}\n[cache.pages]\nmemory = \"16MiB\"\n[waiting_room.sale]\nactive = 10\nenter = \"9/s\"\n\
         [limit.one]\nkey = \"client_ip\"\nconcurrency = 1\n[limit.often]\nkey = \"client_ip\"\nrate = \"1000/s\"\n\
         [limit.wide]\nkey = \"client_ip\"\nbandwidth = \"1GiB/s\"\n\
         [[route]]\npath = \"/sale\"\npool = \"app\"\nwaiting_room = \"sale\"\n\
         [[route]]\npath = \"/slow\"\npool = \"app\"\nlimits = [\"one\", \"often\", \"wide\"]\n\
         [[route]]\npool = \"app\"\ncache = \"pages\"\n"
    );
    Weir::start_in(directory, &text, &[("origin", &origin.address())])
}

/// Two of them find each other, purge, and have one limit.
fn work_together(origin: &Origin, a: &Weir, b: &Weir) {
    for weir in [a, b] {
        eventually("the fleet gathers", || {
            let status: Value = serde_json::from_slice(&weir.admin("/v1/status").body).unwrap();
            let is_shared = status["waiting_rooms"][0]["shared"] == true;
            status["fleet"]["members"] == 2 && status["fleet"]["redis"] == "up" && is_shared
        });
    }
    let mut client = Client::connect(a.at("admin"));
    let said = client.post("/v1/purge", r#"{"tag": "t"}"#).field("Content-Type", "application/json").sees(200).text();
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(said["fleet"]["members"], 2, "{said}");
    // What one has under way, the other counts.
    let gate = Gate::new();
    origin.replies(200).after(&gate).body("late");
    let (before, mut first) = (origin.count(), a.client());
    first.get("/slow").sent();
    origin.request(before);
    eventually("the other has heard", || b.client().get("/slow").gets().unwrap().status == 429);
    gate.open();
    first.sees(200).body("late");
    eventually("there is room again", || b.client().get("/slow").gets().unwrap().status == 200);
    for weir in [a, b] {
        let status: Value = serde_json::from_slice(&weir.admin("/v1/status").body).unwrap();
        assert_eq!(status["fleet"]["redis"], "up", "{status}");
        assert!(!weir.log.text().contains("NOPERM"), "{}", weir.log.text());
    }
}

/// The commands that `docs/fleet.md` says a user of Redis needs, as Redis is told of them.
fn allowed() -> Vec<String> {
    let page = include_str!("../docs/fleet.md");
    let (_, after) = page.split_once("needs them, and the commands").unwrap();
    let (list, _) = after.split_once("Tested with").unwrap();
    let commands = list.split('`').skip(1).step_by(2);
    commands.map(|command| format!("+{}", command.to_ascii_lowercase().replace(' ', "|"))).collect()
}

#[test]
fn over_tls_by_a_user_who_may_do_no_more_than_it_takes() {
    let (authority, directory) = (Authority::new(), tempfile::tempdir().unwrap());
    authority.writes(directory.path());
    std::fs::write(directory.path().join("own.pem"), authority.signs("localhost", "redis")).unwrap();
    let tls = free_port().to_string();
    let mut settings = vec!["--tls-port", &tls, "--tls-cert-file", "own.pem", "--tls-key-file", "own.pem"];
    settings.extend(["--tls-ca-cert-file", "ca.pem", "--tls-auth-clients", "no"]);
    settings.extend(["--user", "default", "off", "--user", "weir", "on", ">pass", "~{weir:shop}:*"]);
    let allowed = allowed();
    settings.extend(allowed.iter().map(String::as_str));
    let Some(_redis) = Redis::start_with(directory, &settings) else { return };
    let origin = Origin::start();
    let lines = format!("redis = \"rediss://weir@localhost:{tls}\"\nname = \"shop\"\nca = \"ca.pem\"\n");
    let with = format!("{lines}password = {{ file = \"password\" }}\n");
    let files = [("ca.pem", authority.pem()), ("password", "pass\n".to_owned())];
    let (a, b) = (member(&origin, &with, &files), member(&origin, &with, &files));
    work_together(&origin, &a, &b);
    // Who does not know the password, and who knows another authority, is not let in, and goes on alone.
    let stranger = member(&origin, &format!("{lines}password = \"other\"\n"), &files);
    let misled = member(&origin, &with, &[("ca.pem", Authority::new().pem()), ("password", "pass".to_owned())]);
    for weir in [&stranger, &misled] {
        weir.client().get("/").sees(200);
        eventually("it says why", || {
            let status: Value = serde_json::from_slice(&weir.admin("/v1/status").body).unwrap();
            status["fleet"]["redis"] == "down" && status["fleet"]["why"].is_string()
        });
        assert!(!weir.log.text().contains("other"), "a password in the log");
    }
}

#[test]
fn by_a_sentinel_that_knows_the_master() {
    let Some(master) = Redis::start_with(tempfile::tempdir().unwrap(), &["--requirepass", "pass"]) else { return };
    let port = master.port.to_string();
    let mut settings = vec!["--sentinel", "monitor", "shop", "127.0.0.1", &port, "1"];
    settings.extend(["--sentinel", "auth-pass", "shop", "pass"]);
    let Some(sentinel) = Redis::sentinel(&settings) else { return };
    let origin = Origin::start();
    let lines = format!("redis = \"{}\"\nsentinel = \"shop\"\npassword = \"pass\"\n", sentinel.url());
    work_together(&origin, &member(&origin, &lines, &[]), &member(&origin, &lines, &[]));
}

#[test]
fn by_a_node_of_a_redis_cluster() {
    let bus = free_port().to_string();
    let settings = ["--cluster-enabled", "yes", "--cluster-port", &bus, "--cluster-require-full-coverage", "no"];
    let Some(node) = Redis::start_with(tempfile::tempdir().unwrap(), &settings) else { return };
    assert!(node.says("CLUSTER ADDSLOTSRANGE 0 16383").unwrap().starts_with("+OK"));
    eventually("the cluster is whole", || node.says("CLUSTER INFO").unwrap().contains("cluster_state:ok"));
    let origin = Origin::start();
    let lines = format!("redis = \"{}\"\nsharded = true\n", node.url());
    work_together(&origin, &member(&origin, &lines, &[]), &member(&origin, &lines, &[]));
}
