//! `weir register`: a backend's own command at work, in the pool for as long as it is healthy.

#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]

mod support;

use serde_json::json;
use socket2::{Domain, SockAddr, Socket, Type};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use support::{Backend, Client, Crowd, Held, Mood, Registered, Registrar, Terminal, Weir, eventually, free_port};

const OPEN: &str = "[admin]\nlisten = \"127.0.0.1:{admin}\"\n\
    tokens = [{ name = \"workers\", role = \"registrar\", secret = { file = \"workers.token\" } }]\n\
    [pool.app]\nregister = { tokens = [\"workers\"], ttl = \"1s\" }\n[[route]]\npool = \"app\"\n";

/// What waits until it is asked to end, says so, and ends with 7.
const WAITS: &str = "trap 'echo asked > asked; exit 7' TERM; for name in HUP USR1 USR2 WINCH TTIN TTOU CONT ALRM; \
     do trap \"echo heard > heard-$name\" $name; done; echo ready > ready; while :; do sleep 0.05; done";

fn weir() -> Weir {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("workers.token"), "secret-of-workers\n").unwrap();
    Weir::start_in(directory, OPEN, &[])
}

/// Registers the backend at that address, with a shell script for a command.
fn registered(weir: &Weir, address: &str, more: &[&str], script: &str) -> Registered {
    let it = Registered::start(weir, address, more, &["sh", "-c", script]);
    if script == WAITS {
        eventually("the command is ready for signals", || is_there(&it.path("ready")));
    }
    it
}

fn is_there(file: &Path) -> bool {
    file.exists()
}

#[test]
fn it_is_in_the_pool_once_it_is_healthy_and_leaves_before_its_command_hears_of_it() {
    let (weir, backend) = (weir(), Backend::start());
    backend.health(503);
    let (address, more) = (backend.address(), ["--check", "/healthz", "--weight", "3", "--zone", "eu/a"]);
    let mut it = registered(&weir, &address, &more, WAITS);
    backend.is_probed(2);
    assert_eq!(weir.leases("app"), []);
    backend.health(204);
    weir.leases_are("app", &[(&address, "serving")]);
    assert!(it.said("registered"));
    let lease = &weir.backends("app")[0]["lease"];
    assert_eq!((&lease["weight"], &lease["zone"], &lease["by"]), (&json!(3), &json!("eu/a"), &json!("workers")));
    // It outlives its lease many times.
    let renewals = "weir_lease_renewals_total{pool=\"app\"}";
    eventually("it is renewed", || weir.metric(renewals) >= 5.0);
    assert_eq!(weir.leases("app"), [(address.clone(), "serving".to_owned())]);
    let asked = it.path("asked");
    backend.is(Mood::Slow(Duration::from_millis(700)));
    let mut client = weir.client();
    client.get("/slow").sent();
    eventually("it is there", || backend.exchanges() == 1);
    for name in ["HUP", "USR1", "USR2", "WINCH", "TTIN", "TTOU", "CONT", "ALRM"] {
        it.signal(name);
        eventually("other signals are passed on", || is_there(&it.path(&format!("heard-{name}"))));
    }
    it.signal("TERM");
    weir.leases_are("app", &[(&address, "draining")]);
    assert!(!is_there(&asked), "the command heard of it before the backend was drained");
    client.sees(200);
    assert_eq!(it.ends(), Some(7));
    assert!(is_there(&asked));
    assert_eq!(weir.leases("app"), []);
}

#[test]
fn it_ends_as_its_command_does_and_is_gone_at_once() {
    let (weir, backend) = (weir(), Backend::start());
    for (script, code) in [
        ("while [ ! -e end ]; do sleep 0.05; done; exit 3", 3),
        ("while [ ! -e end ]; do sleep 0.05; done", 0),
        ("while [ ! -e end ]; do sleep 0.05; done; kill -9 $$", 137),
    ] {
        let mut it = registered(&weir, &backend.address(), &["--ttl", "1s"], script);
        weir.leases_are("app", &[(&backend.address(), "serving")]);
        std::fs::write(it.path("end"), "").unwrap();
        assert_eq!(it.ends(), Some(code), "{script}");
        weir.leases_are("app", &[]);
    }
    weir.counts("weir_lease_expiries_total{pool=\"app\"}", 0.0);
}

