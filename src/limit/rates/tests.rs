use super::super::sets::WAYS;
use super::*;
use proptest::prelude::*;
use std::collections::HashMap;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed, Ordering::SeqCst};
use std::thread;
use std::time::Instant;

/// As well spread as a hash (the finalizer of SplitMix64).
fn key(n: u64) -> Key {
    let n = (n ^ (n >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    Key::of(n ^ (n >> 31))
}

fn passes(table: &Rates, key: Key, pace: Pace, now: Duration) -> bool {
    matches!(table.charge(key, pace, now).1, Verdict::Pass { .. })
}

const SECOND: Duration = Duration::from_secs(1);

/// GCRA as the recommendation has it, a key at a time and with all the memory that it wants.
#[derive(Default)]
struct Naive(HashMap<u64, Vec<u64>>);

impl Naive {
    /// Lets in what no stretch of time forbids that ends now: in each there are at most (its length + burst × interval) /
    /// interval requests.
    fn admits(&mut self, key: u64, interval: u64, burst: u64, now: u64) -> bool {
        let times = self.0.entry(key).or_default();
        times.push(now);
        let fits = (0..times.len()).all(|from| {
            let requests = (times.len() - from) as u64;
            requests * interval <= now - times[from] + burst * interval
        });
        if !fits {
            times.pop();
        }
        fits
    }
}

proptest! {
    /// As long as no set is full, the table decides for each key as if it were alone.
    #[test]
    fn each_key_is_judged_as_if_it_were_alone(
        interval in 1u64..1_000,
        burst in 1u32..8,
        requests in prop::collection::vec((0u64..5, 0u64..2_000), 1..120),
    ) {
        let pace = Pace::new(1, Duration::from_nanos(interval), burst);
        let (table, mut naive, mut now) = (Rates::new(1 << 16, false), Naive::default(), 1);
        for (n, gap) in requests {
            now += gap;
            let at = Duration::from_nanos(now);
            let (judged, _) = table.judge(key(n), pace, at);
            let (_, charged) = table.charge(key(n), pace, at);
            prop_assert_eq!(judged, charged);
            let admits = naive.admits(n, interval, burst.into(), now);
            prop_assert_eq!(matches!(charged, Verdict::Pass { .. }), admits);
        }
    }

    /// In a table of one set that is always full, nobody gets more than his due, however cells change hands.
    #[test]
    fn in_a_full_table_nobody_has_more_than_his_due(
        interval in 1u64..1_000,
        burst in 1u32..6,
        requests in prop::collection::vec((0u64..25, 0u64..200), 1..400),
    ) {
        let pace = Pace::new(1, Duration::from_nanos(interval), burst);
        let (table, mut now) = (Rates::new(1, false), 1);
        let mut admitted: HashMap<u64, Vec<u64>> = HashMap::new();
        for (n, gap) in requests {
            now += gap;
            if passes(&table, key(n), pace, Duration::from_nanos(now)) {
                admitted.entry(n).or_default().push(now);
            }
        }
        for times in admitted.values() {
            for from in 0..times.len() {
                for to in from..times.len() {
                    let requests = (to - from + 1) as u64;
                    prop_assert!(requests * interval <= times[to] - times[from] + u64::from(burst) * interval);
                }
            }
        }
    }
}

/// Four threads at one key, with the real time: never more than rate × time + burst, and not much less.
#[test]
fn on_many_threads_never_more_than_the_rate_and_the_burst() {
    const THREADS: usize = 4;
    const RATE: u32 = 50_000;
    const BURST: u32 = 200;
    let (table, pace) = (Rates::new(1 << 12, false), Pace::new(RATE, SECOND, BURST));
    let (start, admitted, asked) = (Barrier::new(THREADS), AtomicU64::new(0), AtomicU64::new(0));
    let began = Instant::now();
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                start.wait();
                while began.elapsed() < SECOND / 4 {
                    asked.fetch_add(1, Relaxed);
                    admitted.fetch_add(u64::from(passes(&table, key(1), pace, began.elapsed())), Relaxed);
                }
            });
        }
    });
    let time = began.elapsed();
    let most = (f64::from(RATE) * time.as_secs_f64()) as u64 + u64::from(BURST);
    let (admitted, asked) = (admitted.into_inner(), asked.into_inner());
    assert!(admitted <= most && admitted >= u64::from(BURST), "{admitted} of {asked} in {time:?}");
}

