use super::error::{FileFault, TlsError};
use super::pem::Pem;
use super::{provider, validity};
use crate::config::Certificate;
use rustls::sign::{CertifiedKey, SigningKey};
use rustls::{Error, InconsistentKeys};
use rustls_pki_types::CertificateDer;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

/// A certificate with its chain and key, ready to be shown.
#[derive(Debug)]
pub(super) struct Identity {
    pub(super) certified: Arc<CertifiedKey>,
    /// DNS names that it is for, in lower case; `*.x` among them.
    pub(super) names: Vec<String>,
    /// What an operator should know.
    pub(super) warnings: Vec<String>,
}

impl Identity {
    /// Reads the files. `now` is what expiry is judged against.
    pub(super) fn load(files: &Certificate, now: SystemTime) -> Result<Identity, TlsError> {
        let (chain, key) = read(files)?;
        let key_file = files.key.as_deref().unwrap_or(&files.cert);
        let (certified, leaf_at) = certify(chain, key, &files.cert, key_file)?;
        let mut warnings = Vec::new();
        if leaf_at > 0 {
            let file = files.cert.display();
            warnings.push(format!("{file}: the certificate of the key is number {}, not the first", leaf_at + 1));
        }
        let names = inspect(&certified.cert, &files.cert, now, &mut warnings)?;
        Ok(Identity { certified: Arc::new(certified), names, warnings })
    }
}

type Material = (Vec<CertificateDer<'static>>, Arc<dyn SigningKey>);

fn read(files: &Certificate) -> Result<Material, TlsError> {
    let mut pem = Pem::read(&files.cert)?;
    let chain = std::mem::take(&mut pem.certificates);
    if chain.is_empty() {
        return Err(TlsError::file(&files.cert, FileFault::NoCertificate));
    }
    let (key_file, key_pem) = match &files.key {
        Some(file) => (file, Pem::read(file)?),
        None => (&files.cert, pem),
    };
    let fault = |fault| TlsError::file(key_file, fault);
    let key = key_pem.one_key().map_err(fault)?;
    let key = provider::provider().key_provider.load_private_key(key);
    Ok((chain, key.map_err(|why| fault(FileFault::BadKey(why.to_string())))?))
}

/// Puts the certificate of the key first, wherever it stands in the file; says where it stood.
fn certify(
    chain: Vec<CertificateDer<'static>>,
    key: Arc<dyn SigningKey>,
    cert_file: &Path,
    key_file: &Path,
) -> Result<(CertifiedKey, usize), TlsError> {
    let mut certified = CertifiedKey::new(chain, key);
    for at in 0..certified.cert.len() {
        certified.cert[..=at].rotate_right(1);
        match certified.keys_match() {
            Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => return Ok((certified, at)),
            Err(Error::InconsistentKeys(_)) => certified.cert[..=at].rotate_left(1),
            Err(why) => return Err(TlsError::file(cert_file, FileFault::BadCertificate(why.to_string()))),
        }
    }
    Err(TlsError::file(key_file, FileFault::KeyMismatch { cert: cert_file.to_owned() }))
}

/// The names of the leaf; what is odd goes to `warnings`.
fn inspect(
    chain: &[CertificateDer<'_>],
    file: &Path,
    now: SystemTime,
    warnings: &mut Vec<String>,
) -> Result<Vec<String>, TlsError> {
    let mut names = Vec::new();
    for (at, der) in chain.iter().enumerate() {
        let (_, certificate) = X509Certificate::from_der(der)
            .map_err(|why| TlsError::file(file, FileFault::BadCertificate(why.to_string())))?;
        warnings.extend(validity::warning(file, at, &certificate, now));
        if at == 0 {
            names = dns_names(&certificate);
        }
    }
    Ok(names)
}

fn dns_names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(alternative)) = certificate.subject_alternative_name() else { return Vec::new() };
    let names = alternative.value.general_names.iter();
    names
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
            _ => None,
        })
        .collect()
}
