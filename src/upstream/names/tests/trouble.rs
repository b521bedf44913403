use super::dns::{Dns, Says, addresses, host};
use super::wire::{A, AAAA, REFUSED, SERVFAIL, address};
use crate::upstream::names::NameError;
use std::time::{Duration, Instant};

/// A server that says that about `app.test`, whatever kind is asked for.
async fn saying(says: &Says) -> Dns {
    let dns = Dns::start().await;
    for kind in [A, AAAA] {
        dns.says("app.test", kind, says.clone());
    }
    dns
}

async fn error(says: Says) -> (Dns, NameError) {
    let dns = saying(&says).await;
    let error = host(&dns.resolver(), "app.test").await.unwrap_err();
    (dns, error)
}

#[tokio::test]
async fn a_name_that_does_not_exist_and_one_without_addresses_are_denied() {
    assert_eq!(host(&Dns::start().await.resolver(), "app.test").await, Err(NameError::NotFound));
    assert_eq!(error(Says::Records(vec![])).await.1, NameError::NotFound);
}

#[tokio::test]
async fn a_failing_server_and_one_that_refuses_are_told_apart() {
    let (dns, failed) = error(Says::Code(SERVFAIL)).await;
    assert_eq!(failed, NameError::Server(dns.address, "SERVFAIL".to_owned()));
    let (dns, refused) = error(Says::Code(REFUSED)).await;
    assert_eq!(refused, NameError::Refused(dns.address));
}

#[tokio::test]
async fn silence_is_waited_for_only_so_long() {
    let began = Instant::now();
    assert_eq!(error(Says::Nothing).await.1, NameError::Timeout);
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn garbage_is_no_reply() {
    let garbage = |len| error(Says::Bytes(vec![0xff; len]));
    let (none, short, long) = tokio::join!(garbage(0), garbage(7), garbage(600));
    for (dns, garbled) in [none, short, long] {
        assert_eq!(garbled, NameError::Garbled(dns.address));
    }
}

#[tokio::test]
async fn a_reply_with_another_id_is_passed_over() {
    let record = |ip: &str| vec![address("app.test", 60, ip)];
    let dns = saying(&Says::Forged(record("10.6.6.6"), record("10.0.0.1"))).await;
    assert_eq!(addresses(&host(&dns.resolver(), "app.test").await.unwrap()), ["10.0.0.1:80"]);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told_at_once() {
    let dns = Dns::start().await;
    let nobody = "127.0.0.2:1".parse().unwrap();
    let resolver = dns.resolver_at(&[nobody], "options attempts:1", "");
    assert!(matches!(host(&resolver, "app.test").await, Err(NameError::Unreachable(server, _)) if server == nobody));
}

#[tokio::test]
async fn the_next_server_is_asked_where_one_fails() {
    let (broken, works) = (saying(&Says::Code(SERVFAIL)).await, Dns::start().await);
    works.says("app.test", A, Says::Records(vec![address("app.test", 60, "10.0.0.1")]));
    let resolver = works.resolver_at(&[broken.address, works.address], "options attempts:1", "");
    assert_eq!(addresses(&host(&resolver, "app.test").await.unwrap()), ["10.0.0.1:80"]);
    assert_eq!((broken.count("app.test", A), works.count("app.test", A)), (1, 1));
}

#[tokio::test]
async fn a_denial_is_not_taken_to_the_next_server() {
    let (first, second) = (Dns::start().await, Dns::start().await);
    let resolver = first.resolver_at(&[first.address, second.address], "", "");
    assert_eq!(host(&resolver, "app.test").await, Err(NameError::NotFound));
    assert!(second.saw().is_empty());
}

#[tokio::test]
async fn a_second_attempt_gets_what_the_first_did_not() {
    let dns = Dns::start().await;
    dns.says("app.test", A, Says::Code(SERVFAIL));
    dns.says("app.test", A, Says::Records(vec![address("app.test", 60, "10.0.0.1")]));
    let resolver = dns.resolver_with("options attempts:2", "");
    assert_eq!(addresses(&host(&resolver, "app.test").await.unwrap()), ["10.0.0.1:80"]);
}

#[tokio::test]
async fn a_family_that_fails_does_not_hide_the_other() {
    let dns = Dns::start().await;
    dns.says("app.test", A, Says::Records(vec![address("app.test", 600, "10.0.0.1")]));
    dns.says("app.test", AAAA, Says::Code(SERVFAIL));
    let answer = host(&dns.resolver(), "app.test").await.unwrap();
    assert_eq!((addresses(&answer), answer.ttl), (vec!["10.0.0.1:80".to_owned()], Duration::from_secs(30)));
}

#[tokio::test]
async fn an_address_that_no_backend_has_is_as_good_as_none() {
    let dns = Dns::start().await;
    dns.says("app.test", A, Says::Records(vec![address("app.test", 600, "0.0.0.0")]));
    assert_eq!(host(&dns.resolver(), "app.test").await, Err(NameError::NotFound));
}
