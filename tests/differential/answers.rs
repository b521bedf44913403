//! What an origin says, whatever it speaks: made from the request alone.

use super::seen::normalise;

/// A request as any origin sees it.
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) host: String,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Vec<(String, String)>,
}

/// A response in the making.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// The length is not said.
    pub(crate) is_open: bool,
    pub(crate) trailers: Vec<(String, String)>,
    pub(crate) hints: bool,
}

pub(crate) fn answer(asked: &Asked) -> Answer {
    let path = asked.target.split('?').next().unwrap();
    let ok = |body: &[u8]| Answer {
        status: 200,
        fields: Vec::new(),
        body: body.to_vec(),
        is_open: false,
        trailers: Vec::new(),
        hints: false,
    };
    match path {
        "/no-content" => Answer { status: 204, fields: pairs(&[("X-A", "1")]), ..ok(b"") },
        "/not-modified" => Answer { status: 304, fields: pairs(&[("ETag", "\"e\""), ("Vary", "Accept")]), ..ok(b"") },
        "/moved" => Answer { status: 301, fields: pairs(&[("Location", "/there?x=1")]), ..ok(b"moved") },
        "/partial" => Answer {
            status: 206,
            fields: pairs(&[("Content-Range", "bytes 2-4/10"), ("Accept-Ranges", "bytes")]),
            ..ok(b"234")
        },
        "/missing" => Answer { status: 404, fields: pairs(&[("Content-Type", "text/plain")]), ..ok(b"nothing here") },
        "/gone" => Answer { status: 410, ..ok(b"") },
        "/broken" => Answer { status: 500, ..ok(b"broken") },
        "/busy" => Answer { status: 503, fields: pairs(&[("Retry-After", "7")]), ..ok(b"busy") },
        "/odd" => Answer { status: 299, ..ok(b"odd") },
        "/open" => Answer { is_open: true, ..ok(b"length not said") },
        "/open-empty" => Answer { is_open: true, ..ok(b"") },
        "/open-large" => Answer { is_open: true, ..ok(&b"0123456789abcdef".repeat(20_000)) },
        "/large" => ok(&b"fedcba9876543210".repeat(20_000)),
        "/trailers" => Answer {
            fields: pairs(&[("Trailer", "X-Sum, X-More")]),
            is_open: true,
            trailers: pairs(&[("X-Sum", "42"), ("X-More", "a, b")]),
            ..ok(b"content")
        },
        "/trailers-only" => Answer { is_open: true, trailers: pairs(&[("X-Sum", "0")]), ..ok(b"") },
        "/fields" => Answer { fields: strange(), ..ok(b"fields") },
        "/big-head" => Answer { fields: pairs(&[("X-Big", &"b".repeat(8000))]), ..ok(b"big") },
        "/hints" => Answer { hints: true, ..ok(b"hinted") },
        _ => Answer { fields: pairs(&[("Content-Type", "text/plain")]), ..ok(&echo(asked)) },
    }
}

/// The link of a 103.
pub(crate) const HINT: (&str, &str) = ("link", "</a.css>; rel=preload");

pub(crate) fn pairs(fields: &[(&str, &str)]) -> Vec<(String, String)> {
    fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn strange() -> Vec<(String, String)> {
    pairs(&[
        ("Set-Cookie", "a=1; Path=/"),
        ("Set-Cookie", "b=2, c"),
        ("X-Twice", "1"),
        ("x-twice", "2"),
        ("X-Empty", ""),
        ("X-Latin", "caf\u{e9}"),
        ("X-Inner", "a \t b"),
        ("Server", "origin/1"),
        ("Cache-Control", "max-age=60"),
        ("Content-Language", "en"),
        ("X_Under", "_"),
    ])
}

/// The request itself, as it came.
fn echo(asked: &Asked) -> Vec<u8> {
    let Asked { method, target, host, fields, body, trailers } = asked;
    let (mut fields, mut trailers) = (fields.clone(), trailers.clone());
    // An HTTP/1.1 client without content says so by a length of none, where others say nothing.
    fields.retain(|(name, value)| !(is_host(name) || is_length(name) && value == "0"));
    normalise(&mut fields);
    normalise(&mut trailers);
    let text = format!("{method} {target} at {host}\n{fields:#?}\n{trailers:#?}\n{} bytes: ", body.len());
    [text.as_bytes(), body].concat()
}

fn is_host(name: &str) -> bool {
    name.eq_ignore_ascii_case("host")
}

fn is_length(name: &str) -> bool {
    name.eq_ignore_ascii_case("content-length")
}
