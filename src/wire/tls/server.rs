use super::error::TlsError;
use super::identity::Identity;
use super::sni::ByName;
use super::tickets::{Audience, Tickets};
use super::{pem, provider};
use crate::config::{ClientAuth, ListenerTls, Protocols, TlsVersion};
use rustls::ServerConfig;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, VerifierBuilderError, WebPkiClientVerifier};
use rustls_pki_types::TrustAnchor;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

/// TLS of a listener.
#[derive(Debug)]
pub struct ServerTls;

/// Tickets after a full TLS 1.3 handshake.
///
/// One: a connection of HTTP/2 or a kept-alive one needs no more, each resumption gives the next, and a ticket costs a
/// derivation, an encryption and a record of 200 bytes (more with a client certificate in it) whether used or not.
const TICKETS_PER_HANDSHAKE: usize = 1;

/// Tickets to a client that says how many it wants (RFC 9149).
const TICKETS_ON_REQUEST_MAX: usize = 4;

impl ServerTls {
    /// Reads all files of a listener. Returns what to serve with, and warnings for the operator.
    ///
    /// # Errors
    /// A file is missing, not what it has to be, or a key is not that of its certificate.
    pub fn build(
        config: &ListenerTls,
        protocols: Protocols,
        tickets: &Tickets,
    ) -> Result<(Arc<ServerConfig>, Vec<String>), TlsError> {
        let identities = load(config, SystemTime::now())?;
        let mut warnings = warnings(config, &identities);
        let clients = config.client.as_ref().map(|client| Clients::load(client, &mut warnings)).transpose()?;

        let versions = match config.min_version {
            TlsVersion::Tls12 => provider::VERSIONS,
            TlsVersion::Tls13 => provider::VERSIONS_13,
        };
        let builder = ServerConfig::builder_with_provider(provider::shared()).with_protocol_versions(versions)?;
        let verifier = clients.as_ref().map_or_else(WebPkiClientVerifier::no_client_auth, |it| it.verifier.clone());
        let mut server =
            builder.with_client_cert_verifier(verifier).with_cert_resolver(Arc::new(ByName::new(&identities)));

        server.alpn_protocols = alpn(protocols);
        server.ignore_client_order = true;
        server.max_early_data_size = 0; // RFC 8446 §8: early data can be replayed.
        server.send_tls13_tickets = TICKETS_PER_HANDSHAKE;
        server.max_tls13_tickets = TICKETS_ON_REQUEST_MAX;
        server.session_storage = Arc::new(NoServerSessionStorage {});
        server.ticketer = tickets.of(audience(&identities, clients))?;
        Ok((Arc::new(server), warnings))
    }
}

fn load(config: &ListenerTls, now: SystemTime) -> Result<Vec<Identity>, TlsError> {
    if config.certificates.is_empty() {
        return Err(TlsError::NoCertificates);
    }
    config.certificates.iter().map(|files| Identity::load(files, now)).collect()
}

/// Client certificates as a listener asks for them.
struct Clients {
    verifier: Arc<dyn ClientCertVerifier>,
    authorities: Vec<Vec<u8>>,
    required: bool,
}

impl Clients {
    fn load(client: &ClientAuth, warnings: &mut Vec<String>) -> Result<Clients, TlsError> {
        let (roots, skipped) = pem::authorities(&client.ca)?;
        if skipped > 0 {
            let file = client.ca.display();
            warnings.push(format!("{file}: {skipped} certificates cannot serve as authorities and were skipped"));
        }
        let mut authorities: Vec<_> = roots.roots.iter().map(fingerprint).collect();
        authorities.sort();
        let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider::shared());
        let builder = if client.required { builder } else { builder.allow_unauthenticated() };
        let verifier = builder.build().map_err(refused)?;
        Ok(Clients { verifier, authorities, required: client.required })
    }
}

/// All of an authority that decides what it may sign.
fn fingerprint(root: &TrustAnchor<'_>) -> Vec<u8> {
    let constraints = root.name_constraints.as_deref().unwrap_or_default();
    [&*root.subject, &*root.subject_public_key_info, constraints].concat()
}

fn refused(why: VerifierBuilderError) -> TlsError {
    TlsError::Library(rustls::Error::General(why.to_string()))
}

fn audience(identities: &[Identity], clients: Option<Clients>) -> Audience {
    Audience {
        names: identities.iter().flat_map(|identity| identity.names.iter().cloned()).collect(),
        client: clients.map(|clients| (clients.authorities, clients.required)),
    }
}

fn alpn(protocols: Protocols) -> Vec<Vec<u8>> {
    let offered = [(protocols.h2, b"h2".as_slice()), (protocols.http1, b"http/1.1")];
    offered.into_iter().filter(|(spoken, _)| *spoken).map(|(_, name)| name.to_vec()).collect()
}

fn warnings(config: &ListenerTls, identities: &[Identity]) -> Vec<String> {
    let mut warnings: Vec<String> = identities.iter().flat_map(|identity| identity.warnings.iter().cloned()).collect();
    let mut owners = HashMap::new();
    for (files, identity) in config.certificates.iter().zip(identities) {
        let file = files.cert.display();
        if identity.names.is_empty() {
            warnings.push(format!("{file}: names no host (no DNS name in subjectAltName), so most clients refuse it"));
        }
        let kind = u8::from(identity.certified.key.algorithm());
        for name in &identity.names {
            let first = *owners.entry((name, kind)).or_insert(&files.cert);
            if *first != files.cert {
                warnings.push(format!("{file}: {name} is also in {}, which is used", first.display()));
            }
        }
    }
    warnings
}
