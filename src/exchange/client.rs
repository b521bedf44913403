use crate::config::ListenerTimeouts;
use crate::http::Scheme;
use ipnet::IpNet;
use std::net::SocketAddr;
use std::rc::Rc;

/// What the engine knows of a listener.
#[derive(Clone, Debug)]
pub struct Gate {
    /// Its address, as it stands in logs.
    pub name: String,
    /// Bounds on waiting for its clients.
    pub timeouts: ListenerTimeouts,
    /// Networks whose word on earlier hops is believed.
    pub trust_forwarded: Vec<IpNet>,
}

/// Who is at the other end of a connection.
#[derive(Clone, Debug)]
pub struct Client {
    /// Its address (by PROXY header, if there was one).
    pub peer: SocketAddr,
    /// Ours.
    pub local: SocketAddr,
    /// How it reached us.
    pub scheme: Scheme,
    /// The listener it came by.
    pub gate: Rc<Gate>,
    /// With TLS, what was agreed on.
    pub tls: Option<Rc<TlsFacts>>,
}

/// What a TLS handshake agreed on.
#[derive(Clone, Debug)]
pub struct TlsFacts {
    /// `1.2` or `1.3`
    pub version: &'static str,
    /// The cipher suite's registered name.
    pub cipher: &'static str,
    /// The subject of the client's certificate.
    pub subject: Option<String>,
}

impl Client {
    /// Whether the peer's word on earlier hops is believed.
    #[must_use]
    pub fn is_trusted(&self) -> bool {
        let peer = self.peer.ip().to_canonical();
        self.gate.trust_forwarded.iter().any(|network| network.contains(&peer))
    }

    /// The subject of its certificate.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.tls.as_ref()?.subject.as_deref()
    }
}
