//! A stored response on its way to one client (RFC 9111 §4.3.2, RFC 9110 §13, §14).

use super::Question;
use crate::cache::entry::Entry;
use crate::config::FieldEdits;
use crate::exchange::attempts::Trail;
use crate::exchange::parting::Parting;
use crate::exchange::serve::{Course, Scratch};
use crate::exchange::{Broken, Chunk, Downstream, Reply, Source};
use crate::http::coding::vary;
use crate::http::{
    CacheStatus, Condition, FieldName, Fields, Length, Method, Multipart, Ranges, RequestHead, ResponseHead,
    conditions, content_range, has_conditions, push_decimal, range_may, ranges, strip_content_digests, strip_freshness,
    unsatisfied,
};
use crate::telemetry::access::End;
use bytes::Bytes;
use std::cell::Cell;
use std::ops::Range;
use std::pin::pin;
use std::sync::Arc;

/// A stored response, and what is said of it.
pub(super) struct Serving<'a> {
    pub(super) entry: &'a Arc<Entry>,
    pub(super) status: CacheStatus<'a>,
    /// Age is said in any case (RFC 9111 §5.1).
    pub(super) is_hit: bool,
}

/// What of it the client gets.
enum Form {
    /// All, or what stands for it without content.
    Whole,
    /// 304
    NotModified,
    /// 412
    Failed,
    /// 206 with one part.
    Part(Range<u64>),
    /// 206 with several.
    Parts(Vec<Range<u64>>),
    /// 416
    Unsatisfiable,
}

impl Course<'_> {
    /// Sends a response that is complete.
    pub(super) async fn deliver<D: Downstream>(
        &self,
        question: &Question<'_>,
        serving: &Serving<'_>,
        scratch: &mut Scratch,
        down: &mut D,
        trail: &mut Trail,
    ) -> End {
        // Whoever reads it slowly has no part of a pool.
        trail.entering = None;
        let added = std::mem::take(&mut scratch.added);
        let Scratch { request, response, .. } = scratch;
        let moved = Cell::new(0);
        let mut sending = Sending { course: self, question, serving, request, added, form: None, moved: &moved };
        sending.say();
        response.clear();
        let (body, reply) = down.halves();
        let limit = self.client.gate.timeouts.body;
        let patience = reply.patience(limit);
        let waits = patience > limit && body.length() == Length::None;
        let sent = {
            // Pinned here: as an argument it would be copied twice.
            let send = pin!(sending.send(response, reply));
            let send = self.worker.clock.within_progress(patience, &moved, send);
            self.send_within_bounds(body, waits, send).await
        };
        if self.worker.log.borrow().is_on() && response.fields.is_empty() {
            response.fields = sending.sent().fields();
        }
        scratch.added = sending.added;
        match sent {
            Ok(Ok(Ok(bytes))) => {
                trail.moved.down += bytes;
                End::Complete
            }
            Err(Parting::TimedOut) => {
                reply.abort();
                End::TimedOut
            }
            _ => {
                reply.abort();
                self.worker.metrics.client_aborted();
                End::ClientAborted
            }
        }
    }
}

/// One stored response to one client.
pub(super) struct Sending<'a> {
    pub(super) course: &'a Course<'a>,
    pub(super) question: &'a Question<'a>,
    pub(super) serving: &'a Serving<'a>,
    pub(super) request: &'a RequestHead,
    /// Lines of this time.
    pub(super) added: Vec<u8>,
    /// The form that goes in the place of the entry.
    pub(super) form: Option<Arc<Entry>>,
    /// Pieces of content that the client has taken.
    moved: &'a Cell<u64>,
}

