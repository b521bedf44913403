use super::super::client_subject;
use super::super::testing::*;
use rcgen::{DnType, KeyPair, date_time_ymd};
use rustls::{Error, HandshakeKind};

#[test]
fn a_client_without_certificate_is_let_in_only_where_it_is_optional() {
    let files = Files::new();
    let mut listener = files.listener(&[HOST]);
    listener.client = files.clients(false);
    let pair = handshake(&files.client(None), HOST, &build(&listener).unwrap()).unwrap();
    assert_eq!(client_subject(&pair.server), None);
    listener.client = files.clients(true);
    let refused = handshake(&files.client(None), HOST, &build(&listener).unwrap()).unwrap_err();
    assert_eq!(refused, Error::NoCertificatesPresented);
}

#[test]
fn a_client_with_a_good_certificate_is_known_by_its_subject() {
    let files = Files::new();
    let made = files.sign_with(&[], &KeyPair::generate().unwrap(), |params| {
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::OrganizationName, "Shop");
        params.distinguished_name.push(DnType::CommonName, "ada");
    });
    let client = files.client(Some(files.pair("client", &made)));
    let mut listener = files.listener(&[HOST]);
    for required in [false, true] {
        listener.client = files.clients(required);
        let server = build(&listener).unwrap();
        for kind in [HandshakeKind::Full, HandshakeKind::Resumed] {
            let pair = handshake(&client, HOST, &server).unwrap();
            assert_eq!((pair.server.handshake_kind(), required), (Some(kind), required));
            assert_eq!(client_subject(&pair.server).unwrap(), "CN=ada,O=Shop");
        }
    }
}

#[test]
fn a_client_with_a_foreign_or_expired_certificate_is_refused_even_where_it_is_optional() {
    let files = Files::new();
    let foreign = files.client(Some(files.pair("foreign", &Files::new().sign(&[]))));
    let made =
        files.sign_with(&[], &KeyPair::generate().unwrap(), |params| params.not_after = date_time_ymd(2001, 2, 3));
    let expired = files.client(Some(files.pair("expired", &made)));
    let mut listener = files.listener(&[HOST]);
    for required in [false, true] {
        listener.client = files.clients(required);
        for client in [&foreign, &expired] {
            let refused = handshake(client, HOST, &build(&listener).unwrap()).unwrap_err();
            assert!(matches!(refused, Error::InvalidCertificate(_)), "{refused}");
        }
    }
}
