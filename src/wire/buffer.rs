use super::Transport;
use crate::live::Pressure;
use std::cell::RefCell;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};

/// Bytes of a read buffer: content of 64 KiB and its head come in one system call.
pub const BUFFER: usize = 96 * 1024;

/// Bytes of one while memory is short: what a slow reader holds is less, and a fast one is asked more often.
const SMALL: usize = 16 * 1024;

/// Buffers of a kind that a worker keeps for reuse; beyond that they go back to the allocator.
const KEPT: usize = 16;

/// What waits for more input is moved out of its read buffer if it is no larger than this, so that a slow sender does
/// not hold a whole buffer.
const PARK: usize = 16 * 1024;

/// Bytes of a write buffer: a head of usual size, and a short content behind it, fit without growing.
const WRITE: usize = 1024;

/// A write buffer that grew beyond this is not kept.
const WRITE_KEPT: usize = 8 * 1024;

/// A worker's read and write buffers. One is held only while there is something in it.
#[derive(Debug, Default)]
pub struct Buffers {
    free: RefCell<Vec<Box<[u8]>>>,
    written: RefCell<Vec<Vec<u8>>>,
    /// Where what is new is counted.
    pressure: Arc<Pressure>,
}

impl Buffers {
    /// None yet; what they take is counted.
    #[must_use]
    pub fn counted(pressure: Arc<Pressure>) -> Buffers {
        Buffers { pressure, ..Buffers::default() }
    }

    /// A buffer of [`BUFFER`] bytes, content unspecified; while memory is short, of [`SMALL`] bytes if that is twice what is
    /// `held`.
    #[must_use]
    fn lease(&self, held: usize) -> Box<[u8]> {
        if let Some(free) = self.free.borrow_mut().pop() {
            return free;
        }
        if held > SMALL / 2 {
            return self.fresh(BUFFER);
        }
        match self.pressure.take(BUFFER as u64) {
            true => vec![0; BUFFER].into_boxed_slice(),
            false => self.fresh(SMALL),
        }
    }

    /// An empty buffer to write to, with room for a head of usual size.
    #[must_use]
    pub(super) fn lease_written(&self) -> Vec<u8> {
        self.written.borrow_mut().pop().unwrap_or_else(|| Vec::with_capacity(WRITE))
    }

    /// Takes one back.
    pub(super) fn give_back_written(&self, mut buffer: Vec<u8>) {
        let mut written = self.written.borrow_mut();
        if written.len() < KEPT && (1..=WRITE_KEPT).contains(&buffer.capacity()) {
            buffer.clear();
            written.push(buffer);
        }
    }

    fn fresh(&self, size: usize) -> Box<[u8]> {
        self.pressure.grows(size as u64);
        vec![0; size].into_boxed_slice()
    }

    /// Takes a buffer back.
    fn give_back(&self, buffer: Box<[u8]>) {
        if buffer.len() < SMALL {
            return;
        }
        let mut free = self.free.borrow_mut();
        if buffer.len() == BUFFER && free.len() < KEPT {
            free.push(buffer);
        } else {
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
        match io.poll_read(cx, || self.room(buffers)) {
            Poll::Ready(Ok(n)) if n > 0 => {
                self.end += n;
                Poll::Ready(Ok(n))
            }
            none => {
                self.park(buffers);
                none
            }
        }
    }

    /// Where what comes next is read to.
    fn room(&mut self, buffers: &Buffers) -> &mut [u8] {
        self.make_room(buffers);
        &mut self.buffer[self.end..]
    }

    /// Gives the buffer back if nothing is in it.
    pub fn release(&mut self, buffers: &Buffers) {
        if self.is_empty() && !self.buffer.is_empty() {
            buffers.give_back(std::mem::take(&mut self.buffer));
            (self.start, self.end) = (0, 0);
        }
    }

    fn make_room(&mut self, buffers: &Buffers) {
        let (size, held) = (self.buffer.len(), self.end - self.start);
        if held == 0 && (size == BUFFER || size == SMALL) {
            (self.start, self.end) = (0, 0);
        } else if held == 0 || (self.end == size && size < SMALL) {
            self.move_to(buffers.lease(held), buffers);
        } else if self.end == size && self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, held);
        } else if self.end == size {
            // Only a head waits for more while that much is there: its limit, which may be larger, bounds this.
            self.move_to(if size < BUFFER { buffers.lease(held) } else { buffers.fresh(2 * size) }, buffers);
        }
    }

    fn move_to(&mut self, mut larger: Box<[u8]>, buffers: &Buffers) {
        let held = self.end - self.start;
        larger[..held].copy_from_slice(self.bytes());
        buffers.give_back(std::mem::replace(&mut self.buffer, larger));
        (self.start, self.end) = (0, held);
    }

    fn park(&mut self, buffers: &Buffers) {
        if self.is_empty() {
            self.release(buffers);
        } else if self.is_worth_parking() {
            let parked: Box<[u8]> = self.bytes().into();
            buffers.give_back(std::mem::replace(&mut self.buffer, parked));
            (self.start, self.end) = (0, self.buffer.len());
        }
    }

    fn is_worth_parking(&self) -> bool {
        let held = self.end - self.start;
        match self.buffer.len() {
            BUFFER => held <= PARK,
            SMALL => held <= SMALL / 2,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::{Held, Level, Ordered};
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

    #[tokio::test]
    async fn while_memory_is_short_buffers_are_small_and_what_is_long_still_fits() {
        let pressure = Arc::<Pressure>::default();
        let held = Held { process: 1, caches: 0, caches_max: 0 };
        let set = |room| pressure.set(1 << 30, held, Ordered { level: Level::Calm, caches: 0, room });
        set(BUFFER as u64);
        let buffers = Buffers::counted(Arc::clone(&pressure));
        let lengths = [0; 3].map(|held| buffers.lease(held).len());
        assert_eq!(lengths, [BUFFER, SMALL, SMALL], "one is all that there is room for");
        assert_eq!(buffers.lease(SMALL / 2 + 1).len(), BUFFER, "it would be full soon");
        set(0);
        let (mut peer, mut io) = pair();
        let mut inbox = Inbox::default();
        let said: Vec<u8> = (0..2 * SMALL).map(|n| (n / 7) as u8).collect();
        peer.write_all(&said).unwrap();
        while inbox.bytes().len() < said.len() {
            assert!(std::future::poll_fn(|cx| inbox.poll_fill(&mut io, &buffers, cx)).await.unwrap() > 0);
            assert!(inbox.buffer.len() == SMALL || inbox.bytes().len() > SMALL / 2);
        }
        assert_eq!(inbox.take(said.len()), said);
        inbox.release(&buffers);
        peer.write_all(b"abc").unwrap();
        set(1 << 20);
        std::future::poll_fn(|cx| inbox.poll_fill(&mut io, &buffers, cx)).await.unwrap();
        assert_eq!((inbox.bytes(), inbox.buffer.len()), (&b"abc"[..], BUFFER), "there is memory again");
    }
}
