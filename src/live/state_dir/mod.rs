//! `[server] state`: a directory with what is to survive a restart, as small files that are replaced whole.
//!
//! Whoever keeps something there has a [`StateFile`], reads it once at the start ([`StateDir::read`]), and hands over its
//! whole content whenever that changed ([`StateDir::keep`]): a thread writes it, the latest content only, so that nobody
//! waits for the disk and many changes cost one write. A file is written beside and renamed, and both file and directory
//! are synced: after a crash there is the old content or the new one.
//!
//! Where no directory is configured, memory stands for it ([`StateDir::in_memory`]): it outlives reloads and upgrades.
//!
//! One process has the directory at a time, by a lock on its file `lock`. An upgrade hands the lock over, as a descriptor:
//! the old process [pauses](StateDir::pause), which writes what waits, and the new one reads what is there, and
//! [resumes](StateDir::resume).

mod directory;
mod error;
mod file;
mod memory;
mod writer;

#[cfg(test)]
mod tests;

pub use error::StateError;

use directory::Directory;
use file::{BadFile, decode, encode};
use memory::Memory;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use writer::Desk;

/// One file of the directory: what it is called, and the version of what this binary writes into it.
#[derive(Debug, PartialEq, Eq)]
pub struct StateFile {
    /// A short word of ASCII letters, digits and hyphens.
    pub name: &'static str,
    /// Counted from 1. Whoever changes the meaning of the content counts on, and goes on reading the older ones.
    pub version: u32,
    /// Bytes that the content may have.
    pub bytes_max: usize,
}

/// What was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// At most that of the [`StateFile`].
    pub version: u32,
    /// As it was handed over.
    pub content: Vec<u8>,
}

/// The directory, open and ours as long as this value or its [descriptor](Self::descriptor) lives; or memory, where none is
/// configured.
#[derive(Debug)]
pub struct StateDir {
    medium: Arc<Medium>,
    desk: Arc<Desk>,
    writer: Option<JoinHandle<()>>,
}

#[derive(Debug)]
enum Medium {
    /// With what keeps other processes out.
    Directory(Directory, File),
    Memory(Memory),
}

impl StateDir {
    /// Makes the directory if it is not there (for this user only), and takes it for this process.
    ///
    /// # Errors
    /// [`StateError`], whose text says how to mend it.
    pub fn open(path: &Path) -> Result<StateDir, StateError> {
        let directory = Directory::make(path)?;
        let lock = directory.lock()?;
        StateDir::begin(Medium::Directory(directory, lock), false)
    }

