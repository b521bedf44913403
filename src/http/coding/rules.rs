use crate::http::{FieldName, Fields};

/// Which responses are worth a coding.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Rules {
    /// Media types, any of these.
    pub types: Vec<TypePattern>,
    /// Bytes of content, where the length is known: fewer are left as they are.
    pub min_bytes: u64,
}

/// Media types that an operator names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TypePattern {
    /// `application/json`, in lower case.
    Exact(String),
    /// `text/*`: stored with the slash, without the star.
    Main(String),
    /// `+json`: any type with that suffix (RFC 6838 §4.2.8).
    Suffix(String),
}

impl Default for Rules {
    fn default() -> Rules {
        let parse = |text: &&str| TypePattern::parse(text).expect("a test reads them");
        Rules { types: DEFAULT_TYPES.iter().map(parse).collect(), min_bytes: MIN_BYTES }
    }
}

impl TypePattern {
    /// Reads `text/*`, `application/json` or `+json`; none if it is no such thing.
    #[must_use]
    pub fn parse(text: &str) -> Option<TypePattern> {
        let text = text.to_ascii_lowercase();
        let is_token = |part: &str| crate::http::is_token(part.as_bytes()) && !part.contains('*');
        if let Some(suffix) = text.strip_prefix('+') {
            return (is_token(suffix) && !suffix.contains('+')).then_some(TypePattern::Suffix(text));
        }
        match text.split_once('/')? {
            (main, "*") if is_token(main) => Some(TypePattern::Main(format!("{main}/"))),
            (main, sub) if is_token(main) && is_token(sub) => Some(TypePattern::Exact(text)),
            _ => None,
        }
    }

    fn covers(&self, media_type: &[u8]) -> bool {
        let starts = |with: &str| media_type.get(..with.len()).is_some_and(|b| b.eq_ignore_ascii_case(with.as_bytes()));
        let ends = |with: &str| {
            let at = media_type.len().checked_sub(with.len());
            at.is_some_and(|at| media_type[at..].eq_ignore_ascii_case(with.as_bytes()))
        };
        match self {
            TypePattern::Exact(exact) => media_type.eq_ignore_ascii_case(exact.as_bytes()),
            // An event must arrive when it happens, and is small: only by its own name.
            TypePattern::Main(main) => starts(main) && !media_type.eq_ignore_ascii_case(EVENT_STREAM),
            TypePattern::Suffix(suffix) => ends(suffix) && media_type.contains(&b'/'),
        }
    }
}

impl std::fmt::Display for TypePattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            TypePattern::Exact(text) | TypePattern::Suffix(text) => f.write_str(text),
            TypePattern::Main(main) => write!(f, "{main}*"),
        }
    }
}

/// Whether a response may and should be encoded for those who accept it. `length` is that of its content, where known.
/// It says nothing of the request: HEAD and the coding are the caller's.
#[must_use]
pub fn compressible(status: u16, response: &Fields, length: Option<u64>, rules: &Rules) -> bool {
    has_whole_content(status) && !response.has(FieldName::ContentRange) && is_worth_it(response, length, rules)
}

/// Whether a response without content, or with a part of it, is of one that is [`compressible`]: its fields, but for
/// Content-Range, are those of a 200 with content of `length` bytes. It says Vary as that does (RFC 9110 §15.3.7, §15.4.5).
#[must_use]
pub fn is_of_compressible(response: &Fields, length: Option<u64>, rules: &Rules) -> bool {
    is_worth_it(response, length, rules)
}

fn is_worth_it(response: &Fields, length: Option<u64>, rules: &Rules) -> bool {
    length.is_none_or(|length| length >= rules.min_bytes.max(1))
        && !is_encoded(response)
        && !forbids_transforming(response)
        && has_type(response, rules)
}

/// RFC 9111 §5.2.1.6 and §5.2.2.6: `no-transform` of a request or of a response.
#[must_use]
pub fn forbids_transforming(fields: &Fields) -> bool {
    fields.members(FieldName::CacheControl).any(|directive| directive.eq_ignore_ascii_case(b"no-transform"))
}

/// 206 is a part of something, whose bytes must fit the other parts; interim ones, 204, 205 and 304 have no content.
fn has_whole_content(status: u16) -> bool {
    status >= 200 && !matches!(status, 204 | 205 | 206 | 304)
}

fn is_encoded(response: &Fields) -> bool {
    response.members(FieldName::ContentEncoding).any(|coding| !coding.eq_ignore_ascii_case(b"identity"))
}

