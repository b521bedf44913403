//! A pool that is scaled as it says, on a clock that is only a number.

use super::*;

/// Backends that do ten exchanges at once in a tenth of a second each, and an eighth of a second when they bear all they can:
/// eighty a second. They come thirty seconds after they are wanted, and go at once.
struct World {
    demand: Demand,
    now: u64,
    backends: u32,
    ordered: Vec<(u64, u32)>,
    random: u64,
    /// What a backend is found to bear.
    bears: f64,
    /// The share of answers that are in time, where all backends are that busy.
    in_time: fn(f64) -> f64,
    has_objective: bool,
    changes: u32,
    shed: u64,
}

const BEARS: f64 = 10.0;
const CAPACITY: f64 = 80.0;
const COMES_AFTER: u64 = 30;

impl World {
    fn new(backends: u32) -> World {
        World {
            demand: Demand::default(),
            now: 0,
            backends,
            ordered: Vec::new(),
            random: 7,
            bears: BEARS,
            in_time: |_| 1.0,
            has_objective: false,
            changes: 0,
            shed: 0,
        }
    }

    /// A number around 0 with a deviation of 1, about.
    fn noise(&mut self) -> f64 {
        let mut sum = 0.0;
        for _ in 0..12 {
            self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            sum += (self.random >> 40) as f64 / (1u64 << 24) as f64;
        }
        sum - 6.0
    }

    /// So many come in each of so many seconds; backends follow what is wanted.
    fn run(&mut self, rate: f64, seconds: u64) {
        (0..seconds).for_each(|_| self.second(rate));
    }

    fn second(&mut self, rate: f64) {
        self.now += 1;
        let arrived = (rate + self.noise() * rate.sqrt()).round().max(0.0);
        let all = f64::from(self.backends) * CAPACITY;
        let served = arrived.min(all);
        let busy = if all > 0.0 { served / all } else { 0.0 };
        // A tenth of a second, or up to a quarter more; one look in a tenth of a second.
        let in_flight = served * 0.1 * 1.25f64.powf(busy);
        let seen = (in_flight + self.noise() * (in_flight / 10.0).sqrt()).max(0.0);
        let in_time = served * (self.in_time)(busy);
        let sample = Sample {
            span: Duration::from_secs(1),
            arrived: arrived as u64,
            served: served as u64,
            on_time: in_time as u64,
            late: (arrived - in_time) as u64,
            shed: (arrived - served) as u64,
            in_flight: seen.min(f64::from(self.backends) * BEARS),
            available: self.backends,
            bears: (self.backends > 0).then_some(self.bears),
            tolerance: 1.25,
            has_objective: self.has_objective,
        };
        self.shed += sample.shed;
        self.demand.sample(&sample, Duration::from_secs(self.now));
        self.scale();
    }

    fn scale(&mut self) {
        let wanted = self.demand.report().wanted.unwrap_or(self.backends);
        let last = self.ordered.last().map_or(self.backends, |(_, count)| *count);
        if wanted != last {
            self.changes += 1;
            self.ordered.push((self.now + if wanted > last { COMES_AFTER } else { 0 }, wanted));
        }
        let due = self.ordered.iter().filter(|(at, _)| *at <= self.now).count();
        if let Some((_, count)) = self.ordered.drain(..due).next_back() {
            self.backends = count;
        }
    }

    fn wanted(&self) -> u32 {
        self.demand.report().wanted.unwrap()
    }
}

#[test]
fn as_many_are_wanted_as_the_load_needs() {
    for (rate, wanted) in [(5.0, 1), (50.0, 1), (100.0, 2), (390.0, 7), (1_000.0, 16)] {
        let mut world = World::new(wanted);
        world.run(rate, 300);
        let got = world.wanted();
        assert!(
            got.abs_diff(wanted) <= u32::from(wanted > 4),
            "{rate}: {got}, not {wanted}: {:?}",
            world.demand.report()
        );
    }
}

#[test]
fn a_load_that_is_steady_moves_nothing() {
    for rate in [5.0, 63.0, 128.0, 160.0, 390.0, 400.0, 1_000.0] {
        let mut world = World::new(13);
        world.run(rate, 900);
        world.changes = 0;
        world.run(rate, 3_600);
        assert!(world.changes <= 2, "{rate}: {} changes in an hour", world.changes);
    }
}

