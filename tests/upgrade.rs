//! SIGUSR2 and `weir upgrade`: another process takes over, and nobody notices; or it cannot, and the old one serves on.

#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]

mod support;

use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use support::load::{Load, echo};
use support::{Broken, Client, Puppet, Weir};

const TWO_WORKERS: &str = "[server]\nworkers = 2\n";
const ALL: &str = "[[route]]\npool = \"app\"\n";

fn says(word: &str) -> String {
    format!("[[route]]\nrespond = {{ body = \"{word}\" }}\n")
}

/// A process whose binary can be replaced.
fn installed(text: &str, places: &[(&str, &str)]) -> (Weir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let binary = directory.path().join("weir");
    install(env!("CARGO_BIN_EXE_weir").as_ref(), &binary);
    let mut command = Command::new(&binary);
    command.stdin(Stdio::null());
    (Weir::start_by(command, directory, text, places), binary)
}

/// As an installer does it: the running file is left alone, and another one gets its name.
fn install(file: &Path, binary: &Path) {
    let beside = binary.with_extension("new");
    fs::copy(file, &beside).unwrap();
    fs::rename(beside, binary).unwrap();
}

fn install_script(text: &str, binary: &Path) {
    let beside = binary.with_extension("new");
    fs::write(&beside, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(&beside, fs::Permissions::from_mode(0o755)).unwrap();
    fs::rename(beside, binary).unwrap();
}

/// The descriptors of a process that are sockets.
fn sockets(pid: u32) -> usize {
    let all = fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    all.filter(|fd| fs::read_link(fd.as_ref().unwrap().path()).is_ok_and(|to| to.to_string_lossy().contains("socket:"))).count()
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