/// Two threads ask for the same new key at the same moment, key by key: each must have one cell.
#[test]
fn on_two_threads_a_new_key_gets_one_cell() {
    const THREADS: u64 = 2;
    const KEYS: u64 = 8_000;
    let (table, pace, now) = (Rates::new(4 << 20, false), Pace::new(1, SECOND, 1), SECOND * 100);
    let (arrived, admitted) = (AtomicU64::new(0), AtomicU64::new(0));
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for n in 0..KEYS {
                    arrived.fetch_add(1, SeqCst);
                    while arrived.load(SeqCst) < (n + 1) * THREADS {
                        thread::yield_now();
                    }
                    admitted.fetch_add(u64::from(passes(&table, key(n), pace, now)), Relaxed);
                }
            });
        }
    });
    assert_eq!((admitted.into_inner(), table.held(now)), (KEYS, KEYS as usize));
}

/// Other keys are busy in each phase, so that the cells of one set change hands, on four threads, while the time goes on:
/// no key is let in too often in any phase.
#[test]
fn on_many_threads_cells_change_hands_without_gain() {
    const THREADS: u64 = 4;
    const KEYS: u64 = 40;
    const STEPS: u64 = 40_000;
    const INTERVAL: u64 = 900;
    const PHASE: u64 = 30 * INTERVAL;
    /// A thread that was put aside between the time and the table may find its key's cell gone.
    const STALE_MAX: usize = 8;
    let (table, pace) = (Rates::new(1, false), Pace::new(1, Duration::from_nanos(INTERVAL), 2));
    let time = AtomicU64::new(1_000_000);
    let run = |thread: u64| {
        let (mut random, mut admitted) = (thread + 1, Vec::new());
        for _ in 0..STEPS {
            random = random.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(1);
            let now = time.fetch_add(random >> 58, Relaxed);
            let n = (now / PHASE * 11 + (random >> 33) % 12) % KEYS;
            if passes(&table, key(n), pace, Duration::from_nanos(now)) {
                admitted.push((now / PHASE, n));
            }
        }
        admitted
    };
    let all: Vec<(u64, u64)> = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|thread| scope.spawn(move || run(thread))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let mut counts: HashMap<(u64, u64), usize> = HashMap::new();
    all.iter().for_each(|at| *counts.entry(*at).or_default() += 1);
    let most = (PHASE / INTERVAL + 2) as usize;
    assert!(counts.len() > 500 && all.len() > counts.len() * 20, "{} {}", all.len(), counts.len());
    assert!(counts.values().all(|count| *count <= most + STALE_MAX), "{:?} {most}", counts.values().max());
}

#[test]
fn a_million_forged_keys_push_nobody_out_and_take_no_memory() {
    const MEMORY: usize = 1 << 20;
    let (table, pace, now) = (Rates::new(MEMORY, false), Pace::new(1, SECOND * 60, 2), SECOND * 1_000);
    assert!(table.bytes() <= MEMORY && table.capacity() > 50_000);
    let limited: Vec<Key> = (0..5_000).map(key).collect();
    for key in &limited {
        assert!(passes(&table, *key, pace, now) && passes(&table, *key, pace, now));
    }
    let mut forged_in = 0;
    for n in 0..1_000_000u64 {
        forged_in += u64::from(passes(&table, key(1_000_000 + n), pace, now));
        if n % 100_000 == 0 {
            assert!(limited.iter().all(|key| !passes(&table, *key, pace, now)));
        }
    }
    // Each cell let one in with its first request, and each spill two.
    assert!(forged_in <= (table.capacity() + table.capacity() / WAYS * 2) as u64, "{forged_in}");
    assert!(table.held(now) <= table.capacity());
    // Who is limited stays so until his time has come, and then is as he would have been.
    for key in &limited {
        assert!(!passes(&table, *key, pace, now + SECOND * 59));
        assert!(passes(&table, *key, pace, now + SECOND * 60));
    }
}

