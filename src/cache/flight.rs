//! One fetch for all who ask: a response that grows, and those who read it, each at its own speed, on any thread.

mod table;

pub use table::Flights;

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
    segments: VecDeque<Bytes>,
    /// Bytes of content before the first segment.
    dropped: u64,
    /// Bytes of content received.
    total: u64,
    end: End,
    seats: HashMap<u32, Sitting>,
    next_seat: u32,
    producer: Option<Waker>,
    /// What is fetched was changed meanwhile: it is not to be stored.
    barred: bool,
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

/// What a reader learns of the head.
#[derive(Debug)]
pub enum Heard<F> {
    /// An interim response, which comes before.
    Interim(ResponseHead),
    /// The head; its content follows.
    Head(Arc<Entry>, Length),
    /// The whole response.
    Done(Arc<Entry>),
    /// It is for another client alone: ask yourself.
    NotForAll,
    /// There is none.
    Failed(F),
}

/// What a reader gets of the content.
#[derive(Debug)]
pub enum Piece {
    /// Bytes; whether more are there.
    Data(Bytes, bool),
    /// That was all, with its trailers.
    End(Option<Fields>),
    /// It broke off.
    Broken,
}

/// A reader's place in a flight.
#[derive(Debug)]
pub struct Seat<F> {
    flight: Arc<Flight<F>>,
    number: u32,
    interims: usize,
}

/// Bytes that the slowest reader may be behind where content is not kept.
pub const BEHIND_MAX_BYTES: u64 = 256 * 1024;

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
            barred: false,
        };
        Flight { state: Mutex::new(state) }
    }
}

impl<F: Clone> Flight<F> {
    /// Takes part, from the beginning of the content; `None` if the beginning is gone. The first one leads.
    pub fn join(self: &Arc<Self>) -> Option<Seat<F>> {
        let mut state = self.lock();
        if state.dropped > 0 || (matches!(state.phase, Phase::Leader(..)) && state.next_seat > 0) {
            return None;
        }
        let number = state.next_seat;
        state.next_seat += 1;
        state.seats.insert(number, Sitting::default());
        Some(Seat { flight: Arc::clone(self), number, interims: 0 })
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
        state.total += bytes.len() as u64;
        state.segments.push_back(bytes);
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
        if state.total - slowest < BEHIND_MAX_BYTES {
            return Poll::Ready(());
        }
        state.producer = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Ready once nobody reads.
    pub fn poll_deserted(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        if state.seats.is_empty() {
            return Poll::Ready(());
        }
        state.producer = Some(cx.waker().clone());
        Poll::Pending
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

    /// Whether nobody reads.
    #[must_use]
    pub fn is_deserted(&self) -> bool {
        self.lock().seats.is_empty()
    }

    /// How many have taken part so far.
    #[must_use]
    pub fn joined(&self) -> u32 {
        self.lock().next_seat
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
        let mut whole = Vec::with_capacity(segments.iter().map(Bytes::len).sum());
        segments.iter().for_each(|segment| whole.extend_from_slice(segment));
        Some(whole.into_boxed_slice())
    }

    fn lock(&self) -> MutexGuard<'_, State<F>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Interim responses that are passed on.
const INTERIMS_MAX: usize = 8;

impl<F> State<F> {
    fn wake(&mut self) {
        self.seats.values_mut().filter_map(|seat| seat.waker.take()).for_each(Waker::wake);
    }

    fn drop_before(&mut self, position: u64) {
        while let Some(first) = self.segments.front() {
            if self.dropped + first.len() as u64 > position {
                break;
            }
            self.dropped += first.len() as u64;
            self.segments.pop_front();
        }
    }

    /// The segment that holds the byte at `position`, and where it begins.
    fn segment(&self, position: u64) -> Option<(u64, &Bytes)> {
        let mut start = self.dropped;
        for segment in &self.segments {
            let end = start + segment.len() as u64;
            if position < end {
                return Some((start, segment));
            }
            start = end;
        }
        None
    }
}

impl<F: Clone> Seat<F> {
    /// Whether it was the first.
    #[must_use]
    pub fn leads(&self) -> bool {
        self.number == 0
    }

    /// Fields that this reader alone is to see.
    #[must_use]
    pub fn extra(&self) -> Option<Fields> {
        let state = self.flight.lock();
        (self.number == 0 && !state.extra.is_empty()).then(|| state.extra.clone())
    }

    /// What is known of the head.
    pub fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Heard<F>> {
        let mut state = self.flight.lock();
        if let Some(interim) = state.interims.get(self.interims) {
            self.interims += 1;
            return Poll::Ready(Heard::Interim(interim.clone()));
        }
        let heard = match &state.phase {
            Phase::Asking => {
                let seat = state.seats.entry(self.number).or_default();
                seat.waker = Some(cx.waker().clone());
                return Poll::Pending;
            }
            Phase::Leader(..) if self.number > 0 => Heard::NotForAll,
            Phase::Shared(entry, length) | Phase::Leader(entry, length) => Heard::Head(Arc::clone(entry), *length),
            Phase::Done(entry) => Heard::Done(Arc::clone(entry)),
            Phase::Failed(why) => Heard::Failed(why.clone()),
        };
        Poll::Ready(heard)
    }

    /// The next piece of content from where this reader is.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Piece> {
        let mut state = self.flight.lock();
        let position = state.seats.get(&self.number).map_or(0, |seat| seat.position);
        if let Some((start, segment)) = state.segment(position) {
            let bytes = segment.slice((position - start) as usize..);
            let after = position + bytes.len() as u64;
            let more = after < state.total;
            state.seats.entry(self.number).or_default().position = after;
            if let Some(producer) = state.producer.take() {
                producer.wake();
            }
            return Poll::Ready(Piece::Data(bytes, more));
        }
        match &state.end {
            End::Complete(trailers) => Poll::Ready(Piece::End(trailers.clone())),
            End::Broken => Poll::Ready(Piece::Broken),
            End::Open => {
                state.seats.entry(self.number).or_default().waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    /// Passes over content up to `position`, once; for a range.
    pub fn skip_to(&mut self, position: u64) {
        let mut state = self.flight.lock();
        let seat = state.seats.entry(self.number).or_default();
        seat.position = seat.position.max(position);
    }

    /// The flight.
    #[must_use]
    pub fn flight(&self) -> &Arc<Flight<F>> {
        &self.flight
    }
}

impl<F> Drop for Seat<F> {
    fn drop(&mut self) {
        let mut state = self.flight.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.seats.remove(&self.number);
        if let Some(producer) = state.producer.take() {
            producer.wake();
        }
    }
}

#[cfg(test)]
mod tests;
