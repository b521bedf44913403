//! Exchanges that take time: a simulation of queues, by a clock of its own.

use super::*;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

/// Who asks.
#[derive(Clone, Copy)]
enum Clients {
    /// So many, each at once again when it has its response.
    Closed(usize),
    /// Somebody, so many times a second on average (Poisson).
    Open(f64),
}

struct Simulation {
    /// Of each backend, with its mean time for an exchange, in nanoseconds.
    backends: Vec<(u16, f64)>,
    /// How many exchanges a backend works on at a time; the others wait there.
    slots: usize,
    clients: Clients,
    /// Whether times are spread exponentially, or by 5 %.
    wild: bool,
}

struct Seen {
    shares: Vec<f64>,
    p99_ms: f64,
}

const MS: f64 = 1e6;

impl Simulation {
    fn run(&self, mut policy: Policy, exchanges: u32) -> Seen {
        let weights: Vec<u16> = self.backends.iter().map(|(weight, _)| *weight).collect();
        let view = view(&weights);
        policy.refresh(&view);
        let (mut yard, mut random) = (Yard::of(weights.len()), 11);
        let latencies: Vec<Latency> = weights.iter().map(|_| Latency::default()).collect();
        let mut free: Vec<BinaryHeap<Reverse<u64>>> =
            weights.iter().map(|_| (0..self.slots).map(|_| Reverse(0)).collect()).collect();
        let mut ends: BinaryHeap<Reverse<(u64, usize, u64)>> = BinaryHeap::new();
        let (mut now, mut seen, mut took) = (0, vec![0u32; weights.len()], Vec::new());
        for _ in 0..exchanges {
            match self.clients {
                Clients::Open(rate) => now += (exponential(&mut random) * 1e9 / rate) as u64,
                Clients::Closed(clients) if ends.len() < clients => {}
                Clients::Closed(_) => now = ends.peek().map_or(now, |&Reverse((end, _, _))| end),
            }
            while let Some(&Reverse((end, at, began))) = ends.peek().filter(|Reverse((end, _, _))| *end <= now) {
                ends.pop();
                yard.in_flight[at] -= 1;
                latencies[at].record(Duration::from_nanos(end - began), Duration::from_nanos(end));
            }
            let read = |latency: &Latency| latency.read(Duration::from_nanos(now));
            yard.latency = latencies.iter().map(read).collect();
            let at = policy.pick(&view, &yard, &ask(&mut random)).unwrap();
            let spread = if self.wild { exponential(&mut random) } else { 0.95 + 0.1 * unit(&mut random) };
            let Reverse(slot) = free[at].pop().unwrap();
            let end = now.max(slot) + (spread * self.backends[at].1) as u64;
            free[at].push(Reverse(end));
            ends.push(Reverse((end, at, now)));
            yard.in_flight[at] += 1;
            seen[at] += 1;
            took.push(end - now);
        }
        took.sort_unstable();
        let shares = seen.iter().map(|seen| f64::from(*seen) / f64::from(exchanges)).collect();
        Seen { shares, p99_ms: took[took.len() * 99 / 100] as f64 / MS }
    }
}

fn unit(random: &mut u64) -> f64 {
    (next_random(random) >> 11) as f64 / (1u64 << 53) as f64
}

fn exponential(random: &mut u64) -> f64 {
    -(1.0 - unit(random)).ln()
}

#[test]
fn with_one_of_four_ten_times_slower_the_tail_is_at_most_half_of_round_robins() {
    let backends = vec![(1, MS), (1, MS), (1, 10.0 * MS), (1, MS)];
    for (slots, clients) in [
        // Three quarters of what the slow one can bear in turn; more than it can; most of what all can.
        (1, Clients::Open(310.0)),
        (1, Clients::Open(1_200.0)),
        (8, Clients::Open(5_000.0)),
        (8, Clients::Open(20_000.0)),
        (1, Clients::Closed(16)),
        (8, Clients::Closed(64)),
    ] {
        let simulation = Simulation { backends: backends.clone(), slots, clients, wild: true };
        let tail = |policy| simulation.run(policy, 20_000).p99_ms;
        let in_turn = tail(Policy::round_robin(0));
        for (name, policy) in [("least_connections", Policy::least_connections(0)), ("peak_ewma", Policy::peak_ewma())]
        {
            let tail = tail(policy);
            assert!(tail * 2.0 <= in_turn, "{name}, {slots} slots: {tail} ms against {in_turn} ms");
        }
    }
}

