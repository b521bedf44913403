//! What a service manager is told, and the sockets that it passes.

#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]

mod support;

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr as UnixAddress, UnixDatagram, UnixListener};
use std::process::{Command, Stdio};
use support::{Client, PATIENCE, Weir};

const FIXED: &str = "[[route]]\nrespond = { body = \"x\" }\n";

/// The end of a socket on which a service manager listens.
struct Manager(UnixDatagram);

impl Manager {
    fn on(socket: UnixDatagram) -> Manager {
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Manager(socket)
    }

    /// The next message, line by line.
    fn hears(&self) -> Vec<String> {
        let mut room = [0; 4096];
        let n = self.0.recv(&mut room).expect("a message");
        String::from_utf8_lossy(&room[..n]).lines().map(str::to_owned).collect()
    }

    /// The next message begins with that line.
    fn hears_of(&self, first: &str) -> Vec<String> {
        let lines = self.hears();
        assert_eq!(lines[0], first, "{lines:?}");
        lines
    }
}

/// Serves `text`, and tells a manager, with more of an environment.
fn told(text: &str, environment: &[(&str, &str)]) -> (Weir, Manager) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("notify");
    let manager = Manager::on(UnixDatagram::bind(&path).unwrap());
    let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
    command.stdin(Stdio::null()).env("NOTIFY_SOCKET", path).envs(environment.iter().copied());
    (Weir::start_by(command, directory, text, &[]), manager)
}

#[test]
fn the_manager_is_told_of_start_reload_and_end() {
    let (mut weir, manager) = told(FIXED, &[]);
    assert_eq!(manager.hears(), ["READY=1", "STATUS=serving; listeners 1, workers 1"]);
    // A reload is told of in the same way whether it is applied or not.
    for good in [true, false] {
        weir.rewrite(if good { FIXED } else { "?" });
        assert_eq!(weir.reload().is_ok(), good);
        let begun = manager.hears_of("RELOADING=1");
        let micros: u64 = begun[1].strip_prefix("MONOTONIC_USEC=").unwrap().parse().unwrap();
        assert!(micros > 0);
        manager.hears_of("READY=1");
    }
    assert!(weir.stop().success());
    manager.hears_of("STOPPING=1");
}

#[test]
fn an_upgrade_names_the_new_main_process_and_stops_nothing() {
    let (mut weir, manager) = told(FIXED, &[]);
    manager.hears_of("READY=1");
    weir.upgrade().unwrap();
    manager.hears_of("STATUS=upgrading");
    let main = format!("MAINPID={}", weir.pid());
    // From the old process, as the manager listens to it alone; then from the new one.
    manager.hears_of(&main);
    manager.hears_of(&main);
    manager.hears_of("READY=1");
    assert!(weir.first_ends().success());
    weir.signal("HUP");
    manager.hears_of("RELOADING=1");
}

#[test]
fn an_upgrade_that_fails_is_over_for_the_manager_too() {
    let (mut weir, manager) = told(FIXED, &[]);
    manager.hears_of("READY=1");
    weir.rewrite("?");
    weir.upgrade().unwrap_err();
    manager.hears_of("STATUS=upgrading");
    assert_eq!(manager.hears(), ["READY=1", "STATUS=serving; listeners 1, workers 1"]);
}

#[test]
fn the_watchdog_hears_that_all_is_well_from_whoever_serves() {
    let (mut weir, manager) = told(FIXED, &[("WATCHDOG_USEC", "100000")]);
    manager.hears_of("READY=1");
    for _ in 0..3 {
        manager.hears_of("WATCHDOG=1");
    }
    weir.upgrade().unwrap();
    assert!(weir.first_ends().success());
    while manager.hears()[0] != "READY=1" {}
    for _ in 0..3 {
        manager.hears_of("WATCHDOG=1");
    }
    // A drain is not watched.
    weir.signal("TERM");
    while manager.hears()[0] != "STOPPING=1" {}
    weir.log.all();
}

#[test]
fn a_watchdog_that_is_another_processes_is_left_alone() {
    let (mut weir, manager) = told(FIXED, &[("WATCHDOG_USEC", "20000"), ("WATCHDOG_PID", "1")]);
    manager.hears_of("READY=1");
    weir.reload().unwrap();
    manager.hears_of("RELOADING=1");
    manager.hears_of("READY=1");
    weir.stop();
    manager.hears_of("STOPPING=1");
}

