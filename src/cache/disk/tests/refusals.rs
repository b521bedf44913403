//! Directories that are not taken, and what is said then.

use super::*;
use std::fs;

fn refused(path: &Path, size_bytes: u64) -> String {
    let error = Disk::open(&Options { size_bytes, ..options(path) }, NOW).unwrap_err().to_string();
    error.replace(&path.display().to_string(), "DIR")
}

#[test]
fn a_directory_that_another_one_has_open_is_refused_until_it_lets_go() {
    let dir = tempfile::tempdir().unwrap();
    let disk = open(dir.path());
    assert_eq!(
        refused(dir.path(), SIZE),
        "DIR is in use by another process, or by another cache of this one: each needs a directory of its own; name \
         another one, or end the process that has DIR/lock open"
    );
    let other = disk.clone();
    disk.close();
    drop(open(dir.path()));
    drop(other);
}

#[test]
fn a_newer_format_is_refused_and_left_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()));
    let path = dir.path().join("format");
    let mut newer = fs::read(&path).unwrap();
    newer[8] = 2;
    bytes::sign(0, &mut newer);
    fs::write(&path, &newer).unwrap();
    assert_eq!(
        refused(dir.path(), SIZE),
        "DIR was written by a newer version of Weir (format 2; this one reads up to 1): run that version, name another \
         directory, or empty this one, which only costs what is stored in it"
    );
    assert_eq!(fs::read(&path).unwrap(), newer);
}

#[test]
fn what_is_no_directory_is_refused() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let wanted = "DIR is not a directory: name a directory for the cache's disk tier, or move what stands there away";
    assert_eq!(refused(file.path(), SIZE), wanted);
    assert_eq!(refused(&file.path().join("below"), SIZE), wanted);
}

#[test]
fn a_directory_that_cannot_be_written_is_refused() {
    // Nobody makes a directory here, not even root.
    let text = refused(Path::new("/proc/weir-cache"), SIZE);
    assert!(text.starts_with("DIR cannot be written to ("), "{text}");
    assert!(text.ends_with("give it to the user that Weir runs as (chown), or name another directory"), "{text}");
}

#[test]
fn a_disk_without_the_room_is_refused_at_the_opening_and_nothing_is_taken_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let text = refused(dir.path(), 1 << 45);
    let wanted = "DIR has no room: the disk tier allocates its whole size at the start, which takes ";
    assert!(text.starts_with(wanted) && text.ends_with("are free; give it a smaller size, or make room"), "{text}");
    assert!(fs::metadata(dir.path().join("data")).unwrap().len() == 0);
    assert_eq!(refused(dir.path(), 5), "5 bytes are too few for the disk tier in DIR: the least is 4194304");
    drop(open(dir.path()));
}
