//! What reads and writes a file: the real one, or one that fails when a test wants it to.

use rustix::io::{Errno, pwritev};
use std::fmt;
use std::fs::File;
use std::io::{self, IoSlice};
use std::os::unix::fs::FileExt;

/// A file of a fixed length.
pub(super) trait Medium: fmt::Debug + Send + Sync {
    /// Fills `into` from `at`.
    fn read(&self, into: &mut [u8], at: u64) -> io::Result<()>;

    /// Writes `parts`, one behind the other, from `at`.
    fn write(&self, parts: &[&[u8]], at: u64) -> io::Result<()>;

    /// Waits until what was written is on the disk.
    fn sync(&self) -> io::Result<()>;
}

impl Medium for File {
    fn read(&self, into: &mut [u8], at: u64) -> io::Result<()> {
        self.read_exact_at(into, at)
    }

    fn write(&self, parts: &[&[u8]], at: u64) -> io::Result<()> {
        let total = parts.iter().map(|part| part.len()).sum::<usize>();
        let slices: Vec<IoSlice<'_>> = parts.iter().map(|part| IoSlice::new(part)).collect();
        let mut done = loop {
            match pwritev(self, &slices, at) {
                Err(Errno::INTR) => {}
                other => break other?,
            }
        };
        if done == total {
            return Ok(());
        }
        // A write came out short, as on a full disk: what is left, part by part, until that says why.
        let mut at = at + done as u64;
        for part in parts {
            let skip = done.min(part.len());
            done -= skip;
            self.write_all_at(&part[skip..], at)?;
            at += (part.len() - skip) as u64;
        }
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}
