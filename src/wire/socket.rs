//! Receiving and sending on a TCP socket by plain system calls.
//!
//! The C library's `recv` and `send` are cancellation points: in a process with threads each call does bookkeeping for
//! `pthread_cancel`, which nobody uses here.

use rustix::net::{RecvFlags, SendFlags, recv, send};
use std::io;
use std::task::{Context, Poll, ready};
use tokio::io::Interest;
use tokio::net::TcpStream;

/// Receives what is there. A short count means that nothing more is there: the socket is then not asked again until it
/// says so.
pub(super) fn poll_recv(stream: &TcpStream, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
    loop {
        ready!(stream.poll_read_ready(cx))?;
        let room = into.len();
        let result = attempt(stream, Interest::READABLE, room, || Ok(recv(stream, &mut *into, RecvFlags::empty())?.0));
        if let Some(result) = result {
            return Poll::Ready(result);
        }
    }
}

/// Sends what the socket takes.
pub(super) fn poll_send(stream: &TcpStream, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
    loop {
        ready!(stream.poll_write_ready(cx))?;
        let result = attempt(stream, Interest::WRITABLE, from.len(), || Ok(send(stream, from, SendFlags::NOSIGNAL)?));
        if let Some(result) = result {
            return Poll::Ready(result);
        }
    }
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
