use super::dialers::PoolDialer;
use crate::config::{PoolProtocol, ProxyProtocolOut};
use crate::live::Endpoint;
use crate::wire::Transport;
use crate::wire::proxy_protocol;
use crate::wire::tls::ClientTls;
use rustls_pki_types::ServerName;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::{TlsConnector, TlsStream};

/// How to reach one backend.
#[derive(Clone, Debug)]
pub struct Dialer {
    endpoint: Endpoint,
    protocol: PoolProtocol,
    proxy_protocol: Option<ProxyProtocolOut>,
    tls: Option<(Arc<rustls::ClientConfig>, Option<ServerName<'static>>)>,
    key: Key,
}

/// What makes two backends' connections interchangeable, also across a reload.
pub(super) type Key = Arc<str>;

/// A client's address, and the one of ours that it came to.
pub(super) type Ends = (SocketAddr, SocketAddr);

/// Why there is no connection.
#[derive(Debug)]
pub enum DialError {
    /// There is no name that its certificate could be verified against.
    Nameless,
    /// Nobody listens, or the network is in the way.
    Connect(io::Error),
    /// TLS failed; what it said.
    Tls(io::Error),
}

impl DialError {
    /// Whether nothing came to the backend: nobody listens there, or there is no way to it.
    #[must_use]
    pub fn is_unreached(&self) -> bool {
        use io::ErrorKind::{ConnectionRefused, NetworkUnreachable, NotFound};
        // A unix socket that is not there is not found. That a host does not answer takes seconds to be known: it pays.
        let kinds = [ConnectionRefused, NetworkUnreachable, NotFound];
        matches!(self, DialError::Connect(error) if kinds.contains(&error.kind()))
    }
}

/// What the connection is to speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Speaks {
    Http1,
    H2,
}

impl Dialer {
    pub(super) fn new(pool: &PoolDialer, endpoint: &Endpoint, host: Option<&str>) -> Dialer {
        let PoolDialer { protocol, proxy_protocol, tls } = pool;
        let config = tls.as_ref().map(|(config, _)| config);
        Dialer {
            endpoint: endpoint.clone(),
            protocol: *protocol,
            proxy_protocol: *proxy_protocol,
            tls: tls
                .as_ref()
                .map(|(config, client)| (client.clone(), ClientTls::server_name(config, host, Some(endpoint)).ok())),
            key: format!("{endpoint} {host:?} {protocol:?} {proxy_protocol:?} {config:?}").into(),
        }
    }

    pub(super) fn key(&self) -> &Key {
        &self.key
    }

    /// Whether each client needs a connection of its own.
    #[must_use]
    pub fn is_per_client(&self) -> bool {
        self.proxy_protocol.is_some()
    }

    /// Connects, says PROXY, shakes hands. `ends`: the client's and ours; none if there is no client behind. The caller
    /// bounds the time.
    pub(super) async fn dial(&self, ends: Option<Ends>) -> Result<(Transport, Speaks), DialError> {
        let stream = match &self.endpoint {
            Endpoint::Ip(address) => connect(*address).await?,
            Endpoint::Unix(path) => {
                let mut stream = UnixStream::connect(path).await.map_err(DialError::Connect)?;
                let header = self.proxy_header(ends);
                stream.write_all(&header).await.map_err(DialError::Connect)?;
                return Ok((Transport::Unix(stream), self.speaks(None)));
            }
        };
        self.greet(stream, ends).await
    }

    async fn greet(&self, mut stream: TcpStream, ends: Option<Ends>) -> Result<(Transport, Speaks), DialError> {
        let header = self.proxy_header(ends);
        if !header.is_empty() {
            stream.write_all(&header).await.map_err(DialError::Connect)?;
        }
        let Some((config, name)) = &self.tls else {
            return Ok((Transport::Tcp(stream), self.speaks(None)));
        };
        let name = name.clone().ok_or(DialError::Nameless)?;
        let connected = TlsConnector::from(config.clone()).connect(name, stream).await;
        let tls = connected.map_err(DialError::Tls)?;
        let speaks = self.speaks(tls.get_ref().1.alpn_protocol());
        Ok((Transport::Tls(Box::new(TlsStream::Client(tls))), speaks))
    }

    /// Whether connections surely speak HTTP/2, so that one serves many exchanges.
    pub(super) fn is_h2(&self) -> bool {
        self.protocol == PoolProtocol::H2 && !self.is_per_client()
    }

    pub(super) fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    fn speaks(&self, alpn: Option<&[u8]>) -> Speaks {
        match (self.protocol, alpn) {
            (PoolProtocol::H2, _) | (PoolProtocol::Auto, Some(b"h2")) => Speaks::H2,
            _ => Speaks::Http1,
        }
    }

    fn proxy_header(&self, ends: Option<Ends>) -> Vec<u8> {
        let mut header = Vec::new();
        match (self.proxy_protocol, ends) {
            (None, _) => {}
            (Some(ProxyProtocolOut::V1), Some((client, local))) => proxy_protocol::write_v1(client, local, &mut header),
            (Some(ProxyProtocolOut::V2), Some((client, local))) => proxy_protocol::write_v2(client, local, &mut header),
            (Some(ProxyProtocolOut::V1), None) => proxy_protocol::write_unknown_v1(&mut header),
            (Some(ProxyProtocolOut::V2), None) => proxy_protocol::write_local_v2(&mut header),
        }
        header
    }
}

async fn connect(address: SocketAddr) -> Result<TcpStream, DialError> {
    let stream = TcpStream::connect(address).await.map_err(DialError::Connect)?;
    stream.set_nodelay(true).map_err(DialError::Connect)?;
    Ok(stream)
}
