//! A process that cannot serve says why, and ends.

#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]

use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};

/// What `weir run` says of a file before it ends, without success.
fn refuses(file: &Path) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
    let output = command.args(["run", "-c"]).arg(file).stdin(Stdio::null()).output().unwrap();
    assert!(!output.status.success());
    assert!(output.stdout.is_empty(), "standard output is for the access log");
    String::from_utf8(output.stderr).unwrap()
}

fn refuses_text(text: &str) -> String {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("weir.toml");
    std::fs::write(&file, text).unwrap();
    refuses(&file)
}

#[test]
fn all_that_is_wrong_with_a_file_is_said_at_once() {
    let said = refuses_text("version = 1\n[[listener]]\nadress = \"127.0.0.1:1\"\n[[route]]\npool = \"none\"\n");
    for part in ["weir.toml:3:1", "adress", "address", "weir.toml:5:", "none"] {
        assert!(said.contains(part), "{part} in {said}");
    }
}

#[test]
fn a_file_that_is_not_there_is_named() {
    assert!(refuses(Path::new("/nowhere/weir.toml")).contains("/nowhere/weir.toml"));
}

#[test]
fn an_address_that_is_taken_is_named_and_never_shared() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let listener = format!("[[listener]]\naddress = \"{address}\"\n");
    let said = refuses_text(&format!("version = 1\n{listener}[[route]]\nrespond = {{}}\n"));
    assert!(said.contains(&format!("cannot listen on {address}")) && said.contains("ss -ltnp"), "{said}");
    let other = "[[listener]]\naddress = \"127.0.0.1:0\"\n";
    let said =
        refuses_text(&format!("version = 1\n[admin]\nlisten = \"{address}\"\n{other}[[route]]\nrespond = {{}}\n"));
    assert!(said.contains(&address.to_string()), "{said}");
}

#[test]
fn a_certificate_without_its_key_is_an_error_of_its_listener() {
    let tls = "tls = { certificates = [{ cert = \"none.pem\" }] }";
    let said = refuses_text(&format!(
        "version = 1\n[[listener]]\naddress = \"127.0.0.1:0\"\n{tls}\n[[route]]\nrespond = {{}}\n"
    ));
    assert!(said.contains("none.pem") && said.contains("weir.toml:"), "{said}");
}
