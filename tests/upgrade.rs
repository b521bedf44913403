//! SIGUSR2 and `weir upgrade`: another process takes over, and nobody notices; or it cannot, and the old one serves on.

#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]

mod support;

use std::fs;
use std::net::TcpStream;
use std::process::{Command, Stdio};
use support::installed::{install, install_script, installed};
use support::load::{Load, echo};
use support::{Client, Puppet, Weir, eventually};

const TWO_WORKERS: &str = "[server]\nworkers = 2\n";
const ALL: &str = "[[route]]\npool = \"app\"\n";

fn says(word: &str) -> String {
    format!("[[route]]\nrespond = {{ body = \"{word}\" }}\n")
}

#[test]
fn nothing_fails_through_three_reloads_and_an_upgrade_under_load() {
    let origin = echo().to_string();
    let text = |mark: u32| {
        format!("{TWO_WORKERS}[[route]]\npool = \"app\"\nresponse = {{ set = {{ \"x-mark\" = \"{mark}\" }} }}\n")
    };
    let mut weir = Weir::start(&text(0), &[("origin", &origin)]);
    let load = Load::start(weir.address(), 32, 1500);
    load.goes_on(1000);
    for mark in 1..=3 {
        weir.becomes(&text(mark));
        load.goes_on(1000);
    }
    weir.upgrade().unwrap();
    load.goes_on(3000);
    assert!(weir.first_ends().success());
    load.goes_on(1000);
    let tally = load.stop();
    println!("{tally:?}");
    assert_eq!(tally.failed, [""; 0]);
    weir.client().get("/x").sees(200).field("x-mark", "3");
    weir.counts("weir_upgrades_total{result=\"ok\"}", 1.0);
}

#[test]
fn new_connections_are_all_served_while_workers_become_more_and_fewer() {
    let origin = echo().to_string();
    let text = |workers: u32| format!("[server]\nworkers = {workers}\n{ALL}");
    let mut weir = Weir::start(&text(4), &[("origin", &origin)]);
    let load = Load::start_fresh(weir.address(), 16, 500);
    load.goes_on(200);
    for workers in [1, 3, 5] {
        weir.rewrite(&text(workers));
        weir.upgrade().unwrap();
        load.goes_on(300);
    }
    let tally = load.stop();
    println!("{tally:?}");
    assert_eq!((tally.failed, tally.repeated), (vec![], 0));
}

#[test]
fn what_is_in_flight_ends_on_the_old_process_and_new_connections_go_to_the_new_one() {
    let origin = Puppet::start();
    let text = |word: &str| format!("{ALL}[[route]]\npath = \"/x\"\nrespond = {{ body = \"{word}\" }}\n");
    let mut weir = Weir::start(&text("old"), &[("origin", &origin.address())]);
    let first = weir.pid();
    let (mut idle, mut fresh) = (weir.client(), weir.client());
    idle.get("/x").sees(200).body("old");
    let mut long = weir.client();
    long.get("/long").sent();
    let mut sending = origin.accepts();
    sending.gets();
    sending.send("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nbef");
    long.sees_head(200);
    let mut tunnel = weir.client();
    tunnel.send(
        "GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
    );
    let mut echoing = origin.accepts();
    echoing.gets_head();
    echoing.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
    tunnel.sees(101);
    weir.rewrite(&text("new"));
    weir.upgrade().unwrap();
    assert_ne!(weir.pid(), first);
    weir.client().get("/x").sees(200).body("new").lacks("connection");
    assert_eq!(weir.admin("/readyz").status, 200);
    // Whoever was there may ask once more, and is told to come back.
    idle.get("/x").sees(200).body("old").field("connection", "close");
    idle.ends();
    fresh.get("/x").sees(200).body("old").field("connection", "close");
    // Whoever stops the service now tells both; this one is leaving already.
    support::kill("TERM", first);
    for text in ["ping", "pong"] {
        tunnel.send(text);
        assert_eq!(echoing.exactly(4).unwrap(), text.as_bytes());
        echoing.send(text);
        assert_eq!(tunnel.exactly(4).unwrap(), text.as_bytes());
    }
    sending.send("ore");
    assert_eq!(long.exactly(6).unwrap(), b"before");
    assert!(TcpStream::connect(weir.address()).is_ok());
    drop(echoing);
    tunnel.ends();
    assert!(weir.first_ends().success());
    weir.client().get("/x").sees(200).body("new");
    assert!(!weir.log.text().contains("cut off"));
}

#[test]
fn the_file_that_lies_there_now_is_started_with_the_same_arguments_and_environment() {
    let (mut weir, binary) = installed(&says("${WORD:-}").replace("${WORD:-}", "old"), &[]);
    let real = binary.with_extension("real");
    install(env!("CARGO_BIN_EXE_weir").as_ref(), &real);
    install_script(&format!("WORD=\"new $*\" exec {} \"$@\"", real.display()), &binary);
    weir.rewrite(&says("${WORD}"));
    weir.upgrade().unwrap();
    let file = weir.path("weir.toml");
    weir.client().get("/").sees(200).body(&format!("new run -c {}", file.display()));
    assert!(weir.first_ends().success());
    // The new process can be replaced as well. It was started by another name, which leads to itself.
    weir.upgrade().unwrap();
    weir.client().get("/").sees(200);
}

