//! Receiving and sending on a TCP socket by plain system calls.
//!
//! The C library's `recv`, `send` and `sendmsg` are cancellation points: in a process with threads each call does bookkeeping for
//! `pthread_cancel`, which nobody uses here.

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendFlags, recv, send, sendmsg};
use std::io::{self, IoSlice};
use std::task::{Context, Poll, ready};
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::task::coop;

/// Receives what is there into the room that `room` gives, which is asked for only then. A short count means that nothing more is
/// there: the socket is then not asked again until it says so.
pub(super) fn poll_recv<'r>(
    stream: &TcpStream,
    cx: &mut Context<'_>,
    room: impl FnOnce() -> &'r mut [u8],
) -> Poll<io::Result<usize>> {
    ready!(stream.poll_read_ready(cx))?;
    let into = room();
    let room = into.len();
    loop {
        let result = attempt(stream, Interest::READABLE, room, || Ok(recv(stream, &mut *into, RecvFlags::empty())?.0));
        if let Some(result) = result {
            return Poll::Ready(result);
        }
        ready!(stream.poll_read_ready(cx))?;
    }
}

/// Sends what the socket takes. Nearly always it has room, so it is tried before it is asked.
pub(super) fn poll_send(stream: &TcpStream, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
    poll_try(stream, cx, from.len(), || send(stream, from, SendFlags::NOSIGNAL))
}

/// The same of several pieces. Not `writev`, whose way to the socket leads through what is only for files.
pub(super) fn poll_send_pieces(
    stream: &TcpStream,
    cx: &mut Context<'_>,
    from: &[IoSlice<'_>],
) -> Poll<io::Result<usize>> {
    let length = from.iter().map(|piece| piece.len()).sum();
    poll_try(stream, cx, length, || sendmsg(stream, from, &mut SendAncillaryBuffer::default(), SendFlags::NOSIGNAL))
}

fn poll_try(
    stream: &TcpStream,
    cx: &mut Context<'_>,
    length: usize,
    mut send: impl FnMut() -> Result<usize, Errno>,
) -> Poll<io::Result<usize>> {
    let turn = ready!(coop::poll_proceed(cx));
    match send() {
        Ok(n) => {
            turn.made_progress();
            if n < length {
                forget_room(stream);
            }
            return Poll::Ready(Ok(n));
        }
        Err(Errno::AGAIN) => forget_room(stream),
        // Nobody would say that there is room: it was not full.
        Err(Errno::INTR) => {}
        Err(error) => return Poll::Ready(Err(error.into())),
    }
    loop {
        ready!(stream.poll_write_ready(cx))?;
        let result = attempt(stream, Interest::WRITABLE, length, || Ok(send()?));
        if let Some(result) = result {
            return Poll::Ready(result);
        }
    }
}

/// Tells tokio that the socket takes nothing more for now, so that it waits until it does. A worker's runtime has one thread, which is
/// here: no word of the system comes in between, to be forgotten, too.
fn forget_room(stream: &TcpStream) {
    let full = stream.try_io(Interest::WRITABLE, || Err::<(), _>(io::ErrorKind::WouldBlock.into()));
    debug_assert!(full.is_err());
}

/// One call. `None`: the socket was not ready after all.
fn attempt(
    stream: &TcpStream,
    interest: Interest,
    most: usize,
    mut call: impl FnMut() -> io::Result<usize>,
) -> Option<io::Result<usize>> {
    let mut short = None;
    let result = stream.try_io(interest, || match call() {
        // Told so, tokio forgets that the socket was ready.
        Ok(n) if n > 0 && n < most => {
            short = Some(n);
            Err(io::ErrorKind::WouldBlock.into())
        }
        other => other,
    });
    match (short, result) {
        (Some(n), _) => Some(Ok(n)),
        (None, Err(error)) if error.kind() == io::ErrorKind::WouldBlock => None,
        (None, Err(error)) if error.kind() == io::ErrorKind::Interrupted => None,
        (None, result) => Some(result),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn what_a_full_socket_does_not_take_waits_until_it_does() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let mut peer = listener.accept().await.unwrap().0;
        let piece: Vec<u8> = (0..100_000u32).map(|n| (n / 7) as u8).collect();
        let mut sent = Vec::new();
        // More than both sockets hold, in one piece and in three.
        let send = async {
            while sent.len() < 16 << 20 {
                let n = poll_fn(|cx| poll_send(&stream, cx, &piece)).await.unwrap();
                sent.extend_from_slice(&piece[..n]);
                let three = [&piece[..300], &[], &piece[300..]].map(IoSlice::new);
                let n = poll_fn(|cx| poll_send_pieces(&stream, cx, &three)).await.unwrap();
                sent.extend_from_slice(&piece[..n]);
            }
            drop(stream);
        };
        let receive = async {
            // Only once it waits.
            tokio::task::yield_now().await;
            let mut received = Vec::new();
            peer.read_to_end(&mut received).await.unwrap();
            received
        };
        let ((), received) = tokio::join!(send, receive);
        assert!(received == sent, "{} of {}", received.len(), sent.len());
    }

    #[tokio::test]
    async fn room_is_asked_for_only_when_something_is_there() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let peer = listener.accept().await.unwrap().0;
        let waits = poll_fn(|cx| Poll::Ready(poll_recv(&stream, cx, || unreachable!("nothing is there")).is_pending()));
        assert!(waits.await);
        poll_fn(|cx| poll_send(&peer, cx, b"abc")).await.unwrap();
        let mut room = [0; 8];
        let mut place = Some(&mut room[..]);
        let n = poll_fn(|cx| poll_recv(&stream, cx, || place.take().unwrap())).await.unwrap();
        assert_eq!((n, &room[..3]), (3, &b"abc"[..]));
    }
}
