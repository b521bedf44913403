//! Content going out on a stream, the same for both sides.

use super::{broken, fields};
use crate::exchange::{Broken, Chunk};
use crate::http::{Fields, Length};
use ::h2::{Reason, SendStream};
use bytes::Bytes;
use std::cell::RefCell;
use std::future::poll_fn;
use std::task::{Context, Poll, ready};

/// Bytes that are copied at once.
const COPY_MAX: usize = 16 * 1024;

/// Sends content as far as the peer's windows and our buffer allow.
#[derive(Debug)]
pub(super) struct Sender {
    promised: Promised,
    /// The last of the promised bytes: kept back so that END_STREAM rides on them.
    last: Option<Bytes>,
}

/// What the head has said of the content that is still to be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Promised {
    Nothing,
    Bytes(u64),
    Anything,
}

/// What becomes of a piece.
enum Due {
    Nowhere,
    Now,
    /// Nothing follows it but the end, which is said on it.
    AtTheEnd,
}

impl Sender {
    pub(super) fn new(length: Length) -> Self {
        let promised = match length {
            Length::None => Promised::Nothing,
            Length::Known(n) => Promised::Bytes(n),
            Length::Unknown | Length::Tunnel => Promised::Anything,
        };
        Sender { promised, last: None }
    }

    /// Nothing is missing and nothing is kept back: the head may be all.
    pub(super) fn may_end(&self) -> bool {
        self.last.is_none() && matches!(self.promised, Promised::Nothing | Promised::Bytes(0) | Promised::Anything)
    }

    /// Nothing may follow the head but trailers.
    pub(super) fn nothing_follows(&self) -> bool {
        self.last.is_none() && matches!(self.promised, Promised::Nothing | Promised::Bytes(0))
    }

    /// Sends a piece. What is only lent is copied bit by bit, as the peer takes it: a stalled stream holds no copy.
    pub(super) async fn chunk(&mut self, stream: &RefCell<SendStream<Bytes>>, chunk: Chunk<'_>) -> Result<(), Broken> {
        let len = chunk.as_slice().len();
        match (self.due(len)?, chunk) {
            (Due::Nowhere, _) => Ok(()),
            (Due::Now, Chunk::Owned(bytes)) => send(stream, bytes, false).await,
            (Due::Now, Chunk::Lent(slice)) => send_lent(stream, slice).await,
            (Due::AtTheEnd, Chunk::Owned(bytes)) => {
                self.last = Some(bytes);
                Ok(())
            }
            (Due::AtTheEnd, Chunk::Lent(slice)) => {
                let (now, last) = slice.split_at(len - len.min(COPY_MAX));
                send_lent(stream, now).await?;
                self.last = Some(Bytes::copy_from_slice(last));
                Ok(())
            }
        }
    }

    /// When so many further bytes are sent.
    fn due(&mut self, len: usize) -> Result<Due, Broken> {
        match &mut self.promised {
            _ if len == 0 => Ok(Due::Nowhere),
            // HEAD and the like: what a sloppy peer sent as content goes nowhere.
            Promised::Nothing => Ok(Due::Nowhere),
            Promised::Anything => Ok(Due::Now),
            Promised::Bytes(left) => {
                *left = left.checked_sub(len as u64).ok_or(Broken::Malformed("content_length"))?;
                Ok(if *left == 0 { Due::AtTheEnd } else { Due::Now })
            }
        }
    }

    /// Sends what was kept back.
    pub(super) async fn flush(&mut self, stream: &RefCell<SendStream<Bytes>>) -> Result<(), Broken> {
        match self.last.take() {
            Some(bytes) => send(stream, bytes, false).await,
            None => Ok(()),
        }
    }

    /// Ends the stream; resets it if less was given than the head promised.
    pub(super) async fn end(
        &mut self,
        stream: &RefCell<SendStream<Bytes>>,
        trailers: Option<&Fields>,
    ) -> Result<(), Broken> {
        if matches!(self.promised, Promised::Bytes(1..)) {
            stream.borrow_mut().send_reset(Reason::INTERNAL_ERROR);
            return Err(Broken::Malformed("content_length"));
        }
        let trailers = trailers.map(fields::to_trailers).filter(|map| !map.is_empty());
        match (self.last.take(), trailers) {
            (last, Some(map)) => {
                if let Some(bytes) = last {
                    send(stream, bytes, false).await?;
                }
                stream.borrow_mut().send_trailers(map).map_err(broken)
            }
            (Some(bytes), None) => send(stream, bytes, true).await,
            (None, None) => stream.borrow_mut().send_data(Bytes::new(), true).map_err(broken),
        }
    }
}

/// Sends `bytes` as the windows open; nothing is copied.
async fn send(stream: &RefCell<SendStream<Bytes>>, mut bytes: Bytes, end: bool) -> Result<(), Broken> {
    while !bytes.is_empty() {
        let room = poll_fn(|cx| poll_room(&mut stream.borrow_mut(), bytes.len(), cx)).await?;
        let part = bytes.split_to(room.min(bytes.len()));
        stream.borrow_mut().send_data(part, end && bytes.is_empty()).map_err(broken)?;
    }
    Ok(())
}

/// The same, each part copied once it may be sent.
async fn send_lent(stream: &RefCell<SendStream<Bytes>>, mut slice: &[u8]) -> Result<(), Broken> {
    while !slice.is_empty() {
        let room = poll_fn(|cx| poll_room(&mut stream.borrow_mut(), slice.len(), cx)).await?;
        let (part, rest) = slice.split_at(room.min(slice.len()).min(COPY_MAX));
        stream.borrow_mut().send_data(Bytes::copy_from_slice(part), false).map_err(broken)?;
        slice = rest;
    }
    Ok(())
}

/// How many bytes may be sent now, at least one.
fn poll_room(stream: &mut SendStream<Bytes>, wanted: usize, cx: &mut Context<'_>) -> Poll<Result<usize, Broken>> {
    stream.reserve_capacity(wanted);
    // An increase is told only once, and may have been told before.
    match stream.capacity() {
        0 => match ready!(stream.poll_capacity(cx)) {
            Some(Ok(room)) => Poll::Ready(Ok(room)),
            Some(Err(error)) => Poll::Ready(Err(broken(error))),
            None => Poll::Ready(Err(Broken::Closed)),
        },
        room => Poll::Ready(Ok(room)),
    }
}
