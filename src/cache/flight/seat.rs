//! A reader's place in a flight.

use super::{End, Flight, Phase};
use crate::cache::entry::Entry;
use crate::http::{Fields, Length, ResponseHead};
use bytes::Bytes;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, Waker};

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
    /// It was taken before the head was known.
    is_early: bool,
}

impl<F> Seat<F> {
    pub(super) fn of(flight: &Arc<Flight<F>>, number: u32, is_early: bool) -> Seat<F> {
        Seat { flight: Arc::clone(flight), number, interims: 0, is_early }
    }
}

impl<F: Clone> Seat<F> {
    /// Whether it was the first.
    #[must_use]
    pub fn leads(&self) -> bool {
        self.number == 0
    }

    /// Whether the head was not known when it joined.
    #[must_use]
    pub fn is_early(&self) -> bool {
        self.is_early
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

    /// It has what it came for: that it leaves now says nothing against the rest.
    pub fn is_served(&self) {
        self.flight.lock().served = true;
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
        let watcher = if state.seats.is_empty() { state.watcher.take() } else { None };
        [state.producer.take(), watcher].into_iter().flatten().for_each(Waker::wake);
    }
}
