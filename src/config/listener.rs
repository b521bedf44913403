use super::Place;
use ipnet::IpNet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// `[[listener]]`: a bound address with its TLS.
#[derive(Clone, Debug)]
pub struct Listener {
    /// Where it was declared.
    pub place: Place,
    /// The address to bind.
    pub address: SocketAddr,
    /// What it speaks. Default: HTTP/1.1 in clear text; both with TLS.
    pub protocols: Protocols,
    /// Bounds on waiting for the client.
    pub timeouts: ListenerTimeouts,
    /// Connections at once over all workers; more are closed at accept. Default 100,000.
    pub max_connections: usize,
    /// Bounds on a request head.
    pub head: HeadLimits,
    /// Bounds on an HTTP/2 connection.
    pub h2: H2Limits,
    /// TLS, if it is not clear text.
    pub tls: Option<ListenerTls>,
    /// Networks whose connections start with a PROXY header; others are refused while this is set.
    pub proxy_protocol: Option<Vec<IpNet>>,
    /// Networks whose `Forwarded` and `X-Forwarded-*` fields are believed; default none.
    pub trust_forwarded: Vec<IpNet>,
}

/// Which versions a listener speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protocols {
    /// HTTP/1.0 and HTTP/1.1
    pub http1: bool,
    /// HTTP/2: by ALPN with TLS, by prior knowledge without.
    pub h2: bool,
}

/// How long a client may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenerTimeouts {
    /// From accept to the end of the TLS handshake (and PROXY header); default 10 s.
    pub handshake: Duration,
    /// For a whole head, from its first byte (or accept); default 10 s.
    pub head: Duration,
    /// Between exchanges on a connection; default 75 s.
    pub idle: Duration,
    /// Without any progress of a body in either direction; default 60 s.
    pub body: Duration,
}

/// How large a request head may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadLimits {
    /// Bytes of a whole head; default 64 KiB.
    pub size: usize,
    /// Fields; default 128.
    pub fields: usize,
}

/// What one HTTP/2 connection may ask of us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct H2Limits {
    /// Streams at once; default 128.
    pub streams: u32,
    /// Bytes: receive window of a stream; default 256 KiB.
    pub stream_window: u32,
    /// Bytes: receive window of a connection; default 1 MiB.
    pub connection_window: u32,
    /// Streams a second that a client may reset before its connection is ended; default 100.
    pub resets_per_second: u32,
}

/// `tls = { … }` of a listener.
#[derive(Clone, Debug)]
pub struct ListenerTls {
    /// At least one; the first serves clients that name no host.
    pub certificates: Vec<Certificate>,
    /// Default 1.2.
    pub min_version: TlsVersion,
    /// Client certificates, if they are asked for.
    pub client: Option<ClientAuth>,
}

/// Files of one certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// PEM: the chain, leaf first; perhaps the key too.
    pub cert: PathBuf,
    /// PEM: the key, if it is not in `cert`.
    pub key: Option<PathBuf>,
}

/// Client certificates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientAuth {
    /// PEM: authorities that may sign them.
    pub ca: PathBuf,
    /// False: a client without one is let in, one with a bad one is not.
    pub required: bool,
}

/// The oldest TLS version accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    /// TLS 1.2 (RFC 5246)
    Tls12,
    /// TLS 1.3 (RFC 8446)
    Tls13,
}
