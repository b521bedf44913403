use super::super::Tally;
use super::*;
use proptest::prelude::*;
use std::sync::Mutex;

const RULES: OutlierRules = OutlierRules {
    consecutive_failures: 5,
    failure_rate: 3_000,
    window: Duration::from_secs(10),
    requests_min: 20,
    eject: Duration::from_secs(30),
    max_ejected: 5_000,
};

const NOW: Duration = Duration::from_secs(1_000);

const WELL: Counts = Counts { in_a_row: 0, successes: 300, failures: 0 };

const FOUR: Company = Company { size: 4, ejected: 0, others_usable: 3, others: WELL };

fn row(in_a_row: u32) -> Counts {
    Counts { in_a_row, successes: 0, failures: u64::from(in_a_row) }
}

fn rate(failures: u64, requests: u64) -> Counts {
    Counts { in_a_row: 1, successes: requests - failures, failures }
}

fn ejected(counts: Counts, company: Company) -> Option<Cause> {
    judge(&counts, None, &company, &RULES, NOW).map(|ejection| ejection.cause)
}

#[test]
fn so_many_failures_in_a_row_eject() {
    assert_eq!(ejected(row(4), FOUR), None);
    assert_eq!(ejected(row(5), FOUR), Some(Cause::Consecutive));
    let off = OutlierRules { consecutive_failures: 0, failure_rate: 0, ..RULES };
    assert_eq!(judge(&row(500), None, &FOUR, &off, NOW), None);
}

#[test]
fn a_rate_ejects_if_it_is_of_enough_and_stands_out() {
    assert_eq!(ejected(rate(10, 20), FOUR), Some(Cause::Rate));
    assert_eq!(ejected(rate(9, 19), FOUR), None, "too few");
    assert_eq!(ejected(rate(29, 100), FOUR), None, "not often enough");
    let others = |others| Company { others, ..FOUR };
    assert_eq!(ejected(rate(10, 20), others(rate(150, 300))), None, "all fail alike");
    assert_eq!(ejected(rate(10, 20), others(rate(76, 300))), None, "less than twice as often");
    assert_eq!(ejected(rate(10, 20), others(rate(75, 300))), Some(Cause::Rate));
    assert_eq!(
        ejected(rate(10, 20), others(Counts::default())),
        Some(Cause::Rate),
        "nothing speaks against the others"
    );
}

#[test]
fn the_bound_is_rounded_down_but_lets_one_go() {
    let max = |size, max_ejected| ejected_max(size, &OutlierRules { max_ejected, ..RULES });
    assert_eq!([0, 1, 2, 3, 4, 5, 1_000].map(|size| max(size, 5_000)), [0, 0, 1, 1, 2, 2, 500]);
    assert_eq!([1, 2, 9, 10, 25].map(|size| max(size, 1_000)), [0, 1, 1, 1, 2]);
    assert_eq!([2, 1_000].map(|size| max(size, 0)), [0, 0]);
    assert_eq!(max(7, u16::MAX), 7);
}

#[test]
fn neither_the_bound_nor_the_last_usable_backend_is_touched() {
    assert!(ejected(row(5), Company { ejected: 1, ..FOUR }).is_some());
    assert_eq!(ejected(row(5), Company { ejected: 2, ..FOUR }), None);
    assert_eq!(ejected(row(5), Company { others_usable: 0, ..FOUR }), None);
}

#[test]
fn ejections_in_a_row_grow_up_to_a_bound_and_shrink_when_there_are_none() {
    let (mut last, mut now, mut lengths) = (None, NOW, Vec::new());
    for _ in 0..12 {
        let next = judge(&row(5), last, &FOUR, &RULES, now).unwrap();
        assert_eq!(judge(&row(5), Some(next), &FOUR, &RULES, next.until - Duration::from_nanos(1)), None, "it is out");
        lengths.push((next.until - now).as_secs() / 30);
        (last, now) = (Some(next), next.until);
    }
    assert_eq!(lengths, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10, 10]);
    let later = |quiet: u32| judge(&row(5), last, &FOUR, &RULES, now + RULES.eject * quiet).unwrap().in_a_row;
    assert_eq!([0, 1, 2, 9, 10, 1_000].map(later), [10, 10, 9, 2, 1, 1]);
}

