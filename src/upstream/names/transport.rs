use super::NameError;
use super::message::{Query, Reply};
use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

/// Room for a datagram: more than is asked for.
const DATAGRAM_MAX_BYTES: usize = 4096;

/// Datagrams that are no reply to the query, until the server is given up.
const JUNK_MAX: usize = 64;

/// Asks over UDP, from a port of its own that only the server can reach. What is no reply is passed over: it may be forged.
pub(super) async fn over_udp(server: SocketAddr, query: &Query<'_>, patience: Duration) -> Result<Reply, NameError> {
    let mut junk = 0;
    let asked = async {
        let socket = connect(server).await?;
        socket.send(&query.to_bytes()).await?;
        let mut buffer = vec![0; DATAGRAM_MAX_BYTES];
        while junk < JUNK_MAX {
            let len = socket.recv(&mut buffer).await?;
            if let Some(reply) = query.read(&buffer[..len]) {
                return Ok(Some(reply));
            }
            junk += 1;
        }
        Ok(None)
    };
    let result = within(server, patience, asked).await;
    match result {
        Err(NameError::Timeout) if junk > 0 => Err(NameError::Garbled(server)),
        other => other,
    }
}

/// Asks over TCP, where each message follows its length (RFC 7766 §8).
pub(super) async fn over_tcp(server: SocketAddr, query: &Query<'_>, patience: Duration) -> Result<Reply, NameError> {
    let asked = async {
        let mut stream = TcpStream::connect(server).await?;
        let message = query.to_bytes();
        let len = u16::try_from(message.len()).map_err(io::Error::other)?;
        stream.write_all(&[&len.to_be_bytes(), message.as_slice()].concat()).await?;
        let mut reply = vec![0; usize::from(stream.read_u16().await?)];
        stream.read_exact(&mut reply).await?;
        // Nothing is cut off on a stream: who says so anyhow has not understood.
        Ok(query.read(&reply).filter(|reply| *reply != Reply::Truncated))
    };
    within(server, patience, asked).await
}

async fn connect(server: SocketAddr) -> io::Result<UdpSocket> {
    let any = if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind(SocketAddr::new(any, 0)).await?;
    socket.connect(server).await?;
    Ok(socket)
}

async fn within(
    server: SocketAddr,
    patience: Duration,
    asked: impl Future<Output = io::Result<Option<Reply>>>,
) -> Result<Reply, NameError> {
    match timeout(patience, asked).await {
        Ok(Ok(Some(reply))) => Ok(reply),
        Ok(Ok(None)) => Err(NameError::Garbled(server)),
        Ok(Err(error)) => Err(NameError::Unreachable(server, error.to_string())),
        Err(_) => Err(NameError::Timeout),
    }
}
