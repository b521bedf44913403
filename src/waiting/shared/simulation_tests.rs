use super::super::{ACTIVE_MAX, Rules};
use super::simulation::{Fate, Found, MEMBERS, Plan, Simulation};
use crate::config::Rate;
use proptest::prelude::*;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// 3,000 visitors within ten seconds before three members that let 50 a second in together.
fn rush() -> Plan {
    Plan {
        rules: Rules {
            active: ACTIVE_MAX,
            enter: Some(Rate { count: 50, per: SECOND }),
            session: Duration::from_secs(300),
            absence: Duration::from_secs(120),
            places: 100_000,
        },
        capacity: None,
        service: Duration::from_millis(100),
        visitors: 3_000,
        arrive: Duration::from_secs(10),
        requests: 1,
        weights: [1; MEMBERS],
        sticky: 0,
        leaving: 0,
        thieves: 0,
        fates: Vec::new(),
        seed: 1,
    }
}

fn run(plan: Plan) -> Found {
    let (visitors, leaving) = (plan.visitors, plan.leaving);
    let found = Simulation::run(plan).found;
    println!(
        "{} in {:?}, {} a second, out of order by {}, {} inside, {} in flight, {} in the queue, {} refused",
        found.entries.len(),
        found.took(),
        found.second_max,
        found.out_of_order(),
        found.inside_max,
        found.in_flight_max,
        found.queue_max,
        found.refused
    );
    assert_eq!((found.lost, found.turned_away), (0, 0));
    assert!(found.entries.len() + found.left == visitors && (leaving > 0 || found.left == 0));
    found
}

#[test]
fn all_come_in_at_the_rate_and_in_order_whichever_members_they_ask() {
    for (weights, sticky) in [([1, 1, 1], 0), ([8, 3, 1], 0), ([8, 3, 1], 100), ([1, 0, 0], 100)] {
        let found = run(Plan { weights, sticky, thieves: 10, ..rush() });
        assert_eq!((found.jumped, found.twice), (0, 0), "{weights:?} {sticky}");
        assert!(found.second_max <= 50 + 2 * MEMBERS, "{} in a second", found.second_max);
        assert!(found.took() < SECOND * 64, "{:?}", found.took());
        assert!(found.out_of_order() <= 150, "{}", found.out_of_order());
        assert!(found.refused > 100, "{}", found.refused);
    }
}

#[test]
fn all_come_in_as_fast_as_the_pools_of_all_members_end_exchanges() {
    let rules = Rules { enter: None, ..rush().rules };
    for (capacity, service) in [(5, 300), (20, 1000)] {
        let service = Duration::from_millis(service);
        let found = run(Plan { rules, capacity: Some(capacity), service, ..rush() });
        assert_eq!((found.jumped, found.twice), (0, 0));
        assert!(found.in_flight_max <= capacity && found.queue_max <= 40);
        assert!(found.took() < SECOND * 72, "{:?}", found.took());
        assert!(found.out_of_order() <= 400, "{}", found.out_of_order());
    }
}

#[test]
fn no_more_are_inside_than_may_be_at_all_members_together() {
    let rules = Rules { enter: None, active: 300, session: Duration::from_secs(8), ..rush().rules };
    for (weights, sticky) in [([1, 1, 1], 0), ([8, 3, 1], 90)] {
        let found = run(Plan { rules, requests: 4, weights, sticky, visitors: 2_000, ..rush() });
        assert_eq!((found.jumped, found.twice), (0, 0));
        assert!(found.inside_max <= 300, "{}", found.inside_max);
        // A stay takes three seconds of requests and eight of silence, and up to two until that is seen.
        assert!(found.took() < SECOND * 7 * 16, "{:?}", found.took());
    }
}

#[test]
fn who_leaves_holds_nobody_up() {
    let found = run(Plan { leaving: 40, ..rush() });
    assert_eq!((found.jumped, found.twice), (0, 0));
    assert!(found.left > 700, "{}", found.left);
    let ideal = SECOND * (found.entries.len() / 50) as u32;
    assert!(found.took() < ideal * 12 / 10, "{:?} instead of {ideal:?}", found.took());
}

#[test]
fn without_redis_nobody_loses_his_place_and_the_rate_holds() {
    for end in [Fate::Back, Fate::Empty] {
        let fates = vec![(15_000, Fate::Gone), (35_000, end), (40_000, Fate::Gone), (40_500, end)];
        for sticky in [0, 95] {
            let found = run(Plan { fates: fates.clone(), sticky, thieves: 5, ..rush() });
            assert!(found.second_max <= 50 + 2 * MEMBERS, "{} in a second", found.second_max);
            assert!(found.took() < SECOND * 75, "{:?}", found.took());
            assert!(found.out_of_order() <= 600, "{}", found.out_of_order());
        }
    }
}

