use super::answer::answer;
use super::{AdminListener, AdminState};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};

/// Serves until `shutdown` is ready, on a thread of its own with a runtime of its own.
///
/// # Errors
/// There is no thread or runtime to be had.
pub fn serve(
    listener: AdminListener,
    state: Arc<AdminState>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    serve_within(LIMITS, listener, state, shutdown)
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

const LIMITS: Limits = Limits {
    connections: 64,
    head: Duration::from_secs(5),
    age: Duration::from_secs(60),
    end: Duration::from_secs(10),
};

pub(super) fn serve_within(
    limits: Limits,
    listener: AdminListener,
    state: Arc<AdminState>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let entered = runtime.enter();
    // The file of a Unix-domain socket is to live as long as the loop.
    let (sockets, file) = match listener {
        AdminListener::Tcp(tcp) => (Sockets::Tcp(TcpListener::from_std(tcp)?), None),
        AdminListener::Unix(unix, file) => (Sockets::Unix(UnixListener::from_std(unix)?), Some(file)),
    };
    drop(entered);
    thread::Builder::new().name("admin".into()).spawn(move || {
        runtime.block_on(accept(limits, sockets, state, shutdown));
        drop(file);
    })
}

enum Sockets {
    Tcp(TcpListener),
    Unix(UnixListener),
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

impl Sockets {
    async fn accept(&self) -> io::Result<Box<dyn Stream>> {
        Ok(match self {
            Sockets::Tcp(tcp) => Box::new(tcp.accept().await?.0),
            Sockets::Unix(unix) => Box::new(unix.accept().await?.0),
        })
    }
}

async fn accept(limits: Limits, sockets: Sockets, state: Arc<AdminState>, shutdown: impl Future<Output = ()>) {
    let slots = Arc::new(Semaphore::new(limits.connections));
    let mut shutdown = pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => return,
            (stream, slot) = next(&sockets, &slots) => {
                tokio::spawn(connection(limits, stream, Arc::clone(&state), slot));
            }
        }
    }
}

/// The next connection, once there is room for it.
async fn next(sockets: &Sockets, slots: &Arc<Semaphore>) -> (Box<dyn Stream>, OwnedSemaphorePermit) {
    let slot = Arc::clone(slots).acquire_owned().await.expect("the semaphore is never closed");
    loop {
        match sockets.accept().await {
            Ok(stream) => return (stream, slot),
            // Too few descriptors, or a client that left already: neither is helped by trying at once.
            Err(why) => {
                tracing::debug!(%why, "the admin listener cannot accept");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn connection(limits: Limits, stream: Box<dyn Stream>, state: Arc<AdminState>, slot: OwnedSemaphorePermit) {
    let service = service_fn(move |request| {
        let response = answer(&request, &state);
        async move { Ok::<_, Infallible>(response) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    // Whatever a client does wrong ends its connection and concerns nobody else.
    if timeout(limits.age, connection.as_mut()).await.is_err() {
        connection.as_mut().graceful_shutdown();
        let _ = timeout(limits.end, connection).await;
    }
    drop(slot);
}

const HEAD_BYTES_MAX: usize = 16 * 1024;
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
