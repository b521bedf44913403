//! Parts of a representation (RFC 9111 §3.3), bounded in number and bytes.

#[cfg(test)]
mod tests;

use super::Content;
use bytes::Bytes;
use std::ops::Range;

/// Parts of a representation.
#[derive(Clone, Debug)]
pub struct Parts {
    /// Bytes that the whole has.
    complete: u64,
    /// First byte and bytes: in order, none empty, none overlapping another; some may touch.
    list: Vec<(u64, Bytes)>,
    /// Bytes that there were when they were last to be written down.
    written: u64,
}

impl Parts {
    /// Parts as they were [`list`](Self::list)ed; `None` if they are not in order, or more than there may be.
    #[must_use]
    pub fn of(complete: u64, list: Vec<(u64, Bytes)>) -> Option<Parts> {
        let mut free_from = 0;
        let in_order = list.iter().all(|(first, bytes)| {
            let end = first.checked_add(bytes.len() as u64).filter(|end| *end <= complete);
            let is_apart = *first >= free_from && !bytes.is_empty();
            free_from = end.unwrap_or(u64::MAX);
            is_apart && end.is_some()
        });
        let written = list.iter().map(|(_, bytes)| bytes.len() as u64).sum();
        (in_order && (1..=PARTS_MAX).contains(&list.len())).then_some(Parts { complete, list, written })
    }

    /// One part more than `before`, if there were any, of a representation of `complete` bytes; of all of them at most
    /// `room_bytes` are kept, the larger ones first. Parts must be of the same representation: what two of them have is the
    /// same. `None` if nothing is left to be kept.
    #[must_use]
    pub fn with(before: Option<&Parts>, complete: u64, part: (u64, Bytes), room_bytes: u64) -> Option<Content> {
        let (first, end) = (part.0, part.0.checked_add(part.1.len() as u64)?);
        if part.1.is_empty() || end > complete {
            return None;
        }
        let before = before.filter(|before| before.complete == complete);
        let known = before.map_or(&[][..], |before| &before.list);
        // What the new part has is not needed twice.
        let mut list: Vec<(u64, Bytes)> =
            known.iter().filter(|(at, bytes)| *at < first || end_of(*at, bytes) > end).cloned().collect();
        list.extend(outside(&list, part));
        list.sort_unstable_by_key(|(first, _)| *first);
        let mut parts = Parts { complete, list, written: before.map_or(0, |before| before.written) };
        if parts.missing(&(0..complete)).is_none() {
            return Some(Content::Whole(parts.joined()));
        }
        parts.shrink(first, room_bytes);
        if parts.bytes() >= parts.written.saturating_add(parts.written / GROWN_OF) {
            parts.become_due();
        }
        (!parts.list.is_empty()).then(|| Content::Parts(Box::new(parts)))
    }

    /// Bytes that the whole has.
    #[must_use]
    pub fn complete(&self) -> u64 {
        self.complete
    }

    /// First byte and bytes of each, in order.
    #[must_use]
    pub fn list(&self) -> &[(u64, Bytes)] {
        &self.list
    }

    /// What is held of `range` from its first byte on, in one piece; `None` if the first byte is not.
    #[must_use]
    pub fn piece(&self, range: &Range<u64>) -> Option<&[u8]> {
        let after = self.list.partition_point(|(first, _)| *first <= range.start);
        let (first, bytes) = self.list[..after].last()?;
        let bytes = bytes.get(usize::try_from(range.start - first).ok()?..).filter(|bytes| !bytes.is_empty())?;
        let wanted = usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(usize::MAX);
        Some(&bytes[..wanted.min(bytes.len())])
    }

    /// All that is held of `range`, which must be held wholly, in order; nothing is copied.
    pub fn pieces(&self, range: &Range<u64>) -> impl Iterator<Item = Bytes> {
        self.list.iter().filter_map(move |(first, bytes)| {
            let start = range.start.max(*first) - first;
            let end = range.end.min(end_of(*first, bytes)).saturating_sub(*first);
            (start < end).then(|| bytes.slice(start as usize..end as usize))
        })
    }