impl Sending<'_> {
    /// Writes the lines of this time.
    fn say(&mut self) {
        let Sending { question, serving, added, .. } = self;
        added.clear();
        lines_of_now(question, serving.entry, &serving.status, serving.is_hit, added);
    }

    async fn send<R: Reply>(&mut self, response: &mut ResponseHead, reply: &mut R) -> Result<u64, Broken> {
        let entry = self.serving.entry;
        match form(entry, self.request, self.question.now_ms) {
            Form::Whole => self.whole(response, reply).await,
            Form::NotModified => self.without_content(304, response, reply).await,
            Form::Failed => self.without_content(412, response, reply).await,
            Form::Unsatisfiable => {
                response.fields.push_known(FieldName::ContentRange, unsatisfied(complete(entry)).as_bytes());
                self.without_content(416, response, reply).await
            }
            Form::Part(range) => self.part(&range, response, reply).await,
            Form::Parts(ranges) => self.parts(ranges, response, reply).await,
        }
    }

    /// RFC 9110 §15.4.5: what a 200 would have said of the representation, but nothing of content that is not sent.
    async fn without_content<R: Reply>(
        &self,
        status: u16,
        response: &mut ResponseHead,
        reply: &mut R,
    ) -> Result<u64, Broken> {
        response.status = status;
        self.fill(&mut response.fields);
        let varies = status == 304 && self.varies();
        response
            .fields
            .retain(|name, text, _| !(is_of_content(name, text) && (status == 304 || name != FieldName::ContentRange)));
        self.edit(response);
        if varies {
            vary(&mut response.fields);
        }
        if status != 304 {
            // It is this client's own: another cache would give it to all.
            strip_freshness(&mut response.fields);
        }
        let length = if status == 304 { Length::None } else { Length::Known(0) };
        reply.head(response, length).await?;
        reply.end(None).await?;
        Ok(0)
    }

    async fn part<R: Reply>(
        &self,
        range: &Range<u64>,
        response: &mut ResponseHead,
        reply: &mut R,
    ) -> Result<u64, Broken> {
        let entry = self.serving.entry;
        let length = range.end - range.start;
        response.status = 206;
        self.fill(&mut response.fields);
        strip_content_digests(&mut response.fields);
        response.fields.set(FieldName::ContentRange, content_range(range, complete(entry)).as_bytes());
        self.edit(response);
        reply.head(response, Length::Known(length)).await?;
        self.stored(range, false, reply).await?;
        reply.end(None).await?;
        Ok(length)
    }

    /// The bytes `range`, all of which are stored.
    async fn stored<R: Reply>(&self, range: &Range<u64>, more: bool, reply: &mut R) -> Result<(), Broken> {
        let mut left = range.clone();
        while !left.is_empty() {
            let piece = self.serving.entry.piece(&left).ok_or(Broken::Closed)?;
            left.start += piece.len() as u64;
            self.content(piece, more || !left.is_empty(), reply).await?;
        }
        Ok(())
    }

    /// In pieces, so that whoever takes them slowly is seen to take them.
    pub(super) async fn content<R: Reply>(&self, mut content: &[u8], more: bool, reply: &mut R) -> Result<(), Broken> {
        let entry = self.sent();
        while content.len() > PIECE_BYTES {
            let (piece, rest) = content.split_at(PIECE_BYTES);
            reply.data(chunk(entry, piece), true).await?;
            self.moved.set(self.moved.get() + 1);
            content = rest;
        }
        reply.data(chunk(entry, content), more).await
    }

    async fn parts<R: Reply>(
        &self,
        ranges: Vec<Range<u64>>,
        response: &mut ResponseHead,
        reply: &mut R,
    ) -> Result<u64, Broken> {
        let entry = self.serving.entry;
        response.status = 206;
        self.fill(&mut response.fields);
        strip_content_digests(&mut response.fields);
        let boundary = format!("{:032x}", entry.hash ^ u128::from(self.question.now_ms));
        let content_type = response.fields.get(FieldName::ContentType).map(<[u8]>::to_vec);
        let multipart = Multipart::new(ranges, complete(entry), content_type.as_deref(), &boundary);
        response.fields.set(FieldName::ContentType, multipart.content_type().as_bytes());
        self.edit(response);
        if self.varies() {
            vary(&mut response.fields);
        }
        reply.head(response, Length::Known(multipart.length())).await?;
        for (head, range) in multipart.parts() {
            reply.data(Chunk::Lent(head), true).await?;
            self.stored(range, true, reply).await?;
        }
        reply.data(Chunk::Lent(multipart.closing()), false).await?;
        reply.end(None).await?;
        Ok(multipart.length())
    }

    pub(super) fn fill(&self, fields: &mut Fields) {
        self.serving.entry.fields().iter().for_each(|(_, name, value)| fields.push(name, value));
        Fields::of_lines(&self.added).iter().for_each(|(_, name, value)| fields.push(name, value));
    }

    pub(super) fn edit(&self, response: &mut ResponseHead) {
        if let Some(edits) = self.edits() {
            crate::route::edit(edits, &mut response.fields);
        }
    }

    /// Whether the 200 would say more in Vary (RFC 9110 §15.3.7, §15.4.5). That of a single part is seen to on its way.
    fn varies(&self) -> bool {
        if self.course.compression.is_none() {
            return false;
        }
        let edited = self.edits().map(|edits| {
            let mut fields = Fields::default();
            self.fill(&mut fields);
            crate::route::edit(edits, &mut fields);
            fields
        });
        self.course.varies(self.serving.entry, edited.as_ref())
    }

    /// What the route changes.
    pub(super) fn edits(&self) -> Option<&FieldEdits> {
        self.course.route.map(|(_, route)| &route.response).filter(|edits| !edits.is_empty())
    }
}

