//! A binary that can be replaced under the process that runs it.

use super::Weir;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A process whose binary can be replaced.
pub fn installed(text: &str, places: &[(&str, &str)]) -> (Weir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let binary = directory.path().join("weir");
    install(env!("CARGO_BIN_EXE_weir").as_ref(), &binary);
    let mut command = Command::new(&binary);
    command.stdin(Stdio::null());
    (Weir::start_by(command, directory, text, places), binary)
}

/// As an installer does it: the running file is left alone, and another one gets its name. By a process of its own: a
/// descriptor of ours, which another test's child may hold for a moment, would make the file busy.
pub fn install(file: &Path, binary: &Path) {
    let beside = binary.with_extension("new");
    assert!(Command::new("install").args(["-m", "755"]).args([file, &beside]).status().unwrap().success());
    fs::rename(beside, binary).unwrap();
}

pub fn install_script(text: &str, binary: &Path) {
    let written = binary.with_extension("text");
    fs::write(&written, format!("#!/bin/sh\n{text}\n")).unwrap();
    install(&written, binary);
}
