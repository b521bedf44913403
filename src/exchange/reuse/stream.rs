//! A response on its way to one client while its content is still coming.

use super::Question;
use super::deliver::{Serving, lines_of_now};
use super::follow::Reading;
use super::landing::Failure;
use crate::cache::entry::Entry;
use crate::cache::flight::{Piece, Seat};
use crate::exchange::attempts::{Ended, Trail};
use crate::exchange::compress::varies;
use crate::exchange::parting::Parting;
use crate::exchange::serve::{Course, Scratch};
use crate::exchange::{Body, Broken, Chunk, Downstream, Refusal, Reply, Sink};
use crate::http::coding::vary;
use crate::http::{
    Condition, FieldName, Fields, Length, Ranges, RequestHead, ResponseHead, conditions, content_range, has_conditions,
    parse_content_range, range_may, ranges, strip_content_digests, strip_freshness,
};
use std::future::poll_fn;
use std::ops::Range;
use std::pin::pin;
use std::task::Poll;

impl Course<'_> {
    /// Sends the response as it grows.
    #[expect(clippy::too_many_arguments, reason = "the stages of one exchange")]
    pub(super) async fn stream<D: Downstream>(
        &self,
        question: &Question<'_>,
        serving: &Serving<'_>,
        length: Length,
        seat: &mut Seat<Failure>,
        reading: &Reading<'_>,
        scratch: &mut Scratch,
        down: &mut D,
        trail: &mut Trail,
    ) -> Ended {
        let Scratch { request, response, added, .. } = scratch;
        added.clear();
        lines_of_now(question, serving.entry, &serving.status, serving.is_hit, added);
        response.clear();
        response.status = serving.entry.status;
        response.fields = serving.entry.fields();
        Fields::of_lines(added).iter().for_each(|(_, name, value)| response.fields.push(name, value));
        if let Some(extra) = seat.extra() {
            extra.iter().for_each(|(_, name, value)| response.fields.push(name, value));
        }
        if let Some((_, route)) = self.route.filter(|(_, route)| !route.response.is_empty()) {
            crate::route::edit(&route.response, &mut response.fields);
        }
        let form = growing(serving.entry, request, length, reading, question.now_ms);
        let sent = self.send_growing(form, length, response, seat, down, trail).await;
        match sent {
            Ok(()) => Ended::Answered,
            Err(Fault::Client) => Ended::ClientGone,
            Err(Fault::Backend) => Ended::Broken(Refusal::BackendClosed),
            Err(Fault::TimedOut) => Ended::Broken(Refusal::BackendTimeout),
        }
    }

    async fn send_growing<D: Downstream>(
        &self,
        form: Growing,
        length: Length,
        response: &mut ResponseHead,
        seat: &mut Seat<Failure>,
        down: &mut D,
        trail: &mut Trail,
    ) -> Result<(), Fault> {
        let (body, reply) = down.halves();
        let limit = self.client.gate.timeouts.body;
        let clock = &self.worker.clock;
        let mut left = u64::MAX;
        let length = match form {
            Growing::Whole => length,
            Growing::NotModified(status) => {
                seat.is_served();
                response.status = status;
                if status == 304 && self.compression.is_some_and(|it| varies(&response.fields, known(length), &it)) {
                    vary(&mut response.fields);
                }
                response.fields.retain(|name, _, _| {
                    !matches!(name, FieldName::ContentType | FieldName::ContentEncoding | FieldName::ContentRange)
                });
                if status != 304 {
                    // It is this client's own: another cache would give it to all.
                    strip_freshness(&mut response.fields);
                }
                reply.head(response, if status == 304 { Length::None } else { Length::Known(0) }).await?;
                return Ok(reply.end(None).await?);
            }
            Growing::Part { range, complete, first } => {
                response.status = 206;
                let value = content_range(&range, complete);
                strip_content_digests(&mut response.fields);
                response.fields.set(FieldName::ContentRange, value.as_bytes());
                seat.skip_to(range.start - first);
                left = range.end - range.start;
                Length::Known(left)
            }
        };
        let is_part = left < u64::MAX;
        reply.head(response, length).await?;
        if length == Length::None {
            return Ok(reply.end(None).await?);
        }
        // Who leaves while the backend is silent gives up the seat at once.
        let mut gone = pin!(body.gone());
        loop {
            let piece = poll_fn(|cx| Poll::Ready(seat.poll_next(cx))).await;
            let piece = match piece {
                Poll::Ready(piece) => piece,
                Poll::Pending => {
                    clock.within(limit, pin!(reply.flush())).await.map_err(|_| Fault::Client)??;
                    let next = poll_fn(|cx| match seat.poll_next(cx) {
                        Poll::Ready(piece) => Poll::Ready(Some(piece)),
                        Poll::Pending => gone.as_mut().poll(cx).map(|()| None),
                    });
                    next.await.ok_or(Fault::Client)?
                }
            };
            match piece {
                Piece::Data(mut bytes, more) => {
                    bytes.truncate(usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len()));
                    left -= bytes.len() as u64;
                    trail.moved.down += bytes.len() as u64;
                    let patience = reply.patience(limit);
                    let sent = clock.within(patience, reply.data(Chunk::Owned(bytes), more && left > 0));
                    self.send_while_there(gone.as_mut(), patience > limit, sent)
                        .await?
                        .map_err(|_| Fault::Client)??;
                    if left == 0 {
                        seat.is_served();
                        return Ok(clock.within(limit, pin!(reply.end(None))).await.map_err(|_| Fault::Client)??);
                    }
                }
                // It is shorter than it said.
                Piece::End(_) if is_part => return Err(Fault::Backend),
                Piece::End(trailers) => {
                    let sent = reply.end(trailers.as_ref());
                    return Ok(clock.within(limit, pin!(sent)).await.map_err(|_| Fault::Client)??);
                }
                Piece::Broken => return Err(Fault::Backend),
            }
        }
    }
}

