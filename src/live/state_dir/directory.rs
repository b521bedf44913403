//! The directory itself: made, locked, its files read, replaced and put aside.

use super::StateError;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// A directory that is there and may be written to.
#[derive(Debug)]
pub(super) struct Directory {
    pub(super) path: PathBuf,
}

impl Directory {
    /// Makes it if it is not there, and tries whether files can be made in it.
    pub(super) fn make(path: &Path) -> Result<Directory, StateError> {
        if fs::metadata(path).is_ok_and(|found| !found.is_dir()) {
            return Err(StateError::NotADirectory(path.to_owned()));
        }
        let made = DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(path);
        made.map_err(|error| match error.kind() {
            io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => StateError::NotADirectory(path.to_owned()),
            _ => StateError::Unwritable(path.to_owned(), error),
        })?;
        let directory = Directory { path: path.to_owned() };
        let trial = directory.file(&format!("trial-{}", std::process::id()));
        let tried = writable(&trial).and_then(|_| fs::remove_file(&trial));
        tried.map_err(|error| StateError::Unwritable(path.to_owned(), error))?;
        Ok(directory)
    }

    /// Keeps other processes out, as long as the file is open here or where it was handed to.
    pub(super) fn lock(&self) -> Result<File, StateError> {
        let file = writable(&self.file(LOCK)).map_err(|error| StateError::Unwritable(self.path.clone(), error))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => Err(StateError::InUse(self.path.clone())),
            Err(TryLockError::Error(error)) => Err(StateError::Io(self.path.clone(), error)),
        }
    }

    /// Whether that is the file by which this directory is locked.
    pub(super) fn is_locked_by(&self, lock: &File) -> bool {
        let identity = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
        let (theirs, ours) = (lock.metadata().map(identity), fs::metadata(self.file(LOCK)).map(identity));
        matches!((theirs, ours), (Ok(theirs), Ok(ours)) if theirs == ours) && lock.try_lock().is_ok()
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// A file, at most one byte more than `bytes_max` of it; `None` if there is none.
    pub(super) fn read(&self, name: &str, bytes_max: usize) -> io::Result<Option<Vec<u8>>> {
        match File::open(self.file(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            file => {
                let mut bytes = Vec::new();
                file?.take(bytes_max as u64 + 1).read_to_end(&mut bytes)?;
                Ok(Some(bytes))
            }
        }
    }

    /// Puts a file in the place of the one before, at once and for good.
    pub(super) fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let beside = self.file(&format!("{name}.new"));
        let written = writable(&beside).and_then(|mut file| {
            file.set_len(0)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&beside, self.file(name))
        });
        if let Err(error) = written {
            // What is half written only takes room.
            drop(fs::remove_file(&beside));
            return Err(error);
        }
        File::open(&self.path)?.sync_all()
    }

    /// Renames a file; where to.
    pub(super) fn set_aside(&self, name: &str) -> io::Result<PathBuf> {
        let aside = self.file(&format!("{name}.damaged"));
        fs::rename(self.file(name), &aside).map(|()| aside)
    }
}

fn writable(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(FILE_MODE).open(path)
}

const LOCK: &str = "lock";

/// What is kept is nobody else's to read: there are secrets among it.
const DIRECTORY_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;
