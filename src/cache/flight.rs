//! One fetch for all who ask: a response that grows, and those who read it, each at its own speed, on any thread.

mod seat;
mod table;

pub use seat::{Heard, Piece, Seat};
pub use table::{Flights, Span};

use super::entry::Entry;
use crate::http::{Fields, Length, ResponseHead};
use bytes::Bytes;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// A fetch under way. `F`: why one fails.
#[derive(Debug)]
pub struct Flight<F> {
    state: Mutex<State<F>>,
}

#[derive(Debug)]
struct State<F> {
    interims: Vec<ResponseHead>,
    /// Fields that are for the leader alone.
    extra: Fields,
    phase: Phase<F>,
    /// Pieces of content, each with where it begins.
    segments: VecDeque<(u64, Bytes)>,
    /// Bytes of content before the first segment.
    dropped: u64,
    /// Bytes of content received.
    total: u64,
    end: End,
    seats: HashMap<u32, Sitting>,
    next_seat: u32,
    producer: Option<Waker>,
    /// Whoever wants to know that nobody is left.
    watcher: Option<Waker>,
    /// Nobody was left: nobody joins any more.
    abandoned: bool,
    /// A reader had enough without having all.
    served: bool,
    /// What is fetched was changed meanwhile: it is not to be stored.
    barred: bool,
    /// It is stale before its end, and others fetch what comes after it.
    passed: bool,
}

#[derive(Debug)]
enum Phase<F> {
    Asking,
    /// The response streams to all.
    Shared(Arc<Entry>, Length),
    /// The response is for the leader alone.
    Leader(Arc<Entry>, Length),
    /// A complete response for all.
    Done(Arc<Entry>),
    /// It failed before a head came.
    Failed(F),
}

#[derive(Debug)]
enum End {
    Open,
    Complete(Option<Fields>),
    Broken,
}

#[derive(Debug, Default)]
struct Sitting {
    position: u64,
    waker: Option<Waker>,
}

/// Bytes that the slowest reader may be behind where content is not kept.
pub const BEHIND_MAX_BYTES: u64 = 256 * 1024;

/// Bytes that may have to come before those that a reader waits for; who wants what is further on fetches that.
pub const AHEAD_MAX_BYTES: u64 = 1024 * 1024;

impl<F> Default for Flight<F> {
    fn default() -> Self {
        let state = State {
            interims: Vec::new(),
            extra: Fields::default(),
            phase: Phase::Asking,
            segments: VecDeque::new(),
            dropped: 0,
            total: 0,
            end: End::Open,
            seats: HashMap::new(),
            next_seat: 0,
            producer: None,
            watcher: None,
            abandoned: false,
            served: false,
            barred: false,
            passed: false,
        };
        Flight { state: Mutex::new(state) }
    }
}

impl<F: Clone> Flight<F> {
    /// Takes part, from the beginning of the content; `None` if the beginning is gone, or the fetch was given up. The first
    /// one leads.
    pub fn join(self: &Arc<Self>) -> Option<Seat<F>> {
        let mut state = self.lock();
        if state.abandoned || state.dropped > 0 || (matches!(state.phase, Phase::Leader(..)) && state.next_seat > 0) {
            return None;
        }
        let number = state.next_seat;
        state.next_seat += 1;
        state.seats.insert(number, Sitting::default());
        Some(Seat::of(self, number, matches!(state.phase, Phase::Asking)))
    }

    /// Whether the byte at `position` of the content is there, or comes soon.
    pub(super) fn is_near(&self, position: u64) -> bool {
        position <= self.lock().total.saturating_add(AHEAD_MAX_BYTES)
    }

    /// An interim response came.
    pub fn interim(&self, head: &ResponseHead) {
        let mut state = self.lock();
        if state.interims.len() < INTERIMS_MAX {
            state.interims.push(head.clone());
        }
        state.wake();
    }

    /// The head came; `shared`: it is for all who ask, but for the fields `extra`, which are for the leader.
    pub fn head(&self, entry: Arc<Entry>, length: Length, shared: bool, extra: Fields) {
        let mut state = self.lock();
        state.extra = extra;
        state.phase = if shared { Phase::Shared(entry, length) } else { Phase::Leader(entry, length) };
        state.wake();
    }

    /// The response is complete as `entry`.
    pub fn done(&self, entry: Arc<Entry>) {
        let mut state = self.lock();
        if matches!(state.phase, Phase::Asking) {
            state.phase = Phase::Done(entry);
        }
        state.end = End::Complete(None);
        state.wake();
    }

