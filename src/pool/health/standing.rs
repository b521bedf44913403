//! What stands for and against a backend, in one word.

use super::slow_start;
use super::{Checked, Ejection};
use std::time::Duration;

/// Whether a backend gets traffic, and why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It gets its whole share.
    Up,
    /// It has come back and gets more and more.
    Ramping,
    /// It has a check, and no probe has ended yet.
    Unchecked,
    /// Its check says no.
    Down,
    /// Exchanges failed; it is out for a while.
    Ejected {
        /// When it comes back.
        until: Duration,
    },
    /// It is being taken out, and gets nothing new.
    Draining,
}

/// All that is known of a backend's health.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// It was asked to leave.
    pub draining: bool,
    /// What its check says; none without one: it counts as up.
    pub checked: Option<Checked>,
    /// The last time it was ejected, over or not.
    pub ejection: Option<Ejection>,
    /// When it came up or was added, if it is to ramp from then; not for those that the process starts with.
    pub up_since: Option<Duration>,
    /// How much of its share is taken for the load that it reports, in 1/256.
    pub eased: u8,
}

impl Standing {
    /// The strongest fact decides: what the operator says, what its check says, what exchanges say.
    #[must_use]
    pub fn of(facts: &Facts, slow_start: Duration, now: Duration) -> Standing {
        match (facts.checked, facts.ejection) {
            _ if facts.draining => Standing::Draining,
            (Some(Checked::Down { .. }), _) => Standing::Down,
            (Some(Checked::Unknown), _) => Standing::Unchecked,
            (_, Some(ejection)) if ejection.holds(now) => Standing::Ejected { until: ejection.until },
            _ if facts.share(slow_start, now) < slow_start::SHARE_FULL => Standing::Ramping,
            _ => Standing::Up,
        }
    }

    /// Whether it gets traffic.
    #[must_use]
    pub fn available(self) -> bool {
        matches!(self, Standing::Up | Standing::Ramping)
    }

    /// As it stands in metrics and in `weir status`.
    #[must_use]
    pub fn label(self) -> &'static str {
        Self::LABELS[self.index()]
    }

    /// Its place in [`Standing::LABELS`].
    #[must_use]
    pub fn index(self) -> usize {
        match self {
            Standing::Up => 0,
            Standing::Ramping => 1,
            Standing::Unchecked => 2,
            Standing::Down => 3,
            Standing::Ejected { .. } => 4,
            Standing::Draining => 5,
        }
    }

    /// All labels.
    pub const LABELS: [&str; 6] = ["up", "ramping", "unchecked", "down", "ejected", "draining"];
}

impl Facts {
    /// The share of its weight that it gets if it is available, in 1/256. One whose ejection ended ramps from then.
    #[must_use]
    pub fn share(&self, slow_start: Duration, now: Duration) -> u32 {
        self.ramps_since().map_or(slow_start::SHARE_FULL, |since| slow_start::share(since, now, slow_start))
    }

    /// What is left of `weight` now, in 1/256 of it; 0 only where `weight` is.
    #[must_use]
    pub fn weighed(&self, weight: u16, slow_start: Duration, now: Duration) -> u32 {
        let left = slow_start::SHARE_FULL - u32::from(self.eased);
        let share = self.share(slow_start, now) * left / slow_start::SHARE_FULL;
        u32::from(weight) * share.max(1)
    }

    /// When its standing or share changes though nothing happens; none if it does not.
    #[must_use]
    pub fn next_change(&self, slow_start: Duration, now: Duration) -> Option<Duration> {
        match Standing::of(self, slow_start, now) {
            Standing::Ejected { until } => Some(until),
            Standing::Ramping => slow_start::next_step(self.ramps_since()?, now, slow_start),
            _ => None,
        }
    }

