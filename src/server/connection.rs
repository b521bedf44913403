//! One client's connection, from accept to close.

use super::accept::Door;
use super::http2;
use super::listener::Entered;
use super::tls::{Shaken, shake};
use crate::exchange::{Client, Downstream, Refusal, Scratch, Worker, protocol_error, refuse_head, serve};
use crate::http::{Length, Scheme, Version};
use crate::wire::Transport;
use crate::wire::h1::parse::{Bad, Limits, RequestFrame};
use crate::wire::h1::{ClientConnection, HeadEnd, Next};
use crate::wire::proxy_protocol::{self, Parsed};
use bytes::Bytes;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsStream;

/// How long unread content may keep a connection that is otherwise done with.
const DRAIN: Duration = Duration::from_secs(2);

/// A pause between requests that is still taken for one burst.
const BURST_PAUSE: Duration = Duration::from_secs(1);

/// Serves `stream` on a task of its own.
pub(super) fn spawn(stream: TcpStream, peer: SocketAddr, door: Rc<Door>, entered: Entered, worker: Rc<Worker>) {
    tokio::task::spawn_local(async move {
        let _open = worker.metrics.connection_accepted(&door.state.metrics);
        let _entered = entered;
        if stream.set_nodelay(true).is_err() {
            return; // The client is gone already.
        }
        let plain = door.state.tls.is_none() && door.state.config.proxy_protocol.is_none();
        let greeted = if plain {
            let client = Rc::new(client(peer, &stream, &door, Scheme::Http));
            Some(Greeted { transport: Transport::Tcp(stream), client, h2: false })
        } else {
            Box::pin(greet(stream, peer, &door, &worker)).await
        };
        let Some(Greeted { transport, client, h2 }) = greeted else { return };
        let protocols = door.state.config.protocols;
        if h2 || (protocols.h2 && !protocols.http1) {
            return Box::pin(http2::serve(transport, Bytes::new(), client, &door, &worker)).await;
        }
        let mut connection = ClientConnection::new(transport, b"");
        if protocols.h2 && client.tls.is_none() && Box::pin(is_h2(&mut connection, &door, &worker)).await {
            let (transport, read) = connection.into_parts();
            return Box::pin(http2::serve(transport, read.into(), client, &door, &worker)).await;
        }
        serve_http1(connection, client, &door, &worker).await;
    });
}

/// Whether a client in clear text speaks HTTP/2 by prior knowledge (RFC 9113 §3.3).
async fn is_h2(connection: &mut ClientConnection, door: &Door, worker: &Worker) -> bool {
    let asked = connection.begins_with(http2::PREFACE, &worker.buffers);
    matches!(worker.clock.within_idle(door.gate.timeouts.head, asked).await, Ok(Ok(true)))
}

/// A connection that is ready for its first request.
struct Greeted {
    transport: Transport,
    client: Rc<Client>,
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
        Ok(Ok((transport, h2))) => Some(Greeted { transport, client: Rc::new(who), h2 }),
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

/// Exchanges one after the other, until either side has enough.
async fn serve_http1(mut connection: ClientConnection, client: Rc<Client>, door: &Rc<Door>, worker: &Rc<Worker>) {
    let timeouts = door.gate.timeouts;
    let mut idle = timeouts.head;
    while !worker.draining.get() {
        let waited = worker.clock.within_idle(idle, connection.readable(&worker.buffers)).await;
        if !matches!(waited, Ok(Ok(()))) {
            break;
        }
        // Boxed, so that an idle connection does not hold the room that an exchange needs.
        match Box::pin(burst(&mut connection, &client, door, worker)).await {
            Next::Request => idle = timeouts.idle.saturating_sub(BURST_PAUSE),
            Next::Close => break,
        }
    }
    let _ = worker.clock.within(DRAIN, connection.close(&worker.buffers)).await;
}

/// Exchanges that follow each other without a long pause: the room for them is made once.
async fn burst(connection: &mut ClientConnection, client: &Client, door: &Door, worker: &Worker) -> Next {
    let pause = BURST_PAUSE.min(client.gate.timeouts.idle);
    loop {
        if exchange(connection, client, door, worker).await == Next::Close {
            return Next::Close;
        }
        match worker.clock.within_idle(pause, connection.readable(&worker.buffers)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Next::Close,
            Err(_) => return Next::Request,
        }
    }
}

async fn exchange(connection: &mut ClientConnection, client: &Client, door: &Door, worker: &Worker) -> Next {
    let mut scratch = worker.scratch();
    scratch.request.scheme = client.scheme;
    let limits = Limits { size: door.state.config.head.size, fields: door.state.config.head.fields };
    let head = connection.head(&worker.buffers, limits, &mut scratch.request);
    let received = worker.clock.within(client.gate.timeouts.head, head).await;
    let next = match received {
        Ok(Ok(frame)) => one(connection, &frame, client, worker, &mut scratch).await,
        Ok(Err(HeadEnd::Closed { .. })) => Next::Close,
        Ok(Err(HeadEnd::Bad(bad))) => decline(connection, Refusal::Head(bad), client, worker, &mut scratch).await,
        Err(_) => decline(connection, Refusal::HeadTimeout, client, worker, &mut scratch).await,
    };
    worker.reuse(scratch);
    next
}

async fn one(
    connection: &mut ClientConnection,
    frame: &RequestFrame,
    client: &Client,
    worker: &Worker,
    scratch: &mut Scratch,
) -> Next {
    let version = scratch.request.version;
    let mut down = connection.exchange(&worker.buffers, frame, version, &worker.draining);
    serve(worker, client, scratch, &mut down).await;
    let _ = worker.clock.within(DRAIN, down.drain()).await;
    drop(down);
    connection.next(&worker.buffers)
}

/// Says what is wrong with a head, and ends the connection: nobody knows where the next begins.
async fn decline(
    connection: &mut ClientConnection,
    refusal: Refusal,
    client: &Client,
    worker: &Worker,
    scratch: &mut Scratch,
) -> Next {
    worker.metrics.protocol_error(protocol_error(refusal));
    if refusal == Refusal::Head(Bad::Tls) {
        return Next::Close;
    }
    let frame = RequestFrame { consumed: 0, length: Length::None, persistent: false, expect_continue: false };
    let mut down = connection.exchange(&worker.buffers, &frame, Version::Http11, &worker.draining);
    let reply = down.halves().1;
    let _ = refuse_head(refusal, &worker.clock, client.gate.timeouts.body, &mut scratch.response, reply).await;
    Next::Close
}