#[test]
fn it_registers_in_a_container_that_somebody_entered() {
    let (weir, backend) = (weir(), Backend::start());
    let script = "while [ ! -e end ]; do sleep 0.05; done; exit 3";
    let Some(mut it) = Registered::start_contained(&weir, &backend.address(), &["sh", "-c", script]) else { return };
    weir.leases_are("app", &[(&backend.address(), "serving")]);
    std::fs::write(it.path("end"), "").unwrap();
    assert_eq!(it.ends(), Some(3));
    weir.leases_are("app", &[]);
}

#[test]
fn as_the_first_process_of_a_container_it_buries_orphans() {
    let (weir, backend) = (weir(), Backend::start());
    // A zombie could still be signalled.
    let script = "(sh -c 'echo $$ > orphan' &); while [ ! -s orphan ]; do sleep 0.05; done; \
         while kill -0 $(cat orphan) 2> /dev/null; do sleep 0.05; done; echo gone > gone; \
         while [ ! -e end ]; do sleep 0.05; done; exit 3";
    let Some(mut it) = Registered::start_contained(&weir, &backend.address(), &["sh", "-c", script]) else { return };
    eventually("the orphan is gone", || is_there(&it.path("gone")));
    std::fs::write(it.path("end"), "").unwrap();
    assert_eq!(it.ends(), Some(3));
}

#[test]
fn it_is_registered_with_each_of_several_weirs_by_itself() {
    let (mut one, two, backend) = (weir(), weir(), Backend::start());
    let address = backend.address();
    // By a name, as one of them would have it in Kubernetes.
    let named = format!("localhost:{}", two.at("admin").port());
    let mut it = registered(&one, &address, &["--admin", &named], WAITS);
    for weir in [&one, &two] {
        weir.leases_are("app", &[(&address, "serving")]);
    }
    assert!(it.said(&format!("app {address} at {named}: registered")));
    one.is_killed();
    assert!(it.said(&format!("at {}: not registered: no answer", one.at("admin"))));
    let renewals = || two.metric("weir_lease_renewals_total{pool=\"app\"}");
    let before = renewals();
    eventually("it is renewed where it still can be", || renewals() > before + 3.0);
    one.starts_again();
    one.leases_are("app", &[(&address, "serving")]);
    backend.is(Mood::Slow(Duration::from_millis(1_500)));
    let mut client = two.client();
    client.get("/slow").sent();
    eventually("it is there", || backend.exchanges() == 1);
    it.signal("TERM");
    two.leases_are("app", &[(&address, "draining")]);
    one.leases_are("app", &[]);
    assert!(!is_there(&it.path("asked")), "the command heard of it before the backend was drained");
    client.sees(200);
    assert_eq!(it.ends(), Some(7));
    two.leases_are("app", &[]);
}

#[test]
fn whoever_asks_twice_does_not_wait_for_the_drain() {
    let (weir, backend) = (weir(), Backend::start());
    let mut it = registered(&weir, &backend.address(), &[], WAITS);
    weir.leases_are("app", &[(&backend.address(), "serving")]);
    backend.is(Mood::Slow(Duration::from_secs(9)));
    let mut client = weir.client();
    client.get("/slow").sent();
    eventually("it is there", || backend.exchanges() == 1);
    it.signal("TERM");
    weir.leases_are("app", &[(&backend.address(), "draining")]);
    it.signal("TERM");
    assert_eq!(it.ends(), Some(7));
    assert_eq!(weir.leases("app"), [(backend.address(), "draining".to_owned())]);
}

