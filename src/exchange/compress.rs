//! A response on its way to the client, compressed if the route says so and the client accepts it.

use super::{Broken, Chunk, Downstream, Prepared, Reply, Sink};
use crate::config::Compress;
use crate::http::coding::{
    Coding, Encoder, Encoders, Rules, adapt, adapt_not_modified, adapt_trailers, choose, compressible,
    forbids_transforming, is_of_compressible, says_vary, vary,
};
use crate::http::{FieldName, Fields, Length, Method, RequestHead, ResponseHead, parse_content_range};
use std::cell::RefCell;
use std::time::Duration;

/// What a request says about compression: read before its fields are edited for the backend.
#[derive(Debug, Default)]
pub(super) struct Wish {
    pub(super) coding: Option<Coding>,
    pub(super) is_head: bool,
    /// If-None-Match alone.
    conditions: Fields,
}

impl Wish {
    pub(super) fn of(compress: &Compress, request: &RequestHead) -> Wish {
        let mut conditions = Fields::default();
        request.fields.all(FieldName::IfNoneMatch).for_each(|v| conditions.push_known(FieldName::IfNoneMatch, v));
        let coding = match forbids_transforming(&request.fields) {
            true => None,
            false => choose(&request.fields, &compress.codings),
        };
        Wish { coding, is_head: request.method == Method::Head, conditions }
    }
}

/// What one exchange's compression depends on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Compression<'a> {
    pub(super) rules: &'a Rules,
    /// Stands for the rules.
    pub(super) print: u64,
    pub(super) wish: &'a Wish,
    /// The worker's.
    pub(super) encoders: &'a RefCell<Encoders>,
}

impl<'a> Compression<'a> {
    /// None: the route does not compress.
    pub(super) fn of(
        compress: Option<&'a Compress>,
        wish: Option<&'a Wish>,
        encoders: &'a RefCell<Encoders>,
    ) -> Option<Compression<'a>> {
        let Compress { rules, print, .. } = compress?;
        Some(Compression { rules, print: *print, wish: wish?, encoders })
    }
}

/// Bytes of content before and after encoding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Squeezed {
    pub(super) taken: u64,
    pub(super) given: u64,
}

/// The client's receiving half, which gets the encoded form of a response that is worth it; all else as it is.
#[derive(Debug)]
pub(super) struct Compressing<'a, R: Reply> {
    reply: &'a mut R,
    /// None: the route does not compress, or this response goes as it is.
    compression: Option<Compression<'a>>,
    encoder: Option<Encoder>,
    /// What came out of the encoder and was not sent yet.
    out: Vec<u8>,
    /// Bytes of content still to come, where their number is known.
    left: Option<u64>,
    squeezed: Squeezed,
}

impl<'a, R: Reply> Compressing<'a, R> {
    pub(super) fn new(reply: &'a mut R, compression: Option<Compression<'a>>) -> Compressing<'a, R> {
        Compressing { reply, compression, encoder: None, out: Vec::new(), left: None, squeezed: Squeezed::default() }
    }

    /// Zero where nothing was encoded.
    pub(super) fn squeezed(&self) -> Squeezed {
        self.squeezed
    }

    /// The head that takes the place of `head`, and how the length of its content is known; none if `head` stands.
    fn adapted(&mut self, head: &ResponseHead, length: Length) -> Option<(ResponseHead, Length)> {
        let compression = self.compression?;
        if head.status == 304 && !compression.wish.conditions.is_empty() {
            let mut adapted = head.clone();
            adapt_not_modified(&mut adapted.fields, &compression.wish.conditions);
            return Some((adapted, length));
        }
        if head.status == 206 {
            let mut varies = varies(&head.fields, complete(&head.fields), &compression).then(|| head.clone())?;
            vary(&mut varies.fields);
            return Some((varies, length));
        }
        let content = match length {
            Length::Tunnel => return None,
            // RFC 9110 §9.3.2: HEAD gets the fields that GET would get, and that depends on the length.
            _ if compression.wish.is_head => content_length(&head.fields),
            Length::None => Some(0),
            Length::Known(length) => Some(length),
            Length::Unknown => None,
        };
        if !compressible(head.status, &head.fields, content, compression.rules) {
            return None;
        }
        let mut adapted = head.clone();
        match self.begin(&compression, content) {
            Some(coding) => adapt(&mut adapted.fields, coding),
            None => vary(&mut adapted.fields),
        }
        Some((adapted, if self.encoder.is_some() { Length::Unknown } else { length }))
    }

    /// The coding of a response that may have one, with an encoder where there will be content.
    fn begin(&mut self, compression: &Compression<'a>, content: Option<u64>) -> Option<Coding> {
        let coding = compression.wish.coding?;
        if !compression.wish.is_head {
            self.encoder = Some(compression.encoders.borrow_mut().take(coding, content)?);
            self.left = content;
        }
        Some(coding)
    }

    /// Sends what came out of the encoder so far.
    async fn pour(&mut self, more: bool) -> Result<(), Broken> {
        if self.out.is_empty() {
            return Ok(());
        }
        self.squeezed.given += self.out.len() as u64;
        let sent = self.reply.data(Chunk::Lent(&self.out), more).await;
        self.out.clear();
        sent
    }

    fn put_back(&mut self) {
        if let (Some(encoder), Some(compression)) = (self.encoder.take(), &self.compression) {
            compression.encoders.borrow_mut().put_back(encoder);
        }
    }
}

