//! A backend that came up gets a share of its weight that grows, so that its caches and its compiler can warm up
//! (HAProxy's `slowstart`, Envoy's slow start mode).

use std::time::Duration;

/// All of a weight, in the unit of [`share`].
pub const WHOLE: u32 = 256;

/// How often a share that grows is looked at.
pub const STEP: Duration = Duration::from_millis(100);

/// What a backend begins with: about a tenth.
const FIRST: u32 = WHOLE / 10;

/// The share, in 1/[`WHOLE`], of a backend that is up `since` then; linear over `ramp`, never 0.
#[must_use]
pub fn share(since: Duration, now: Duration, ramp: Duration) -> u32 {
    let up = now.saturating_sub(since);
    if up >= ramp {
        return WHOLE;
    }
    let grown = u128::from(WHOLE - FIRST) * up.as_nanos() / ramp.as_nanos();
    FIRST + u32::try_from(grown).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const S: fn(u64) -> Duration = Duration::from_secs;

    #[test]
    fn a_share_begins_at_a_tenth_and_ends_whole() {
        assert_eq!(share(S(10), S(10), S(30)), FIRST);
        assert_eq!(share(S(10), S(25), S(30)), FIRST + (WHOLE - FIRST) / 2);
        assert_eq!(share(S(10), S(40), S(30)), WHOLE);
        assert_eq!(share(S(10), S(10), S(0)), WHOLE, "no slow start");
    }

    proptest! {
        #[test]
        fn a_share_never_shrinks_nor_leaves_its_bounds(since in 0u64..9_000, a in 0u64..99_000, b in 0u64..99_000, ramp in 0u64..50_000) {
            let of = |now| share(Duration::from_millis(since), Duration::from_millis(now), Duration::from_millis(ramp));
            prop_assert!(of(a.min(b)) <= of(a.max(b)));
            prop_assert!((FIRST..=WHOLE).contains(&of(a)));
        }
    }
}