#[test]
fn a_rush_is_answered_within_seconds_and_its_end_after_a_minute() {
    let mut world = World::new(2);
    world.run(100.0, 120);
    assert_eq!(world.wanted(), 2);
    world.run(1_000.0, 15);
    assert!(world.wanted() >= 13, "{}", world.wanted());
    world.run(1_000.0, 300);
    let shed = world.shed;
    world.run(1_000.0, 300);
    assert!(world.shed == shed && (15..=18).contains(&world.wanted()), "{} {}", world.shed - shed, world.wanted());
    world.changes = 0;
    world.run(100.0, 50);
    assert!(world.wanted() >= 15, "not at once");
    world.run(100.0, 400);
    assert!((2..=3).contains(&world.wanted()) && world.changes <= 5, "{} {}", world.wanted(), world.changes);
}

/// A limit begins low, and is learnt under the rush itself.
#[test]
fn what_a_backend_turns_out_to_bear_wants_no_more_backends_meanwhile() {
    let mut world = World::new(2);
    world.bears = 1.0;
    world.run(80.0, 1);
    world.bears = 2.0;
    world.run(80.0, 1);
    world.bears = BEARS;
    world.run(80.0, 120);
    assert!(world.wanted() <= 2 && world.changes <= 1, "{} {}", world.wanted(), world.changes);
}

#[test]
fn nobody_comes_and_none_is_wanted_and_the_first_to_come_wants_what_is_known_to_do() {
    let mut world = World::new(4);
    world.run(200.0, 120);
    world.run(0.0, 120);
    assert!(world.wanted() > 0, "a pause is none yet");
    world.run(0.0, 15);
    assert_eq!((world.wanted(), world.backends), (0, 0));
    assert_eq!(world.demand.report().capacity.map(|it| (65.0..95.0).contains(&it)), Some(true));
    world.run(200.0, 1);
    assert_eq!(world.wanted(), 1, "somebody is there");
    world.run(200.0, 15);
    assert!((3..=4).contains(&world.wanted()), "{}", world.wanted());
    world.run(200.0, 120);
    assert!((3..=4).contains(&world.backends), "{}", world.backends);
}

#[test]
fn before_anything_is_known_those_that_are_there_are_wanted_as_soon_as_somebody_comes() {
    let mut demand = Demand::default();
    let none = Sample { span: Duration::from_secs(1), tolerance: 1.25, ..Sample::default() };
    demand.sample(&none, Duration::from_secs(1));
    assert_eq!(demand.report().wanted, None, "nobody knows what a backend bears");
    let four = Sample { available: 4, bears: Some(8.0), ..none };
    demand.sample(&four, Duration::from_secs(2));
    assert_eq!(demand.report().wanted, Some(0));
    demand.sample(&Sample { arrived: 1, ..four }, Duration::from_secs(3));
    assert_eq!(demand.report().wanted, Some(4));
}

#[test]
fn an_objective_that_is_missed_wants_more_until_it_is_met() {
    let mut world = World::new(6);
    world.has_objective = true;
    // In time only where they are less than half busy.
    world.in_time = |busy| if busy < 0.5 { 1.0 } else { 0.9 };
    world.run(400.0, 900);
    let first = world.demand.report();
    assert!((10..=14).contains(&world.backends), "{} {first:?}", world.backends);
    assert!(first.on_time.is_some_and(|share| share > 0.99) && !first.is_out_of_reach, "{first:?}");
    world.changes = 0;
    world.run(400.0, 8 * 3_600);
    assert!(world.changes <= 16, "{} changes in eight hours", world.changes);
    let last = world.demand.report();
    assert!(last.on_time.is_some_and(|share| share > 0.98), "{last:?}");
}

#[test]
fn an_objective_that_more_backends_do_not_help_wants_no_more_of_them() {
    let mut world = World::new(6);
    world.has_objective = true;
    world.in_time = |_| 0.5;
    let (mut most, mut all) = (0, 0.0);
    for _ in 0..4 * 3_600 {
        world.second(400.0);
        most = most.max(world.backends);
        all += f64::from(world.backends);
    }
    let mean = all / f64::from(4 * 3_600);
    assert!(most <= 11 && mean < 8.5, "{most} at most, {mean:.1} in the mean");
    assert!(world.demand.report().is_out_of_reach, "{:?}", world.demand.report());
}

/// What lies a little beside the point in time, or is noise, moves nothing.
#[test]
fn an_objective_that_is_just_met_moves_nothing() {
    let mut world = World::new(7);
    world.has_objective = true;
    world.in_time = |_| 0.995;
    world.run(400.0, 900);
    world.changes = 0;
    world.run(400.0, 3_600);
    assert!(world.changes <= 2, "{}", world.changes);
}
