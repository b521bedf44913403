use super::simulation::{Backend, Seen, Service, Work, World};

/// What a backend at its best does in a second, alone and without any waiting.
fn best(service: Service, work: Work) -> f64 {
    let strength = match service {
        Service::Servers(n) | Service::Shared { strength: n, .. } => n as f64,
    };
    strength / work.mean()
}

/// The share of its best that a backend does under so many times as much load, once the limit is found; the least of
/// three runs.
fn goodput(service: Service, work: Work, load: f64, warm: f64, seconds: f64) -> f64 {
    let run = |seed| {
        let best = best(service, work);
        let mut world = World::new(1, &Backend::new(service, work), best * load, seed);
        world.run(warm);
        world.run(seconds).goodput() / (best * load.min(1.0) * seconds)
    };
    (1..=3).map(run).fold(f64::INFINITY, f64::min)
}

const SHARED: Service = Service::Shared { strength: 16, lost: 0.3 };

#[test]
fn a_backend_does_nine_tenths_of_its_best_under_twice_as_much() {
    for (service, work, warm, seconds) in [
        (Service::Servers(16), Work::Always(0.02), 5.0, 20.0),
        (Service::Servers(16), Work::About(0.02), 5.0, 20.0),
        (Service::Servers(16), Work::Two(0.005, 0.2), 5.0, 20.0),
        (Service::Servers(4), Work::Always(0.25), 20.0, 60.0),
        (Service::Servers(1), Work::About(0.02), 5.0, 20.0),
        (Service::Servers(200), Work::About(0.05), 5.0, 10.0),
        (SHARED, Work::Always(0.02), 5.0, 20.0),
        (SHARED, Work::About(0.02), 5.0, 20.0),
    ] {
        let share = goodput(service, work, 2.0, warm, seconds);
        assert!(share >= 0.9, "{service:?} {work:?}: {share:.3}");
    }
    // Thirteen exchanges a second, and none like the other: what is seen of them is mostly noise.
    let share = goodput(Service::Servers(4), Work::About(0.25), 2.0, 20.0, 120.0);
    assert!(share >= 0.85, "{share:.3}");
}

#[test]
fn where_latency_triples_goodput_stays_and_exchanges_take_little_longer() {
    let backend = Backend::new(SHARED, Work::About(0.02));
    let unloaded = World::new(1, &backend, 100.0, 7).run(60.0).served_percentile(0.99);
    let mut free = World::new(1, &backend, 2_000.0, 7).unlimited();
    free.run(1.0);
    let free = free.run(2.0);
    let mut kept = World::new(1, &backend, 2_000.0, 7);
    kept.run(5.0);
    let kept = kept.run(20.0);
    let goodput = |seen: &Seen, seconds: f64| seen.goodput() / seconds / 800.0;
    assert!(free.served_percentile(0.5) > 3.0 * unloaded && goodput(&free, 2.0) < 0.2, "{:.3}", goodput(&free, 2.0));
    assert!(goodput(&kept, 20.0) >= 0.9, "{:.3}", goodput(&kept, 20.0));
    let p99 = kept.served_percentile(0.99);
    assert!(p99 <= 2.0 * unloaded, "{p99:.3} and {unloaded:.3}");
}

#[test]
fn a_load_that_a_backend_bears_is_borne() {
    for load in [0.3, 0.8, 0.95] {
        for work in [Work::Always(0.02), Work::About(0.02)] {
            let share = goodput(Service::Servers(16), work, load, 5.0, 20.0);
            assert!(share >= 0.97, "{load} {work:?}: {share:.3}");
        }
    }
}

#[test]
fn a_backend_that_loses_strength_gets_less_and_has_it_back() {
    for seed in 1..=3 {
        let mut world = World::new(1, &Backend::new(Service::Servers(16), Work::About(0.02)), 1_600.0, seed);
        world.run(5.0);
        let before = world.limit(0);
        world.backends[0].0.service = Service::Servers(4);
        world.run(3.0);
        let weak = world.run(20.0);
        assert!(world.limit(0) <= 8 && weak.goodput() >= 0.9 * 200.0 * 20.0, "{} {}", world.limit(0), weak.goodput());
        world.backends[0].0.service = Service::Servers(16);
        world.run(5.0);
        let strong = world.run(20.0);
        assert!(strong.goodput() >= 0.9 * 800.0 * 20.0, "{before} {} {}", world.limit(0), strong.goodput());
    }
}

