//! Heads of HTTP/1.x messages (RFC 9112), in one pass over bytes that hold a whole head.
//!
//! Strict: whatever two parsers might read differently is [`Bad`].

use super::field_line::{find, name_at, value_at};
use crate::http::{
    FieldName, Fields, Length, Method, RequestHead, ResponseHead, Scheme, Target, Version, parse_authority,
};
use memchr::memchr_iter;

/// How large a head may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the whole head.
    pub size: usize,
    /// Fields.
    pub fields: usize,
}

/// A head, if it is there as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parsed<T> {
    /// More bytes are needed.
    Partial,
    /// The head was read into the given place.
    Complete(T),
}

/// What a request head says about its message and connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestFrame {
    /// Bytes of the head.
    pub consumed: usize,
    /// What follows the head.
    pub length: Length,
    /// Whether the client wants the connection to persist (RFC 9112 §9.3).
    pub persistent: bool,
}

/// What a response head says about its message and connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResponseFrame {
    /// Bytes of the head.
    pub consumed: usize,
    /// What follows the head.
    pub length: Length,
    /// Whether content of unknown length is chunked; otherwise it ends with the connection.
    pub chunked: bool,
    /// Whether the connection may be used again after the content.
    pub persistent: bool,
}

/// Which rule a head broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Bad {
    /// A line ends in LF without CR, or a CR stands alone (RFC 9112 §2.2).
    LineEnd,
    /// More than two empty lines before the request line (RFC 9112 §2.2).
    EmptyLines,
    /// TLS was spoken to a clear-text port.
    Tls,
    /// The request line has not three parts (RFC 9112 §3).
    RequestLine,
    /// The method is not a token.
    Method,
    /// The target has none of the four forms, or not the one for its method (RFC 9112 §3.2).
    Target,
    /// Not `HTTP/` and a version.
    Version,
    /// A version other than 1.x.
    VersionUnsupported,
    /// The status line is not one (RFC 9112 §4).
    StatusLine,
    /// A field name is not a token (RFC 9110 §5.1).
    FieldName,
    /// White space between name and colon (RFC 9112 §5.1).
    SpaceBeforeColon,
    /// A folded line (RFC 9112 §5.2).
    Fold,
    /// A control byte in a value (RFC 9110 §5.5).
    FieldValue,
    /// More fields than allowed.
    TooManyFields,
    /// More bytes than allowed.
    TooLarge,
    /// Host is missing, repeated or not an authority (RFC 9112 §3.2).
    Host,
    /// Host and the authority of an absolute target differ.
    HostMismatch,
    /// Content-Length is repeated, a list, or not a number (RFC 9112 §6.3).
    ContentLength,
    /// Content-Length beside Transfer-Encoding (RFC 9112 §6.1).
    LengthConflict,
    /// Transfer-Encoding does not end in chunked, names it twice, or stands in HTTP/1.0 (RFC 9112 §6.1).
    TransferEncoding,
    /// A transfer coding before chunked that we do not know.
    TransferCodingUnknown,
}

impl Bad {
    /// The rule in a few words, for logs and metric labels.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Bad::LineEnd => "line_end",
            Bad::EmptyLines => "empty_lines",
            Bad::Tls => "tls_on_clear_port",
            Bad::RequestLine => "request_line",
            Bad::Method => "method",
            Bad::Target => "target",
            Bad::Version => "version",
            Bad::VersionUnsupported => "version_unsupported",
            Bad::StatusLine => "status_line",
            Bad::FieldName => "field_name",
            Bad::SpaceBeforeColon => "space_before_colon",
            Bad::Fold => "folded_line",
            Bad::FieldValue => "field_value",
            Bad::TooManyFields => "too_many_fields",
            Bad::TooLarge => "head_too_large",
            Bad::Host => "host",
            Bad::HostMismatch => "host_mismatch",
            Bad::ContentLength => "content_length",
            Bad::LengthConflict => "length_conflict",
            Bad::TransferEncoding => "transfer_encoding",
            Bad::TransferCodingUnknown => "transfer_coding_unknown",
        }
    }
}

