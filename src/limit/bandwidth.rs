use super::Cursor;
use super::pace::nanos;
use super::sets::{At, Key, Sets, Step};
use std::time::Duration;

/// When each key may send its next bytes, for all workers: a word is the time at which all that was sent is paid for.
pub struct Bandwidth {
    sets: Sets,
}

/// Bytes a second, and what may be saved up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flow {
    /// Bytes a second.
    rate: u64,
    /// The burst, in nanoseconds.
    tolerance: u64,
}

impl Flow {
    /// So many bytes a second, and `burst` at once.
    #[must_use]
    pub fn new(rate: u64, burst: u64) -> Flow {
        let flow = Flow { rate: rate.max(1), tolerance: 0 };
        Flow { tolerance: flow.cost(burst), ..flow }
    }

    /// What one of `members` may send by itself, so that together they send no more.
    #[must_use]
    pub fn share(self, members: u32) -> Flow {
        // The burst of it is smaller, and takes as long.
        Flow { rate: (self.rate / u64::from(members.max(1))).max(1), ..self }
    }

    /// How far a key may be ahead before it waits.
    #[must_use]
    pub fn full(self) -> Duration {
        Duration::from_nanos(self.tolerance)
    }

    /// Microseconds that so many bytes take.
    pub(super) fn micros(self, bytes: i32) -> f64 {
        f64::from(bytes) * 1e6 / self.rate as f64
    }

    /// Nanoseconds that so many bytes take; rounded up.
    fn cost(self, bytes: u64) -> u64 {
        let nanos = (u128::from(bytes) * 1_000_000_000).div_ceil(u128::from(self.rate));
        u64::try_from(nanos).unwrap_or(COST_MAX).min(COST_MAX)
    }

    /// Bytes that are sent in one piece: those of 50 ms, within bounds.
    #[must_use]
    pub fn slice(self) -> usize {
        let bytes = u128::from(self.rate) * SLICE.as_nanos() / 1_000_000_000;
        usize::try_from(bytes).unwrap_or(SLICE_BYTES_MAX).clamp(SLICE_BYTES_MIN, SLICE_BYTES_MAX)
    }
}

impl Bandwidth {
    /// A table of so many bytes. `is_shared`: what is taken is kept for `report`, which must then be
    /// called: a cell is not free before.
    #[must_use]
    pub fn new(bytes: usize, is_shared: bool) -> Bandwidth {
        Bandwidth { sets: Sets::new(bytes, is_shared) }
    }

    /// How long so many bytes would have to wait, which are taken of the allowance only if that is not at all.
    pub fn observe(&self, key: Key, flow: Flow, bytes: u64, now: Duration) -> Duration {
        let (now, cost) = (nanos(now), flow.cost(bytes).max(1));
        let (place, wait) = self.sets.change(key, &At { now }, |paid| {
            let paid = paid.max(now).saturating_add(cost).min(PAID_MAX);
            match (paid - now).saturating_sub(flow.tolerance) {
                0 => Step::Set(paid, 0),
                wait => Step::Keep(wait),
            }
        });
        if wait == 0 {
            self.sets.note_signed(place, noted(bytes));
        }
        Duration::from_nanos(wait)
    }

    /// Takes so many bytes of the key's allowance, in turn with all who do, and says how long to wait before they are sent.
    pub fn reserve(&self, key: Key, flow: Flow, bytes: u64, now: Duration) -> Duration {
        let (now, cost) = (nanos(now), flow.cost(bytes).max(1));
        let (place, paid) = self.sets.change(key, &At { now }, |paid| {
            let paid = paid.max(now).saturating_add(cost).min(PAID_MAX);
            Step::Set(paid, paid)
        });
        self.sets.note_signed(place, noted(bytes));
        Duration::from_nanos((paid - now).saturating_sub(flow.tolerance))
    }

    /// Takes back what [`reserve`](Self::reserve) took: it is not sent.
    pub fn give_back(&self, key: Key, flow: Flow, bytes: u64, now: Duration) {
        let (now, cost) = (nanos(now), flow.cost(bytes).max(1));
        let (place, is_taken_back) = self.sets.change(key, &At { now }, |paid| match paid > now {
            true => Step::Set(paid.saturating_sub(cost).max(now), true),
            false => Step::Keep(false),
        });
        if is_taken_back {
            self.sets.note_signed(place, -noted(bytes));
        }
    }

    /// Gives keys of which something was taken or given back since they were given last, at most `max` of them: how many bytes
    /// more, and how far the key is ahead now. The next call goes on after them.
    pub(super) fn report(
        &self,
        cursor: &mut Cursor,
        max: usize,
        now: Duration,
        mut give: impl FnMut(Key, i32, Duration),
    ) {
        let now = nanos(now);
        self.sets.report(&mut cursor.0, max, |key, paid, more| {
            give(key, more.cast_signed(), Duration::from_nanos(paid.saturating_sub(now)));
        });
    }

