use super::simulation::{Plan, Simulation};
use super::{ACTIVE_MAX, Rules};
use crate::config::Rate;
use proptest::prelude::*;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// 5,000 visitors within ten seconds before a room that lets 50 a second in.
const RUSH: Plan = Plan {
    rules: Rules {
        active: ACTIVE_MAX,
        enter: Some(Rate { count: 50, per: SECOND }),
        session: Duration::from_secs(300),
        absence: Duration::from_secs(120),
        places: 100_000,
    },
    capacity: None,
    queue: 500,
    service: Duration::from_millis(100),
    visitors: 5_000,
    arrive: Duration::from_secs(10),
    requests: 1,
    think: SECOND,
    leaving: 0,
    thieves: 0,
    crashes: &[],
    seed: 1,
};

#[test]
fn five_thousand_come_in_at_the_rate_and_in_order() {
    let found = Simulation::run(RUSH).found;
    assert_eq!((found.entries.len(), found.lost, found.jumped, found.twice()), (5_000, 0, 0, 0));
    assert!(found.second_max <= 50, "{} in a second", found.second_max);
    // All that the rate allows, within 5 %.
    assert!(found.took() < SECOND * 105, "{:?}", found.took());
    assert!(found.out_of_order() <= 150, "{}", found.out_of_order());
}

#[test]
fn five_thousand_come_in_as_fast_as_the_pool_ends_exchanges() {
    let rules = Rules { enter: None, ..RUSH.rules };
    for (capacity, service) in [(5, 100), (50, 1000), (200, 4000)] {
        let service = Duration::from_millis(service);
        let found = Simulation::run(Plan { rules, capacity: Some(capacity), service, ..RUSH }).found;
        assert_eq!((found.entries.len(), found.lost, found.jumped), (5_000, 0, 0));
        assert!(
            found.in_flight_max <= capacity && found.queue_max <= 50,
            "{} {}",
            found.in_flight_max,
            found.queue_max
        );
        assert!(found.took() < SECOND * 110, "{capacity}: {:?}", found.took());
        // So far pages come back apart: a few seconds' worth of visitors.
        assert!(found.out_of_order() <= 400, "{capacity}: {}", found.out_of_order());
    }
}

#[test]
fn a_pool_that_sustains_fifty_a_second_is_never_given_more_than_it_takes_whatever_thieves_try() {
    let rules = Rules { enter: None, ..RUSH.rules };
    // Five at once, each for 100 ms, and nobody may wait in the pool.
    let found = Simulation::run(Plan { rules, capacity: Some(5), queue: 0, thieves: 20, ..RUSH }).found;
    assert_eq!((found.entries.len(), found.lost, found.jumped, found.twice()), (5_000, 0, 0, 0));
    assert_eq!((found.in_flight_max, found.queue_max), (5, 0));
    assert!(found.second_max <= 55, "{} in a second", found.second_max);
    // Without a queue a place stays free until somebody at the door asks again: three quarters of what it takes come in.
    assert!(found.took() < SECOND * 160, "{:?}", found.took());
    assert!(found.out_of_order() <= 1_200, "{}", found.out_of_order());
    assert!(found.refused.iter().all(|count| *count > 1_000), "{:?}", found.refused);
}

#[test]
fn no_more_are_inside_than_may_be() {
    let rules = Rules { enter: None, active: 500, session: Duration::from_secs(10), ..RUSH.rules };
    let found = Simulation::run(Plan { rules, requests: 5, ..RUSH }).found;
    assert_eq!((found.entries.len(), found.lost, found.jumped, found.twice()), (5_000, 0, 0, 0));
    assert!(found.inside_max <= 500, "{}", found.inside_max);
    // A stay takes four seconds of requests and ten of silence, and up to two until that is seen.
    assert!(found.took() < SECOND * 9 * 19, "{:?}", found.took());
}