fn known(length: Length) -> Option<u64> {
    match length {
        Length::Known(bytes) => Some(bytes),
        _ => None,
    }
}

enum Fault {
    Client,
    Backend,
    /// The time of the whole exchange is over.
    TimedOut,
}

impl From<Parting> for Fault {
    fn from(parting: Parting) -> Fault {
        match parting {
            Parting::Gone => Fault::Client,
            Parting::TimedOut => Fault::TimedOut,
        }
    }
}

impl From<Broken> for Fault {
    fn from(_: Broken) -> Fault {
        Fault::Client
    }
}

/// What a client gets of a response whose content is still coming.
pub(super) enum Growing {
    Whole,
    /// 304, or 412.
    NotModified(u16),
    /// These bytes of so many, where what comes begins at `first`.
    Part {
        range: Range<u64>,
        complete: u64,
        first: u64,
    },
}

fn growing(entry: &Entry, request: &RequestHead, length: Length, reading: &Reading<'_>, now_ms: u64) -> Growing {
    let validators = entry.validators();
    // RFC 9110 §13.2.1: only where the response is a 2xx. A part that was fetched is one: the fetch had no conditions.
    if matches!(entry.status, 200 | 206) && has_conditions(&request.fields) {
        match conditions(request, &validators, now_ms / 1000) {
            Condition::Proceed => {}
            Condition::NotModified => return Growing::NotModified(304),
            Condition::PreconditionFailed => return Growing::NotModified(412),
        }
    }
    let part = match entry.status {
        206 if reading.is_within => cut(entry, length, reading.range),
        200 if range_may(request, &validators) => known(length).and_then(|complete| {
            let range = one(reading.range?, complete)?;
            Some(Growing::Part { range, complete, first: 0 })
        }),
        _ => None,
    };
    part.unwrap_or(Growing::Whole)
}

/// Whether what a range selects can be cut out of what comes; an error is for all.
pub(super) fn is_in(entry: &Entry, length: Length, range: Option<&[u8]>) -> bool {
    match entry.status {
        206 => cut(entry, length, range).is_some(),
        200 => known(length).zip(range).is_some_and(|(complete, range)| one(range, complete).is_some()),
        _ => true,
    }
}

/// The part that a range selects of what comes, which is a part itself; `None` if it is not in there, or nobody knows.
fn cut(part: &Entry, length: Length, range: Option<&[u8]>) -> Option<Growing> {
    let said = parse_content_range(part.fields().get(FieldName::ContentRange)?)?;
    let complete = said.complete?;
    let range = one(range?, complete)?;
    let is_as_long = known(length) == Some(said.range.end - said.range.start);
    let is_in_there = said.range.start <= range.start && range.end <= said.range.end;
    (is_as_long && is_in_there).then_some(Growing::Part { range, complete, first: said.range.start })
}

/// The bytes that a field with one range selects.
fn one(range: &[u8], complete: u64) -> Option<Range<u64>> {
    match ranges(range, complete) {
        Ranges::Some(list) if list.len() == 1 => list.into_iter().next(),
        _ => None,
    }
}
