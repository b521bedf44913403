//! Several limits on one request: the tightest decides, and who is refused by one pays to none.

use super::{Charge, Key, Limiter, Verdict};
use std::time::Duration;

/// One limit that a request must pass.
#[derive(Clone, Copy)]
pub struct Ask<'a> {
    /// The limit.
    pub limiter: &'a Limiter,
    /// The request's key there.
    pub key: Key,
    /// It only counts what it would refuse.
    pub observe: bool,
}

/// What the limits say together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admit {
    /// All let it pass; what each said is in its place.
    Pass,
    /// One refuses it.
    Refuse {
        /// Which: of those that do, the one that does so for the longest.
        at: usize,
        /// For how long, by itself.
        wait: Duration,
        /// Its key shares with others, as the table is full where it belongs.
        is_spill: bool,
    },
}

/// What one limit made of a request that passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Each {
    /// It was not asked.
    Unasked,
    /// It let it pass, and would so many more.
    Passed {
        /// How many.
        left: u64,
        /// What it took.
        charge: Option<Charge>,
    },
    /// It would have refused it, but only observes.
    Observed,
}

/// Judges all but the first, so that a request which one of them refuses costs nothing in the others, then charges all. Of two
/// requests that come at the same moment, one may be refused at its last limit after all: it gets back what it paid before.
///
/// `each` has as many places as there are `asks`; an ask that is none is passed over.
pub fn admit(asks: &[Option<Ask<'_>>], now: Duration, each: &mut [Each]) -> Admit {
    each.fill(Each::Unasked);
    if let Some(refused) = judge(asks, now) {
        return refused;
    }
    for (at, ask) in asks.iter().enumerate() {
        let Some(Ask { limiter, key, observe }) = ask else { continue };
        each[at] = match limiter.charge(*key, now) {
            (Verdict::Pass { left }, charge) => Each::Passed { left, charge },
            (Verdict::Refuse { .. }, _) if *observe => Each::Observed,
            (Verdict::Refuse { wait }, charge) => {
                refund(&asks[..at], &each[..at], now);
                each.fill(Each::Unasked);
                return Admit::Refuse { at, wait, is_spill: charge.is_some_and(|charge| charge.place().is_spill()) };
            }
        };
    }
    Admit::Pass
}

/// The refusal that holds for the longest, if there is any but that of the first limit: to charge that one is to judge it, and
/// nothing was charged before.
fn judge(asks: &[Option<Ask<'_>>], now: Duration) -> Option<Admit> {
    longest(asks, 1, now)?;
    longest(asks, 0, now)
}

/// Of the limits that refuse, without the first `skip`, the first of those that do so for the longest.
fn longest(asks: &[Option<Ask<'_>>], skip: usize, now: Duration) -> Option<Admit> {
    let mut longest = None;
    let enforced = asks.iter().enumerate().filter_map(|(at, ask)| Some((at, ask.as_ref().filter(|ask| !ask.observe)?)));
    for (at, Ask { limiter, key, .. }) in enforced.skip(skip) {
        if let Some((wait, is_spill)) = limiter.refuses(*key, now)
            && longest.is_none_or(|(_, other, _)| wait > other)
        {
            longest = Some((at, wait, is_spill));
        }
    }
    longest.map(|(at, wait, is_spill)| Admit::Refuse { at, wait, is_spill })
}

fn refund(asks: &[Option<Ask<'_>>], each: &[Each], now: Duration) {
    for (ask, each) in asks.iter().zip(each) {
        if let (Some(ask), Each::Passed { charge: Some(charge), .. }) = (ask, each) {
            ask.limiter.refund(*charge, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limit::{Concurrency, Pace, Rates};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
    use std::thread;

    const NOW: Duration = Duration::from_secs(1_000);

    fn rate(count: u32, burst: u32) -> Limiter {
        Limiter::Rate(Pace::new(count, Duration::from_secs(1), burst), Arc::default(), Rates::new(1 << 12, false))
    }

    fn ask(limiter: &Limiter, observe: bool) -> Option<Ask<'_>> {
        Some(Ask { limiter, key: Key::of(5), observe })
    }

    fn left(limiter: &Limiter) -> u64 {
        match limiter.judge(Key::of(5), NOW) {
            (Verdict::Pass { left }, _) => left + 1,
            (Verdict::Refuse { .. }, _) => 0,
        }
    }

    #[test]
    fn the_tightest_decides_and_a_refused_request_costs_nothing_in_the_others() {
        let places = Limiter::Concurrency(4, None, Concurrency::new(1 << 12, false));
        let (wide, tight) = (rate(10, 5), rate(1, 2));
        let asks = [ask(&wide, false), ask(&tight, false), ask(&places, false)];
        let mut each = [Each::Unasked; 3];
        assert_eq!(admit(&asks, NOW, &mut each), Admit::Pass);
        assert!(matches!(each[0], Each::Passed { left: 4, .. }) && matches!(each[1], Each::Passed { left: 1, .. }));
        assert_eq!(admit(&asks, NOW, &mut each), Admit::Pass);
        for _ in 0..100 {
            let refused = admit(&asks, NOW, &mut each);
            assert_eq!(refused, Admit::Refuse { at: 1, wait: Duration::from_secs(1), is_spill: false });
            assert_eq!(each, [Each::Unasked; 3]);
        }
        assert_eq!((left(&wide), left(&tight), left(&places)), (3, 0, 2));
    }

    #[test]
    fn of_those_that_refuse_the_one_that_does_for_the_longest_is_named() {
        let (short, long) = (rate(10, 1), rate(2, 1));
        let asks = [ask(&short, false), ask(&long, false)];
        let mut each = [Each::Unasked; 2];
        assert_eq!(admit(&asks, NOW, &mut each), Admit::Pass);
        let half = Duration::from_millis(500);
        assert_eq!(admit(&asks, NOW, &mut each), Admit::Refuse { at: 1, wait: half, is_spill: false });
    }

    #[test]
    fn what_only_observes_lets_pass_and_says_so() {
        let (watch, wide) = (rate(1, 1), rate(10, 2));
        let asks = [ask(&watch, true), ask(&wide, false)];
        let mut each = [Each::Unasked; 2];
        assert_eq!(admit(&asks, NOW, &mut each), Admit::Pass);
        assert!(matches!(each[0], Each::Passed { .. }));
        assert_eq!(admit(&asks, NOW, &mut each), Admit::Pass);
        assert!(each[0] == Each::Observed && matches!(each[1], Each::Passed { .. }));
        assert!(matches!(admit(&asks, NOW, &mut each), Admit::Refuse { at: 1, .. }));
    }

    #[test]
    fn who_is_not_asked_is_passed_over() {
        let limit = rate(1, 1);
        let mut each = [Each::Observed; 2];
        assert_eq!(admit(&[None, ask(&limit, false)], NOW, &mut each), Admit::Pass);
        assert_eq!(each[0], Each::Unasked);
        assert!(matches!(admit(&[None, ask(&limit, false)], NOW, &mut each), Admit::Refuse { at: 1, .. }));
    }

    /// Two limits, of which now one and now the other is the tighter; what was refused was given back.
    #[test]
    fn on_many_threads_both_limits_hold_and_nothing_is_lost() {
        const THREADS: u64 = 4;
        const BURST: u32 = 10_000;
        let (one, two) = (rate(1, BURST), rate(1, BURST / 2));
        let passed = AtomicU64::new(0);
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    let mut each = [Each::Unasked; 2];
                    for _ in 0..BURST {
                        let asks = [ask(&one, false), ask(&two, false)];
                        if admit(&asks, NOW, &mut each) == Admit::Pass {
                            passed.fetch_add(1, Relaxed);
                        }
                    }
                });
            }
        });
        assert_eq!((passed.load(Relaxed), left(&two)), (u64::from(BURST / 2), 0));
        assert_eq!(left(&one), u64::from(BURST / 2));
    }
}
