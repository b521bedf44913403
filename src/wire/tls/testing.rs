//! Certificates made for a test, and handshakes without sockets.

use super::{ClientTls, ServerTls, Tickets, TlsError};
use crate::config::{Certificate, ClientAuth, ListenerTls, PoolProtocol, PoolTls, Protocols, TlsVersion};
use rcgen::{CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::{ClientConfig, ClientConnection, ConnectionCommon, DigitallySignedStruct, ServerConfig, ServerConnection};
use rustls::{SideData, SignatureScheme, SupportedProtocolVersion};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use std::ops::DerefMut;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use tempfile::TempDir;

/// A directory with an authority, `ca.pem`, and what it signs.
pub(super) struct Files {
    directory: TempDir,
    authority: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate and its key as PEM.
pub(super) struct Made {
    pub(super) cert: String,
    pub(super) key: String,
}

impl Files {
    pub(super) fn new() -> Files {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "authority of a test");
        params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let files = Files { directory: TempDir::new().unwrap(), authority };
        files.write("ca.pem", &files.authority.pem());
        files
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// `text` with file names that do not depend on where the directory is.
    pub(super) fn relative(&self, text: &str) -> String {
        text.replace(&format!("{}/", self.directory.path().display()), "")
    }

    pub(super) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// The certificate of the authority, as PEM.
    pub(super) fn authority(&self) -> String {
        self.authority.pem()
    }

    /// Signed by the authority for these DNS names and IP addresses.
    pub(super) fn sign(&self, names: &[&str]) -> Made {
        self.sign_with(names, &KeyPair::generate().unwrap(), |_| {})
    }

    pub(super) fn sign_with(&self, names: &[&str], key: &KeyPair, edit: impl FnOnce(&mut CertificateParams)) -> Made {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        edit(&mut params);
        Made { cert: params.signed_by(key, &self.authority).unwrap().pem(), key: key.serialize_pem() }
    }

    /// `NAME.crt` and `NAME.key`.
    pub(super) fn pair(&self, name: &str, made: &Made) -> Certificate {
        let cert = self.write(&format!("{name}.crt"), &made.cert);
        Certificate { cert, key: Some(self.write(&format!("{name}.key"), &made.key)) }
    }

    /// A listener with one certificate a name.
    pub(super) fn listener(&self, names: &[&str]) -> ListenerTls {
        let certificates = names.iter().map(|name| self.pair(&name.replace('*', "any"), &self.sign(&[name]))).collect();
        listener(certificates)
    }

    pub(super) fn clients(&self, required: bool) -> Option<ClientAuth> {
        Some(ClientAuth { ca: self.path("ca.pem"), required })
    }

    /// A client that trusts the authority.
    pub(super) fn client(&self, certificate: Option<Certificate>) -> Arc<ClientConfig> {
        let config = PoolTls { server_name: None, ca: Some(self.path("ca.pem")), certificate };
        ClientTls::build(&config, PoolProtocol::Auto).unwrap()
    }

    /// A client that trusts the authority and speaks one version only.
    pub(super) fn client_of(&self, version: &'static SupportedProtocolVersion) -> Arc<ClientConfig> {
        let (roots, _) = super::pem::authorities(&self.path("ca.pem")).unwrap();
        let builder = ClientConfig::builder_with_provider(super::provider::shared());
        let builder = builder.with_protocol_versions(&[version]).unwrap();
        Arc::new(builder.with_root_certificates(roots).with_no_client_auth())
    }
}

pub(super) fn one_file(path: PathBuf) -> Certificate {
    Certificate { cert: path, key: None }
}

pub(super) const HOST: &str = "shop.example";

pub(super) const BOTH: Protocols = Protocols { http1: true, h2: true };

/// Without client certificates, from TLS 1.2 on.
pub(super) fn listener(certificates: Vec<Certificate>) -> ListenerTls {
    ListenerTls { certificates, min_version: TlsVersion::Tls12, client: None }
}

pub(super) fn build(config: &ListenerTls) -> Result<Arc<ServerConfig>, TlsError> {
    ServerTls::build(config, BOTH, &Tickets::new()).map(|(server, _)| server)
}

/// The two ends after a handshake.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) client: ClientConnection,
    pub(super) server: ServerConnection,
}

/// Shakes hands in memory; the error is that of the end which refused.
pub(super) fn handshake(
    client: &Arc<ClientConfig>,
    name: &str,
    server: &Arc<ServerConfig>,
) -> Result<Pair, rustls::Error> {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut pair = Pair {
        client: ClientConnection::new(Arc::clone(client), name).unwrap(),
        server: ServerConnection::new(Arc::clone(server)).unwrap(),
    };
    // Once more after it is done, for the tickets.
    loop {
        let before = pair.client.is_handshaking() || pair.server.is_handshaking();
        carry(&mut pair.client, &mut pair.server)?;
        carry(&mut pair.server, &mut pair.client)?;
        if !before {
            return Ok(pair);
        }
    }
}

fn carry<A: SideData, B: SideData>(
    from: &mut impl DerefMut<Target = ConnectionCommon<A>>,
    to: &mut impl DerefMut<Target = ConnectionCommon<B>>,
) -> Result<(), rustls::Error> {
    let mut bytes = Vec::new();
    while from.wants_write() {
        from.write_tls(&mut bytes).unwrap();
    }
    let mut bytes = bytes.as_slice();
    while !bytes.is_empty() {
        to.read_tls(&mut bytes).unwrap();
        to.process_new_packets()?;
    }
    Ok(())
}

/// The certificate that the client was shown, as DER.
pub(super) fn shown(pair: &Pair) -> Vec<u8> {
    pair.client.peer_certificates().unwrap()[0].to_vec()
}

/// The first certificate in a file, as DER.
pub(super) fn leaf(file: &Path) -> Vec<u8> {
    super::pem::Pem::read(file).unwrap().certificates[0].to_vec()
}

/// Runs the `openssl` command, for forms of keys that nothing else here makes.
pub(super) fn openssl(arguments: &[&str]) {
    let output = Command::new("openssl").args(arguments).output().expect("these tests need the openssl command");
    assert!(output.status.success(), "openssl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A client that takes any certificate, and verifies only signatures that `wanted` names.
pub(super) fn unverified(wanted: impl Fn(SignatureScheme) -> bool) -> Arc<ClientConfig> {
    let provider = super::provider::shared();
    let mut schemes = provider.signature_verification_algorithms.supported_schemes();
    schemes.retain(|&scheme| wanted(scheme));
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let anyone = Arc::new(Anyone { schemes });
    Arc::new(builder.dangerous().with_custom_certificate_verifier(anyone).with_no_client_auth())
}

#[derive(Debug)]
struct Anyone {
    schemes: Vec<SignatureScheme>,
}

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _leaf: &CertificateDer<'_>,
        _chain: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _leaf: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _leaf: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes.clone()
    }
}
