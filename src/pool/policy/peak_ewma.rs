use super::{Look, View, next_random, random};

/// The better of two (P2C) by peak-EWMA, as Finagle and linkerd have it: what an exchange would cost is the learnt latency
/// times the exchanges that are before it, for the weight.
pub(super) fn pick(view: &View, look: &impl Look, mut state: u64) -> Option<usize> {
    let first = random::pick(view, look, next_random(&mut state))?;
    let second = other(view, look, first, &mut state);
    match second {
        Some(second) if cost(view, look, second) < cost(view, look, first) => Some(second),
        _ => Some(first),
    }
}

/// Another than `first`, by weight.
fn other(view: &View, look: &impl Look, first: usize, state: &mut u64) -> Option<usize> {
    if view.usable().len() < 2 {
        return None;
    }
    let may = |at: usize| at != first && look.may(at);
    for _ in 0..DRAWS {
        let at = view.draw(next_random(state))?;
        if may(at) {
            return Some(at);
        }
    }
    view.scan(next_random(state), may)
}

fn cost(view: &View, look: &impl Look, at: usize) -> f64 {
    let in_flight = f64::from(look.in_flight(at));
    match look.latency(at) {
        // Nothing is known: the first exchange is welcome, more wait for its end.
        0 if in_flight == 0.0 => 0.0,
        0 => UNKNOWN_NANOS * in_flight,
        nanos => {
            let mean = view.total() as f64 / view.usable().len() as f64;
            nanos as f64 * (1.0 + in_flight * mean / f64::from(view.weight(at)))
        }
    }
}

/// What an exchange at a backend costs from which nothing came back yet: ten seconds.
const UNKNOWN_NANOS: f64 = 10e9;

/// Draws for the second before the rest is looked through.
const DRAWS: u32 = 4;
