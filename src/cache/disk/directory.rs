//! The directory: locked, its files made or checked, and their whole space allocated.

use super::error::DiskError;
use super::identity::{BadIdentity, IDENTITY_BYTES, Identity, SEGMENT_BYTES_MAX, SEGMENT_BYTES_MIN};
use super::journal::{self, JOURNAL_BYTES, Journalled};
use super::place::SEGMENTS_MAX;
use rustix::fs::{FallocateFlags, fallocate, statvfs};
use rustix::io::Errno;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

/// A directory that is ours as long as `lock` is open.
#[derive(Debug)]
pub(super) struct Directory {
    pub(super) lock: File,
    pub(super) identity: Identity,
    pub(super) segments: u32,
    pub(super) data: File,
    pub(super) journal: File,
    pub(super) journalled: Journalled,
}

/// Makes or opens the directory for a store of `size_bytes`.
pub(super) fn open(path: &Path, size_bytes: u64) -> Result<Directory, DiskError> {
    if size_bytes < SIZE_BYTES_MIN {
        return Err(DiskError::TooSmall(path.to_owned(), size_bytes, SIZE_BYTES_MIN));
    }
    make(path)?;
    let lock = lock(path)?;
    let broken = |error: io::Error| DiskError::Io(path.to_owned(), error);
    let data = writable(path, DATA)?;
    let data_len = data.metadata().map_err(broken)?.len();
    let known = match read_identity(path)?.filter(|identity| fits(path, identity, size_bytes, data_len)) {
        Some(identity) => read_journal(path, identity.seed).map_err(broken)?.map(|journalled| (identity, journalled)),
        None => None,
    };
    let (identity, journalled) = match known {
        Some(known) => known,
        None => begin_anew(path, size_bytes)?,
    };
    let segments = segments(size_bytes, identity.segment_bytes).unwrap_or(SEGMENTS_MIN);
    let bytes = u64::from(segments) * u64::from(identity.segment_bytes);
    allocate(path, &data, bytes)?;
    let journal = writable(path, JOURNAL)?;
    allocate(path, &journal, JOURNAL_BYTES)?;
    Ok(Directory { lock, identity, segments, data, journal, journalled })
}

/// Whether a store can be kept at this size. Of a larger one the newest part may be cut off, and with it what replaced or
/// removed a record in the rest.
fn fits(path: &Path, identity: &Identity, size_bytes: u64, data_len: u64) -> bool {
    let segments = segments(size_bytes, identity.segment_bytes);
    let fits = segments.is_some_and(|number| u64::from(number) * u64::from(identity.segment_bytes) >= data_len);
    if !fits {
        tracing::warn!(path = %path.display(), "the cache's disk tier begins empty: its size was made smaller");
    }
    fits
}

fn make(path: &Path) -> Result<(), DiskError> {
    if fs::metadata(path).is_ok_and(|found| !found.is_dir()) {
        return Err(DiskError::NotADirectory(path.to_owned()));
    }
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|error| match error.kind() {
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => DiskError::NotADirectory(path.to_owned()),
        _ => DiskError::Unwritable(path.to_owned(), error),
    })
}

fn lock(path: &Path) -> Result<File, DiskError> {
    let file = writable(path, LOCK)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(DiskError::InUse(path.to_owned())),
        Err(TryLockError::Error(error)) => Err(DiskError::Io(path.to_owned(), error)),
    }
}

/// `None` if there is none, or a damaged one.
fn read_identity(path: &Path) -> Result<Option<Identity>, DiskError> {
    let bytes = read(&path.join(FORMAT), IDENTITY_BYTES as u64 + 1);
    let bytes = bytes.map_err(|error| DiskError::Io(path.to_owned(), error))?;
    match bytes.as_deref().map(Identity::decode) {
        None => Ok(None),
        Some(Ok(identity)) => Ok(Some(identity)),
        Some(Err(BadIdentity::Newer(found))) => Err(DiskError::Newer(path.to_owned(), found, super::identity::FORMAT)),
        Some(Err(BadIdentity::Damaged)) => {
            tracing::error!(path = %path.display(), "the cache's disk tier begins empty: its file `format` is damaged");
            Ok(None)
        }
    }
}

fn read_journal(path: &Path, seed: u64) -> io::Result<Option<Journalled>> {
    let bytes = read(&path.join(JOURNAL), JOURNAL_BYTES + 1)?.filter(|bytes| bytes.len() as u64 == JOURNAL_BYTES);
    let journalled = bytes.and_then(|bytes| journal::decode(&bytes, seed));
    if journalled.is_none() {
        let path = path.display();
        tracing::error!(%path, "the cache's disk tier begins empty: its journal of purges is damaged");
    }
    Ok(journalled)
}

/// With a new seed nothing that is on the disk passes for a record any more.
fn begin_anew(path: &Path, size_bytes: u64) -> Result<(Identity, Journalled), DiskError> {
    let mut random = [0; 24];
    getrandom::fill(&mut random)
        .map_err(|error| DiskError::Io(path.to_owned(), io::Error::other(error.to_string())))?;
    let (secret, seed) = random.split_at(16);
    let identity = Identity {
        segment_bytes: segment_bytes(size_bytes),
        secret: secret.try_into().unwrap_or_default(),
        seed: u64::from_le_bytes(seed.try_into().unwrap_or_default()),
    };
    let none = Journalled { generation: 0, records: Vec::new(), len: 0 };
    let blank = journal::encode(0, std::iter::empty(), identity.seed);
    let blank = blank.ok_or_else(|| DiskError::Io(path.to_owned(), io::ErrorKind::Other.into()))?;
    let written = replace(path, FORMAT, &identity.encode()).and_then(|_| replace(path, JOURNAL, &blank.bytes));
    written.map_err(|error| match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => full(path, size_bytes),
        io::ErrorKind::FileTooLarge => DiskError::TooLong(path.to_owned(), JOURNAL_BYTES),
        _ => DiskError::Unwritable(path.to_owned(), error),
    })?;
    Ok((identity, Journalled { len: blank.len, ..none }))
}

