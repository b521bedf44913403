//! What is wrong with a directory, told so that an operator can mend it; and why a read gave nothing.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why the disk tier cannot be opened. Its text names the directory and says how to mend it.
#[derive(Debug)]
pub enum DiskError {
    /// The path is there and is no directory.
    NotADirectory(PathBuf),
    /// The directory cannot be made, or not be written to.
    Unwritable(PathBuf, io::Error),
    /// Another process has it open, or this one by another name, or by a cache whose last requests are under way.
    InUse(PathBuf),
    /// It was written by a newer version: the directory, its format, ours.
    Newer(PathBuf, u32, u32),
    /// The file system has not the space: wanted and free bytes.
    Full(PathBuf, u64, u64),
    /// No file may be as long as it takes: bytes.
    TooLong(PathBuf, u64),
    /// Fewer bytes than the smallest store takes: configured and least.
    TooSmall(PathBuf, u64, u64),
    /// Its files cannot be read, or no thread started.
    Io(PathBuf, io::Error),
}

impl fmt::Display for DiskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotADirectory(path) => write!(
                f,
                "{} is not a directory: name a directory for the cache's disk tier, or move what stands there away",
                path.display()
            ),
            Self::Unwritable(path, error) => write!(
                f,
                "{} cannot be written to ({error}): make it and give it to the user that Weir runs as (chown), \
                 or name another directory",
                path.display()
            ),
            Self::InUse(path) => write!(
                f,
                "{} is in use by another process, or by another cache of this one: each needs a directory of its own; \
                 name another one, or end the process that has {} open",
                path.display(),
                path.join("lock").display()
            ),
            Self::Newer(path, found, ours) => write!(
                f,
                "{} was written by a newer version of Weir (format {found}; this one reads up to {ours}): run that \
                 version, name another directory, or empty this one, which only costs what is stored in it",
                path.display()
            ),
            Self::Full(path, wanted, free) => write!(
                f,
                "{} has no room: the disk tier allocates its whole size at the start, which takes {wanted} bytes more, \
                 and {free} are free; give it a smaller size, or make room",
                path.display()
            ),
            Self::TooLong(path, wanted) => write!(
                f,
                "{} needs a file of {wanted} bytes, and there is a limit on the length of files below that: raise the \
                 limit (`ulimit -f`, LimitFSIZE= of systemd), name a directory on another file system, or give it a \
                 smaller size",
                path.display()
            ),
            Self::TooSmall(path, size, least) => {
                write!(f, "{size} bytes are too few for the disk tier in {}: the least is {least}", path.display())
            }
            Self::Io(path, error) => write!(
                f,
                "{} cannot be used ({error}): look at the disk and the kernel's log; emptying the directory only \
                 costs what is stored in it",
                path.display()
            ),
        }
    }
}

impl std::error::Error for DiskError {}

/// Why a read gave nothing. In each case the response comes from the origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadFault {
    /// It was removed, replaced or reclaimed since it was found.
    Gone,
    /// Too many reads are waiting.
    Busy,
    /// The disk could not be read. The record stays: the next read may succeed.
    Io,
    /// What was read is not what was written. The record is removed.
    Corrupt,
}
