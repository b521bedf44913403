use super::AdminState;
use super::answer::answer;
use super::bind::{AdminListener, SocketFile};
use super::gate::Peer;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::pin::pin;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, oneshot, watch};
use tokio::time::{sleep, timeout};

/// An admin listener with the thread that serves it.
#[derive(Debug)]
pub struct Admin {
    /// Another descriptor of the one that the thread accepts from.
    socket: Option<OwnedFd>,
    file: Option<SocketFile>,
    begin: Option<oneshot::Sender<()>>,
    stop: watch::Sender<bool>,
    /// Nothing more is accepted.
    closed: watch::Receiver<bool>,
    thread: JoinHandle<()>,
}

/// Makes the thread that is to serve, with a runtime of its own. It accepts nothing before [`Admin::begin`].
///
/// # Errors
/// There is no thread, runtime or descriptor to be had.
pub fn start(listener: AdminListener, state: Arc<AdminState>) -> io::Result<Admin> {
    start_within(LIMITS, listener, state)
}

impl Admin {
    /// Accepts from now on; the file of a Unix-domain socket, if there is one, goes away with this value.
    pub fn begin(&mut self) {
        if let Some(file) = &mut self.file {
            file.set_ours(true);
        }
        if let Some(begin) = self.begin.take() {
            let _ = begin.send(());
        }
    }

    /// The listening socket, until [`stop`](Self::stop).
    #[must_use]
    pub fn socket(&self) -> Option<BorrowedFd<'_>> {
        self.socket.as_ref().map(OwnedFd::as_fd)
    }

    /// Accepts no more; connections end with the response that they are at, in [`END_WAIT`].
    pub fn stop(&mut self) {
        let _ = self.stop.send(true);
        self.begin.take();
        self.socket.take();
    }

    /// Waits until the thread has heard of [`stop`](Self::stop): who connects from then on meets whoever else has the socket.
    pub async fn closed(&mut self) {
        // It closes, too, where it never began.
        let _ = self.closed.wait_for(|closed| *closed).await;
    }

    /// Whether the last connection has ended after [`stop`](Self::stop).
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }

    /// The file of a Unix-domain socket belongs to somebody else, such as the process that took the socket over.
    pub fn leave_file(&mut self) {
        if let Some(mut file) = self.file.take() {
            file.set_ours(false);
        }
    }
}

/// What clients may take.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    /// Connections at once; more wait in the backlog.
    pub(super) connections: usize,
    /// For a head, the wait for its first byte included.
    pub(super) head: Duration,
    /// After which a connection ends with the response that it is at.
    pub(super) age: Duration,
    /// For that response.
    pub(super) end: Duration,
}

const LIMITS: Limits =
    Limits { connections: 64, head: Duration::from_secs(5), age: Duration::from_secs(60), end: END_WAIT };

/// How long a response may take once its connection is to end.
pub const END_WAIT: Duration = Duration::from_secs(10);

pub(super) fn start_within(limits: Limits, listener: AdminListener, state: Arc<AdminState>) -> io::Result<Admin> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let entered = runtime.enter();
    let socket = listener.socket().try_clone_to_owned()?;
    let (sockets, file) = match listener {
        AdminListener::Tcp(tcp) => (Sockets::Tcp(TcpListener::from_std(tcp)?), None),
        AdminListener::Unix(unix, file) => (Sockets::Unix(UnixListener::from_std(unix)?), Some(file)),
    };
    drop(entered);
    let (begin, begun) = oneshot::channel();
    let (stop, stopping) = watch::channel(false);
    let (closing, closed) = watch::channel(false);
    let thread = thread::Builder::new().name("admin".into()).spawn(move || {
        runtime.block_on(async {
            if begun.await.is_ok() {
                accept(limits, sockets, state, stopping, closing).await;
            }
        });
    })?;
    Ok(Admin { socket: Some(socket), file, begin: Some(begin), stop, closed, thread })
}

