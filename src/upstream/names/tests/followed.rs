use super::dns::{Dns, Says, addresses};
use super::wire::{A, SRV, address, srv};
use crate::upstream::names::{Names, News, Question};
use std::sync::mpsc;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(10);

fn found(news: News) -> Vec<String> {
    match news {
        News::Found(answer) => addresses(&answer),
        other => panic!("{other:?}"),
    }
}

fn question() -> Question {
    Question::Host { name: "app.test".to_owned(), port: 80 }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_is_told_once_the_ttl_is_over() {
    let dns = Dns::start().await;
    for ip in ["10.0.0.1", "10.0.0.1", "10.0.0.2"] {
        dns.says("app.test", A, Says::Records(vec![address("app.test", 1, ip)]));
    }
    let names = Names::start(dns.resolver()).unwrap();
    let (told, news) = mpsc::channel();
    let following = names.follow(question(), None, move |news| told.send(news).unwrap());
    assert_eq!(found(news.recv_timeout(PATIENCE).unwrap()), ["10.0.0.1:80"]);
    assert_eq!(found(news.recv_timeout(PATIENCE).unwrap()), ["10.0.0.2:80"]);
    assert_eq!(dns.count("app.test", A), 3);
    drop(following);
    assert!(matches!(news.recv_timeout(PATIENCE), Err(mpsc::RecvTimeoutError::Disconnected)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_are_followed_side_by_side_until_the_thread_ends() {
    let dns = Dns::start().await;
    dns.says("_x.test", SRV, Says::Records(vec![srv("_x.test", 60, [0, 0, 81], "app.test")]));
    dns.says("app.test", A, Says::Records(vec![address("app.test", 60, "10.0.0.1")]));
    let names = Names::start(dns.resolver()).unwrap();
    let (told, news) = mpsc::channel();
    let other = told.clone();
    let _host = names.follow(question(), None, move |news| told.send(news).unwrap());
    let _srv = names.follow(Question::Srv("_x.test".to_owned()), None, move |news| other.send(news).unwrap());
    let mut seen: Vec<String> = (0..2).flat_map(|_| found(news.recv_timeout(PATIENCE).unwrap())).collect();
    seen.sort();
    assert_eq!(seen, ["10.0.0.1:80", "10.0.0.1:81"]);
    drop(names);
    assert!(matches!(news.recv_timeout(PATIENCE), Err(mpsc::RecvTimeoutError::Disconnected)));
}
