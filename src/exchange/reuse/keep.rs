//! What the cache learns from the response to a request that went to a backend by itself: that to a POST may stand for a
//! later GET (RFC 9110 §9.3.3), and that to a GET of what was not for all may be for all now: both are copied as they pass; that to a
//! HEAD may be about what is stored (RFC 9111 §4.3.5).

use super::Failure;
use super::forward::keyed;
use super::stow::{Storing, Stow};
use crate::cache::flight::Flight;
use crate::http::{
    FieldName, Fields, Length, Method, ResponseDirectives, ResponseHead, Unstorable, same_origin_target,
};
use std::cell::{Cell, OnceCell, RefCell};
use std::sync::Arc;

/// Sees a response pass.
pub(in crate::exchange) struct Keep {
    stow: Stow,
    of: Of,
    /// Told of writes to the same URL from when the response may say what was before them; others do not join it.
    flight: OnceCell<Arc<Flight<Failure>>>,
    copy: RefCell<Option<Box<Copy>>>,
    fate: Cell<Fate>,
}

/// What becomes of a response to a GET, as far as its head tells.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum Fate {
    /// That is not said.
    #[default]
    Open,
    /// It will be stored, and is fresh for so many seconds.
    Stored(i64),
    /// It is not, for that reason.
    Unstored(Unstorable),
}

/// To what it is the response.
enum Of {
    /// POST, with its target.
    Post(Vec<u8>),
    /// GET of a key that is known as one whose responses are not for all.
    Get,
    Head,
}

/// A response that is to be stored, as far as it came.
struct Copy {
    storing: Storing,
    content: Vec<u8>,
    /// Bytes that were asked for.
    taken: u64,
}

impl Keep {
    /// The response to a POST is stored at its end, if that is allowed.
    pub(super) fn of_post(stow: Stow, target: &[u8]) -> Keep {
        Keep::of(stow, Of::Post(target.to_vec()))
    }

    /// The response to a GET is stored at its end, if that is allowed, and ends what is known of its key if it may be shared.
    pub(super) fn of_get(stow: Stow) -> Keep {
        let keep = Keep::of(stow, Of::Get);
        keep.departs();
        keep
    }

    /// The response to a HEAD renews or outdates what is stored.
    pub(super) fn of_head(stow: Stow) -> Keep {
        // What it says is what the response to a GET would say.
        Keep::of(Stow { method: Method::Get, ..stow }, Of::Head)
    }

    fn of(stow: Stow, of: Of) -> Keep {
        Keep { stow, of, flight: OnceCell::new(), copy: RefCell::default(), fate: Cell::default() }
    }

    /// The head passes; what it makes out of date is so already.
    pub(in crate::exchange) fn head(&self, head: &ResponseHead, length: Length) {
        match &self.of {
            Of::Head => self.stow.overhear(head),
            Of::Get => self.begin(head, length),
            Of::Post(target) if self.is_what_a_get_gives(target, &head.fields) => self.begin(head, length),
            Of::Post(_) => {}
        }
    }

    pub(super) fn fate(&self) -> Fate {
        self.fate.get()
    }

    fn begin(&self, head: &ResponseHead, length: Length) {
        let is_get = matches!(self.of, Of::Get);
        if self.is_barred() {
            return; // It says what was before a write.
        }
        let storing = match self.stow.storing(head, length, &ResponseDirectives::of(&head.fields)) {
            Ok(storing) => storing,
            Err(why) if is_get => {
                self.stow.remember_unstored(head.status, why);
                return self.fate.set(Fate::Unstored(why));
            }
            Err(_) => return,
        };
        if is_get {
            let ttl = storing.entry.life.ttl(self.stow.worker.now_ms());
            self.stow.remember(&storing.entry.life);
            self.fate.set(storing.why_not().map_or(Fate::Stored(ttl), Fate::Unstored));
        }
        if let Some(why) = storing.why_not() {
            return self.stow.worker.metrics.unstored(&self.stow.rules().metrics, why);
        }
        // A POST is itself the first of those writes.
        self.departs();
        *self.copy.borrow_mut() = Some(Box::new(Copy { storing, content: Vec::new(), taken: 0 }));
    }

    fn departs(&self) {
        let Stow { hash, .. } = self.stow;
        if self.flight.get().is_none()
            && let Some(seat) = self.stow.flights().alone(hash)
        {
            let _ = self.flight.set(Arc::clone(seat.flight()));
        }
    }

    /// RFC 9110 §9.3.3: only where it says that it is what a GET of the same target would give; that would not have the
    /// parameters which are ignored.
    fn is_what_a_get_gives(&self, target: &[u8], fields: &Fields) -> bool {
        let url = &self.stow.raw()[self.stow.url_at..];
        let location = fields.get(FieldName::ContentLocation).and_then(|value| same_origin_target(value, url));
        location.is_some_and(|location| location == target && keyed(target, &self.stow.rules().key) == target)
    }

    /// Content passes.
    pub(in crate::exchange) fn data(&self, bytes: &[u8]) {
        let mut copy = self.copy.borrow_mut();
        let Some(held) = &mut *copy else { return };
        if !self.takes(held, bytes) {
            let given_up = copy.take();
            drop(copy);
            given_up.into_iter().for_each(|given_up| self.let_go(&given_up));
        } else if held.storing.length == Length::Known(held.content.len() as u64) {
            drop(copy);
            // Whoever has seen all of it finds it stored.
            self.end();
        }
    }

    /// Whether there is room for more of it; then it is kept.
    fn takes(&self, copy: &mut Copy, bytes: &[u8]) -> bool {
        let total = (copy.content.len() + bytes.len()) as u64;
        if self.stow.is_too_large(&copy.storing, total) || !self.stow.worker.pressure.take(bytes.len() as u64) {
            return false;
        }
        copy.taken += bytes.len() as u64;
        copy.content.extend_from_slice(bytes);
        true
    }

    /// The content is complete.
    pub(in crate::exchange) fn end(&self) {
        let Some(copy) = self.copy.take() else { return };
        self.let_go(&copy);
        let Copy { storing, content, .. } = *copy;
        self.stow.store(storing, content.into_boxed_slice(), || self.is_barred());
    }

    fn is_barred(&self) -> bool {
        self.flight.get().is_some_and(|flight| flight.is_barred())
    }

    fn let_go(&self, copy: &Copy) {
        self.stow.worker.pressure.shrinks(copy.taken);
    }
}

impl Drop for Keep {
    /// The response is over, or broke off.
    fn drop(&mut self) {
        if let Some(copy) = self.copy.take() {
            self.let_go(&copy);
        }
        if let Some(flight) = self.flight.get() {
            self.stow.flights().land((self.stow.hash, 0), flight);
        }
    }
}
