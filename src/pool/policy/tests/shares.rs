use super::*;

const PICKS: u32 = 100_000;

/// How often each backend is picked, in shares of all picks.
fn shares(policy: &mut Policy, weights: &[u16], yard: &Yard, hashes: bool) -> Vec<f64> {
    let view = view(weights);
    policy.refresh(&view);
    let mut seen = vec![0u32; weights.len()];
    let mut random = 42;
    for _ in 0..PICKS {
        let ask = Ask { random: next_random(&mut random), hash: hashes.then(|| next_random(&mut random)) };
        seen[policy.pick(&view, yard, &ask).unwrap()] += 1;
    }
    seen.iter().map(|seen| f64::from(*seen) / f64::from(PICKS)).collect()
}

fn expected(weights: &[u16]) -> impl Iterator<Item = f64> {
    let total: f64 = weights.iter().map(|weight| f64::from(*weight)).sum();
    weights.iter().map(move |weight| f64::from(*weight) / total)
}

#[test]
fn shares_are_the_weights_to_one_in_a_hundred() {
    for weights in [&[1, 1, 1][..], &[1, 2, 5], &[7, 7], &[1, 65_535], &[1; 10], &[0, 3, 0, 1]] {
        let mut yard = Yard::of(weights.len());
        yard.latency.fill(1_000_000);
        for (name, mut policy) in all(weights) {
            let seen = shares(&mut policy, weights, &yard, false);
            for (at, (share, expected)) in seen.into_iter().zip(expected(weights)).enumerate() {
                assert!((share - expected).abs() < 0.01, "{name} {weights:?}: {at} has {share}, not {expected}");
            }
        }
    }
}

#[test]
fn in_turn_a_thousand_backends_get_their_weights_to_the_pick() {
    let uneven: Vec<u16> = (0..1_000).map(|at| 1 + at % 3).collect();
    for weights in [&[1; 1_000][..], &uneven] {
        let seen = shares(&mut Policy::round_robin(7), weights, &Yard::of(1_000), false);
        for (share, expected) in seen.into_iter().zip(expected(weights)) {
            assert!((share - expected).abs() * f64::from(PICKS) <= 1.0, "{share}, not {expected}");
        }
    }
}

#[test]
fn by_lot_a_thousand_backends_get_their_weights_but_for_chance() {
    let weights: Vec<u16> = (0..1_000).map(|at| 1 + at % 3).collect();
    let mut yard = Yard::of(1_000);
    yard.latency.fill(1_000_000);
    for mut policy in [Policy::random(), Policy::least_connections(0), Policy::peak_ewma()] {
        let seen = shares(&mut policy, &weights, &yard, false);
        // Chi squared over its degrees of freedom: 1, give or take 0.045.
        let picks = f64::from(PICKS);
        let off = |(share, expected): (f64, f64)| (share - expected).powi(2) / expected * picks;
        let chi = seen.into_iter().zip(expected(&weights)).map(off).sum::<f64>() / 999.0;
        assert!((0.8..1.2).contains(&chi), "{policy:?}: {chi}");
    }
}

#[test]
fn hashed_keys_are_shared_by_weight_more_or_less_and_by_maglev_closely() {
    for (kind, most) in [(HashTable::Ketama, 0.25), (HashTable::Maglev, 0.02)] {
        for weights in [&[1; 10][..], &[1, 2, 5]] {
            let mut policy = Policy::hash(table(kind, &names(weights.len()), weights), None);
            let seen = shares(&mut policy, weights, &Yard::of(weights.len()), true);
            for (at, (share, expected)) in seen.into_iter().zip(expected(weights)).enumerate() {
                let off = (share / expected - 1.0).abs();
                assert!(off < most, "{kind:?} {weights:?}: {at} has {share}, not {expected}");
            }
        }
    }
}

#[test]
fn picks_in_turn_are_spread_and_not_bunched() {
    let (view, yard) = (view(&[5, 1, 1]), Yard::of(3));
    let mut policy = Policy::round_robin(0);
    policy.refresh(&view);
    let picks: Vec<_> = (0..7).filter_map(|_| policy.pick(&view, &yard, &ask(&mut 0))).collect();
    assert_eq!(picks, [0, 0, 1, 0, 2, 0, 0]);
}

#[test]
fn workers_begin_at_different_places_however_often_the_view_changes_before() {
    let yard = Yard::of(3);
    for weights in [[1, 1, 1], [1, 1, 2]] {
        let (first, empty, full) = (view(&[1, 0, 0]), View::new(&[]), view(&weights));
        for policy in [Policy::round_robin, Policy::least_connections] {
            let mut firsts: Vec<_> = (0..3)
                .filter_map(|worker| {
                    let mut policy = policy(worker);
                    [&empty, &first, &full].into_iter().for_each(|view| policy.refresh(view));
                    policy.pick(&full, &yard, &ask(&mut 0))
                })
                .collect();
            firsts.sort_unstable();
            assert_eq!(firsts, [0, 1, 2], "{weights:?}");
        }
    }
}

#[test]
fn what_a_full_backend_would_have_got_goes_to_all_others() {
    let mut yard = Yard::of(5);
    yard.latency.fill(1_000_000);
    yard.refuses[1] = true;
    for (name, mut policy) in all(&[1; 5]) {
        let seen = shares(&mut policy, &[1; 5], &yard, false);
        assert!(seen[1] == 0.0 && seen.iter().all(|share| *share < 0.26), "{name}: {seen:?}");
    }
    // And it has saved nothing up.
    for weights in [[1, 2, 5, 1, 1], [1; 5]] {
        for mut policy in [Policy::round_robin(0), Policy::least_connections(0)] {
            shares(&mut policy, &weights, &yard, false);
            let view = view(&weights);
            let picks = (0..20).filter_map(|_| policy.pick(&view, &Yard::of(5), &ask(&mut 0)));
            assert!(picks.filter(|at| *at == 1).count() <= 6, "{policy:?}");
        }
    }
}

#[test]
fn the_largest_weights_overflow_nothing() {
    for weights in [&[u32::MAX; 80][..], &[u32::MAX, 1, u32::MAX], &[65_535 * 256, 1]] {
        let view = View::new(weights);
        let mut yard = Yard::of(weights.len());
        yard.in_flight.fill(u32::MAX);
        yard.latency.fill(u64::MAX);
        let table_weight = if weights.len() > 3 { 65_535 } else { 1 };
        for (name, mut policy) in all(&vec![table_weight; weights.len()]) {
            policy.refresh(&view);
            let mut random = 5;
            for _ in 0..100 {
                let ask = Ask { random: next_random(&mut random), hash: Some(next_random(&mut random)) };
                assert!(policy.pick(&view, &yard, &ask).is_some(), "{name}");
            }
        }
    }
}