/// Puts a file in the place of another one, at once; gives it back, open.
pub(super) fn replace(path: &Path, name: &str, bytes: &[u8]) -> io::Result<File> {
    let new = path.join(format!("{name}.new"));
    let mut options = OpenOptions::new();
    let mut file = options.read(true).write(true).create(true).truncate(true).mode(FILE_MODE).open(&new)?;
    let written =
        file.write_all(bytes).and_then(|()| file.sync_data()).and_then(|()| fs::rename(&new, path.join(name)));
    if let Err(error) = written {
        // What is half written only takes room.
        drop(fs::remove_file(&new));
        return Err(error);
    }
    File::open(path)?.sync_all()?;
    Ok(file)
}

/// Gives `file` its length, with all its space, so that a full disk shows now and not later.
fn allocate(path: &Path, file: &File, bytes: u64) -> Result<(), DiskError> {
    let broken = |error: io::Error| DiskError::Io(path.to_owned(), error);
    let before = file.metadata().map_err(broken)?;
    if before.len() > bytes {
        file.set_len(bytes).map_err(broken)?;
    }
    // Asked first: what cannot be had whole is not taken from others in part, not even for a moment.
    if missing(&before, bytes) > free(path) {
        return Err(full(path, missing(&before, bytes)));
    }
    let allocated = loop {
        match fallocate(file, FallocateFlags::empty(), 0, bytes) {
            Err(Errno::INTR) => {}
            // A file system without it: what is free now is all that is known.
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => break file.set_len(bytes),
            other => break other.map_err(io::Error::from),
        }
    };
    allocated.map_err(|error| match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::FBIG) => DiskError::TooLong(path.to_owned(), bytes),
        Some(Errno::NOSPC | Errno::DQUOT) => {
            // What was allocated in vain is given back.
            drop(file.set_len(before.len().min(bytes)));
            full(path, missing(&before, bytes))
        }
        _ => broken(error),
    })
}

fn missing(file: &fs::Metadata, bytes: u64) -> u64 {
    bytes.saturating_sub(file.blocks() * 512)
}

fn free(path: &Path) -> u64 {
    statvfs(path).map_or(0, |fs| fs.f_bavail.saturating_mul(fs.f_frsize))
}

fn full(path: &Path, wanted: u64) -> DiskError {
    DiskError::Full(path.to_owned(), wanted, free(path))
}

fn writable(path: &Path, name: &str) -> Result<File, DiskError> {
    let mut options = OpenOptions::new();
    let file = options.read(true).write(true).create(true).truncate(false).mode(FILE_MODE).open(path.join(name));
    file.map_err(|error| DiskError::Unwritable(path.to_owned(), error))
}

/// At most `max` bytes of a file; `None` if it is not there.
fn read(path: &Path, max: u64) -> io::Result<Option<Vec<u8>>> {
    match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        file => {
            let mut bytes = Vec::new();
            file?.take(max).read_to_end(&mut bytes)?;
            Ok(Some(bytes))
        }
    }
}

/// A power of two near a 32nd of the size: what is reclaimed at once, and the largest record.
fn segment_bytes(size_bytes: u64) -> u32 {
    let wanted = u32::try_from(size_bytes / 32).unwrap_or(SEGMENT_BYTES_MAX);
    let below = 1 << (31 - wanted.max(1).leading_zeros());
    u32::clamp(below, SEGMENT_BYTES_MIN, SEGMENT_BYTES_MAX)
}

/// As many segments as fit beside the other files; `None` if that is no sensible number.
fn segments(size_bytes: u64, segment_bytes: u32) -> Option<u32> {
    let number = size_bytes.saturating_sub(OTHER_BYTES) / u64::from(segment_bytes);
    u32::try_from(number).ok().filter(|number| (SEGMENTS_MIN..=SEGMENTS_MAX as u32).contains(number))
}

/// The smallest store, in bytes.
pub(super) const SIZE_BYTES_MIN: u64 = 4 << 20;
/// Bytes of all that is beside the segments: two journals while one replaces the other, and some blocks for small files
/// and the directory.
const OTHER_BYTES: u64 = 2 * JOURNAL_BYTES + (64 << 10);
const SEGMENTS_MIN: u32 = 4;
/// The file of records.
pub(super) const DATA: &str = "data";
/// The file of purges.
pub(super) const JOURNAL: &str = "journal";
const FORMAT: &str = "format";
const LOCK: &str = "lock";
/// What is stored is nobody else's to read.
const FILE_MODE: u32 = 0o600;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_files_together_never_exceed_the_size() {
        for size in [SIZE_BYTES_MIN, 5_000_001, 64 << 20, 1 << 30, 10 << 40] {
            let segment = segment_bytes(size);
            let used = u64::from(segments(size, segment).unwrap()) * u64::from(segment) + OTHER_BYTES;
            assert!(used <= size && size - used < u64::from(segment), "{size}");
        }
        assert_eq!(segment_bytes(1 << 30), 32 << 20);
    }
}
