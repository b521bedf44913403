use super::super::testing::*;
use super::super::{ClientTls, ServerTls, Tickets};
use crate::config::{PoolProtocol, PoolTls, Protocols, TlsVersion};
use rcgen::KeyPair;
use rustls::{ClientConfig, Error, HandshakeKind, NamedGroup, ProtocolVersion, SignatureScheme};
use std::sync::Arc;

#[test]
fn our_two_ends_agree_on_tls_1_3_with_the_post_quantum_group_and_http_2() {
    let files = Files::new();
    let pair = handshake(&files.client(None), HOST, &build(&files.listener(&[HOST])).unwrap()).unwrap();
    assert_eq!(pair.server.negotiated_key_exchange_group().unwrap().name(), NamedGroup::X25519MLKEM768);
    assert_eq!(pair.server.handshake_kind(), Some(HandshakeKind::Full));
    assert_eq!(pair.server.protocol_version(), Some(ProtocolVersion::TLSv1_3));
    assert_eq!(pair.server.alpn_protocol(), Some(b"h2".as_slice()));
}

#[test]
fn the_process_default_offers_the_post_quantum_group_first() {
    super::super::install_provider();
    let default = rustls::crypto::CryptoProvider::get_default().unwrap();
    assert_eq!(default.kx_groups[0].name(), NamedGroup::X25519MLKEM768);
}

#[test]
fn only_what_a_listener_speaks_is_negotiated() {
    let files = Files::new();
    let listener = files.listener(&[HOST]);
    let build = |http1, h2| ServerTls::build(&listener, Protocols { http1, h2 }, &Tickets::new()).unwrap().0;
    let pair = handshake(&files.client(None), HOST, &build(true, false)).unwrap();
    assert_eq!(pair.client.alpn_protocol(), Some(b"http/1.1".as_slice()));

    let config = PoolTls { server_name: None, ca: Some(files.path("ca.pem")), certificate: None };
    let client = ClientTls::build(&config, PoolProtocol::Http1).unwrap();
    let refused = handshake(&client, HOST, &build(false, true)).unwrap_err();
    assert_eq!(refused, Error::NoApplicationProtocol);
}

#[test]
fn the_certificate_follows_the_name_asked_for() {
    let files = Files::new();
    let listener = files.listener(&["first.example", "*.shop.example", "pay.shop.example"]);
    let server = build(&listener).unwrap();
    let [first, wildcard, exact] = [0, 1, 2].map(|at: usize| leaf(&listener.certificates[at].cert));
    let client = files.client(None);
    for (name, expected) in [
        ("first.example", &first),
        ("PAY.shop.example", &exact),
        ("pay.shop.example", &exact),
        ("a.shop.example", &wildcard),
    ] {
        assert!(shown(&handshake(&client, name, &server).unwrap()) == *expected, "{name}");
    }
    let unverified = unverified(|_| true);
    for name in ["unknown.example", "a.b.shop.example", "shop.example", "127.0.0.1"] {
        assert!(shown(&handshake(&unverified, name, &server).unwrap()) == first, "{name}");
    }
}

#[test]
fn of_two_certificates_for_a_name_the_client_gets_one_it_can_verify() {
    let files = Files::new();
    let p256 = files.sign(&[HOST]);
    let ed25519 = files.sign_with(&[HOST], &KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap(), |_| {});
    let listener = listener(vec![files.pair("ed25519", &ed25519), files.pair("p256", &p256)]);
    let (server, warnings) = ServerTls::build(&listener, BOTH, &Tickets::new()).unwrap();
    assert_eq!(warnings, Vec::<String>::new());
    let pair = handshake(&unverified(|scheme| scheme != SignatureScheme::ED25519), HOST, &server).unwrap();
    assert!(shown(&pair) == leaf(&files.path("p256.crt")));
    assert!(shown(&handshake(&unverified(|_| true), HOST, &server).unwrap()) == leaf(&files.path("ed25519.crt")));
}

#[test]
fn a_listener_of_tls_1_3_refuses_tls_1_2() {
    let files = Files::new();
    let mut listener = files.listener(&[HOST]);
    let old = files.client_of(&rustls::version::TLS12);
    let pair = handshake(&old, HOST, &build(&listener).unwrap()).unwrap();
    assert_eq!(pair.server.protocol_version(), Some(ProtocolVersion::TLSv1_2));
    listener.min_version = TlsVersion::Tls13;
    let refused = handshake(&old, HOST, &build(&listener).unwrap()).unwrap_err();
    assert!(matches!(refused, Error::PeerIncompatible(_)), "{refused}");
}

#[test]
fn a_backend_that_our_authority_did_not_sign_is_refused() {
    let (files, foreign) = (Files::new(), Files::new());
    let server = build(&foreign.listener(&[HOST])).unwrap();
    let refused = handshake(&files.client(None), HOST, &server).unwrap_err();
    assert!(matches!(refused, Error::InvalidCertificate(_)), "{refused}");
    let server = build(&files.listener(&["other.example"])).unwrap();
    let refused = handshake(&files.client(None), HOST, &server).unwrap_err();
    assert!(matches!(refused, Error::InvalidCertificate(_)), "{refused}");
}

#[test]
fn a_backend_may_be_known_by_its_ip_address() {
    let files = Files::new();
    handshake(&files.client(None), "127.0.0.1", &build(&files.listener(&["127.0.0.1"])).unwrap()).unwrap();
}

#[test]
fn the_order_of_suites_is_ours() {
    let files = Files::new();
    let mut provider = super::super::provider::provider();
    provider.cipher_suites.reverse();
    let (roots, _) = super::super::pem::authorities(&files.path("ca.pem")).unwrap();
    let client = ClientConfig::builder_with_provider(Arc::new(provider)).with_safe_default_protocol_versions();
    let client = Arc::new(client.unwrap().with_root_certificates(roots).with_no_client_auth());
    let pair = handshake(&client, HOST, &build(&files.listener(&[HOST])).unwrap()).unwrap();
    let suite = pair.server.negotiated_cipher_suite().unwrap().suite();
    assert_eq!(suite, rustls::CipherSuite::TLS13_AES_128_GCM_SHA256);
}
