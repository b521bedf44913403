//! Content coming in on a stream, the same for both sides.

use super::{broken, fields};
use crate::exchange::{Broken, Chunk, Piece};
use crate::http::Fields;
use ::h2::RecvStream;
use bytes::Bytes;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll, ready};

/// Receives content. The window is given back when the next piece is asked for, so a slow taker slows the sender.
#[derive(Debug)]
pub(super) struct Receiver {
    stream: RecvStream,
    /// The piece after the one given last, if it was there already.
    ahead: Option<Bytes>,
    /// Bytes given last, whose window is still ours.
    lent: usize,
    trailers: Fields,
}

/// What a stream gives: content, and whether the next piece is there too; or the end.
type Given = Option<(Bytes, bool)>;

impl Receiver {
    pub(super) fn new(stream: RecvStream) -> Self {
        Receiver { stream, ahead: None, lent: 0, trailers: Fields::default() }
    }

    /// See [`Source::next`](crate::exchange::Source::next).
    pub(super) async fn next(&mut self) -> Result<Piece<'_>, Broken> {
        self.release();
        match poll_fn(|cx| self.poll_piece(cx)).await? {
            Some((bytes, more)) => {
                self.lent = bytes.len();
                Ok(Piece::Data { chunk: Chunk::Owned(bytes), more })
            }
            None => Ok(Piece::End((!self.trailers.is_empty()).then_some(&self.trailers))),
        }
    }

    fn release(&mut self) {
        let lent = std::mem::take(&mut self.lent);
        if lent > 0 {
            // It fails only when the stream is gone, which the next poll tells.
            let _ = self.stream.flow_control().release_capacity(lent);
        }
    }

    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<Given, Broken>> {
        let bytes = match self.ahead.take() {
            Some(bytes) => bytes,
            None => match ready!(self.poll_data(cx)?) {
                Some(bytes) => bytes,
                None => return self.poll_trailers(cx).map_ok(|()| None),
            },
        };
        // What an early poll tells about an end or an error, the next one tells again.
        let next = self.poll_data(cx);
        let more = next.is_ready();
        if let Poll::Ready(Ok(Some(next))) = next {
            self.ahead = Some(next);
        }
        Poll::Ready(Ok(Some((bytes, more))))
    }

    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Broken>> {
        loop {
            match ready!(self.stream.poll_data(cx)) {
                Some(Ok(bytes)) if bytes.is_empty() => {}
                Some(Ok(bytes)) => return Poll::Ready(Ok(Some(bytes))),
                Some(Err(error)) => return Poll::Ready(Err(broken(error))),
                None => return Poll::Ready(Ok(None)),
            }
        }
    }

    fn poll_trailers(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        let map = ready!(pin!(self.stream.trailers()).poll(cx)).map_err(broken)?;
        let result = map.map_or(Ok(()), |map| fields::from_trailers(&map, &mut self.trailers));
        Poll::Ready(result.map_err(Broken::Malformed))
    }
}
