//! In a client's place: takes a backend's response for all who wait, and for the cache.

mod receive;

use super::depart::Voyage;
use super::landing::Failure;
use super::rest::Rest;
use super::stow::Storing;
use super::worth::Worth;
use crate::exchange::{Body, Broken, Chunk, Downstream, Piece, Refusal, Reply, Sink, Source};
use crate::http::{Fields, Length, ResponseHead};
use crate::live::LiveCache;
use bytes::Bytes;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

/// A downstream without a client.
pub(super) struct FetchDown<'v> {
    body: NoContent<'v>,
    reply: FetchReply<'v>,
}

impl<'v> FetchDown<'v> {
    pub(super) fn of(voyage: &'v Voyage) -> FetchDown<'v> {
        let (pending, mode) = (Vec::new(), Mode::Waiting);
        let reply = FetchReply { voyage, mode, joining: None, pending, taken: 0, is_refuted: false };
        FetchDown { body: NoContent(voyage), reply }
    }

    /// Nothing more will come; whether the response is of no use, and has to be asked for without conditions.
    pub(super) fn conclude(&mut self) -> bool {
        self.reply.publish();
        self.reply.keep_what_came();
        self.reply.is_refuted
    }
}

impl<'v> Downstream for FetchDown<'v> {
    type Body = NoContent<'v>;
    type Reply = FetchReply<'v>;

    fn halves(&mut self) -> (&mut NoContent<'v>, &mut FetchReply<'v>) {
        (&mut self.body, &mut self.reply)
    }
}

/// The request's content, which there is not; and what knows whether anybody waits for the response.
pub(super) struct NoContent<'v>(&'v Voyage);

impl Source for NoContent<'_> {
    fn length(&self) -> Length {
        Length::None
    }

    async fn next(&mut self) -> Result<Piece<'_>, Broken> {
        Ok(Piece::End(None))
    }
}

impl Body for NoContent<'_> {
    /// Nobody is left who waits, and the rest is not worth to be fetched.
    async fn gone(&mut self) {
        let Voyage { flight, worth, .. } = self.0;
        poll_fn(|cx| match worth.get().is_finished(flight.has_served()) {
            // Looked at again with each byte that comes.
            true => Poll::Pending,
            false => flight.poll_abandoned(cx),
        })
        .await
    }
}

/// Takes the response.
pub(super) struct FetchReply<'v> {
    voyage: &'v Voyage,
    mode: Mode,
    /// It is the rest of what is stored; bytes of it that are to come.
    joining: Option<u64>,
    /// Content that was not published yet.
    pending: Vec<u8>,
    /// Bytes of content received.
    taken: u64,
    /// It is about something else than what is stored.
    is_refuted: bool,
}

enum Mode {
    /// There is no head.
    Waiting,
    /// All of it is kept, and stored at its end.
    Store(Box<Storing>),
    /// It passes through.
    Pass,
    /// Nobody wants it, but for the sake of the connection.
    Discard,
}

/// Bytes of content that are gathered before readers are told, if more is at hand.
const GATHERED_BYTES: usize = 64 * 1024;
/// Content that is kept however little memory there is; of longer one each piece asks for room.
const SMALL_BYTES_MAX: u64 = 64 * 1024;
/// Bytes of unwanted content that are read for the sake of the connection.
const DISCARDED_BYTES_MAX: u64 = 64 * 1024;

/// Whether there is room for content as it comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Room {
    Enough,
    /// There is more of it than may be stored: so it will be the next time.
    TooLarge,
    /// Memory is short just now, which says nothing of the response.
    NoMemory,
}

impl Room {
    /// For so many bytes.
    fn of(is_too_large: bool, has_memory: bool, bytes: u64) -> Room {
        match is_too_large {
            true => Room::TooLarge,
            false if has_memory || bytes <= SMALL_BYTES_MAX => Room::Enough,
            false => Room::NoMemory,
        }
    }
}

