//! Whether a retry can be afforded: retries are a share of requests, so that a pool in trouble is not given several
//! times its load.
//!
//! After Finagle's `RetryBudget` (Kevin Oliver, "Retry Budgets", 2016): each first attempt deposits a part of a retry.
//! There deposits expire; here the balance has a bound instead, and no clock is read.

use super::SHARE_WHOLE;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Retries that a pool can afford before its first request, so that a pool with little traffic can retry at all.
pub const RESERVE_RETRIES: u64 = 10;

/// At most what so many requests deposit is saved up, and the reserve at least. At 20 % these are 500 retries: a
/// backend that dies takes its exchanges in flight with it, and they are all retried at once.
pub const SAVED_REQUESTS_MAX: u64 = 2_500;

/// What a pool may retry; shared between threads.
///
/// However threads meet, retries ≤ share × requests + [`RESERVE_RETRIES`].
#[derive(Debug)]
// A line of its own: each first attempt reads it.
#[repr(align(128))]
pub struct Budget {
    /// In 1/10,000 of an attempt.
    balance: AtomicU64,
    share: u16,
}

impl Budget {
    /// Retries up to `share` of the requests, in 1/10,000. 0 allows none, not even the reserve.
    #[must_use]
    pub fn new(share: u16) -> Budget {
        let reserve = if share == 0 { 0 } else { RESERVE_RETRIES * RETRY };
        Budget { balance: AtomicU64::new(reserve), share }
    }

    /// What it was made with.
    #[must_use]
    pub fn share(&self) -> u16 {
        self.share
    }

    /// A first attempt is made. Only a load while all is saved up that may be, which is how it mostly is.
    #[inline]
    pub fn deposit(&self) {
        // Threads that meet here go over the bound by a part of a retry each.
        if self.balance.load(Relaxed) < self.balance_max() {
            self.balance.fetch_add(u64::from(self.share), Relaxed);
        }
    }

    /// Takes a whole retry, if there is one.
    #[must_use]
    pub fn withdraw(&self) -> bool {
        self.balance.fetch_update(Relaxed, Relaxed, |balance| balance.checked_sub(RETRY)).is_ok()
    }

    /// Whole retries that could be made now.
    #[must_use]
    pub fn balance(&self) -> u64 {
        self.balance.load(Relaxed) / RETRY
    }

    fn balance_max(&self) -> u64 {
        let saved = u64::from(self.share) * SAVED_REQUESTS_MAX;
        if self.share == 0 { 0 } else { saved.max(RESERVE_RETRIES * RETRY) }
    }
}

/// A retry, in the unit of the balance.
const RETRY: u64 = SHARE_WHOLE as u64;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_pool_starts_with_the_reserve() {
        let budget = Budget::new(2_000);
        assert_eq!((0..100).filter(|_| budget.withdraw()).count(), 10);
        (0..5).for_each(|_| budget.deposit());
        assert!(budget.withdraw() && !budget.withdraw(), "five requests make a retry at 20 %");
    }

    #[test]
    fn nothing_is_nothing_and_all_is_all() {
        let none = Budget::new(0);
        none.deposit();
        assert!(!none.withdraw());
        let all = Budget::new(10_000);
        assert!((0..1_000).all(|_| {
            all.deposit();
            all.withdraw()
        }));
    }

    #[test]
    fn what_is_saved_up_is_bounded() {
        for (share, saved) in [(1, 10), (100, 25), (2_000, 500), (10_000, 2_500)] {
            let budget = Budget::new(share);
            (0..100_000).for_each(|_| budget.deposit());
            assert_eq!(budget.balance(), saved, "{share}");
        }
    }

    #[test]
    fn threads_together_keep_to_it() {
        const REQUESTS: u64 = 20_000;
        let budget = Budget::new(1_000);
        let retries: u64 = std::thread::scope(|scope| {
            let work = || {
                (0..REQUESTS)
                    .filter(|_| {
                        budget.deposit();
                        budget.withdraw()
                    })
                    .count() as u64
            };
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(work)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        // Nothing is lost either: the balance never came near its bound.
        assert_eq!(retries + budget.balance(), 4 * REQUESTS / 10 + RESERVE_RETRIES);
    }

    proptest! {
        #[test]
        fn retries_are_a_share_of_requests_and_the_reserve(
            share in 0u16..=10_000, steps in proptest::collection::vec(0u8..4, 0..400)
        ) {
            let budget = Budget::new(share);
            let bound = if share == 0 { 0 } else { RESERVE_RETRIES };
            let (mut requests, mut retries) = (0, 0);
            for step in steps {
                if step == 0 { budget.deposit(); requests += 1 } else if budget.withdraw() { retries += 1 }
                let left = (requests * u64::from(share) + bound * RETRY) / RETRY - retries;
                // 400 requests fill it up only where the share is small.
                prop_assert!(budget.balance() == left || (share < 48 && budget.balance() < left));
                prop_assert!(retries * RETRY <= u64::from(share) * requests + bound * RETRY);
            }
        }
    }
}
