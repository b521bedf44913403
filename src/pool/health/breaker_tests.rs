use super::*;
use proptest::prelude::*;
use std::sync::atomic::AtomicUsize;

const RULES: BreakerRules = BreakerRules {
    failure_rate: 5_000,
    window: Duration::from_secs(10),
    requests_min: 10,
    open: Duration::from_secs(5),
    probes: 3,
};

const NOW: Duration = Duration::from_secs(1_000);

fn after(millis: u64) -> Duration {
    NOW + Duration::from_millis(millis)
}

/// One that has opened at `NOW`.
fn opened() -> Breaker {
    let breaker = Breaker::new(RULES);
    assert_eq!((0..20).filter(|_| breaker.failed(NOW, false)).count(), 1, "it opens once");
    breaker
}

#[test]
fn it_opens_when_enough_exchanges_failed_often_enough() {
    let breaker = Breaker::new(RULES);
    for n in 0..5 {
        assert_eq!(breaker.admit(NOW), Admit::Pass);
        breaker.succeeded(NOW, false);
        assert_eq!(breaker.failed(NOW, false), n == 4);
    }
    assert_eq!(breaker.state(), State::Open { until: after(5_000) });
    assert_eq!(breaker.admit(after(1_000)), Admit::Refuse { retry_after: Duration::from_secs(4) });
}

#[test]
fn it_stays_closed_below_the_rate_or_without_one() {
    let well = Breaker::new(RULES);
    let off = Breaker::new(BreakerRules { failure_rate: 0, ..RULES });
    for n in 0..1_000 {
        assert_eq!((well.admit(after(n)), off.admit(after(n))), (Admit::Pass, Admit::Pass));
        well.succeeded(after(n), false);
        assert!(n % 2 == 0 || !well.failed(after(n), false));
        assert!(!off.failed(after(n), false));
    }
}

#[test]
fn a_few_on_trial_close_it_when_all_succeed() {
    let breaker = opened();
    let admits: Vec<_> = (0..4).map(|_| breaker.admit(after(5_000))).collect();
    let refused = Admit::Refuse { retry_after: RULES.open };
    assert_eq!(admits, [Admit::Trial, Admit::Trial, Admit::Trial, refused]);
    breaker.succeeded(after(5_100), true);
    breaker.succeeded(after(5_100), true);
    assert_eq!(breaker.admit(after(5_100)), Admit::Refuse { retry_after: Duration::from_millis(4_900) });
    breaker.succeeded(after(5_100), true);
    assert_eq!((breaker.state(), breaker.admit(after(5_100))), (State::Closed, Admit::Pass));
    assert!(!(0..9).any(|_| breaker.failed(after(5_100), false)), "it begins anew");
    assert!(breaker.failed(after(5_100), false));
}

#[test]
fn one_that_fails_opens_it_again() {
    let breaker = opened();
    assert_eq!((breaker.admit(after(5_000)), breaker.admit(after(5_000))), (Admit::Trial, Admit::Trial));
    breaker.succeeded(after(5_500), true);
    assert!(breaker.failed(after(6_000), true));
    assert!(!breaker.failed(after(6_500), true), "it is open already");
    assert_eq!(breaker.state(), State::Open { until: after(11_000) });
    breaker.succeeded(after(6_500), true);
    assert_eq!(breaker.state(), State::Open { until: after(11_000) });
}

#[test]
fn what_was_let_through_before_it_opened_changes_nothing() {
    let breaker = opened();
    assert_eq!(breaker.admit(after(5_000)), Admit::Trial);
    let before = breaker.state();
    breaker.succeeded(after(5_000), false);
    assert!(!breaker.failed(after(5_000), false));
    breaker.forget(false);
    assert_eq!(breaker.state(), before);
}

