use super::resolve;
use crate::config::{Backend, BackendAddress, Pool, PoolProtocol, ProxyProtocolOut};
use crate::wire::Transport;
use crate::wire::proxy_protocol;
use crate::wire::tls::{ClientTls, TlsError};
use rustls_pki_types::ServerName;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::{TlsConnector, TlsStream};

/// How to reach one backend; made once a configuration.
#[derive(Clone, Debug)]
pub struct Dialer {
    address: BackendAddress,
    protocol: PoolProtocol,
    proxy_protocol: Option<ProxyProtocolOut>,
    tls: Option<(Arc<rustls::ClientConfig>, ServerName<'static>)>,
    key: Key,
}

/// What makes two backends' connections interchangeable, also across a reload.
pub(super) type Key = Arc<str>;

/// Why there is no connection.
#[derive(Debug)]
pub enum DialError {
    /// The name has no address.
    Resolve(io::Error),
    /// Nobody listens, or the network is in the way.
    Connect(io::Error),
    /// TLS failed; what it said.
    Tls(io::Error),
}

/// What the connection is to speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Speaks {
    Http1,
    H2,
}

impl Dialer {
    /// Reads what TLS needs.
    ///
    /// # Errors
    /// A file of `pool.tls` is not what it has to be, or there is no name to verify.
    pub fn build(pool: &Pool, backend: &Backend, tls: Option<&Arc<rustls::ClientConfig>>) -> Result<Dialer, TlsError> {
        let tls = match (&pool.tls, tls) {
            (Some(config), Some(client)) => Some((client.clone(), ClientTls::server_name(config, &backend.address)?)),
            _ => None,
        };
        Ok(Dialer {
            address: backend.address.clone(),
            protocol: pool.protocol,
            proxy_protocol: pool.proxy_protocol,
            tls,
            key: format!("{} {:?} {:?} {:?}", backend.address, pool.protocol, pool.proxy_protocol, pool.tls).into(),
        })
    }

    pub(super) fn key(&self) -> &Key {
        &self.key
    }

    /// Whether each client needs a connection of its own.
    #[must_use]
    pub fn is_per_client(&self) -> bool {
        self.proxy_protocol.is_some()
    }

    /// Connects, says PROXY, shakes hands. The caller bounds the time.
    pub(super) async fn dial(&self, client: SocketAddr, local: SocketAddr) -> Result<(Transport, Speaks), DialError> {
        let stream = match &self.address {
            BackendAddress::Ip(address) => connect(*address).await?,
            BackendAddress::Name(name, port) => self.connect_name(name, *port).await?,
            BackendAddress::Unix(path) => {
                let mut stream = UnixStream::connect(path).await.map_err(DialError::Connect)?;
                let header = self.proxy_header(client, local);
                stream.write_all(&header).await.map_err(DialError::Connect)?;
                return Ok((Transport::Unix(stream), self.speaks(None)));
            }
        };
        self.greet(stream, client, local).await
    }

    async fn greet(
        &self,
        mut stream: TcpStream,
        client: SocketAddr,
        local: SocketAddr,
    ) -> Result<(Transport, Speaks), DialError> {
        let header = self.proxy_header(client, local);
        if !header.is_empty() {
            stream.write_all(&header).await.map_err(DialError::Connect)?;
        }
        let Some((config, name)) = &self.tls else {
            return Ok((Transport::Tcp(stream), self.speaks(None)));
        };
        let connected = TlsConnector::from(config.clone()).connect(name.clone(), stream).await;
        let tls = connected.map_err(DialError::Tls)?;
        let speaks = self.speaks(tls.get_ref().1.alpn_protocol());
        Ok((Transport::Tls(Box::new(TlsStream::Client(tls))), speaks))
    }

    /// The first address that answers.
    async fn connect_name(&self, name: &str, port: u16) -> Result<TcpStream, DialError> {
        let addresses = resolve::lookup(name, port).await.map_err(DialError::Resolve)?;
        let mut last = io::Error::other("the name has no address");
        for address in addresses {
            match connect(address).await {
                Ok(stream) => return Ok(stream),
                Err(DialError::Connect(error)) => last = error,
                Err(other) => return Err(other),
            }
        }
        Err(DialError::Connect(last))
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

    fn proxy_header(&self, client: SocketAddr, local: SocketAddr) -> Vec<u8> {
        let mut header = Vec::new();
        match self.proxy_protocol {
            None => {}
            Some(ProxyProtocolOut::V1) => proxy_protocol::write_v1(client, local, &mut header),
            Some(ProxyProtocolOut::V2) => proxy_protocol::write_v2(client, local, &mut header),
        }
        header
    }
}

async fn connect(address: SocketAddr) -> Result<TcpStream, DialError> {
    let stream = TcpStream::connect(address).await.map_err(DialError::Connect)?;
    stream.set_nodelay(true).map_err(DialError::Connect)?;
    Ok(stream)
}
