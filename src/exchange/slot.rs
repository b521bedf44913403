//! An exchange's place at a backend.

use crate::live::{LiveBackend, Members, Queue};
use crate::pool::concurrency::{Limiter, Ticket};
use std::cell::Cell;
use std::time::{Duration, Instant};

/// A place at a backend, counted until it is dropped.
pub(super) struct Slot<'a> {
    pub(super) at: usize,
    pub(super) backend: &'a LiveBackend,
    queue: &'a Queue,
    max: Option<u32>,
    hold: Option<Hold<'a>>,
}

/// A place among those that a backend bears.
struct Hold<'a> {
    limiter: &'a Limiter,
    ticket: Ticket,
    /// The backend has the whole request, and has not begun to answer.
    counts: Cell<bool>,
    /// The limiter knows how it ended.
    is_told: Cell<bool>,
    /// When the request began to be sent, by two clocks: time differs only in steps, which is enough for the limiter.
    sent: Cell<Option<Instant>>,
    taken: Duration,
}

impl<'a> Slot<'a> {
    /// A place at the backend `at`, if there is room.
    pub(super) fn take(
        members: &'a Members,
        at: usize,
        max: Option<u32>,
        queue: &'a Queue,
        now: Duration,
    ) -> Option<Slot<'a>> {
        let member = &members.list[at];
        let backend = &*member.backend;
        if !backend.enter(max) {
            return None;
        }
        let mut slot = Slot { at, backend, queue, max, hold: None };
        if let Some(limiter) = member.limiter.as_deref() {
            slot.hold = Some(Hold {
                limiter,
                ticket: limiter.enter(now)?,
                counts: Cell::new(true),
                is_told: Cell::new(false),
                sent: Cell::new(None),
                taken: now,
            });
        }
        Some(slot)
    }

    /// The request begins to be sent.
    pub(super) fn sending(&self, now: Instant) {
        if let Some(hold) = &self.hold {
            hold.sent.set(Some(now));
        }
    }

    /// The request is not sent as a whole, as its client has not: nobody is to wait for that.
    pub(super) fn is_partial(&self) {
        if let Some(hold) = &self.hold
            && hold.counts.replace(false)
        {
            hold.limiter.leave();
            self.freed(hold);
        }
    }

    /// The backend has the whole request, of which it had a part.
    pub(super) fn is_whole(&self) {
        if let Some(hold) = &self.hold
            && !hold.is_told.get()
            && !hold.counts.replace(true)
        {
            hold.limiter.enter_again();
            hold.sent.set(Some(Instant::now()));
        }
    }

    /// The head of the response is there.
    pub(super) fn answered(&self, status: u16, now: Duration) {
        let Some(hold) = &self.hold else { return };
        if hold.counts.replace(false) {
            hold.limiter.leave();
            self.freed(hold);
        }
        let took = hold.sent.get().map(|sent| sent.elapsed());
        self.tell(hold, |limiter, ticket| match (status, took) {
            (SERVICE_UNAVAILABLE, _) => limiter.overloaded(ticket, now),
            // An error that comes fast does not say how long work takes.
            (500.., _) | (_, None) => limiter.lost(ticket, now),
            (_, Some(took)) => limiter.answered(ticket, took, now),
        });
    }

    /// The backend said nothing in time.
    pub(super) fn is_silent(&self, now: Duration) {
        if let Some(hold) = &self.hold {
            self.tell(hold, |limiter, ticket| limiter.overloaded(ticket, now));
        }
    }

    /// Tells the limiter how it ended, once; those who wait hear if there is more room for that.
    fn tell(&self, hold: &Hold<'_>, how: impl FnOnce(&Limiter, Ticket) -> bool) {
        if !hold.is_told.replace(true) && how(hold.limiter, hold.ticket) {
            self.queue.freed_for(hold.limiter.room());
        }
    }

    /// One place among those that the backend bears is free.
    fn freed(&self, hold: &Hold<'_>) {
        if self.backend.has_room(self.max) && hold.limiter.room() > 0 {
            self.queue.freed();
        }
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        self.backend.leave();
        let Some(hold) = &self.hold else {
            self.queue.freed();
            return;
        };
        if !hold.is_told.get() {
            let after = hold.sent.get().map(|sent| sent.elapsed()).unwrap_or_default();
            self.tell(hold, |limiter, ticket| limiter.abandoned(ticket, after, hold.taken + after));
        }
        if hold.counts.get() {
            hold.limiter.leave();
            self.freed(hold);
        } else if self.max.is_some() {
            self.freed(hold);
        }
    }
}

/// What a backend says that has too much (RFC 9110 §15.6.4).
const SERVICE_UNAVAILABLE: u16 = 503;
