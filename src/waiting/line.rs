//! Who waits: one mark a number, from the first that is not called to the last that was given out.

use super::Saved;
use std::collections::VecDeque;
use std::iter::Peekable;
use std::ops::Range;
use std::slice::Iter;
use std::time::Duration;

/// The line. Four bytes a place.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// The number of the first mark.
    front: u64,
    marks: VecDeque<Mark>,
    /// How many are present in each block of [`BLOCK`] numbers, from that of `front` on.
    blocks: VecDeque<u32>,
    present: u32,
    /// Places of which nobody was heard since a restart are not passed over before then.
    holds_until: Duration,
    /// When absent ones were last looked for.
    swept: Duration,
}

/// When a place was last heard of, in seconds; and what that means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark(u32);

/// What is at the front of the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// It is present, and next.
    Number(u64),
    /// It left.
    Left,
    /// It may have been given out just before a restart: it is waited for.
    Held,
    /// Nobody.
    Nobody,
}

impl Line {
    /// A line in which nobody stands, that gives out `next` next.
    pub(super) fn from(next: u64) -> Line {
        Line { front: next, ..Line::default() }
    }

    /// The line after a restart: what was given out for sure waits, unless it had left; what perhaps was is held.
    pub(super) fn recovered(saved: &Saved, now: Duration, holds_until: Duration) -> Line {
        let mut line = Line { front: saved.front_to, holds_until, swept: now, ..Line::default() };
        let (mut gone, mut unheard) = (saved.gone.iter().peekable(), saved.unheard.iter().peekable());
        for number in saved.front_to..saved.next_to {
            let is_in = |ranges: &mut Peekable<Iter<'_, Range<u64>>>| {
                while ranges.next_if(|range| range.end <= number).is_some() {}
                ranges.peek().is_some_and(|range| range.contains(&number))
            };
            line.push(match () {
                () if number >= saved.next || is_in(&mut unheard) => Mark::UNKNOWN,
                () if is_in(&mut gone) => Mark::at(now).confirmed().gone(),
                () => Mark::at(now).confirmed(),
            });
        }
        line
    }

    /// Who left the line; and of whom nobody has heard since a restart, as long as such places are held. No more than
    /// [`GAPS_MAX`] ranges of each.
    pub(super) fn gaps(&self, now: Duration) -> (Vec<Range<u64>>, Vec<Range<u64>>) {
        let (mut gone, mut unheard) = (Vec::new(), Vec::new());
        for (number, mark) in (self.front..).zip(&self.marks).filter(|(_, mark)| mark.is_gone()) {
            let is_held = *mark == Mark::UNKNOWN && now < self.holds_until;
            let ranges = if is_held { &mut unheard } else { &mut gone };
            let has_place = ranges.len() < GAPS_MAX;
            match ranges.last_mut() {
                Some(Range { end, .. }) if *end == number => *end += 1,
                _ if has_place => ranges.push(number..number + 1),
                _ => {}
            }
        }
        (gone, unheard)
    }

    /// The number that is given out next.
    pub(super) fn next(&self) -> u64 {
        self.front + self.marks.len() as u64
    }

    /// The first number that is not called.
    pub(super) fn front(&self) -> u64 {
        self.front
    }

    /// How many are present.
    pub(super) fn present(&self) -> u32 {
        self.present
    }

    /// How many places are remembered.
    pub(super) fn len(&self) -> usize {
        self.marks.len()
    }

    /// A place at the end.
    pub(super) fn give(&mut self, now: Duration) -> u64 {
        let number = self.next();
        self.push(Mark::at(now));
        number
    }

    /// A number that has no place, as it comes in at once: nobody stands in the line. And how many had left it.
    pub(super) fn give_past(&mut self) -> (u64, u64) {
        let (number, left) = (self.next(), self.marks.len() as u64);
        *self = Line { swept: self.swept, ..Line::from(number + 1) };
        (number, left)
    }

    /// Whether there may be places of which nobody was heard since a restart.
    pub(super) fn is_held(&self, now: Duration) -> bool {
        now < self.holds_until && self.marks.contains(&Mark::UNKNOWN)
    }

    /// The holder of a number asks; `false` if it is not in the line.
    pub(super) fn saw(&mut self, number: u64, now: Duration) -> bool {
        let Some(mark) = number.checked_sub(self.front).and_then(|at| self.marks.get_mut(usize::try_from(at).ok()?))
        else {
            return false;
        };
        let was_gone = mark.is_gone();
        *mark = Mark::at(now).confirmed();
        if was_gone {
            self.present += 1;
            *self.block(number) += 1;
        }
        true
    }

    /// How many are present before a number.
    pub(super) fn before(&self, number: u64) -> u32 {
        let number = number.clamp(self.front, self.next());
        let whole = (number / BLOCK).max(self.front / BLOCK);
        let blocks = usize::try_from(whole - self.front / BLOCK).unwrap_or(usize::MAX);
        let sum: u32 = self.blocks.iter().take(blocks).sum();
        let start = (whole * BLOCK).max(self.front);
        let rest = (start - self.front) as usize..(number - self.front) as usize;
        sum + self.marks.range(rest).filter(|mark| !mark.is_gone()).count() as u32
    }

    /// Takes the first place away, unless it is held.
    pub(super) fn call(&mut self, now: Duration, absence: Duration) -> Next {
        let Some(mark) = self.marks.front().copied() else { return Next::Nobody };
        if mark == Mark::UNKNOWN && now < self.holds_until {
            return Next::Held;
        }
        let number = self.front;
        if !mark.is_gone() {
            self.present -= 1;
            *self.block(number) -= 1;
        }
        self.marks.pop_front();
        self.front += 1;
        if self.front.is_multiple_of(BLOCK) {
            self.blocks.pop_front();
        }
        if mark.is_gone() || mark.is_absent(now, absence) { Next::Left } else { Next::Number(number) }
    }

    /// Marks those who left, so that they count no more; now and then.
    pub(super) fn sweep(&mut self, now: Duration, absence: Duration) {
        if now < self.swept + SWEEP {
            return;
        }
        self.swept = now;
        let first = self.front;
        for at in 0..self.marks.len() {
            let mark = &mut self.marks[at];
            if !mark.is_gone() && mark.is_absent(now, absence) {
                *mark = mark.gone();
                self.present -= 1;
                *self.block(first + at as u64) -= 1;
            }
        }
    }

    fn push(&mut self, mark: Mark) {
        let number = self.next();
        let block = (number / BLOCK - self.front / BLOCK) as usize;
        if self.blocks.len() <= block {
            self.blocks.resize(block + 1, 0);
        }
        self.marks.push_back(mark);
        if !mark.is_gone() {
            self.present += 1;
            *self.block(number) += 1;
        }
    }

    fn block(&mut self, number: u64) -> &mut u32 {
        &mut self.blocks[(number / BLOCK - self.front / BLOCK) as usize]
    }
}