#[test]
fn a_binary_that_does_not_come_to_serve_leaves_the_old_one_serving() {
    let (mut weir, binary) =
        installed(&format!("[server]\nworkers = 2\nupgrade_timeout = \"2s\"\n{}", says("old")), &[]);
    let first = weir.pid();
    let before = weir.sockets();
    let mut kept = weir.client();
    kept.get("/").sees(200);
    let broken = weir.path("broken.toml");
    fs::write(&broken, "version = 1\n[[listener]]\nadress = \"127.0.0.1:1\"\n").unwrap();
    let real = env!("CARGO_BIN_EXE_weir");
    let cases = [
        ("exit 3".to_owned(), "exit status: 3"),
        ("sleep 60 <&- >&- 2>&- &".to_owned(), "exit status: 0"),
        ("exec sleep 60".to_owned(), "within 2s"),
        ("exec <&-; exec sleep 60".to_owned(), "error: the new process"),
        ("echo hello >&0".to_owned(), "another language"),
        ("kill -9 $$".to_owned(), "signal: 9"),
        (format!("exec {real} run -c {}", broken.display()), "broken.toml:3:1"),
        (format!("exec {real} run -c /nowhere/weir.toml"), "/nowhere/weir.toml"),
        (format!("ulimit -n 6; exec {real} \"$@\""), "open files"),
        (format!("exec {real} unknown"), "exit status: 2"),
    ];
    for (count, (script, part)) in cases.iter().enumerate() {
        install_script(script, &binary);
        let said = weir.upgrade().unwrap_err();
        assert!(said.contains(part) && said.matches("not upgraded").count() == 1, "{script}: {said}");
        assert!(said.matches("ERROR").count() == 1, "{script}: {said}");
        kept.get("/").sees(200).body("old").lacks("connection");
        weir.client().get("/").sees(200).body("old");
        weir.counts("weir_upgrades_total{result=\"failed\"}", count as f64 + 1.0);
    }
    fs::remove_file(&binary).unwrap();
    assert!(weir.upgrade().unwrap_err().contains("cannot start"));
    assert_eq!(weir.pid(), first);
    drop(kept);
    support::eventually("no descriptors are left", || weir.sockets() == before);
    install(real.as_ref(), &binary);
    weir.upgrade().unwrap();
    weir.client().get("/").sees(200).body("old");
}

#[test]
fn one_upgrade_at_a_time_and_a_reload_meanwhile_is_done_by_whoever_serves_then() {
    let (mut weir, binary) = installed(&says("one"), &[]);
    let gate = weir.path("gate");
    let real = env!("CARGO_BIN_EXE_weir");
    let waits = |then: &str| format!("while ! test -e {}; do sleep 0.01; done\n{then}", gate.display());
    for (then, word, serves) in [("exit 1".to_owned(), "two", "two"), (format!("exec {real} \"$@\""), "three", "three")]
    {
        let _ = fs::remove_file(&gate);
        install_script(&waits(&then), &binary);
        let before = weir.log.len();
        weir.signal("USR2");
        weir.log.find(before, "upgrading").unwrap();
        weir.signal("USR2");
        weir.log.find(before, "an upgrade is under way").unwrap();
        weir.rewrite(&says(word));
        weir.signal("HUP");
        assert_ne!(weir.client().get("/").sees(200).text(), word);
        fs::write(&gate, "").unwrap();
        assert_eq!(weir.upgraded(before).is_ok(), then != "exit 1");
        weir.log.find(before, " reloaded").unwrap();
        weir.client().get("/").sees(200).body(serves);
    }
}

#[test]
fn sigterm_during_an_upgrade_ends_both() {
    let (mut weir, binary) = installed(&says("x"), &[]);
    let pid = weir.path("pid");
    install_script(&format!("echo $$ > {0}.new; mv {0}.new {0}; exec sleep 60", pid.display()), &binary);
    weir.signal("USR2");
    support::eventually("it starts", || pid.exists());
    let other: u32 = fs::read_to_string(&pid).unwrap().trim().parse().unwrap();
    assert!(weir.stop().success());
    assert!(
        !support::kill("0", other)
            || fs::read_to_string(format!("/proc/{other}/stat")).is_ok_and(|it| it.contains(") Z "))
    );
}

