use super::error::TlsError;
use super::identity::Identity;
use super::{pem, provider};
use crate::config::{PoolProtocol, PoolTls};
use crate::live::Endpoint;
use rustls::client::Resumption;
use rustls::sign::SingleCertAndKey;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::ServerName;
use std::sync::Arc;
use std::time::SystemTime;

/// TLS towards the backends of a pool.
#[derive(Debug)]
pub struct ClientTls;

/// Backend names whose sessions are remembered, a pool.
const SESSIONS_MAX: usize = 256;

impl ClientTls {
    /// Reads all files of a pool. The result is shared by all workers, and so are its sessions.
    ///
    /// # Errors
    /// A file is missing, not what it has to be, or a key is not that of its certificate.
    pub fn build(config: &PoolTls, protocol: PoolProtocol) -> Result<Arc<ClientConfig>, TlsError> {
        let roots = match &config.ca {
            Some(file) => pem::authorities(file)?.0,
            None => RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() },
        };
        let builder = ClientConfig::builder_with_provider(provider::shared())
            .with_protocol_versions(provider::VERSIONS)?
            .with_root_certificates(roots);
        let mut client = match &config.certificate {
            None => builder.with_no_client_auth(),
            Some(files) => {
                let identity = Identity::load(files, SystemTime::now())?;
                builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(identity.certified)))
            }
        };
        client.alpn_protocols = alpn(protocol);
        client.resumption = Resumption::in_memory_sessions(SESSIONS_MAX);
        Ok(Arc::new(client))
    }

    /// The name a backend is asked for (SNI) and verified against: the configured one, or that under which it was found,
    /// or its address.
    ///
    /// # Errors
    /// None of these is a DNS name or an IP address, as with a Unix-domain socket and no `server_name`.
    pub fn server_name(
        config: &PoolTls,
        host: Option<&str>,
        endpoint: Option<&Endpoint>,
    ) -> Result<ServerName<'static>, TlsError> {
        let name = match (config.server_name.as_deref().or(host), endpoint) {
            (Some(name), _) => name.strip_suffix('.').unwrap_or(name),
            (None, Some(Endpoint::Ip(address))) => return Ok(ServerName::from(address.ip())),
            (None, Some(Endpoint::Unix(_)) | None) => {
                let given = endpoint.map(ToString::to_string).unwrap_or_default();
                return Err(TlsError::ServerName { given });
            }
        };
        ServerName::try_from(name.to_owned()).map_err(|_| TlsError::ServerName { given: name.to_owned() })
    }
}

fn alpn(protocol: PoolProtocol) -> Vec<Vec<u8>> {
    match protocol {
        PoolProtocol::Http1 => vec![b"http/1.1".to_vec()],
        PoolProtocol::H2 => vec![b"h2".to_vec()],
        PoolProtocol::Auto => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(server_name: Option<&str>, host: Option<&str>, endpoint: Endpoint) -> Option<String> {
        let config = PoolTls { server_name: server_name.map(str::to_owned), ca: None, certificate: None };
        ClientTls::server_name(&config, host, Some(&endpoint)).ok().map(|name| name.to_str().into_owned())
    }

    #[test]
    fn the_configured_name_wins_over_the_name_of_the_address_and_that_over_the_address() {
        let endpoint = Endpoint::Ip("[::1]:443".parse().unwrap());
        let host = Some("backend.example");
        assert_eq!(name(Some("partner.example"), host, endpoint.clone()).unwrap(), "partner.example");
        assert_eq!(name(None, host, endpoint.clone()).unwrap(), "backend.example");
        assert_eq!(name(None, Some("target.example."), endpoint.clone()).unwrap(), "target.example");
        assert_eq!(name(None, None, endpoint.clone()).unwrap(), "::1");
        assert_eq!(name(Some("192.0.2.1"), None, endpoint).unwrap(), "192.0.2.1");
    }

    #[test]
    fn a_socket_without_a_name_is_an_error() {
        assert_eq!(name(None, None, Endpoint::Unix("/run/a.sock".into())), None);
        assert_eq!(name(Some("not a name"), None, Endpoint::Unix("/run/a.sock".into())), None);
    }

    #[test]
    fn mozilla_s_authorities_are_trusted_by_default() {
        let config = PoolTls { server_name: None, ca: None, certificate: None };
        let client = ClientTls::build(&config, PoolProtocol::Auto).unwrap();
        assert_eq!(client.alpn_protocols, [b"h2".to_vec(), b"http/1.1".to_vec()]);
    }
}
