//! What a room writes down before it is used, so that a restart loses nobody's place, and gives no number out twice.

use super::calls::{CALLS_MAX, Calls};
use super::inside::Inside;
use super::line::{GAPS_MAX, Line};
use super::room::FIRST_REFRESH_MAX;
use super::{Past, Room, Rules};
use std::ops::Range;
use std::time::Duration;

/// What a room must remember. It is written ahead: numbers below `next_to` may be given out, and those below `front_to`
/// called, by the time that it is read again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Saved {
    /// Numbers below were given out for sure.
    pub next: u64,
    /// Numbers below may have been given out.
    pub next_to: u64,
    /// Numbers below were called for sure.
    pub front: u64,
    /// Numbers below may have been called.
    pub front_to: u64,
    /// Visitors inside.
    pub inside: u32,
    /// Seconds after which they are not, unless something is heard of them.
    pub session: u64,
    /// Numbers below `front` that were called and had not come in.
    pub called: Vec<u64>,
    /// Numbers from `front` on of those who left the line, in order; what is not told here counts as waiting.
    pub gone: Vec<Range<u64>>,
    /// Numbers from `front` on that may have been given out before the restart before, in order.
    pub unheard: Vec<Range<u64>>,
    /// What else a room must remember that several members share.
    pub past: Option<Past>,
}

/// How far a room may go before it writes again.
#[derive(Debug)]
pub(super) struct Ahead {
    next_to: u64,
    front_to: u64,
    last: Option<(Saved, Duration)>,
}

impl Room {
    /// A room that gives nothing out before it is [`written`](Self::written).
    #[must_use]
    pub fn kept() -> Room {
        let ahead = Ahead { next_to: 1, front_to: 1, last: None };
        Room::of(Line::from(1), Calls::default(), Inside::default(), ahead)
    }

    /// The room after a restart at `now`. Nobody lost his place: those who were called still are, those who were inside
    /// count until their time is over, and the line is as it was, as far as anybody knows.
    #[must_use]
    pub fn recovered(saved: &Saved, now: Duration) -> Room {
        let mut calls = Calls::default();
        saved.called.iter().copied().chain(saved.front..saved.front_to).for_each(|n| calls.add_recovered(n, now));
        // Who may have got a number after the last writing comes soon. Where nobody waited, nobody is waited for.
        let holds = if saved.has_line() { FIRST_REFRESH_MAX * 2 } else { Duration::ZERO };
        let line = Line::recovered(saved, now, now + holds);
        let inside = Inside::recovered(saved.inside, now + Duration::from_secs(saved.session.min(SESSION_MAX)));
        let ahead = Ahead { next_to: saved.next_to, front_to: saved.front_to, last: None };
        Room::of(line, calls, inside, ahead)
    }

    /// What is to be written now, if anything is: to be [`written`](Self::written) once that is done.
    pub fn to_write(&mut self, now: Duration, rules: &Rules) -> Option<Saved> {
        let saved = self.to_save(now, rules);
        let ahead = &self.ahead;
        let Some((last, when)) = &ahead.last else { return Some(saved) };
        if saved.is_same(last) {
            return None;
        }
        let is_short = ahead.next_to - saved.next < NEXT_AHEAD / 2
            || (saved.front_to > ahead.front_to
                && ahead.front_to - saved.front < (saved.front_to - saved.front) / 2 + 1);
        let is_news = saved.has_line() != last.has_line();
        (is_short || is_news || now >= *when + WRITE_PAUSE).then_some(saved)
    }

    /// It is written, and will be found after a restart.
    pub fn written(&mut self, saved: Saved, now: Duration) {
        let ahead = &mut self.ahead;
        ahead.next_to = ahead.next_to.max(saved.next_to);
        ahead.front_to = ahead.front_to.max(saved.front_to);
        ahead.last = Some((saved, now));
    }

    /// What is so now, and nothing more is given out or called until it is [`written`](Self::written) again: another
    /// process goes on from there.
    pub fn close(&mut self, now: Duration, rules: &Rules) -> Saved {
        let (next, front) = (self.line.next(), self.line.front());
        let (gone, unheard) = self.line.gaps(now);
        self.ahead = Ahead { next_to: next, front_to: front, last: None };
        let (inside, called) = (self.inside.total(), self.calls.numbers().collect());
        let session = rules.session.as_secs() + 1;
        Saved { next, next_to: next, front, front_to: front, inside, session, called, gone, unheard, past: None }
    }

