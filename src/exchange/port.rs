//! What a codec offers the engine: the four halves of an exchange, without sockets and versions.

use crate::http::{Fields, Length, RequestHead, ResponseHead, Version};
use bytes::Bytes;
use std::io;
use std::time::Duration;

/// A piece of content: lent from a read buffer, or owned where the codec has it so.
#[derive(Debug)]
pub enum Chunk<'a> {
    /// Lent until the next call on its source.
    Lent(&'a [u8]),
    /// Shared memory.
    Owned(Bytes),
}

impl Chunk<'_> {
    /// The bytes.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        match self {
            Chunk::Lent(slice) => slice,
            Chunk::Owned(bytes) => bytes,
        }
    }

    /// The bytes as shared memory; copies only what was lent.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        match self {
            Chunk::Lent(slice) => Bytes::copy_from_slice(slice),
            Chunk::Owned(bytes) => bytes,
        }
    }
}

/// What a [`Source`] gives next.
#[derive(Debug)]
pub enum Piece<'a> {
    /// Content, never empty. `more`: the next piece is there already, so writing may wait for it.
    Data {
        /// The bytes.
        chunk: Chunk<'a>,
        /// Whether the next piece can be had without waiting.
        more: bool,
    },
    /// The content is complete, with its trailer fields if it had any.
    End(Option<&'a Fields>),
}

/// Why content ended before its end.
#[derive(Debug)]
pub enum Broken {
    /// The peer broke the framing rules; the words say which.
    Malformed(&'static str),
    /// The peer closed or reset before the end.
    Closed,
    /// The connection failed.
    Io(io::Error),
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::ConnectionAborted => Broken::Closed,
            _ => Broken::Io(error),
        }
    }
}

/// Content being received, from a client or from a backend.
#[expect(async_fn_in_trait, reason = "workers are single-threaded: no Send bound is wanted")]
pub trait Source {
    /// How its length is known.
    fn length(&self) -> Length;

    /// The next piece. After `End` or an error, not to be called again. Cancel-safe.
    async fn next(&mut self) -> Result<Piece<'_>, Broken>;
}

/// Content being sent, to a client or to a backend. What is accepted may be kept back until [`flush`](Self::flush),
/// [`end`](Self::end) or a piece with no `more`.
#[expect(async_fn_in_trait, reason = "workers are single-threaded: no Send bound is wanted")]
pub trait Sink {
    /// Sends a piece.
    async fn data(&mut self, chunk: Chunk<'_>, more: bool) -> Result<(), Broken>;

    /// Sends what was kept back.
    async fn flush(&mut self) -> Result<(), Broken>;

    /// Says that the content is complete.
    async fn end(&mut self, trailers: Option<&Fields>) -> Result<(), Broken>;
}

/// A final head whose fields are lines already: `name: value`, each with CRLF, neither Content-Length (but as information)
/// nor any that belongs to a connection among them.
#[derive(Clone, Copy, Debug)]
pub struct Prepared<'a> {
    /// The status.
    pub status: u16,
    /// Lines that are the same each time.
    pub lines: &'a [u8],
    /// Lines of this time.
    pub added: &'a [u8],
}

impl Prepared<'_> {
    /// The same, field by field.
    #[must_use]
    pub fn to_head(&self) -> ResponseHead {
        let mut fields = Fields::of_lines(self.lines);
        Fields::of_lines(self.added).iter().for_each(|(_, name, value)| fields.push(name, value));
        ResponseHead { status: self.status, version: Version::Http11, fields }
    }
}

/// The client's receiving half.
#[expect(async_fn_in_trait, reason = "workers are single-threaded: no Send bound is wanted")]
pub trait Reply: Sink {
    /// Sends a 1xx response other than 101, at once.
    async fn interim(&mut self, head: &ResponseHead) -> Result<(), Broken>;

    /// Sends the final head (kept back until content, flush or end). `length` says what follows; for
    /// [`Length::None`] a Content-Length among the fields is information only (HEAD, 304).
    async fn head(&mut self, head: &ResponseHead, length: Length) -> Result<(), Broken>;

    /// As [`head`](Self::head), of lines that are ready to be sent.
    async fn prepared(&mut self, head: &Prepared<'_>, length: Length) -> Result<(), Broken> {
        self.head(&head.to_head(), length).await
    }

    /// The head that follows says all that it should of codings: the response goes as it is.
    fn as_is(&mut self) {}

    /// Makes the client see that the response is broken: closes or resets without a proper end.
    fn abort(&mut self);

    /// Whether a final head was given to [`head`](Self::head).
    fn started(&self) -> bool;

    /// How long a call that sends content may take, of a client that gets `limit` to take something: longer where the reply
    /// itself slows the content down, which then bounds its waits for the client.
    fn patience(&self, limit: Duration) -> Duration {
        limit
    }
}

/// The client's sending half.
#[expect(async_fn_in_trait, reason = "workers are single-threaded: no Send bound is wanted")]
pub trait Body: Source {
    /// Returns when the client has gone away. Cancel-safe. Only for when nothing more is read.
    async fn gone(&mut self);
}

/// One exchange as a client's codec sees it.
pub trait Downstream {
    /// The request's content.
    type Body: Body;
    /// The response's way.
    type Reply: Reply;

    /// Both halves, to be used at the same time.
    fn halves(&mut self) -> (&mut Self::Body, &mut Self::Reply);
}

/// The backend's receiving half.
#[expect(async_fn_in_trait, reason = "workers are single-threaded: no Send bound is wanted")]
pub trait Request: Sink {
    /// Sends the head (kept back until content, flush or end).
    async fn head(&mut self, head: &RequestHead, length: Length) -> Result<(), Broken>;
}

/// The backend's sending half.
#[expect(async_fn_in_trait, reason = "workers are single-threaded: no Send bound is wanted")]
pub trait Response: Source {
    /// Receives the next head, interim or final, into `head`.
    async fn head(&mut self, head: &mut ResponseHead) -> Result<(), Broken>;

    /// Waits until some of the content is there, or its end; does not where a codec cannot tell. Cancel-safe.
    async fn content(&mut self) -> Result<(), Broken> {
        Ok(())
    }
}

/// One attempt as a backend's codec sees it.
pub trait Upstream {
    /// The request's way.
    type Request: Request;
    /// The response's way.
    type Response: Response;

    /// Both halves, to be used at the same time.
    fn halves(&mut self) -> (&mut Self::Request, &mut Self::Response);
}