    /// Others say that a key is `ahead`, all that was taken of it up to the last report taken together, and never say more than
    /// `most`. That counts here from now on, with what was taken since: less than before, where others gave back, but for a
    /// line that is longer than they can say.
    pub(super) fn take(&self, key: Key, flow: Flow, ahead: Duration, most: Duration, now: Duration) {
        let now = nanos(now);
        let since = self.sets.noted(key).cast_signed();
        let since = flow.cost(u64::try_from(since).unwrap_or(0));
        let shared = now.saturating_add(nanos(ahead)).saturating_add(since).min(PAID_MAX);
        let sayable = now..=now.saturating_add(nanos(most));
        self.sets.change(key, &At { now }, |paid| match shared > paid || (paid > now && sayable.contains(&paid)) {
            true => Step::Set(shared, ()),
            false => Step::Keep(()),
        });
    }

    /// Keys that are not at their full burst. Of a very large table, an estimate.
    #[must_use]
    pub fn held(&self, now: Duration) -> usize {
        self.sets.held(&At { now: nanos(now) })
    }

    /// Keys that it can hold.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.sets.capacity()
    }
}

/// Bytes as they are noted: of a key two GiB between two reports, a fiftieth of a second apart. What is more is not told.
fn noted(bytes: u64) -> i32 {
    i32::try_from(bytes).unwrap_or(i32::MAX)
}

