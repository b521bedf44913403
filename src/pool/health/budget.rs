use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

/// What bounds a pool's retries: each first attempt pays a share of one in, each retry takes a whole one out (Finagle's
/// `RetryBudget`). However bad it gets, attempts are at most (1 + share) × exchanges, and `RESERVE` more.
#[derive(Debug)]
pub struct Budget {
    share: i64,
    max: i64,
    balance: AtomicI64,
}

/// Retries that are there before anything was paid in.
const RESERVE: i64 = 10;

/// Exchanges whose shares are saved up at most: enough for a burst of retries when a busy backend dies.
const EXCHANGES_MAX: i64 = 10_000;

/// One retry, in the unit of the balance.
const WHOLE: i64 = 10_000;

impl Budget {
    /// A budget that is paid `share` of a retry for each exchange, in 1/10,000.
    #[must_use]
    pub fn new(share: u16) -> Budget {
        let share = i64::from(share);
        let max = (share * EXCHANGES_MAX).max(RESERVE * WHOLE);
        Budget { share, max, balance: AtomicI64::new(RESERVE * WHOLE) }
    }

    /// An exchange begins. Only a load once it is full.
    pub fn deposit(&self) {
        if self.balance.load(Relaxed) < self.max {
            self.balance.fetch_add(self.share, Relaxed);
        }
    }

    /// Takes one retry, if there is one.
    #[must_use]
    pub fn withdraw(&self) -> bool {
        let take = |balance| (balance >= WHOLE).then_some(balance - WHOLE);
        self.balance.fetch_update(Relaxed, Relaxed, take).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::sync::atomic::AtomicU64;

    #[test]
    fn what_was_saved_up_is_bounded() {
        let budget = Budget::new(2_000);
        (0..100_000).for_each(|_| budget.deposit());
        let retries = (0..100_000).filter(|_| budget.withdraw()).count();
        assert_eq!(retries, 2_000);
    }

    proptest! {
        #[test]
        fn retries_stay_within_the_budget_whatever_the_order(share in 1u16..=10_000, retries: Vec<bool>) {
            let budget = Budget::new(share);
            let (mut paid, mut taken) = (0i64, 0i64);
            for retry in retries {
                if retry {
                    taken += i64::from(budget.withdraw());
                } else {
                    budget.deposit();
                    paid += 1;
                }
                prop_assert!(taken * WHOLE <= paid * i64::from(share) + RESERVE * WHOLE);
            }
        }
    }

    #[test]
    fn threads_together_stay_within_it() {
        let (budget, taken) = (Budget::new(1_000), AtomicU64::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..20_000 {
                        budget.deposit();
                        taken.fetch_add(u64::from(budget.withdraw()), Relaxed);
                    }
                });
            }
        });
        assert!(taken.load(Relaxed) <= 8_000 + RESERVE as u64);
        assert!(taken.load(Relaxed) >= 7_900);
    }
}
