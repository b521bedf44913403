//! A directory that a cache cannot have: the process says which and why, word for word, and ends; a reload says the same and
//! changes nothing; whoever has the directory goes on.

#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]

mod support;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use support::mount::Small;
use support::pages::{CACHING, Pages, disk_reads, on_disk};
use support::{Origin, Weir, eventually};
use twox_hash::XxHash3_64;

/// What `weir run` says of a cache in that directory before it ends, without success.
fn refuses(disk: &Path) -> String {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("weir.toml");
    let text = "version = 1\n[[listener]]\naddress = \"127.0.0.1:0\"\n[pool.app]\nbackends = [\"127.0.0.1:1\"]\n";
    fs::write(&file, format!("{text}{CACHING}").replace("{disk}", disk.to_str().unwrap())).unwrap();
    // One that serves all the same is not waited for.
    let mut command = Command::new("timeout");
    let output = command.args(["20", env!("CARGO_BIN_EXE_weir"), "run", "-c"]).arg(&file).stdin(Stdio::null()).output();
    let output = output.unwrap();
    assert_eq!((output.status.code(), output.stdout), (Some(1), vec![]));
    String::from_utf8(output.stderr).unwrap().replace(disk.to_str().unwrap(), "DIR")
}

const IN_USE: &str = "error: [cache.pages] disk: DIR is in use by another process, or by another cache of this one: each \
    needs a directory of its own; name another one, or end the process that has DIR/lock open\n";

#[test]
fn a_directory_that_another_process_has_is_refused_for_as_long_as_that_lives() {
    let mut one = Pages::start();
    one.stores("page", "text");
    eventually("it is on the disk", || on_disk(&one.weir) == 1.0);
    assert_eq!(refuses(one.disk.path()), IN_USE);
    // It did no harm.
    one.weir.is_killed();
    one.weir.starts_again();
    assert_eq!(refuses(one.disk.path()), IN_USE);
    assert_eq!((one.stored("page"), disk_reads(&one.weir)), ("text".to_owned(), 1.0));
}

#[test]
fn a_directory_of_a_newer_version_is_refused_and_left_as_it_is() {
    let mut one = Pages::start();
    assert!(one.weir.stop().success());
    let path = one.disk.path().join("format");
    let before = fs::read(&path).unwrap();
    let mut newer = before.clone();
    // What each version keeps: magic, number, and a checksum at the end.
    newer[8..12].copy_from_slice(&7_u32.to_le_bytes());
    let at = newer.len() - 8;
    let sum = XxHash3_64::oneshot_with_seed(0, &newer[..at]).to_le_bytes();
    newer[at..].copy_from_slice(&sum);
    fs::write(&path, &newer).unwrap();
    assert_eq!(
        refuses(one.disk.path()),
        "error: [cache.pages] disk: DIR was written by a newer version of Weir (format 7; this one reads up to 1): run \
         that version, name another directory, or empty this one, which only costs what is stored in it\n"
    );
    assert_eq!(fs::read(&path).unwrap(), newer);
    // The newer version is back, so to say.
    fs::write(&path, before).unwrap();
    one.weir.starts_again();
}

#[test]
fn what_is_no_directory_is_refused() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let wanted = "error: [cache.pages] disk: DIR is not a directory: name a directory for the cache's disk tier, or move \
        what stands there away\n";
    assert_eq!(refuses(file.path()), wanted);
    assert_eq!(refuses(&file.path().join("below")), wanted);
}

#[test]
fn a_directory_that_cannot_be_made_or_written_is_refused() {
    let wanted = |why: &str| {
        format!(
            "error: [cache.pages] disk: DIR cannot be written to ({why}): make it and give it to the user that Weir runs \
             as (chown), or name another directory\n"
        )
    };
    // Nobody makes a directory there, not even root.
    assert_eq!(refuses(Path::new("/proc/weir-cache")), wanted("No such file or directory (os error 2)"));
    let Some(small) = Small::mount(64) else { return };
    let made = small.path().join("pages");
    fs::create_dir(&made).unwrap();
    small.is_read_only();
    let why = "Read-only file system (os error 30)";
    for path in [made, small.path().join("other")] {
        assert_eq!(refuses(&path), wanted(why));
    }
}

#[test]
fn a_reload_to_a_directory_that_cannot_be_had_changes_nothing() {
    let (one, origin) = (Pages::start(), Origin::start());
    let places = [("origin", origin.address()), ("disk", one.disk.path().display().to_string())];
    let places = places.each_ref().map(|(name, value)| (*name, value.as_str()));
    let other = Weir::start("[server]\nworkers = 2\n[[route]]\npool = \"app\"\n", &places);
    other.rewrite(CACHING);
    let said = other.reload().unwrap_err();
    let path = one.disk.path().to_str().unwrap();
    assert!(said.contains(IN_USE.trim_end().replace("DIR", path).as_str()), "{said}");
    other.client().get("/").sees(200).body("ok").lacks("cache-status");
    // Once it is free the same file is fine.
    let Pages { mut weir, disk, .. } = one;
    assert!(weir.stop().success());
    other.reload().unwrap();
    assert!(other.client().get("/").sees(200).value("cache-status").starts_with("weir; fwd=uri-miss"));
    assert!(disk.path().join("data").exists());
}
