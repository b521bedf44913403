use super::super::panic::{Member, Mode, mode, usable};
use super::super::slow_start::SHARE_FLOOR;
use super::*;

const TICK: Duration = Duration::from_millis(100);

/// The clock from `from` on, tick by tick.
fn ticks(from: Duration, during: Duration) -> impl Iterator<Item = Duration> {
    (0..).map(move |tick| from + TICK * tick).take_while(move |now| *now < from + during)
}

fn ill(size: usize, checked: bool, seed: u64, illness: Illness) -> Pool {
    let mut pool = Pool::new(size, checked, seed);
    pool.backends[0].illness = illness;
    pool
}

#[test]
fn no_sequence_leaves_a_healthy_backend_out_for_good() {
    const CHAOS: Duration = secs(150);
    let sizes = [(1, true), (2, true), (2, false), (3, true), (10, false), (100, true), (3_000, true)];
    for (seed, (size, checked)) in (1..).zip(sizes) {
        let mut pool = Pool::new(size, checked, seed);
        for now in ticks(Duration::ZERO, CHAOS) {
            pool.advance(now);
            (0..10).for_each(|_| pool.request(now));
            if now.subsec_millis() == 0 {
                (0..1 + size / 500).for_each(|_| pool.stir(now));
                pool.check(now);
            }
        }
        (0..size).for_each(|at| pool.heal(at, CHAOS));
        for now in ticks(CHAOS, BACK_WITHIN + secs(2)) {
            pool.advance(now);
            (0..10).for_each(|_| pool.request(now));
            if now.subsec_millis() == 0 {
                pool.check(now);
            }
        }
        assert_eq!(pool.breaker.state(), breaker::State::Closed);
        assert!(pool.ejections > 0 || size == 1, "{size}: nothing happened");
    }
}

#[test]
fn each_illness_is_ejected_within_the_configured_count() {
    for (seed, (illness, most)) in (0..30).flat_map(|seed| {
        let (row, rate) = (OUTLIER.consecutive_failures, OUTLIER.requests_min);
        [(Illness::Dead, row), (Illness::Stalls, row), (Illness::Half, 2 * rate)].map(|case| (seed, case))
    }) {
        let mut pool = ill(4, false, seed, illness);
        let out = ticks(secs(1), secs(60)).find(|&now| {
            pool.advance(now);
            (0..10).for_each(|_| pool.request(now));
            pool.ejections == 1
        });
        assert!(out.is_some() && pool.backends[0].facts.ejection.is_some(), "{seed}: {illness:?}");
        // Of what ended in the same tick as the ejection, some was later.
        let same_tick = 10;
        assert!(pool.backends[0].ended <= most + same_tick, "{seed}: {illness:?} after {}", pool.backends[0].ended);
    }
}

#[test]
fn where_all_fail_alike_none_is_ejected_for_its_rate() {
    let mut pool = Pool::new(10, false, 5);
    pool.backends.iter_mut().for_each(|backend| backend.illness = Illness::Half);
    let row = OutlierRules { consecutive_failures: 0, ..OUTLIER };
    for backend in &mut pool.backends {
        backend.tally = Tally::new(row);
    }
    for now in ticks(Duration::ZERO, secs(60)) {
        pool.advance(now);
        (0..10).for_each(|_| pool.request(now));
    }
    assert_eq!(pool.ejections, 0);
    assert!(pool.backends.iter().all(|backend| backend.ended > 500));
}

#[test]
fn probes_of_thousands_of_backends_are_spread() {
    const SIZE: usize = 4_000;
    let mut pool = Pool::new(SIZE, true, 9);
    let each_tick: Vec<u64> = ticks(Duration::ZERO, secs(120))
        .map(|now| {
            let before = pool.probes;
            pool.advance(now);
            pool.probes - before
        })
        .collect();
    let mean = SIZE as u64 / 50;
    let first: u64 = each_tick[..=20].iter().sum();
    assert_eq!(first, SIZE as u64, "each has had its first within two seconds");
    assert!(each_tick.iter().all(|&n| n <= 4 * mean), "{each_tick:?}");
    let late = &each_tick[1_000..];
    assert!(late.iter().all(|&n| (mean / 2..mean * 2).contains(&n)), "after a while they are even: {late:?}");
}

#[test]
fn all_down_then_one_back_is_used_after_its_rise_and_ramps() {
    let mut pool = Pool::new(3, true, 3);
    pool.backends.iter_mut().for_each(|backend| backend.illness = Illness::Dead);
    pool.advance(secs(20));
    assert!(pool.pick(secs(20)).is_none());
    pool.heal(1, secs(20));
    let back = ticks(secs(20), secs(20)).find(|&now| {
        pool.advance(now);
        pool.pick(now) == Some(1)
    });
    let back = back.expect("it is used again");
    assert!(back <= secs(20) + PROBE.every * 11 / 10 * PROBE.rise + TICK);
    let facts = pool.backends[1].facts;
    assert_eq!(facts.share(SLOW_START, back), SHARE_FLOOR);
    assert_eq!(Standing::of(&facts, SLOW_START, back + SLOW_START), Standing::Up);
}

#[test]
fn a_backend_that_comes_back_for_its_check_comes_back_for_exchanges() {
    let mut pool = ill(4, true, 11, Illness::Dead);
    for now in ticks(Duration::ZERO, secs(60)) {
        pool.advance(now);
        (0..10).for_each(|_| pool.request(now));
        if now == secs(30) {
            // As if it had been ejected often before.
            let ejection = Ejection { until: secs(500), in_a_row: 10, cause: Cause::Consecutive };
            pool.backends[0].facts.ejection = Some(ejection);
            pool.heal(0, now);
        }
        if now == secs(31) {
            assert_eq!(pool.backends[0].standing(now), Standing::Down);
        }
    }
    assert_eq!(pool.backends[0].standing(secs(60)), Standing::Up);
}

#[test]
fn in_panic_those_that_are_out_are_used_until_enough_are_back() {
    let mut pool = Pool::new(10, true, 7);
    pool.advance(secs(1));
    (2..10).for_each(|at| pool.backends[at].illness = Illness::Dead);
    pool.advance(secs(20));
    let members = |pool: &Pool, now| -> Vec<Member> {
        pool.backends.iter().map(|backend| Member { standing: backend.standing(now), weight: 1 }).collect()
    };
    assert_eq!(usable(&members(&pool, secs(20)), None).count(), 2);
    assert_eq!(usable(&members(&pool, secs(20)), Some(5_000)).count(), 10);
    (2..5).for_each(|at| pool.heal(at, secs(20)));
    pool.advance(secs(35));
    assert_eq!(mode(&members(&pool, secs(35)), Some(5_000)), Mode::Normal);
    assert_eq!(usable(&members(&pool, secs(35)), Some(5_000)).count(), 5);
}