#[test]
fn it_asks_again_where_too_many_wait_for_drains() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("workers.token"), "secret-of-workers\n").unwrap();
    let text = OPEN.replace("ttl = \"1s\" }", "ttl = \"1m\" }\nconnections = { max = 1 }");
    let (weir, held, backend) = (Weir::start_in(directory, &text, &[]), Held::start(), Backend::start());
    let others = held.are_busy(&weir, &Registrar::new(&weir, "secret-of-workers"), "app", 32);
    let hooks = (1..=32).map(|n| {
        let mut hook = Client::connect(weir.at("admin"));
        let path = format!("/v1/pools/app/backends/{}", held.address(n));
        hook.ask("DELETE", &path).field("Authorization", "Bearer secret-of-workers").sent();
        hook
    });
    let hooks: Vec<_> = hooks.collect();
    eventually("all places are taken", || weir.leases("app").iter().all(|(_, state)| state == "draining"));
    let mut it = registered(&weir, &backend.address(), &[], WAITS);
    assert!(it.said("registered"));
    backend.is(Mood::Slow(Duration::from_millis(2_500)));
    let mut client = weir.client();
    client.get("/slow").sent();
    eventually("it is there", || backend.exchanges() == 1);
    it.signal("TERM");
    client.sees(200);
    assert!(!is_there(&it.path("asked")), "the command heard of it before the backend was drained");
    assert_eq!(it.ends(), Some(7));
    assert!(weir.leases("app").iter().all(|(address, _)| *address != backend.address()));
    held.answer();
    drop((hooks, others));
}

#[test]
fn a_weir_that_hangs_does_not_hold_up_the_end() {
    let (weir, backend) = (weir(), Backend::start());
    let mut it = registered(&weir, &backend.address(), &[], WAITS);
    assert!(it.said("registered"));
    ends_while_it_hangs(&weir, &mut it);
    let text = "[admin]\nlisten = \"unix:admin.sock\"\n[pool.app]\nregister = {}\n[[route]]\npool = \"app\"\n";
    let weir = Weir::start(text, &[]);
    let admin = format!("unix:{}", weir.path("admin.sock").display());
    let mut it = Registered::start_at(&[&admin], &backend.address(), &["sh", "-c", WAITS]);
    assert!(it.said("registered"));
    eventually("the command is ready for signals", || is_there(&it.path("ready")));
    ends_while_it_hangs(&weir, &mut it);
}

fn ends_while_it_hangs(weir: &Weir, it: &mut Registered) {
    weir.signal("STOP");
    let begun = Instant::now();
    it.signal("TERM");
    assert_eq!(it.ends(), Some(7));
    println!("it ended after {:?}", begun.elapsed());
    assert!(it.said("not taken out: "));
    weir.signal("CONT");
}

#[test]
fn nor_does_a_socket_that_takes_no_connection() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("admin.sock");
    let (address, socket) = (SockAddr::unix(&path).unwrap(), || Socket::new(Domain::UNIX, Type::STREAM, None).unwrap());
    let nobody = socket();
    nobody.bind(&address).unwrap();
    nobody.listen(0).unwrap();
    let mut waiting = Vec::new();
    loop {
        let one = socket();
        one.set_nonblocking(true).unwrap();
        let is_full = one.connect(&address).is_err();
        waiting.push(one);
        if is_full {
            break;
        }
    }
    let (backend, admin) = (Backend::start(), format!("unix:{}", path.display()));
    let mut it = Registered::start_at(&[&admin], &backend.address(), &["sh", "-c", WAITS]);
    assert!(it.said("not registered: no answer from the admin listener"));
    eventually("the command is ready for signals", || is_there(&it.path("ready")));
    it.signal("TERM");
    assert_eq!(it.ends(), Some(7));
}

/// An admin listener that takes what is asked and says nothing, but for the first `answered`; what was asked.
fn dumb(answered: Vec<&'static str>) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, heard) = (listener.local_addr().unwrap().to_string(), Arc::new(Mutex::new(Vec::new())));
    let noted = Arc::clone(&heard);
    std::thread::spawn(move || {
        let mut answers = answered.into_iter();
        let mut held = Vec::new();
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut line = String::new();
            BufReader::new(&stream).read_line(&mut line).unwrap();
            noted.lock().unwrap().push(line.split_once(" HTTP").unwrap().0.to_owned());
            if let Some(content) = answers.next() {
                let said = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{content}", content.len());
                stream.write_all(said.as_bytes()).unwrap();
            }
            held.push(stream);
        }
    });
    (address, heard)
}

