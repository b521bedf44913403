//! Between h2 and the socket: what h2 cannot see, since it knows no time.

use super::census::{Census, Flood, FrameLimits};
use crate::clock::{Clock, Timer};
use std::cell::{Cell, RefCell};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What the stream below a connection does; shared with the connection's owner.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    received: Cell<u64>,
    sent: Cell<u64>,
    blocked: Cell<bool>,
    flood: Cell<Option<Flood>>,
}

impl Traffic {
    /// Bytes received.
    pub(super) fn received(&self) -> u64 {
        self.received.get()
    }

    /// The frames that came too often. Nothing is read any more from then on.
    pub(super) fn flood(&self) -> Option<Flood> {
        self.flood.get()
    }
}

/// Notices that what waits to be sent does not get away.
#[derive(Debug)]
pub(super) struct Stall<'c> {
    timer: Timer<'c>,
    sent: u64,
}

impl<'c> Stall<'c> {
    /// `timer` runs while the peer takes nothing.
    pub(super) fn new(timer: Timer<'c>) -> Self {
        Stall { timer, sent: 0 }
    }

    /// To be polled after each poll of the connection. Ready once it is time to give up.
    pub(super) fn poll(&mut self, traffic: &Traffic, cx: &mut Context<'_>) -> Poll<()> {
        let blocked = traffic.blocked.get();
        if !blocked || traffic.sent.get() != self.sent {
            self.sent = traffic.sent.get();
            self.timer.restart();
        }
        if blocked { self.timer.poll_elapsed(cx) } else { Poll::Pending }
    }
}

/// A stream whose traffic is watched.
#[derive(Debug)]
pub(super) struct Guarded<T> {
    io: T,
    traffic: Rc<Traffic>,
    census: Option<(RefCell<Census>, Rc<Clock>)>,
}

impl<T> Guarded<T> {
    /// A client's stream, whose frames are counted.
    pub(super) fn client(io: T, limits: FrameLimits, clock: Rc<Clock>) -> Self {
        let census = Some((RefCell::new(Census::new(limits)), clock));
        Guarded { io, traffic: Rc::default(), census }
    }

    /// A backend's stream.
    pub(super) fn backend(io: T) -> Self {
        Guarded { io, traffic: Rc::default(), census: None }
    }

    pub(super) fn traffic(&self) -> Rc<Traffic> {
        self.traffic.clone()
    }

    fn note_received(&self, bytes: &[u8]) {
        self.traffic.received.set(self.traffic.received.get() + bytes.len() as u64);
        if let Some((census, clock)) = &self.census {
            let verdict = census.borrow_mut().read(bytes, clock.coarse().as_secs(), self.traffic.sent.get());
            self.traffic.flood.set(verdict.err());
        }
    }

    fn note_written(&self, result: &Poll<io::Result<usize>>) {
        self.traffic.blocked.set(result.is_pending());
        if let Poll::Ready(Ok(n)) = result {
            self.traffic.sent.set(self.traffic.sent.get() + *n as u64);
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Guarded<T> {
    /// Pending without a wake-up after a flood: the connection's owner looks at [`Traffic::flood`] after each poll.
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.traffic.flood().is_some() {
            return Poll::Pending;
        }
        let before = buf.filled().len();
        let result = Pin::new(&mut this.io).poll_read(cx, buf);
        if matches!(result, Poll::Ready(Ok(()))) {
            this.note_received(&buf.filled()[before..]);
        }
        result
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Guarded<T> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let result = Pin::new(&mut this.io).poll_write(cx, buf);
        this.note_written(&result);
        result
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let result = Pin::new(&mut this.io).poll_write_vectored(cx, bufs);
        this.note_written(&result);
        result
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let result = Pin::new(&mut this.io).poll_flush(cx);
        this.traffic.blocked.set(result.is_pending());
        result
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let result = Pin::new(&mut this.io).poll_shutdown(cx);
        this.traffic.blocked.set(result.is_pending());
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn a_peer_that_takes_nothing_is_seen_to_block_until_it_takes_something() {
        let (near, mut far) = tokio::io::duplex(8);
        let mut guarded = Guarded::backend(near);
        let traffic = guarded.traffic();
        guarded.write_all(b"12345678").await.unwrap();
        assert!(!traffic.blocked.get());
        let mut cx = Context::from_waker(std::task::Waker::noop());
        assert!(Pin::new(&mut guarded).poll_write(&mut cx, b"9").is_pending());
        assert!(traffic.blocked.get());
        far.read_exact(&mut [0; 4]).await.unwrap();
        guarded.write_all(b"9").await.unwrap();
        assert!(!traffic.blocked.get());
        assert_eq!(traffic.sent.get(), 9);
    }
}
