use super::error::{FileFault, TlsError};
use rustls::RootCertStore;
use rustls_pki_types::pem::{Error as PemError, PemObject, SectionKind};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Bytes of a PEM file; the bundles of operating systems have about 250 KiB.
pub(super) const FILE_BYTES_MAX: u64 = 16 << 20;

/// What a PEM file has for us, in the order of the file. Other blocks and text between blocks are skipped.
#[derive(Debug, Default)]
pub(super) struct Pem {
    pub(super) certificates: Vec<CertificateDer<'static>>,
    pub(super) keys: Vec<PrivateKeyDer<'static>>,
    /// A key with a passphrase was seen and skipped.
    encrypted_key: bool,
}

impl Pem {
    pub(super) fn read(file: &Path) -> Result<Pem, TlsError> {
        read_bounded(file).and_then(|text| Pem::parse(&text)).map_err(|fault| TlsError::file(file, fault))
    }

    /// The only key.
    pub(super) fn one_key(mut self) -> Result<PrivateKeyDer<'static>, FileFault> {
        match (self.keys.pop(), self.keys.len()) {
            (Some(key), 0) => Ok(key),
            (Some(_), others) => Err(FileFault::SeveralKeys(others + 1)),
            (None, _) if self.encrypted_key => Err(FileFault::EncryptedKey),
            (None, _) => Err(FileFault::NoKey),
        }
    }

    fn parse(text: &[u8]) -> Result<Pem, FileFault> {
        let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
        if text.starts_with(DER_SEQUENCE) {
            return Err(FileFault::Der);
        }
        // RFC 1421 §4.6.1.1: the old way to encrypt; its fields would read as broken base64.
        if contains(text, b"Proc-Type: 4,ENCRYPTED") {
            return Err(FileFault::EncryptedKey);
        }
        let mut pem = Pem { encrypted_key: contains(text, b"-----BEGIN ENCRYPTED PRIVATE KEY-----"), ..Pem::default() };
        for (at, section) in <(SectionKind, Vec<u8>)>::pem_slice_iter(text).enumerate() {
            let (kind, der) = section.map_err(|error| FileFault::BadPem(explain(at + 1, &error)))?;
            pem.keep(kind, der);
        }
        Ok(pem)
    }

    fn keep(&mut self, kind: SectionKind, der: Vec<u8>) {
        match kind {
            SectionKind::Certificate => self.certificates.push(der.into()),
            SectionKind::PrivateKey => self.keys.push(PrivateKeyDer::Pkcs8(der.into())),
            SectionKind::RsaPrivateKey => self.keys.push(PrivateKeyDer::Pkcs1(der.into())),
            SectionKind::EcPrivateKey => self.keys.push(PrivateKeyDer::Sec1(der.into())),
            _ => {}
        }
    }
}

/// Authorities from a file, and how many of its certificates were not usable.
pub(super) fn authorities(file: &Path) -> Result<(RootCertStore, usize), TlsError> {
    let certificates = Pem::read(file)?.certificates;
    if certificates.is_empty() {
        return Err(TlsError::file(file, FileFault::NoCertificate));
    }
    let mut roots = RootCertStore::empty();
    let (used, skipped) = roots.add_parsable_certificates(certificates);
    if used == 0 {
        let why = "none of them can serve as an authority".to_owned();
        return Err(TlsError::file(file, FileFault::BadCertificate(why)));
    }
    Ok((roots, skipped))
}

fn read_bounded(file: &Path) -> Result<Vec<u8>, FileFault> {
    let mut text = Vec::new();
    let source = File::open(file).map_err(FileFault::Unreadable)?;
    source.take(FILE_BYTES_MAX + 1).read_to_end(&mut text).map_err(FileFault::Unreadable)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(FileFault::TooLarge);
    }
    Ok(text)
}

fn explain(block: usize, error: &PemError) -> String {
    match error {
        PemError::MissingSectionEnd { end_marker } => {
            format!("block {block} has no `-----END {}-----`", end_marker.escape_ascii())
        }
        PemError::IllegalSectionStart { line } => {
            format!("block {block} begins with a broken line `{}`", line.escape_ascii())
        }
        PemError::Base64Decode(_) => format!("block {block} is not base64"),
        other => format!("block {block}: {other}"),
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    memchr::memmem::find(text, part).is_some()
}

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";
const DER_SEQUENCE: &[u8] = &[0x30];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_that_is_not_base64_is_named() {
        let text = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n\
            -----BEGIN CERTIFICATE-----\n???\n-----END CERTIFICATE-----\n";
        let fault = Pem::parse(text).unwrap_err();
        assert_eq!(fault.to_string(), "is not valid PEM: block 2 is not base64");
    }

    #[test]
    fn a_block_without_end_is_named() {
        let fault = Pem::parse(b"-----BEGIN CERTIFICATE-----\nAAAA\n").unwrap_err();
        assert_eq!(fault.to_string(), "is not valid PEM: block 1 has no `-----END CERTIFICATE-----`");
    }

    #[test]
    fn an_encrypted_key_is_called_so_in_both_forms() {
        let new = b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
        assert!(matches!(Pem::parse(new).unwrap().one_key(), Err(FileFault::EncryptedKey)));
        let old = b"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n\
            -----END RSA PRIVATE KEY-----\n";
        assert!(matches!(Pem::parse(old), Err(FileFault::EncryptedKey)));
    }

    #[test]
    fn two_keys_are_too_many_and_none_too_few() {
        let key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n".repeat(2);
        assert!(matches!(Pem::parse(key.as_bytes()).unwrap().one_key(), Err(FileFault::SeveralKeys(2))));
        assert!(matches!(Pem::parse(b"").unwrap().one_key(), Err(FileFault::NoKey)));
    }

    #[test]
    fn der_is_recognised() {
        assert!(matches!(Pem::parse(&[0x30, 0x82, 1, 2]), Err(FileFault::Der)));
    }
}