/// What `docs/limits.md` says of tables that are not full.
#[test]
fn few_newcomers_share_before_a_table_is_full() {
    let (table, pace, now) = (Rates::new(4 << 20, false), Pace::new(1, SECOND, 1), SECOND);
    assert!(table.capacity() >= 245_000);
    let shares = |held: u64| {
        (0..held).for_each(|n| _ = table.charge(key(n), pace, now));
        // Of those that would come next.
        (held..held + 50_000).filter(|n| table.judge(key(*n), pace, now).1).count()
    };
    assert!(shares(table.capacity() as u64 / 3) < 50_000 / 2_000);
    assert!(shares(table.capacity() as u64 / 2) < 50_000 / 50);
}

#[test]
fn newcomers_of_a_full_set_share_and_take_their_debt_with_them() {
    let (table, pace) = (Rates::new(1, false), Pace::new(1, SECOND, 2));
    let now = SECOND * 10;
    for n in 1..=WAYS as u64 {
        let (place, _) = table.charge(key(n), pace, now);
        assert!(!place.is_spill());
    }
    let (place, verdict) = table.charge(key(80), pace, now);
    assert!(place.is_spill() && verdict == Verdict::Pass { left: 1 });
    assert!(passes(&table, key(90), pace, now) && !passes(&table, key(80), pace, now));
    assert_eq!(table.judge(key(90), pace, now), (Verdict::Refuse { wait: SECOND }, true));
    // The cells are free again, the debt of 80 is half paid.
    let (place, verdict) = table.charge(key(80), pace, now + SECOND);
    assert!(!place.is_spill() && verdict == Verdict::Pass { left: 0 });
}

#[test]
fn what_was_charged_is_given_back() {
    let (table, pace, now) = (Rates::new(1, false), Pace::new(1, SECOND, 2), SECOND * 10);
    for _ in 0..100 {
        let (place, verdict) = table.charge(key(1), pace, now);
        assert_eq!(verdict, Verdict::Pass { left: 1 });
        table.refund(place, key(1), pace, now);
    }
    let (place, _) = table.charge(key(1), pace, now);
    // The cell is another's by now.
    let later = now + SECOND * 5;
    let others = 2..=WAYS as u64 + 1;
    for n in others.clone() {
        assert!(!table.charge(key(n), pace, later).0.is_spill());
    }
    table.refund(place, key(1), pace, later);
    let mut others = others;
    assert!(others.all(|n| table.judge(key(n), pace, later).0 == Verdict::Pass { left: 0 }));
}

#[test]
fn reports_say_what_was_let_in_since_the_last_in_pieces() {
    const KEYS: u64 = 1_000;
    let (table, pace, now) = (Rates::new(1 << 17, true), Pace::new(10, SECOND, 10), SECOND);
    for n in 0..KEYS {
        (0..=n % 3).for_each(|_| assert!(passes(&table, key(n), pace, now)));
    }
    let (mut cursor, mut seen, mut calls) = (Cursor::default(), HashMap::new(), 0);
    loop {
        let before = seen.len();
        table.report(&mut cursor, 64, now, |it| assert_eq!(seen.insert(it.key, it.count), None));
        assert!(seen.len() - before <= 64);
        if seen.len() == before {
            break;
        }
        calls += 1;
    }
    assert_eq!((seen.len() as u64, calls), (KEYS, 16));
    assert!((0..KEYS).all(|n| seen[&key(n)] == (n % 3 + 1) as u32));
    assert!(passes(&table, key(5), pace, now));
    let mut again = Vec::new();
    table.report(&mut cursor, 64, now, |admitted| again.push(admitted));
    assert_eq!(again, [Admitted { key: key(5), count: 1, ahead: SECOND / 10 * 4 }]);
}