/// Reads a request head from the start of `input` into `head`, whose scheme is that of the connection.
///
/// # Errors
/// [`Bad`] as soon as it is sure, even before the head is whole.
pub fn request(input: &[u8], limits: Limits, head: &mut RequestHead) -> Result<Parsed<RequestFrame>, Bad> {
    let skipped = empty_lines(input)?;
    let input = &input[skipped..];
    let read = match read_request(sole_head(input, limits), limits, head) {
        // What is wrong, or missing, is found out with care.
        Err(_) => match whole_head(input, limits)? {
            Some(lines) => read_request(lines, limits, head)?,
            None => return Ok(Parsed::Partial),
        },
        Ok(read) => read,
    };
    Ok(Parsed::Complete(RequestFrame { consumed: skipped + read.consumed, ..read }))
}

fn read_request(lines: &[u8], limits: Limits, head: &mut RequestHead) -> Result<RequestFrame, Bad> {
    let scheme = head.scheme;
    head.clear();
    head.scheme = scheme;
    let target = request_line(lines, head)?;
    let after_line = target.end + b" HTTP/1.1\r\n".len();
    let (seen, fields_end) = field_lines(lines.get(after_line..).unwrap_or_default(), limits, &mut head.fields)?;
    resolve_target(&lines[target], head)?;
    resolve_host(&seen, head)?;
    let length = request_length(&seen, head)?;
    accept_upgrade(&seen, length, head);
    Ok(RequestFrame {
        consumed: after_line + fields_end.ok_or(Bad::LineEnd)?,
        length,
        persistent: persistent(head.version, &seen, &head.fields),
    })
}

/// Reads a response head from the start of `input` into `head`. `to` is the method of the request that it answers.
///
/// # Errors
/// [`Bad`] as soon as it is sure, even before the head is whole.
pub fn response(
    input: &[u8],
    limits: Limits,
    to: &Method,
    head: &mut ResponseHead,
) -> Result<Parsed<ResponseFrame>, Bad> {
    match read_response(&input[..input.len().min(limits.size)], limits, to, head) {
        // What is wrong, or missing, is found out with care.
        Err(_) => match whole_head(input, limits)? {
            Some(lines) => read_response(lines, limits, to, head).map(Parsed::Complete),
            None => Ok(Parsed::Partial),
        },
        Ok(frame) => Ok(Parsed::Complete(frame)),
    }
}

fn read_response(lines: &[u8], limits: Limits, to: &Method, head: &mut ResponseHead) -> Result<ResponseFrame, Bad> {
    head.clear();
    let after_line = status_line(lines, head)?;
    let (seen, fields_end) = field_lines(lines.get(after_line..).unwrap_or_default(), limits, &mut head.fields)?;
    let length = response_length(&seen, to, head)?;
    let chunked = seen.transfer_encoding > 0 && !seen.te_foreign;
    let delimited = length != Length::Unknown || chunked;
    Ok(ResponseFrame {
        consumed: after_line + fields_end.ok_or(Bad::LineEnd)?,
        length,
        chunked,
        persistent: delimited && persistent(head.version, &seen, &head.fields),
    })
}

/// Reads trailer fields (RFC 9112 §7.1.2) from lines that end in CRLF each, without the empty one. Fields that frame
/// or route a message are left out (RFC 9110 §6.5.1).
///
/// # Errors
/// [`Bad`]
pub fn trailers(lines: &[u8], limits: Limits, fields: &mut Fields) -> Result<(), Bad> {
    field_lines(lines, limits, fields)?;
    fields.retain(|name, _, _| !not_in_trailers(name));
    Ok(())
}

