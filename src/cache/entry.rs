//! A stored response: its head as it is sent, its content in one piece, and what the rules need to know.

mod make;
mod parts;

pub use make::Make;
pub use parts::{PARTS_MAX, Parts};

use super::form::{Form, Marks, Verdict};
use super::memory::Held;
use crate::http::{FieldName, Fields, Life, Normal, Unstorable, Validators, matches};
use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

/// A stored response. Never changed but for what is known of its use.
#[derive(Debug)]
pub struct Entry {
    /// Hash of its primary key.
    pub hash: u128,
    /// Hash of its selecting fields.
    pub variant: u64,
    /// Its life (RFC 9111 §4.2).
    pub life: Life,
    /// The generation of purges at which its fetch began.
    pub born: u64,
    /// Its status.
    pub status: u16,
    mark: AtomicU8,
    /// It was found alive at this generation of purges.
    checked: AtomicU64,
    text: Box<[u8]>,
    /// Ends of the parts of `text`.
    key_end: u32,
    selecting_end: u32,
    lines_end: u32,
    url_at: u16,
    etag: Span,
    modified: Span,
    date: Span,
    why: Option<Unstorable>,
    pub(super) marks: Marks,
    pub(super) verdict: Verdict,
    content: Content,
}

/// Where a value stands in the lines of a head; empty if there is none. Packed: three of them would bring an entry into the
/// next size class.
#[derive(Clone, Copy, Debug, Default)]
#[repr(Rust, packed(2))]
struct Span {
    at: u32,
    len: u16,
}

/// What is stored of a response's content.
#[derive(Debug)]
pub enum Content {
    /// Not there yet: the head of a response that is still being received.
    Pending,
    /// All of it.
    Whole(Box<[u8]>),
    /// That of another entry, which this one is a freshened form of.
    Of(Arc<Entry>),
    /// Parts of it (RFC 9111 §3.3).
    Parts(Box<Parts>),
    /// That of another entry, in a coding.
    Form(Box<Form>),
}

impl Entry {
    /// The same head with another life and other content.
    #[must_use]
    pub fn with(&self, life: Life, content: Content) -> Entry {
        Entry {
            mark: AtomicU8::new(0),
            checked: AtomicU64::new(self.checked.load(Ordering::Relaxed)),
            text: self.text.clone(),
            life,
            marks: Marks::default(),
            verdict: Verdict::default(),
            content,
            ..*self
        }
    }

    /// The head of a response that is not stored, for that reason.
    #[must_use]
    pub fn because(self, why: Unstorable) -> Entry {
        Entry { why: Some(why), ..self }
    }

    /// Why it is not stored.
    #[must_use]
    pub fn why_not(&self) -> Option<Unstorable> {
        self.why
    }

    /// Its primary key.
    #[must_use]
    pub fn key(&self) -> &[u8] {
        &self.text[..self.key_end as usize]
    }

    /// The URL of its key.
    #[must_use]
    pub fn url(&self) -> &[u8] {
        &self.text[usize::from(self.url_at)..self.key_end as usize]
    }

    /// Where the URL begins in its key.
    #[must_use]
    pub fn url_at(&self) -> usize {
        usize::from(self.url_at)
    }

    /// Its selecting fields.
    #[must_use]
    pub fn selecting(&self) -> &[u8] {
        &self.text[self.key_end as usize..self.selecting_end as usize]
    }

    /// Its fields as lines of HTTP/1.1, without Content-Length.
    #[must_use]
    pub fn lines(&self) -> &[u8] {
        &self.text[self.selecting_end as usize..self.lines_end as usize]
    }

    /// Keyed hashes of its tags.
    #[must_use]
    pub fn tags(&self) -> Vec<u64> {
        let (chunks, _) = self.behind_lines().1.as_chunks::<8>();
        chunks.iter().map(|bytes| u64::from_le_bytes(*bytes)).collect()
    }

    /// What it says to Weir alone: the value of Weir-Cache-Control, empty without one.
    #[must_use]
    pub fn ours(&self) -> &[u8] {
        self.behind_lines().0
    }

    fn behind_lines(&self) -> (&[u8], &[u8]) {
        let (length, rest) =
            self.text[self.lines_end as usize..].split_first_chunk().expect("a length is behind the lines");
        rest.split_at(u32::from_le_bytes(*length) as usize)
    }

