use crate::config::Listener;
use crate::telemetry::Metrics;
use crate::telemetry::metrics::ListenerMetrics;
use crate::wire::tls::{ServerTls, Tickets, TlsError};
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Connections that the kernel keeps for us to accept.
const BACKLOG: i32 = 4096;

/// A listener as it is served; shared by all workers, replaced as a whole on reload.
pub(super) struct ListenerState {
    pub(super) config: Listener,
    pub(super) tls: Option<Arc<rustls::ServerConfig>>,
    pub(super) metrics: ListenerMetrics,
}

impl ListenerState {
    pub(super) fn build(
        config: &Listener,
        metrics: &Metrics,
        tickets: &Tickets,
        warnings: &mut Vec<String>,
    ) -> Result<ListenerState, TlsError> {
        let tls = match &config.tls {
            None => None,
            Some(tls) => {
                let (server, said) = ServerTls::build(tls, config.protocols, tickets)?;
                warnings.extend(said);
                Some(server)
            }
        };
        Ok(ListenerState { config: config.clone(), tls, metrics: metrics.listener(&config.address.to_string()) })
    }
}

/// How many connections a listener has, over all workers; it outlives reloads.
#[derive(Debug, Default)]
pub(super) struct Open(AtomicUsize);

impl Open {
    /// Counts one more, unless that would be more than `max`.
    pub(super) fn enter(self: &Arc<Self>, max: usize) -> Option<Entered> {
        if self.0.fetch_add(1, Relaxed) >= max {
            self.0.fetch_sub(1, Relaxed);
            return None;
        }
        Some(Entered(Arc::clone(self)))
    }
}

/// Counts until it is dropped.
#[derive(Debug)]
pub(super) struct Entered(Arc<Open>);

impl Drop for Entered {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Relaxed);
    }
}

/// Binds one worker's socket. The kernel spreads connections over all sockets of an address.
pub(super) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Whether somebody else serves that address: SO_REUSEPORT alone would share it with them unnoticed.
pub(super) fn is_taken(address: SocketAddr) -> io::Result<()> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())?;
    socket.listen(1)
}
