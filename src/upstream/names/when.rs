use std::time::Duration;

/// A TTL below this is not believed: a name is asked for once a second at most.
pub const TTL_MIN: Duration = Duration::from_secs(1);

/// A TTL above this is not waited for: what was published by mistake is noticed within the hour.
pub const TTL_MAX: Duration = Duration::from_secs(60 * 60);

/// How long after a first failure a name is asked for again; doubled with each further one.
pub const RETRY_MIN: Duration = Duration::from_secs(1);

/// The longest wait after failures.
pub const RETRY_MAX: Duration = Duration::from_secs(60);

/// How long to wait before a name is asked for again.
///
/// After an answer: its `ttl`, between [`TTL_MIN`] and [`TTL_MAX`], and up to a tenth more, so that a server in between has
/// dropped the record by then. After `failures` in a row: from [`RETRY_MIN`] doubled up to [`RETRY_MAX`], less up to a half.
/// Never longer than `every`, and spread over its last tenth, but never below [`TTL_MIN`] after an answer. `random` is
/// uniform over all of `u32`: names that began together do not stay in step.
#[must_use]
pub fn next(ttl: Duration, every: Option<Duration>, failures: u32, random: u32) -> Duration {
    let part = |whole: Duration, of: u32| whole / of * (random >> 16) / u32::from(u16::MAX);
    let (wait, least) = match failures {
        0 => {
            let ttl = ttl.clamp(TTL_MIN, TTL_MAX);
            (ttl + part(ttl, 10), TTL_MIN)
        }
        _ => {
            let retry = RETRY_MIN.saturating_mul(1 << (failures - 1).min(DOUBLINGS_MAX)).min(RETRY_MAX);
            (retry - part(retry, 2), RETRY_MIN / 2)
        }
    };
    let capped = every.map_or(wait, |every| wait.min(every - part(every, 10)));
    capped.max(least)
}

/// Enough for any sensible bound, and no shift beyond the type.
const DOUBLINGS_MAX: u32 = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NONE: u32 = 0;
    const ALL: u32 = u32::MAX;

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_name_is_asked_for_again_when_its_ttl_is_over_and_up_to_a_tenth_later() {
        assert_eq!(next(s(30), None, 0, NONE), s(30));
        assert_eq!(next(s(30), None, 0, ALL), s(33));
    }

    #[test]
    fn a_ttl_is_held_within_bounds() {
        assert_eq!(next(s(0), None, 0, NONE), TTL_MIN);
        assert_eq!(next(s(86_400), None, 0, NONE), TTL_MAX);
    }

    #[test]
    fn the_operators_period_caps_the_ttl_and_does_not_stretch_it() {
        assert_eq!(next(s(300), Some(s(30)), 0, NONE), s(30));
        assert_eq!(next(s(300), Some(s(30)), 0, ALL), s(27));
        assert_eq!(next(s(5), Some(s(30)), 0, NONE), s(5));
    }

    #[test]
    fn failures_wait_twice_as_long_each_time_up_to_a_bound() {
        let waits: Vec<Duration> = (1..=8).map(|failures| next(s(300), None, failures, NONE)).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60].map(s));
        assert_eq!(next(s(300), None, 4, ALL), s(4));
        assert_eq!(next(s(300), Some(s(5)), 9, NONE), s(5));
    }

    proptest! {
        #[test]
        fn the_wait_is_never_nothing_and_never_beyond_a_bound(ttl in 0u64..u64::from(u32::MAX), every in proptest::option::of(1u64..100_000), failures: u32, random: u32) {
            let wait = next(s(ttl), every.map(s), failures, random);
            prop_assert!(wait >= RETRY_MIN / 2);
            prop_assert!(wait <= TTL_MAX + TTL_MAX / 10);
            prop_assert!(every.is_none_or(|every| wait <= s(every)));
            prop_assert!(failures == 0 || wait <= RETRY_MAX);
        }

        #[test]
        fn a_further_failure_never_shortens_the_wait(failures in 1u32..40, random: u32) {
            prop_assert!(next(s(1), None, failures, random) <= next(s(1), None, failures + 1, random));
        }
    }
}
