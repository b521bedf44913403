use super::*;
use crate::http::coding::encode_whole;
use std::io::Read;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// A client that writes down what it gets.
#[derive(Default)]
struct Client {
    head: Option<(ResponseHead, Length)>,
    content: Vec<u8>,
    /// Length of the content that it has for sure.
    flushed: usize,
    trailers: Option<Fields>,
    ended: bool,
    aborted: bool,
}

impl Sink for Client {
    async fn data(&mut self, chunk: Chunk<'_>, more: bool) -> Result<(), Broken> {
        self.content.extend_from_slice(chunk.as_slice());
        self.flushed = if more { self.flushed } else { self.content.len() };
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), Broken> {
        self.flushed = self.content.len();
        Ok(())
    }

    async fn end(&mut self, trailers: Option<&Fields>) -> Result<(), Broken> {
        self.trailers = trailers.cloned();
        (self.ended, self.flushed) = (true, self.content.len());
        Ok(())
    }
}

impl Reply for Client {
    async fn interim(&mut self, _head: &ResponseHead) -> Result<(), Broken> {
        Ok(())
    }

    async fn head(&mut self, head: &ResponseHead, length: Length) -> Result<(), Broken> {
        self.head = Some((head.clone(), length));
        Ok(())
    }

    fn abort(&mut self) {
        self.aborted = true;
    }

    fn started(&self) -> bool {
        self.head.is_some()
    }
}

impl Client {
    fn field(&self, name: FieldName) -> Option<&str> {
        let (head, _) = self.head.as_ref().unwrap();
        head.fields.get(name).map(|value| std::str::from_utf8(value).unwrap())
    }

    fn length(&self) -> Length {
        self.head.as_ref().unwrap().1
    }

    /// What it can show, of gzip.
    fn shows(&self) -> Vec<u8> {
        let mut out = Vec::new();
        // What is not complete ends in an error, after all that can be had of it.
        let _ = flate2::bufread::GzDecoder::new(&self.content[..self.flushed]).read_to_end(&mut out);
        out
    }
}

fn compress() -> Compress {
    Compress::new(vec![Coding::Gzip], Rules::default())
}

fn fields(lines: &[(&str, &str)]) -> Fields {
    let mut fields = Fields::default();
    lines.iter().for_each(|(name, value)| fields.push(name.as_bytes(), value.as_bytes()));
    fields
}

fn request(method: Method, lines: &[(&str, &str)]) -> RequestHead {
    RequestHead { method, fields: fields(lines), ..Default::default() }
}

fn gzip() -> RequestHead {
    request(Method::Get, &[("Accept-Encoding", "gzip")])
}

fn html(status: u16, more: &[(&str, &str)]) -> ResponseHead {
    let mut fields = fields(more);
    fields.push(b"Content-Type", b"text/html");
    ResponseHead { status, fields, ..Default::default() }
}

/// Runs what never waits but to let others have their turn.
fn run<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..TURNS_MAX {
        if let Poll::Ready(value) = future.as_mut().poll(&mut cx) {
            return value;
        }
    }
    panic!("it waits for something");
}

const TURNS_MAX: usize = 1_000;

