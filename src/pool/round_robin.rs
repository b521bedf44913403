/// Smooth weighted round robin: each pick raises every candidate by its weight, takes the highest, and lowers it by the
/// sum; shares are exact over a cycle and never bunched (Igor Sysoev, nginx 1.3.1).
#[derive(Clone, Debug)]
pub struct RoundRobin {
    weights: Vec<i64>,
    current: Vec<i64>,
}

impl RoundRobin {
    /// One weight a backend; 0 is never picked. `start` shifts the cycle, so that workers do not move in step.
    #[must_use]
    pub fn new(weights: &[u16], start: usize) -> RoundRobin {
        let weights: Vec<i64> = weights.iter().map(|&w| i64::from(w)).collect();
        let mut policy = RoundRobin { current: vec![0; weights.len()], weights };
        for _ in 0..start % policy.weights.len().max(1) {
            let _ = policy.pick(|_| true);
        }
        policy
    }

    /// The next backend among those that `may` be used.
    pub fn pick(&mut self, may: impl Fn(usize) -> bool) -> Option<usize> {
        let mut best: Option<usize> = None;
        let mut sum = 0;
        for at in 0..self.weights.len() {
            if self.weights[at] == 0 || !may(at) {
                continue;
            }
            sum += self.weights[at];
            self.current[at] += self.weights[at];
            if best.is_none_or(|best| self.current[at] > self.current[best]) {
                best = Some(at);
            }
        }
        self.current[best?] -= sum;
        best
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn picks_are_spread_and_not_bunched() {
        let mut policy = RoundRobin::new(&[5, 1, 1], 0);
        let picks: Vec<_> = (0..7).filter_map(|_| policy.pick(|_| true)).collect();
        assert_eq!(picks, [0, 0, 1, 0, 2, 0, 0]);
    }

    #[test]
    fn nothing_usable_gives_nothing() {
        assert_eq!(RoundRobin::new(&[], 3).pick(|_| true), None);
        assert_eq!(RoundRobin::new(&[0, 0], 0).pick(|_| true), None);
        assert_eq!(RoundRobin::new(&[1, 1], 0).pick(|_| false), None);
        assert_eq!(RoundRobin::new(&[1, 1], 0).pick(|at| at == 1), Some(1));
    }

    proptest! {
        #[test]
        fn shares_are_exactly_the_weights_over_a_cycle(weights in proptest::collection::vec(0u16..20, 1..12), start in 0usize..9) {
            let sum: usize = weights.iter().map(|&w| usize::from(w)).sum();
            let mut policy = RoundRobin::new(&weights, 0);
            let mut seen = vec![0u16; weights.len()];
            for _ in 0..sum {
                seen[policy.pick(|_| true).unwrap()] += 1;
            }
            prop_assert_eq!(&seen, &weights);
            prop_assert_eq!(RoundRobin::new(&weights, start).pick(|_| true).is_some(), sum > 0);
        }
    }
}