/// RFC 9110 §6.5.1: framing, routing, request modifiers and authentication have no business in trailers.
#[must_use]
pub fn not_in_trailers(name: FieldName) -> bool {
    use FieldName as F;
    matches!(
        name,
        F::TransferEncoding
            | F::ContentLength
            | F::Host
            | F::Connection
            | F::KeepAlive
            | F::ProxyConnection
            | F::Te
            | F::Trailer
            | F::Upgrade
            | F::Authorization
            | F::ProxyAuthorization
            | F::ProxyAuthenticate
            | F::Cookie
            | F::SetCookie
            | F::Expect
            | F::MaxForwards
            | F::CacheControl
            | F::ContentType
            | F::ContentEncoding
            | F::ContentRange
            | F::Range
            | F::Forwarded
            | F::XForwardedFor
            | F::XForwardedHost
            | F::XForwardedProto
    )
}

const EMPTY_LINES_MAX: usize = 2;

fn empty_lines(input: &[u8]) -> Result<usize, Bad> {
    let mut at = 0;
    while input[at..].starts_with(b"\r\n") {
        at += 2;
        if at > 2 * EMPTY_LINES_MAX {
            return Err(Bad::EmptyLines);
        }
    }
    Ok(at)
}

/// All that is there if it ends as a head does, which nearly every request's comes alone in; else nothing.
fn sole_head(input: &[u8], limits: Limits) -> &[u8] {
    if input.len() <= limits.size && input.ends_with(b"\r\n\r\n") { input } else { &[] }
}

/// The lines of a head up to and with its empty line, each with its CRLF.
fn whole_head(input: &[u8], limits: Limits) -> Result<Option<&[u8]>, Bad> {
    let seen = &input[..input.len().min(limits.size)];
    for at in memchr_iter(b'\n', seen) {
        if at == 0 || seen[at - 1] != b'\r' {
            return Err(if tls(input) { Bad::Tls } else { Bad::LineEnd });
        }
        if seen[at + 1..].starts_with(b"\r\n") {
            return Ok(Some(&seen[..at + 3]));
        }
    }
    surely_bad(input)?;
    if input.len() >= limits.size { Err(Bad::TooLarge) } else { Ok(None) }
}

/// What no later byte can mend, so that a sender of it need not wait for a timeout.
fn surely_bad(input: &[u8]) -> Result<(), Bad> {
    match input {
        _ if tls(input) => Err(Bad::Tls),
        [b'\r', other, ..] if *other != b'\n' => Err(Bad::LineEnd),
        [first, ..] if *first != b'\r' && !first.is_ascii_graphic() => Err(Bad::RequestLine),
        _ => Ok(()),
    }
}

/// The first bytes of a TLS handshake record (RFC 8446 §5.1).
fn tls(input: &[u8]) -> bool {
    matches!(input, [0x16, 3, ..])
}

/// Method and version into `head`; where the target lies, whose bytes are looked at.
fn request_line(lines: &[u8], head: &mut RequestHead) -> Result<std::ops::Range<usize>, Bad> {
    let start = find(b' ', lines).ok_or(Bad::RequestLine)? + 1;
    head.method = Method::parse(&lines[..start - 1]).ok_or_else(|| not_a_method(&lines[..start]))?;
    let end = start + lines[start..].iter().take_while(|&&b| is_target_byte(b)).count();
    match lines.get(end) {
        Some(b' ') if end > start => {}
        Some(b' ' | b'\r' | b'\n') | None => return Err(Bad::RequestLine),
        Some(_) => return Err(Bad::Target),
    }
    let rest = &lines[end + 1..];
    let line_end = find(b'\r', rest).ok_or(Bad::RequestLine)?;
    head.version = version(&rest[..line_end])?;
    if rest.get(line_end + 1) != Some(&b'\n') {
        return Err(Bad::LineEnd);
    }
    Ok(start..end)
}

/// What is wrong with a line whose first word is no method.
fn not_a_method(word: &[u8]) -> Bad {
    if word.contains(&b'\r') { Bad::RequestLine } else { Bad::Method }
}

fn version(text: &[u8]) -> Result<Version, Bad> {
    match text {
        b"HTTP/1.1" => Ok(Version::Http11),
        b"HTTP/1.0" => Ok(Version::Http10),
        // RFC 9112 §2.3: a higher minor version of the same major is answered as the highest we know.
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'2'..=b'9'] => Ok(Version::Http11),
        [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9'] => Err(Bad::VersionUnsupported),
        _ => Err(Bad::Version),
    }
}

