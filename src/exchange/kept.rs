//! Request content that was read already, so that another attempt can send it again.

use crate::http::Fields;
use std::cell::Cell;

/// The beginning of a request's content, as long as it is short enough to be kept.
#[derive(Debug)]
pub(super) struct Kept<'w> {
    content: Vec<u8>,
    max: usize,
    /// All that was read is here.
    whole: &'w Cell<bool>,
    end: Option<Option<Fields>>,
}

impl<'w> Kept<'w> {
    /// Keeps up to `max` bytes; `whole` turns false when something is lost.
    pub(super) fn up_to(max: usize, whole: &'w Cell<bool>) -> Kept<'w> {
        Kept { content: Vec::new(), max, whole, end: None }
    }

    /// A piece was read.
    pub(super) fn data(&mut self, piece: &[u8]) {
        if !self.whole.get() || self.content.len() + piece.len() > self.max {
            self.whole.set(false);
            self.content = Vec::new();
        } else {
            self.content.extend_from_slice(piece);
        }
    }

    /// All of it was read.
    pub(super) fn end(&mut self, trailers: Option<&Fields>) {
        if self.max == 0 {
            self.whole.set(false);
        } else if self.whole.get() {
            self.end = Some(trailers.cloned());
        }
    }

    /// What another attempt sends before it reads on.
    pub(super) fn content(&self) -> &[u8] {
        &self.content
    }

    /// The trailers, if all was read.
    pub(super) fn ended(&self) -> Option<Option<&Fields>> {
        self.end.as_ref().map(Option::as_ref)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_is_kept_and_what_does_not_is_known_to_be_lost() {
        let whole = Cell::new(true);
        let mut kept = Kept::up_to(4, &whole);
        kept.data(b"ab");
        kept.data(b"cd");
        assert_eq!((kept.content(), whole.get(), kept.ended().is_some()), (&b"abcd"[..], true, false));
        kept.end(None);
        assert!(whole.get() && kept.ended().is_some());
        let mut kept = Kept::up_to(4, &whole);
        kept.data(b"abcde");
        kept.data(b"f");
        kept.end(None);
        assert!(!whole.get() && kept.content().is_empty() && kept.ended().is_none());
    }

    #[test]
    fn nothing_is_kept_where_nothing_may_be() {
        let whole = Cell::new(true);
        let mut kept = Kept::up_to(0, &whole);
        assert!(whole.get(), "nothing was read yet");
        kept.end(None);
        assert!(!whole.get());
    }
}
