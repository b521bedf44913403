//! Numbers that members give out without asking each other: in the order of time, and each only once.

use std::time::Duration;

/// Gives out numbers: when, in ticks of 2⁻¹⁶ s, and by whom.
#[derive(Debug)]
pub(super) struct Issuer {
    who: u16,
    last: u64,
}

impl Issuer {
    pub(super) fn new(who: u16) -> Issuer {
        Issuer { who, last: 0 }
    }

    pub(super) fn who(&self) -> u16 {
        self.who
    }

    /// The last that was given out.
    pub(super) fn last(&self) -> u64 {
        self.last
    }

    /// The next, at `unix` of the clock that all share. They go up even if that does not.
    pub(super) fn give(&mut self, unix: Duration) -> u64 {
        let ticks = ticks(unix).max((self.last >> WHO_BITS) + 1);
        self.last = ticks << WHO_BITS | u64::from(self.who);
        self.last
    }
}

/// Who gave a number out; those that a room gave out by itself, before it was shared, are of one of their own.
pub(super) fn issuer(number: u64) -> u32 {
    if number < FIRST { OWN } else { (number & WHO_MASK) as u32 }
}

/// When it was given out.
pub(super) fn unix(number: u64) -> Duration {
    let ticks = number >> WHO_BITS;
    let nanos = (u128::from(ticks) * 1_000_000_000) >> TICK_BITS;
    BEGIN + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

fn ticks(unix: Duration) -> u64 {
    let ticks = (unix.saturating_sub(BEGIN).as_nanos() << TICK_BITS) / 1_000_000_000;
    u64::try_from(ticks).unwrap_or(TICKS_MAX).clamp(FIRST >> WHO_BITS, TICKS_MAX)
}

/// Whose numbers those of a room are that it gave out by itself.
pub(super) const OWN: u32 = 1 << WHO_BITS;

/// The first that members can give out.
pub(super) const FIRST: u64 = 1 << 32;

const WHO_BITS: u32 = 16;
const WHO_MASK: u64 = (1 << WHO_BITS) - 1;
const TICK_BITS: u32 = 16;

/// The year 2060.
const TICKS_MAX: u64 = (1 << 46) - 1;

/// The year 2026.
const BEGIN: Duration = Duration::from_secs(1_767_225_600);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_up_with_time_and_without_it() {
        let mut issuer = Issuer::new(7);
        let now = BEGIN + Duration::from_secs(1_000_000);
        let first = issuer.give(now);
        let second = issuer.give(now);
        let back = issuer.give(now - Duration::from_secs(9));
        assert!(first < second && second < back && back < issuer.give(now + Duration::from_millis(1)));
        assert_eq!((super::issuer(first), issuer.who()), (7, 7));
        assert!(now - unix(first) < Duration::from_micros(16), "{:?}", unix(first));
        assert!(Issuer::new(9).give(now + Duration::from_millis(1)) > back);
    }

    #[test]
    fn two_give_out_no_number_twice_and_none_that_a_room_had_by_itself() {
        let (mut one, mut other) = (Issuer::new(1), Issuer::new(2));
        for at in [Duration::ZERO, BEGIN, BEGIN + Duration::from_secs(1 << 28), Duration::MAX] {
            let (a, b) = (one.give(at), other.give(at));
            assert!(a != b && a >= FIRST && b >= FIRST && a < 1 << 62);
        }
        assert_eq!(issuer(77), OWN);
    }
}