#[test]
fn without_redis_no_more_are_inside_than_may_be() {
    let rules = Rules { enter: None, active: 300, session: Duration::from_secs(8), ..rush().rules };
    let fates = vec![(15_000, Fate::Gone), (45_000, Fate::Empty)];
    let found = run(Plan { rules, requests: 4, sticky: 100, visitors: 2_000, fates, ..rush() });
    assert!(found.inside_max <= 300, "{}", found.inside_max);
}

#[test]
fn one_that_is_cut_off_has_its_part_and_loses_nobody() {
    let fates = vec![(15_000, Fate::CutOff(2)), (40_000, Fate::Back)];
    for sticky in [0, 100] {
        let found = run(Plan { fates: fates.clone(), sticky, ..rush() });
        // The others do not know that it takes a part.
        assert!(found.second_max <= 50 + 50 / MEMBERS + 2 * MEMBERS, "{} in a second", found.second_max);
        assert!(found.took() < SECOND * 75, "{:?}", found.took());
    }
}

#[test]
fn one_that_is_killed_or_forgets_all_loses_nobody_and_lets_nobody_in_twice() {
    let fates = vec![
        (8_000, Fate::Killed(0)),
        (15_000, Fate::Forgets(1)),
        (20_000, Fate::Forgets(2)),
        (25_000, Fate::Killed(1)),
        (25_000, Fate::Forgets(2)),
    ];
    for sticky in [0, 95] {
        let found = run(Plan { fates: fates.clone(), sticky, thieves: 10, ..rush() });
        assert_eq!(found.twice, 0, "{sticky}");
        assert!(found.second_max <= 50 + 2 * MEMBERS, "{} in a second", found.second_max);
        assert!(found.took() < SECOND * 75, "{:?}", found.took());
        assert!(found.out_of_order() <= 400, "{}", found.out_of_order());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// Whatever befalls them: nobody loses his place, all who stay come in, and the limits hold that are said to.
    #[test]
    fn in_any_rush_with_any_fate_nobody_loses_his_place(
        visitors in 1usize..500,
        arrive in 0u64..20_000,
        enter in proptest::option::of(10u32..200),
        active in proptest::option::of(20u32..300),
        capacity in proptest::option::of(2u32..50),
        sticky in 0u64..=100,
        weights in [1u64..9, 1..9, 1..9],
        leaving in 0u64..40,
        fates in proptest::collection::vec((1_000u64..30_000, 0usize..6, 0usize..MEMBERS), 0..6),
        seed: u64,
    ) {
        let mut fates: Vec<_> = fates.into_iter().map(|(millis, what, at)| {
            let all = [Fate::Gone, Fate::CutOff(at), Fate::Back, Fate::Empty, Fate::Killed(at), Fate::Forgets(at)];
            (millis, all[what])
        }).collect();
        // Who forgets all while nobody can tell him, knows of nobody's turn.
        let is_apart = fates.iter().any(|(_, fate)| matches!(fate, Fate::Gone | Fate::CutOff(_)));
        fates.push((35_000, Fate::Back));
        let enter = enter.map(|count| Rate { count, per: SECOND });
        let rules = Rules {
            active: active.unwrap_or(if enter.is_none() && capacity.is_none() { 100 } else { ACTIVE_MAX }),
            enter,
            session: Duration::from_secs(5),
            ..rush().rules
        };
        let arrive = Duration::from_millis(arrive);
        let plan = Plan { rules, capacity, visitors, arrive, requests: 2, weights, sticky, leaving, fates, seed, ..rush() };
        let found = Simulation::run(plan.clone()).found;
        prop_assert_eq!((found.lost, found.turned_away), (0, 0));
        prop_assert_eq!(found.entries.len() + found.left, visitors);
        prop_assert!(capacity.is_none_or(|capacity| found.in_flight_max <= capacity));
        if !is_apart && plan.fates.len() == 1 {
            prop_assert!(found.inside_max <= rules.active as usize, "{} inside", found.inside_max);
            prop_assert!(enter.is_none_or(|rate| found.second_max <= rate.count as usize + 2 * MEMBERS), "{}", found.second_max);
        }
    }
}