    /// There will be no head; or, after one, no more content.
    pub fn fail(&self, why: F) {
        let mut state = self.lock();
        if matches!(state.phase, Phase::Asking) {
            state.phase = Phase::Failed(why);
        }
        if matches!(state.end, End::Open) {
            state.end = End::Broken;
        }
        state.wake();
    }

    /// Content came.
    pub fn data(&self, bytes: Bytes) {
        let mut state = self.lock();
        state.push(bytes);
        state.wake();
    }

    /// All content came.
    pub fn end(&self, trailers: Option<Fields>) {
        let mut state = self.lock();
        state.end = End::Complete(trailers);
        state.wake();
    }

    /// Ready once the slowest reader is near enough for more content, what all have read being let go of.
    pub fn poll_room(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        let slowest = state.seats.values().map(|seat| seat.position).min().unwrap_or(state.total);
        state.drop_before(slowest);
        // Whoever wants a range may be ahead of what came.
        if state.total.saturating_sub(slowest) < BEHIND_MAX_BYTES {
            return Poll::Ready(());
        }
        state.producer = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Ready once nobody reads: from then on nobody joins.
    pub fn poll_abandoned(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        if !state.watcher.as_ref().is_some_and(|watcher| watcher.will_wake(cx.waker())) {
            state.watcher = Some(cx.waker().clone());
        }
        if state.abandon() { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Whether nobody reads: from then on nobody joins.
    #[must_use]
    pub fn abandon(&self) -> bool {
        self.lock().abandon()
    }

    /// Whether it was given up as nobody was left.
    #[must_use]
    pub fn is_abandoned(&self) -> bool {
        self.lock().abandoned
    }

    /// Whether a reader had enough without having all.
    #[must_use]
    pub fn has_served(&self) -> bool {
        self.lock().served
    }

    /// What is fetched was changed meanwhile: it is not to be stored.
    pub fn bar(&self) {
        self.lock().barred = true;
    }

    /// Whether it is not to be stored.
    #[must_use]
    pub fn is_barred(&self) -> bool {
        self.lock().barred
    }

    /// Whether another fetch may have brought what is newer meanwhile.
    #[must_use]
    pub fn is_passed(&self) -> bool {
        self.lock().passed
    }

    /// How many have taken part so far.
    #[must_use]
    pub fn joined(&self) -> u32 {
        self.lock().next_seat
    }

    /// Bytes of content so far.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.lock().total
    }

    /// The content so far, in one piece of memory that has just its size; `None` if some of it is gone.
    #[must_use]
    pub fn whole(&self) -> Option<Box<[u8]>> {
        let segments = {
            let state = self.lock();
            if state.dropped > 0 {
                return None;
            }
            // Cheap: the bytes are shared, and copied without the lock.
            state.segments.clone()
        };
        let mut whole = Vec::with_capacity(segments.iter().map(|(_, segment)| segment.len()).sum());
        segments.iter().for_each(|(_, segment)| whole.extend_from_slice(segment));
        Some(whole.into_boxed_slice())
    }

    fn lock(&self) -> MutexGuard<'_, State<F>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Bytes of pieces that are put together: a copy of so many costs less than what a piece costs beside its bytes.
const JOINED_BYTES_MAX: usize = 4 * 1024;

/// Interim responses that are passed on.
const INTERIMS_MAX: usize = 8;

impl<F> State<F> {
    fn abandon(&mut self) -> bool {
        self.abandoned |= self.seats.is_empty();
        self.abandoned
    }

    fn wake(&mut self) {
        self.seats.values_mut().filter_map(|seat| seat.waker.take()).for_each(Waker::wake);
    }

    fn drop_before(&mut self, position: u64) {
        while let Some((start, first)) = self.segments.front() {
            let end = start + first.len() as u64;
            if end > position {
                break;
            }
            self.dropped = end;
            self.segments.pop_front();
        }
    }

    /// Content came. What comes in small pieces is put together: each has a price beside its bytes.
    fn push(&mut self, bytes: Bytes) {
        let start = self.total;
        self.total += bytes.len() as u64;
        match self.segments.back_mut() {
            Some((_, last)) if last.len() + bytes.len() <= JOINED_BYTES_MAX => {
                *last = [&**last, &bytes].concat().into()
            }
            _ => self.segments.push_back((start, bytes)),
        }
    }

    /// The segment that holds the byte at `position`, and where it begins.
    fn segment(&self, position: u64) -> Option<(u64, &Bytes)> {
        let after = self.segments.partition_point(|(start, _)| *start <= position);
        let (start, segment) = self.segments.get(after.checked_sub(1)?)?;
        (position - start < segment.len() as u64).then_some((*start, segment))
    }
}

#[cfg(test)]
mod tests;
