use super::*;
use proptest::prelude::*;

const RULES: Rules = Rules { min: 2, max: 1_000, tolerance: 125 };

fn cohort(millis: f64, in_flight: f64, full: f64) -> Cohort {
    Cohort { count: 160, overloads: 0, ln_latency: (millis * 1e6).ln(), in_flight, full }
}

/// One whose limit is `limit`, and that knows that exchanges take 10 ms.
fn steady(limit: u32) -> Controller {
    let mut controller = Controller::new(RULES, Some(limit));
    controller.judge(&cohort(10.0, 1.0, 0.0), Duration::ZERO);
    controller.settle(Duration::ZERO, Duration::ZERO);
    controller
}

const NOW: Duration = Duration::from_secs(1);
const LATER: Duration = Duration::from_secs(11);

#[test]
fn a_limit_that_is_not_reached_stays() {
    let mut controller = steady(100);
    for millis in [10.0, 9.5, 15.0, 40.0, 12.0] {
        controller.judge(&cohort(millis, 3.0, 0.0), NOW);
        assert_eq!(controller.limit(), 100);
    }
}

#[test]
fn a_limit_that_is_reached_rises_while_that_costs_nothing_and_falls_where_it_does() {
    let mut controller = steady(100);
    controller.judge(&cohort(10.0, 100.0, 1.0), NOW);
    assert_eq!(controller.limit(), 105);
    controller.judge(&cohort(12.5, 105.0, 1.0), NOW);
    assert_eq!(controller.limit(), 105, "what is tolerated");
    controller.judge(&cohort(18.0, 105.0, 1.0), NOW);
    assert_eq!(controller.limit(), 88, "by the root of 12.5 / 18");
}

#[test]
fn a_probe_halves_what_is_in_flight_and_puts_it_back_if_that_is_no_matter() {
    let mut controller = steady(100);
    controller.judge(&cohort(10.0, 100.0, 1.0), LATER);
    assert_eq!((controller.limit(), controller.sustainable()), (50, 105));
    assert_eq!(controller.patience(), Some(Duration::from_millis(240)));
    controller.judge(&cohort(10.0, 50.0, 1.0), LATER);
    assert_eq!((controller.limit(), controller.patience()), (105, None));
}

#[test]
fn exchanges_that_only_waited_for_each_other_lower_the_limit_step_by_step() {
    let mut controller = steady(100);
    controller.base = Some((40.0e6f64).ln());
    controller.late = controller.base;
    controller.judge(&cohort(40.0, 100.0, 1.0), LATER);
    assert_eq!(controller.limit(), 50);
    controller.judge(&cohort(20.0, 50.0, 1.0), LATER);
    assert_eq!(controller.limit(), 25);
    controller.judge(&cohort(10.0, 25.0, 1.0), LATER);
    assert_eq!(controller.limit(), 13);
    controller.judge(&cohort(10.0, 12.5, 1.0), LATER);
    assert_eq!((controller.limit(), controller.unloaded()), (25, Some(Duration::from_millis(10))));
}

#[test]
fn a_backend_that_only_got_slower_has_its_limit_back_when_half_of_it_did_not_help() {
    let mut controller = steady(100);
    controller.judge(&cohort(30.0, 100.0, 1.0), NOW);
    assert_eq!(controller.limit(), 71);
    controller.judge(&cohort(30.0, 71.0, 1.0), NOW);
    assert_eq!(controller.limit(), 35, "twice in a row: no coincidence");
    controller.judge(&cohort(30.0, 35.0, 1.0), NOW);
    assert_eq!(controller.limit(), 100);
    controller.judge(&cohort(30.0, 100.0, 1.0), NOW);
    assert!(controller.limit() > 100);
}

#[test]
fn a_probe_that_lets_nobody_in_is_given_up_and_the_next_is_not_soon() {
    let mut controller = steady(100);
    controller.judge(&cohort(10.0, 100.0, 1.0), LATER);
    controller.give_up(LATER);
    assert_eq!(controller.limit(), 105);
    controller.judge(&cohort(10.0, 100.0, 1.0), LATER + Duration::from_secs(19));
    assert!(controller.limit() > 105, "no probe yet");
    controller.judge(&cohort(10.0, 100.0, 1.0), LATER + Duration::from_secs(20));
    assert_eq!(controller.limit(), 50);
}

#[test]
fn a_backend_that_gives_up_on_exchanges_gets_less() {
    let mut controller = steady(100);
    controller.judge(&Cohort { overloads: 40, ..cohort(10.0, 80.0, 1.0) }, NOW);
    assert_eq!(controller.limit(), 78, "those that it answered, and a fortieth less as it was one of five");
    controller.judge(&cohort(10.0, 78.0, 1.0), NOW + Duration::from_secs(8));
    assert_eq!(controller.limit(), 78, "it is believed");
    controller.judge(&Cohort { count: 0, overloads: 40, ..cohort(1.0, 0.0, 0.0) }, NOW);
    assert_eq!(controller.limit(), 39);
}

proptest! {
    #[test]
    fn a_limit_stays_within_its_bounds_whatever_is_seen(
        steps in proptest::collection::vec(
            (0u32..300, 0u32..50, 0.0f64..45.0, 0.0f64..5_000.0, 0.0f64..=1.0, 0u64..30_000, any::<bool>()), 1..80
        ),
        min in 1u32..50, more in 0u32..500, tolerance in 100u16..400,
    ) {
        let rules = Rules { min, max: min + more, tolerance };
        let mut controller = Controller::new(rules, None);
        let mut now = Duration::ZERO;
        for (count, overloads, ln_latency, in_flight, full, millis, gives_up) in steps {
            now += Duration::from_millis(millis);
            match gives_up {
                true => controller.give_up(now),
                false => controller.judge(&Cohort { count, overloads, ln_latency, in_flight, full }, now),
            }
            prop_assert!((min..=min + more).contains(&controller.limit()));
            prop_assert!((min..=min + more).contains(&controller.sustainable()));
            prop_assert!(controller.limit.is_finite());
            prop_assert!(controller.patience().is_none_or(|it| it <= DRAIN_MAX * DRAIN_LATENCIES + DRAIN_MIN));
        }
    }
}
