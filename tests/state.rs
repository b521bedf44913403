//! `[server] state`: of one process at a time, handed over by an upgrade.

#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]

mod support;

use std::fs;
use std::process::{Command, Output, Stdio};
use support::{Weir, free_port};

const STATE: &str = "[server]\nworkers = 1\nstate = \"kept\"\n[[route]]\nrespond = { body = \"a\" }\n";

/// Another process on the state directory of `weir`, which is to fail.
fn another(weir: &Weir) -> Output {
    let text = format!(
        "version = 1\n[server]\nstate = \"kept\"\n[[listener]]\naddress = \"127.0.0.1:{}\"\n[[route]]\nrespond = {{}}\n",
        free_port()
    );
    fs::write(weir.path("other.toml"), text).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
    command.args(["run", "-c"]).arg(weir.path("other.toml")).stdin(Stdio::null()).output().unwrap()
}

#[test]
fn the_directory_is_of_one_process_also_after_upgrades_and_of_the_next_after_the_end() {
    let mut weir = Weir::start(STATE, &[]);
    for _ in 0..3 {
        let refused = another(&weir);
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(!refused.status.success() && said.contains("[server] state: "), "{said}");
        assert!(said.contains("in use by another process") && said.contains("kept/lock"), "{said}");
        weir.upgrade().unwrap();
        weir.client().get("/").sees(200);
    }
    assert!(weir.stop().success());
    let directory = tempfile::tempdir().unwrap();
    fs::rename(weir.path("kept"), directory.path().join("kept")).unwrap();
    Weir::start_in(directory, STATE, &[]).client().get("/").sees(200);
}

#[test]
fn a_directory_that_cannot_be_is_said_at_the_start_and_a_reload_does_not_move_it() {
    let weir = Weir::start(STATE, &[]);
    weir.rewrite(&STATE.replace("kept", "elsewhere"));
    let why = weir.reload().unwrap_err();
    assert!(why.contains("a reload cannot change [server] state"), "{why}");
    fs::remove_dir_all(weir.path("kept")).unwrap();
    fs::write(weir.path("kept"), "precious").unwrap();
    let said = String::from_utf8_lossy(&another(&weir).stderr).into_owned();
    assert!(said.contains("kept is not a directory"), "{said}");
    assert_eq!(fs::read_to_string(weir.path("kept")).unwrap(), "precious");
}

#[test]
fn what_systemd_gives_stands_for_what_is_not_configured() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
    let given = directory.path().join("given");
    command.stdin(Stdio::null()).env("STATE_DIRECTORY", format!("{}:/nowhere", given.display()));
    let weir = Weir::start_by(command, directory, "[[route]]\nrespond = {}\n", &[]);
    assert!(weir.path("given/lock").exists());
}
