use super::super::{DENIED_HOLD, Found};
use super::*;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

type Result = std::result::Result<Answer, NameError>;

/// What was told, and when, in seconds since the start.
type Told = Vec<(u64, News)>;

fn answer(ip: &str, ttl: u64) -> Answer {
    let found = Found { address: format!("{ip}:80").parse().unwrap(), weight: 1, target: None };
    Answer::new(vec![found], Duration::from_secs(ttl))
}

/// Follows a name that is answered so, the last answer again and again, until `end`: what was told, and when it was asked.
async fn run(says: Vec<Result>, every: Option<u64>, end: u64) -> (Told, Vec<u64>) {
    let start = Instant::now();
    let says = RefCell::new(VecDeque::from(says));
    let (told, asked) = (RefCell::new(Vec::new()), RefCell::new(Vec::new()));
    let ask = || {
        asked.borrow_mut().push(start.elapsed().as_secs());
        let mut says = says.borrow_mut();
        let result = if says.len() > 1 { says.pop_front() } else { says.front().cloned() };
        async move { result.unwrap() }
    };
    let tell = |news| told.borrow_mut().push((start.elapsed().as_secs(), news));
    let followed = follow(ask, every.map(Duration::from_secs), tell);
    let _ = tokio::time::timeout(Duration::from_secs(end), followed).await;
    (told.into_inner(), asked.into_inner())
}

#[tokio::test(start_paused = true)]
async fn a_name_is_asked_for_as_its_ttl_says_and_told_only_when_it_changes() {
    let (one, two) = (answer("10.0.0.1", 100), answer("10.0.0.2", 20));
    let (told, asked) = run(vec![Ok(one.clone()), Ok(one.clone()), Ok(two.clone())], None, 260).await;
    assert!(
        (100..=110).contains(&asked[1]) && (200..=220).contains(&asked[2]) && asked[3] <= asked[2] + 23,
        "{asked:?}"
    );
    assert_eq!(told, [(0, News::Found(one)), (asked[2], News::Found(two))]);
}

#[tokio::test(start_paused = true)]
async fn the_operators_period_is_kept_under_a_long_ttl() {
    let (_, asked) = run(vec![Ok(answer("10.0.0.1", 3600))], Some(30), 301).await;
    assert!((11..=12).contains(&asked.len()), "{asked:?}");
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_told_once_and_its_end_too() {
    let one = answer("10.0.0.1", 10);
    let failed = Err(NameError::Timeout);
    let says = vec![Ok(one.clone()), failed.clone(), failed.clone(), failed, Ok(one.clone())];
    let (told, asked) = run(says, None, 40).await;
    let news: Vec<News> = told.into_iter().map(|(_, news)| news).collect();
    assert_eq!(news, [News::Found(one.clone()), News::Held(NameError::Timeout), News::Found(one)]);
    let waits: Vec<u64> = asked.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(waits[1] <= 2 && waits[3] >= 2, "{waits:?}");
}

#[tokio::test(start_paused = true)]
async fn a_name_that_vanishes_is_gone_only_after_the_hold() {
    let one = answer("10.0.0.1", 10);
    let (told, _) = run(vec![Ok(one), Err(NameError::NotFound)], None, 200).await;
    let news: Vec<&News> = told.iter().map(|(_, news)| news).collect();
    assert!(matches!(news[..], [News::Found(_), News::Held(NameError::NotFound), News::Gone(NameError::NotFound)]));
    assert!(told[2].0 - told[1].0 >= DENIED_HOLD.as_secs() - 1, "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn dropped_it_asks_no_more() {
    let count = Cell::new(0);
    let ask = || {
        count.set(count.get() + 1);
        std::future::pending::<Result>()
    };
    let _ = tokio::time::timeout(Duration::from_secs(1), follow(ask, None, |_| ())).await;
    tokio::time::sleep(Duration::from_secs(100)).await;
    assert_eq!(count.get(), 1);
}