impl Mark {
    /// Given out just before a restart, or not at all.
    const UNKNOWN: Mark = Mark(Mark::GONE | Mark::SECONDS);

    const GONE: u32 = 1 << 31;
    /// Its client has shown that it keeps tickets.
    const CONFIRMED: u32 = 1 << 30;
    const SECONDS: u32 = Mark::CONFIRMED - 1;

    fn at(now: Duration) -> Mark {
        Mark(u32::try_from(now.as_secs()).unwrap_or(u32::MAX).min(Mark::SECONDS - 1))
    }

    fn confirmed(self) -> Mark {
        Mark(self.0 | Mark::CONFIRMED)
    }

    fn gone(self) -> Mark {
        Mark(self.0 | Mark::GONE)
    }

    fn is_gone(self) -> bool {
        self.0 & Mark::GONE != 0
    }

    fn is_absent(self, now: Duration, absence: Duration) -> bool {
        let patience = if self.0 & Mark::CONFIRMED != 0 { absence } else { absence.min(FIRST_MAX) };
        now.saturating_sub(Duration::from_secs(u64::from(self.0 & Mark::SECONDS))) > patience
    }
}

/// How long a client may take to show that it keeps tickets: the page that gives it one comes back sooner.
pub(super) const FIRST_MAX: Duration = Duration::from_secs(20);

/// How often absent ones are looked for.
const SWEEP: Duration = Duration::from_secs(5);

/// Ranges of numbers that are remembered over a restart because nobody has them.
pub(super) const GAPS_MAX: usize = 4096;

