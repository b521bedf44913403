use super::dns::{Dns, Says, addresses, host};
use super::wire::{A, AAAA, SERVFAIL, address, alias};
use crate::upstream::names::{FOUND_MAX, NameError, Resolver};
use std::time::Duration;

#[tokio::test]
async fn a_host_has_its_addresses_of_both_families_for_the_lower_ttl() {
    let dns = Dns::start().await;
    dns.says(
        "app.test",
        A,
        Says::Records(vec![address("app.test", 60, "10.0.0.2"), address("app.test", 60, "10.0.0.1")]),
    );
    dns.says("app.test", AAAA, Says::Records(vec![address("app.test", 45, "fd00::1")]));
    let answer = host(&dns.resolver(), "App.Test").await.unwrap();
    assert_eq!(addresses(&answer), ["10.0.0.1:80", "10.0.0.2:80", "[fd00::1]:80"]);
    assert_eq!(answer.ttl, Duration::from_secs(45));
    assert!(answer.found.iter().all(|found| found.weight == 1 && found.target.is_none()));
}

#[tokio::test]
async fn an_alias_is_followed_within_the_reply_and_beyond_it() {
    let dns = Dns::start().await;
    let within =
        vec![alias("www.test", 20, "a.test"), alias("a.test", 90, "b.test"), address("b.test", 60, "10.0.0.1")];
    dns.says("www.test", A, Says::Records(within));
    dns.says("www.test", AAAA, Says::Records(vec![alias("www.test", 20, "a.test")]));
    dns.says("a.test", AAAA, Says::Records(vec![address("a.test", 10, "fd00::1")]));
    let answer = host(&dns.resolver(), "www.test").await.unwrap();
    assert_eq!(addresses(&answer), ["10.0.0.1:80", "[fd00::1]:80"]);
    assert_eq!(answer.ttl, Duration::from_secs(10));
}

#[tokio::test]
async fn what_a_reply_says_of_other_names_is_not_believed() {
    let dns = Dns::start().await;
    dns.says(
        "app.test",
        A,
        Says::Records(vec![address("other.test", 60, "10.6.6.6"), address("app.test", 60, "10.0.0.1")]),
    );
    assert_eq!(addresses(&host(&dns.resolver(), "app.test").await.unwrap()), ["10.0.0.1:80"]);
}

#[tokio::test]
async fn aliases_in_a_circle_are_not_followed_for_ever() {
    let dns = Dns::start().await;
    for kind in [A, AAAA] {
        dns.says("a.test", kind, Says::Records(vec![alias("a.test", 9, "b.test"), alias("b.test", 9, "a.test")]));
        dns.says("c.test", kind, Says::Records(vec![alias("c.test", 9, "d.test")]));
        dns.says("d.test", kind, Says::Records(vec![alias("d.test", 9, "c.test")]));
    }
    assert!(
        matches!(host(&dns.resolver(), "a.test").await, Err(NameError::Server(_, what)) if what.contains("circle"))
    );
    assert_eq!(host(&dns.resolver(), "c.test").await, Err(NameError::NotFound));
    assert!(dns.count("c.test", A) <= 16);
}

#[tokio::test]
async fn an_answer_that_does_not_fit_a_datagram_is_asked_for_over_tcp_and_cut_to_the_bound() {
    let dns = Dns::start().await;
    let many = (0..2000).map(|i| address("big.test", 60, &format!("10.1.{}.{}", i / 250, 1 + i % 250))).collect();
    dns.says("big.test", A, Says::TooMuch(many));
    let answer = host(&dns.resolver(), "big.test").await.unwrap();
    assert_eq!(answer.found.len(), FOUND_MAX);
    assert_eq!(addresses(&answer)[0], "10.1.0.1:80");
    let asked: Vec<bool> = dns.saw().iter().filter(|saw| saw.kind == A).map(|saw| saw.tcp).collect();
    assert_eq!(asked, [false, true]);
}

#[tokio::test]
async fn where_datagrams_are_not_wanted_none_is_sent() {
    let dns = Dns::start().await;
    dns.says("app.test", A, Says::Records(vec![address("app.test", 60, "10.0.0.1")]));
    host(&dns.resolver_with("options use-vc", ""), "app.test").await.unwrap();
    assert!(dns.saw().iter().all(|saw| saw.tcp));
}

#[tokio::test]
async fn a_server_that_reads_no_edns_is_asked_without() {
    let dns = Dns::start().await;
    dns.says("app.test", A, Says::Old(vec![address("app.test", 60, "10.0.0.1")]));
    assert_eq!(addresses(&host(&dns.resolver(), "app.test").await.unwrap()), ["10.0.0.1:80"]);
    assert_eq!(dns.count("app.test", A), 2);
}

#[tokio::test]
async fn the_file_of_hosts_comes_before_the_servers_and_is_read_each_time() {
    let dns = Dns::start().await;
    let resolver = dns.resolver_with("", "10.0.0.7 app app.test\n");
    assert_eq!(addresses(&host(&resolver, "app.test").await.unwrap()), ["10.0.0.7:80"]);
    dns.file("hosts", "10.0.0.8 app.test\n");
    assert_eq!(addresses(&host(&resolver, "app.test").await.unwrap()), ["10.0.0.8:80"]);
    assert_eq!(addresses(&host(&resolver, "localhost").await.unwrap()), ["127.0.0.1:80", "[::1]:80"]);
    assert!(dns.saw().is_empty());
}

#[tokio::test]
async fn a_short_name_is_found_in_a_search_domain() {
    let dns = Dns::start().await;
    dns.says("app.b.test", A, Says::Records(vec![address("app.b.test", 60, "10.0.0.1")]));
    let resolver = dns.resolver_with("search a.test b.test", "");
    assert_eq!(addresses(&host(&resolver, "app").await.unwrap()), ["10.0.0.1:80"]);
    let asked: Vec<String> = dns.saw().into_iter().filter(|saw| saw.kind == A).map(|saw| saw.name).collect();
    assert_eq!(asked, ["app.a.test", "app.b.test"]);
}

#[tokio::test]
async fn a_search_that_meets_a_failure_is_no_denial() {
    let dns = Dns::start().await;
    for kind in [A, AAAA] {
        dns.says("app.a.test", kind, Says::Code(SERVFAIL));
    }
    let resolver = dns.resolver_with("search a.test b.test\noptions attempts:1", "");
    assert!(matches!(host(&resolver, "app").await, Err(NameError::Server(..))));
}

#[tokio::test]
async fn the_machines_own_files_are_read() {
    let resolver = Resolver::new(&[]).unwrap();
    let found = host(&resolver, "localhost").await.unwrap();
    assert!(found.found.iter().all(|found| found.address.ip().is_loopback()));
}
