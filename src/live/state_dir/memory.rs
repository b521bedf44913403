//! What stands for the directory where none is configured: memory without a name, which an upgrade can hand over and a
//! restart cannot.

use rustix::fs::{MemfdFlags, memfd_create};
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Files by name in one descriptor, one after the other: the bytes of the name and of the file as two 32-bit numbers,
/// the name, the file.
#[derive(Debug)]
pub(super) struct Memory(Mutex<File>);

impl Memory {
    pub(super) fn new() -> io::Result<Memory> {
        Ok(Memory::from(memfd_create("weir-state", MemfdFlags::CLOEXEC)?))
    }

    /// Another descriptor of it: what one writes the other reads.
    pub(super) fn descriptor(&self) -> io::Result<OwnedFd> {
        self.lock().try_clone().map(OwnedFd::from)
    }

    pub(super) fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        all(&self.lock()).map(|mut files| files.remove(name))
    }

    pub(super) fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let memory = self.lock();
        let mut files = all(&memory)?;
        files.insert(name.to_owned(), bytes.to_vec());
        let mut whole = Vec::new();
        for (name, bytes) in &files {
            for len in [name.len(), bytes.len()] {
                whole.extend_from_slice(&u32::try_from(len).map_err(io::Error::other)?.to_le_bytes());
            }
            whole.extend_from_slice(name.as_bytes());
            whole.extend_from_slice(bytes);
        }
        memory.set_len(whole.len() as u64)?;
        memory.write_all_at(&whole, 0)
    }

    fn lock(&self) -> MutexGuard<'_, File> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<OwnedFd> for Memory {
    fn from(descriptor: OwnedFd) -> Memory {
        Memory(Mutex::new(File::from(descriptor)))
    }
}

fn all(memory: &File) -> io::Result<BTreeMap<String, Vec<u8>>> {
    let len = usize::try_from(memory.metadata()?.len()).map_err(io::Error::other)?;
    let mut whole = vec![0; len];
    memory.read_exact_at(&mut whole, 0)?;
    let mut files = BTreeMap::new();
    let mut rest = whole.as_slice();
    while !rest.is_empty() {
        let (name, file, after) = first(rest).ok_or(io::ErrorKind::InvalidData)?;
        files.insert(String::from_utf8_lossy(name).into_owned(), file.to_vec());
        rest = after;
    }
    Ok(files)
}

/// A name, its file, and what follows.
fn first(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (name_len, rest) = bytes.split_first_chunk()?;
    let (file_len, rest) = rest.split_first_chunk()?;
    let (name, rest) = rest.split_at_checked(u32::from_le_bytes(*name_len) as usize)?;
    let (file, rest) = rest.split_at_checked(u32::from_le_bytes(*file_len) as usize)?;
    Some((name, file, rest))
}