/// Numbers that are counted together.
const BLOCK: u64 = 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ABSENCE: Duration = Duration::from_secs(60);

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn numbers_are_given_and_called_in_order() {
        let mut line = Line::from(5);
        assert_eq!([line.give(at(0)), line.give(at(0)), line.give(at(1))], [5, 6, 7]);
        assert_eq!((line.before(5), line.before(7), line.present()), (0, 2, 3));
        assert_eq!(line.call(at(1), ABSENCE), Next::Number(5));
        assert_eq!((line.before(7), line.front(), line.next()), (1, 6, 8));
        assert_eq!(line.call(at(1), ABSENCE), Next::Number(6));
        assert_eq!(line.call(at(1), ABSENCE), Next::Number(7));
        assert_eq!(line.call(at(1), ABSENCE), Next::Nobody);
    }

    #[test]
    fn who_left_is_passed_over_and_who_comes_back_in_time_is_not() {
        let mut line = Line::from(0);
        (0..4).for_each(|_| assert!(line.give(at(0)) < 4));
        assert!(line.saw(1, at(5)) && line.saw(2, at(5)) && line.saw(3, at(5)));
        line.sweep(at(30), ABSENCE);
        assert_eq!((line.present(), line.before(3)), (3, 2), "0 never came back");
        line.sweep(at(70), ABSENCE);
        assert_eq!(line.present(), 0);
        assert!(line.saw(2, at(70)));
        assert_eq!((line.present(), line.before(2), line.before(3)), (1, 0, 1));
        let called: Vec<_> = (0..5).map(|_| line.call(at(71), ABSENCE)).collect();
        assert_eq!(called, [Next::Left, Next::Left, Next::Number(2), Next::Left, Next::Nobody]);
        assert!(!line.saw(2, at(71)) && !line.saw(9, at(71)));
    }

    #[test]
    fn after_a_restart_those_who_may_be_there_are_waited_for() {
        let saved = Saved { front: 10, front_to: 10, next: 12, next_to: 14, ..Saved::default() };
        let mut line = Line::recovered(&saved, at(100), at(130));
        assert_eq!((line.present(), line.next()), (2, 14));
        assert_eq!(line.call(at(100), ABSENCE), Next::Number(10));
        assert!(line.saw(13, at(101)));
        assert_eq!(line.call(at(101), ABSENCE), Next::Number(11));
        assert_eq!(line.call(at(129), ABSENCE), Next::Held);
        assert_eq!(line.call(at(130), ABSENCE), Next::Left);
        assert_eq!(line.call(at(130), ABSENCE), Next::Number(13));
    }

    #[test]
    fn who_left_and_who_was_not_heard_of_is_told_apart_over_another_restart() {
        let saved =
            Saved { front: 10, front_to: 11, next: 20, next_to: 25, gone: vec![10..12, 15..16], ..Saved::default() };
        let mut line = Line::recovered(&saved, at(100), at(130));
        assert_eq!((line.present(), line.before(15), line.before(17)), (7, 3, 4));
        assert!(line.saw(22, at(101)) && line.saw(15, at(101)));
        let (gone, unheard) = line.gaps(at(102));
        assert_eq!((&gone, &unheard), (&vec![Range { start: 11, end: 12 }], &vec![20..22, 23..25]));
        let saved = Saved { front: 11, front_to: 11, next: 25, next_to: 25, gone, unheard, ..Saved::default() };
        assert!(saved.is_sound());
        let again = Line::recovered(&saved, at(0), at(30));
        assert_eq!((again.present(), again.before(22), again.next()), (line.present(), line.before(22), 25));
        assert_eq!(line.gaps(at(131)), (vec![11..12, 20..22, 23..25], vec![]));
    }

    proptest! {
        /// Against a list that is counted anew each time, over the edges of blocks.
        #[test]
        fn places_are_counted_right(start in 0u64..3000, steps in proptest::collection::vec((0u8..5, 0u64..4000), 1..300)) {
            let mut line = Line::from(start);
            let mut model: Vec<(u64, bool)> = Vec::new();
            let mut now = at(0);
            for (what, which) in steps {
                match what {
                    0 | 1 => for _ in 0..which % 300 {
                        model.push((line.give(now), true));
                    },
                    2 if !model.is_empty() => {
                        let at = which as usize % model.len();
                        model[at].1 = true;
                        prop_assert!(line.saw(model[at].0, now));
                    }
                    3 => for _ in 0..which % 200 {
                        let next = line.call(now, ABSENCE);
                        if model.is_empty() {
                            prop_assert_eq!(next, Next::Nobody);
                            break;
                        }
                        let (number, present) = model.remove(0);
                        prop_assert_eq!(next, if present { Next::Number(number) } else { Next::Left });
                    },
                    4 => {
                        now += ABSENCE + SWEEP + at(1);
                        line.sweep(now, ABSENCE);
                        model.iter_mut().for_each(|(_, present)| *present = false);
                    }
                    _ => {}
                }
                let number = model.get(which as usize % model.len().max(1)).map_or(line.next(), |(number, _)| *number);
                let before = model.iter().filter(|(other, present)| *other < number && *present).count();
                prop_assert_eq!(line.before(number) as usize, before);
                prop_assert_eq!(line.present() as usize, model.iter().filter(|(_, present)| *present).count());
            }
        }
    }
}
