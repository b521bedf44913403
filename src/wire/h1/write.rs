use crate::exchange::Prepared;
use crate::http::{
    FieldName, Fields, Length, Method, RequestHead, ResponseHead, Target, Version, name_set, push_decimal, reason,
};
use crate::wire::websocket;
use bytes::BufMut;

/// How a message's content is framed on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// Nothing follows.
    None,
    /// So many bytes are still to be sent.
    Length(u64),
    /// Chunks.
    Chunked,
    /// Until close.
    Close,
    /// Bytes as they are, both ways.
    Tunnel,
}

/// Writes a request head for a backend; the framing that `length` asks for.
pub(super) fn request_head(head: &RequestHead, length: Length, out: &mut Vec<u8>) -> Framing {
    out.extend_from_slice(head.method.as_str().as_bytes());
    out.push(b' ');
    match head.form {
        Target::Authority => out.extend_from_slice(&head.authority),
        Target::Origin | Target::Asterisk => out.extend_from_slice(&head.target),
    }
    out.extend_from_slice(b" HTTP/1.1\r\nHost: ");
    out.extend_from_slice(&head.authority);
    out.extend_from_slice(b"\r\n");
    field_lines(&head.fields, false, out);
    if !head.protocol.is_empty() {
        websocket_fields(head, out);
        out.extend_from_slice(b"Connection: upgrade\r\nUpgrade: ");
        out.extend_from_slice(&head.protocol);
        out.extend_from_slice(b"\r\n\r\n");
        return Framing::None;
    }
    let framing = match length {
        Length::None if expects_content(&head.method) => Framing::Length(0),
        Length::None | Length::Tunnel => Framing::None,
        Length::Known(n) => Framing::Length(n),
        Length::Unknown => Framing::Chunked,
    };
    end_of_head(framing, out);
    framing
}

/// RFC 8441 §5: a client that speaks HTTP/2 sends no key, and an HTTP/1.1 backend wants one (RFC 6455 §4.1).
fn websocket_fields(head: &RequestHead, out: &mut Vec<u8>) {
    if head.version != Version::Http2 || head.fields.has(FieldName::SecWebSocketKey) {
        return;
    }
    out.extend_from_slice(b"Sec-WebSocket-Key: ");
    out.extend_from_slice(websocket::key().as_bytes());
    out.extend_from_slice(b"\r\n");
    if !head.fields.has(FieldName::SecWebSocketVersion) {
        out.extend_from_slice(b"Sec-WebSocket-Version: 13\r\n");
    }
}

/// RFC 9110 §8.6: with these a missing Content-Length would leave a recipient in doubt.
fn expects_content(method: &Method) -> bool {
    matches!(method, Method::Post | Method::Put | Method::Patch)
}

/// How a response is to be sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct ResponseStyle {
    /// The client speaks HTTP/1.1, so it reads chunks.
    pub(super) chunks: bool,
    /// `Connection: close` is said.
    pub(super) close: bool,
    /// `Connection: keep-alive` is said (HTTP/1.0).
    pub(super) keep_alive: bool,
}

/// Writes a final response head; the framing that `length` asks for.
pub(super) fn response_head(head: &ResponseHead, length: Length, style: ResponseStyle, out: &mut Vec<u8>) -> Framing {
    status_line(head.status, out);
    // With no content, Content-Length is what a GET would have given (RFC 9110 §8.6): HEAD and 304.
    let informational_length = length == Length::None && head.status != 204;
    field_lines(&head.fields, informational_length, out);
    if length == Length::Tunnel {
        if head.status == 101 {
            out.extend_from_slice(b"Connection: upgrade\r\nUpgrade: websocket\r\n");
        }
        out.extend_from_slice(b"\r\n");
        return Framing::Tunnel;
    }
    connection_and_framing(length, style, out)
}

/// As [`response_head`], of lines that are ready.
pub(super) fn prepared_head(head: &Prepared<'_>, length: Length, style: ResponseStyle, out: &mut Vec<u8>) -> Framing {
    out.reserve(head.lines.len() + head.added.len() + PREPARED_ROOM);
    status_line(head.status, out);
    out.extend_from_slice(head.lines);
    out.extend_from_slice(head.added);
    connection_and_framing(length, style, out)
}

/// What ends a response head: how the connection goes on, and how long the content is.
fn connection_and_framing(length: Length, style: ResponseStyle, out: &mut Vec<u8>) -> Framing {
    if style.close {
        out.extend_from_slice(b"Connection: close\r\n");
    } else if style.keep_alive {
        out.extend_from_slice(b"Connection: keep-alive\r\n");
    }
    let framing = match length {
        Length::None | Length::Tunnel => Framing::None,
        Length::Known(n) => Framing::Length(n),
        Length::Unknown if style.chunks => Framing::Chunked,
        Length::Unknown => Framing::Close,
    };
    end_of_head(framing, out);
    framing
}

/// Status line, Connection and framing fit.
const PREPARED_ROOM: usize = 160;

/// Writes a 1xx head.
pub(super) fn interim_head(head: &ResponseHead, out: &mut Vec<u8>) {
    status_line(head.status, out);
    field_lines(&head.fields, false, out);
    out.extend_from_slice(b"\r\n");
}

/// Writes the end of chunked content.
pub(super) fn last_chunk(trailers: Option<&Fields>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"0\r\n");
    if let Some(fields) = trailers {
        field_lines(fields, false, out);
    }
    out.extend_from_slice(b"\r\n");
}

/// Writes a chunk's size line.
pub(super) fn chunk_size(length: usize, out: &mut Vec<u8>) {
    let mut digits = [0; 16];
    let mut at = digits.len();
    let mut left = length;
    loop {
        at -= 1;
        digits[at] = b"0123456789abcdef"[left & 15];
        left >>= 4;
        if left == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
    out.extend_from_slice(b"\r\n");
}

fn status_line(status: u16, out: &mut Vec<u8>) {
    if status == 200 {
        return out.extend_from_slice(b"HTTP/1.1 200 OK\r\n"); // Nearly all are.
    }
    out.extend_from_slice(b"HTTP/1.1 ");
    push_decimal(u64::from(status), out);
    out.push(b' ');
    out.extend_from_slice(reason(status).as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// All fields but those that this codec writes itself.
fn field_lines(fields: &Fields, content_length_too: bool, out: &mut Vec<u8>) {
    const OURS: &[FieldName] =
        &[FieldName::TransferEncoding, FieldName::Connection, FieldName::Host, FieldName::KeepAlive];
    const ALWAYS: u64 = name_set(OURS);
    const LENGTH: u64 = name_set(&[FieldName::ContentLength]);
    fields.write_lines(if content_length_too { ALWAYS } else { ALWAYS | LENGTH }, out);
}

fn end_of_head(framing: Framing, out: &mut Vec<u8>) {
    match framing {
        Framing::Length(n) => {
            out.extend_from_slice(b"Content-Length: ");
            push_decimal(n, out);
            out.put_slice(b"\r\n\r\n");
        }
        Framing::Chunked => out.extend_from_slice(b"Transfer-Encoding: chunked\r\n\r\n"),
        Framing::None | Framing::Close | Framing::Tunnel => out.extend_from_slice(b"\r\n"),
    }
}