/// Lets `talk` speak to a client that sent `asked`, through a compression by `compress`.
fn through(
    asked: &RequestHead,
    compress: &Compress,
    encoders: &RefCell<Encoders>,
    talk: impl AsyncFnOnce(&mut Compressing<'_, Client>),
) -> Client {
    let (mut client, wish) = (Client::default(), Wish::of(compress, asked));
    let compression = Compression::of(Some(compress), Some(&wish), encoders);
    run(talk(&mut Compressing::new(&mut client, compression)));
    client
}

#[test]
fn a_response_is_encoded_for_who_accepts_it() {
    let content = b"<p>hello</p>".repeat(10_000);
    let known = Length::Known(content.len() as u64);
    let client = through(&gzip(), &compress(), &RefCell::default(), async |reply| {
        reply.head(&html(200, &[("Content-Length", "120000"), ("ETag", "\"a\"")]), known).await.unwrap();
        reply.data(Chunk::Lent(&content), false).await.unwrap();
        reply.end(None).await.unwrap();
        assert_eq!(reply.squeezed().taken, 120_000);
        assert!(reply.squeezed().given < 2_000);
    });
    assert_eq!(client.length(), Length::Unknown);
    assert_eq!(client.field(FieldName::ContentEncoding), Some("gzip"));
    assert_eq!(client.field(FieldName::ContentLength), None);
    assert_eq!(client.field(FieldName::ETag), Some("W/\"a\""));
    assert_eq!(client.field(FieldName::Vary), Some("Accept-Encoding"));
    assert!(client.ended && client.shows() == content);
}

#[test]
fn who_does_not_accept_it_learns_that_others_may() {
    for asked in [
        request(Method::Get, &[]),
        request(Method::Get, &[("Accept-Encoding", "br")]),
        request(Method::Get, &[("Accept-Encoding", "gzip"), ("Cache-Control", "no-transform")]),
    ] {
        let client = through(&asked, &compress(), &RefCell::default(), async |reply| {
            reply.head(&html(200, &[("ETag", "\"a\"")]), Length::Known(500)).await.unwrap();
            reply.data(Chunk::Lent(&[b'a'; 500]), false).await.unwrap();
            reply.end(None).await.unwrap();
            assert_eq!(reply.squeezed(), Squeezed::default());
        });
        assert_eq!((client.length(), client.content.len()), (Length::Known(500), 500));
        assert_eq!(client.field(FieldName::Vary), Some("Accept-Encoding"));
        assert_eq!(client.field(FieldName::ETag), Some("\"a\""));
    }
}

#[test]
fn what_is_not_worth_it_passes_untouched() {
    for (head, length) in [
        (html(200, &[]), Length::Known(255)),
        (html(200, &[]), Length::None),
        (html(206, &[("Content-Range", "bytes 0-99/255")]), Length::Known(100)),
        (html(206, &[("Content-Range", "bytes 0-99/1000"), ("Content-Encoding", "br")]), Length::Known(100)),
        (html(200, &[("Content-Encoding", "br")]), Length::Unknown),
        (html(200, &[("Cache-Control", "no-transform")]), Length::Unknown),
        (ResponseHead { status: 101, ..Default::default() }, Length::Tunnel),
    ] {
        let client = through(&gzip(), &compress(), &RefCell::default(), async |reply| {
            reply.head(&head, length).await.unwrap();
            reply.data(Chunk::Lent(b"abc"), true).await.unwrap();
            reply.end(None).await.unwrap();
        });
        assert_eq!((client.length(), &client.content[..]), (length, &b"abc"[..]));
        assert_eq!(client.field(FieldName::Vary), None);
    }
}

#[test]
fn a_part_is_as_it_is_and_says_that_the_whole_may_be_another() {
    let client = through(&gzip(), &compress(), &RefCell::default(), async |reply| {
        let head = html(206, &[("Content-Range", "bytes 0-2/1000"), ("ETag", "\"a\"")]);
        reply.head(&head, Length::Known(3)).await.unwrap();
        reply.data(Chunk::Lent(b"abc"), true).await.unwrap();
        reply.end(None).await.unwrap();
    });
    assert_eq!((client.length(), &client.content[..]), (Length::Known(3), &b"abc"[..]));
    assert_eq!(client.field(FieldName::Vary), Some("Accept-Encoding"));
    assert_eq!((client.field(FieldName::ETag), client.field(FieldName::ContentEncoding)), (Some("\"a\""), None));
}

#[test]
fn head_gets_the_fields_of_get_and_no_content() {
    let encoders = RefCell::new(Encoders::holding(0));
    for (length, coding) in [("256", Some("gzip")), ("255", None)] {
        let asked = request(Method::Head, &[("Accept-Encoding", "gzip")]);
        let client = through(&asked, &compress(), &encoders, async |reply| {
            reply.head(&html(200, &[("Content-Length", length)]), Length::None).await.unwrap();
            reply.end(None).await.unwrap();
        });
        assert_eq!(client.field(FieldName::ContentEncoding), coding);
        assert_eq!(client.field(FieldName::ContentLength), coding.is_none().then_some(length));
        assert_eq!((client.length(), client.content.len()), (Length::None, 0));
    }
}

#[test]
fn what_streams_is_seen_when_it_is_sent() {
    let client = RefCell::new(Client::default());
    let (compress, encoders) = (compress(), RefCell::default());
    let wish = Wish::of(&compress, &gzip());
    let mut client = client.borrow_mut();
    let compression = Compression::of(Some(&compress), Some(&wish), &encoders);
    let mut reply = Compressing::new(&mut *client, compression);
    run(reply.head(&html(200, &[]), Length::Unknown)).unwrap();
    run(reply.data(Chunk::Lent(b"one "), false)).unwrap();
    assert_eq!(reply.reply.shows(), b"one ", "no more is at hand, so it must not be kept back");
    run(reply.data(Chunk::Lent(b"two "), true)).unwrap();
    assert_eq!(reply.reply.shows(), b"one ", "more is at hand");
    run(reply.flush()).unwrap();
    assert_eq!(reply.reply.shows(), b"one two ");
    let sent = reply.reply.content.len();
    run(reply.flush()).unwrap();
    assert_eq!(reply.reply.content.len(), sent, "nothing was kept back");
    run(reply.end(None)).unwrap();
    assert!(reply.reply.ended);
}

#[test]
fn content_of_known_length_is_not_flushed_before_its_end() {
    let content = b"<p>hello</p>".repeat(100);
    let client = through(&gzip(), &compress(), &RefCell::default(), async |reply| {
        reply.head(&html(200, &[]), Length::Known(content.len() as u64)).await.unwrap();
        reply.data(Chunk::Lent(&content), false).await.unwrap();
        reply.end(None).await.unwrap();
    });
    assert!(client.shows() == content);
    let at_once = encode_whole(Coding::Gzip, crate::http::coding::Effort::Streaming, &content);
    assert_eq!(client.content.len(), at_once.len());
}

#[test]
fn trailers_come_along_without_digests_of_what_was_not_sent() {
    let trailers = fields(&[("Repr-Digest", "sha-256=:x:"), ("Server-Timing", "a"), ("ETag", "\"a\"")]);
    let client = through(&gzip(), &compress(), &RefCell::default(), async |reply| {
        reply.head(&html(200, &[]), Length::Unknown).await.unwrap();
        reply.data(Chunk::Lent(b"abc"), true).await.unwrap();
        reply.end(Some(&trailers)).await.unwrap();
    });
    let seen = client.trailers.unwrap();
    assert_eq!(seen.get(FieldName::ETag), Some(&b"W/\"a\""[..]));
    assert_eq!((seen.len(), seen.named(b"server-timing").count()), (2, 1));
}

#[test]
fn a_304_says_the_tag_of_the_form_that_the_client_holds() {
    let asked = request(Method::Get, &[("Accept-Encoding", "gzip"), ("If-None-Match", "W/\"a\"")]);
    let client = through(&asked, &compress(), &RefCell::default(), async |reply| {
        let head = ResponseHead { status: 304, fields: fields(&[("ETag", "\"a\"")]), ..Default::default() };
        reply.head(&head, Length::None).await.unwrap();
        reply.end(None).await.unwrap();
    });
    assert_eq!(
        (client.field(FieldName::ETag), client.field(FieldName::Vary)),
        (Some("W/\"a\""), Some("Accept-Encoding"))
    );
}

#[test]
fn encoders_come_back_however_the_exchange_ends() {
    let encoders = RefCell::new(Encoders::holding(Coding::Gzip.stream_bytes()));
    for ends in [0, 1, 2] {
        let client = through(&gzip(), &compress(), &encoders, async |reply| {
            reply.head(&html(200, &[]), Length::Unknown).await.unwrap();
            reply.data(Chunk::Lent(b"abc"), true).await.unwrap();
            match ends {
                0 => reply.end(None).await.unwrap(),
                1 => reply.abort(),
                _ => {}
            }
        });
        assert_eq!(client.field(FieldName::ContentEncoding), Some("gzip"), "the one encoder was there");
        assert_eq!((client.ended, client.aborted), (ends == 0, ends == 1));
    }
}

#[test]
fn a_response_goes_without_a_coding_when_too_many_encoders_are_out() {
    let encoders = RefCell::new(Encoders::holding(0));
    let client = through(&gzip(), &compress(), &encoders, async |reply| {
        reply.head(&html(200, &[]), Length::Known(300)).await.unwrap();
        reply.data(Chunk::Lent(&[b'a'; 300]), false).await.unwrap();
        reply.end(None).await.unwrap();
    });
    assert_eq!((client.length(), client.content.len()), (Length::Known(300), 300));
    assert_eq!(client.field(FieldName::Vary), Some("Accept-Encoding"));
}

#[test]
fn without_compression_nothing_is_touched() {
    let mut client = Client::default();
    let mut reply = Compressing::new(&mut client, None);
    run(reply.head(&html(200, &[]), Length::Known(300))).unwrap();
    run(reply.data(Chunk::Lent(&[b'a'; 300]), false)).unwrap();
    run(reply.end(None)).unwrap();
    drop(reply);
    assert_eq!((client.length(), client.content.len(), client.field(FieldName::Vary)), (Length::Known(300), 300, None));
}