/// Age and Cache-Status.
pub(super) fn lines_of_now(
    question: &Question<'_>,
    entry: &Entry,
    status: &CacheStatus<'_>,
    is_hit: bool,
    out: &mut Vec<u8>,
) {
    let age = entry.life.age_ms(question.now_ms) / 1000;
    if is_hit || age > 0 {
        out.extend_from_slice(b"age: ");
        // RFC 9111 §1.2.2
        push_decimal(age.min(1 << 31), out);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"cache-status: ");
    let status = CacheStatus { key: question.shows_key.then_some(&question.key), ..*status };
    status.write(out);
    out.extend_from_slice(b"\r\n");
}

/// RFC 9110 §13.2.2, §14.2
fn form(entry: &Entry, request: &RequestHead, now_ms: u64) -> Form {
    let fields = &request.fields;
    // RFC 9110 §13.2.1: only where the response would be a 2xx.
    if entry.status == 200 && has_conditions(fields) {
        match conditions(request, &entry.validators(), now_ms / 1000) {
            Condition::Proceed => {}
            Condition::NotModified => return Form::NotModified,
            Condition::PreconditionFailed => return Form::Failed,
        }
    }
    let Some(range) = fields.get(FieldName::Range) else { return Form::Whole };
    // RFC 9110 §14.2: for GET alone.
    if entry.status != 200 || request.method != Method::Get || !range_may(request, &entry.validators()) {
        return Form::Whole;
    }
    match ranges(range, complete(entry)) {
        Ranges::Whole => Form::Whole,
        Ranges::Unsatisfiable => Form::Unsatisfiable,
        Ranges::Some(mut list) => match list.len() {
            1 => Form::Part(list.remove(0)),
            _ => Form::Parts(list),
        },
    }
}

/// Whether a request is for a range of which all is stored.
pub(super) fn is_part_of(entry: &Entry, request: &RequestHead, now_ms: u64) -> bool {
    match form(entry, request, now_ms) {
        Form::Part(range) => entry.covers(&range),
        Form::Parts(ranges) => ranges.iter().all(|range| entry.covers(range)),
        Form::NotModified | Form::Failed | Form::Unsatisfiable => true,
        Form::Whole => false,
    }
}

fn complete(entry: &Entry) -> u64 {
    entry.complete().unwrap_or(0)
}

/// Fields that describe content which is not sent.
fn is_of_content(name: FieldName, text: &[u8]) -> bool {
    matches!(
        name,
        FieldName::ContentType | FieldName::ContentEncoding | FieldName::ContentLength | FieldName::ContentRange
    ) || (name == FieldName::Other && (text.eq_ignore_ascii_case(b"content-language")))
}

/// Content that a client is to take within the time for any progress.
const PIECE_BYTES: usize = 256 * 1024;

/// Content as the codec wants it: what is short is copied anyhow.
fn chunk<'a>(entry: &Arc<Entry>, content: &'a [u8]) -> Chunk<'a> {
    /// Bytes above which shared memory costs less than a copy.
    const COPIED_MAX: usize = 16 * 1024;
    match entry.whole() {
        Some(whole) if content.len() > COPIED_MAX => {
            let at = content.as_ptr() as usize - whole.as_ptr() as usize;
            let owner = Bytes::from_owner(Owner(Arc::clone(entry)));
            Chunk::Owned(owner.slice(at..at + content.len()))
        }
        _ => Chunk::Lent(content),
    }
}

struct Owner(Arc<Entry>);

impl AsRef<[u8]> for Owner {
    fn as_ref(&self) -> &[u8] {
        self.0.whole().unwrap_or_default()
    }
}