#[test]
fn trials_that_nobody_reports_hold_it_up_for_a_while_only() {
    let breaker = opened();
    assert!((0..3).all(|_| breaker.admit(after(5_000)) == Admit::Trial));
    breaker.succeeded(after(5_000), true);
    assert_eq!(breaker.admit(after(9_999)), Admit::Refuse { retry_after: Duration::from_millis(1) });
    assert_eq!((breaker.admit(after(10_000)), breaker.admit(after(10_000))), (Admit::Trial, Admit::Trial));
    assert!(matches!(breaker.admit(after(10_000)), Admit::Refuse { .. }), "one has succeeded, two are under way");
    breaker.succeeded(after(10_000), true);
    breaker.succeeded(after(10_000), true);
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn the_place_of_a_forgotten_trial_is_taken_at_once() {
    let breaker = opened();
    assert!((0..3).all(|_| breaker.admit(after(5_000)) == Admit::Trial));
    breaker.forget(true);
    assert_eq!(breaker.admit(after(5_000)), Admit::Trial);
    assert!(matches!(breaker.admit(after(5_000)), Admit::Refuse { .. }));
}

#[test]
fn trials_that_end_after_they_were_taken_for_lost_leave_no_more_places_than_there_are() {
    let breaker = opened();
    assert!((0..3).all(|_| breaker.admit(after(5_000)) == Admit::Trial));
    assert_eq!(breaker.admit(after(10_000)), Admit::Trial);
    breaker.succeeded(after(10_000), true);
    breaker.succeeded(after(10_000), true);
    breaker.forget(true);
    let since = after(10_000);
    assert_eq!(breaker.state(), State::HalfOpen { since, admitted: 2, succeeded: 2 });
    assert_eq!(breaker.admit(after(10_000)), Admit::Trial);
    assert!(matches!(breaker.admit(after(10_000)), Admit::Refuse { .. }));
}

#[test]
fn the_number_of_trials_has_bounds() {
    let probes = |probes| Breaker::new(BreakerRules { probes, ..RULES }).rules().probes;
    assert_eq!([0, 1, PROBES_MAX, u32::MAX].map(probes), [1, 1, PROBES_MAX, PROBES_MAX]);
}

#[test]
fn threads_share_the_trials() {
    for _ in 0..50 {
        let (breaker, trials) = (opened(), AtomicUsize::new(0));
        let ask = || (0..50).filter(|_| breaker.admit(after(5_000)) == Admit::Trial).count();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| trials.fetch_add(ask(), Relaxed));
            }
        });
        assert_eq!(trials.into_inner(), 3);
    }
}

#[test]
fn however_threads_report_it_closes_again_when_all_is_well() {
    let (breaker, clock) = (Breaker::new(RULES), AtomicU64::new(0));
    let now = || after(clock.fetch_add(1, Relaxed));
    let run = |thread: u64| {
        for n in 0..20_000 {
            let trial = match breaker.admit(now()) {
                Admit::Refuse { .. } => continue,
                admit => admit == Admit::Trial,
            };
            match (n * 7 + thread) % 5 {
                0 => breaker.succeeded(now(), trial),
                1 => breaker.forget(trial),
                2 => (),
                _ => _ = breaker.failed(now(), trial),
            }
        }
    };
    std::thread::scope(|scope| (0..4).for_each(|thread| _ = scope.spawn(move || run(thread))));
    let end = after(clock.into_inner());
    let closed = (0..).take(8).map(|n| end + RULES.open * n).find(|&now| {
        while breaker.state() != State::Closed && breaker.admit(now) == Admit::Trial {
            breaker.succeeded(now, true);
        }
        breaker.state() == State::Closed
    });
    assert!(closed.is_some_and(|at| at <= end + RULES.open), "{:?}", breaker.state());
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Wait(u64),
    Admit,
    Succeed(usize),
    Fail(usize),
    Forget(usize),
    Lose(usize),
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (0u64..3_000).prop_map(Step::Wait),
        6 => Just(Step::Admit),
        3 => any::<usize>().prop_map(Step::Succeed),
        3 => any::<usize>().prop_map(Step::Fail),
        1 => any::<usize>().prop_map(Step::Forget),
        1 => any::<usize>().prop_map(Step::Lose),
    ]
}

