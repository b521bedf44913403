use std::fmt;

/// What a client got, or an origin.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) status: u16,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Vec<(String, String)>,
    /// Interim responses: status and fields.
    pub(crate) interim: Vec<(u16, Vec<(String, String)>)>,
}

impl fmt::Debug for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Seen { status, fields, body, trailers, interim } = self;
        let shown = String::from_utf8_lossy(&body[..body.len().min(SHOWN)]);
        write!(f, "{interim:?} {status} {fields:?}\n{} bytes: {shown}\n{trailers:?}", body.len())
    }
}

/// Bytes of content in a message about it.
const SHOWN: usize = 2000;

impl Seen {
    /// Without what may differ: what belongs to one hop, and what differs between two runs over the same.
    pub(crate) fn normal(mut self) -> Seen {
        let id = self.fields.iter().find(|(name, _)| name.eq_ignore_ascii_case("x-request-id"));
        if let Some((_, id)) = id {
            self.body = String::from_utf8_lossy(&self.body).replace(id.as_str(), "ID").into_bytes();
        }
        normalise(&mut self.fields);
        normalise(&mut self.trailers);
        self.interim.iter_mut().for_each(|(_, fields)| normalise(fields));
        self
    }
}

/// Names in lower case, sorted; lines of one name keep their order.
pub(crate) fn normalise(fields: &mut Vec<(String, String)>) {
    fields.iter_mut().for_each(|(name, _)| name.make_ascii_lowercase());
    fields.retain(|(name, _)| !VARIES.contains(&name.as_str()));
    fields.sort_by(|a, b| a.0.cmp(&b.0));
}

/// Of one hop or one run.
const VARIES: [&str; 6] = ["connection", "keep-alive", "transfer-encoding", "via", "x-request-id", "date"];

/// Each byte a character.
pub(crate) fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|&b| char::from(b)).collect()
}

/// The other way.
pub(crate) fn bytes(text: &str) -> Vec<u8> {
    text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect()
}

/// The lines of a header map.
pub(crate) fn lines(map: &http::HeaderMap) -> Vec<(String, String)> {
    map.iter().map(|(name, value)| (name.to_string(), latin1(value.as_bytes()))).collect()
}

/// The other way.
pub(crate) fn map(lines: &[(String, String)]) -> http::HeaderMap {
    let pair = |(name, value): &(String, String)| {
        (
            name.to_ascii_lowercase().parse::<http::HeaderName>().unwrap(),
            http::HeaderValue::from_bytes(&bytes(value)).unwrap(),
        )
    };
    lines.iter().map(pair).collect()
}
