use super::socket;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsStream;

/// A connected byte stream of any kind we speak over.
#[derive(Debug)]
pub enum Transport {
    /// Clear TCP.
    Tcp(TcpStream),
    /// TLS over TCP, either side.
    Tls(Box<TlsStream<TcpStream>>),
    /// A Unix-domain socket.
    Unix(UnixStream),
}

impl Transport {
    /// The TCP socket below, if there is one.
    #[must_use]
    pub fn tcp(&self) -> Option<&TcpStream> {
        match self {
            Transport::Tcp(stream) => Some(stream),
            Transport::Tls(stream) => Some(stream.get_ref().0),
            Transport::Unix(_) => None,
        }
    }

    /// Reads what is there into the room that `room` gives; over clear TCP it is asked for only once something is there.
    pub fn poll_read<'r>(
        &mut self,
        cx: &mut Context<'_>,
        room: impl FnOnce() -> &'r mut [u8],
    ) -> Poll<io::Result<usize>> {
        if let Transport::Tcp(stream) = self {
            return socket::poll_recv(stream, cx, room);
        }
        let mut buf = ReadBuf::new(room());
        let result = match self {
            Transport::Tcp(stream) => Pin::new(stream).poll_read(cx, &mut buf),
            Transport::Tls(stream) => Pin::new(stream.as_mut()).poll_read(cx, &mut buf),
            Transport::Unix(stream) => Pin::new(stream).poll_read(cx, &mut buf),
        };
        result.map_ok(|()| buf.filled().len())
    }

    /// Writes what it can of `from`.
    pub fn poll_write(&mut self, cx: &mut Context<'_>, from: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        match self {
            Transport::Tcp(stream) => socket::poll_send_pieces(stream, cx, from),
            Transport::Tls(stream) => Pin::new(stream.as_mut()).poll_write_vectored(cx, from),
            Transport::Unix(stream) => Pin::new(stream).poll_write_vectored(cx, from),
        }
    }

    /// Writes what it can of one piece: the system call for it is cheaper than the one for several.
    pub fn poll_write_one(&mut self, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Transport::Tcp(stream) => socket::poll_send(stream, cx, from),
            Transport::Tls(stream) => Pin::new(stream.as_mut()).poll_write(cx, from),
            Transport::Unix(stream) => Pin::new(stream).poll_write(cx, from),
        }
    }

    /// Sends what TLS kept back.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Transport::Tls(stream) => Pin::new(stream.as_mut()).poll_flush(cx),
            Transport::Tcp(_) | Transport::Unix(_) => Poll::Ready(Ok(())),
        }
    }

    /// Ends our direction; the peer may go on sending.
    pub fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Transport::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Transport::Tls(stream) => Pin::new(stream.as_mut()).poll_shutdown(cx),
            Transport::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }

    /// Makes the close that follows a reset, so that the peer cannot take what it got for complete.
    pub fn reset_on_close(&self) {
        if let Some(stream) = self.tcp() {
            let _ = socket2::SockRef::from(stream).set_linger(Some(std::time::Duration::ZERO));
        }
    }
}

impl AsyncRead for Transport {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Transport::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            Transport::Tls(stream) => Pin::new(stream.as_mut()).poll_read(cx, buf),
            Transport::Unix(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.get_mut().poll_write_one(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Transport::poll_write(self.get_mut(), cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Transport::poll_flush(self.get_mut(), cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Transport::poll_shutdown(self.get_mut(), cx)
    }
}
