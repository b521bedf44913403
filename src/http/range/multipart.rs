use super::content_range;
use std::ops::Range;

/// A plan of `multipart/byteranges` content: all that stands around the ranges, none of what they hold (RFC 9110 §14.6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Multipart {
    parts: Vec<(Vec<u8>, Range<u64>)>,
    closing: Vec<u8>,
    content_type: String,
}

impl Multipart {
    /// Plans parts of a representation of `complete` bytes and of that type. The caller vouches that `boundary` is one
    /// (RFC 2046 §5.1.1) and does not occur in the content.
    #[must_use]
    pub fn new(ranges: Vec<Range<u64>>, complete: u64, content_type: Option<&[u8]>, boundary: &str) -> Multipart {
        let mut between = "";
        let parts = ranges.into_iter().map(|range| {
            let mut head = format!("{between}--{boundary}\r\n").into_bytes();
            between = "\r\n";
            // RFC 9110 §15.3.7.2: the type that a 200 would have had.
            if let Some(content_type) = content_type {
                head.extend_from_slice(b"Content-Type: ");
                head.extend_from_slice(content_type);
                head.extend_from_slice(b"\r\n");
            }
            head.extend_from_slice(format!("Content-Range: {}\r\n\r\n", content_range(&range, complete)).as_bytes());
            (head, range)
        });
        Multipart {
            parts: parts.collect(),
            closing: format!("\r\n--{boundary}--\r\n").into_bytes(),
            content_type: format!("multipart/byteranges; boundary={boundary}"),
        }
    }

    /// The value of the response's Content-Type.
    #[must_use]
    pub fn content_type(&self) -> &str {
        &self.content_type
    }

    /// The value of the response's Content-Length: all parts with their heads, and the closing.
    #[must_use]
    pub fn length(&self) -> u64 {
        let parts = self
            .parts
            .iter()
            .map(|(head, range)| range.end.saturating_sub(range.start).saturating_add(head.len() as u64));
        parts.fold(self.closing.len() as u64, u64::saturating_add)
    }

    /// What goes before each range, and the range.
    pub fn parts(&self) -> impl Iterator<Item = (&[u8], &Range<u64>)> {
        self.parts.iter().map(|(head, range)| (&head[..], range))
    }

    /// What goes after the last range.
    #[must_use]
    pub fn closing(&self) -> &[u8] {
        &self.closing
    }
}
