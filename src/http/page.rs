use super::{PageKind, reason};

/// A short page about an error that Weir itself answers with: its Content-Type and content.
///
/// `request_id` may come from a client: it is escaped for each form.
#[must_use]
pub fn page(kind: PageKind, status: u16, request_id: &str) -> (&'static str, Vec<u8>) {
    page_that_says(sentence(status), kind, status, request_id)
}

/// The same with a sentence of one's own, which needs no escapes in any form.
#[must_use]
pub fn page_that_says(
    sentence: &'static str,
    kind: PageKind,
    status: u16,
    request_id: &str,
) -> (&'static str, Vec<u8>) {
    let reason = reason(status);
    let reason = if reason.is_empty() { "Error" } else { reason };
    match kind {
        PageKind::Html => {
            let id = escape_html(request_id);
            let text = format!(
                "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{status} {reason}</title></head>\n\
                 <body><h1>{status} {reason}</h1><p>{sentence}</p><p>Request id: <code>{id}</code></p></body></html>\n"
            );
            ("text/html; charset=utf-8", text.into_bytes())
        }
        PageKind::Json => {
            let id = escape_json(request_id);
            let text = format!(
                "{{\"status\":{status},\"error\":\"{reason}\",\"message\":\"{sentence}\",\"request_id\":\"{id}\"}}\n"
            );
            ("application/json", text.into_bytes())
        }
        PageKind::Plain => {
            let id: String = request_id.chars().filter(|c| !c.is_control()).collect();
            let text = format!("{status} {reason}\n{sentence}\nRequest id: {id}\n");
            ("text/plain; charset=utf-8", text.into_bytes())
        }
    }
}

/// What a person can make of it; none needs escapes in any form.
fn sentence(status: u16) -> &'static str {
    match status {
        400 => "The request could not be understood.",
        403 => "This is not allowed.",
        404 => "There is nothing at this address.",
        405 => "This method is not allowed here.",
        408 => "The request took too long to arrive.",
        413 => "The content of the request is too large.",
        414 => "The address in the request is too long.",
        417 => "The expectation in the request cannot be met.",
        421 => "This server does not answer for that host on this connection.",
        426 => "The request needs another protocol.",
        429 => "Too many requests; please try again later.",
        431 => "The fields of the request are too large.",
        500 => "Something went wrong inside the server.",
        501 => "The request asks for something that is not implemented.",
        502 => "The server behind this one gave no valid answer.",
        503 => "The service is not available right now; please try again later.",
        504 => "The server behind this one did not answer in time.",
        505 => "This version of HTTP is not supported.",
        508 => "The request has come here before: it goes in circles.",
        _ => "The request cannot be served.",
    }
}

fn escape_html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars().filter(|c| !c.is_control()) {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(c),
        }
    }
    out
}

/// RFC 8259 §7.
fn escape_json(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_page_says_status_reason_and_request_id() {
        for (kind, expected) in [
            (PageKind::Html, "text/html; charset=utf-8"),
            (PageKind::Json, "application/json"),
            (PageKind::Plain, "text/plain; charset=utf-8"),
        ] {
            let (content_type, body) = page(kind, 502, "abc1");
            let text = String::from_utf8(body).unwrap();
            assert_eq!(content_type, expected);
            assert!(["502", "Bad Gateway", "abc1"].iter().all(|part| text.contains(part)), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_request_id_breaks_out_of_its_page(id in "\\PC{0,20}|[<>&\"'\\\\\n\r\u{0}\u{7f}\u{85}]{0,20}", status in 400u16..600) {
            let (_, html) = page(PageKind::Html, status, &id);
            let (_, empty) = page(PageKind::Html, status, "");
            let tags = |body: &[u8]| body.iter().filter(|&&b| b == b'<').count();
            prop_assert_eq!(tags(&html), tags(&empty));
            let (_, json) = page(PageKind::Json, status, &id);
            let value: serde_json::Value = serde_json::from_slice(&json).unwrap();
            prop_assert_eq!(value["request_id"].as_str(), Some(&*id));
            let (_, plain) = page(PageKind::Plain, status, &id);
            prop_assert_eq!(plain.iter().filter(|&&b| b == b'\n').count(), 3);
        }
    }
}
