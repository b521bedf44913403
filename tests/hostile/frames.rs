//! HTTP/2 by hand: frames that say what they are told to, right or wrong.

use super::support::{PATIENCE, Weir};
use std::io::{Read, Write};
use std::net::TcpStream;

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const PRIORITY: u8 = 2;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

/// One frame (RFC 9113 §4.1).
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), content].concat()
}

/// A field as a literal that enters no table (RFC 7541 §6.2.2), without Huffman's code.
pub(crate) fn literal(name: &[u8], value: &[u8]) -> Vec<u8> {
    [&[0], &string(name)[..], &string(value)].concat()
}

fn string(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    if text.len() < 127 {
        out.push(text.len() as u8);
    } else {
        out.push(127);
        let mut left = text.len() - 127;
        while left >= 128 {
            out.push((left % 128) as u8 | 128);
            left /= 128;
        }
        out.push(left as u8);
    }
    out.extend_from_slice(text);
    out
}

/// A block of fields.
pub(crate) fn block(fields: &[(&[u8], &[u8])]) -> Vec<u8> {
    fields.iter().flat_map(|(name, value)| literal(name, value)).collect()
}

/// What an ordinary request says.
pub(crate) fn get(path: &str) -> Vec<u8> {
    block(&[(b":method", b"GET"), (b":scheme", b"http"), (b":path", path.as_bytes()), (b":authority", b"a")])
}

/// A connection with prior knowledge, its preface said.
pub(crate) fn open(weir: &Weir, settings: &[u8]) -> TcpStream {
    let mut stream = weir.connect();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
    stream.write_all(&frame(SETTINGS, 0, 0, settings)).unwrap();
    stream
}

/// How a stream ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// 200, with this content.
    Good(Vec<u8>),
    /// Another status: the first byte of its block.
    Other(u8),
    /// A stream error.
    Reset(u32),
    /// A connection error.
    Away(u32),
    /// Closed without a word.
    Closed,
    /// Nothing came.
    Silent,
}

/// Reads frames until `stream` has its end.
pub(crate) fn outcome(io: &mut TcpStream, stream: u32) -> Outcome {
    let mut other = None;
    let mut body = Vec::new();
    io.set_read_timeout(Some(PATIENCE)).unwrap();
    loop {
        let mut head = [0; 9];
        match io.read_exact(&mut head) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return Outcome::Silent,
            Err(_) => return Outcome::Closed,
        }
        let mut content = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
        if io.read_exact(&mut content).is_err() {
            return Outcome::Closed;
        }
        let code = |at: usize| u32::from_be_bytes(content[at..at + 4].try_into().unwrap());
        let (kind, flags) = (head[3], head[4]);
        let own = u32::from_be_bytes(head[5..9].try_into().unwrap()) == stream;
        match kind {
            GOAWAY if code(4) != 0 => return Outcome::Away(code(4)),
            SETTINGS if flags & 1 == 0 => drop(io.write_all(&frame(SETTINGS, 1, 0, b""))),
            RST_STREAM if own && other.is_none() => return Outcome::Reset(code(0)),
            HEADERS if own && other.is_none() => other = Some(content[0]),
            DATA if own => body.extend_from_slice(&content),
            _ => {}
        }
        if let (Some(status), true) = (other, own && (kind == RST_STREAM || flags & END_STREAM != 0)) {
            // RFC 7541, appendix A: entry 8 is `:status 200`.
            return if status == 0x88 { Outcome::Good(body) } else { Outcome::Other(status) };
        }
    }
}