#[test]
fn of_a_hundred_that_are_almost_full_those_drawn_are_nearly_as_good_as_the_least_loaded() {
    let simulation =
        Simulation { backends: vec![(1, MS); 100], slots: 4, clients: Clients::Open(380_000.0), wild: true };
    let (drawn, in_turn) = (Policy::least_connections(0), Policy::round_robin(0));
    let (drawn, in_turn) = (simulation.run(drawn, 50_000).p99_ms, simulation.run(in_turn, 50_000).p99_ms);
    // An exponential time of 1 ms alone has a p99 of 4.6 ms.
    assert!(drawn < 5.0 && in_turn > 6.0, "{drawn} ms against {in_turn} ms");
}

/// The largest distance of a share from its weight.
fn off(weights: &[u16], policy: Policy, clients: usize, wild: bool) -> f64 {
    let backends = weights.iter().map(|weight| (*weight, MS)).collect();
    let simulation = Simulation { backends, slots: 1_000, clients: Clients::Closed(clients), wild };
    let total: f64 = weights.iter().map(|weight| f64::from(*weight)).sum();
    let shares = simulation.run(policy, if clients > 1 && clients < 8 { 10_000 } else { 100_000 }).shares;
    weights.iter().zip(shares).map(|(weight, share)| (share - f64::from(*weight) / total).abs()).fold(0.0, f64::max)
}

#[test]
fn least_connections_shares_by_weight_with_exchanges_that_take_time() {
    for weights in [&[1, 2, 5][..], &[1, 3]] {
        for (wild, clients) in [(false, 1), (false, 8), (true, 64)] {
            let off = off(weights, Policy::least_connections(0), clients, wild);
            assert!(off < 0.01, "{weights:?}, {clients} clients: off by {off}");
        }
        // Where a light one has no exchange, or at once more than its share.
        for clients in 2..8 {
            let off = off(weights, Policy::least_connections(0), clients, false);
            assert!(off < 0.1, "{weights:?}, {clients} clients: off by {off}");
        }
    }
}

#[test]
fn peak_ewma_shares_by_weight_where_latencies_are_about_the_same() {
    for (clients, most) in [(1, 0.01), (64, 0.01)] {
        let off = off(&[1, 2, 5], Policy::peak_ewma(), clients, false);
        assert!(off < most, "{clients} clients: off by {off}");
    }
}

#[test]
fn a_backend_of_which_nothing_is_known_is_tried_but_not_flooded() {
    let mut policy = Policy::peak_ewma();
    let view = view(&[1; 4]);
    policy.refresh(&view);
    let mut yard = Yard::of(4);
    yard.latency = vec![2_000_000, 2_000_000, 2_000_000, 0];
    let mut random = 1;
    let tried = (1..50).find(|_| policy.pick(&view, &yard, &ask(&mut random)) == Some(3));
    assert!(tried.is_some_and(|picks| picks < 20), "{tried:?}");
    yard.in_flight = vec![50, 50, 50, 1];
    assert!((0..1_000).all(|_| policy.pick(&view, &yard, &ask(&mut random)) != Some(3)), "its first has not come back");
    yard.latency[3] = 2_000_000;
    assert!((0..20).any(|_| policy.pick(&view, &yard, &ask(&mut random)) == Some(3)));
}

#[test]
fn a_backend_that_was_slow_once_is_tried_again() {
    let (good, bad) = (Latency::default(), Latency::default());
    bad.record(Duration::from_secs(1), Duration::ZERO);
    let mut policy = Policy::peak_ewma();
    let view = view(&[1, 1]);
    policy.refresh(&view);
    let (mut yard, mut random) = (Yard::of(2), 1);
    let again = (0..2_000u64).map(|step| Duration::from_millis(step * 100)).find(|now| {
        good.record(Duration::from_millis(5), *now);
        yard.latency = vec![good.read(*now), bad.read(*now)];
        policy.pick(&view, &yard, &ask(&mut random)) == Some(1)
    });
    // Two hundred times as slow: forgotten after ten times the logarithm of that, 53 seconds.
    assert!(again.is_some_and(|now| (45..65).contains(&now.as_secs())), "{again:?}");
}
