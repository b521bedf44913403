//! One client's connection, from accept to close.

use super::accept::Door;
use super::http1;
use super::http2;
use super::listener::Entered;
use super::tls::{Shaken, shake};
use crate::exchange::{Client, Worker};
use crate::http::Scheme;
use crate::wire::Transport;
use crate::wire::h1::ClientConnection;
use crate::wire::proxy_protocol::{self, Parsed};
use bytes::Bytes;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsStream;

/// Serves `stream` on a task of its own.
pub(super) fn spawn(stream: TcpStream, peer: SocketAddr, door: Rc<Door>, entered: Entered, worker: Rc<Worker>) {
    if stream.set_nodelay(true).is_err() {
        return; // The client is gone already.
    }
    let state = &door.state;
    let open = Open { entered, worker: worker.clone(), door: door.clone() };
    worker.metrics.connection_opened(&state.metrics);
    if state.tls.is_none() && state.config.proxy_protocol.is_none() && !state.config.protocols.h2 {
        let client = client(peer, &stream, &door, Scheme::Http);
        let connection = ClientConnection::new(Transport::Tcp(stream), b"");
        // Made here and boxed, so that the task of an idle connection stays small.
        tokio::task::spawn_local(http1::serve(Box::new(Session { connection, client, open })));
    } else {
        tokio::task::spawn_local(greeted(stream, peer, open));
    }
}

/// A connection that counts as open.
pub(super) struct Open {
    #[expect(dead_code, reason = "counts until it is dropped")]
    entered: Entered,
    pub(super) worker: Rc<Worker>,
    pub(super) door: Rc<Door>,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.worker.metrics.connection_closed(&self.door.state.metrics);
    }
}

/// A client's HTTP/1.1 connection with all that belongs to it.
pub(super) struct Session {
    pub(super) connection: ClientConnection,
    pub(super) client: Client,
    pub(super) open: Open,
}

/// PROXY header, TLS and the choice of a version first.
async fn greeted(stream: TcpStream, peer: SocketAddr, open: Open) {
    let (door, worker) = (&open.door, &open.worker);
    let Some(Greeted { transport, client, h2 }) = Box::pin(greet(stream, peer, door, worker)).await else { return };
    let protocols = door.state.config.protocols;
    if h2 || (protocols.h2 && !protocols.http1) {
        return Box::pin(http2::serve(transport, Bytes::new(), Rc::new(client), door, worker)).await;
    }
    let mut connection = ClientConnection::new(transport, b"");
    if protocols.h2 && client.tls.is_none() && Box::pin(is_h2(&mut connection, door, worker)).await {
        let (transport, read) = connection.into_parts();
        return Box::pin(http2::serve(transport, read.into(), Rc::new(client), door, worker)).await;
    }
    http1::serve(Box::new(Session { connection, client, open })).await;
}

/// Whether a client in clear text speaks HTTP/2 by prior knowledge (RFC 9113 §3.3).
async fn is_h2(connection: &mut ClientConnection, door: &Door, worker: &Worker) -> bool {
    let asked = connection.begins_with(http2::PREFACE, &worker.buffers);
    matches!(worker.clock.within_idle(door.gate.timeouts.head, asked).await, Ok(Ok(true)))
}

/// A connection that is ready for its first request.
struct Greeted {
    transport: Transport,
    client: Client,
    h2: bool,
}

fn client(peer: SocketAddr, stream: &TcpStream, door: &Rc<Door>, scheme: Scheme) -> Client {
    let local = stream.local_addr().unwrap_or(door.state.config.address);
    Client { peer, local, scheme, gate: door.gate.clone(), tls: None }
}

/// PROXY header and TLS, in the time that the listener gives them.
async fn greet(mut stream: TcpStream, peer: SocketAddr, door: &Rc<Door>, worker: &Worker) -> Option<Greeted> {
    let state = &door.state;
    let mut who = client(peer, &stream, door, Scheme::Http);
    let hands = async {
        if let Some(from) = &state.config.proxy_protocol {
            if !from.iter().any(|network| network.contains(&peer.ip().to_canonical())) {
                return Err(io::Error::other("no PROXY header is believed from there"));
            }
            let (source, destination) = proxy_header(&mut stream).await?;
            who.peer = source.unwrap_or(who.peer);
            who.local = destination.unwrap_or(who.local);
        }
        match &state.tls {
            None => Ok((Transport::Tcp(stream), false)),
            Some(config) => {
                let shaken = shake(config, stream).await;
                worker.metrics.tls_handshake(&state.metrics, shaken.is_ok());
                let Shaken { stream, facts, h2 } = shaken?;
                who.scheme = Scheme::Https;
                who.tls = Some(Rc::new(facts));
                Ok((Transport::Tls(Box::new(TlsStream::Server(stream))), h2))
            }
        }
    };
    match worker.clock.within(state.config.timeouts.handshake, hands).await {
        Ok(Ok((transport, h2))) => Some(Greeted { transport, client: who, h2 }),
        Ok(Err(error)) => {
            tracing::debug!(client = %peer, %error, "no handshake");
            None
        }
        Err(_) => None,
    }
}

/// Takes the PROXY header off the stream, and not a byte more.
async fn proxy_header(stream: &mut TcpStream) -> io::Result<(Option<SocketAddr>, Option<SocketAddr>)> {
    let mut header = Vec::new();
    loop {
        let mut peeked = [0; proxy_protocol::HEADER_BYTES_MAX];
        let room = peeked.len() - header.len();
        let n = stream.peek(&mut peeked[..room]).await?;
        if n == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let before = header.len();
        header.extend_from_slice(&peeked[..n]);
        match proxy_protocol::parse(&header) {
            Ok(Parsed::Header { consumed, source, destination }) => {
                stream.read_exact(&mut peeked[..consumed - before]).await?;
                return Ok((source, destination));
            }
            // All of it belongs to the header, so it may be taken off.
            Ok(Parsed::Incomplete) if header.len() < proxy_protocol::HEADER_BYTES_MAX => {
                stream.read_exact(&mut peeked[..n]).await?;
            }
            Ok(Parsed::Incomplete) => return Err(io::Error::other("endless PROXY header")),
            Err(bad) => return Err(io::Error::other(format!("bad PROXY header: {bad:?}"))),
        }
    }
}
