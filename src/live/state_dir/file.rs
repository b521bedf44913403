//! What a file holds: one line of text that says what follows, and the content.
//!
//! `weir-state 1 NAME VERSION BYTES CHECKSUM`, a line end, and so many bytes. The checksum (XXH3, 128 bits, hexadecimal)
//! is that of the line up to it, and of the content: a file under the name of another one does not pass for it.

use super::{Kept, StateFile};
use twox_hash::XxHash3_128;

/// Why a file is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BadFile {
    /// It is not what was written; how that shows.
    Damaged(&'static str),
    /// Whole, and of this newer version.
    Newer(u32),
}

/// As it is written.
pub(super) fn encode(file: &StateFile, content: &[u8]) -> Vec<u8> {
    let said = said(file.name, file.version, content.len());
    let mut bytes = format!("{said} {:032x}\n", sum(&said, content)).into_bytes();
    bytes.extend_from_slice(content);
    bytes
}

/// Reads it. A later version keeps the line as it is, so that it is told from damage.
pub(super) fn decode(file: &StateFile, bytes: &[u8]) -> Result<Kept, BadFile> {
    let line_bytes = bytes.iter().take(LINE_BYTES_MAX).position(|byte| *byte == b'\n');
    let (line, content) = bytes.split_at(line_bytes.ok_or(BadFile::Damaged("it has no first line"))?);
    let (line, content) = (std::str::from_utf8(line).unwrap_or_default(), &content[1..]);
    let version = line.split(' ').nth(3).and_then(|version| version.parse().ok());
    let version: u32 = version.ok_or(BadFile::Damaged("its first line does not say what it is"))?;
    let said = said(file.name, version, content.len());
    if line != format!("{said} {:032x}", sum(&said, content)) {
        return Err(BadFile::Damaged("it is not as long as it was, or its checksum is wrong"));
    }
    match version {
        0 => Err(BadFile::Damaged("versions count from 1")),
        version if version > file.version => Err(BadFile::Newer(version)),
        version => Ok(Kept { version, content: content.to_vec() }),
    }
}

/// Bytes of a whole file at most.
pub(super) fn bytes_max(file: &StateFile) -> usize {
    LINE_BYTES_MAX + file.bytes_max
}

fn said(name: &str, version: u32, content_bytes: usize) -> String {
    format!("weir-state 1 {name} {version} {content_bytes}")
}

fn sum(said: &str, content: &[u8]) -> u128 {
    let mut hasher = XxHash3_128::new();
    hasher.write(said.as_bytes());
    hasher.write(b"\n");
    hasher.write(content);
    hasher.finish_128()
}

/// More than any first line has, its end included.
const LINE_BYTES_MAX: usize = 256;
