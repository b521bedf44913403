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
    /// How long nothing is written after errors in a row.
    pub pause: Duration,
}

impl Options {
    /// The usual readers, queue and pause.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>, size_bytes: u64) -> Options {
        Options { path: path.into(), size_bytes, readers: 4, queue_bytes: 32 << 20, pause: PAUSE }
    }
}

/// How long nothing is written after errors in a row.
pub(super) const PAUSE: Duration = Duration::from_secs(30);
