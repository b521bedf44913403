//! When too few backends may be used, the few that are left would be crushed, and the check itself may be what is wrong:
//! then all are used (Envoy's panic threshold). Off unless asked for: a pool that is down says so at once.

use super::Standing;

/// Which backends get traffic. `threshold`: of all that are not draining, in 1/10,000.
#[must_use]
pub fn used(standings: &[Standing], threshold: Option<u16>) -> Vec<bool> {
    let stays = |standing: &&Standing| **standing != Standing::Draining;
    let all = standings.iter().filter(stays).count() as u64;
    let available = standings.iter().filter(|standing| standing.available()).count() as u64;
    let panics = threshold.is_some_and(|threshold| available * WHOLE < all * u64::from(threshold));
    standings.iter().map(|standing| if panics { stays(&standing) } else { standing.available() }).collect()
}

/// The unit of a threshold.
const WHOLE: u64 = 10_000;

#[cfg(test)]
mod tests {
    use super::Standing::*;
    use super::*;

    #[test]
    fn below_the_threshold_all_are_used_but_those_that_drain() {
        let standings = [Up, Down, Unchecked, Draining, Ramping];
        assert_eq!(used(&standings, None), [true, false, false, false, true]);
        assert_eq!(used(&standings, Some(5_000)), [true, false, false, false, true], "2 of 4 are half");
        assert_eq!(used(&standings, Some(5_001)), [true, true, true, false, true]);
        assert_eq!(used(&[Down, Down], None), [false, false]);
        assert_eq!(used(&[Down, Draining], Some(1)), [true, false]);
        assert_eq!(used(&[Draining], Some(10_000)), [false]);
        assert!(used(&[], Some(1)).is_empty());
    }
}
