use super::View;

/// Smooth turns by weight: each turn raises every candidate by its weight, takes the highest, and lowers it by the sum, so
/// that shares are exact over a cycle and never bunched (Igor Sysoev, nginx 1.3.1).
///
/// What a backend has saved up stays its own while it may not be used, and whatever else the view does: views that change at
/// each pick leave nobody out.
#[derive(Debug)]
pub(super) struct Turns {
    /// By backend.
    credits: Vec<i64>,
    /// The largest sum of weights that a view had. Credits stay within about that: views where few are usable must not take
    /// away what the others have saved up.
    reach: i64,
    /// By how many turns the cycle is shifted when it begins.
    start: usize,
    began: bool,
}

impl Turns {
    pub(super) fn new(start: usize) -> Turns {
        Turns { credits: Vec::new(), reach: 0, start, began: false }
    }

    /// A new view.
    pub(super) fn refresh(&mut self, view: &View) {
        self.reach = self.reach.max(sum(view));
        self.credits.resize(self.credits.len().max(view.weights().len()), 0);
        for credit in &mut self.credits {
            *credit = (*credit).clamp(-self.reach, self.reach);
        }
        // Until the first turn the cycle is still to begin, however often the first probes change the view.
        if !self.began {
            self.credits.fill(0);
            for _ in 0..self.start % view.usable().len().max(1) {
                let _ = self.next(view, |_| true);
            }
            self.began = false;
        }
    }

    /// Whose turn it is of all that are usable, if he `may`; otherwise of those that may.
    pub(super) fn next(&mut self, view: &View, may: impl Fn(usize) -> bool) -> Option<usize> {
        self.began = true;
        // To ask all of them costs more than the sums: only where the first may not.
        let (mut best, mut highest) = (None, i64::MIN);
        for (at, (credit, weight)) in self.credits.iter_mut().zip(view.weights()).enumerate() {
            *credit += i64::from(*weight);
            if *weight > 0 && *credit > highest {
                (best, highest) = (Some(at), *credit);
            }
        }
        let best = best?;
        if may(best) {
            self.credits[best] -= sum(view);
            return Some(best);
        }
        for (credit, weight) in self.credits.iter_mut().zip(view.weights()) {
            *credit -= i64::from(*weight);
        }
        self.next_of(view, may)
    }

    /// Whose turn it is of those that may. The others save nothing up meanwhile.
    pub(super) fn next_of(&mut self, view: &View, may: impl Fn(usize) -> bool) -> Option<usize> {
        self.began = true;
        let (mut best, mut highest, mut sum) = (None, i64::MIN, 0);
        for (at, (credit, weight)) in self.credits.iter_mut().zip(view.weights()).enumerate() {
            if *weight == 0 || !may(at) {
                continue;
            }
            sum += i64::from(*weight);
            *credit += i64::from(*weight);
            if *credit > highest {
                (best, highest) = (Some(at), *credit);
            }
        }
        self.credits[best?] -= sum;
        best
    }
}

/// Weights are of 32 bits: their sum is far from the end of an `i64`.
fn sum(view: &View) -> i64 {
    i64::try_from(view.total()).unwrap_or(i64::MAX / 2)
}