/// What is sent in one piece takes so long at the key's bandwidth: about as exact as the timer that it waits by.
const SLICE: Duration = Duration::from_millis(50);
/// Smaller pieces cost more than they carry.
const SLICE_BYTES_MIN: usize = 256;
/// Larger pieces would hold up other exchanges of a worker.
const SLICE_BYTES_MAX: usize = 64 * 1024;
/// A year: sums stay far from overflow.
const COST_MAX: u64 = 365 * 86_400 * 1_000_000_000;
/// Far below what has a meaning of its own.
const PAID_MAX: u64 = u64::MAX / 2;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn seconds(s: f64) -> Duration {
        Duration::from_secs_f64(s)
    }

    #[test]
    fn a_burst_goes_at_once_and_the_rest_at_the_rate() {
        let (table, key, flow) = (Bandwidth::new(1 << 12, false), Key::of(7), Flow::new(1_000, 500));
        let now = seconds(100.0);
        assert_eq!(table.reserve(key, flow, 500, now), Duration::ZERO);
        assert_eq!(table.reserve(key, flow, 250, now), seconds(0.25));
        // Another exchange of the key stands behind it.
        assert_eq!(table.reserve(key, flow, 250, now), seconds(0.5));
        assert_eq!(table.reserve(Key::of(u64::MAX), flow, 500, now), Duration::ZERO);
        assert_eq!(table.reserve(key, flow, 1, seconds(101.0)), Duration::ZERO);
        // Who only looks takes nothing that is not there.
        assert_eq!(table.observe(key, flow, 500, seconds(101.0)), seconds(0.001));
        assert_eq!(table.observe(key, flow, 500, seconds(101.0)), seconds(0.001));
        assert_eq!(table.held(seconds(101.0)), 1);
        assert_eq!(table.held(seconds(1000.0)), 0);
    }

    #[test]
    fn what_is_given_back_is_for_others_and_never_more_than_was_taken() {
        let (table, flow, key) = (Bandwidth::new(1 << 12, false), Flow::new(1_000, 500), Key::of(1 << 60));
        let now = seconds(100.0);
        assert_eq!(table.reserve(key, flow, 500, now), Duration::ZERO);
        for _ in 0..1_000 {
            assert_eq!(table.reserve(key, flow, 250, now), seconds(0.25));
            table.give_back(key, flow, 250, now);
        }
        table.give_back(key, flow, 10_000, now);
        assert_eq!(table.reserve(key, flow, 500, now), Duration::ZERO, "all of it was given back");
        assert_eq!(table.reserve(key, flow, 250, now), seconds(0.25));
        table.give_back(Key::of(9), flow, 250, now);
        assert_eq!(table.held(now), 1, "nothing is kept of who took nothing");
    }

    /// Two members that tell each other, through what Redis would keep: when all is paid for.
    #[test]
    fn members_that_report_to_each_other_hold_one_bandwidth_together_and_hear_of_what_is_given_back() {
        let (flow, key) = (Flow::new(1_000, 500), Key::of(7));
        let members = [Bandwidth::new(1 << 12, true), Bandwidth::new(1 << 12, true)];
        let (mut paid, mut cursors) = (Duration::ZERO, [Cursor::default(), Cursor::default()]);
        let mut beat = |now: Duration, wanted: f64| {
            for (member, cursor) in members.iter().zip(&mut cursors) {
                let mut told = None;
                member.report(cursor, 10, now, |key, bytes, _| told = Some((key, bytes)));
                if let Some((key, bytes)) = told {
                    let ahead = paid.max(now).as_secs_f64() - now.as_secs_f64() + flow.micros(bytes) / 1e6;
                    paid = now + Duration::from_secs_f64(ahead.max(0.0));
                    member.take(key, flow, paid - now, seconds(1_000.0), now);
                }
            }
            assert!((paid.as_secs_f64() - wanted).abs() < 0.001, "{paid:?}");
        };
        let now = seconds(100.0);
        assert_eq!(members[0].reserve(key, flow, 500, now), Duration::ZERO);
        assert_eq!(members[1].reserve(key, flow, 500, now), Duration::ZERO, "it has not heard yet");
        beat(now, 101.0);
        assert_eq!(members[1].reserve(key, flow, 250, now), seconds(0.75));
        // What is taken between a report and the word stays.
        beat(now, 101.25);
        assert_eq!(members[0].reserve(key, flow, 250, now), seconds(0.25), "it hears when it tells");
        beat(now, 101.5);
        assert_eq!(members[0].reserve(key, flow, 250, now), seconds(1.25));
        members[0].give_back(key, flow, 250, now);
        members[1].give_back(key, flow, 250, now);
        beat(now, 101.25);
        assert_eq!(members[1].reserve(key, flow, 100, now), seconds(0.85));
        beat(seconds(102.0), 102.1);
        // A word that is the most that is said does not take back.
        let (late, most) = (seconds(103.0), seconds(1.0));
        assert_eq!(members[0].reserve(key, flow, 5_000, late), seconds(4.5));
        members[0].report(&mut Cursor::default(), 10, late, |_, bytes, ahead| {
            assert_eq!((bytes, ahead), (5_000, seconds(5.0)));
        });
        members[0].take(key, flow, most, most, late);
        assert_eq!(members[0].reserve(key, flow, 1, late), seconds(4.501));
        members[0].take(key, flow, most, seconds(1_000.0), late);
        assert_eq!(members[0].reserve(key, flow, 1, late), seconds(0.502), "with what is not reported yet");
        assert_eq!(flow.share(4), Flow::new(250, 125));
    }

    #[test]
    fn however_much_is_taken_between_two_reports_it_is_never_told_as_given_back() {
        let (flow, key) = (Flow::new(1 << 40, 1 << 40), Key::of(7));
        let table = Bandwidth::new(1 << 12, true);
        let told = |change: &dyn Fn(u64)| {
            [1 << 30, 1 << 31, (1 << 32) + 1].map(|bytes| {
                (0..3).for_each(|_| change(bytes));
                let mut told = 0;
                table.report(&mut Cursor::default(), 10, seconds(100.0), |_, bytes, _| told = bytes);
                told
            })
        };
        assert_eq!(told(&|bytes| _ = table.reserve(key, flow, bytes, seconds(100.0))), [i32::MAX; 3]);
        assert_eq!(told(&|bytes| table.give_back(key, flow, bytes, seconds(100.0))), [i32::MIN; 3]);
    }

    #[test]
    fn slices_are_a_twentieth_of_a_second_within_bounds() {
        let slices = [1, 100_000, 1 << 20, 1 << 40].map(|rate| Flow::new(rate, rate).slice());
        assert_eq!(slices, [256, 5_000, 52_428, 65_536]);
    }

    #[test]
    fn what_is_far_from_sane_does_not_overflow() {
        let (table, flow) = (Bandwidth::new(1, false), Flow::new(0, u64::MAX));
        for n in 1..100 {
            let wait = table.reserve(Key::of(n << 58), flow, u64::MAX, Duration::from_nanos(n));
            assert!(wait <= Duration::from_nanos(PAID_MAX));
        }
    }

    proptest! {
        /// Sent when it may be, in no stretch of time is it more than rate × time + burst.
        #[test]
        fn never_more_than_the_rate_and_the_burst(
            rate in 1u64..10_000_000,
            burst in 1u64..1_000_000,
            sends in prop::collection::vec((0u64..2_000_000_000, 1u64..100_000), 1..80),
        ) {
            let (table, key, flow) = (Bandwidth::new(1, false), Key::of(3), Flow::new(rate, burst));
            let (mut now, mut sent) = (0, Vec::new());
            for (gap, bytes) in sends {
                now += gap;
                now += table.reserve(key, flow, bytes, Duration::from_nanos(now)).as_nanos() as u64;
                sent.push((now, bytes));
            }
            for from in 0..sent.len() {
                let mut bytes = 0;
                for (at, more) in &sent[from..] {
                    bytes += u128::from(*more);
                    let allowed = u128::from(at - sent[from].0) * u128::from(rate) / 1_000_000_000 + u128::from(burst);
                    // The piece that begins may end later.
                    prop_assert!(bytes <= allowed + u128::from(sent[from].1), "{bytes} of {allowed}");
                }
            }
        }
    }
}
