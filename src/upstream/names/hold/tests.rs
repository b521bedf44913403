use super::*;
use proptest::prelude::*;

fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn answer(host: u8) -> Answer {
    let found = Found { address: ([10, 0, 0, host], 80).into(), weight: 1, target: None };
    Answer::new(vec![found], s(60))
}

fn held(answer: &Answer) -> Hold {
    let mut hold = Hold::default();
    assert_eq!(hold.take(s(0), Ok(answer.clone())), Some(News::Found(answer.clone())));
    hold
}

#[test]
fn the_same_set_is_no_news_whatever_its_ttl() {
    let mut hold = held(&answer(1));
    assert_eq!(hold.take(s(60), Ok(Answer { ttl: s(5), ..answer(1) })), None);
    assert_eq!(hold.take(s(65), Ok(answer(2))), Some(News::Found(answer(2))));
}

#[test]
fn without_a_set_a_failure_leaves_none() {
    let mut hold = Hold::default();
    assert_eq!(hold.take(s(0), Err(NameError::Timeout)), Some(News::Gone(NameError::Timeout)));
    assert_eq!(hold.take(s(1), Err(NameError::Timeout)), None);
    assert_eq!(hold.failures(), 2);
    assert_eq!(hold.take(s(2), Err(NameError::NotFound)), Some(News::Gone(NameError::NotFound)));
}

#[test]
fn failing_lookups_keep_the_set_for_a_day() {
    let mut hold = held(&answer(1));
    assert_eq!(hold.take(s(10), Err(NameError::Timeout)), Some(News::Held(NameError::Timeout)));
    assert_eq!(hold.take(s(10) + STALE_MAX - s(1), Err(NameError::Timeout)), None);
    assert_eq!(hold.found(), answer(1).found);
    assert_eq!(hold.take(s(10) + STALE_MAX, Err(NameError::Timeout)), Some(News::Gone(NameError::Timeout)));
    assert!(hold.found().is_empty());
}

#[test]
fn denials_take_the_set_away_when_there_were_enough_for_long_enough() {
    let mut hold = held(&answer(1));
    let denied = || Err(NameError::NotFound);
    assert_eq!(hold.take(s(10), denied()), Some(News::Held(NameError::NotFound)));
    assert_eq!(hold.take(s(10) + DENIED_HOLD, denied()), None, "two are not enough");
    assert_eq!(hold.take(s(11) + DENIED_HOLD, denied()), Some(News::Gone(NameError::NotFound)));
    let mut hold = held(&answer(1));
    for second in 10..10 + DENIED_HOLD.as_secs() {
        assert_ne!(hold.take(s(second), denied()), Some(News::Gone(NameError::NotFound)), "too soon");
    }
}

#[test]
fn silence_between_denials_does_not_begin_the_count_anew() {
    let mut hold = held(&answer(1));
    for (second, error) in [(0, NameError::NotFound), (15, NameError::Timeout), (25, NameError::NotFound)] {
        assert!(!matches!(hold.take(s(second), Err(error)), Some(News::Gone(_))));
    }
    assert!(matches!(hold.take(s(35), Err(NameError::NotFound)), Some(News::Gone(_))));
}

#[test]
fn an_answer_forgives_all_failures_and_is_told() {
    let mut hold = held(&answer(1));
    for second in 0..20 {
        let _ = hold.take(s(second), Err(NameError::NotFound));
    }
    assert_eq!(hold.take(s(20), Ok(answer(1))), Some(News::Found(answer(1))));
    assert_eq!(hold.failures(), 0);
    for second in 21..50 {
        assert!(!matches!(hold.take(s(second), Err(NameError::NotFound)), Some(News::Gone(_))));
    }
}

#[test]
fn an_answer_without_addresses_is_a_denial() {
    let mut hold = held(&answer(1));
    assert_eq!(hold.take(s(1), Ok(Answer::new(vec![], s(1)))), Some(News::Held(NameError::NotFound)));
}

fn outcome() -> impl Strategy<Value = Result<Answer, NameError>> {
    prop_oneof![
        (1u8..4).prop_map(|host| Ok(answer(host))),
        Just(Err(NameError::NotFound)),
        Just(Err(NameError::Timeout)),
    ]
}

proptest! {
    /// What is told is what holds: whoever listens knows the set at any time, and nothing is told twice.
    #[test]
    fn whoever_listens_knows_the_set(steps in proptest::collection::vec((0u64..20_000, outcome()), 1..200)) {
        let (mut hold, mut now, mut known) = (Hold::default(), s(0), Vec::new());
        let mut last = None;
        for (wait, result) in steps {
            now += s(wait);
            let news = hold.take(now, result.clone());
            match &news {
                Some(News::Found(answer)) => known.clone_from(&answer.found),
                Some(News::Gone(_)) => known.clear(),
                Some(News::Held(_)) => prop_assert!(!known.is_empty()),
                None => {}
            }
            prop_assert_eq!(hold.found(), known.as_slice());
            prop_assert!(news.is_none() || news != last, "told twice");
            last = news.or(last);
            if let Ok(answer) = result {
                prop_assert_eq!(hold.found(), answer.found.as_slice());
            }
            prop_assert_eq!(hold.failures() == 0, result_is_ok(&hold));
        }
    }

    /// No sequence of short failures takes a set away: only denials over the hold, or a day.
    #[test]
    fn a_set_outlives_whatever_is_shorter_than_the_hold(steps in proptest::collection::vec((0u64..10, outcome()), 1..200)) {
        let (mut hold, mut now, mut denied_since) = (held(&answer(1)), s(0), None);
        for (wait, result) in steps {
            now += s(wait);
            match &result {
                Ok(_) => denied_since = None,
                Err(error) if error.is_denial() => { denied_since.get_or_insert(now); }
                Err(_) => {}
            }
            let _ = hold.take(now, result);
            let lost = denied_since.is_some_and(|since| now - since >= DENIED_HOLD);
            prop_assert!(lost || !hold.found().is_empty());
        }
    }
}

fn result_is_ok(hold: &Hold) -> bool {
    hold.trouble.is_none()
}
