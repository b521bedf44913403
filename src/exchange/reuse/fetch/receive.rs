//! What becomes of a response: by its head.

use super::{FetchReply, Mode};
use crate::cache::entry::{Content, Entry};
use crate::exchange::reuse::landing::Failure;
use crate::exchange::reuse::rest::Rest;
use crate::exchange::reuse::stow::Storing;
use crate::http::{
    self, FieldName, Fields, Length, Life, ResponseDirectives, ResponseHead, Reuse, Unstorable, Validators,
    is_renewed_by, leaves_out, range_may, strip_unstored,
};
use bytes::Bytes;
use std::sync::Arc;

impl FetchReply<'_> {
    /// Decides what becomes of the response.
    pub(super) fn receive(&mut self, head: &ResponseHead, length: Length) -> Mode {
        let voyage = self.voyage;
        if let Some(rest) = &voyage.rest {
            match rest.judge(head, length) {
                http::Rest::Fits if !rest.is_purged(self.cache()) => return self.join(rest, head),
                http::Rest::Fits | http::Rest::Misfit => return self.refute_parts(rest),
                http::Rest::Other => {}
            }
        }
        if head.status == 206 && !range_may(&voyage.head, &Validators::of(&head.fields)) {
            return self.refute();
        }
        if let (304, Some(stale)) = (head.status, &voyage.stale) {
            if !is_renewed_by(&stale.validators(), &head.fields) {
                // RFC 9111 §4.3.4: it is about another representation, so what is stored is not what there is now.
                return self.refute();
            }
            match voyage.stow.freshen(stale, head, || voyage.flight.is_barred()) {
                Ok(entry) => {
                    voyage.stow.remember(&entry.life);
                    voyage.flight.done(entry);
                }
                // Of parts this client may not have all that it wants.
                Err(entry) if entry.whole().is_none() => {
                    self.is_refuted = true;
                }
                Err(entry) => self.give_away(entry),
            }
            return Mode::Discard;
        }
        // RFC 5861 §4
        if voyage.if_error && matches!(head.status, 500 | 502 | 503 | 504) {
            voyage.flight.fail(Failure::Error(head.status));
            return Mode::Discard;
        }
        self.begin(head, length)
    }

    /// A response that stands for itself.
    fn begin(&mut self, head: &ResponseHead, length: Length) -> Mode {
        let voyage = self.voyage;
        let directives = ResponseDirectives::of(&head.fields);
        match voyage.stow.storing(head, length, &directives) {
            Ok(storing) => {
                voyage.stow.remember(&storing.entry.life);
                self.show(&storing, head, length, &directives);
                Mode::Store(Box::new(storing))
            }
            Err(why) => {
                // What is due to this request alone says nothing of the others.
                let is_own = why == Unstorable::Authorization;
                if let Some(stale) = voyage.stale.as_ref().filter(|stale| !is_own && self.outdates(head.status, stale))
                {
                    self.cache().invalidate_one(stale);
                }
                voyage.stow.remember_unstored(head.status, why);
                let entry =
                    voyage.stow.entry(&voyage.stow.key, head.status, &head.fields, Life::NONE, Content::Pending, &[]);
                voyage.flight.head(Arc::new(entry.because(why)), length, false, voyage.extra.take());
                Mode::Pass
            }
        }
    }

    /// Whether a response that is not stored says that what is stored is not what there is now: that there is nothing; or, of
    /// what is stale, that there is something else. What is fresh is validated because one client wishes it, and stays as it is
    /// for the others (RFC 9111 §4.3.3).
    fn outdates(&self, status: u16, stale: &Entry) -> bool {
        match status {
            404 | 410 => true,
            200..=399 | 401 | 403 | 451 => self.voyage.stow.reuse(&stale.life) != Reuse::Fresh,
            _ => false,
        }
    }

    /// What is stored is not what there is now: that is to be asked for by itself.
    fn refute(&mut self) -> Mode {
        self.cache().invalidate(self.voyage.stow.hash, &self.voyage.stow.key);
        self.is_refuted = true;
        Mode::Discard
    }

    /// The same, of parts alone: it says nothing of other variants, nor of what took their place meanwhile.
    fn refute_parts(&mut self, rest: &Rest) -> Mode {
        self.cache().invalidate_one(rest.held());
        self.is_refuted = true;
        Mode::Discard
    }

    /// The rest is there: it comes between what is stored.
    fn join(&mut self, rest: &Rest, head: &ResponseHead) -> Mode {
        let voyage = self.voyage;
        let (received, head) = (head, rest.head(head));
        let directives = ResponseDirectives::of(&head.fields);
        let length = Length::Known(rest.wanted_bytes());
        let mut storing = match voyage.stow.storing(&head, length, &directives) {
            Ok(storing) => storing,
            Err(Unstorable::Authorization) => {
                // It is due to this request alone, and says nothing of what is stored.
                self.is_refuted = true;
                return Mode::Discard;
            }
            Err(_) => return self.refute_parts(rest),
        };
        Rest::own(received, &mut voyage.extra.borrow_mut());
        storing.length = Length::Known(rest.missing_bytes());
        voyage.stow.remember(&storing.entry.life);
        self.show(&storing, &rest.shown(head), length, &directives);
        rest.before().into_iter().for_each(|piece| voyage.flight.data(piece));
        self.joining = Some(rest.missing_bytes());
        Mode::Store(Box::new(storing))
    }

    /// Tells all who wait of a response that may be stored.
    fn show(&self, storing: &Storing, head: &ResponseHead, length: Length, directives: &ResponseDirectives) {
        let voyage = self.voyage;
        let (mut shown, extra) = self.shown(head, directives, &storing.entry);
        if let Some(why) = storing.why_not() {
            // Those who ask meanwhile share it all the same.
            voyage.worker.metrics.unstored(&voyage.stow.rules().metrics, why);
            shown = shown.because(why);
        }
        voyage.flight.head(Arc::new(shown), length, true, extra);
    }

    /// What was validated is for the leader alone, and for the last time.
    fn give_away(&self, entry: Arc<Entry>) {
        let flight = &self.voyage.flight;
        let content = Bytes::copy_from_slice(entry.whole().unwrap_or_default());
        let length = Length::Known(content.len() as u64);
        flight.head(entry, length, false, self.voyage.extra.take());
        if !content.is_empty() {
            flight.data(content);
        }
        flight.end(None);
    }

    /// The head as those see it who wait for it now, and what only the first of them sees.
    fn shown(&self, head: &ResponseHead, directives: &ResponseDirectives, stored: &Entry) -> (Entry, Fields) {
        let mut fields = head.fields.clone();
        strip_unstored(&mut fields, directives);
        let mut extra = self.voyage.extra.take();
        if leaves_out(directives) {
            let kept = |name: &[u8]| fields.named(name).next().is_some();
            let left = |(name, text, _): &(FieldName, &[u8], &[u8])| {
                !kept(text) && !matches!(name, FieldName::Age | FieldName::ContentLength | FieldName::WeirCacheControl)
            };
            head.fields.iter().filter(left).for_each(|(_, text, value)| extra.push(text, value));
        }
        (
            self.voyage.stow.entry(
                stored.key(),
                head.status,
                &fields,
                stored.life,
                Content::Pending,
                stored.selecting(),
            ),
            extra,
        )
    }
}
