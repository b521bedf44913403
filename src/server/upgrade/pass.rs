//! Descriptors over a Unix-domain socket.

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Sends at most [`PASSED_MAX`] descriptors along with some bytes, at least one; gives how many bytes it took.
///
/// # Errors
/// Those of `sendmsg`; `WouldBlock` too.
pub(super) fn send(socket: impl AsFd, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<usize> {
    let mut room = [MaybeUninit::uninit(); SPACE];
    let mut control = SendAncillaryBuffer::new(&mut room);
    if !descriptors.is_empty() && !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(io::Error::other("too many descriptors at once"));
    }
    Ok(sendmsg(socket, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL)?)
}

/// Receives what came, and appends it; gives how many bytes it was. 0: the other side sends no more.
///
/// # Errors
/// Those of `recvmsg`; a time limit on the socket shows as `WouldBlock`.
pub(super) fn receive(socket: impl AsFd, bytes: &mut Vec<u8>, descriptors: &mut Vec<OwnedFd>) -> io::Result<usize> {
    let mut piece = [0; PIECE_BYTES];
    let mut room = [MaybeUninit::uninit(); SPACE];
    let mut control = RecvAncillaryBuffer::new(&mut room);
    let received = recvmsg(socket, &mut [IoSliceMut::new(&mut piece)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(passed) = message {
            descriptors.extend(passed);
        }
    }
    bytes.extend_from_slice(&piece[..received.bytes]);
    Ok(received.bytes)
}

/// Descriptors that go along with one piece of text. The system takes 253.
pub(super) const PASSED_MAX: usize = 64;

const SPACE: usize = rustix::cmsg_space!(ScmRights(PASSED_MAX));

const PIECE_BYTES: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;

    #[test]
    fn descriptors_arrive_in_order_whatever_bytes_they_go_along_with() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let files: Vec<_> = (0..150).map(|_| tempfile::tempfile().unwrap()).collect();
        for batch in files.chunks(PASSED_MAX) {
            let descriptors: Vec<_> = batch.iter().map(AsFd::as_fd).collect();
            assert_eq!(send(&ours, b" ", &descriptors).unwrap(), 1);
        }
        assert_eq!(send(&ours, b"text\n", &[]).unwrap(), 5);
        drop(ours);
        let (mut text, mut came) = (Vec::new(), Vec::new());
        while receive(&theirs, &mut text, &mut came).unwrap() > 0 {}
        assert_eq!(text, b"   text\n");
        let inode =
            |descriptor: &dyn AsRawFd| std::fs::read_link(format!("/proc/self/fd/{}", descriptor.as_raw_fd())).unwrap();
        let (sent, came): (Vec<_>, Vec<_>) =
            (files.iter().map(|file| inode(file)).collect(), came.iter().map(|file| inode(file)).collect());
        assert_eq!(sent, came);
    }
}
