use crate::exchange::TlsFacts;
use crate::wire::tls::client_subject;
use std::io;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// What both sides agreed on.
pub(super) struct Shaken {
    pub(super) stream: TlsStream<TcpStream>,
    pub(super) facts: TlsFacts,
    pub(super) h2: bool,
}

/// Shakes hands. The caller bounds the time.
pub(super) async fn shake(config: &Arc<rustls::ServerConfig>, stream: TcpStream) -> io::Result<Shaken> {
    let stream = TlsAcceptor::from(Arc::clone(config)).accept(stream).await?;
    let session = stream.get_ref().1;
    let version = match session.protocol_version() {
        Some(rustls::ProtocolVersion::TLSv1_3) => "1.3",
        _ => "1.2",
    };
    let cipher = session.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str()).unwrap_or("");
    let facts = TlsFacts { version, cipher, subject: client_subject(session) };
    let h2 = session.alpn_protocol() == Some(b"h2");
    Ok(Shaken { stream, facts, h2 })
}
