//! One reader of a fetch: from the first that is heard of it to the response's head.

use super::Question;
use super::deliver::Serving;
use super::landing::Failure;
use super::question::holds;
use super::stream::is_in;
use crate::cache::entry::Entry;
use crate::cache::flight::{Heard, Seat};
use crate::exchange::attempts::{Ended, Trail};
use crate::exchange::serve::{Course, Scratch};
use crate::exchange::{Body, Downstream, Reply};
use crate::http::{CacheStatus, Forward, Length, Life, RequestDirectives, Reuse, Unstorable, may_reuse};
use crate::telemetry::access::End;
use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

/// How a reader got on.
pub(super) enum Followed {
    Ended(End),
    /// The response is not for this client; what is known of how variants differ.
    Other(Option<Arc<Entry>>),
    /// It was for all for a while, which is over.
    Passed,
    Failed(Failure),
}

/// One reader of a fetch.
pub(super) struct Reading<'a> {
    pub(super) forward: Forward,
    /// The range that this client wants, where the whole comes.
    pub(super) range: Option<&'a [u8]>,
    /// The fetch is for more than that.
    pub(super) is_within: bool,
    /// What the leader's fetch did.
    pub(super) fetched: Option<Rc<RefCell<Trail>>>,
}

impl Reading<'_> {
    /// The leader's log tells of the backend.
    fn note(&self, trail: &mut Trail) {
        if let Some(fetched) = &self.fetched {
            let fetched = fetched.borrow();
            trail.attempts = fetched.attempts;
            trail.backend = fetched.backend;
            trail.crew.clone_from(&fetched.crew);
            trail.first_byte = fetched.first_byte;
        }
    }
}

impl Question<'_> {
    /// RFC 9111 §4: whether the response of another's fetch could be reused for this request, were it stored. `is_early`: it
    /// comes after the request, which then has what it may ask for (§5.2.1: its directives are advice).
    fn may_share(&self, life: &Life, is_early: bool) -> bool {
        let directives = if is_early { RequestDirectives::default() } else { self.directives };
        !matches!(may_reuse(life, &directives, self.now_ms), Reuse::Validate(_))
    }

    /// Whether it is known of the key that its responses are not for all.
    pub(super) fn is_unshared(&self) -> bool {
        self.rules.cache.unstored.knows(self.hash, self.now_ms)
    }
}

impl Course<'_> {
    /// Reads a fetch as it goes on.
    pub(super) async fn follow<D: Downstream>(
        &self,
        question: &Question<'_>,
        seat: &mut Seat<Failure>,
        reading: &Reading<'_>,
        scratch: &mut Scratch,
        down: &mut D,
        trail: &mut Trail,
    ) -> Followed {
        let (entry, length, is_done) = loop {
            match self.heard(seat, down).await {
                None => return Followed::Ended(self.conclude(Ended::ClientGone, scratch, down, trail).await),
                Some(Heard::Interim(head)) => {
                    if down.halves().1.interim(&head).await.is_err() {
                        return Followed::Ended(self.conclude(Ended::ClientGone, scratch, down, trail).await);
                    }
                }
                Some(Heard::Head(entry, length)) => break (entry, length, false),
                Some(Heard::Done(entry)) => break (entry, Length::None, true),
                Some(Heard::NotForAll) => return Followed::Other(None),
                Some(Heard::Failed(failure)) => {
                    reading.note(trail);
                    return Followed::Failed(failure);
                }
            }
        };
        reading.note(trail);
        let fits = entry.is_selected_by(&scratch.request.fields, &question.rules.normal);
        if !seat.leads() && !fits {
            return Followed::Other(Some(entry));
        }
        if !seat.leads() && !question.may_share(&entry.life, seat.is_early()) {
            return if question.is_unshared() { Followed::Other(None) } else { Followed::Passed };
        }
        if !seat.leads() && !question.asks_for(&entry) {
            return Followed::Other(None);
        }
        if reading.is_within && !is_done && !is_in(&entry, length, reading.range) {
            return Followed::Other(None);
        }
        if is_done && !holds(&entry, &scratch.request, question.now_ms) {
            return Followed::Other(None);
        }
        let status = CacheStatus {
            forward: Some(reading.forward),
            forward_status: is_done.then_some(304),
            collapsed: !seat.leads(),
            stored: entry.why_not().is_none(),
            detail: entry.why_not().map(Unstorable::as_str),
            ttl: (entry.why_not().is_none()).then(|| entry.life.ttl(question.now_ms)),
            ..CacheStatus::HIT
        };
        let serving = Serving { entry: &entry, status, is_hit: false };
        if is_done {
            return Followed::Ended(self.deliver(question, &serving, scratch, down, trail).await);
        }
        let ended = self.stream(question, &serving, length, seat, reading, scratch, down, trail).await;
        Followed::Ended(self.conclude(ended, scratch, down, trail).await)
    }

    /// The next that is heard of the head; `None` if the client is gone before.
    async fn heard<D: Downstream>(&self, seat: &mut Seat<Failure>, down: &mut D) -> Option<Heard<Failure>> {
        let mut gone = pin!(down.halves().0.gone());
        poll_fn(|cx| {
            if let Poll::Ready(heard) = seat.poll_head(cx) {
                return Poll::Ready(Some(heard));
            }
            gone.as_mut().poll(cx).map(|()| None)
        })
        .await
    }
}