    fn ramps_since(&self) -> Option<Duration> {
        self.up_since.max(self.ejection.map(|ejection| ejection.until))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Cause;
    use super::*;

    const SLOW: Duration = Duration::from_secs(32);
    const UP: Option<Checked> = Some(Checked::Up { failures: 0 });
    const DOWN: Option<Checked> = Some(Checked::Down { passes: 1 });

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn ejection(until: u64) -> Option<Ejection> {
        Some(Ejection { until: at(until), in_a_row: 1, cause: Cause::Rate })
    }

    fn standing(facts: Facts, now: u64) -> &'static str {
        Standing::of(&facts, SLOW, at(now)).label()
    }

    #[test]
    fn without_a_check_it_is_up_and_with_one_it_waits_for_it() {
        assert_eq!(standing(Facts::default(), 0), "up");
        assert_eq!(standing(Facts { checked: Some(Checked::Unknown), ..Facts::default() }, 0), "unchecked");
        assert_eq!(standing(Facts { checked: UP, ..Facts::default() }, 0), "up");
    }

    #[test]
    fn the_strongest_fact_decides() {
        let all = Facts { draining: true, checked: DOWN, ejection: ejection(50), up_since: Some(at(10)), eased: 0 };
        assert_eq!(standing(all, 20), "draining");
        assert_eq!(standing(Facts { draining: false, ..all }, 20), "down");
        let unchecked = Facts { draining: false, checked: Some(Checked::Unknown), ..all };
        assert_eq!(standing(unchecked, 20), "unchecked");
        let up = Facts { draining: false, checked: UP, ..all };
        assert_eq!(
            [20, 49, 50, 81, 82].map(|now| standing(up, now)),
            ["ejected", "ejected", "ramping", "ramping", "up"]
        );
    }

    #[test]
    fn an_ejection_that_ended_starts_a_ramp_and_so_does_a_check() {
        let facts = Facts { ejection: ejection(50), up_since: Some(at(10)), ..Facts::default() };
        assert_eq!([50, 66, 82].map(|now| facts.share(SLOW, at(now))), [26, 128, 256]);
        let facts = Facts { up_since: Some(at(60)), ..facts };
        assert_eq!([62, 76, 92].map(|now| facts.share(SLOW, at(now))), [26, 128, 256]);
    }

    #[test]
    fn following_its_changes_ends_at_its_whole_share() {
        let facts = Facts { checked: UP, ejection: ejection(50), ..Facts::default() };
        let times: Vec<_> =
            std::iter::successors(facts.next_change(SLOW, at(20)), |now| facts.next_change(SLOW, *now)).collect();
        assert_eq!((times[0], times[1], times.len(), times[16]), (at(50), at(52), 17, at(82)));
        assert_eq!(standing(facts, 82), "up");
        assert_eq!(Facts { checked: DOWN, ..facts }.next_change(SLOW, at(20)), None);
    }

    #[test]
    fn what_a_load_takes_is_taken_from_what_a_ramp_leaves() {
        let half = Facts { eased: 128, ..Facts::default() };
        assert_eq!([0, 1, 3].map(|weight| half.weighed(weight, SLOW, at(20))), [0, 128, 384]);
        let ramping = Facts { up_since: Some(at(10)), ..half };
        assert_eq!(ramping.weighed(1, SLOW, at(26)), 64);
        let least = Facts { eased: 255, up_since: Some(at(20)), ..half };
        assert_eq!(least.weighed(u16::MAX, SLOW, at(20)), u32::from(u16::MAX));
        assert_eq!(standing(Facts { eased: 255, ..Facts::default() }, 20), "up");
    }

    #[test]
    fn each_standing_has_its_own_label_and_two_get_traffic() {
        let ejected = Standing::Ejected { until: at(1) };
        let all = [Standing::Up, Standing::Ramping, Standing::Unchecked, Standing::Down, ejected, Standing::Draining];
        assert_eq!(all.map(Standing::label), Standing::LABELS);
        assert_eq!(all.map(Standing::available), [true, true, false, false, false, false]);
    }
}
