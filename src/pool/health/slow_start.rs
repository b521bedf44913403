//! How much a backend gets that has come back: a little at first, then more and more.
//!
//! The ramp is linear with a floor, as Envoy's slow start has it (aggression 1, `min_weight_percent` 10), and as
//! HAProxy's `slowstart` is. As with HAProxy, it is not for the backends that a process starts with: all would ramp
//! alike.

use std::time::Duration;

/// Its whole weight, in the unit of [`share`].
pub const SHARE_FULL: u32 = 256;

/// What it gets at first: about a tenth.
pub const SHARE_FLOOR: u32 = 26;

/// A ramp is followed in so many steps.
pub const STEPS: u32 = 16;

/// No step is shorter, so that a short ramp does not keep workers busy.
pub const STEP_MIN: Duration = Duration::from_millis(50);

/// The share of its weight that a backend gets which may be used since `up_since`, in 1/256; never 0, and all of it
/// after `slow_start`.
#[must_use]
pub fn share(up_since: Duration, now: Duration, slow_start: Duration) -> u32 {
    let up = now.saturating_sub(up_since);
    if up >= slow_start {
        return SHARE_FULL;
    }
    let share = u128::from(SHARE_FULL) * up.as_nanos() / slow_start.as_nanos();
    u32::try_from(share).unwrap_or(SHARE_FULL).max(SHARE_FLOOR)
}

/// When shares are worth working out again while a backend ramps; none when it has its whole weight.
///
/// The steps of all ramps of a pool fall on the same times, so that a thousand backends that ramp cost as much as one.
#[must_use]
pub fn next_step(up_since: Duration, now: Duration, slow_start: Duration) -> Option<Duration> {
    (share(up_since, now, slow_start) < SHARE_FULL).then(|| {
        let step = (slow_start / STEPS).max(STEP_MIN).as_nanos();
        let next = (now.as_nanos() / step + 1).saturating_mul(step);
        Duration::from_nanos(u64::try_from(next).unwrap_or(u64::MAX))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn it_grows_from_a_tenth_to_all() {
        let at = |seconds| share(100 * SECOND, seconds * SECOND, 64 * SECOND);
        assert_eq!([99, 100, 106, 107, 116, 132, 163, 164, 900].map(at), [26, 26, 26, 28, 64, 128, 252, 256, 256]);
    }

    #[test]
    fn without_slow_start_it_gets_all_at_once() {
        assert_eq!(share(SECOND, SECOND, Duration::ZERO), SHARE_FULL);
        assert_eq!(next_step(SECOND, SECOND, Duration::ZERO), None);
    }

    #[test]
    fn a_thousand_ramps_are_followed_in_the_same_steps() {
        let steps: std::collections::BTreeSet<_> =
            (0..1_000).map(|n| next_step(n * Duration::from_millis(1), SECOND, 32 * SECOND).unwrap()).collect();
        assert_eq!(steps.into_iter().collect::<Vec<_>>(), [2 * SECOND]);
    }

    proptest! {
        #[test]
        fn a_ramp_rises_to_all_in_a_bounded_number_of_steps(up_since in 0u64..1 << 40, slow_start in 0u64..1 << 30) {
            let (up_since, slow_start) = (Duration::from_millis(up_since), Duration::from_millis(slow_start));
            let (mut now, mut last, mut steps) = (up_since, 0, 0);
            while let Some(next) = next_step(up_since, now, slow_start) {
                let share = share(up_since, now, slow_start);
                prop_assert!(next > now && share >= last && (SHARE_FLOOR..SHARE_FULL).contains(&share));
                (now, last, steps) = (next, share, steps + 1);
            }
            prop_assert!(steps <= STEPS + 1);
            prop_assert!(now <= up_since + slow_start + (slow_start / STEPS).max(STEP_MIN));
            prop_assert_eq!(share(up_since, now, slow_start), SHARE_FULL);
        }
    }
}
