//! Parts of a representation (RFC 9111 §3.3).

use super::Content;

/// Parts of a representation.
#[derive(Clone, Debug)]
pub struct Parts {
    /// Bytes that the whole has.
    pub complete: u64,
    /// First byte and bytes, in order, neither touching nor overlapping.
    pub list: Vec<(u64, Box<[u8]>)>,
}

impl Parts {
    /// Puts parts in order; what touches or overlaps becomes one, and all of them the whole if nothing is missing.
    #[must_use]
    pub fn joined(complete: u64, mut list: Vec<(u64, Box<[u8]>)>) -> Content {
        list.sort_by_key(|(first, _)| *first);
        let mut joined: Vec<(u64, Vec<u8>)> = Vec::with_capacity(list.len());
        for (first, bytes) in list {
            match joined.last_mut() {
                Some((start, before)) if first <= *start + before.len() as u64 => {
                    // What both have is the same: they are of one representation.
                    let known = (*start + before.len() as u64 - first).min(bytes.len() as u64);
                    before.extend_from_slice(&bytes[known as usize..]);
                }
                _ => joined.push((first, bytes.into_vec())),
            }
        }
        match joined.as_slice() {
            [(0, bytes)] if bytes.len() as u64 == complete => Content::Whole(joined.remove(0).1.into_boxed_slice()),
            _ => {
                let list = joined.into_iter().map(|(first, bytes)| (first, bytes.into_boxed_slice())).collect();
                Content::Parts(Box::new(Parts { complete, list }))
            }
        }
    }
}
