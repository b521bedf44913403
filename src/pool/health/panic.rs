//! Who is used when few are left: a pool that sends all traffic to its last backends only takes those down, too.
//!
//! After Envoy's panic threshold (architecture overview, "Panic threshold"). It is off unless it is asked for: a pool
//! whose backends are all down then answers 503 at once.

use super::{SHARE_WHOLE, Standing, reaches};

/// One backend of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// Whether it gets traffic as far as health goes.
    pub standing: Standing,
    /// Its weight; without, it gets none in any case.
    pub weight: u16,
}

/// What a pool's choice goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Standings count.
    Normal,
    /// They do not: too few are available.
    Panic,
}

/// Whether less than a share of `threshold` of the members may be used, in 1/10,000. Without a threshold nobody panics.
///
/// Members that are draining, have no weight, or whose first probe has not ended are not counted: a pool that starts
/// has no reason to panic.
#[must_use]
pub fn mode(members: &[Member], threshold: Option<u16>) -> Mode {
    let known = || members.iter().filter(|member| Mode::Panic.uses(member));
    let available = known().filter(|member| Mode::Normal.uses(member)).count() as u64;
    let enough = |share: u16| reaches(available, known().count() as u64, share.min(SHARE_WHOLE));
    match threshold {
        Some(share) if known().next().is_some() && !enough(share) => Mode::Panic,
        _ => Mode::Normal,
    }
}

/// The indices of the members that get traffic.
pub fn usable(members: &[Member], threshold: Option<u16>) -> impl Iterator<Item = usize> {
    let mode = mode(members, threshold);
    members.iter().enumerate().filter(move |(_, member)| mode.uses(member)).map(|(at, _)| at)
}

impl Mode {
    /// Whether a member gets traffic. In panic neither checks nor ejections count; but a backend that no probe has
    /// reached yet may not even be there, and its first one is made at once.
    #[must_use]
    pub fn uses(self, member: &Member) -> bool {
        let known = !matches!(member.standing, Standing::Draining | Standing::Unchecked);
        member.weight > 0 && known && (self == Mode::Panic || member.standing.available())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    const OUT: Standing = Standing::Ejected { until: Duration::MAX };

    fn members(standings: &[Standing]) -> Vec<Member> {
        standings.iter().map(|&standing| Member { standing, weight: 1 }).collect()
    }

    fn used(members: &[Member], threshold: Option<u16>) -> Vec<usize> {
        usable(members, threshold).collect()
    }

    #[test]
    fn below_the_threshold_health_is_ignored() {
        use Standing::{Down, Ramping, Up};
        let pool = members(&[Up, Down, OUT, Ramping, Down]);
        assert_eq!(used(&pool, Some(4_000)), [0, 3], "two of five are enough");
        assert_eq!(used(&pool, Some(4_001)), [0, 1, 2, 3, 4]);
        assert_eq!(used(&pool, None), [0, 3]);
    }

    #[test]
    fn when_all_are_down_nobody_is_used_unless_it_was_asked_for() {
        let pool = members(&[Standing::Down, OUT]);
        assert_eq!(used(&pool, None), [0; 0]);
        assert_eq!(used(&pool, Some(0)), [0; 0]);
        assert_eq!(used(&pool, Some(1)), [0, 1]);
    }

    #[test]
    fn who_drains_has_no_weight_or_is_not_known_yet_neither_counts_nor_is_used() {
        use Standing::{Down, Draining, Unchecked, Up};
        let mut pool = members(&[Up, Draining, Unchecked, Up]);
        pool[3].weight = 0;
        assert_eq!(mode(&pool, Some(10_000)), Mode::Normal);
        assert_eq!(used(&pool, Some(10_000)), [0]);
        pool[0].standing = Down;
        assert_eq!(mode(&pool, Some(1)), Mode::Panic);
        assert_eq!(used(&pool, Some(1)), [0]);
        assert_eq!(mode(&pool[1..], Some(10_000)), Mode::Normal, "nobody is known");
        assert_eq!(mode(&[], Some(10_000)), Mode::Normal);
    }

    fn any_member() -> impl Strategy<Value = Member> {
        use Standing::{Down, Draining, Ramping, Unchecked, Up};
        (prop::sample::select(vec![Up, Ramping, Unchecked, Down, OUT, Draining]), 0u16..3)
            .prop_map(|(standing, weight)| Member { standing, weight })
    }

    proptest! {
        #[test]
        fn panic_adds_backends_and_takes_none_away(
            pool in proptest::collection::vec(any_member(), 0..12), threshold in 0u16..=10_000
        ) {
            let (normal, some) = (used(&pool, None), used(&pool, Some(threshold)));
            prop_assert!(normal.iter().all(|at| some.contains(at)));
            let known = pool.iter().filter(|member| member.weight > 0
                && !matches!(member.standing, Standing::Draining | Standing::Unchecked)).count();
            let panics = normal.len() * 10_000 < known * usize::from(threshold);
            prop_assert_eq!(mode(&pool, Some(threshold)) == Mode::Panic, panics);
            prop_assert_eq!(some.len(), if panics { known } else { normal.len() });
        }
    }
}
