//! The response to a POST that may stand for a later GET (RFC 9110 §9.3.3): copied as it passes.

use super::stow::{Storing, Stow};
use crate::http::{FieldName, Length, Method, ResponseDirectives, ResponseHead, same_origin_target};
use std::cell::RefCell;

/// Sees a response pass, and stores it at its end if that is allowed.
pub(in crate::exchange) struct Keep {
    stow: Stow,
    target: Vec<u8>,
    copy: RefCell<Option<(Box<Storing>, Vec<u8>)>>,
}

impl Keep {
    pub(super) fn of(stow: Stow, target: &[u8]) -> Option<Keep> {
        (stow.method == Method::Post).then(|| Keep { stow, target: target.to_vec(), copy: RefCell::default() })
    }

    /// The head passes.
    pub(in crate::exchange) fn head(&self, head: &ResponseHead, length: Length) {
        let url = &self.stow.key[self.stow.url_at..];
        let location = head.fields.get(FieldName::ContentLocation).and_then(|value| same_origin_target(value, url));
        // RFC 9110 §9.3.3: only where it says that it is what a GET of the same target would give.
        if location.is_none_or(|location| location != self.target) {
            return;
        }
        let directives = ResponseDirectives::of(&head.fields);
        if let Ok(storing) = self.stow.storing(head, length, &directives) {
            *self.copy.borrow_mut() = Some((Box::new(storing), Vec::new()));
        }
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
