use super::{PATIENCE, Wire};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, StreamOwned};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;

/// An authority, and what it signs.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub fn new() -> Authority {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "authority of a test");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Authority(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// Its own certificate, as PEM.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate and its key in one PEM, for a DNS name and of that subject.
    pub fn signs(&self, name: &str, subject: &str) -> String {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, subject);
        params.signed_by(&key, &self.0).unwrap().pem() + &key.serialize_pem()
    }

    /// Writes `ca.pem`.
    pub fn writes(&self, directory: &Path) {
        std::fs::write(directory.join("ca.pem"), self.pem()).unwrap();
    }

    /// Settings of a client that trusts it, with a certificate or none.
    pub fn client(&self, certificate: Option<&str>) -> Arc<ClientConfig> {
        let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().unwrap();
        let builder = builder.with_root_certificates(self.roots());
        let mut config = match certificate {
            None => builder.with_no_client_auth(),
            Some(pem) => builder.with_client_auth_cert(chain(pem), key(pem)).unwrap(),
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Arc::new(config)
    }

    /// Settings of a server with that certificate; with `clients`, only those whom this authority signed get in.
    pub fn server(&self, pem: &str, clients: bool) -> Arc<ServerConfig> {
        let builder = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().unwrap();
        let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(Arc::new(self.roots()), provider());
        let builder = if clients {
            builder.with_client_cert_verifier(verifier.build().unwrap())
        } else {
            builder.with_no_client_auth()
        };
        Arc::new(builder.with_single_cert(chain(pem), key(pem)).unwrap())
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        roots
    }
}

/// TLS over a connection of its own, asking for `name`. The handshake is not made yet.
pub fn connect(address: SocketAddr, name: &str, config: &Arc<ClientConfig>) -> Session {
    over(TcpStream::connect_timeout(&address, PATIENCE).unwrap(), name, config)
}

/// TLS over `socket`, on which something may have been said before.
pub fn over(socket: TcpStream, name: &str, config: &Arc<ClientConfig>) -> Session {
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    Session(StreamOwned::new(ClientConnection::new(config.clone(), name).unwrap(), socket))
}

/// A client's TLS session.
pub struct Session(StreamOwned<ClientConnection, TcpStream>);

impl Session {
    /// Makes the handshake.
    pub fn shakes(mut self) -> Result<Session, std::io::Error> {
        while self.0.conn.is_handshaking() {
            self.0.conn.complete_io(&mut self.0.sock)?;
        }
        Ok(self)
    }

    /// The certificate that the server showed.
    pub fn shown(&self) -> CertificateDer<'static> {
        self.0.conn.peer_certificates().unwrap()[0].clone().into_owned()
    }

    pub fn client(self) -> super::Client {
        let socket = self.0.sock.try_clone().unwrap();
        super::Client::over(Wire::over(socket, self.0))
    }
}

/// The first certificate of a PEM.
pub fn leaf(pem: &str) -> CertificateDer<'static> {
    chain(pem).swap_remove(0)
}

fn chain(pem: &str) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(pem.as_bytes()).map(Result::unwrap).collect()
}

fn key(pem: &str) -> PrivateKeyDer<'static> {
    PrivateKeyDer::from_pem_slice(pem.as_bytes()).unwrap()
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}
