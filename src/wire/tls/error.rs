use std::fmt;
use std::path::{Path, PathBuf};

/// Why TLS could not be set up; a message to the operator.
#[derive(Debug)]
pub enum TlsError {
    /// A file is not what it has to be.
    File {
        /// The file as it was named.
        file: PathBuf,
        /// What is wrong with it.
        fault: FileFault,
    },
    /// A backend has no name that its certificate could be checked against.
    ServerName {
        /// What was given instead.
        given: String,
    },
    /// A listener without any certificate.
    NoCertificates,
    /// The operating system gave no random bytes, or the library refused what we asked of it.
    Library(rustls::Error),
}

/// What is wrong with a file.
#[derive(Debug)]
pub enum FileFault {
    /// It cannot be read.
    Unreadable(std::io::Error),
    /// It is larger than any sensible PEM file.
    TooLarge,
    /// It is binary DER.
    Der,
    /// A block of it cannot be read as PEM; why.
    BadPem(String),
    /// No certificate in it.
    NoCertificate,
    /// No private key in it.
    NoKey,
    /// More than one private key in it; how many.
    SeveralKeys(usize),
    /// The private key is protected by a passphrase.
    EncryptedKey,
    /// The private key is of a kind or form that cannot be used; why.
    BadKey(String),
    /// A certificate cannot be understood; why.
    BadCertificate(String),
    /// The private key belongs to none of the certificates of this file.
    KeyMismatch {
        /// The file with the certificates.
        cert: PathBuf,
    },
}

impl TlsError {
    pub(super) fn file(file: &Path, fault: FileFault) -> TlsError {
        TlsError::File { file: file.to_owned(), fault }
    }
}

impl std::error::Error for TlsError {}

impl From<rustls::Error> for TlsError {
    fn from(error: rustls::Error) -> TlsError {
        TlsError::Library(error)
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TlsError::File { file, fault } => write!(f, "{}: {fault}", file.display()),
            TlsError::ServerName { given } => write!(
                f,
                "{given}: no name to verify the backend's certificate against; set server_name to a DNS name or an IP address"
            ),
            TlsError::NoCertificates => write!(f, "TLS needs at least one certificate"),
            TlsError::Library(why) => write!(f, "TLS cannot be set up: {why}"),
        }
    }
}

impl fmt::Display for FileFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FileFault::Unreadable(why) => write!(f, "cannot be read: {why}"),
            FileFault::TooLarge => write!(f, "is larger than {} MiB, so no PEM file", super::pem::FILE_BYTES_MAX >> 20),
            FileFault::Der => write!(f, "is binary DER; only PEM is read, convert it with `openssl`"),
            FileFault::BadPem(why) => write!(f, "is not valid PEM: {why}"),
            FileFault::NoCertificate => write!(f, "has no certificate in it (no `-----BEGIN CERTIFICATE-----`)"),
            FileFault::NoKey => write!(f, "has no private key in it (no `-----BEGIN PRIVATE KEY-----` or alike)"),
            FileFault::SeveralKeys(count) => write!(f, "has {count} private keys in it, expected one"),
            FileFault::EncryptedKey => {
                write!(f, "has an encrypted private key; that is not supported, decrypt it with `openssl pkey`")
            }
            FileFault::BadKey(why) => write!(f, "has a private key that cannot be used: {why}"),
            FileFault::BadCertificate(why) => write!(f, "has a certificate that cannot be understood: {why}"),
            FileFault::KeyMismatch { cert } => {
                write!(f, "has a private key that does not match any certificate in {}", cert.display())
            }
        }
    }
}
