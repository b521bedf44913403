//! A response of which parts are stored: only the rest is asked for, and joined with them (RFC 9111 §3.4).
//!
//! One request is for all that is missing, and its response is judged before a byte of what is stored is sent: what a client
//! gets is of one representation.

use super::Question;
use crate::cache::entry::{Content, Entry};
use crate::cache::purge::Verdict;
use crate::http::{
    self, FieldName, Fields, Known, Length, Ranges, RequestHead, ResponseDirectives, ResponseHead, content_range,
    freshened, is_hop_by_hop, is_left_out, is_strong, range_may, ranges,
};
use crate::live::LiveCache;
use bytes::Bytes;
use std::ops::Range;
use std::sync::Arc;

/// What is to be asked for.
#[derive(Clone, Debug)]
pub(super) struct Rest {
    /// What has the parts.
    held: Arc<Entry>,
    /// What the client wants, in bytes of the whole.
    wanted: Range<u64>,
    /// What of that is asked for.
    missing: Range<u64>,
    /// The client wants the whole.
    is_whole: bool,
}

impl Question<'_> {
    /// The rest of what a GET asks for, if parts of that are stored that may be joined with it.
    pub(super) fn rest(&self, request: &RequestHead) -> Option<Rest> {
        let cache = &self.rules.cache;
        let held = cache.memory.find(self.hash, |entry| {
            let is_it = *entry.key() == *self.key && entry.is_selected_by(&request.fields, &self.rules.normal);
            (is_it && may_be_joined(entry)).then(|| Arc::clone(entry))
        })?;
        let Content::Parts(parts) = held.content() else { return None };
        let (wanted, is_whole) = wanted(&held, request, parts.complete())?;
        let missing = parts.missing(&wanted).filter(|missing| *missing != wanted)?;
        // What is too large to be stored is not gathered, either.
        let bytes = wanted.end - wanted.start;
        let has_room = bytes <= self.config.max_object && cache.may_hold(&held, bytes);
        let may = has_room && cache.verdict(&held) != Verdict::Gone;
        may.then(|| Rest { held: Arc::clone(&held), wanted, missing, is_whole })
    }
}

/// Whether parts of it may be put together with others: by a strong validator (RFC 9111 §3.4).
pub(super) fn may_be_joined(entry: &Entry) -> bool {
    matches!(entry.content(), Content::Parts(_)) && entry.status == 200 && entry.etag().is_some_and(is_strong)
}

/// What a request wants of a representation of `complete` bytes; whether that is the whole. `None` for several ranges, or
/// one that does not count.
fn wanted(held: &Entry, request: &RequestHead, complete: u64) -> Option<(Range<u64>, bool)> {
    let Some(range) = request.fields.get(FieldName::Range) else { return Some((0..complete, true)) };
    if !range_may(request, &held.validators()) {
        return None;
    }
    match ranges(range, complete) {
        Ranges::Some(list) if list.len() == 1 => Some((list[0].clone(), false)),
        _ => None,
    }
}

impl Rest {
    /// Makes a request one for the rest.
    pub(super) fn ask(&self, fields: &mut Fields) {
        let range = format!("bytes={}-{}", self.missing.start, self.missing.end - 1);
        fields.set(FieldName::Range, range.as_bytes());
        // RFC 9110 §13.1.5: if it changed, all of the new one comes instead.
        fields.set(FieldName::IfRange, self.held.etag().unwrap_or_default());
    }

    /// What the response to that is.
    pub(super) fn judge(&self, head: &ResponseHead, length: Length) -> http::Rest {
        let (fields, etag) = (self.held.fields(), self.held.etag().unwrap_or_default());
        let complete = self.held.complete().unwrap_or(0);
        let known = Known { etag, complete, coding: fields.get(FieldName::ContentEncoding) };
        http::rest(&known, &self.missing, head.status, &head.fields, length)
    }

    /// What is stored was purged since.
    pub(super) fn is_purged(&self, cache: &LiveCache) -> bool {
        cache.verdict(&self.held) == Verdict::Gone
    }

    /// The head of a response that has all that is wanted, as a part to be stored: RFC 9111 §3.4, with the fields of what is
    /// stored, but for those that the rest has anew.
    pub(super) fn head(&self, head: &ResponseHead) -> ResponseHead {
        let mut fields = freshened(&self.held.all_fields(), &head.fields, &ResponseDirectives::of(&head.fields));
        if let Some(age) = head.fields.get(FieldName::Age) {
            fields.push_known(FieldName::Age, age);
        }
        let complete = self.held.complete().unwrap_or(0);
        fields.push_known(FieldName::ContentRange, content_range(&self.wanted, complete).as_bytes());
        ResponseHead { status: 206, fields, ..head.clone() }
    }

    /// What the rest has for the client who caused it alone: its cookies, and the fields that its directives name. They are not
    /// stored, and those of the others stay theirs.
    pub(super) fn own(head: &ResponseHead, out: &mut Fields) {
        let directives = ResponseDirectives::of(&head.fields);
        let is_own = |name: FieldName, text: &[u8]| match name {
            FieldName::SetCookie => true,
            // These are of the rest as it came, not of what the client gets.
            FieldName::Age | FieldName::ContentLength | FieldName::ContentRange | FieldName::WeirCacheControl => false,
            _ => is_left_out(&directives, text) && !is_hop_by_hop(name),
        };
        let own = head.fields.iter().filter(|(name, text, _)| is_own(*name, text));
        own.for_each(|(_, text, value)| out.push(text, value));
    }

    /// What is stored.
    pub(super) fn held(&self) -> &Arc<Entry> {
        &self.held
    }

    /// The same as the client sees it.
    pub(super) fn shown(&self, mut head: ResponseHead) -> ResponseHead {
        if self.is_whole {
            head.status = 200;
            head.fields.remove(FieldName::ContentRange);
        }
        head
    }

    /// Bytes that are wanted.
    pub(super) fn wanted_bytes(&self) -> u64 {
        self.wanted.end - self.wanted.start
    }

    /// Bytes that are asked for.
    pub(super) fn missing_bytes(&self) -> u64 {
        self.missing.end - self.missing.start
    }

    /// What is stored of what is wanted, before the rest.
    pub(super) fn before(&self) -> Vec<Bytes> {
        self.pieces(self.wanted.start..self.missing.start)
    }

    /// What is stored of what is wanted, after the rest.
    pub(super) fn after(&self) -> Vec<Bytes> {
        self.pieces(self.missing.end..self.wanted.end)
    }

    fn pieces(&self, range: Range<u64>) -> Vec<Bytes> {
        match self.held.content() {
            Content::Parts(parts) => parts.pieces(&range).collect(),
            _ => Vec::new(),
        }
    }
}
