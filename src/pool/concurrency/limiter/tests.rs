use super::*;

const RULES: Rules = Rules { min: 2, max: 100, tolerance: 125 };
const LATENCY: Duration = Duration::from_millis(10);

fn at(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// As many as may come in, one after the other.
fn fill(limiter: &Limiter, now: Duration) -> Vec<Ticket> {
    std::iter::from_fn(|| limiter.enter(now)).collect()
}

#[test]
fn no_more_come_in_than_the_limit_says() {
    let limiter = Limiter::new(RULES, Some(3), at(0));
    assert_eq!(fill(&limiter, at(0)).len(), 3);
    assert!(!limiter.has_room(at(0)));
    limiter.leave();
    assert!(limiter.has_room(at(0)) && limiter.enter(at(0)).is_some() && limiter.in_flight() == 3);
}

#[test]
fn a_cohort_is_judged_when_its_last_has_ended() {
    let limiter = Limiter::new(RULES, Some(20), at(0));
    // 160 and those that come until the tenth of a second is over.
    let mut tickets = Vec::new();
    for millis in (0..=100).step_by(10) {
        for _ in 0..20 {
            tickets.push(limiter.enter(at(millis)).unwrap());
        }
        (0..20).for_each(|_| limiter.leave());
    }
    assert_eq!(tickets.iter().filter(|ticket| ticket.cohort == Some(0)).count(), 201);
    let last = tickets.remove(200);
    let changes = tickets.iter().filter(|ticket| limiter.answered(**ticket, LATENCY, at(110))).count();
    assert_eq!((changes, limiter.limit()), (0, 20));
    assert!(!limiter.answered(last, LATENCY, at(120)) && limiter.unloaded().is_some(), "judged, and not full often");
    assert_eq!(limiter.enter(at(120)).unwrap().cohort, Some(1));
}

#[test]
fn the_last_of_a_cohort_are_not_waited_for_for_ever() {
    let limiter = Limiter::new(RULES, Some(20), at(0));
    let mut tickets = Vec::new();
    for n in 0..160 {
        tickets.push(limiter.enter(at(n)).unwrap());
        limiter.leave();
    }
    assert!(limiter.enter(at(200)).unwrap().cohort.is_none());
    for ticket in &tickets[..150] {
        limiter.answered(*ticket, LATENCY, at(300));
    }
    assert!(limiter.unloaded().is_none());
    limiter.lost(tickets[150], at(658));
    assert!(limiter.unloaded().is_none());
    limiter.lost(tickets[151], at(659));
    assert!(limiter.unloaded().is_some());
    // Those that end then are of no cohort any more.
    limiter.answered(tickets[152], Duration::from_secs(9), at(800));
    assert_eq!(limiter.sums.ended(), 0);
}

#[test]
fn who_waits_for_a_backend_that_answers_nobody_is_let_in_slowly_and_not_without_bound() {
    let limiter = Limiter::new(RULES, None, at(0));
    let mut now = 0;
    let mut inside = fill(&limiter, at(now)).len();
    assert_eq!(inside, 8);
    while now < 600_000 {
        now += 50;
        inside += usize::from(limiter.has_room(at(now))) * fill(&limiter, at(now)).len();
        assert!(inside <= 8 || now >= 4_000);
    }
    assert!((32..=64).contains(&inside), "{inside}");
}

#[test]
fn a_probe_that_lets_nobody_in_ends_by_itself() {
    let limiter = Limiter::new(Rules { max: 40, ..RULES }, Some(40), at(0));
    let mut now = 0;
    // Each time one is answered another comes in.
    let mut inside = std::collections::VecDeque::from(fill(&limiter, at(0)));
    while limiter.patience.load(Relaxed) == 0 {
        now += 1;
        limiter.leave();
        limiter.answered(inside.pop_front().unwrap(), LATENCY, at(now));
        if limiter.patience.load(Relaxed) == 0 {
            inside.extend(fill(&limiter, at(now)));
        }
        assert!(now < 30_000, "no probe");
    }
    // Now it is silent, with as many as it had before.
    let (before, half) = (limiter.sustainable(), limiter.limit());
    assert!(half <= before / 2 + 1);
    limiter.in_flight.store(before, Relaxed);
    assert!(!limiter.has_room(at(now)) && !limiter.has_room(at(now + 230)));
    limiter.in_flight.store(before - 1, Relaxed);
    assert!(limiter.has_room(at(now + 300)) && limiter.limit() == before);
}

#[test]
fn threads_together_keep_to_the_limit() {
    let limiter = Limiter::new(Rules { min: 5, max: 5, tolerance: 125 }, None, at(0));
    let most = AtomicU32::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for n in 0..5_000 {
                    let Some(ticket) = limiter.enter(at(n / 10)) else { continue };
                    most.fetch_max(limiter.in_flight(), Relaxed);
                    limiter.leave();
                    limiter.answered(ticket, LATENCY, at(n / 10));
                }
            });
        }
    });
    assert!(most.load(Relaxed) <= 5 && limiter.in_flight() == 0);
}