#[test]
fn listeners_come_and_go_with_an_upgrade() {
    let both = "[[listener]]\naddress = \"127.0.0.1:{port}\"\n[[listener]]\naddress = \"127.0.0.1:{port2}\"\n";
    let second = "[[listener]]\naddress = \"127.0.0.1:{port2}\"\n";
    let mut weir = Weir::start(&says("one"), &[]);
    weir.rewrite(&format!("{both}{}", says("both")));
    weir.upgrade().unwrap();
    Client::connect(weir.at("port2")).get("/").sees(200).body("both");
    weir.client().get("/").sees(200).body("both");
    assert!(weir.first_ends().success());
    let previous = weir.pid();
    weir.rewrite(&format!("{second}{}", says("second")));
    weir.upgrade().unwrap();
    Client::connect(weir.at("port2")).get("/").sees(200).body("second");
    // It is closed with the process that served it.
    support::eventually("it listens no more", || TcpStream::connect(weir.address()).is_err());
    assert_ne!(weir.pid(), previous);
    // The last one closes what it serves as ever.
    weir.signal("TERM");
    weir.log.all();
    assert!(TcpStream::connect(weir.at("port2")).is_err());
}

#[test]
fn the_access_log_is_written_on_by_both() {
    let origin = Puppet::start();
    let log = "[log]\naccess = { format = \"{path}\", to = \"access.log\" }\n";
    let mut weir = Weir::start(&format!("{log}{ALL}"), &[("origin", &origin.address())]);
    let mut old = weir.client();
    old.get("/old").sent();
    let mut slow = origin.accepts();
    slow.gets();
    weir.upgrade().unwrap();
    let mut new = weir.client();
    new.get("/new").sent();
    let mut quick = origin.accepts();
    quick.gets();
    quick.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    new.sees(200);
    slow.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    old.sees(200);
    assert!(weir.first_ends().success());
    weir.signal("TERM");
    weir.log.all();
    let written = fs::read_to_string(weir.path("access.log")).unwrap();
    let mut lines: Vec<_> = written.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["/new", "/old"]);
}

#[test]
fn an_admin_listener_on_a_path_goes_along_with_its_file() {
    let admin = "[admin]\nlisten = \"unix:admin.sock\"\n";
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("admin.sock");
    let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
    command.stdin(Stdio::null());
    let mut weir = Weir::start_by(command, directory, &format!("{admin}{}", says("x")), &[]);
    let ask = |verb: &str| {
        Command::new(env!("CARGO_BIN_EXE_weir")).arg(verb).arg("-c").arg(weir.path("weir.toml")).output().unwrap()
    };
    let before = weir.log.len();
    let said = ask("upgrade");
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    weir.upgraded(before).unwrap();
    assert_eq!(said, format!("upgraded: process {} serves\n", weir.pid()));
    assert!(weir.first_ends().success());
    let said = Command::new(env!("CARGO_BIN_EXE_weir"))
        .args(["reload", "--admin", &format!("unix:{}", path.display())])
        .output()
        .unwrap();
    assert!(said.status.success() && said.stdout == b"reloaded\n", "{said:?}");
    weir.signal("TERM");
    weir.log.all();
    assert!(!path.exists(), "the file is left");
}

#[test]
fn the_new_process_serves_even_if_the_old_one_dies_before_it_says_so() {
    let (mut weir, binary) = installed(&says("x"), &[]);
    let (gate, pid) = (weir.path("gate"), weir.path("pid"));
    let real = env!("CARGO_BIN_EXE_weir");
    let waits = format!("while ! test -e {}; do sleep 0.01; done", gate.display());
    let names = format!("echo $$ > {0}.new; mv {0}.new {0}", pid.display());
    install_script(&format!("{names}\n{waits}\nexec {real} \"$@\""), &binary);
    weir.signal("USR2");
    support::eventually("it starts", || pid.exists());
    let other: u32 = fs::read_to_string(&pid).unwrap().trim().parse().unwrap();
    weir.signal("KILL");
    assert!(!weir.first_ends().success());
    // Nobody serves now, and nobody is turned away.
    let mut waiting = weir.client();
    waiting.get("/").sent();
    fs::write(&gate, "").unwrap();
    waiting.sees(200).body("x");
    weir.counts("weir_upgrades_total{result=\"ok\"}", 1.0);
    assert!(support::kill("KILL", other));
}

/// Huge pages come whole, however little of one is used.
#[test]
fn below_a_low_ceiling_there_are_no_huge_pages_and_above_there_are_also_for_who_takes_over() {
    let text = |memory: &str| format!("[server]\nmemory = \"{memory}\"\n{}", says("x"));
    let mut weir = Weir::start(&text("512MiB"), &[]);
    assert_eq!(takes_huge_pages(&weir), Some(false));
    weir.becomes(&text("2GiB"));
    eventually("it may take them", || takes_huge_pages(&weir) == Some(true));
    weir.becomes(&text("512MiB"));
    eventually("it may not", || takes_huge_pages(&weir) == Some(false));
    weir.rewrite(&text("2GiB"));
    weir.upgrade().unwrap();
    assert_eq!(takes_huge_pages(&weir), Some(true), "what the process before had is inherited");
}

/// As the kernel has it (`prctl(2)`, PR_SET_THP_DISABLE).
fn takes_huge_pages(weir: &Weir) -> Option<bool> {
    let status = fs::read_to_string(format!("/proc/{}/status", weir.pid())).unwrap();
    Some(status.lines().find_map(|line| line.strip_prefix("THP_enabled:"))?.trim() == "1")
}