#[test]
fn a_backend_that_only_got_slower_keeps_its_limit() {
    for seed in 1..=3 {
        let mut world = World::new(1, &Backend::new(Service::Servers(16), Work::About(0.02)), 1_600.0, seed);
        world.run(5.0);
        world.backends[0].0.work = Work::About(0.06);
        world.run(5.0);
        let slow = world.run(20.0).goodput() / (266.0 * 20.0);
        assert!(slow >= 0.9, "{slow:.3}");
        world.backends[0].0.work = Work::About(0.02);
        world.run(5.0);
        let fast = world.run(20.0).goodput() / (800.0 * 20.0);
        assert!(fast >= 0.9, "{fast:.3}");
    }
}

#[test]
fn pauses_cost_little_more_than_they_last() {
    for seed in 1..=3 {
        let mut world = World::new(1, &Backend::new(Service::Servers(16), Work::About(0.02)), 1_600.0, seed);
        world.run(5.0);
        let mut done = 0.0;
        for _ in 0..10 {
            world.backends[0].0.paused_until = world.now + 0.5;
            done += world.run(4.0).goodput();
        }
        // One eighth of the time nothing is done.
        let share = done / (800.0 * 35.0);
        assert!(share >= 0.9, "{share:.3}");
    }
}

#[test]
fn a_quiet_time_takes_nothing_from_the_limit() {
    for quiet in [0.0, 0.2, 20.0] {
        let mut world = World::new(1, &Backend::new(Service::Servers(100), Work::About(0.02)), 8_000.0, 3);
        world.run(8.0);
        let before = world.limit(0);
        world.set_rate(quiet);
        world.run(600.0);
        assert!(world.limit(0) * 10 >= before * 9, "{quiet}: {before}, then {}", world.limit(0));
        world.set_rate(4_000.0);
        let after = world.run(5.0);
        assert!(after.shed == 0 && after.goodput() > 3_800.0 * 5.0, "{} shed", after.shed);
    }
}

#[test]
fn backends_that_come_begin_where_the_others_are() {
    let backend = Backend::new(Service::Servers(32), Work::About(0.02));
    let mut world = World::new(3, &backend, 6_000.0, 5);
    world.run(6.0);
    world.join(backend);
    assert!((24..60).contains(&world.limit(3)), "{}", world.limit(3));
    world.run(1.0);
    let four = world.run(10.0).goodput() / (4.0 * 1_600.0 * 10.0);
    assert!(four >= 0.9 && (24..60).contains(&world.limit(3)), "{four:.3} {}", world.limit(3));
    world.backends.truncate(2);
    world.run(1.0);
    let two = world.run(10.0).goodput() / (2.0 * 1_600.0 * 10.0);
    assert!(two >= 0.9, "{two:.3}");
}

#[test]
fn unequal_backends_get_limits_of_their_own() {
    let weak = Backend::new(Service::Servers(4), Work::About(0.02));
    let mut world = World::new(1, &weak, 4_000.0, 5);
    world.join(Backend::new(Service::Servers(40), Work::About(0.02)));
    world.run(10.0);
    let share = world.run(20.0).goodput() / (2_200.0 * 20.0);
    assert!(share >= 0.9, "{share:.3} {} {}", world.limit(0), world.limit(1));
    assert!(world.limit(0) <= 8 && world.limit(1) >= 32, "{} {}", world.limit(0), world.limit(1));
}

#[test]
fn a_backend_that_refuses_is_not_pressed() {
    let mut backend = Backend::new(Service::Servers(100), Work::Always(0.02));
    backend.refuses_above = Some(20);
    let mut world = World::new(1, &backend, 1_500.0, 2);
    world.run(5.0);
    world.refused = 0;
    let seen = world.run(20.0);
    let refused = world.refused as f64 / (seen.goodput() + world.refused as f64);
    assert!(refused < 0.1 && seen.goodput() > 0.8 * 1_000.0 * 20.0, "{refused:.3} {}", seen.goodput());
}

#[test]
fn exchanges_that_wait_for_news_do_not_hold_up_the_others() {
    // Each tenth is answered after 20 s, and takes no strength: 400 at once.
    let mut world = World::new(1, &Backend::new(Service::Servers(10_000), Work::Two(0.01, 20.0)), 200.0, 4);
    world.run(60.0);
    let seen = world.run(60.0);
    assert!(seen.goodput() >= 0.9 * 200.0 * 60.0, "{} and {} shed", seen.goodput(), seen.shed);
}