#[test]
fn a_manager_may_have_an_abstract_name_or_not_be_there_at_all() {
    let name = format!("weir-test-{}", std::process::id());
    let manager = UnixDatagram::bind_addr(&UnixAddress::from_abstract_name(&name).unwrap()).unwrap();
    let manager = Manager::on(manager);
    let start = |socket: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
        command.stdin(Stdio::null()).env("NOTIFY_SOCKET", socket);
        Weir::start_by(command, tempfile::tempdir().unwrap(), FIXED, &[])
    };
    start(&format!("@{name}")).client().get("/").sees(200);
    manager.hears_of("READY=1");
    for nowhere in ["/nowhere/notify", "", "@", "vsock:2:1"] {
        start(nowhere).client().get("/").sees(200);
    }
}

/// Serves `text` on a socket that it is passed as systemd does.
fn passed(socket: OwnedFd, port: u16, text: &str) -> Weir {
    let mut command = Command::new("sh");
    command
        .args(["-c", "LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=web exec \"$0\" \"$@\" 3<&0 </dev/null"])
        .arg(env!("CARGO_BIN_EXE_weir"))
        .stdin(socket);
    Weir::start_by(command, tempfile::tempdir().unwrap(), text, &[("port", &port.to_string())])
}

fn bound() -> (TcpListener, SocketAddr) {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

#[test]
fn a_passed_socket_is_served_by_all_workers_and_outlives_the_process() {
    let (socket, address) = bound();
    let text = format!("[server]\nworkers = 3\n{FIXED}");
    let mut weir = passed(socket.try_clone().unwrap().into(), address.port(), &text);
    for _ in 0..20 {
        weir.client().get("/").sees(200).body("x");
    }
    assert!(weir.stop().success());
    // Nobody is turned away between two processes.
    let mut waiting = Client::connect(address);
    waiting.get("/").sent();
    let weir = passed(socket.into(), address.port(), &text);
    waiting.sees(200).body("x");
    drop(weir);
}

#[test]
fn a_passed_socket_outlives_listeners_and_upgrades() {
    let (socket, address) = bound();
    let mut weir = passed(socket.try_clone().unwrap().into(), address.port(), FIXED);
    let other = format!("[[listener]]\naddress = \"127.0.0.1:{{port2}}\"\n{FIXED}");
    weir.becomes(&other);
    Client::connect(weir.at("port2")).get("/").sees(200);
    weir.becomes(FIXED);
    weir.client().get("/").sees(200);
    weir.rewrite(&format!("[server]\nworkers = 2\n{FIXED}"));
    weir.upgrade().unwrap();
    assert!(weir.first_ends().success());
    for _ in 0..10 {
        weir.client().get("/").sees(200);
    }
    // The second one knows what it holds as the first one did.
    weir.rewrite(&other);
    weir.upgrade().unwrap();
    assert!(weir.log.text().contains("no listener has that address"));
    weir.becomes(FIXED);
    weir.client().get("/").sees(200);
    weir.signal("TERM");
    weir.log.all();
    assert!(TcpStream::connect(address).is_ok(), "the manager holds it still");
}

#[test]
fn a_passed_socket_that_nobody_wants_is_warned_of() {
    let (socket, address) = bound();
    let weir = passed(socket.into(), support::free_port(), FIXED);
    let warning = weir.log.find(0, "WARN").unwrap();
    assert!(warning.contains(&address.to_string()) && weir.log.text().matches("WARN").count() == 1, "{warning}");
    weir.client().get("/").sees(200);
    let strange = UnixDatagram::unbound().unwrap();
    let weir = passed(strange.into(), support::free_port(), FIXED);
    assert!(weir.log.find(0, "WARN").unwrap().contains("web"));
    weir.client().get("/").sees(200);
}

#[test]
fn the_admin_listener_may_be_passed_too() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("admin.sock");
    let socket = UnixListener::bind(&path).unwrap();
    let text = format!("[admin]\nlisten = \"unix:{}\"\n{FIXED}", path.display());
    let mut weir = passed(socket.try_clone().unwrap().into(), support::free_port(), &text);
    let ask = || {
        let at = format!("unix:{}", path.display());
        let said = Command::new(env!("CARGO_BIN_EXE_weir")).args(["reload", "--admin", &at]).output().unwrap();
        assert!(said.status.success(), "{said:?}");
    };
    ask();
    weir.upgrade().unwrap();
    ask();
    weir.signal("TERM");
    weir.log.all();
    assert!(fs::symlink_metadata(&path).is_ok(), "the file is the manager's");
}