    /// What is so now, and how far it may go on until it is written again. No further than all of that together fit in.
    fn to_save(&self, now: Duration, rules: &Rules) -> Saved {
        let (next, front) = (self.line.next(), self.line.front());
        // All that may be called is called after a crash, and is to be written then, too.
        let kept = (CALLED_MAX as u64).saturating_sub(self.calls.len() as u64);
        let front_to = front + u64::from(self.unclaimed(rules)).min(front_ahead(rules)).min(kept);
        // What was said before holds until it is unsaid, which nobody hears of before it is written.
        let front_to = front_to.max(self.ahead.front_to);
        let next_to = (next + NEXT_AHEAD).min(front + LINE_MAX).max(front_to).max(self.ahead.next_to);
        let (inside, session) = (self.inside.total(), rules.session.as_secs() + 1);
        let (gone, unheard) = self.line.gaps(now);
        let called = self.calls.numbers().collect();
        Saved { next, next_to, front, front_to, inside, session, called, gone, unheard, past: None }
    }

    /// Whether there is a number to be given out.
    pub(super) fn has_number(&self) -> bool {
        self.line.next() < self.ahead.next_to
    }

    /// Whether the first in the line may be called.
    pub(super) fn may_move_on(&self) -> bool {
        self.line.front() < self.ahead.front_to
    }

    /// Whether the next number that is given out may come in at once.
    pub(super) fn may_move_past(&self) -> bool {
        self.line.next() < self.ahead.front_to
    }
}

impl Saved {
    /// Whether it makes sense. Only numbers that a room can have written do.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let is_ordered = 1 <= self.front && self.front <= self.front_to && self.front_to <= self.next_to;
        is_ordered
            && (self.front..=self.next_to).contains(&self.next)
            && self.next_to <= NUMBER_MAX
            && self.next_to - self.front <= LINE_MAX
            && self.called.len() as u64 + (self.front_to - self.front) <= CALLED_MAX as u64
            && self.called.is_sorted()
            && self.called.last().is_none_or(|last| *last < self.front)
            && self.has_in_line(&self.gone)
            && self.has_in_line(&self.unheard)
            && self.past.as_ref().is_none_or(Past::is_sound)
    }

    /// A room of which nothing is known but that it gave out no number from `next` on; none if that is no number.
    #[must_use]
    pub fn anew(next: u64) -> Option<Saved> {
        let saved = Saved { next, next_to: next, front: next, front_to: next, ..Saved::default() };
        saved.is_sound().then_some(saved)
    }

    /// Whether these are numbers that may wait, in order.
    fn has_in_line(&self, ranges: &[Range<u64>]) -> bool {
        let edges = ranges.iter().flat_map(|range| [range.start, range.end]);
        let is_within = ranges.iter().all(|range| range.start < range.end && range.end <= self.next);
        ranges.len() <= GAPS_MAX && edges.is_sorted() && is_within && ranges.iter().all(|it| self.front <= it.start)
    }

    fn has_line(&self) -> bool {
        self.next > self.front
    }

    fn is_same(&self, other: &Saved) -> bool {
        let known = |saved: &Saved| (saved.next, saved.front, saved.front_to, saved.inside);
        known(self) == known(other)
            && self.called == other.called
            && self.gone == other.gone
            && self.unheard == other.unheard
    }
}

/// Numbers that may be given out, and called, before the next writing.
const NEXT_AHEAD: u64 = 1024;
const FRONT_AHEAD: u64 = 256;
const FRONT_AHEAD_MIN: u64 = 16;

fn front_ahead(rules: &Rules) -> u64 {
    // What may have been called before a crash is kept free for a while after it: a part of a large room at most. In a
    // small one as many as come within a moment are not to wait for the disk.
    u64::from(rules.active / 8).clamp(FRONT_AHEAD_MIN, FRONT_AHEAD)
}

/// Those who are called, and those who may be by the time that it is read: all of them are called after a crash, and
/// nobody more is before there are fewer than [`CALLS_MAX`].
const CALLED_MAX: usize = CALLS_MAX + FRONT_AHEAD as usize;

/// More were not given out: a million a second for a hundred thousand years.
const NUMBER_MAX: u64 = 1 << 62;

/// A year.
pub(super) const SESSION_MAX: u64 = 365 * 86_400;

/// More cannot have waited.
const LINE_MAX: u64 = 1 << 26;

/// How often it is written where nothing is short.
const WRITE_PAUSE: Duration = Duration::from_secs(1);