    /// Its Content-Language.
    #[must_use]
    pub fn language(&self) -> Option<Cow<'static, [u8]>> {
        let fields = self.fields();
        fields.named(b"content-language").next().map(|value| Cow::Owned(value.to_vec()))
    }

    /// Whether a request selects it (RFC 9111 §4.1).
    #[must_use]
    pub fn is_selected_by(&self, request: &Fields, normal: &Normal) -> bool {
        self.selecting().is_empty() || matches(self.selecting(), request, normal, || self.language())
    }

    /// Whether it is the same variant of the same key.
    #[must_use]
    pub fn is_same_variant(&self, other: &Entry) -> bool {
        self.variant == other.variant && self.key() == other.key() && self.selecting() == other.selecting()
    }

    /// Its fields.
    #[must_use]
    pub fn fields(&self) -> Fields {
        Fields::of_lines(self.lines())
    }

    /// Its fields with what it says to Weir alone, as those of a later response are put together with.
    #[must_use]
    pub fn all_fields(&self) -> Fields {
        let mut fields = self.fields();
        if !self.ours().is_empty() {
            fields.push_known(FieldName::WeirCacheControl, self.ours());
        }
        fields
    }

    fn span(&self, span: Span) -> Option<&[u8]> {
        (span.len > 0).then(|| &self.text[span.at as usize..][..usize::from(span.len)])
    }

    /// Its ETag.
    #[must_use]
    pub fn etag(&self) -> Option<&[u8]> {
        self.span(self.etag)
    }

    /// Its Last-Modified.
    #[must_use]
    pub fn last_modified(&self) -> Option<&[u8]> {
        self.span(self.modified)
    }

    /// Its Date.
    #[must_use]
    pub fn date(&self) -> Option<&[u8]> {
        self.span(self.date)
    }

    /// What it says of itself, to be compared with.
    #[must_use]
    pub fn validators(&self) -> Validators<'_> {
        Validators { etag: self.etag(), last_modified: self.last_modified(), date: self.date() }
    }

    /// Whether it can be validated.
    #[must_use]
    pub fn has_validator(&self) -> bool {
        self.etag.len > 0 || self.modified.len > 0
    }

    /// Its content.
    #[must_use]
    pub fn content(&self) -> &Content {
        match &self.content {
            Content::Of(entry) => &entry.content,
            content => content,
        }
    }

    /// The parts that it holds itself, not as a freshened form of another.
    #[must_use]
    pub fn own_parts(&self) -> Option<&Parts> {
        match &self.content {
            Content::Parts(parts) => Some(parts),
            _ => None,
        }
    }

    /// Its whole content, if it has that.
    #[must_use]
    pub fn whole(&self) -> Option<&[u8]> {
        match self.content() {
            Content::Whole(bytes) => Some(bytes),
            Content::Form(form) => Some(form.bytes()),
            _ => None,
        }
    }

    /// What it has of the bytes `range` from the first one on, in one piece; `None` if it does not have the first one.
    #[must_use]
    pub fn piece(&self, range: &Range<u64>) -> Option<&[u8]> {
        match self.content() {
            Content::Whole(bytes) => {
                let end = usize::try_from(range.end).unwrap_or(usize::MAX).min(bytes.len());
                bytes.get(usize::try_from(range.start).ok()?..end).filter(|piece| !piece.is_empty())
            }
            Content::Parts(parts) => parts.piece(range),
            Content::Pending | Content::Of(_) | Content::Form(_) => None,
        }
    }

    /// Whether it has all bytes of `range`.
    #[must_use]
    pub fn covers(&self, range: &Range<u64>) -> bool {
        match self.content() {
            Content::Whole(bytes) => range.end <= bytes.len() as u64,
            Content::Parts(parts) => range.end <= parts.complete() && parts.missing(range).is_none(),
            Content::Pending | Content::Of(_) | Content::Form(_) => false,
        }
    }

    /// Bytes that the whole representation has, if that is known.
    #[must_use]
    pub fn complete(&self) -> Option<u64> {
        match self.content() {
            Content::Whole(bytes) => Some(bytes.len() as u64),
            Content::Parts(parts) => Some(parts.complete()),
            Content::Pending | Content::Of(_) | Content::Form(_) => None,
        }
    }

    /// Its content as that of an entry which is made of it.
    #[must_use]
    pub fn content_of(entry: &Arc<Entry>) -> Content {
        Content::Of(Arc::clone(entry.holder()))
    }

    /// Whether both have their content from the same response.
    #[must_use]
    pub fn shares_content(self: &Arc<Entry>, other: &Arc<Entry>) -> bool {
        Arc::ptr_eq(self.holder(), other.holder())
    }

    /// Who holds its content: itself, or what it is a freshened form of.
    pub(super) fn holder(self: &Arc<Entry>) -> &Arc<Entry> {
        match &self.content {
            Content::Of(other) => other,
            _ => self,
        }
    }

    /// The generation of purges at which it was last found alive.
    #[must_use]
    pub fn checked(&self) -> u64 {
        self.checked.load(Ordering::Relaxed)
    }

    /// Notes that it is alive at `generation`.
    pub fn alive_at(&self, generation: u64) {
        self.checked.fetch_max(generation, Ordering::Relaxed);
    }

    /// Bytes that it would hold with content of so many bytes.
    #[must_use]
    pub fn bytes_with(&self, content: usize) -> usize {
        self.head_bytes() + rounded(content)
    }

    /// Bytes that it holds, as the allocator gives them.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let content = match &self.content {
            Content::Pending => 0,
            Content::Whole(bytes) => rounded(bytes.len()),
            Content::Of(entry) => entry.bytes(),
            Content::Parts(parts) => parts.list().iter().map(|(_, bytes)| rounded(bytes.len()) + PART_BYTES).sum(),
            Content::Form(form) => rounded(form.held()),
        };
        self.head_bytes() + content
    }

    fn head_bytes(&self) -> usize {
        rounded(std::mem::size_of::<Entry>() + 16) + rounded(self.text.len())
    }
}

impl Held for Entry {
    fn hash(&self) -> u128 {
        self.hash
    }

    fn bytes(&self) -> usize {
        self.bytes()
    }

    fn mark(&self) -> &AtomicU8 {
        &self.mark
    }

    fn reads(&self) -> [&[u8]; 2] {
        let content: &[u8] = if let Content::Whole(bytes) = &self.content { bytes } else { &[] };
        [&self.text, content]
    }
}

/// What is known of a part beside its bytes, with what shares them.
const PART_BYTES: usize = std::mem::size_of::<(u64, bytes::Bytes)>() + 32;

/// What an allocation takes: steps of an eighth to a quarter of the next power of two, as size classes are.
fn rounded(bytes: usize) -> usize {
    if bytes <= 64 {
        return bytes.next_multiple_of(16);
    }
    let step = (bytes.next_power_of_two() / 8).max(16);
    bytes.next_multiple_of(step)
}
