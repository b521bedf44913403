//! A file system of a few MiB, which can be full.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// A file system in memory; it goes away with this value.
pub struct Small {
    directory: TempDir,
}

impl Small {
    /// `None` if this user may not mount, which is said.
    pub fn mount(mib: u64) -> Option<Small> {
        let directory = tempfile::tempdir().unwrap();
        let size = format!("size={mib}m");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(directory.path()).output();
        if mounted.as_ref().is_ok_and(|output| output.status.success()) {
            return Some(Small { directory });
        }
        eprintln!("SKIPPED: this needs root, and a system that lets it mount a tmpfs: {mounted:?}");
        None
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// From now on nothing is written there.
    pub fn is_read_only(&self) {
        assert!(Command::new("mount").args(["-o", "remount,ro"]).arg(self.path()).status().unwrap().success());
    }

    /// Takes all the room that is left.
    pub fn fills(&self) {
        let mut file = File::options().append(true).create(true).open(self.path().join(FILLER)).unwrap();
        let mut piece = vec![1; 64 * 1024];
        while !piece.is_empty() {
            if file.write_all(&piece).is_err() {
                piece.truncate(piece.len() / 2);
            }
        }
    }

    /// Gives it back.
    pub fn empties(&self) {
        fs::remove_file(self.path().join(FILLER)).unwrap();
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        // Whatever still has a file open there is about to end.
        let unmounted = Command::new("umount").arg("-l").arg(self.path()).status();
        assert!(std::thread::panicking() || unmounted.is_ok_and(|status| status.success()), "it stays mounted");
    }
}

const FILLER: &str = "filler";
