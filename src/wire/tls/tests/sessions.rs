use super::super::testing::*;
use super::super::{ServerTls, Tickets};
use crate::config::ListenerTls;
use rustls::{Error, HandshakeKind};

#[test]
fn a_session_is_resumed_on_the_next_connection_and_over_a_reload() {
    let files = Files::new();
    let (mut listener, tickets) = (files.listener(&[HOST]), Tickets::new());
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        let client = files.client_of(version);
        let kind = |listener: &ListenerTls| {
            let (server, _) = ServerTls::build(listener, BOTH, &tickets).unwrap();
            handshake(&client, HOST, &server).unwrap().server.handshake_kind()
        };
        assert_eq!(kind(&listener), Some(HandshakeKind::Full));
        assert_eq!(kind(&listener), Some(HandshakeKind::Resumed));
        listener.certificates = vec![files.pair("renewed", &files.sign(&[HOST]))];
        assert_eq!(kind(&listener), Some(HandshakeKind::Resumed));
    }
}

#[test]
fn a_session_is_not_resumed_by_a_new_process() {
    let files = Files::new();
    let (client, listener) = (files.client(None), files.listener(&[HOST]));
    for _ in 0..2 {
        let pair = handshake(&client, HOST, &build(&listener).unwrap()).unwrap();
        assert_eq!(pair.server.handshake_kind(), Some(HandshakeKind::Full));
    }
}

#[test]
fn a_session_begun_without_a_client_certificate_is_not_resumed_where_one_is_required() {
    let files = Files::new();
    let (mut listener, tickets, client) = (files.listener(&[HOST]), Tickets::new(), files.client(None));
    for clients in [None, files.clients(false)] {
        listener.client = clients;
        let (open, _) = ServerTls::build(&listener, BOTH, &tickets).unwrap();
        handshake(&client, HOST, &open).unwrap();
        listener.client = files.clients(true);
        let (closed, _) = ServerTls::build(&listener, BOTH, &tickets).unwrap();
        assert_eq!(handshake(&client, HOST, &closed).unwrap_err(), Error::NoCertificatesPresented);
    }
}
