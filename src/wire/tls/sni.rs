use super::identity::Identity;
use rustls::SignatureScheme;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::collections::HashMap;
use std::sync::Arc;

/// Chooses a certificate by the name a client asks for: exact, then wildcard of one label, then the first of all.
///
/// Several certificates may have the same name (ECDSA and RSA); the first that the client can verify is shown.
#[derive(Debug)]
pub(super) struct ByName {
    all: Vec<Arc<CertifiedKey>>,
    exact: Names,
    /// `*.example.com` under `example.com`.
    wildcard: Names,
}

type Names = HashMap<String, Vec<Arc<CertifiedKey>>>;

impl ByName {
    pub(super) fn new(identities: &[Identity]) -> ByName {
        let mut by_name = ByName { all: Vec::new(), exact: Names::new(), wildcard: Names::new() };
        for identity in identities {
            by_name.all.push(Arc::clone(&identity.certified));
            for name in &identity.names {
                let (names, name) = match name.strip_prefix("*.") {
                    Some(parent) => (&mut by_name.wildcard, parent),
                    None => (&mut by_name.exact, name.as_str()),
                };
                names.entry(name.to_owned()).or_default().push(Arc::clone(&identity.certified));
            }
        }
        by_name
    }

    fn choose(&self, name: Option<&str>, offered: &[SignatureScheme]) -> Option<&Arc<CertifiedKey>> {
        let named = name.and_then(|name| self.named(name));
        let usable = |keys: &&Arc<CertifiedKey>| keys.key.choose_scheme(offered).is_some();
        // A name that is known but for which the client verifies nothing falls to rustls, which refuses it well.
        named.map_or_else(
            || self.all.iter().find(usable).or(self.all.first()),
            |keys| keys.iter().find(usable).or(keys.first()),
        )
    }

    fn named(&self, name: &str) -> Option<&[Arc<CertifiedKey>]> {
        let name = name.to_ascii_lowercase();
        // RFC 9525 §6.3: the wildcard stands for exactly one label.
        let by_wildcard = || name.split_once('.').and_then(|(_, parent)| self.wildcard.get(parent));
        self.exact.get(&name).or_else(by_wildcard).map(Vec::as_slice)
    }
}

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.choose(hello.server_name(), hello.signature_schemes()).cloned()
    }
}