impl FetchReply<'_> {
    fn cache(&self) -> &Arc<LiveCache> {
        self.voyage.stow.cache()
    }

    /// Tells readers of what was gathered.
    fn publish(&mut self) {
        if !self.pending.is_empty() {
            let gathered = std::mem::take(&mut self.pending);
            self.voyage.flight.data(Bytes::from(gathered));
        }
    }

    /// Tells whether it goes on if nobody waits for it; what it is.
    fn weigh(&self) -> Worth {
        let worth = match &self.mode {
            // Only those who wait for it have it.
            Mode::Store(storing) if storing.why_not().is_some() => Worth::GivenUp,
            Mode::Waiting | Mode::Store(_) if self.voyage.background => Worth::Finished,
            Mode::Store(storing) => Worth::of(storing.length, self.taken),
            Mode::Waiting | Mode::Pass => Worth::GivenUp,
            Mode::Discard => Worth::Finished,
        };
        self.voyage.worth.set(worth);
        worth
    }

    async fn take(&mut self, bytes: &[u8], more: bool) -> Result<(), Broken> {
        self.taken += bytes.len() as u64;
        if let Mode::Discard = self.mode {
            return if self.taken > DISCARDED_BYTES_MAX { Err(Broken::Closed) } else { Ok(()) };
        }
        if let Some(left) = &mut self.joining {
            // More than was asked for is no part of it.
            *left = left.checked_sub(bytes.len() as u64).ok_or(Broken::Closed)?;
        }
        self.pending.extend_from_slice(bytes);
        if !more || self.pending.len() >= GATHERED_BYTES {
            self.publish();
        }
        let voyage = self.voyage;
        let room = self.room(bytes.len() as u64);
        if room != Room::Enough {
            // Not kept after all: who reads it goes on, nobody joins.
            voyage.stow.flights().land(voyage.flight_key, &voyage.flight);
            self.mode = Mode::Pass;
        }
        if room == Room::TooLarge {
            self.cache().unstored.note(voyage.stow.hash, voyage.worker.now_ms());
        }
        if !self.weigh().is_finished(voyage.flight.has_served()) && voyage.flight.abandon() {
            return Err(Broken::Closed);
        }
        if let Mode::Pass = self.mode {
            poll_fn(|cx| voyage.flight.poll_room(cx)).await;
        }
        Ok(())
    }

    /// Whether there is room for so many more bytes of it, where it is to be stored.
    fn room(&self, more: u64) -> Room {
        let Mode::Store(storing) = &self.mode else { return Room::Enough };
        let pressure = &self.voyage.worker.pressure;
        let has_memory = pressure.take(more);
        let room = Room::of(self.voyage.stow.is_too_large(storing, self.taken), has_memory, self.gathered_bytes());
        match (room == Room::Enough, has_memory) {
            // What is small counts, though it is kept in any case.
            (true, false) => pressure.grows(more),
            (false, true) => pressure.shrinks(more),
            _ => {}
        }
        room
    }

    /// Bytes of content that is received, with what is stored that it is joined with.
    fn gathered_bytes(&self) -> u64 {
        let rest = self.voyage.rest.as_ref().filter(|_| self.joining.is_some());
        rest.map_or(self.taken, Rest::wanted_bytes)
    }

    /// The content is complete.
    fn finish(&mut self, trailers: Option<&Fields>) {
        if self.is_refuted {
            // Those who wait get the response to the next question.
            return;
        }
        self.publish();
        self.cache().misses.note(&self.voyage.stow.key, self.taken);
        let flight = &self.voyage.flight;
        let rest = self.voyage.rest.as_ref().filter(|_| self.joining.is_some());
        if let Some(rest) = rest {
            if self.joining != Some(0) {
                // It is short: nothing may come after it.
                return flight.fail(Failure::Refused(Refusal::BackendClosed));
            }
            rest.after().into_iter().for_each(|piece| flight.data(piece));
        }
        // For a moment there are two of it.
        let (gathered, pressure) = (self.gathered_bytes(), &self.voyage.worker.pressure);
        let has_memory = pressure.take(gathered);
        if let Mode::Store(storing) = std::mem::replace(&mut self.mode, Mode::Discard)
            && storing.why_not().is_none()
            && Room::of(false, has_memory, gathered) == Room::Enough
            && let Some(whole) = flight.whole()
        {
            let is_purged = rest.is_some_and(|rest| rest.is_purged(self.cache()));
            let is_late = flight.is_passed() && self.voyage.stow.has_fresh(&storing.entry);
            self.voyage.stow.store(*storing, whole, || is_purged || is_late || flight.is_barred());
        }
        if has_memory {
            pressure.shrinks(gathered);
        }
        // What ends a part is not said of all.
        flight.end(trailers.filter(|_| rest.is_none()).cloned());
    }
}

impl FetchReply<'_> {
    /// Nobody waits for the rest of it: what came is kept as a part, for whoever goes on from there (RFC 9111 §3.3).
    fn keep_what_came(&mut self) {
        let flight = &self.voyage.flight;
        if self.is_refuted || self.taken == 0 || !flight.is_abandoned() {
            return;
        }
        let (gathered, pressure) = (flight.received(), &self.voyage.worker.pressure);
        let has_memory = pressure.take(gathered);
        if let Mode::Store(storing) = std::mem::replace(&mut self.mode, Mode::Discard)
            && storing.why_not().is_none()
            && Room::of(false, has_memory, gathered) == Room::Enough
            && let Some(begun) = flight.whole()
        {
            let is_purged = self.voyage.rest.as_ref().is_some_and(|rest| rest.is_purged(self.cache()));
            self.voyage.stow.store_begun(*storing, begun, || is_purged || flight.is_barred());
        }
        if has_memory {
            pressure.shrinks(gathered);
        }
    }
}

impl Sink for FetchReply<'_> {
    async fn data(&mut self, chunk: Chunk<'_>, more: bool) -> Result<(), Broken> {
        self.take(chunk.as_slice(), more).await
    }

    async fn flush(&mut self) -> Result<(), Broken> {
        self.publish();
        Ok(())
    }

    async fn end(&mut self, trailers: Option<&Fields>) -> Result<(), Broken> {
        self.finish(trailers);
        Ok(())
    }
}

impl Reply for FetchReply<'_> {
    async fn interim(&mut self, head: &ResponseHead) -> Result<(), Broken> {
        self.voyage.flight.interim(head);
        Ok(())
    }

    async fn head(&mut self, head: &ResponseHead, length: Length) -> Result<(), Broken> {
        self.mode = self.receive(head, length);
        self.weigh();
        Ok(())
    }

    fn abort(&mut self) {}

    fn started(&self) -> bool {
        !matches!(self.mode, Mode::Waiting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_small_is_kept_without_room_and_only_what_is_too_large_is_said_to_be() {
        for (is_too_large, has_memory, bytes, expected) in [
            (false, true, u64::MAX, Room::Enough),
            (false, false, SMALL_BYTES_MAX, Room::Enough),
            (false, false, SMALL_BYTES_MAX + 1, Room::NoMemory),
            (true, true, 1, Room::TooLarge),
            (true, false, u64::MAX, Room::TooLarge),
        ] {
            assert_eq!(Room::of(is_too_large, has_memory, bytes), expected, "{is_too_large} {has_memory} {bytes}");
        }
    }
}
