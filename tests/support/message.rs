//! HTTP/1.1 as the tests read it: strictly, so that nothing wrong goes unseen.

use super::Wire;

/// Why a message did not come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Broken {
    /// Closed before the first byte.
    Closed,
    /// Closed midway.
    Short,
    /// Reset.
    Reset,
    /// Nothing came for [`PATIENCE`](super::PATIENCE).
    Silent,
    /// It breaks a rule.
    Malformed(String),
}

/// Field lines, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields(pub Vec<(String, String)>);

impl Fields {
    /// All values of a name, joined as RFC 9110 §5.3 joins them.
    pub fn get(&self, name: &str) -> Option<String> {
        let values = self.all(name);
        (!values.is_empty()).then(|| values.join(", "))
    }

    /// The values of a name, line by line.
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.0.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str()).collect()
    }

    /// Whether there is a line of that name.
    pub fn has(&self, name: &str) -> bool {
        !self.all(name).is_empty()
    }
}

/// How the end of content is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    None,
    Length(usize),
    Chunked,
    Close,
}

impl Framing {
    /// RFC 9112 §6.3, for what the fields alone say.
    pub fn of(fields: &Fields) -> Result<Option<Framing>, Broken> {
        let (codings, lengths) = (fields.all("transfer-encoding"), fields.all("content-length"));
        match (codings.as_slice(), lengths.as_slice()) {
            ([], []) => Ok(None),
            ([coding], []) if coding.eq_ignore_ascii_case("chunked") => Ok(Some(Framing::Chunked)),
            ([], [digits]) if digits.bytes().all(|b| b.is_ascii_digit()) => {
                digits.parse().map(|length| Some(Framing::Length(length))).map_err(|_| malformed(digits))
            }
            _ => Err(malformed(&format!("framing by {codings:?} and {lengths:?}"))),
        }
    }
}

impl Wire {
    /// The start line and fields of the next message.
    pub fn head(&mut self) -> Result<(String, Fields), Broken> {
        let start = self.line()?;
        let fields = self.fields().map_err(|broken| if broken == Broken::Closed { Broken::Short } else { broken })?;
        Ok((start, fields))
    }

    /// Content and trailers.
    pub fn content(&mut self, framing: Framing) -> Result<(Vec<u8>, Fields), Broken> {
        let content = match framing {
            Framing::None => Vec::new(),
            Framing::Length(length) => self.exactly(length)?,
            Framing::Close => self.rest()?,
            Framing::Chunked => return self.chunks().map_err(short),
        };
        Ok((content, Fields::default()))
    }

    fn chunks(&mut self) -> Result<(Vec<u8>, Fields), Broken> {
        let mut content = Vec::new();
        loop {
            let line = self.line()?;
            let size = usize::from_str_radix(&line, 16).map_err(|_| malformed(&format!("chunk size {line:?}")))?;
            if size == 0 {
                return Ok((content, self.fields()?));
            }
            content.extend(self.exactly(size)?);
            if self.exactly(2)? != b"\r\n" {
                return Err(malformed("a chunk that does not end"));
            }
        }
    }

    fn fields(&mut self) -> Result<Fields, Broken> {
        let mut fields = Fields::default();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                return Ok(fields);
            }
            let (name, value) = line.split_once(':').ok_or_else(|| malformed(&line))?;
            if name.is_empty() || name.contains(|c: char| c.is_ascii_whitespace() || c.is_control()) {
                return Err(malformed(&line));
            }
            fields.0.push((name.to_owned(), value.trim_matches([' ', '\t']).to_owned()));
        }
    }
}

fn malformed(what: &str) -> Broken {
    Broken::Malformed(what.to_owned())
}

/// An end between two chunks is an end midway all the same.
fn short(broken: Broken) -> Broken {
    if broken == Broken::Closed { Broken::Short } else { broken }
}
