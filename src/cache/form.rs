//! Encoded forms of stored responses (RFC 9110 §8.4). Each is an item of its own in the memory tier, bounded and let go of as
//! all are, under a hash and a key that no request has: the only way to it leads over the response that it was made of.
//! Lifetime, tags and purges are those of that response, and with it the form is of no use any more.

use super::entry::{Content, Entry, Make};
use crate::http::Life;
use crate::http::coding::{Coding, adapt};
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Weak};

/// Content in a coding.
#[derive(Debug)]
pub struct Form {
    /// Whose head it has.
    of: Weak<Entry>,
    /// Who holds the content that was encoded: what was freshened keeps it.
    content_of: Weak<Entry>,
    bytes: Arc<[u8]>,
}

/// What a form is to a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// Its encoded form.
    Fits,
    /// Its content, but the head of what it was before it was freshened.
    ContentOnly,
    /// Of something else.
    Stranger,
}

/// What is known of a response's forms, by coding: whether one is being made, is not worth it, was made (and may be gone).
#[derive(Debug, Default)]
pub(super) struct Marks(AtomicU16);

/// What the rules of one route said of a response. Theirs is all but the last bits; 0: nothing is known.
#[derive(Debug, Default)]
pub(super) struct Verdict(AtomicU64);

/// What a route's rules say of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judged {
    /// It may have encoded forms.
    pub compressible: bool,
    /// Its Vary does not say yet that it has.
    pub lacks_vary: bool,
}

/// How the making of a form ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Made {
    /// It is there.
    Kept,
    /// It would not be smaller: never again.
    NotSmaller,
    /// There was no room, or no time.
    Not,
}

impl Form {
    /// The encoded content.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Bytes that it holds: content, links, and the shells of those who are gone but linked to.
    pub(super) fn held(&self) -> usize {
        let shells = if self.of.ptr_eq(&self.content_of) { 1 } else { 2 };
        self.bytes.len() + ARC_BYTES + size_of::<Form>() + shells * (size_of::<Entry>() + ARC_BYTES)
    }
}

impl Entry {
    /// The hash under which its form in `coding` stands: as hard to guess as its own.
    #[must_use]
    pub fn form_hash(&self, coding: Coding) -> u128 {
        self.hash ^ (u128::from(self.variant) << 32) ^ SALTS[coding as usize]
    }

    /// What is kept beside `entry` for those who accept `coding`: `bytes` are its content, encoded.
    #[must_use]
    pub fn form(entry: &Arc<Entry>, coding: Coding, bytes: Arc<[u8]>) -> Entry {
        let mut fields = entry.fields();
        adapt(&mut fields, coding);
        let content_of = Arc::downgrade(entry.holder());
        let form = Form { of: Arc::downgrade(entry), content_of, bytes };
        Entry::make(Make {
            hash: entry.form_hash(coding),
            variant: 0,
            // No request has it.
            key: b"",
            url_at: 0,
            selecting: b"",
            tags: &[],
            status: entry.status,
            fields: &fields,
            life: Life::NONE,
            born: entry.born,
            content: Content::Form(Box::new(form)),
        })
    }

    /// What it is to `entry`.
    #[must_use]
    pub fn fit(&self, entry: &Arc<Entry>) -> Fit {
        // An address is nobody else's as long as a link to it stands.
        let is = |link: &Weak<Entry>, entry: &Arc<Entry>| std::ptr::eq(link.as_ptr(), Arc::as_ptr(entry));
        match self.content() {
            Content::Form(form) if is(&form.of, entry) => Fit::Fits,
            Content::Form(form) if is(&form.content_of, entry.holder()) => Fit::ContentOnly,
            _ => Fit::Stranger,
        }
    }

    /// The same form for `entry`, whose content it is.
    #[must_use]
    pub fn refitted(&self, entry: &Arc<Entry>, coding: Coding) -> Option<Entry> {
        match self.content() {
            Content::Form(form) => Some(Entry::form(entry, coding, Arc::clone(&form.bytes))),
            _ => None,
        }
    }

    /// What the rules with this print say of it, if they were asked last.
    #[must_use]
    pub fn judged(&self, print: u64) -> Option<Judged> {
        let judged = self.verdict.0.load(Relaxed);
        let is_known = judged & KNOWN != 0 && judged & !JUDGED == print & !JUDGED;
        is_known.then_some(Judged { compressible: judged & COMPRESSIBLE != 0, lacks_vary: judged & LACKS_VARY != 0 })
    }

    /// Remembers what the rules with this print say of it.
    pub fn judge(&self, print: u64, judged: Judged) {
        let bit = |is, bit| if is { bit } else { 0 };
        let bits = KNOWN | bit(judged.compressible, COMPRESSIBLE) | bit(judged.lacks_vary, LACKS_VARY);
        self.verdict.0.store(print & !JUDGED | bits, Relaxed);
    }

    /// Whether its form in `coding` would be no smaller.
    #[must_use]
    pub fn is_poor_in(&self, coding: Coding) -> bool {
        self.marks.0.load(Relaxed) & POOR << coding as u16 != 0
    }

    /// Whether a form was made of it.
    #[must_use]
    pub fn had_forms(&self) -> bool {
        self.marks.0.load(Relaxed) & (KEPT * CODINGS) != 0
    }

    /// Whether the caller is to make its form in `coding`, and to tell [`made`](Self::made) how that ended: one at a time is.
    #[must_use]
    pub fn begin_form(&self, coding: Coding) -> bool {
        let making = MAKING << coding as u16;
        self.marks.0.fetch_or(making, Relaxed) & making == 0
    }

    /// The making of its form ended.
    pub fn made(&self, coding: Coding, how: Made) {
        let bit = match how {
            Made::Kept => KEPT,
            Made::NotSmaller => POOR,
            Made::Not => 0,
        };
        self.marks.0.fetch_or(bit << coding as u16, Relaxed);
        self.marks.0.fetch_and(!(MAKING << coding as u16), Relaxed);
    }

    /// Takes over what is known of the forms of `other`, whose content it keeps.
    pub fn inherit_forms(&self, other: &Entry) {
        let known = other.marks.0.load(Relaxed) & ((KEPT | POOR) * CODINGS);
        self.marks.0.fetch_or(known, Relaxed);
    }
}

/// Random, one a coding.
const SALTS: [u128; Coding::ALL.len()] = [
    0x5c1f_9b0d_27e4_a386_d9f0_4b6e_1a83_7c25,
    0xa7e2_3d54_f81b_690c_32c7_95ae_d04f_b816,
    0x19d6_c8f3_4e05_b27a_8b64_e1d9_f53c_0a97,
];

/// Marks of the first coding; each other has its own beside.
const MAKING: u16 = 1;
const POOR: u16 = 1 << 4;
const KEPT: u16 = 1 << 8;
/// The same mark of all codings.
const CODINGS: u16 = (1 << Coding::ALL.len()) - 1;

const KNOWN: u64 = 1;
const COMPRESSIBLE: u64 = 2;
const LACKS_VARY: u64 = 4;
const JUDGED: u64 = KNOWN | COMPRESSIBLE | LACKS_VARY;

/// What a shared allocation has before its value.
const ARC_BYTES: usize = 16;

#[cfg(test)]
mod tests;
