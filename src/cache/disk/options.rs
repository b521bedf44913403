//! How the disk tier is opened.

use std::path::PathBuf;
use std::time::Duration;

/// How the disk tier is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// Its directory; made if it is not there.
    pub path: PathBuf,
    /// Bytes that all its files may take, together and exactly.
    pub size_bytes: u64,
    /// Threads that read.
    pub readers: usize,
    /// Bytes that may wait to be written.
    pub queue_bytes: usize,
    /// How long a read may take, its wait for others included.
    pub read_max: Duration,
    /// How long nothing is written after errors in a row, or read after a read took too long.
    pub pause: Duration,
}

impl Options {
    /// The usual readers, queue and pause.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>, size_bytes: u64) -> Options {
        let path = path.into();
        Options { path, size_bytes, readers: 4, queue_bytes: 32 << 20, read_max: READ_MAX, pause: PAUSE }
    }
}

/// How long a read may take: longer than a busy disk needs, and no longer than an origin is worth.
const READ_MAX: Duration = Duration::from_secs(2);
/// How long nothing is written after errors in a row, or read after a read took too long.
pub(super) const PAUSE: Duration = Duration::from_secs(30);
