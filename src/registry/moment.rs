use std::time::Duration;

/// A moment in microseconds from the start of this process, or before it: another process may have heard of a lease by then.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(i64);

/// What two clocks show at once: that of this process, and one that a fleet agrees on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clocks {
    /// Since the start of this process.
    pub now: Duration,
    /// Since the Unix epoch, as the fleet counts: by the clock of what its members speak through, best of all.
    pub unix: Duration,
}

impl Moment {
    /// Before all others.
    pub const LONG_AGO: Moment = Moment(i64::MIN);

    /// Counted from the start of this process.
    #[must_use]
    pub fn at(now: Duration) -> Moment {
        Moment(micros(now))
    }

    /// What another member calls by that time of the fleet; no later than now, whatever its clock says.
    #[must_use]
    pub fn of_fleet(unix: Duration, clocks: Clocks) -> Moment {
        let ago = micros(clocks.unix).saturating_sub(micros(unix)).max(0);
        Moment(micros(clocks.now).saturating_sub(ago))
    }

    /// As the fleet counts.
    #[must_use]
    pub fn to_fleet(self, clocks: Clocks) -> Duration {
        let ago = micros(clocks.now).saturating_sub(self.0);
        duration(micros(clocks.unix).saturating_sub(ago))
    }

    /// That much later, from the start of this process; the start itself if it is earlier.
    #[must_use]
    pub fn plus(self, time: Duration) -> Duration {
        duration(self.0.saturating_add(micros(time)))
    }

    /// How long ago that is.
    #[must_use]
    pub fn ago(self, now: Duration) -> Duration {
        duration(micros(now).saturating_sub(self.0))
    }
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

/// Nothing for what is negative.
fn duration(micros: i64) -> Duration {
    Duration::from_micros(u64::try_from(micros).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_same_whichever_clock_tells_it_and_never_in_the_future() {
        let (secs, ms) = (Duration::from_secs, Duration::from_millis);
        let clocks = Clocks { now: secs(5), unix: secs(1_000_000) };
        // Seven seconds ago this process was not there yet.
        let before = Moment::of_fleet(secs(999_993), clocks);
        assert_eq!(
            (before.to_fleet(clocks), before.ago(secs(5)), before.plus(secs(10))),
            (secs(999_993), secs(7), secs(8))
        );
        assert_eq!((before.plus(secs(1)), before < Moment::at(Duration::ZERO)), (Duration::ZERO, true));
        assert_eq!(Moment::of_fleet(secs(1_000_060), clocks), Moment::at(secs(5)));
        assert_eq!(Moment::at(ms(1_500)).to_fleet(clocks), ms(999_996_500));
        let extreme = Clocks { now: Duration::ZERO, unix: Duration::MAX };
        assert_eq!(Moment::of_fleet(Duration::ZERO, extreme).plus(Duration::MAX), Duration::ZERO);
    }
}
