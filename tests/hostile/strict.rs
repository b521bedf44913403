//! A naive, strict reader of requests, written without a look at Weir's: what it cannot read in one way only is wrong.

use std::io::{BufRead, BufReader, Read};

/// A request as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Vec<(String, String)>,
}

impl Message {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Method, target, Host and content, in one line.
    pub(crate) fn line(&self) -> String {
        let host = self.field("host").unwrap_or("?");
        let body = String::from_utf8_lossy(&self.body);
        format!("{} {} {host} {body}", self.method, self.target).trim_end().to_owned()
    }
}

/// How a message ended that is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// The connection ended before a message began.
    End,
    /// It ended within a message, after this head.
    Truncated(String),
    /// It can be read in more than one way, or in none.
    Malformed(String),
}

/// Reads one head; its content is then read by [`content`].
pub(crate) fn head(input: &mut BufReader<impl Read>) -> Result<Message, Wrong> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        let before = bytes.len();
        let read = input.read_until(b'\n', &mut bytes);
        if read.is_err() || bytes.len() == before {
            return Err(if bytes.is_empty() { Wrong::End } else { Wrong::Truncated(lossy(&bytes)) });
        }
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| Wrong::Malformed(lossy(&bytes)))?;
    parse_head(text).ok_or_else(|| Wrong::Malformed(text.to_owned()))
}

fn parse_head(text: &str) -> Option<Message> {
    let mut lines = text.strip_suffix("\r\n\r\n")?.split("\r\n");
    let [method, target, "HTTP/1.1"] = lines.next()?.split(' ').collect::<Vec<_>>()[..] else { return None };
    let fields = lines.map(parse_field).collect::<Option<Vec<_>>>()?;
    let known = ["content-length", "transfer-encoding", "host", "connection", "upgrade", "expect"];
    for name in known {
        if fields.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name)).count() > 1 {
            return None;
        }
    }
    let message =
        Message { method: method.into(), target: target.into(), fields, body: Vec::new(), trailers: Vec::new() };
    let hop = ["keep-alive", "proxy-connection", "http2-settings", "proxy-authorization"];
    let clean = is_token(method)
        && is_target(method, target)
        && message
            .field("host")
            .is_some_and(|host| host.chars().all(|c| c.is_ascii_graphic() && !"@/,\\#?".contains(c)))
        && hop.iter().all(|name| message.field(name).is_none())
        && !(message.field("content-length").is_some() && message.field("transfer-encoding").is_some())
        && message.field("transfer-encoding").is_none_or(|coding| coding == "chunked")
        && message.field("content-length").is_none_or(|n| n.len() < 20 && n.bytes().all(|b| b.is_ascii_digit()))
        && message.field("te").is_none_or(|te| te == "trailers")
        && message.field("connection").is_none_or(|connection| connection == "upgrade")
        && message.field("upgrade") == message.field("connection").map(|_| "websocket");
    clean.then_some(message)
}

fn parse_field(line: &str) -> Option<(String, String)> {
    let (name, value) = line.split_once(':')?;
    let value = value.trim_matches([' ', '\t']);
    let clean = is_token(name) && !value.contains(|c: char| c.is_control() && c != '\t');
    clean.then(|| (name.to_owned(), value.to_owned()))
}

fn is_token(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c))
}

fn is_target(method: &str, target: &str) -> bool {
    let clean = target.chars().all(|c| c.is_ascii_graphic() && !"#\\\"<>".contains(c));
    clean && (target.starts_with('/') || (target == "*" && method == "OPTIONS"))
}

/// Reads the content that `message` announces.
pub(crate) fn content(input: &mut BufReader<impl Read>, message: &mut Message) -> Result<(), Wrong> {
    if let Some(length) = message.field("content-length") {
        message.body = exactly(input, length.parse().expect("digits"), message)?;
    } else if message.field("transfer-encoding").is_some() {
        chunked(input, message)?;
    }
    Ok(())
}

fn chunked(input: &mut BufReader<impl Read>, message: &mut Message) -> Result<(), Wrong> {
    loop {
        let line = line(input, message)?;
        let digits = !line.is_empty() && line.len() < 16 && line.bytes().all(|b| b.is_ascii_hexdigit());
        let size = usize::from_str_radix(&line, 16).ok().filter(|_| digits).ok_or(Wrong::Malformed(line))?;
        if size == 0 {
            break;
        }
        let data = exactly(input, size, message)?;
        message.body.extend(data);
        if exactly(input, 2, message)? != b"\r\n" {
            return Err(Wrong::Malformed("a chunk that does not end in CRLF".into()));
        }
    }
    loop {
        let line = line(input, message)?;
        if line.is_empty() {
            return Ok(());
        }
        message.trailers.push(parse_field(&line).ok_or(Wrong::Malformed(line))?);
    }
}

fn exactly(input: &mut BufReader<impl Read>, n: usize, message: &Message) -> Result<Vec<u8>, Wrong> {
    let mut bytes = vec![0; n.min(1 << 20)];
    input.read_exact(&mut bytes).map_err(|_| Wrong::Truncated(message.line()))?;
    Ok(bytes)
}

fn line(input: &mut BufReader<impl Read>, message: &Message) -> Result<String, Wrong> {
    let mut bytes = Vec::new();
    let _ = input.read_until(b'\n', &mut bytes);
    if bytes.last() != Some(&b'\n') {
        return Err(Wrong::Truncated(message.line()));
    }
    let text = bytes.strip_suffix(b"\r\n").and_then(|text| std::str::from_utf8(text).ok());
    let text = text.filter(|text| !text.contains(['\r', '\n', '\0']));
    text.map(str::to_owned).ok_or_else(|| Wrong::Malformed(lossy(&bytes)))
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
