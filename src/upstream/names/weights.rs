/// The weights of backends, one number each for every address of a target, from the records' weights and the numbers of
/// their targets' addresses.
///
/// RFC 2782: shares follow the weights; 0 among others is for "a very small chance", and 0 for all is no choice at all.
/// A target's share is divided among its addresses. Where neither needs it, weights stay as they are.
pub(super) fn weights(targets: &[(u16, usize)]) -> Vec<u16> {
    let targets = || targets.iter().map(|&(weight, addresses)| (u64::from(weight), addresses.max(1) as u64));
    let all_nothing = targets().all(|(weight, _)| weight == 0);
    let alike = targets().all(|(_, addresses)| Some(addresses) == targets().next().map(|(_, first)| first));
    let mixed = targets().any(|(weight, _)| weight == 0) && !all_nothing;
    let scale = if alike && !mixed { 1 } else { SCALE };
    let share = |(weight, addresses): (u64, u64)| {
        let weight = if all_nothing { 1 } else { weight };
        if alike { weight * scale } else { weight * scale / addresses }
    };
    let highest = targets().map(share).max().unwrap_or(1).max(u64::from(u16::MAX));
    let fit = |share: u64| u16::try_from(share * u64::from(u16::MAX) / highest).unwrap_or(u16::MAX).max(1);
    targets().map(share).map(fit).collect()
}

/// How much heavier the lightest other is than a weight of 0, and how finely shares are divided.
const SCALE: u64 = 100;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn plain_weights_stay_as_they_are() {
        assert_eq!(weights(&[(1, 1), (2, 1), (65_535, 1)]), [1, 2, 65_535]);
        assert_eq!(weights(&[(10, 2), (20, 2)]), [10, 20]);
    }

    #[test]
    fn nothing_for_all_is_the_same_for_all() {
        assert_eq!(weights(&[(0, 1), (0, 1)]), [1, 1]);
        assert_eq!(weights(&[]), [0_u16; 0]);
    }

    #[test]
    fn nothing_among_others_is_the_smallest_share() {
        assert_eq!(weights(&[(0, 1), (1, 1), (3, 1)]), [1, 100, 300]);
        assert_eq!(weights(&[(0, 1), (65_535, 1)]), [1, 65_535]);
    }

    #[test]
    fn a_targets_share_is_divided_among_its_addresses() {
        assert_eq!(weights(&[(1, 2), (1, 1)]), [50, 100]);
        assert_eq!(weights(&[(0, 4), (0, 1)]), [25, 100]);
    }

    proptest! {
        #[test]
        fn every_backend_has_a_share_and_no_order_is_turned_round(targets in proptest::collection::vec((any::<u16>(), 1usize..4), 1..20)) {
            let given = weights(&targets);
            prop_assert_eq!(given.len(), targets.len());
            prop_assert!(given.iter().all(|&weight| weight > 0));
            for (a, &(weight, addresses)) in targets.iter().enumerate() {
                for (b, &(other, others)) in targets.iter().enumerate() {
                    if weight <= other && addresses >= others {
                        prop_assert!(given[a] <= given[b]);
                    }
                }
            }
        }
    }
}
