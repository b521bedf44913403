use super::{Look, View, random};

/// The better of two (P2C) by peak-EWMA, as Finagle and linkerd have it: what an exchange would cost is the learnt latency
/// times the exchanges that are before it, for the weight.
///
/// Weights count in the draw already: between two that cost about the same it decides, so that noise does not make them equal.
pub(super) fn pick(view: &View, look: &impl Look, mut state: u64) -> Option<usize> {
    let first = random::draw(view, &mut state, |at| look.may(at))?;
    if view.usable().len() < 2 {
        return Some(first);
    }
    let second = random::draw(view, &mut state, |at| at != first && look.may(at));
    let is_better = |second: &usize| cost(view, look, *second) * MARGIN < cost(view, look, first);
    second.filter(is_better).or(Some(first))
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

/// By how much the second must be better. Simulated: with weights 1, 2 and 5, one exchange at a time, and latencies that differ
/// by 5 %, shares are 0.26, 0.36, 0.38 with a margin of 1, and the weights' own with this. Beside one of four that is ten times
/// slower the p99 is the same up to two fifths of the load that all can bear, and 8 % more from there on.
const MARGIN: f64 = 1.25;