    /// The same with the [descriptor](Self::descriptor) of a process that hands over. Nothing is written before
    /// [`resume`](Self::resume): until then it is the other one's.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn adopt(path: &Path, lock: OwnedFd) -> Result<StateDir, StateError> {
        let directory = Directory::make(path)?;
        let lock = File::from(lock);
        // Somebody may have put another directory in its place.
        match directory.is_locked_by(&lock) {
            true => StateDir::begin(Medium::Directory(directory, lock), true),
            false => StateDir::open(path),
        }
    }

    /// Memory: what is kept there ends with the process, or is handed over to another one.
    ///
    /// # Errors
    /// [`StateError::Io`]: the system gives none.
    pub fn in_memory() -> Result<StateDir, StateError> {
        let memory = Memory::new().map_err(|error| StateError::Io(MEMORY.into(), error))?;
        StateDir::begin(Medium::Memory(memory), false)
    }

    /// The memory of a process that hands over, by its [descriptor](Self::descriptor); nothing is written before
    /// [`resume`](Self::resume).
    ///
    /// # Errors
    /// [`StateError::Io`]: there is no thread to be had.
    pub fn adopt_memory(descriptor: OwnedFd) -> Result<StateDir, StateError> {
        StateDir::begin(Medium::Memory(descriptor.into()), true)
    }

    fn begin(medium: Medium, is_paused: bool) -> Result<StateDir, StateError> {
        let medium = Arc::new(medium);
        let desk = Arc::new(Desk::new(is_paused));
        let writer = writer::start(Arc::clone(&desk), Arc::clone(&medium));
        let writer = Some(writer.map_err(|error| StateError::Io(medium.file(""), error))?);
        Ok(StateDir { medium, desk, writer })
    }

    /// Where it is; `None`: in memory.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match &*self.medium {
            Medium::Directory(directory, _) => Some(&directory.path),
            Medium::Memory(_) => None,
        }
    }

    /// With what another process may [adopt](Self::adopt) it.
    ///
    /// # Errors
    /// There are no more descriptors.
    pub fn descriptor(&self) -> io::Result<OwnedFd> {
        match &*self.medium {
            Medium::Directory(_, lock) => lock.as_fd().try_clone_to_owned(),
            Medium::Memory(memory) => memory.descriptor(),
        }
    }

    /// What is kept in `file`, if anything. A damaged file is put aside as `NAME.damaged`, logged, and counts as none.
    /// May wait for the disk.
    ///
    /// # Errors
    /// A newer version wrote it, or the disk cannot be read.
    pub fn read(&self, file: &StateFile) -> Result<Option<Kept>, StateError> {
        let broken = |error| StateError::Io(self.medium.file(file.name), error);
        let Some(bytes) = self.medium.read(file.name, file::bytes_max(file)).map_err(broken)? else {
            return Ok(None);
        };
        match decode(file, &bytes) {
            Ok(kept) => Ok(Some(kept)),
            Err(BadFile::Newer(found)) => Err(StateError::Newer(self.medium.file(file.name), found, file.version)),
            Err(BadFile::Damaged(why)) => {
                self.set_aside(file, why);
                Ok(None)
            }
        }
    }

    /// Puts a file whose content makes no sense aside, for who wants to look at it; a reader that finds `content` of the
    /// right checksum and yet wrong says so too.
    pub fn set_aside(&self, file: &StateFile, why: &str) {
        let path = self.medium.file(file.name);
        let aside = match &*self.medium {
            Medium::Directory(directory, _) => Some(directory.set_aside(file.name)),
            Medium::Memory(_) => None,
        };
        tracing::error!(path = %path.display(), why, ?aside, "a damaged file is put aside: what it kept is lost");
    }

    /// Keeps `content` from now on: it is written soon, unless a later one comes before. Never waits.
    ///
    /// More than the file's `bytes_max` is not written, and logged: what was kept before stays. `false`: it is too much.
    pub fn keep(&self, file: &'static StateFile, content: Vec<u8>) -> bool {
        if content.len() > file.bytes_max {
            let (bytes, max) = (content.len(), file.bytes_max);
            tracing::error!(file = file.name, bytes, max, "too much to be kept: what was kept before stays");
            return false;
        }
        self.desk.put(file.name, encode(file, &content));
        true
    }

    /// Writes what waits, then nothing more until [`resume`](Self::resume); `false` if that took longer than `limit`, or
    /// the disk refuses it. May wait.
    pub fn pause(&self, limit: Duration) -> bool {
        self.desk.pause(limit)
    }

    /// Writes again, first what came meanwhile.
    pub fn resume(&self) {
        self.desk.resume();
    }

    /// Waits until all that was handed over is written; `false` after `limit`, or if the disk refuses it.
    pub fn settle(&self, limit: Duration) -> bool {
        self.desk.settle(limit)
    }

    /// Why the last write failed, if it did; it is tried again.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        self.desk.trouble()
    }
}

impl Drop for StateDir {
    /// What waits is written, unless it is paused; one that fails is not tried again.
    fn drop(&mut self) {
        self.desk.close();
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

impl Medium {
    fn read(&self, name: &str, bytes_max: usize) -> io::Result<Option<Vec<u8>>> {
        match self {
            Medium::Directory(directory, _) => directory.read(name, bytes_max),
            Medium::Memory(memory) => memory.read(name),
        }
    }

    fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        match self {
            Medium::Directory(directory, _) => directory.replace(name, bytes),
            Medium::Memory(memory) => memory.replace(name, bytes),
        }
    }

    /// For messages.
    fn file(&self, name: &str) -> PathBuf {
        match self {
            Medium::Directory(directory, _) => directory.file(name),
            Medium::Memory(_) => Path::new(MEMORY).join(name),
        }
    }
}

/// What stands in messages for the path of a directory.
const MEMORY: &str = "memory";