#[test]
fn who_leaves_holds_nobody_up() {
    let found = Simulation::run(Plan { leaving: 40, ..RUSH }).found;
    assert_eq!((found.lost, found.jumped, found.twice()), (0, 0, 0));
    assert!(found.left > 1_500 && found.entries.len() + found.left == 5_000, "{}", found.left);
    assert!(found.second_max <= 50);
    let ideal = SECOND * (found.entries.len() / 50) as u32;
    assert!(found.took() < ideal * 12 / 10, "{:?} instead of {ideal:?}", found.took());
}

#[test]
fn a_crash_takes_nobodys_place_and_lets_nobody_in_twice() {
    let crashes = &[1, 5, 12, 30, 31, 60];
    let found = Simulation::run(Plan { crashes, ..RUSH }).found;
    assert_eq!((found.entries.len(), found.lost, found.twice()), (5_000, 0, 0));
    assert!(found.out_of_order() <= 600, "{}", found.out_of_order());
    let rules = Rules { enter: None, active: 500, session: Duration::from_secs(10), ..RUSH.rules };
    let found = Simulation::run(Plan { rules, requests: 5, crashes, ..RUSH }).found;
    assert_eq!((found.entries.len(), found.lost, found.twice()), (5_000, 0, 0));
    assert!(found.inside_max <= 500, "{}", found.inside_max);
}

#[test]
fn a_room_with_few_visitors_lets_all_in_at_once() {
    let plan = Plan { visitors: 400, capacity: Some(50), ..RUSH };
    let simulation = Simulation::run(plan);
    assert!(simulation.waits().all(|(came, entered)| came == entered));
    assert_eq!(simulation.found.entries.len(), 400);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever the rules, the pool, and the visitors: nobody jumps, nobody comes in twice, no limit is exceeded, and all
    /// who stay come in.
    #[test]
    fn in_any_rush_order_and_limits_hold(
        visitors in 1usize..800,
        arrive in 0u64..30_000,
        enter in proptest::option::of(1u32..200),
        active in 1u32..400,
        capacity in proptest::option::of(1usize..100),
        service in 1u64..3_000,
        requests in 1u32..4,
        leaving in 0u64..60,
        seed: u64,
    ) {
        let plan = Plan {
            rules: Rules {
                active,
                enter: enter.map(|count| Rate { count, per: SECOND }),
                session: Duration::from_secs(5),
                ..RUSH.rules
            },
            capacity,
            service: Duration::from_millis(service),
            visitors,
            arrive: Duration::from_millis(arrive),
            requests,
            leaving,
            seed,
            ..RUSH
        };
        let found = Simulation::run(plan).found;
        prop_assert_eq!((found.jumped, found.twice(), found.lost, found.turned_away), (0, 0, 0, 0));
        prop_assert_eq!(found.entries.len() + found.left, visitors);
        prop_assert!(found.inside_max <= active as usize, "{} inside of {active}", found.inside_max);
        prop_assert!(enter.is_none_or(|count| found.second_max <= count as usize));
        prop_assert!(capacity.is_none_or(|capacity| found.in_flight_max <= capacity));
    }

    /// The same over crashes at any time: what may be lost then is a little of the order, and nothing else.
    #[test]
    fn in_any_rush_with_crashes_limits_hold(
        visitors in 1usize..800,
        arrive in 0u64..30_000,
        active in 1u32..400,
        crash in 0usize..4,
        leaving in 0u64..60,
        seed: u64,
    ) {
        let crashes = [&[1u64, 2][..], &[7], &[3, 4, 5, 20], &[10, 40]][crash];
        let rules = Rules { active, enter: None, session: Duration::from_secs(5), ..RUSH.rules };
        let arrive = Duration::from_millis(arrive);
        let found = Simulation::run(Plan { rules, visitors, arrive, leaving, crashes, seed, requests: 2, ..RUSH }).found;
        prop_assert_eq!((found.twice(), found.lost), (0, 0));
        prop_assert_eq!(found.entries.len() + found.left, visitors);
        prop_assert!(found.inside_max <= active as usize, "{} inside of {active}", found.inside_max);
    }
}