fn has_type(response: &Fields, rules: &Rules) -> bool {
    let Some(value) = response.get(FieldName::ContentType) else { return false };
    let media_type = value.split(|&b| b == b';').next().unwrap_or_default().trim_ascii();
    rules.types.iter().any(|pattern| pattern.covers(media_type))
}

const EVENT_STREAM: &[u8] = b"text/event-stream";

/// Below this, the coding's own frame and the lost Content-Length cost about what is saved.
pub(crate) const MIN_BYTES: u64 = 256;

/// What is text in some form, and formats that hold their bytes uncompressed. Not woff, woff2, images and archives,
/// which are compressed already.
pub(crate) const DEFAULT_TYPES: &[&str] = &[
    "text/*",
    "+json",
    "+xml",
    "+text",
    "application/json",
    "application/javascript",
    "application/x-javascript",
    "application/xml",
    "application/x-ndjson",
    "application/yaml",
    "application/toml",
    "application/sql",
    "application/wasm",
    "application/rtf",
    "application/vnd.ms-fontobject",
    "font/ttf",
    "font/otf",
    "font/collection",
    "image/bmp",
    "image/vnd.microsoft.icon",
    "image/x-icon",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn response(lines: &[(&str, &str)]) -> Fields {
        let mut fields = Fields::default();
        lines.iter().for_each(|(name, value)| fields.push(name.as_bytes(), value.as_bytes()));
        fields
    }

    fn of_type(media_type: &str) -> bool {
        compressible(200, &response(&[("Content-Type", media_type)]), None, &Rules::default())
    }

    #[test]
    fn text_in_all_its_forms_is_compressed() {
        for yes in [
            "text/html",
            "Text/HTML; charset=utf-8",
            "text/plain ;x=y",
            "application/json",
            "application/problem+json",
            "image/svg+XML",
            "application/wasm",
            "font/ttf",
        ] {
            assert!(of_type(yes), "{yes}");
        }
        for no in
            ["image/png", "font/woff2", "application/octet-stream", "application/grpc", "text", "+json", "", "a+json"]
        {
            assert!(!of_type(no), "{no}");
        }
    }

    #[test]
    fn events_are_compressed_only_by_their_own_name() {
        assert!(!of_type("text/event-stream"));
        let rules = Rules { types: vec![TypePattern::parse("text/event-stream").unwrap()], min_bytes: 0 };
        assert!(compressible(200, &response(&[("Content-Type", "text/event-stream")]), None, &rules));
    }

    #[test]
    fn what_is_encoded_partial_empty_or_forbidden_is_left_as_it_is() {
        let (html, rules) = (("Content-Type", "text/html"), Rules::default());
        for (more, yes) in [
            (("Content-Encoding", "gzip"), false),
            (("Content-Encoding", "identity"), true),
            (("Content-Encoding", "identity, zstd"), false),
            (("Content-Range", "bytes 0-1/2"), false),
            (("Cache-Control", "max-age=1, No-Transform"), false),
            (("Cache-Control", "max-age=1"), true),
            (("Content-Encoding", "dcb"), false),
        ] {
            assert_eq!(compressible(200, &response(&[html, more]), None, &rules), yes, "{more:?}");
        }
        for (status, yes) in
            [(101, false), (200, true), (204, false), (205, false), (206, false), (304, false), (404, true)]
        {
            assert_eq!(compressible(status, &response(&[html]), Some(1000), &rules), yes, "{status}");
        }
    }

    #[test]
    fn the_floor_on_size_needs_a_known_length() {
        let (html, rules) = (response(&[("Content-Type", "text/html")]), Rules::default());
        assert!(!compressible(200, &html, Some(255), &rules));
        assert!(compressible(200, &html, Some(256), &rules) && compressible(200, &html, None, &rules));
        assert!(!compressible(200, &html, Some(0), &Rules { min_bytes: 0, ..rules }), "nothing stays nothing");
    }

    #[test]
    fn patterns_read_as_they_are_written() {
        for text in ["text/*", "application/json", "+json"].iter().chain(DEFAULT_TYPES) {
            assert_eq!(TypePattern::parse(text).unwrap().to_string(), *text);
        }
        for bad in ["", "*", "*/*", "text", "text/", "/x", "a/b/c", "text/h*", "text/html; charset=x", "+", "+a+b"] {
            assert_eq!(TypePattern::parse(bad), None, "{bad}");
        }
    }
}
