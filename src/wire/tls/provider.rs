use rustls::crypto::aws_lc_rs::{cipher_suite as suite, default_provider, kx_group};
use rustls::crypto::{CryptoProvider, SupportedKxGroup};
use rustls::{SupportedCipherSuite, SupportedProtocolVersion, version};
use std::sync::Arc;

/// Makes our provider the default of the process, for libraries that ask for one.
///
/// Call it first of all: whoever installs one first wins. Returns false if somebody else was first.
pub fn install_provider() -> bool {
    provider().install_default().is_ok()
}

/// aws-lc-rs with our order of suites and groups.
pub(super) fn provider() -> CryptoProvider {
    CryptoProvider { cipher_suites: SUITES.to_vec(), kx_groups: GROUPS.to_vec(), ..default_provider() }
}

/// [`provider`], shared.
pub(super) fn shared() -> Arc<CryptoProvider> {
    Arc::new(provider())
}

/// The versions that we speak; older ones are broken (RFC 8996).
pub(super) static VERSIONS: &[&SupportedProtocolVersion] = &[&version::TLS13, &version::TLS12];

/// Versions where TLS 1.2 is not wanted.
pub(super) static VERSIONS_13: &[&SupportedProtocolVersion] = &[&version::TLS13];

// AEAD with ephemeral keys only. AES-128 first: the same security margin in practice for less CPU than AES-256.
static SUITES: &[SupportedCipherSuite] = &[
    suite::TLS13_AES_128_GCM_SHA256,
    suite::TLS13_AES_256_GCM_SHA384,
    suite::TLS13_CHACHA20_POLY1305_SHA256,
    suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
];

// The post-quantum hybrid first, said here so that it does not hang on a feature of a dependency.
static GROUPS: &[&dyn SupportedKxGroup] =
    &[kx_group::X25519MLKEM768, kx_group::X25519, kx_group::SECP256R1, kx_group::SECP384R1];
