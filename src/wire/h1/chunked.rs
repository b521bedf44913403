//! The chunked transfer coding (RFC 9112 §7.1), as a state machine over whatever bytes have come.

use super::parse::{self, Bad, Limits};
use crate::http::Fields;

/// Bytes of one chunk extension.
const EXTENSION_MAX: usize = 256;

/// Bytes of chunk extensions in one message: they carry nothing and cost work.
const EXTENSIONS_MAX: usize = 16 * 1024;

/// Hex digits of a chunk size.
const DIGITS_MAX: u8 = 16;

/// Decodes one message's content.
#[derive(Debug, Default)]
pub struct Decoder {
    state: State,
    extensions: usize,
    trailers: Vec<u8>,
}

/// What the next bytes of the input are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Bytes of framing to skip.
    pub skip: usize,
    /// Bytes of content that follow them.
    pub data: usize,
    /// The content and its trailers ended with `skip`.
    pub done: bool,
}

/// Which rule was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadChunk {
    /// A size that is not 1 to 16 hex digits, or more than fits.
    Size,
    /// An extension with a control byte, or too many of them.
    Extension,
    /// A chunk or its line does not end in CRLF.
    LineEnd,
    /// A trailer field is bad.
    Trailer(Bad),
}

impl BadChunk {
    /// The rule in a few words.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            BadChunk::Size => "chunk_size",
            BadChunk::Extension => "chunk_extension",
            BadChunk::LineEnd => "chunk_line_end",
            BadChunk::Trailer(_) => "trailer",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Digits of a size so far.
    Size {
        value: u64,
        digits: u8,
    },
    /// White space before an extension's semicolon.
    Space {
        value: u64,
        seen: usize,
    },
    /// Inside an extension.
    Extension {
        value: u64,
        seen: usize,
    },
    /// CR of the size line was seen.
    SizeLf {
        value: u64,
    },
    /// Content left in this chunk, above 0.
    Data {
        left: u64,
    },
    /// After the content: CR, then LF.
    DataCr,
    DataLf,
    /// Collecting trailer lines.
    Trailers,
    Done,
}

impl Default for State {
    fn default() -> Self {
        State::Size { value: 0, digits: 0 }
    }
}

impl Decoder {
    /// Looks at `input`: first comes framing to skip, then content. Both 0 and not done: more input is needed.
    ///
    /// # Errors
    /// [`BadChunk`]; the decoder is then not to be used again.
    pub fn step(&mut self, input: &[u8], limits: Limits) -> Result<Step, BadChunk> {
        let mut at = 0;
        while at < input.len() {
            match self.state {
                State::Data { left } => {
                    let data = usize::try_from(left).unwrap_or(usize::MAX).min(input.len() - at);
                    let left = left - data as u64;
                    self.state = if left == 0 { State::DataCr } else { State::Data { left } };
                    return Ok(Step { skip: at, data, done: false });
                }
                State::Trailers => {
                    let (taken, done) = self.trailer_bytes(&input[at..], limits)?;
                    at += taken;
                    if done {
                        self.state = State::Done;
                    }
                }
                State::Done => break,
                _ => {
                    self.state = self.framing_byte(input[at])?;
                    at += 1;
                }
            }
        }
        Ok(Step { skip: at, data: 0, done: self.state == State::Done })
    }

    /// The trailer fields, once done; those that frame or route a message are left out.
    ///
    /// # Errors
    /// [`BadChunk::Trailer`]
    pub fn trailers(&self, limits: Limits, fields: &mut Fields) -> Result<(), BadChunk> {
        parse::trailers(&self.trailers, limits, fields).map_err(BadChunk::Trailer)
    }

    fn framing_byte(&mut self, byte: u8) -> Result<State, BadChunk> {
        Ok(match self.state {
            State::Size { value, digits } => size_byte(byte, value, digits)?,
            State::Space { value, seen } => match byte {
                b';' => State::Extension { value, seen: seen + 1 },
                b' ' | b'\t' => self.extension_byte(State::Space { value, seen: seen + 1 }, seen)?,
                _ => return Err(BadChunk::Size),
            },
            State::Extension { value, .. } if byte == b'\r' => State::SizeLf { value },
            State::Extension { value, seen } if crate::http::is_value_byte(byte) => {
                self.extension_byte(State::Extension { value, seen: seen + 1 }, seen)?
            }
            State::Extension { .. } => return Err(BadChunk::Extension),
            State::SizeLf { value } if byte == b'\n' => match value {
                0 => State::Trailers,
                left => State::Data { left },
            },
            State::DataCr if byte == b'\r' => State::DataLf,
            State::DataLf if byte == b'\n' => State::default(),
            _ => return Err(BadChunk::LineEnd),
        })
    }

    fn extension_byte(&mut self, next: State, seen: usize) -> Result<State, BadChunk> {
        self.extensions += 1;
        if seen >= EXTENSION_MAX || self.extensions > EXTENSIONS_MAX { Err(BadChunk::Extension) } else { Ok(next) }
    }

