//! The Cache-Status field (RFC 9211).

use super::push_decimal;
use std::fmt::Write;

/// Why a request went forward (RFC 9211 §2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Forward {
    /// The cache is not used for it.
    Bypass,
    /// Its method.
    Method,
    /// Nothing is stored under its key.
    UriMiss,
    /// Something is, but not for its selecting fields.
    VaryMiss,
    /// Its directives.
    Request,
    /// What is stored is stale.
    Stale,
    /// What is stored has not all of the range.
    Partial,
}

impl Forward {
    /// As in the field, in metrics and in logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Forward::Bypass => "bypass",
            Forward::Method => "method",
            Forward::UriMiss => "uri-miss",
            Forward::VaryMiss => "vary-miss",
            Forward::Request => "request",
            Forward::Stale => "stale",
            Forward::Partial => "partial",
        }
    }
}

/// What the cache did for a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheStatus<'a> {
    /// It went forward; otherwise it is a hit.
    pub forward: Option<Forward>,
    /// What the backend answered, where that is not the response's own status.
    pub forward_status: Option<u16>,
    /// Seconds of freshness left; negative if stale.
    pub ttl: Option<i64>,
    /// It was stored.
    pub stored: bool,
    /// It shared the way forward with others.
    pub collapsed: bool,
    /// A token that says more.
    pub detail: Option<&'a str>,
    /// The key, for those who may see it.
    pub key: Option<&'a [u8]>,
}

impl CacheStatus<'_> {
    /// A hit.
    pub const HIT: CacheStatus<'static> = CacheStatus {
        forward: None,
        forward_status: None,
        ttl: None,
        stored: false,
        collapsed: false,
        detail: None,
        key: None,
    };

    /// Appends the field's value.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"weir");
        match self.forward {
            None => out.extend_from_slice(b"; hit"),
            Some(forward) => {
                out.extend_from_slice(b"; fwd=");
                out.extend_from_slice(forward.as_str().as_bytes());
            }
        }
        if let Some(status) = self.forward_status {
            number(out, "; fwd-status=", i64::from(status));
        }
        if let Some(ttl) = self.ttl {
            number(out, "; ttl=", ttl.clamp(-INTEGER_MAX, INTEGER_MAX));
        }
        for (is, text) in [(self.stored, "; stored"), (self.collapsed, "; collapsed")] {
            if is {
                out.extend_from_slice(text.as_bytes());
            }
        }
        if let Some(detail) = self.detail {
            out.extend_from_slice(b"; detail=");
            out.extend_from_slice(detail.as_bytes());
        }
        if let Some(key) = self.key {
            push_string(key, out);
        }
    }
}

/// RFC 9651 §3.3.1
const INTEGER_MAX: i64 = 999_999_999_999_999;

fn number(out: &mut Vec<u8>, name: &str, n: i64) {
    out.extend_from_slice(name.as_bytes());
    if n < 0 {
        out.push(b'-');
    }
    push_decimal(n.unsigned_abs(), out);
}

/// RFC 9651 §3.3.3: what a string cannot hold is shown escaped.
fn push_string(key: &[u8], out: &mut Vec<u8>) {
    let mut text = String::with_capacity(key.len());
    for &b in key.iter().take(KEY_SHOWN_MAX) {
        match b {
            b'"' | b'\\' => text.extend(['\\', char::from(b)]),
            b' '..=b'~' => text.push(char::from(b)),
            _ => drop(write!(text, "%{b:02X}")),
        }
    }
    out.extend_from_slice(b"; key=\"");
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
}

/// Bytes of a key that are shown.
const KEY_SHOWN_MAX: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_field_is_a_list_member_of_rfc_9211() {
        let text = |status: CacheStatus<'_>| {
            let mut out = Vec::new();
            status.write(&mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(text(CacheStatus { ttl: Some(-12), ..CacheStatus::HIT }), "weir; hit; ttl=-12");
        let miss = CacheStatus {
            forward: Some(Forward::UriMiss),
            forward_status: Some(304),
            stored: true,
            collapsed: true,
            detail: Some("too-large"),
            key: Some(b"http://a/\"\n"),
            ..CacheStatus::HIT
        };
        let expected =
            r#"weir; fwd=uri-miss; fwd-status=304; stored; collapsed; detail=too-large; key="http://a/\"%0A""#;
        assert_eq!(text(miss), expected);
    }
}
