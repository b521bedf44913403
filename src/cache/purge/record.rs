//! A purge as bytes, for the journal of the disk tier: version, kind, generations (hard, soft; 0: none), and the name, or
//! the hash of one that was noted.

use super::notes::{Key, Name, Stamp};
use super::{Mode, What};
use crate::cache::key::Secret;

/// The record of a purge that is new.
pub(super) fn encode(what: &What, mode: Mode, generation: u64) -> Vec<u8> {
    let kind = match what {
        What::All => ALL,
        What::Url(_) => URL,
        What::Prefix(_) => PREFIX,
        What::Host(_) => HOST,
        What::Tag(_) => TAG,
    };
    with_name(kind, Stamp::new(mode, generation), &[what.name()])
}

/// The record of a note; `None`: of everything.
pub(super) fn encode_note(key: Option<Key>, stamp: Stamp) -> Vec<u8> {
    match key {
        None => with_name(ALL, stamp, &[]),
        Some(Key::Url(hash)) => with_name(URL | HASHED, stamp, &[&hash.to_le_bytes()]),
        Some(Key::Host(hash)) => with_name(HOST | HASHED, stamp, &[&hash.to_le_bytes()]),
        Some(Key::Tag(hash)) => with_name(TAG | HASHED, stamp, &[&hash.to_le_bytes()]),
        Some(Key::Prefix(hash, len)) => with_name(PREFIX | HASHED, stamp, &[&hash.to_le_bytes(), &len.to_le_bytes()]),
    }
}

/// Reads either; `None` for what is neither.
pub(super) fn decode<'a>(bytes: &'a [u8], secret: &Secret) -> Option<(Name<'a>, Stamp)> {
    let ([VERSION, kind], rest) = bytes.split_first_chunk()? else { return None };
    let (hard, rest) = rest.split_first_chunk()?;
    let (soft, name) = rest.split_first_chunk()?;
    let stamp = Stamp { hard: u64::from_le_bytes(*hard), soft: u64::from_le_bytes(*soft) };
    let name = match *kind {
        ALL => name.is_empty().then_some(Name::All)?,
        kind if kind & HASHED != 0 => Name::Key(hashed(kind & !HASHED, name)?),
        _ if name.is_empty() => return None,
        URL => Name::Key(Key::Url(secret.hash64(name))),
        HOST => Name::Key(Key::Host(secret.hash64(name))),
        TAG => Name::Key(Key::Tag(secret.hash64(name))),
        PREFIX => Name::Prefix(name),
        _ => return None,
    };
    (stamp.last() > 0).then_some((name, stamp))
}

fn hashed(kind: u8, name: &[u8]) -> Option<Key> {
    let (hash, rest) = name.split_first_chunk()?;
    let hash = u64::from_le_bytes(*hash);
    match (kind, rest) {
        (URL, []) => Some(Key::Url(hash)),
        (HOST, []) => Some(Key::Host(hash)),
        (TAG, []) => Some(Key::Tag(hash)),
        (PREFIX, len) => Some(Key::Prefix(hash, u32::from_le_bytes(len.try_into().ok()?))),
        _ => None,
    }
}

fn with_name(kind: u8, stamp: Stamp, name: &[&[u8]]) -> Vec<u8> {
    let mut out = vec![VERSION, kind];
    out.extend_from_slice(&stamp.hard.to_le_bytes());
    out.extend_from_slice(&stamp.soft.to_le_bytes());
    name.iter().for_each(|part| out.extend_from_slice(part));
    out
}

const VERSION: u8 = 1;

const ALL: u8 = 0;
const URL: u8 = 1;
const PREFIX: u8 = 2;
const HOST: u8 = 3;
const TAG: u8 = 4;

/// What follows is the keyed hash of a name.
const HASHED: u8 = 0x80;