/// Status and version into `head`; where the fields begin.
fn status_line(lines: &[u8], head: &mut ResponseHead) -> Result<usize, Bad> {
    let end = find(b'\r', lines).ok_or(Bad::StatusLine)?;
    if lines.get(end + 1) != Some(&b'\n') {
        return Err(Bad::LineEnd);
    }
    let line = &lines[..end];
    if line.len() < 12 || line[8] != b' ' {
        return Err(Bad::StatusLine);
    }
    head.version = version(&line[..8])?;
    let [a, b, c] = [line[9], line[10], line[11]];
    if !matches!(a, b'1'..=b'5') || !b.is_ascii_digit() || !c.is_ascii_digit() {
        return Err(Bad::StatusLine);
    }
    head.status = u16::from(a - b'0') * 100 + u16::from(b - b'0') * 10 + u16::from(c - b'0');
    match line.get(12) {
        // RFC 9112 §4: the space before an empty reason is required, but many leave it out and nobody misreads it.
        None => Ok(end + 2),
        Some(b' ') if line[13..].iter().all(|&b| crate::http::is_value_byte(b)) => Ok(end + 2),
        Some(_) => Err(Bad::StatusLine),
    }
}

/// What the field lines said that frames the message.
#[derive(Default)]
struct Seen {
    host: Option<std::ops::Range<usize>>,
    hosts: usize,
    content_length: Option<u64>,
    transfer_encoding: usize,
    connection: bool,
    upgrade: bool,
    te_chunked_only: bool,
    te_chunked_last: bool,
    /// One coding, of a name that nobody knows.
    te_foreign: bool,
}

/// Reads field lines up to and with an empty one, or to the end of `lines`; where that was, if one was met.
fn field_lines(lines: &[u8], limits: Limits, fields: &mut Fields) -> Result<(Seen, Option<usize>), Bad> {
    fields.clear();
    let mut seen = Seen::default();
    let read = mark_lines(lines, limits, fields, &mut seen);
    match read {
        Ok((at, ended)) => {
            fields.adopt(&lines[..at]);
            Ok((seen, ended.then_some(at + 2)))
        }
        Err(bad) => {
            // They lie in no bytes.
            fields.clear();
            Err(bad)
        }
    }
}

/// Where the last line ends, and whether an empty one follows.
fn mark_lines(lines: &[u8], limits: Limits, fields: &mut Fields, seen: &mut Seen) -> Result<(usize, bool), Bad> {
    let mut at = 0;
    let mut count = 0;
    while at < lines.len() {
        if lines[at..].starts_with(b"\r\n") {
            return Ok((at, true));
        }
        let (known, name) = name_at(lines, at)?;
        let (value, next) = value_at(lines, name.end + 1)?;
        count += 1;
        if count > limits.fields {
            return Err(Bad::TooManyFields);
        }
        note(known, &lines[value.clone()], value.clone(), seen)?;
        if known != FieldName::Host {
            fields.mark(known, name, value);
        }
        at = next;
    }
    Ok((at, false))
}

fn note(name: FieldName, value: &[u8], at: std::ops::Range<usize>, seen: &mut Seen) -> Result<(), Bad> {
    match name {
        FieldName::Host => {
            seen.hosts += 1;
            seen.host = Some(at);
        }
        FieldName::ContentLength => {
            if seen.content_length.is_some() {
                return Err(Bad::ContentLength);
            }
            seen.content_length = Some(decimal(value).ok_or(Bad::ContentLength)?);
        }
        FieldName::TransferEncoding => note_transfer_encoding(value, seen),
        FieldName::Connection => seen.connection = true,
        FieldName::Upgrade => seen.upgrade = true,
        _ => {}
    }
    Ok(())
}

