//! How an entry is made.

use super::{Content, Entry, Span};
use crate::cache::form::{Marks, Verdict};
use crate::http::{FieldName, Fields, Life, is_hop_by_hop};
use std::sync::atomic::{AtomicU8, AtomicU64};

/// What an entry is made of.
#[derive(Debug)]
pub struct Make<'a> {
    /// Hash of the primary key.
    pub hash: u128,
    /// Hash of the selecting fields.
    pub variant: u64,
    /// The primary key.
    pub key: &'a [u8],
    /// Where its URL begins.
    pub url_at: usize,
    /// The selecting fields, as `http::push_selecting` writes them.
    pub selecting: &'a [u8],
    /// Keyed hashes of its tags.
    pub tags: &'a [u64],
    /// Its status.
    pub status: u16,
    /// Its fields, without those that are not stored. What they say to Weir alone (Weir-Cache-Control) is kept, and not sent.
    pub fields: &'a Fields,
    /// Its life.
    pub life: Life,
    /// The generation of purges at which its fetch began.
    pub born: u64,
    /// Its content.
    pub content: Content,
}

impl Entry {
    /// Builds an entry.
    #[must_use]
    pub fn make(make: Make<'_>) -> Entry {
        let mut text = Vec::with_capacity(make.key.len() + make.selecting.len() + make.fields.size() + LINES_ROOM);
        text.extend_from_slice(make.key);
        let key_end = text.len();
        text.extend_from_slice(make.selecting);
        let selecting_end = text.len();
        let [mut etag, mut modified, mut date] = [Span::default(); 3];
        let mut ours = Vec::new();
        for (name, lower, value) in make.fields.iter() {
            if name == FieldName::WeirCacheControl {
                // RFC 9213 §2.1: lines of a dictionary are one.
                ours.extend_from_slice(if ours.is_empty() { b"" } else { b", " });
                ours.extend_from_slice(value);
                continue;
            }
            if is_hop_by_hop(name) || name == FieldName::ContentLength {
                continue;
            }
            text.extend_from_slice(lower);
            text.extend_from_slice(b": ");
            let span = Span { at: text.len() as u32, len: u16::try_from(value.len()).unwrap_or(0) };
            match name {
                FieldName::ETag if etag.len == 0 => etag = span,
                FieldName::LastModified if modified.len == 0 => modified = span,
                FieldName::Date if date.len == 0 => date = span,
                _ => {}
            }
            text.extend_from_slice(value);
            text.extend_from_slice(b"\r\n");
        }
        let lines_end = text.len();
        text.extend_from_slice(&(ours.len() as u32).to_le_bytes());
        text.extend_from_slice(&ours);
        make.tags.iter().for_each(|tag| text.extend_from_slice(&tag.to_le_bytes()));
        Entry {
            hash: make.hash,
            variant: make.variant,
            life: make.life,
            born: make.born,
            status: make.status,
            mark: AtomicU8::new(0),
            checked: AtomicU64::new(make.born),
            text: text.into_boxed_slice(),
            key_end: key_end as u32,
            selecting_end: selecting_end as u32,
            lines_end: lines_end as u32,
            url_at: make.url_at as u16,
            etag,
            modified,
            date,
            why: None,
            marks: Marks::default(),
            verdict: Verdict::default(),
            content: make.content,
        }
    }
}

/// Room for the separators of lines of usual heads.
const LINES_ROOM: usize = 128;
