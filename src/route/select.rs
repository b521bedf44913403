use crate::config::{Action, PoolId};

/// What is known of a request when its pool is chosen.
#[derive(Clone, Copy, Debug)]
pub struct Choice {
    /// The method is safe (RFC 9110 §9.2.1).
    pub is_safe: bool,
    /// The client wrote recently: [`super::wrote_recently`].
    pub wrote: bool,
    /// For a split: uniform over all of `u32`. A random number spreads requests; a hash of the client (well mixed in its
    /// high bits) keeps each client with one pool as long as the weights stay.
    pub roll: u32,
}

/// The pool that a request goes to; `None` if the route answers by itself (redirect, fixed response).
#[must_use]
pub fn select_pool(action: &Action, choice: Choice) -> Option<PoolId> {
    match action {
        Action::Pool(pool) => Some(*pool),
        Action::Split(shares) => share(shares, choice.roll),
        Action::ReadWrite { read, write, read_your_writes } => {
            let sees_own = choice.wrote && read_your_writes.is_some();
            Some(if choice.is_safe && !sees_own { *read } else { *write })
        }
        Action::Redirect { .. } | Action::Respond { .. } => None,
    }
}

/// The share on which `roll`, scaled to the sum of weights, falls. `None` only if all weights are 0.
fn share(shares: &[(PoolId, u32)], roll: u32) -> Option<PoolId> {
    let total: u64 = shares.iter().map(|&(_, weight)| u64::from(weight)).sum();
    let mut point = (u128::from(roll) * u128::from(total)) >> u32::BITS;
    for &(pool, weight) in shares {
        match point.checked_sub(u128::from(weight)) {
            None => return Some(pool),
            Some(rest) => point = rest,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn choose(action: &Action, is_safe: bool, wrote: bool, roll: u32) -> Option<usize> {
        select_pool(action, Choice { is_safe, wrote, roll }).map(|pool| pool.0)
    }

    #[test]
    fn a_split_gives_each_pool_its_share_and_none_to_a_weight_of_zero() {
        let split = Action::Split(vec![(PoolId(0), 0), (PoolId(1), 95), (PoolId(2), 5), (PoolId(3), 0)]);
        let mut counts = [0; 4];
        for step in 0..10_000u64 {
            let roll = (step << 32).div_ceil(10_000) as u32;
            counts[choose(&split, true, false, roll).unwrap()] += 1;
        }
        assert_eq!(counts, [0, 9500, 500, 0]);
        assert_eq!((choose(&split, true, false, 0), choose(&split, true, false, u32::MAX)), (Some(1), Some(2)));
        let huge = Action::Split(vec![(PoolId(0), u32::MAX), (PoolId(1), u32::MAX)]);
        assert_eq!(choose(&huge, true, false, u32::MAX), Some(1));
    }

    #[test]
    fn reads_go_to_the_read_pool_unless_their_client_wrote_recently() {
        let with = |ttl| Action::ReadWrite { read: PoolId(0), write: PoolId(1), read_your_writes: ttl };
        let (plain, own) = (with(None), with(Some(Duration::from_secs(5))));
        for (action, is_safe, wrote, expected) in [
            (&plain, true, false, 0),
            (&plain, true, true, 0),
            (&plain, false, false, 1),
            (&own, true, false, 0),
            (&own, true, true, 1),
            (&own, false, false, 1),
        ] {
            assert_eq!(choose(action, is_safe, wrote, 0), Some(expected));
        }
    }
}
