//! Whose turn it is: numbers that were called and did not come in yet. Nobody else may have their places.

use std::collections::BTreeMap;
use std::time::Duration;

#[derive(Debug, Default)]
pub(super) struct Calls {
    by_number: BTreeMap<u64, Call>,
    /// When those who did not come were last looked for.
    swept: Duration,
    arrivals: Arrivals,
}

/// How those who are called come.
#[derive(Clone, Copy, Debug)]
struct Arrivals {
    /// Seconds from a call to the first knock, on average.
    delay: f64,
    /// How many of those who are called come soon.
    share: f64,
}

#[derive(Clone, Copy, Debug)]
struct Call {
    /// When it was called.
    at: Duration,
    /// When its holder last asked since then, and could not be let in.
    knocked: Option<Duration>,
    learns: Learns,
}

/// What is learnt when it knocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Learns {
    /// That one who was called came.
    Came,
    /// That one came after all, who was not expected any more.
    CameLate,
    /// Nothing more: it knocked before. Those of before a restart may have come in then.
    Nothing,
}

impl Calls {
    /// How many places are kept.
    pub(super) fn len(&self) -> usize {
        self.by_number.len()
    }

    pub(super) fn numbers(&self) -> impl Iterator<Item = u64> {
        self.by_number.keys().copied()
    }

    pub(super) fn add(&mut self, number: u64, now: Duration) {
        self.by_number.insert(number, Call { at: now, knocked: None, learns: Learns::Came });
    }

    /// After a restart.
    pub(super) fn add_recovered(&mut self, number: u64, now: Duration) {
        self.by_number.insert(number, Call { at: now, knocked: None, learns: Learns::Nothing });
    }

    pub(super) fn has(&self, number: u64) -> bool {
        self.by_number.contains_key(&number)
    }

    /// It comes in; `false` if it was not called.
    pub(super) fn take(&mut self, number: u64, now: Duration) -> bool {
        self.came(number, now);
        self.by_number.remove(&number).is_some()
    }

    /// It asks, and cannot be let in yet.
    pub(super) fn knock(&mut self, number: u64, now: Duration) {
        self.came(number, now);
        if let Some(call) = self.by_number.get_mut(&number) {
            call.knocked = Some(now);
        }
    }

    /// Those who are about to come: called not long ago, or at the door.
    pub(super) fn expected(&self, now: Duration) -> usize {
        self.by_number.values().filter(|call| !self.arrivals.is_overdue(call, now)).count()
    }

    /// Seconds from a call to the first knock, on average.
    pub(super) fn delay(&self) -> f64 {
        self.arrivals.delay
    }

    /// How many are to be called so that `wanted` come.
    pub(super) fn for_so_many(&self, wanted: f64) -> f64 {
        wanted / self.arrivals.share
    }

    /// Lets go of those who do not come; how many. Now and then.
    pub(super) fn lapse(&mut self, now: Duration) -> u64 {
        self.lapsed(now, CLAIM).len() as u64
    }

    /// Lets go of those who do not come within `claim`; which. Now and then.
    pub(super) fn lapsed(&mut self, now: Duration, claim: Duration) -> Vec<u64> {
        if now < self.swept + SWEEP {
            return Vec::new();
        }
        self.swept = now;
        for call in self.by_number.values_mut() {
            if call.learns == Learns::Came && self.arrivals.is_overdue(call, now) {
                call.learns = Learns::CameLate;
                self.arrivals.missed();
            }
        }
        self.by_number
            .extract_if(.., |_, call| now > call.knocked.unwrap_or(call.at) + claim)
            .map(|(it, _)| it)
            .collect()
    }

    /// Learns from the first knock of one who was called.
    fn came(&mut self, number: u64, now: Duration) {
        let Some(call) = self.by_number.get_mut(&number) else { return };
        let learns = std::mem::replace(&mut call.learns, Learns::Nothing);
        match learns {
            Learns::Came => self.arrivals.came(now.saturating_sub(call.at).as_secs_f64()),
            Learns::CameLate => self.arrivals.was_not_missed(),
            Learns::Nothing => {}
        }
    }
}

impl Default for Arrivals {
    fn default() -> Self {
        Arrivals { delay: 0.5, share: 1.0 }
    }
}

impl Arrivals {
    fn came(&mut self, delay: f64) {
        self.delay += (delay.clamp(0.1, 5.0) - self.delay) * WEIGHT;
        self.share += (1.0 - self.share) * WEIGHT;
    }

    fn was_not_missed(&mut self) {
        self.share = (self.share / (1.0 - WEIGHT)).min(1.0);
    }

    fn missed(&mut self) {
        self.share = (self.share * (1.0 - WEIGHT)).max(0.1);
    }

    fn is_overdue(&self, call: &Call, now: Duration) -> bool {
        match call.knocked {
            Some(knocked) => now > knocked + DUE,
            None => call.learns != Learns::Came || now > call.at + Duration::from_secs_f64(self.delay * 2.0) + SLACK,
        }
    }
}

/// How long whoever is called may take to come. The page comes back much sooner.
pub(super) const CLAIM: Duration = Duration::from_secs(30);

/// After so long without a knock, one who was at the door is likely not to come again: the page comes back after a second.
const DUE: Duration = Duration::from_secs(2);

/// So much later than twice the average, one who was called is likely not to come.
const SLACK: Duration = Duration::from_millis(500);

/// How much the last one who came counts.
const WEIGHT: f64 = 1.0 / 64.0;

/// How often those who did not come are looked for.
const SWEEP: Duration = Duration::from_millis(250);

/// Places that are kept at once, so that what is written for a restart stays small.
pub(super) const CALLS_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn a_place_is_kept_for_its_time() {
        let mut calls = Calls::default();
        calls.add(1, at(0));
        calls.add(2, at(0));
        assert_eq!((calls.len(), calls.expected(at(1500)), calls.expected(at(1501))), (2, 2, 0));
        calls.knock(2, at(20_000));
        assert_eq!((calls.expected(at(22_000)), calls.expected(at(22_001))), (1, 0));
        assert_eq!(calls.lapse(at(30_001)), 1);
        assert!(!calls.has(1) && calls.has(2));
        assert!(!calls.take(1, at(31_000)) && calls.take(2, at(31_000)) && !calls.take(2, at(31_000)));
    }

    #[test]
    fn those_of_before_a_restart_are_kept_and_not_expected() {
        let mut calls = Calls::default();
        calls.add_recovered(5, at(1000));
        assert_eq!((calls.expected(at(1000)), calls.len()), (0, 1));
        assert!(calls.take(5, at(1100)));
    }

    #[test]
    fn more_are_called_where_some_do_not_come_or_take_long() {
        let mut calls = Calls::default();
        assert_eq!((calls.delay(), calls.for_so_many(50.0)), (0.5, 50.0));
        for number in 0..1000 {
            calls.add(number, at(number * 2000));
            if number % 2 == 0 {
                calls.knock(number, at(number * 2000 + 1000));
                calls.take(number, at(number * 2000 + 1000));
            }
            calls.lapse(at(number * 2000 + 1900));
        }
        assert!((0.99..=1.0).contains(&calls.delay()), "{}", calls.delay());
        assert!((95.0..105.0).contains(&calls.for_so_many(50.0)), "{}", calls.for_so_many(50.0));
    }
}