    /// Collects lines until the empty one; returns the bytes taken and whether it came.
    fn trailer_bytes(&mut self, input: &[u8], limits: Limits) -> Result<(usize, bool), BadChunk> {
        for (taken, &byte) in input.iter().enumerate() {
            let bare_lf = byte == b'\n' && self.trailers.last() != Some(&b'\r');
            let bare_cr = byte != b'\n' && self.trailers.last() == Some(&b'\r');
            if bare_lf || bare_cr {
                return Err(BadChunk::LineEnd);
            }
            self.trailers.push(byte);
            if self.trailers == b"\r\n" || self.trailers.ends_with(b"\r\n\r\n") {
                self.trailers.truncate(self.trailers.len() - 2);
                return Ok((taken + 1, true));
            }
            if self.trailers.len() > limits.size {
                return Err(BadChunk::Trailer(Bad::TooLarge));
            }
        }
        Ok((input.len(), false))
    }
}

fn size_byte(byte: u8, value: u64, digits: u8) -> Result<State, BadChunk> {
    match (byte, digits) {
        (b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F', 0..DIGITS_MAX) => {
            let digit = char::from(byte).to_digit(16).expect("a hex digit");
            Ok(State::Size { value: value << 4 | u64::from(digit), digits: digits + 1 })
        }
        (_, 0) => Err(BadChunk::Size),
        (b'\r', _) => Ok(State::SizeLf { value }),
        (b';', _) => Ok(State::Extension { value, seen: 0 }),
        (b' ' | b'\t', _) => Ok(State::Space { value, seen: 1 }),
        _ => Err(BadChunk::Size),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMITS: Limits = Limits { size: 4096, fields: 16 };

    /// Feeds `input` in pieces of `step` bytes; content, trailers and what is left over.
    fn decode(input: &[u8], step: usize) -> Result<(Vec<u8>, Fields, usize), Option<BadChunk>> {
        let mut decoder = Decoder::default();
        let (mut content, mut at, mut have) = (Vec::new(), 0, 0);
        loop {
            let Step { skip, data, done } = decoder.step(&input[at..have], LIMITS).map_err(Some)?;
            content.extend_from_slice(&input[at + skip..at + skip + data]);
            at += skip + data;
            if done {
                let mut fields = Fields::default();
                decoder.trailers(LIMITS, &mut fields).map_err(Some)?;
                return Ok((content, fields, input.len() - at));
            }
            if at == have {
                if have == input.len() {
                    return Err(None);
                }
                have = (have + step).min(input.len());
            }
        }
    }

    #[test]
    fn chunks_extensions_and_trailers_are_read_however_they_are_cut() {
        let input = b"5;a=b\r\nhello\r\n6 ; q=\"x\"\r\n world\r\n0\r\nX-T: 1\r\nContent-Length: 3\r\n\r\nnext";
        for step in 1..input.len() {
            let (content, trailers, left) = decode(input, step).unwrap();
            assert_eq!((&content[..], left), (&b"hello world"[..], 4));
            assert_eq!(trailers.iter().map(|(_, n, v)| (n, v)).collect::<Vec<_>>(), [(&b"X-T"[..], &b"1"[..])]);
        }
    }

    #[test]
    fn what_parsers_disagree_on_is_refused() {
        for bad in [
            &b"\r\n"[..],
            b"x\r\n",
            b"-1\r\n",
            b"+1\r\n",
            b"0x5\r\nhello\r\n",
            b" 5\r\nhello\r\n",
            b"5 \r\nhello\r\n",
            b"5\nhello\r\n",
            b"5\rhello\r\n",
            b"5\r\nhellox\r\n",
            b"5\r\nhello\n",
            b"5\r\nhello\r0\r\n",
            b"11111111111111111\r\n",
            b"5;a\nb\r\nhello\r\n",
            b"5;a\0b\r\nhello\r\n",
            b"0\r\nX: 1\n\r\n",
            b"0\r\nX : 1\r\n\r\n",
            b"0\r\n\n",
            b"0\r\n\rx",
        ] {
            assert!(matches!(decode(bad, 1), Err(Some(_))), "{:?}", String::from_utf8_lossy(bad));
        }
    }

    #[test]
    fn endless_extensions_and_trailers_are_cut_off() {
        let long = [b"1;".as_slice(), &[b'a'; 10_000], b"\r\n"].concat();
        assert_eq!(decode(&long, 100).unwrap_err(), Some(BadChunk::Extension));
        let many = b"1;aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\nx\r\n".repeat(1_000);
        assert_eq!(decode(&many, 100).unwrap_err(), Some(BadChunk::Extension));
        let trailers = [b"0\r\n".as_slice(), &b"a: b\r\n".repeat(1_000)].concat();
        assert_eq!(decode(&trailers, 100).unwrap_err(), Some(BadChunk::Trailer(Bad::TooLarge)));
    }

    proptest! {
        #[test]
        fn any_content_in_any_chunks_comes_back(chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..50), 0..8), step in 1usize..70) {
            let mut input = Vec::new();
            for chunk in &chunks {
                input.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                input.extend_from_slice(chunk);
                input.extend_from_slice(b"\r\n");
            }
            input.extend_from_slice(b"0\r\n\r\n");
            let (content, _, left) = decode(&input, step).unwrap();
            prop_assert_eq!((content, left), (chunks.concat(), 0));
        }

        #[test]
        fn garbage_never_panics_and_reads_the_same_however_it_is_cut(input in proptest::collection::vec(any::<u8>(), 0..200), step in 1usize..9) {
            let whole = decode(&input, input.len().max(1)).map(|(c, _, l)| (c, l));
            let pieces = decode(&input, step).map(|(c, _, l)| (c, l));
            prop_assert_eq!(whole, pieces);
        }
    }
}
