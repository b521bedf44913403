//! Content on an HTTP/1.1 connection, the same for both sides.

use super::chunked::Decoder;
use super::parse::Limits;
use super::write::{self, Framing};
use crate::exchange::{Broken, Chunk, Piece};
use crate::http::{Fields, Length};
use crate::wire::{Buffers, Inbox, Transport};
use std::cell::RefCell;
use std::future::poll_fn;
use std::io::{self, IoSlice};

/// Bytes that are kept back while more is at hand, to save system calls.
const KEEP_BACK: usize = 16 * 1024;

/// Bytes that are rather copied behind a head than written beside it.
const COPY: usize = 4 * 1024;

/// Bounds on trailers.
pub(super) const TRAILERS: Limits = Limits { size: 8 * 1024, fields: 64 };

/// How content that is being received is delimited, and how far it has come.
#[derive(Debug)]
pub(super) enum Mode {
    /// All was received.
    Ended,
    /// So many bytes are still to come.
    Length(u64),
    /// Chunks.
    Chunked(Box<Decoder>),
    /// Until the peer closes.
    Close,
    /// As they are.
    Tunnel,
}

impl Mode {
    pub(super) fn of(length: Length) -> Mode {
        match length {
            Length::None | Length::Known(0) => Mode::Ended,
            Length::Known(n) => Mode::Length(n),
            Length::Unknown => Mode::Chunked(Box::default()),
            Length::Tunnel => Mode::Tunnel,
        }
    }
}

/// Receives content.
#[derive(Debug)]
pub(super) struct Receiver<'c> {
    pub(super) io: &'c RefCell<Transport>,
    pub(super) buffers: &'c Buffers,
    pub(super) inbox: &'c mut Inbox,
    pub(super) mode: Mode,
    pub(super) trailers: Fields,
}

impl Receiver<'_> {
    /// Reads more; `false`: the peer ended.
    pub(super) async fn fill(&mut self) -> io::Result<bool> {
        let (io, buffers, inbox) = (self.io, self.buffers, &mut *self.inbox);
        poll_fn(|cx| inbox.poll_fill(&mut io.borrow_mut(), buffers, cx)).await.map(|n| n > 0)
    }

    pub(super) fn ended(&self) -> bool {
        matches!(self.mode, Mode::Ended)
    }

    /// Waits until something is there, unless all was received.
    pub(super) async fn begins(&mut self) -> Result<(), Broken> {
        while self.inbox.is_empty() && !self.ended() {
            if !self.fill().await? {
                return Err(Broken::Closed);
            }
        }
        Ok(())
    }

    pub(super) async fn next(&mut self) -> Result<Piece<'_>, Broken> {
        loop {
            match self.at_hand()? {
                AtHand::Data(n) => {
                    let more = self.inbox.bytes().len() > n && !self.ended();
                    return Ok(Piece::Data { chunk: Chunk::Lent(self.inbox.take(n)), more });
                }
                AtHand::End => return Ok(Piece::End((!self.trailers.is_empty()).then_some(&self.trailers))),
                AtHand::Nothing if self.fill().await? => {}
                AtHand::Nothing => match self.mode {
                    Mode::Close | Mode::Tunnel => self.mode = Mode::Ended,
                    _ => return Err(Broken::Closed),
                },
            }
        }
    }

    /// What the inbox holds of the content, its framing taken off.
    fn at_hand(&mut self) -> Result<AtHand, Broken> {
        let there = self.inbox.bytes().len();
        match &mut self.mode {
            Mode::Ended => Ok(AtHand::End),
            _ if there == 0 => Ok(AtHand::Nothing),
            Mode::Length(left) => {
                let n = usize::try_from(*left).unwrap_or(usize::MAX).min(there);
                *left -= n as u64;
                if *left == 0 {
                    self.mode = Mode::Ended;
                }
                Ok(AtHand::Data(n))
            }
            Mode::Close | Mode::Tunnel => Ok(AtHand::Data(there)),
            Mode::Chunked(decoder) => {
                let step = decoder.step(self.inbox.bytes(), TRAILERS).map_err(|bad| Broken::Malformed(bad.as_str()))?;
                self.inbox.take(step.skip);
                if step.done {
                    decoder.trailers(TRAILERS, &mut self.trailers).map_err(|bad| Broken::Malformed(bad.as_str()))?;
                    self.mode = Mode::Ended;
                    return Ok(AtHand::End);
                }
                Ok(if step.data > 0 { AtHand::Data(step.data) } else { AtHand::Nothing })
            }
        }
    }
}

