use super::*;
use crate::config::HashTable;
use proptest::prelude::*;
use std::cell::RefCell;
use std::collections::BinaryHeap;

/// Backends with nothing but what policies ask for.
struct Yard {
    in_flight: Vec<u32>,
    latency: Vec<u64>,
    refuses: Vec<bool>,
}

impl Yard {
    fn of(count: usize) -> Yard {
        Yard { in_flight: vec![0; count], latency: vec![0; count], refuses: vec![false; count] }
    }
}

impl Look for Yard {
    fn in_flight(&self, at: usize) -> u32 {
        self.in_flight[at]
    }

    fn latency(&self, at: usize) -> u64 {
        self.latency[at]
    }

    fn may(&self, at: usize) -> bool {
        !self.refuses[at]
    }
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|at| format!("10.0.{}.{}:8080", at / 250, at % 250)).collect()
}

fn table(kind: HashTable, names: &[String], weights: &[u16]) -> Arc<Table> {
    let backends: Vec<_> = names.iter().map(String::as_str).zip(weights.iter().copied()).collect();
    Arc::new(Table::build(kind, &backends))
}

fn all(weights: &[u16]) -> Vec<(&'static str, Policy)> {
    let names = names(weights.len());
    let hash = |kind| Policy::hash(table(kind, &names, weights), None);
    vec![
        ("round_robin", Policy::round_robin(1)),
        ("random", Policy::random()),
        ("least_connections", Policy::least_connections(1)),
        ("peak_ewma", Policy::peak_ewma()),
        ("ketama", hash(HashTable::Ketama)),
        ("maglev", hash(HashTable::Maglev)),
    ]
}

fn view(weights: &[u16]) -> View {
    View::new(&weights.iter().map(|weight| u32::from(*weight) * 256).collect::<Vec<_>>())
}