#[test]
fn a_lifted_ejection_is_over_and_still_counts_for_the_next() {
    let mut ejection = judge(&row(5), None, &FOUR, &RULES, NOW).unwrap();
    ejection.lift(NOW + Duration::from_secs(2));
    assert!(!ejection.holds(NOW + Duration::from_secs(2)));
    ejection.lift(NOW + Duration::from_secs(3));
    assert_eq!(ejection.until, NOW + Duration::from_secs(2));
    assert_eq!(judge(&row(5), Some(ejection), &FOUR, &RULES, NOW + Duration::from_secs(3)).unwrap().in_a_row, 2);
}

#[test]
fn threads_that_judge_at_once_keep_to_the_bound() {
    const BACKENDS: usize = 9;
    let tallies: Vec<Tally> = (0..BACKENDS).map(|_| Tally::new(RULES)).collect();
    let ejections = Mutex::new([None::<Ejection>; BACKENDS]);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (tallies, ejections) = (&tallies, &ejections);
            scope.spawn(move || {
                for at in (0..BACKENDS * 40).map(|n| (n + thread) % BACKENDS) {
                    if !tallies[at].failed(NOW) {
                        continue;
                    }
                    let mut ejections = ejections.lock().unwrap();
                    let out = ejections.iter().flatten().filter(|ejection| ejection.holds(NOW)).count();
                    let company =
                        Company { size: BACKENDS, ejected: out, others_usable: BACKENDS - 1 - out, others: WELL };
                    if let Some(ejection) = judge(&tallies[at].counts(NOW), ejections[at], &company, &RULES, NOW) {
                        ejections[at] = Some(ejection);
                        tallies[at].restart(ejection.until);
                    }
                }
            });
        }
    });
    assert_eq!(ejections.into_inner().unwrap().iter().flatten().count(), BACKENDS / 2);
}

proptest! {
    #[test]
    fn an_ejection_is_never_outside_its_bounds(
        (in_a_row, failures, successes) in (0u32..9, 0u64..60, 0u64..60),
        (size, ejected, others_usable) in (0usize..9, 0usize..9, 0usize..9),
        (other_failures, other_successes) in (0u64..200, 0u64..200), max_ejected in 0u16..=10_000,
        last in proptest::option::of((0u64..2_000, 1u32..=10))
    ) {
        let rules = OutlierRules { max_ejected, ..RULES };
        let others = Counts { in_a_row: 0, failures: other_failures, successes: other_successes };
        let company = Company { size, ejected, others_usable, others };
        let counts = Counts { in_a_row, failures, successes };
        let last = last.map(|(until, in_a_row)| {
            Ejection { until: Duration::from_secs(until), in_a_row, cause: Cause::Rate }
        });
        if let Some(ejection) = judge(&counts, last, &company, &rules, NOW) {
            prop_assert!(ejected < size && others_usable > 0 && max_ejected > 0);
            prop_assert!(ejected == 0 || (ejected + 1) * 10_000 <= size * usize::from(max_ejected));
            prop_assert!(ejection.until > NOW && ejection.until <= NOW + rules.eject * EJECT_GROWTH_MAX);
            prop_assert!(last.is_none_or(|last| last.until <= NOW));
            let share = |failures: u64, successes: u64| failures as f64 / (failures + successes) as f64;
            let (own, theirs) = (share(failures, successes), share(other_failures, other_successes));
            prop_assert!(in_a_row >= 5 || (own >= 0.3 && (theirs.is_nan() || own >= theirs * 1.999)));
        }
    }
}