/// An answer to a registration that is to be renewed at once.
const GRANTED: &str = "{\"applied\": true, \"renew_after_ms\": 100}";

#[test]
fn whoever_asks_twice_while_a_renewal_hangs_has_it_taken_out_all_the_same() {
    let (backend, (admin, heard)) = (Backend::start(), dumb(vec![GRANTED]));
    let mut it = Registered::start_at(&[&admin], &backend.address(), &["sh", "-c", WAITS]);
    eventually("the command is ready for signals", || is_there(&it.path("ready")));
    eventually("a renewal hangs", || heard.lock().unwrap().len() == 2);
    eventually("it is told more than once", || {
        it.signal("TERM");
        is_there(&it.path("asked"))
    });
    assert_eq!(it.ends(), Some(7));
    let heard = heard.lock().unwrap();
    assert!(heard.iter().any(|asked| asked.starts_with("DELETE ") && asked.ends_with("?wait=0ms")), "{heard:?}");
}

#[test]
fn one_of_which_it_is_not_known_whether_it_is_registered_is_taken_out() {
    let (backend, (admin, heard)) = (Backend::start(), dumb(vec![]));
    let mut it = Registered::start_at(&[&admin], &backend.address(), &["sh", "-c", WAITS]);
    eventually("the command is ready for signals", || is_there(&it.path("ready")));
    eventually("a registration hangs", || heard.lock().unwrap().len() == 1);
    it.signal("TERM");
    assert_eq!(it.ends(), Some(7));
    let heard = heard.lock().unwrap();
    assert!(heard.iter().any(|asked| asked.starts_with("DELETE ")), "{heard:?}");
}

#[test]
fn it_stays_registered_if_nobody_reads_what_it_says() {
    let (weir, backend) = (weir(), Backend::start());
    let it = Registered::start_unheard(&weir, &backend.address(), &["sh", "-c", WAITS]);
    let renewals = "weir_lease_renewals_total{pool=\"app\"}";
    eventually("it is renewed", || weir.metric(renewals) >= 3.0);
    drop(it);
}

#[test]
fn in_a_terminal_its_output_is_not_held_up_and_ctrl_c_comes_after_the_drain() {
    let (weir, backend, directory) = (weir(), Backend::start(), tempfile::tempdir().unwrap());
    // As gunicorn does, it has a meaning of its own for the signals of a terminal.
    let speaks = "trap 'echo x >> caught' TTOU TTIN; trap 'echo asked > asked; exit 7' INT; \
         while :; do echo a line; echo x >> lines; sleep 0.05; done";
    let (admin, token, address) = (weir.at("admin").to_string(), weir.path("workers.token"), backend.address());
    let register = [env!("CARGO_BIN_EXE_weir"), "register", "--pool", "app", "--address", &address];
    let to = ["--admin", &admin, "--token-file", token.to_str().unwrap(), "--", "sh", "-c", speaks];
    let Some(mut terminal) = Terminal::of(&[&register[..], &to].concat(), directory.path()) else { return };
    let count = |file: &str| std::fs::read_to_string(directory.path().join(file)).unwrap_or_default().lines().count();
    weir.leases_are("app", &[(&address, "serving")]);
    eventually("it speaks", || count("lines") > 10);
    assert!(terminal.said("a line") && count("caught") == 0, "it was held up");
    backend.is(Mood::Slow(Duration::from_millis(700)));
    let mut client = weir.client();
    client.get("/slow").sent();
    eventually("it is there", || backend.exchanges() == 1);
    terminal.ctrl_c();
    weir.leases_are("app", &[(&address, "draining")]);
    assert_eq!(count("asked"), 0, "the command heard of it before the backend was drained");
    client.sees(200);
    eventually("it ends as its command does", || terminal.ended() == Some(Some(7)));
    assert_eq!((count("asked"), count("caught")), (1, 0));
}