/// How often each backend is picked, in shares of all picks.
fn shares(policy: &mut Policy, weights: &[u16], yard: &Yard, hashes: bool) -> Vec<f64> {
    const PICKS: u32 = 100_000;
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

#[test]
fn shares_are_the_weights_to_one_in_a_hundred() {
    for weights in [&[1, 1, 1][..], &[1, 2, 5], &[7, 7], &[1, 1, 1, 1, 1, 1, 1, 1, 1, 1]] {
        let total: f64 = weights.iter().map(|weight| f64::from(*weight)).sum();
        let mut yard = Yard::of(weights.len());
        yard.latency.fill(1_000_000);
        for (name, mut policy) in all(weights) {
            for (at, share) in shares(&mut policy, weights, &yard, false).into_iter().enumerate() {
                let expected = f64::from(weights[at]) / total;
                assert!((share - expected).abs() < 0.01, "{name} {weights:?}: {at} has {share}, not {expected}");
            }
        }
    }
}

#[test]
fn hashed_keys_are_shared_by_weight_more_or_less_and_by_maglev_closely() {
    for (kind, most) in [(HashTable::Ketama, 0.25), (HashTable::Maglev, 0.02)] {
        for weights in [&[1; 10][..], &[1, 2, 5]] {
            let total: f64 = weights.iter().map(|weight| f64::from(*weight)).sum();
            let mut policy = Policy::hash(table(kind, &names(weights.len()), weights), None);
            for (at, share) in shares(&mut policy, weights, &Yard::of(weights.len()), true).into_iter().enumerate() {
                let expected = f64::from(weights[at]) / total;
                assert!(
                    (share / expected - 1.0).abs() < most,
                    "{kind:?} {weights:?}: {at} has {share}, not {expected}"
                );
            }
        }
    }
}

#[test]
fn picks_in_turn_are_spread_and_not_bunched() {
    let (view, yard) = (view(&[5, 1, 1]), Yard::of(3));
    let mut policy = Policy::round_robin(0);
    policy.refresh(&view);
    let ask = Ask { random: 0, hash: None };
    let picks: Vec<_> = (0..7).filter_map(|_| policy.pick(&view, &yard, &ask)).collect();
    assert_eq!(picks, [0, 0, 1, 0, 2, 0, 0]);
}

#[test]
fn where_nothing_may_be_picked_nothing_is() {
    for (name, mut policy) in all(&[1, 1, 1]) {
        let ask = Ask { random: 7, hash: Some(7) };
        for empty in [View::new(&[]), View::new(&[0, 0, 0])] {
            policy.refresh(&empty);
            assert_eq!(policy.pick(&empty, &Yard::of(3), &ask), None, "{name}");
        }
        let view = view(&[1, 1, 1]);
        policy.refresh(&view);
        let mut yard = Yard::of(3);
        yard.refuses = vec![true, true, false];
        assert_eq!(policy.pick(&view, &yard, &ask), Some(2), "{name}");
        yard.refuses.fill(true);
        assert_eq!(policy.pick(&view, &yard, &ask), None, "{name}");
    }
    let mut policy = Policy::hash(table(HashTable::Ketama, &[], &[]), Some(125));
    policy.refresh(&View::new(&[]));
    assert_eq!(policy.pick(&View::new(&[]), &Yard::of(0), &Ask { random: 7, hash: Some(7) }), None);
}

proptest! {
    #[test]
    fn a_pick_is_always_one_that_may_be_picked_and_none_is_left_out(
        views in proptest::collection::vec(proptest::collection::vec(0u16..4, 6), 1..6),
        refused: [bool; 6],
        seed: u64,
    ) {
        for (name, mut policy) in all(&[1, 2, 1, 2, 1, 2]) {
            let mut yard = Yard::of(6);
            yard.refuses = refused.to_vec();
            let mut random = seed;
            for weights in &views {
                let view = view(weights);
                policy.refresh(&view);
                let mut seen = [false; 6];
                for _ in 0..400 {
                    let ask = Ask { random: next_random(&mut random), hash: Some(next_random(&mut random)) };
                    let Some(at) = policy.pick(&view, &yard, &ask) else { break };
                    prop_assert!(weights[at] > 0 && !refused[at], "{} picked {}", name, at);
                    seen[at] = true;
                }
                for at in 0..6 {
                    prop_assert_eq!(seen[at], weights[at] > 0 && !refused[at], "{}: {}", name, at);
                }
            }
        }
    }
}

/// Where each of many keys leads.
fn homes(table: &Table, keys: u64) -> Vec<usize> {
    (0..keys).map(|key| table.find(hash_key(&key.to_be_bytes()), |_| true).unwrap()).collect()
}

#[test]
fn a_backend_that_leaves_moves_only_its_own_keys() {
    const KEYS: u64 = 600_000;
    for (count, kind, most) in [
        (10, HashTable::Ketama, 1.0),
        (100, HashTable::Ketama, 1.0),
        (10, HashTable::Maglev, 1.1),
        (100, HashTable::Maglev, 1.1),
    ] {
        let (before, gone) = (names(count), count / 3);
        let mut after = before.clone();
        after.remove(gone);
        let old = homes(&table(kind, &before, &vec![1; count]), KEYS);
        let new = homes(&table(kind, &after, &vec![1; count]), KEYS);
        let moved = old.iter().zip(&new).filter(|(old, new)| before[**old] != after[**new]).count();
        let own = old.iter().filter(|home| **home == gone).count();
        assert!(own > 0 && moved as f64 <= own as f64 * most, "{kind:?} of {count}: {moved} for {own}");
    }
}

#[test]
fn a_backend_that_is_down_moves_only_its_own_keys() {
    for kind in [HashTable::Ketama, HashTable::Maglev] {
        let table = table(kind, &names(10), &[1; 10]);
        for key in 0..10_000u64 {
            let hash = hash_key(&key.to_be_bytes());
            let home = table.find(hash, |_| true).unwrap();
            let other = table.find(hash, |at| at != 3).unwrap();
            assert!(other != 3 && (home == 3 || other == home));
        }
    }
}

#[test]
fn keys_lead_to_the_same_place_in_every_version() {
    assert_eq!(hash_key(b"shop"), 7_784_307_407_480_800_614);
    let homes = |kind| homes(&table(kind, &names(10), &[1; 10]), 8);
    assert_eq!(homes(HashTable::Ketama), [3, 4, 7, 2, 7, 1, 3, 6]);
    assert_eq!(homes(HashTable::Maglev), [7, 2, 2, 5, 1, 1, 3, 8]);
}

#[test]
fn nobody_gets_more_than_the_bound_times_his_share() {
    for kind in [HashTable::Ketama, HashTable::Maglev] {
        let view = view(&[1; 10]);
        let mut policy = Policy::hash(table(kind, &names(10), &[1; 10]), Some(125));
        policy.refresh(&view);
        let mut yard = Yard::of(10);
        let mut random = 3;
        // One key is asked for by half of all.
        for exchange in 0..1_000 {
            let hash = if exchange % 2 == 0 { hash_key(b"hot") } else { next_random(&mut random) };
            let at = policy.pick(&view, &yard, &Ask { random: 0, hash: Some(hash) }).unwrap();
            yard.in_flight[at] += 1;
            let cap = f64::from((exchange + 1) * 125).ceil() / 1_000.0;
            assert!(f64::from(yard.in_flight[at]) <= cap.ceil(), "{kind:?}: {} of {exchange}", yard.in_flight[at]);
        }
        assert_eq!(yard.in_flight.iter().max(), Some(&125));
    }
}

/// A queueing simulation: exchanges arrive evenly, each backend serves its own one after the other; the p99 of the time from
/// arrival to end, in microseconds.
fn p99(mut policy: Policy, services: &[u64], every: u64) -> u64 {
    const EXCHANGES: u64 = 20_000;
    let yard = RefCell::new(Yard::of(services.len()));
    let (view, latencies) = (view(&vec![1; services.len()]), services.iter().map(|_| Latency::default()));
    let latencies: Vec<_> = latencies.collect();
    policy.refresh(&view);
    let mut free_at = vec![0; services.len()];
    let mut ends = BinaryHeap::new();
    let (mut times, mut random) = (Vec::new(), 11);
    for exchange in 0..EXCHANGES {
        let now = exchange * every;
        while let Some(&std::cmp::Reverse((end, at, took))) = ends.peek() {
            if end > now {
                break;
            }
            ends.pop();
            yard.borrow_mut().in_flight[at] -= 1;
            let latency: &Latency = &latencies[at];
            latency.record(std::time::Duration::from_micros(took), std::time::Duration::from_micros(end));
        }
        for (at, latency) in latencies.iter().enumerate() {
            yard.borrow_mut().latency[at] = latency.read(std::time::Duration::from_micros(now));
        }
        let ask = Ask { random: next_random(&mut random), hash: None };
        let at = policy.pick(&view, &*yard.borrow(), &ask).unwrap();
        let end = now.max(free_at[at]) + services[at];
        free_at[at] = end;
        yard.borrow_mut().in_flight[at] += 1;
        ends.push(std::cmp::Reverse((end, at, end - now)));
        times.push(end - now);
    }
    times.sort_unstable();
    times[times.len() * 99 / 100]
}

#[test]
fn with_one_of_four_ten_times_slower_the_tail_is_at_most_half_of_round_robins() {
    // Services of 1 ms, and one of 10 ms, to which a quarter of the load is a little too much.
    let services = [1_000, 1_000, 10_000, 1_000];
    let of = |policy| p99(policy, &services, 2_400);
    let in_turn = of(Policy::round_robin(0));
    assert!(in_turn >= 10_000);
    for (name, policy) in [("least_connections", Policy::least_connections(0)), ("peak_ewma", Policy::peak_ewma())] {
        let tail = of(policy);
        assert!(tail * 2 <= in_turn, "{name}: {tail} against {in_turn}");
    }
}
