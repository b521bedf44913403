use super::dns::{Dns, Says};
use super::wire::{A, AAAA, Rr, SERVFAIL, SRV, address, alias, srv};
use crate::upstream::names::{Answer, NameError, Question, Resolver};
use std::time::Duration;

const NAME: &str = "_http._tcp.shop.test";

async fn ask(resolver: &Resolver) -> Result<Answer, NameError> {
    resolver.ask(&Question::Srv(NAME.to_owned())).await
}

fn seen(answer: &Answer) -> Vec<String> {
    let line = |f: &crate::upstream::names::Found| {
        format!("{} {} {}", f.address, f.weight, f.target.as_deref().unwrap_or("-"))
    };
    answer.found.iter().map(line).collect()
}

/// A server with that service and the hosts a, b and c, which live for 100 s.
async fn shop(records: Vec<Rr>) -> Dns {
    let dns = Dns::start().await;
    dns.says(NAME, SRV, Says::Records(records));
    for (host, ip) in [("a.test", "10.0.0.1"), ("b.test", "10.0.0.2"), ("c.test", "10.0.0.3")] {
        dns.says(host, A, Says::Records(vec![address(host, 100, ip)]));
    }
    dns
}

#[tokio::test]
async fn the_lowest_priority_gives_the_backends_with_their_weights_and_ports() {
    let dns = shop(vec![
        srv(NAME, 300, [10, 3, 8081], "B.Test"),
        srv(NAME, 300, [10, 1, 8080], "a.test"),
        srv(NAME, 300, [20, 9, 8082], "c.test"),
    ])
    .await;
    let answer = ask(&dns.resolver()).await.unwrap();
    assert_eq!(seen(&answer), ["10.0.0.1:8080 1 a.test", "10.0.0.2:8081 3 b.test"]);
    assert_eq!(answer.ttl, Duration::from_secs(100));
    assert_eq!(dns.count("c.test", A), 0);
}

#[tokio::test]
async fn a_service_may_be_an_alias_and_its_hosts_may_stand_in_the_file() {
    let dns = Dns::start().await;
    dns.says(NAME, SRV, Says::Records(vec![alias(NAME, 7, "_x.test"), srv("_x.test", 300, [1, 0, 80], "a.test")]));
    let answer = ask(&dns.resolver_with("", "10.9.9.9 a.test")).await.unwrap();
    assert_eq!(seen(&answer), ["10.9.9.9:80 1 a.test"]);
    assert_eq!(answer.ttl, Duration::from_secs(5));
}

#[tokio::test]
async fn a_host_that_is_not_known_is_left_out_until_the_next_question_soon() {
    let dns = shop(vec![srv(NAME, 300, [1, 1, 80], "a.test"), srv(NAME, 300, [1, 1, 80], "broken.test")]).await;
    for kind in [A, AAAA] {
        dns.says("broken.test", kind, Says::Code(SERVFAIL));
    }
    let answer = ask(&dns.resolver()).await.unwrap();
    assert_eq!(seen(&answer), ["10.0.0.1:80 1 a.test"]);
    assert_eq!(answer.ttl, Duration::from_secs(30));
}

#[tokio::test]
async fn a_service_that_is_not_offered_is_a_denial() {
    let dns = shop(vec![srv(NAME, 300, [0, 0, 0], ".")]).await;
    assert_eq!(ask(&dns.resolver()).await, Err(NameError::NotFound));
    assert_eq!(ask(&Dns::start().await.resolver()).await, Err(NameError::NotFound));
}

#[tokio::test]
async fn many_records_over_tcp_are_resolved_within_bounds() {
    let dns = Dns::start().await;
    let name = |i: usize| format!("t{i}.test");
    dns.says(NAME, SRV, Says::TooMuch((0..600).map(|i| srv(NAME, 300, [1, 1, 80], &name(i))).collect()));
    for i in 0..600 {
        dns.says(&name(i), A, Says::Records(vec![address(&name(i), 60, &format!("10.2.{}.{}", i / 250, 1 + i % 250))]));
    }
    assert_eq!(ask(&dns.resolver()).await.unwrap().found.len(), 256);
    assert_eq!(dns.saw().iter().filter(|saw| saw.kind == A).count(), 256);
}
