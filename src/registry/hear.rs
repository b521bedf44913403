//! Leases of which another member of the fleet tells.

use super::leases::{self, Full, Granted, Leases, Rules, Touched};
use super::{Clocks, Lease, Moment, State, Word};
use std::sync::Arc;
use std::time::Duration;

/// What a word of another member does here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Nothing: something later is known of that backend, or the lease is over by now.
    Old,
    /// A lease was granted or renewed.
    Granted(Granted),
    /// A lease was given back; what changes for it.
    GivenBack(Touched),
}

impl Leases {
    /// Takes the word of another member, if it is later than what is known.
    ///
    /// # Errors
    /// [`Full`]: it would be a new lease, and there are too many.
    pub fn hear(&mut self, word: &Word, rules: Rules, clocks: Clocks) -> Result<Heard, Full> {
        let said = Moment::of_fleet(word.said, clocks);
        let (lease, given_back) = (self.leases.get(&word.address), self.given_back.get(&word.address));
        if lease.map(|lease| lease.said).max(given_back.map(|back| back.said)).is_some_and(|known| known >= said) {
            return Ok(Heard::Old);
        }
        let is_there = lease.is_some_and(|lease| !lease.is_draining());
        let Some((wish, by)) = word.granted() else {
            let touched = self.take_back(word.address, word.given_back_at(said), rules, clocks.now);
            self.remember(word, said);
            return Ok(touched.map_or(Heard::Old, Heard::GivenBack));
        };
        // One that is over by now ends what was known before.
        let is_over = said.plus(wish.ttl.unwrap_or(rules.ttl).min(rules.ttl)) <= clocks.now;
        if is_over && !is_there {
            self.remember(word, said);
            return Ok(Heard::Old);
        }
        self.grant(word.address, &wish, &by, rules, (said, clocks.now)).map(Heard::Granted)
    }

    /// There is no lease, and older words that grant one may still come.
    fn remember(&mut self, word: &Word, said: Moment) {
        if self.given_back.len() < Leases::MAX {
            self.given_back.insert(word.address, word.given_back_at(said));
        }
    }

    /// Renews for other members what they granted, where it is `wanted`, until they are heard of again: their words count as before,
    /// and whether such a backend answers is looked at. What changes for the pool.
    pub fn stand_in(&mut self, now: Duration, wanted: impl Fn(&Lease, &Arc<str>) -> bool) -> Touched {
        let mut touched = Touched::Nothing;
        for lease in self.leases.values_mut().filter(|lease| !lease.is_draining()) {
            if lease.by.member.as_ref().is_none_or(|member| !wanted(lease, member)) {
                continue;
            }
            let before = lease.clone();
            (lease.renewed, lease.silent, lease.probed) = (Moment::at(now), false, true);
            lease.state = State::Serving;
            touched = touched.max(leases::touched(&before, lease));
        }
        touched
    }

    /// All that is to be told of leases to a member that knows of none; what this process granted as that of `me`.
    #[must_use]
    pub fn words(&self, pool: &str, me: &Arc<str>, clocks: Clocks) -> Vec<Word> {
        let staying = self.leases.values().filter(|lease| !lease.is_draining());
        let granted = staying.map(|lease| Word::of(pool, lease, me, clocks));
        let given_back =
            self.given_back.iter().map(|(address, at)| Word::of_given_back(pool, *address, *at, me, clocks));
        granted.chain(given_back).filter(|word| word.ends() > clocks.unix).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Registrant, Registration, Says};
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;
    use std::net::SocketAddr;

    const RULES: Rules = Rules { ttl: Duration::from_secs(10), drain: Duration::from_secs(4) };
    const EPOCH: Duration = Duration::from_secs(1_700_000_000);

    /// The fleet's clock is `now` after the epoch; the process is as old as that.
    fn clocks(now: Duration) -> Clocks {
        Clocks { now, unix: EPOCH + now }
    }

    fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn at(n: u8) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, n], 80))
    }

    fn granted(n: u8, said: Duration, ttl: u64) -> Word {
        let says =
            Says::Granted { ttl: secs(ttl), weight: 1, zone: None, load: None, by: "workers".into(), probed: false };
        Word { pool: "p".into(), address: at(n), member: "other".into(), said: EPOCH + said, says }
    }

    fn given_back(n: u8, said: Duration) -> Word {
        Word { says: Says::GivenBack { for_good: false }, ..granted(n, said, 1) }
    }

    /// Those that have not run out, whether that was noticed or not.
    fn present(leases: &Leases, now: Duration) -> BTreeMap<SocketAddr, (Moment, Duration)> {
        let staying = leases.iter().filter(|lease| !lease.is_draining() && lease.ends() > now);
        staying.map(|lease| (lease.address, (lease.said, lease.ends()))).collect()
    }

    #[test]
    fn one_that_registered_elsewhere_is_there_for_as_long_as_it_was_granted() {
        let mut leases = Leases::default();
        let heard = leases.hear(&granted(1, secs(5), 8), RULES, clocks(secs(7))).unwrap();
        assert!(matches!(heard, Heard::Granted(granted) if granted.is_new && granted.touched == Touched::Seats));
        let lease = leases.get(at(1)).unwrap();
        assert_eq!((lease.ends(), lease.by.member.as_deref()), (secs(13), Some("other")));
        assert_eq!(leases.hear(&granted(1, secs(5), 8), RULES, clocks(secs(8))), Ok(Heard::Old));
        assert_eq!(leases.hear(&granted(2, secs(5), 3), RULES, clocks(secs(8))), Ok(Heard::Old), "it is over");
        // As old as it is said to be, also if this process is younger.
        let young = Clocks { now: secs(1), unix: EPOCH + secs(8) };
        let mut others = Leases::default();
        others.hear(&granted(1, secs(5), 8), RULES, young).unwrap();
        assert_eq!(others.get(at(1)).unwrap().ends(), secs(6));
    }

    #[test]
    fn the_later_word_counts_whoever_said_it() {
        let mut leases = Leases::default();
        let here = |leases: &mut Leases, now| {
            leases.put(at(1), &Registration::default(), &Registrant::here("a"), RULES, now).unwrap()
        };
        here(&mut leases, secs(5));
        assert_eq!(leases.hear(&given_back(1, secs(4)), RULES, clocks(secs(6))), Ok(Heard::Old));
        assert_eq!(leases.hear(&given_back(1, secs(6)), RULES, clocks(secs(6))), Ok(Heard::GivenBack(Touched::Seats)));
        assert!(leases.get(at(1)).unwrap().is_draining());
        assert_eq!(leases.hear(&granted(1, secs(5), 8), RULES, clocks(secs(7))), Ok(Heard::Old));
        here(&mut leases, secs(7));
        assert_eq!(leases.get(at(1)).unwrap().state, State::Serving);
        assert_eq!(leases.hear(&given_back(1, secs(6)), RULES, clocks(secs(8))), Ok(Heard::Old));
    }

    #[test]
    fn after_a_restart_any_word_is_later_than_what_was_written_down() {
        let mut before = Leases::default();
        before.put(at(1), &Registration::default(), &Registrant::here("a"), RULES, secs(90)).unwrap();
        let kept = super::super::Lease { said: Moment::LONG_AGO, ..before.get(at(1)).unwrap().clone() };
        let mut leases = Leases::default();
        leases.restore(kept, secs(1));
        // Nor is what was written down told to others as if somebody had said it now.
        assert_eq!(leases.words("p", &"me".into(), clocks(secs(2))), []);
        let young = Clocks { now: secs(2), unix: EPOCH + secs(96) };
        assert_eq!(leases.hear(&given_back(1, secs(93)), RULES, young), Ok(Heard::GivenBack(Touched::Seats)));
    }

    #[test]
    fn who_stands_in_for_a_member_gives_time_and_speaks_no_word() {
        let mut leases = Leases::default();
        for n in [1, 2] {
            leases.hear(&granted(n, secs(5), 8), RULES, clocks(secs(5))).unwrap();
        }
        leases.put(at(3), &Registration::default(), &Registrant::here("a"), RULES, secs(5)).unwrap();
        let stands_in = |leases: &mut Leases, now| {
            leases.stand_in(secs(now), |lease, member| lease.address != at(2) && &**member == "other")
        };
        assert_eq!((stands_in(&mut leases, 9), stands_in(&mut leases, 10)), (Touched::Seats, Touched::Nothing));
        let ends = |leases: &Leases| [1, 2, 3].map(|n| leases.get(at(n)).map(|it| (it.ends(), it.probed)));
        assert_eq!(ends(&leases), [Some((secs(18), true)), Some((secs(13), false)), Some((secs(15), false))]);
        // What the member says of the time since it was heard counts.
        assert_eq!(leases.hear(&given_back(1, secs(7)), RULES, clocks(secs(11))), Ok(Heard::GivenBack(Touched::Seats)));
        assert_eq!((stands_in(&mut leases, 12), leases.get(at(1)).unwrap().is_draining()), (Touched::Nothing, true));
    }

    /// Words at different moments, in a random order, some twice.
    fn words() -> impl Strategy<Value = (Vec<Word>, Vec<Word>)> {
        let word = (0u8..4, any::<bool>(), 1u64..15);
        prop::collection::vec(word, 1..20).prop_flat_map(|words| {
            let said = |i: usize| Duration::from_millis(500 * (i as u64 + 1));
            let word =
                |(i, (n, is_granted, ttl))| if is_granted { granted(n, said(i), ttl) } else { given_back(n, said(i)) };
            let words: Vec<Word> = words.into_iter().enumerate().map(word).collect();
            let twice: Vec<_> = words.iter().chain(&words).cloned().collect();
            (Just(words), Just(twice).prop_shuffle())
        })
    }

    proptest! {
        #[test]
        fn who_heard_the_same_words_has_the_same_leases((words, shuffled) in words(), late in 0u64..10) {
            let clocks = clocks(secs(10 + late));
            let (mut one, mut other) = (Leases::default(), Leases::default());
            for word in &words {
                one.hear(word, RULES, clocks).unwrap();
            }
            for word in &shuffled {
                other.hear(word, RULES, clocks).unwrap();
            }
            prop_assert_eq!(present(&one, clocks.now), present(&other, clocks.now));
            // Which are those of the last word on each.
            let last: BTreeMap<_, _> = words.iter().map(|word| (word.address, word)).collect();
            let wanted = last.values().filter(|word| {
                matches!(word.says, Says::Granted { ttl, .. } if word.said + ttl.min(RULES.ttl) > clocks.unix)
            });
            prop_assert!(present(&one, clocks.now).keys().copied().eq(wanted.map(|word| word.address)));
            // Whoever joins and is told all has them, too.
            let mut joined = Leases::default();
            for word in one.words("p", &"one".into(), clocks) {
                joined.hear(&word, RULES, clocks).unwrap();
            }
            prop_assert_eq!(present(&joined, clocks.now), present(&one, clocks.now));
        }
    }
}