enum AtHand {
    Data(usize),
    End,
    Nothing,
}

/// Sends content, with whatever was written before it.
#[derive(Debug)]
pub(super) struct Sender<'c> {
    pub(super) io: &'c RefCell<Transport>,
    buffers: &'c Buffers,
    pub(super) out: Vec<u8>,
    pub(super) framing: Framing,
    pub(super) ended: bool,
}

impl<'c> Sender<'c> {
    pub(super) fn new(io: &'c RefCell<Transport>, buffers: &'c Buffers) -> Self {
        Sender { io, buffers, out: buffers.lease_written(), framing: Framing::None, ended: false }
    }

    pub(super) async fn data(&mut self, chunk: &[u8], more: bool) -> Result<(), Broken> {
        match &mut self.framing {
            Framing::Length(left) => {
                *left =
                    left.checked_sub(chunk.len() as u64).ok_or(Broken::Malformed("content longer than announced"))?;
            }
            Framing::Chunked => write::chunk_size(chunk.len(), &mut self.out),
            // HEAD and the like: what a sloppy peer sent as content goes nowhere.
            Framing::None => return Ok(()),
            Framing::Close | Framing::Tunnel => {}
        }
        let tail: &[u8] = if self.framing == Framing::Chunked { b"\r\n" } else { b"" };
        // A short copy costs less than a second slice in the system call.
        let limit = if more { KEEP_BACK } else { COPY };
        if self.out.len() + chunk.len() > limit {
            write_all(self.io, &self.out, chunk, tail).await?;
            self.out.clear();
            return Ok(());
        }
        self.out.extend_from_slice(chunk);
        self.out.extend_from_slice(tail);
        if more { Ok(()) } else { self.flush().await }
    }

    pub(super) async fn flush(&mut self) -> Result<(), Broken> {
        if !self.out.is_empty() {
            write_all(self.io, &self.out, b"", b"").await?;
            self.out.clear();
        }
        Ok(())
    }

    pub(super) async fn end(&mut self, trailers: Option<&Fields>) -> Result<(), Broken> {
        match self.framing {
            Framing::Length(left) if left > 0 => return Err(Broken::Malformed("content shorter than announced")),
            Framing::Chunked => write::last_chunk(trailers, &mut self.out),
            _ => {}
        }
        self.flush().await?;
        if self.framing == Framing::Tunnel {
            poll_fn(|cx| self.io.borrow_mut().poll_shutdown(cx)).await?;
        }
        self.ended = true;
        Ok(())
    }
}

impl Drop for Sender<'_> {
    fn drop(&mut self) {
        self.buffers.give_back_written(std::mem::take(&mut self.out));
    }
}

/// Writes all three, in as few system calls as the socket allows.
async fn write_all(io: &RefCell<Transport>, a: &[u8], b: &[u8], c: &[u8]) -> Result<(), Broken> {
    let total = a.len() + b.len() + c.len();
    let mut written = 0;
    while written < total {
        let [a, b, c] = skip([a, b, c], written);
        let n = poll_fn(|cx| {
            let mut io = io.borrow_mut();
            if b.is_empty() && c.is_empty() {
                io.poll_write_one(cx, a)
            } else {
                io.poll_write(cx, &[IoSlice::new(a), IoSlice::new(b), IoSlice::new(c)])
            }
        })
        .await?;
        if n == 0 {
            return Err(Broken::Closed);
        }
        written += n;
    }
    poll_fn(|cx| io.borrow_mut().poll_flush(cx)).await?;
    Ok(())
}

/// What is left of three slices after their first `n` bytes.
fn skip(slices: [&[u8]; 3], n: usize) -> [&[u8]; 3] {
    let mut left = n;
    slices.map(|slice| {
        let taken = left.min(slice.len());
        left -= taken;
        &slice[taken..]
    })
}
