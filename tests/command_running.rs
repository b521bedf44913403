//! `weir reload` and `weir upgrade`, which ask a process that runs.

#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;
use support::Weir;

fn says(word: &str) -> String {
    format!("[[route]]\nrespond = {{ body = \"{word}\" }}\n")
}

/// What a command prints, and whether it succeeds.
fn run(verb: &str, file: &Path, more: &[&str]) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_weir")).arg(verb).arg("-c").arg(file).args(more).output().unwrap();
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    (output.status.success(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn a_reload_is_applied_and_its_warnings_are_said() {
    let weir = Weir::start(&says("old"), &[]);
    let file = weir.path("weir.toml");
    weir.rewrite(&format!("[pool.spare]\nbackends = [\"127.0.0.1:1\"]\n{}", says("new")));
    let (ok, said) = run("reload", &file, &[]);
    assert!(ok && said.starts_with("warning: ") && said.contains("no route uses pool `spare`"), "{said}");
    assert_eq!(said.lines().last(), Some("reloaded"));
    weir.client().get("/").sees(200).body("new");
    weir.counts("weir_reloads_total{result=\"ok\"}", 1.0);
}

#[test]
fn a_broken_file_is_refused_in_the_words_of_weir_check() {
    let weir = Weir::start(&says("old"), &[]);
    let file = weir.path("weir.toml");
    weir.rewrite("[[route]]\nrespnd = {}\n[[route]]\npool = \"none\"\n");
    let (ok, said) = run("reload", &file, &[]);
    let checked = run("check", &file, &[]).1;
    assert!(!ok && checked.contains("2 errors"), "{checked}");
    assert_eq!(said, format!("{checked}not reloaded, the old configuration serves on\n"));
    weir.counts("weir_reloads_total{result=\"failed\"}", 1.0);
    assert_eq!(weir.log.text().matches("not reloaded").count(), 1);
    // An upgrade would read the same file.
    let (ok, said) = run("upgrade", &file, &[]);
    assert!(!ok);
    assert_eq!(said, format!("{checked}not upgraded, the old process serves on\n"));
    weir.client().get("/").sees(200).body("old");
}

#[test]
fn what_only_the_process_can_see_is_up_to_the_process() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
    command.stdin(std::process::Stdio::null()).env("WEIR_TEST_WORD", "its own");
    let weir = Weir::start_by(command, directory, &says("${WEIR_TEST_WORD}"), &[]);
    // The command has no such variable, and still finds the process by the file.
    let (ok, said) = run("reload", &weir.path("weir.toml"), &[]);
    assert!(ok, "{said}");
    weir.client().get("/").sees(200).body("its own");
    // A file whose syntax is broken after the section on the admin listener names it, too.
    weir.rewrite("[[route\n");
    let (ok, said) = run("reload", &weir.path("weir.toml"), &[]);
    assert!(!ok && said.contains("not reloaded"), "{said}");
}

#[test]
fn whoever_cannot_be_asked_is_said_to_be_so() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("weir.toml");
    let rest = "version = 1\n[[listener]]\naddress = \"127.0.0.1:1\"\n[[route]]\nrespond = {}\n";
    let (ok, said) = run("reload", &file, &[]);
    assert!(!ok && said.contains("no such file"), "{said}");
    fs::write(&file, rest).unwrap();
    for verb in ["reload", "upgrade"] {
        let (ok, said) = run(verb, &file, &[]);
        assert!(!ok && said.contains("SIGHUP") && said.contains("SIGUSR2"), "{said}");
    }
    fs::write(&file, format!("{rest}[admin]\nlisten = \"unix:none.sock\"\n")).unwrap();
    let (ok, said) = run("upgrade", &file, &[]);
    assert!(!ok && said.contains("none.sock") && said.contains("--admin"), "{said}");
    fs::write(&file, "version = 1\n?\n").unwrap();
    let (ok, said) = run("reload", &file, &[]);
    assert!(!ok && said.contains("weir.toml:2:"), "{said}");
    // Something answers there, but no admin listener.
    let weir = Weir::start(&says("x"), &[]);
    let (ok, said) = run("reload", &file, &["--admin", &weir.address().to_string()]);
    assert!(!ok && said.contains("no weir"), "{said}");
}