#[test]
fn a_cell_is_not_given_away_before_it_was_reported() {
    let (table, pace) = (Rates::new(1, true), Pace::new(1, SECOND, 1));
    for n in 1..=WAYS as u64 {
        assert!(!table.charge(key(n), pace, SECOND).0.is_spill());
    }
    let later = SECOND * 100;
    assert!(table.charge(key(80), pace, later).0.is_spill());
    let mut reported = Vec::new();
    table.report(&mut Cursor::default(), 100, later, |admitted: Admitted| reported.push(admitted.key));
    assert_eq!(reported.len(), WAYS);
    assert!(!table.charge(key(90), pace, later * 2).0.is_spill());
}

#[test]
fn nothing_that_is_let_in_on_many_threads_is_missing_from_the_reports() {
    const THREADS: u64 = 3;
    const ROUNDS: u64 = 20_000;
    let (table, pace) = (Rates::new(1 << 20, true), Pace::new(1_000_000, SECOND, 1_000_000));
    let (admitted, running) = (AtomicU64::new(0), AtomicU64::new(THREADS));
    let mut reported = 0;
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for n in 0..ROUNDS {
                    admitted.fetch_add(u64::from(passes(&table, key(n % 300), pace, SECOND)), Relaxed);
                }
                running.fetch_sub(1, Relaxed);
            });
        }
        let mut cursor = Cursor::default();
        while running.load(Relaxed) > 0 {
            table.report(&mut cursor, 50, SECOND, |it| reported += u64::from(it.count));
        }
    });
    table.report(&mut Cursor::default(), usize::MAX, SECOND, |it| reported += u64::from(it.count));
    assert_eq!(reported, admitted.into_inner());
}

#[test]
fn what_others_let_in_counts_here_and_never_makes_it_less() {
    let (table, pace, now) = (Rates::new(1 << 12, true), Pace::new(10, SECOND, 5), SECOND * 10);
    assert!(table.take(key(1), SECOND / 2, now));
    assert_eq!(table.judge(key(1), pace, now).0, Verdict::Refuse { wait: SECOND / 10 });
    assert!(table.take(key(1), SECOND / 10, now));
    assert_eq!(table.judge(key(1), pace, now).0, Verdict::Refuse { wait: SECOND / 10 });
    assert_eq!(table.judge(key(1), pace, now + SECOND / 2).0, Verdict::Pass { left: 4 });
    // Nothing of that is reported: it was not let in here.
    table.report(&mut Cursor::default(), 10, now, |admitted| panic!("{admitted:?}"));
    // A key that is not ahead takes no cell.
    assert!(table.take(key(2), Duration::ZERO, now));
    assert_eq!(table.held(now), 1);
    assert!(table.take(key(3), Duration::MAX, now));
    assert!(matches!(table.judge(key(3), pace, now).0, Verdict::Refuse { .. }));
}

/// Three members that tell each other every tenth of a second, one of which gets nearly all: together they let in what the
/// rate says, and at most what one tenth can bring more.
#[test]
fn members_that_report_to_each_other_hold_one_limit_together() {
    let (pace, tick) = (Pace::new(1_000, SECOND, 100), SECOND / 10);
    let members: Vec<Rates> = (0..3).map(|_| Rates::new(1 << 12, true)).collect();
    let mut cursors: Vec<Cursor> = (0..3).map(|_| Cursor::default()).collect();
    let (mut shared, mut admitted) = (Duration::ZERO, 0u32);
    for step in 0..3_000u32 {
        // A step is ten milliseconds.
        let now = SECOND * 100 + SECOND / 100 * step;
        for (member, asks) in [(0, 30), (1, 4), (2, 1)] {
            admitted += (0..asks).filter(|_| passes(&members[member], key(1), pace, now)).count() as u32;
        }
        if now.as_millis().is_multiple_of(tick.as_millis()) {
            for (member, cursor) in members.iter().zip(&mut cursors) {
                let mut count = 0;
                member.report(cursor, 10, now, |it| count += it.count);
                shared = shared.max(now) + pace.interval() * count;
            }
            members.iter().for_each(|member| _ = member.take(key(1), shared - now, now));
        }
    }
    let fair = 30.0 * 1_000.0 + 100.0;
    assert!((f64::from(admitted) - fair).abs() < fair * 0.03, "{admitted}");
}