/// What a breaker promises, told by what went in and out only.
#[derive(Default)]
struct Witness {
    /// Half-window and whether it succeeded, of what ended since it last closed.
    ended: Vec<(u64, bool)>,
    opened: Option<Duration>,
    /// When the first trials since it opened were let through, or the first after those that were lost.
    round: Option<Duration>,
    trials: usize,
    good: usize,
}

impl Witness {
    fn sees_admit(&mut self, admit: Admit, now: Duration) -> Result<(), TestCaseError> {
        let Some(opened) = self.opened else {
            prop_assert_eq!(admit, Admit::Pass);
            return Ok(());
        };
        let waits = now < opened + RULES.open;
        let probes = RULES.probes as usize;
        if !waits && self.round.is_none_or(|round| now >= round + RULES.open && self.trials >= probes) {
            (self.round, self.trials) = (Some(now), self.good);
        }
        let full = self.trials >= probes;
        prop_assert_eq!(matches!(admit, Admit::Refuse { .. }), waits || full, "{:?}", admit);
        self.trials += usize::from(admit == Admit::Trial);
        Ok(())
    }

    fn sees_end(&mut self, success: bool, trial: bool, now: Duration) {
        match self.opened {
            None => {
                self.ended.push((now.as_secs() / 5, success));
                let recent = self.ended.iter().filter(|(half, _)| now.as_secs() / 5 - half <= 1);
                let (all, failed) = (recent.clone().count(), recent.filter(|(_, success)| !success).count());
                if !success && all >= 10 && failed * 2 >= all {
                    *self = Witness { opened: Some(now), ..Witness::default() };
                }
            }
            Some(_) if !trial || self.round.is_none() => (),
            Some(_) if !success => *self = Witness { opened: Some(now), ..Witness::default() },
            Some(_) => {
                self.good += 1;
                self.trials = self.trials.max(self.good);
                if self.good == RULES.probes as usize {
                    *self = Witness::default();
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn it_keeps_its_promises_whatever_happens(steps in proptest::collection::vec(any_step(), 0..100)) {
        let (breaker, mut witness, mut now) = (Breaker::new(RULES), Witness::default(), NOW);
        let mut under_way = Vec::new();
        for step in steps {
            match step {
                Step::Wait(millis) => now += Duration::from_millis(millis),
                Step::Admit => {
                    let admit = breaker.admit(now);
                    witness.sees_admit(admit, now)?;
                    if !matches!(admit, Admit::Refuse { .. }) {
                        under_way.push(admit == Admit::Trial);
                    }
                }
                _ if under_way.is_empty() => (),
                Step::Succeed(at) => {
                    let trial = under_way.swap_remove(at % under_way.len());
                    breaker.succeeded(now, trial);
                    witness.sees_end(true, trial, now);
                }
                Step::Fail(at) => {
                    let trial = under_way.swap_remove(at % under_way.len());
                    let was = witness.opened;
                    let opened = breaker.failed(now, trial);
                    witness.sees_end(false, trial, now);
                    prop_assert_eq!(opened, witness.opened != was);
                }
                Step::Forget(at) => {
                    let trial = under_way.swap_remove(at % under_way.len());
                    breaker.forget(trial);
                    witness.trials -= usize::from(trial && witness.trials > witness.good);
                }
                Step::Lose(at) => _ = under_way.swap_remove(at % under_way.len()),
            }
            prop_assert_eq!(breaker.state() == State::Closed, witness.opened.is_none());
        }
        // From wherever it is: nobody waits longer than that.
        let refused = matches!(breaker.admit(now + RULES.open), Admit::Refuse { .. });
        prop_assert!(!refused);
    }

    #[test]
    fn a_state_survives_being_packed(
        millis in 0u64..1 << MILLIS_BITS, admitted in 0..=PROBES_MAX, succeeded in 0..=PROBES_MAX
    ) {
        let since = Duration::from_millis(millis);
        for state in [State::Closed, State::Open { until: since }, State::HalfOpen { since, admitted, succeeded }] {
            prop_assert_eq!(State::unpack(state.pack()), state);
        }
    }
}