fn note_transfer_encoding(value: &[u8], seen: &mut Seen) {
    seen.transfer_encoding += 1;
    seen.te_chunked_only = seen.transfer_encoding == 1 && value.eq_ignore_ascii_case(b"chunked");
    let mut codings = value.rsplit(|&b| b == b',').map(<[u8]>::trim_ascii);
    let last = codings.next().is_some_and(|coding| coding.eq_ignore_ascii_case(b"chunked"));
    let once = !codings.any(|coding| coding.is_empty() || coding.eq_ignore_ascii_case(b"chunked"));
    seen.te_chunked_last = seen.transfer_encoding == 1 && last && once;
    seen.te_foreign = seen.transfer_encoding == 1 && is_foreign(value);
}

/// Whether a Transfer-Encoding is a single token that is no coding of RFC 9112 §7, nor one that could be taken for chunked.
fn is_foreign(value: &[u8]) -> bool {
    const KNOWN: [&[u8]; 7] = [b"chunked", b"compress", b"x-compress", b"deflate", b"gzip", b"x-gzip", b"identity"];
    let lower = value.to_ascii_lowercase();
    crate::http::is_token(value) && !KNOWN.contains(&&lower[..]) && memchr::memmem::find(&lower, b"chunk").is_none()
}

/// Digits only: no sign, no space, no list (RFC 9110 §8.6).
fn decimal(text: &[u8]) -> Option<u64> {
    const DIGITS_MAX: usize = 19;
    if text.is_empty() || text.len() > DIGITS_MAX {
        return None;
    }
    text.iter().try_fold(0u64, |n, &b| b.is_ascii_digit().then(|| n * 10 + u64::from(b - b'0')))
}

/// RFC 9112 §3.2: the form of the target, whose bytes may all stand in one, and what it names.
fn resolve_target(target: &[u8], head: &mut RequestHead) -> Result<(), Bad> {
    match (&head.method, target) {
        (Method::Connect, authority) => {
            let port = crate::http::split_port(authority).1;
            if parse_authority(authority).is_none() || port.is_none() {
                return Err(Bad::Target);
            }
            head.form = Target::Authority;
            head.authority.extend_from_slice(authority);
        }
        (Method::Options, b"*") => {
            head.form = Target::Asterisk;
            head.target.push(b'*');
        }
        (_, [b'/', ..]) => head.target.extend_from_slice(target),
        _ => absolute_target(target, head)?,
    }
    Ok(())
}

/// RFC 9112 §3.2.2: accepted by every server; its authority is the host. Its scheme is that of the connection: another
/// one asks for what this connection does not give (RFC 9110 §7.4).
fn absolute_target(target: &[u8], head: &mut RequestHead) -> Result<(), Bad> {
    let scheme: &[u8] = match head.scheme {
        Scheme::Http => b"http://",
        Scheme::Https => b"https://",
    };
    let after_scheme = strip_prefix_ignore_case(target, scheme).ok_or(Bad::Target)?;
    let end = after_scheme.iter().position(|&b| b == b'/' || b == b'?').unwrap_or(after_scheme.len());
    let (authority, rest) = after_scheme.split_at(end);
    if authority.is_empty() || parse_authority(authority).is_none() {
        return Err(Bad::Target);
    }
    head.authority.extend_from_slice(authority);
    match rest {
        // RFC 9112 §3.2.4: OPTIONS without path means the server as a whole.
        [] if head.method == Method::Options => {
            head.form = Target::Asterisk;
            head.target.push(b'*');
        }
        [b'/', ..] => head.target.extend_from_slice(rest),
        _ => {
            head.target.push(b'/');
            head.target.extend_from_slice(rest);
        }
    }
    Ok(())
}

fn strip_prefix_ignore_case<'a>(text: &'a [u8], prefix: &[u8]) -> Option<&'a [u8]> {
    let (start, rest) = text.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
}

/// Visible ASCII; a fragment is never sent (RFC 9112 §3.2), a backslash is read as a slash by some.
pub(in crate::wire) fn is_target_byte(b: u8) -> bool {
    TARGET[b as usize]
}

const TARGET: [bool; 256] = {
    let mut table = [false; 256];
    let mut b = 0;
    while b < 256 {
        let c = b as u8;
        table[b] = c.is_ascii_graphic() && !matches!(c, b'#' | b'\\' | b'"' | b'<' | b'>');
        b += 1;
    }
    table
};