    /// The bytes of `range` from the first to the last that is not held; `None` if all are. What lies between two gaps is
    /// among them: it is asked for again, so that one response, which is of one representation, has all that is missing.
    #[must_use]
    pub fn missing(&self, range: &Range<u64>) -> Option<Range<u64>> {
        let runs = self.runs();
        let around = |position: u64| runs.iter().find(|run| run.contains(&position));
        let start = around(range.start).map_or(range.start, |run| run.end);
        if start >= range.end {
            return None;
        }
        // What the last byte is in begins behind `start`, which is not held.
        Some(start..around(range.end - 1).map_or(range.end, |run| run.start))
    }

    /// What is held, parts that touch being one.
    #[must_use]
    pub fn runs(&self) -> Vec<Range<u64>> {
        let mut runs: Vec<Range<u64>> = Vec::with_capacity(self.list.len());
        for (first, bytes) in &self.list {
            match runs.last_mut() {
                Some(last) if last.end == *first => last.end = end_of(*first, bytes),
                _ => runs.push(*first..end_of(*first, bytes)),
            }
        }
        runs
    }

    /// Bytes that are held.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.list.iter().map(|(_, bytes)| bytes.len() as u64).sum()
    }

    /// Whether they are worth being written down: all of them are, each time, so only where they have grown by half. Where nothing
    /// but bytes comes, all that is written for one response is then at most three times what it has.
    #[must_use]
    pub fn are_due(&self) -> bool {
        self.written == self.bytes()
    }

    /// They are to be written down, however little they have grown: more than bytes has changed.
    pub fn become_due(&mut self) {
        self.written = self.bytes();
    }

    /// All of them in one piece, with nothing between them.
    #[must_use]
    pub fn joined(&self) -> Box<[u8]> {
        let mut joined = Vec::with_capacity(usize::try_from(self.bytes()).unwrap_or(0));
        self.list.iter().for_each(|(_, bytes)| joined.extend_from_slice(bytes));
        joined.into_boxed_slice()
    }

    /// Lets go of the smallest until there are neither too many nor too large ones; of two alike, the one that begins at
    /// `newest` stays.
    fn shrink(&mut self, newest: u64, room_bytes: u64) {
        while self.list.len() > PARTS_MAX || self.bytes() > room_bytes {
            if self.bytes() <= room_bytes && self.join_two() {
                continue;
            }
            let size = |at: &usize| (self.list[*at].1.len(), self.list[*at].0 == newest);
            let Some(smallest) = (0..self.list.len()).min_by_key(size) else { return };
            self.list.remove(smallest);
        }
    }

    /// Makes one of the two smallest that touch, unless that is a lot to copy.
    fn join_two(&mut self) -> bool {
        let touching = self.list.windows(2).enumerate().filter_map(|(at, two)| {
            let bytes = two[0].1.len() + two[1].1.len();
            (end_of(two[0].0, &two[0].1) == two[1].0 && bytes <= JOINED_MAX_BYTES).then_some((bytes, at))
        });
        let Some((_, at)) = touching.min() else { return false };
        let second = self.list.remove(at + 1).1;
        let first = &mut self.list[at].1;
        *first = [&first[..], &second[..]].concat().into();
        true
    }
}

/// What of a part lies outside of `list`, none of which it holds wholly: nothing, or one piece of memory of its own size.
fn outside(list: &[(u64, Bytes)], (first, bytes): (u64, Bytes)) -> Option<(u64, Bytes)> {
    let end = end_of(first, &bytes);
    let (mut from, mut until) = (first, end);
    for (at, other) in list {
        let stop = end_of(*at, other);
        if *at <= first {
            from = from.max(stop.min(end));
        } else {
            until = until.min(*at);
        }
    }
    if from >= until {
        return None;
    }
    if (from, until) == (first, end) {
        return Some((first, bytes));
    }
    Some((from, Bytes::copy_from_slice(&bytes[(from - first) as usize..(until - first) as usize])))
}

fn end_of(first: u64, bytes: &Bytes) -> u64 {
    first + bytes.len() as u64
}

/// Parts of one response: a client that asks for many small ranges makes no more.
pub const PARTS_MAX: usize = 64;
/// Parts are written down anew once they have grown by one of so many parts.
const GROWN_OF: u64 = 2;
/// Parts that touch are joined up to this size, so that no small one makes a large one be copied.
const JOINED_MAX_BYTES: usize = 1024 * 1024;