#[test]
fn one_that_falls_ill_is_not_renewed_and_comes_back_by_itself() {
    let (weir, ill, well) = (weir(), Backend::start(), [0; 2].map(|_| Backend::start()));
    let others = well.each_ref().map(|backend| registered(&weir, &backend.address(), &[], WAITS));
    let it = registered(&weir, &ill.address(), &["--check", "/healthz"], WAITS);
    eventually("all are there", || weir.leases("app").len() == 3);
    ill.health(500);
    eventually("it has left", || weir.leases("app").len() == 2);
    assert!(it.said("not healthy, and not renewed: status 500"));
    ill.health(200);
    eventually("it is back", || weir.leases("app").len() == 3);
    drop(others);
}

#[test]
fn it_serves_on_without_weir_and_registers_with_the_next_one() {
    let (mut weir, backend) = (weir(), Backend::start());
    let mut it = registered(&weir, &backend.address(), &[], WAITS);
    weir.leases_are("app", &[(&backend.address(), "serving")]);
    weir.is_killed();
    assert!(it.said("not registered: no answer from the admin listener"));
    weir.starts_again();
    weir.leases_are("app", &[(&backend.address(), "serving")]);
    // With nobody to tell, it ends without delay.
    weir.is_killed();
    it.signal("TERM");
    assert_eq!(it.ends(), Some(7));
}

#[test]
fn what_is_wrong_is_said() {
    let (weir, backend) = (weir(), Backend::start());
    let address = backend.address();
    std::fs::write(weir.path("other.token"), "secret-of-nobody").unwrap();
    let mut it = Registered::start_with(&weir, &address, "other.token", &[], &["sh", "-c", WAITS]);
    assert!(it.said("not registered: nobody has that token"));
    eventually("the command is ready for signals", || is_there(&it.path("ready")));
    it.signal("TERM");
    assert_eq!(it.ends(), Some(7));
    for (more, why) in [
        (["--ttl", "1d"], "ttl: a duration"),
        (["--check", "healthz"], "--check: a path begins with `/`"),
        (["--zone", "a b"], "zone: 1 to 64"),
        (["--token-file", "nowhere"], "nowhere"),
    ] {
        let token = if more[0] == "--token-file" { "" } else { "workers.token" };
        let mut it = Registered::start_with(&weir, &address, token, &more, &["sh", "-c", "touch ran"]);
        assert_eq!(it.ends(), Some(1));
        assert!(it.said(why) && !is_there(&it.path("ran")), "{why}");
    }
    let mut it = Registered::start(&weir, &address, &[], &["no-such-program"]);
    assert_eq!(it.ends(), Some(1));
    assert!(it.said("no-such-program: "));
}

#[test]
fn backends_are_replaced_under_load_and_nobody_notices() {
    let weir = weir();
    let worker = tempfile::tempdir().unwrap();
    let start = || {
        let port = free_port();
        let file = worker.path().join(format!("{port}.toml"));
        let text = format!(
            "version = 1\n[[listener]]\naddress = \"127.0.0.1:{port}\"\n[[route]]\nrespond = {{ body = \"a worker\" }}\n"
        );
        std::fs::write(&file, text).unwrap();
        let binary = env!("CARGO_BIN_EXE_weir");
        let command = [binary, "run", "-c", file.to_str().unwrap()];
        Registered::start(&weir, &format!("127.0.0.1:{port}"), &["--check", "/"], &command)
    };
    let mut old = [start(), start()];
    eventually("both serve", || weir.leases("app").len() == 2);
    let crowd = Crowd::on(weir.address(), 8, Duration::from_millis(2));
    for old in &mut old {
        let before = crowd.seen();
        let new = start();
        eventually("the new one serves", || weir.leases("app").len() == 3);
        old.signal("TERM");
        assert_eq!(old.ends(), Some(0));
        eventually("the load goes on", || crowd.seen() > before + 200);
        *old = new;
    }
    let seen = crowd.ends();
    println!("{} fine, {} failed", seen.fine, seen.failures.len());
    assert!(seen.failures.is_empty() && seen.fine > 400, "{:?}", seen.failures.first());
}