/// RFC 9112 §3.2: exactly one Host in HTTP/1.1, which agrees with an absolute target.
fn resolve_host(seen: &Seen, head: &mut RequestHead) -> Result<(), Bad> {
    let host = match (&seen.host, seen.hosts) {
        (Some(at), 1) => head.fields.adopted(at.clone()),
        (None, 0) if head.version == Version::Http10 => return Ok(()),
        _ => return Err(Bad::Host),
    };
    if !host.is_empty() && parse_authority(host).is_none() {
        return Err(Bad::Host);
    }
    if head.authority.is_empty() {
        if host.is_empty() && head.version == Version::Http11 {
            return Err(Bad::Host);
        }
        head.authority.extend_from_slice(host);
        return Ok(());
    }
    if crate::http::same_authority(host, &head.authority, head.scheme) { Ok(()) } else { Err(Bad::HostMismatch) }
}

/// RFC 9112 §6.3, with every doubtful case refused.
fn request_length(seen: &Seen, head: &RequestHead) -> Result<Length, Bad> {
    let length = match (seen.transfer_encoding, seen.content_length) {
        (0, None) => Length::None,
        (0, Some(n)) => Length::Known(n),
        (_, Some(_)) => return Err(Bad::LengthConflict),
        (_, None) => {
            chunked_only(seen, head.version)?;
            Length::Unknown
        }
    };
    if head.method == Method::Connect && length != Length::None && length != Length::Known(0) {
        return Err(Bad::ContentLength);
    }
    Ok(length)
}

/// RFC 9112 §6.1
fn chunked_only(seen: &Seen, version: Version) -> Result<(), Bad> {
    match () {
        () if version == Version::Http10 => Err(Bad::TransferEncoding),
        () if seen.te_chunked_only => Ok(()),
        () if seen.te_chunked_last => Err(Bad::TransferCodingUnknown),
        () => Err(Bad::TransferEncoding),
    }
}

/// RFC 9112 §6.3 for responses.
fn response_length(seen: &Seen, to: &Method, head: &ResponseHead) -> Result<Length, Bad> {
    if seen.transfer_encoding > 0 && seen.content_length.is_some() {
        return Err(Bad::LengthConflict);
    }
    // RFC 9112 §6.3: where chunked is not the last coding, a response goes until close; it is passed on in our own framing.
    if seen.transfer_encoding > 0 && !(seen.te_foreign && head.version == Version::Http11) {
        chunked_only(seen, head.version)?;
    }
    if head.status == 101 || (*to == Method::Connect && (200..300).contains(&head.status)) {
        return Ok(Length::Tunnel);
    }
    let bodyless = head.status < 200 || head.status == 204 || head.status == 304 || *to == Method::Head;
    Ok(match seen.content_length {
        _ if bodyless => Length::None,
        _ if seen.transfer_encoding > 0 => Length::Unknown,
        Some(n) => Length::Known(n),
        None => Length::Unknown,
    })
}

/// RFC 9112 §9.3
fn persistent(version: Version, seen: &Seen, fields: &Fields) -> bool {
    let says =
        |token: &[u8]| seen.connection && fields.members(FieldName::Connection).any(|m| m.eq_ignore_ascii_case(token));
    match version {
        Version::Http10 => says(b"keep-alive") && !says(b"close"),
        _ => !says(b"close"),
    }
}

/// RFC 9110 §7.8: only WebSocket is taken up; any other Upgrade is ignored, as a server may.
fn accept_upgrade(seen: &Seen, length: Length, head: &mut RequestHead) {
    let asked = seen.upgrade
        && seen.connection
        && head.version == Version::Http11
        && head.method == Method::Get
        && matches!(length, Length::None | Length::Known(0))
        && head.fields.members(FieldName::Connection).any(|m| m.eq_ignore_ascii_case(b"upgrade"))
        && head.fields.members(FieldName::Upgrade).any(|m| m.eq_ignore_ascii_case(b"websocket"));
    if asked {
        head.protocol.extend_from_slice(b"websocket");
    }
}

#[cfg(test)]
mod tests;
