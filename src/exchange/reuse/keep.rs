//! What the cache learns from the response to a request that went to a backend by itself: that to a POST may stand for a
//! later GET (RFC 9110 §9.3.3), and is copied as it passes; that to a HEAD may be about what is stored (RFC 9111 §4.3.5).

use super::stow::{Storing, Stow};
use crate::http::{FieldName, Fields, Length, Method, ResponseDirectives, ResponseHead, same_origin_target};
use std::cell::RefCell;

/// Sees a response pass.
pub(in crate::exchange) struct Keep {
    stow: Stow,
    of: Of,
    copy: RefCell<Option<(Box<Storing>, Vec<u8>)>>,
}

/// To what it is the response.
enum Of {
    /// POST, with its target.
    Post(Vec<u8>),
    Head,
}

impl Keep {
    /// The response to a POST is stored at its end, if that is allowed.
    pub(super) fn of_post(stow: Stow, target: &[u8]) -> Option<Keep> {
        (stow.method == Method::Post).then(|| Keep::of(stow, Of::Post(target.to_vec())))
    }

    /// The response to a HEAD renews or outdates what is stored.
    pub(super) fn of_head(stow: Stow) -> Keep {
        // What it says is what the response to a GET would say.
        Keep::of(Stow { method: Method::Get, ..stow }, Of::Head)
    }

    fn of(stow: Stow, of: Of) -> Keep {
        Keep { stow, of, copy: RefCell::default() }
    }

    /// The head passes.
    pub(in crate::exchange) fn head(&self, head: &ResponseHead, length: Length) {
        match &self.of {
            Of::Head => self.stow.overhear(head),
            Of::Post(target) if self.is_what_a_get_gives(target, &head.fields) => {
                if let Ok(storing) = self.stow.storing(head, length, &ResponseDirectives::of(&head.fields))
                    && storing.why_not().is_none()
                {
                    *self.copy.borrow_mut() = Some((Box::new(storing), Vec::new()));
                }
            }
            Of::Post(_) => {}
        }
    }

    /// RFC 9110 §9.3.3: only where it says that it is what a GET of the same target would give.
    fn is_what_a_get_gives(&self, target: &[u8], fields: &Fields) -> bool {
        let url = &self.stow.key[self.stow.url_at..];
        let location = fields.get(FieldName::ContentLocation).and_then(|value| same_origin_target(value, url));
        location.is_some_and(|location| location == target)
    }

    /// Content passes.
    pub(in crate::exchange) fn data(&self, bytes: &[u8]) {
        let mut copy = self.copy.borrow_mut();
        let Some((_, content)) = &mut *copy else { return };
        content.extend_from_slice(bytes);
        if content.len() as u64 > self.stow.config().max_object {
            *copy = None;
        }
    }

    /// The content is complete.
    pub(in crate::exchange) fn end(&self) {
        if let Some((storing, content)) = self.copy.take() {
            self.stow.store(*storing, content.into_boxed_slice(), || false);
        }
    }
}
