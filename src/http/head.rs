use super::{Fields, Method};

/// The protocol version a message arrived in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Version {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1
    #[default]
    Http11,
    /// HTTP/2
    Http2,
}

impl Version {
    /// As in an access log or a `Via` field: `1.0`, `1.1`, `2.0`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Version::Http10 => "1.0",
            Version::Http11 => "1.1",
            Version::Http2 => "2.0",
        }
    }
}

/// The scheme by which the client reached us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Hash)]
pub enum Scheme {
    /// Clear text.
    #[default]
    Http,
    /// TLS.
    Https,
}

impl Scheme {
    /// `http` or `https`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
        }
    }
}

/// Which of the four forms of RFC 9112 §3.2 the target had, after the absolute form was resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Target {
    /// A path with an optional query.
    #[default]
    Origin,
    /// `*`, with OPTIONS only.
    Asterisk,
    /// Host and port, with CONNECT only.
    Authority,
}

/// How the length of a message's content is known (RFC 9112 §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Length {
    /// There is no content and no framing for it.
    #[default]
    None,
    /// Exactly so many bytes.
    Known(u64),
    /// Until the codec says that it ended (chunked, END_STREAM, close).
    Unknown,
    /// Not content at all: bytes both ways until either side ends (101, CONNECT).
    Tunnel,
}

/// The head of a request, whatever wire it came by. Reused from exchange to exchange: [`clear`](Self::clear) keeps
/// the memory.
#[derive(Clone, Debug, Default)]
pub struct RequestHead {
    /// The method.
    pub method: Method,
    /// The version the client spoke.
    pub version: Version,
    /// The scheme by which the client reached us.
    pub scheme: Scheme,
    /// Which form the target had.
    pub form: Target,
    /// Path and query, byte for byte as received; `*` or empty in the other forms.
    pub target: Vec<u8>,
    /// Host and optional port, as received in the absolute target, `:authority` or Host; may be empty in HTTP/1.0.
    pub authority: Vec<u8>,
    /// Extended CONNECT's `:protocol` (RFC 8441), or the accepted token of Upgrade; empty if none.
    pub protocol: Vec<u8>,
    /// All fields but Host (which is `authority`).
    pub fields: Fields,
}

impl RequestHead {
    /// Empties the head, keeps its memory.
    pub fn clear(&mut self) {
        self.method = Method::Get;
        self.version = Version::Http11;
        self.scheme = Scheme::Http;
        self.form = Target::Origin;
        self.target.clear();
        self.authority.clear();
        self.protocol.clear();
        self.fields.clear();
    }

    /// The target without its query.
    #[must_use]
    pub fn path(&self) -> &[u8] {
        match memchr::memchr(b'?', &self.target) {
            Some(at) => &self.target[..at],
            None => &self.target,
        }
    }

    /// What follows the first `?`, if there is one.
    #[must_use]
    pub fn query(&self) -> Option<&[u8]> {
        memchr::memchr(b'?', &self.target).map(|at| &self.target[at + 1..])
    }

    /// The authority without its port; brackets of an IPv6 literal are kept.
    #[must_use]
    pub fn host(&self) -> &[u8] {
        split_port(&self.authority).0
    }
}

/// Splits `host:port`; the port, which is digits, is `None` if absent or empty.
#[must_use]
pub fn split_port(authority: &[u8]) -> (&[u8], Option<&[u8]>) {
    let digits = authority.iter().rev().take_while(|b| b.is_ascii_digit()).count();
    // An IPv6 literal without a port ends in a bracket: its colons are not ours.
    match authority.split_at(authority.len() - digits) {
        ([host @ .., b':'], port) => (host, (!port.is_empty()).then_some(port)),
        _ => (authority, None),
    }
}

/// The head of a response, whatever wire it came by. Reused like [`RequestHead`].
#[derive(Clone, Debug, Default)]
pub struct ResponseHead {
    /// The status code, 100..=999.
    pub status: u16,
    /// The version the backend spoke.
    pub version: Version,
    /// All fields.
    pub fields: Fields,
}

impl ResponseHead {
    /// Empties the head, keeps its memory.
    pub fn clear(&mut self) {
        self.status = 0;
        self.version = Version::Http11;
        self.fields.clear();
    }

    /// A 1xx response other than 101: more will follow.
    #[must_use]
    pub fn is_interim(&self) -> bool {
        (100..200).contains(&self.status) && self.status != 101
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_query_and_host_are_slices_of_what_was_received() {
        let head =
            RequestHead { target: b"/a/b?x=1?y".to_vec(), authority: b"[::1]:8080".to_vec(), ..Default::default() };
        assert_eq!(head.path(), b"/a/b");
        assert_eq!(head.query(), Some(&b"x=1?y"[..]));
        assert_eq!(head.host(), b"[::1]");
    }

    #[test]
    fn ports_are_split_off_and_ipv6_is_left_whole() {
        assert_eq!(split_port(b"a:1"), (&b"a"[..], Some(&b"1"[..])));
        assert_eq!(split_port(b"a:"), (&b"a"[..], None));
        assert_eq!(split_port(b"a"), (&b"a"[..], None));
        assert_eq!(split_port(b"[::1]"), (&b"[::1]"[..], None));
    }
}