enum Sockets {
    Tcp(TcpListener),
    Unix(UnixListener),
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

impl Sockets {
    async fn accept(&self) -> io::Result<Accepted> {
        Ok(match self {
            Sockets::Tcp(tcp) => {
                let (stream, peer) = tcp.accept().await?;
                let peer = if is_near(peer, stream.local_addr()?) { Peer::Near } else { Peer::Far };
                Accepted { peer, stream: Box::new(stream) }
            }
            Sockets::Unix(unix) => Accepted { stream: Box::new(unix.accept().await?.0), peer: Peer::Socket },
        })
    }
}

/// A connection, and where it comes from.
struct Accepted {
    stream: Box<dyn Stream>,
    peer: Peer,
}

/// A peer that has our own address is on this machine: the network cannot bring such packets.
fn is_near(peer: SocketAddr, local: SocketAddr) -> bool {
    let peer = peer.ip().to_canonical();
    peer.is_loopback() || peer == local.ip().to_canonical()
}

async fn accept(
    limits: Limits,
    sockets: Sockets,
    state: Arc<AdminState>,
    mut stopping: watch::Receiver<bool>,
    closing: watch::Sender<bool>,
) {
    let slots = Arc::new(Semaphore::new(limits.connections));
    let theirs = stopping.clone();
    loop {
        tokio::select! {
            _ = stopping.wait_for(|stop| *stop) => break,
            (accepted, slot) = next(&sockets, &slots) => {
                tokio::spawn(connection(limits, accepted, Arc::clone(&state), theirs.clone(), slot));
            }
        }
    }
    drop(sockets);
    let _ = closing.send(true);
    // All places are free once all connections have ended.
    let all = u32::try_from(limits.connections).unwrap_or(u32::MAX);
    let _ = timeout(limits.end, slots.acquire_many(all)).await;
}

/// The next connection, once there is room for it.
async fn next(sockets: &Sockets, slots: &Arc<Semaphore>) -> (Accepted, OwnedSemaphorePermit) {
    let slot = Arc::clone(slots).acquire_owned().await.expect("the semaphore is never closed");
    loop {
        match sockets.accept().await {
            Ok(accepted) => return (accepted, slot),
            // Too few descriptors, or a client that left already: neither is helped by trying at once.
            Err(why) => {
                tracing::debug!(%why, "the admin listener cannot accept");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn connection(
    limits: Limits,
    Accepted { stream, peer }: Accepted,
    state: Arc<AdminState>,
    mut stopping: watch::Receiver<bool>,
    slot: OwnedSemaphorePermit,
) {
    let asked = Arc::new(Notify::new());
    let asks = Arc::clone(&asked);
    let service = service_fn(move |request| {
        let state = Arc::clone(&state);
        asks.notify_one();
        async move { Ok::<_, Infallible>(answer(request, &state, peer).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    // Whatever a client does wrong ends its connection and concerns nobody else.
    let is_done = tokio::select! {
        _ = connection.as_mut() => true,
        () = sleep(limits.age) => false,
        _ = stopping.wait_for(|stop| *stop) => false,
    };
    // Whoever was let in last has a request on its way, and gets an answer to it.
    let is_done = is_done
        || tokio::select! {
            _ = connection.as_mut() => true,
            _ = timeout(FIRST_WAIT, asked.notified()) => false,
        };
    if !is_done {
        connection.as_mut().graceful_shutdown();
        let _ = timeout(limits.end, connection).await;
    }
    drop(slot);
}

const HEAD_BYTES_MAX: usize = 16 * 1024;
/// How long a connection on which nothing was asked may stay once no more are accepted.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_is_who_comes_over_the_loopback_or_from_our_own_address() {
        let near = |peer: &str, local: &str| is_near(peer.parse().unwrap(), local.parse().unwrap());
        assert!(near("127.0.0.1:5", "127.0.0.1:9180") && near("[::1]:5", "[::1]:9180"));
        assert!(near("127.9.9.9:5", "127.0.0.1:9180") && near("[::ffff:127.0.0.1]:5", "[::ffff:127.0.0.1]:9180"));
        assert!(near("10.0.0.5:5", "10.0.0.5:9180") && near("[::ffff:10.0.0.5]:5", "10.0.0.5:9180"));
        assert!(!near("10.0.0.6:5", "10.0.0.5:9180") && !near("[fe80::2]:5", "[fe80::1]:9180"));
    }
}
