//! What is wrong with the directory, told so that an operator can mend it.

use std::path::PathBuf;
use std::{fmt, io};

/// Why the state directory cannot be used. Its text names what is wrong and says how to mend it.
#[derive(Debug)]
pub enum StateError {
    /// The path is there and is no directory.
    NotADirectory(PathBuf),
    /// The directory cannot be made, or not be written to.
    Unwritable(PathBuf, io::Error),
    /// Another process has it open.
    InUse(PathBuf),
    /// A newer version of Weir wrote that file: its version, ours.
    Newer(PathBuf, u32, u32),
    /// It cannot be read, or no thread started.
    Io(PathBuf, io::Error),
}

impl fmt::Display for StateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotADirectory(path) => {
                write!(f, "{} is not a directory\n  = name a directory, or move what stands there away", path.display())
            }
            Self::Unwritable(path, error) => write!(
                f,
                "{} cannot be written to: {error}\n  = make it and give it to the user that Weir runs as (chown), or \
                 name another directory",
                path.display()
            ),
            Self::InUse(path) => write!(
                f,
                "{} is in use by another process\n  = each process needs a directory of its own: name another one, or \
                 end the process that has {} open",
                path.display(),
                path.join("lock").display()
            ),
            Self::Newer(path, found, ours) => write!(
                f,
                "{} was written by a newer version of Weir (version {found} of that file; this one reads up to {ours})\n  \
                 = run that version, or move the file away, which loses what it keeps",
                path.display()
            ),
            Self::Io(path, error) => {
                write!(f, "{} cannot be used: {error}\n  = look at the disk and the kernel's log", path.display())
            }
        }
    }
}

impl std::error::Error for StateError {}
