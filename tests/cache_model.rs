//! The cache's rules, put together as an exchange puts them together, against a naive cache that knows nothing of them: on
//! random requests, responses, validations, invalidations and purges, at a clock that is moved by hand, both must serve the
//! same response with the same age, or ask for the same.
//!
//! `WEIR_MODEL=100000` makes it so many exchanges.

#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]

#[path = "cache_model/draw.rs"]
mod draw;
#[path = "cache_model/naive.rs"]
mod naive;
#[path = "cache_model/real.rs"]
mod real;
#[path = "cache_model/step.rs"]
mod step;

use draw::Draw;
use naive::Naive;
use real::Real;
use step::{Decision, Kept, Learnt, Outcome, Step};

#[test]
fn it_serves_and_asks_for_what_a_cache_by_the_letter_would() {
    let exchanges = std::env::var("WEIR_MODEL").map_or(EXCHANGES, |text| text.parse().unwrap());
    let mut seen = Seen::default();
    for seed in 0.. {
        let steps = Draw::of(seed).steps(STEPS);
        if let Err(why) = differs(&steps, &mut seen) {
            let steps = shrunk(steps);
            let last = differs(&steps, &mut Seen::default()).err();
            panic!("seed {seed}: {why}\nleast: {steps:#?}\n{}", last.unwrap_or_default());
        }
        if seen.exchanges >= exchanges {
            break;
        }
    }
    println!("{seen:?}");
    let each = [seen.fresh, seen.stale, seen.validated, seen.fetched, seen.saved, seen.not_it];
    let rare = [seen.renewed, seen.outdated];
    let is_met = each.iter().all(|count| count * 400 > seen.exchanges);
    assert!(is_met && rare.iter().all(|count| count * 2000 > seen.exchanges), "some outcome is hardly met: {seen:?}");
}

/// How often each outcome was met: a model that only ever misses agrees with everything.
#[derive(Debug, Default)]
struct Seen {
    exchanges: usize,
    fresh: usize,
    stale: usize,
    validated: usize,
    fetched: usize,
    /// What is stale was served because the backend failed.
    saved: usize,
    /// A 304 was about something else.
    not_it: usize,
    /// A response to HEAD renewed, or outdated, what is stored.
    renewed: usize,
    outdated: usize,
}

/// Where the two differ.
fn differs(steps: &[Step], seen: &mut Seen) -> Result<(), String> {
    let (mut naive, mut real, mut now, mut bodies) = (Naive::default(), Real::new(), START, 0);
    for (at, step) in steps.iter().enumerate() {
        let (expected, found): (Outcome, Outcome) = match step {
            Step::Wait(seconds) => {
                now += seconds;
                continue;
            }
            Step::Purge(what, mode) => {
                naive.purge(what, *mode);
                real.purge(what, *mode);
                continue;
            }
            Step::Ask(request, answer) => {
                bodies += 1;
                let both = (naive.ask(request, answer, now, bodies), real.ask(request, answer, now, bodies));
                now += answer.delay;
                both
            }
        };
        if expected != found {
            return Err(format!("step {at} at {now}: expected {expected:?}\nbut found {found:?}"));
        }
        seen.count(&found);
        let (expected, found): (Vec<Kept>, Vec<Kept>) = (naive.kept(), real.kept());
        if expected != found {
            return Err(format!("step {at} at {now}: expected to be stored {expected:#?}\nbut is {found:#?}"));
        }
    }
    Ok(())
}

impl Seen {
    fn count(&mut self, outcome: &Outcome) {
        self.exchanges += 1;
        match outcome.decision {
            Decision::Fresh => self.fresh += 1,
            Decision::WhileRevalidate | Decision::Stale => self.stale += 1,
            Decision::Validate { .. } => self.validated += 1,
            Decision::Fetch | Decision::Pass => self.fetched += 1,
            Decision::Refuse => {}
        }
        match outcome.learnt {
            Learnt::Nothing => {}
            Learnt::NotIt => self.not_it += 1,
            Learnt::Renewed => self.renewed += 1,
            Learnt::Outdated => self.outdated += 1,
        }
        self.saved += usize::from(matches!(outcome.decision, Decision::Validate { .. }) && outcome.is_saved);
    }
}

/// Leaves out steps as long as the two differ without them.
fn shrunk(mut steps: Vec<Step>) -> Vec<Step> {
    let mut at = 0;
    while at < steps.len() {
        let mut fewer = steps.clone();
        fewer.remove(at);
        match differs(&fewer, &mut Seen::default()) {
            Err(_) => (steps, at) = (fewer, 0),
            Ok(()) => at += 1,
        }
    }
    steps
}

/// Enough to meet each rule many times in a second without optimisation.
const EXCHANGES: usize = 20_000;
/// Steps of one life of a cache.
const STEPS: usize = 60;
/// 2026-11-24
const START: u64 = 1_795_478_400;