impl<R: Reply> Sink for Compressing<'_, R> {
    async fn data(&mut self, chunk: Chunk<'_>, more: bool) -> Result<(), Broken> {
        if self.encoder.is_none() {
            return self.reply.data(chunk, more).await;
        }
        let content = chunk.as_slice();
        self.squeezed.taken += content.len() as u64;
        self.left = self.left.map(|left| left.saturating_sub(content.len() as u64));
        let mut slices = content.chunks(SLICE_BYTES).peekable();
        while let (Some(slice), Some(encoder)) = (slices.next(), &mut self.encoder) {
            encoder.write(slice, &mut self.out);
            let has_more = slices.peek().is_some() || more;
            // Nothing is flushed at the end of content whose length is known: what ends it follows at once.
            if !has_more && self.left != Some(0) {
                encoder.flush(&mut self.out);
                self.pour(false).await?;
            } else if self.out.len() >= SEND_BYTES {
                self.pour(true).await?;
            }
            if slices.peek().is_some() {
                // A large piece takes its time: others have their turn in between.
                tokio::task::yield_now().await;
            }
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), Broken> {
        if let Some(encoder) = &mut self.encoder {
            encoder.flush(&mut self.out);
            self.pour(true).await?;
        }
        self.reply.flush().await
    }

    async fn end(&mut self, trailers: Option<&Fields>) -> Result<(), Broken> {
        let Some(encoder) = &mut self.encoder else { return self.reply.end(trailers).await };
        encoder.finish(&mut self.out);
        self.put_back();
        self.pour(true).await?;
        let mut adapted = trailers.cloned();
        adapted.iter_mut().for_each(adapt_trailers);
        self.reply.end(adapted.as_ref()).await
    }
}

impl<R: Reply> Reply for Compressing<'_, R> {
    async fn interim(&mut self, head: &ResponseHead) -> Result<(), Broken> {
        self.reply.interim(head).await
    }

    async fn head(&mut self, head: &ResponseHead, length: Length) -> Result<(), Broken> {
        match self.adapted(head, length) {
            Some((head, length)) => self.reply.head(&head, length).await,
            None => self.reply.head(head, length).await,
        }
    }

    async fn prepared(&mut self, head: &Prepared<'_>, length: Length) -> Result<(), Broken> {
        match self.compression {
            Some(_) => self.head(&head.to_head(), length).await,
            None => self.reply.prepared(head, length).await,
        }
    }

    fn as_is(&mut self) {
        self.compression = None;
    }

    fn abort(&mut self) {
        self.put_back();
        self.reply.abort();
    }

    fn patience(&self, limit: Duration) -> Duration {
        self.reply.patience(limit)
    }

    fn started(&self) -> bool {
        self.reply.started()
    }
}

impl<R: Reply> Drop for Compressing<'_, R> {
    fn drop(&mut self) {
        // Also of an exchange that broke off.
        self.put_back();
    }
}

/// An exchange whose response is compressed: the halves of another, with a [`Compressing`] in place of its reply.
pub(super) struct Compressed<'a, D: Downstream> {
    body: &'a mut D::Body,
    reply: Compressing<'a, D::Reply>,
}

impl<'a, D: Downstream> Compressed<'a, D> {
    pub(super) fn new(down: &'a mut D, compression: Option<Compression<'a>>) -> Compressed<'a, D> {
        let (body, reply) = down.halves();
        Compressed { body, reply: Compressing::new(reply, compression) }
    }

    /// Makes a count of content that went down one of the bytes that the client got.
    pub(super) fn correct(&self, down: &mut u64) {
        let Squeezed { taken, given } = self.reply.squeezed();
        *down = down.saturating_sub(taken) + given;
    }
}

impl<'a, D: Downstream> Downstream for Compressed<'a, D> {
    type Body = D::Body;
    type Reply = Compressing<'a, D::Reply>;

    fn halves(&mut self) -> (&mut Self::Body, &mut Self::Reply) {
        (self.body, &mut self.reply)
    }
}

/// Whether the 200 of what a 206 or a 304 is about says more in Vary than these fields do.
pub(super) fn varies(fields: &Fields, length: Option<u64>, compression: &Compression<'_>) -> bool {
    !says_vary(fields) && is_of_compressible(fields, length, compression.rules)
}

/// Bytes of what a 206 is a part of.
fn complete(fields: &Fields) -> Option<u64> {
    parse_content_range(fields.get(FieldName::ContentRange)?)?.complete
}

fn content_length(fields: &Fields) -> Option<u64> {
    std::str::from_utf8(fields.get(FieldName::ContentLength)?).ok()?.parse().ok()
}

/// Content that is encoded without a pause: 0.1 to 0.3 ms.
const SLICE_BYTES: usize = 32 * 1024;
/// So much is collected before it is sent, unless it is flushed.
const SEND_BYTES: usize = 8 * 1024;

#[cfg(test)]
mod tests;
