//! In a client's place: it has its whole request, and takes an answer up to a bound.

use super::{Body, Broken, Chunk, Downstream, Piece, Reply, Sink, Source};
use crate::http::{Fields, Length, ResponseHead};
use bytes::Bytes;
use std::future::pending;

/// Whoever asks without a client behind.
pub(super) struct Nobody {
    body: Content,
    answer: Answer,
}

/// The content of a request, all of it there.
pub(super) struct Content {
    pub(super) length: Length,
    pub(super) content: Bytes,
    pub(super) trailers: Option<Fields>,
}

/// Takes what it is given, up to `bytes_max`.
pub(super) struct Answer {
    started: bool,
    taken: u64,
    bytes_max: u64,
    /// Unless it is thrown away.
    kept: Option<Vec<u8>>,
}

impl Nobody {
    /// Throws the content of the answer away.
    pub(super) fn careless(body: Content, bytes_max: u64) -> Nobody {
        Nobody { body, answer: Answer { started: false, taken: 0, bytes_max, kept: None } }
    }

    /// Has no content, and keeps that of the answer.
    pub(super) fn curious(bytes_max: u64) -> Nobody {
        let body = Content { length: Length::None, content: Bytes::new(), trailers: None };
        Nobody { body, answer: Answer { started: false, taken: 0, bytes_max, kept: Some(Vec::new()) } }
    }

    /// What was kept.
    pub(super) fn into_kept(self) -> Vec<u8> {
        self.answer.kept.unwrap_or_default()
    }
}

impl Downstream for Nobody {
    type Body = Content;
    type Reply = Answer;

    fn halves(&mut self) -> (&mut Content, &mut Answer) {
        (&mut self.body, &mut self.answer)
    }
}

impl Source for Content {
    fn length(&self) -> Length {
        self.length
    }

    async fn next(&mut self) -> Result<Piece<'_>, Broken> {
        if self.content.is_empty() {
            return Ok(Piece::End(self.trailers.as_ref()));
        }
        Ok(Piece::Data { chunk: Chunk::Owned(std::mem::take(&mut self.content)), more: true })
    }
}

impl Body for Content {
    async fn gone(&mut self) {
        pending().await
    }
}

impl Sink for Answer {
    async fn data(&mut self, chunk: Chunk<'_>, _more: bool) -> Result<(), Broken> {
        let piece = chunk.as_slice();
        self.taken += piece.len() as u64;
        if self.taken > self.bytes_max {
            return Err(Broken::Closed);
        }
        if let Some(kept) = &mut self.kept {
            kept.extend_from_slice(piece);
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), Broken> {
        Ok(())
    }

    async fn end(&mut self, _trailers: Option<&Fields>) -> Result<(), Broken> {
        Ok(())
    }
}

impl Reply for Answer {
    async fn interim(&mut self, _head: &ResponseHead) -> Result<(), Broken> {
        Ok(())
    }

    async fn head(&mut self, _head: &ResponseHead, _length: Length) -> Result<(), Broken> {
        self.started = true;
        Ok(())
    }

    fn abort(&mut self) {}

    fn started(&self) -> bool {
        self.started
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    fn takes(nobody: &mut Nobody, bytes: usize) -> bool {
        let content = vec![b'x'; bytes];
        let mut future = pin!(nobody.answer.data(Chunk::Lent(&content), true));
        matches!(future.as_mut().poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(Ok(())))
    }

    #[test]
    fn an_answer_without_end_is_not_read_to_its_end() {
        let body = Content { length: Length::None, content: Bytes::new(), trailers: None };
        let (mut careless, mut curious) = (Nobody::careless(body, 10), Nobody::curious(10));
        for nobody in [&mut careless, &mut curious] {
            assert!(takes(nobody, 9) && takes(nobody, 1) && !takes(nobody, 1));
        }
        assert_eq!((careless.into_kept().len(), curious.into_kept().len()), (0, 10));
    }
}
