use super::Transport;
use crate::live::Pressure;
use std::cell::RefCell;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};

/// Bytes of a read buffer: content of 64 KiB and its head come in one system call.
pub const BUFFER: usize = 96 * 1024;

/// Read buffers that a worker keeps for reuse; beyond that they go back to the allocator.
const KEPT: usize = 16;

/// What waits for more input is moved out of its read buffer if it is no larger than this, so that a slow sender does
/// not hold a whole buffer.
const PARK: usize = 16 * 1024;

/// A worker's read buffers. One is held only while there is something in it.
#[derive(Debug, Default)]
pub struct Buffers {
    free: RefCell<Vec<Box<[u8]>>>,
    /// Where what is new is counted.
    pressure: Arc<Pressure>,
}

impl Buffers {
    /// None yet; what they take is counted.
    #[must_use]
    pub fn counted(pressure: Arc<Pressure>) -> Buffers {
        Buffers { free: RefCell::default(), pressure }
    }

    /// A buffer of [`BUFFER`] bytes, content unspecified.
    #[must_use]
    pub fn lease(&self) -> Box<[u8]> {
        self.free.borrow_mut().pop().unwrap_or_else(|| self.fresh(BUFFER))
    }

    fn fresh(&self, size: usize) -> Box<[u8]> {
        self.pressure.grows(size as u64);
        vec![0; size].into_boxed_slice()
    }

    /// Takes a buffer back.
    pub fn give_back(&self, buffer: Box<[u8]>) {
        let mut free = self.free.borrow_mut();
        if buffer.len() == BUFFER && free.len() < KEPT {
            free.push(buffer);
        } else if buffer.len() >= BUFFER {
            self.pressure.shrinks(buffer.len() as u64);
        }
    }
}

/// Bytes received and not yet taken.
#[derive(Debug, Default)]
pub struct Inbox {
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
}

impl Inbox {
    /// What is there.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Nothing is there.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Takes the first `n` bytes; they stay readable through the returned slice until the next fill.
    pub fn take(&mut self, n: usize) -> &[u8] {
        let at = self.start;
        self.start += n;
        assert!(self.start <= self.end, "no more is taken than is there");
        &self.buffer[at..at + n]
    }

    /// Puts bytes that were read elsewhere in front of an empty inbox.
    pub fn preload(&mut self, bytes: &[u8]) {
        self.buffer = bytes.into();
        self.start = 0;
        self.end = bytes.len();
    }

    /// Reads more behind what is there. `Ok(0)`: the peer ended. While it waits, no read buffer is held (but for
    /// more than 16 KiB waiting).
    pub fn poll_fill(
        &mut self,
        io: &mut Transport,
        buffers: &Buffers,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        self.make_room(buffers);
        match io.poll_read(cx, &mut self.buffer[self.end..]) {
            Poll::Ready(Ok(n)) => {
                self.end += n;
                if n == 0 {
                    self.park(buffers);
                }
                Poll::Ready(Ok(n))
            }
            Poll::Ready(Err(error)) => {
                self.park(buffers);
                Poll::Ready(Err(error))
            }
            Poll::Pending => {
                self.park(buffers);
                Poll::Pending
            }
        }
    }

    /// Gives the buffer back if nothing is in it.
    pub fn release(&mut self, buffers: &Buffers) {
        if self.is_empty() {
            buffers.give_back(std::mem::take(&mut self.buffer));
            (self.start, self.end) = (0, 0);
        }
    }

    fn make_room(&mut self, buffers: &Buffers) {
        let size = self.buffer.len();
        if size < BUFFER || (size > BUFFER && self.is_empty()) {
            self.move_to(buffers.lease());
        } else if self.is_empty() {
            (self.start, self.end) = (0, 0);
        } else if self.end == size && self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        } else if self.end == size {
            // Only a head waits for more while that much is there: its limit, which may be larger, bounds this.
            self.move_to(buffers.fresh(2 * size));
        }
    }

    fn move_to(&mut self, mut larger: Box<[u8]>) {
        let held = self.end - self.start;
        larger[..held].copy_from_slice(self.bytes());
        self.buffer = larger;
        (self.start, self.end) = (0, held);
    }

    fn park(&mut self, buffers: &Buffers) {
        if self.is_empty() {
            self.release(buffers);
        } else if self.buffer.len() == BUFFER && self.end - self.start <= PARK {
            let parked: Box<[u8]> = self.bytes().into();
            buffers.give_back(std::mem::replace(&mut self.buffer, parked));
            (self.start, self.end) = (0, self.buffer.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::net::UnixStream as StdStream;

    fn pair() -> (StdStream, Transport) {
        let (a, b) = StdStream::pair().unwrap();
        b.set_nonblocking(true).unwrap();
        (a, Transport::Unix(tokio::net::UnixStream::from_std(b).unwrap()))
    }

    #[tokio::test]
    async fn a_waiting_inbox_holds_its_bytes_and_no_buffer() {
        let buffers = Buffers::default();
        let (mut peer, mut io) = pair();
        let mut inbox = Inbox::default();
        peer.write_all(b"abc").unwrap();
        std::future::poll_fn(|cx| inbox.poll_fill(&mut io, &buffers, cx)).await.unwrap();
        assert_eq!(inbox.bytes(), b"abc");
        let waits = std::future::poll_fn(|cx| Poll::Ready(inbox.poll_fill(&mut io, &buffers, cx).is_pending())).await;
        assert!(waits);
        assert_eq!((inbox.bytes(), inbox.buffer.len()), (&b"abc"[..], 3));
        peer.write_all(b"def").unwrap();
        std::future::poll_fn(|cx| inbox.poll_fill(&mut io, &buffers, cx)).await.unwrap();
        assert_eq!(inbox.take(4), b"abcd");
        assert_eq!(inbox.take(2), b"ef");
        inbox.release(&buffers);
        assert!(inbox.buffer.is_empty());
        assert_eq!(buffers.free.borrow().len(), 1);
    }
}
