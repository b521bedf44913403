use crate::http::RequestHead;

/// The Location that `template` makes for `head`.
///
/// `{scheme}`, `{host}` (without port), `{path}` (path and query as received) and `{query}` (without `?`) are replaced;
/// other braces stand for themselves. What a URI may not hold is percent-encoded: no CR or LF gets into the field, and no
/// `\`, which browsers read as `/`. Slashes at the front collapse into one unless the template itself starts with two:
/// `GET //evil.example/` on `to = "{path}"` must not lead to another host. A template that starts with `{path}` or
/// `{query}` always leads to a path here.
#[must_use]
pub fn redirect_location(template: &str, head: &RequestHead) -> Vec<u8> {
    let mut out = Vec::with_capacity(template.len() + head.target.len() + head.authority.len());
    let mut rest = template;
    if rest.starts_with("{path}") || rest.starts_with("{query}") {
        out.push(b'/');
    }
    while let Some(at) = rest.find('{') {
        push_encoded(&mut out, &rest.as_bytes()[..at]);
        rest = push_placeholder(&mut out, &rest[at..], head);
    }
    push_encoded(&mut out, rest.as_bytes());
    if out.starts_with(b"/") && !template.starts_with("//") {
        let slashes = out.iter().take_while(|&&b| b == b'/').count();
        out.drain(1..slashes);
    }
    out
}

/// Writes what stands for the placeholder at the front of `rest`, or its brace; gives what follows.
fn push_placeholder<'a>(out: &mut Vec<u8>, rest: &'a str, head: &RequestHead) -> &'a str {
    // OPTIONS * and CONNECT have no path: that is the root.
    let path: &[u8] = if head.target.first() == Some(&b'/') { &head.target } else { b"/" };
    let values: [(&str, &[u8]); 4] = [
        ("{scheme}", head.scheme.as_str().as_bytes()),
        ("{host}", head.host()),
        ("{path}", path),
        ("{query}", head.query().unwrap_or_default()),
    ];
    for (placeholder, value) in values {
        if let Some(after) = rest.strip_prefix(placeholder) {
            push_encoded(out, value);
            return after;
        }
    }
    push_encoded(out, b"{");
    &rest[1..]
}

/// RFC 3986 §2: all that is neither reserved nor unreserved nor `%` is encoded.
fn push_encoded(out: &mut Vec<u8>, text: &[u8]) {
    for &b in text {
        match b {
            0..=b' ' | 0x7f.. | b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}' => {
                out.extend_from_slice(format!("%{b:02X}").as_bytes());
            }
            _ => out.push(b),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{Scheme, Target};
    use proptest::prelude::*;

    fn location(template: &str, target: &str) -> String {
        let head = RequestHead {
            target: target.into(),
            authority: b"old.example:8080".to_vec(),
            scheme: Scheme::Https,
            ..Default::default()
        };
        String::from_utf8(redirect_location(template, &head)).unwrap()
    }

    #[test]
    fn placeholders_are_replaced() {
        assert_eq!(location("https://new.example{path}", "/a/b?c=1"), "https://new.example/a/b?c=1");
        assert_eq!(location("{scheme}://{host}/x?{query}", "/a?c=1"), "https://old.example/x?c=1");
        assert_eq!(location("/x{y}{", "/a"), "/x%7By%7D%7B");
        assert_eq!(location("https://new.example{path}", "*"), "https://new.example/");
        let connect = RequestHead { form: Target::Authority, ..Default::default() };
        assert_eq!(redirect_location("{path}", &connect), b"/");
    }

    #[test]
    fn a_path_cannot_lead_to_another_host() {
        for target in ["//evil.example", "///evil.example", "/\\evil.example", "/\t/evil.example"] {
            for template in ["{path}", "/{path}"] {
                let location = location(template, target);
                assert!(location.starts_with('/') && !location[1..].starts_with(['/', '\\', '\t']), "{location}");
            }
        }
        assert_eq!(location("{query}", "/?https://evil.example"), "/https://evil.example");
        assert_eq!(location("{query}", "/?//evil.example"), "/evil.example");
        assert_eq!(location("//cdn.example{path}", "//a"), "//cdn.example//a");
    }

    proptest! {
        #[test]
        fn no_byte_ends_the_field(target in proptest::collection::vec(any::<u8>(), 0..40), host in proptest::collection::vec(any::<u8>(), 0..20)) {
            let head = RequestHead { target, authority: host, ..Default::default() };
            let location = redirect_location("{path}{scheme}{host}{query}", &head);
            prop_assert!(location.iter().all(u8::is_ascii_graphic));
            prop_assert!(location.starts_with(b"/") && !location.starts_with(b"//"));
        }
    }
}
