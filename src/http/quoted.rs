//! Texts with quoted strings in them (RFC 9110 §5.6.4), whose commas and semicolons part nothing.

/// Where the first `by` is that stands outside of quotes; or the end.
pub(super) fn piece_end(text: &[u8], by: u8) -> usize {
    let (mut quoted, mut at) = (false, 0);
    while at < text.len() {
        match text[at] {
            b'"' => quoted = !quoted,
            b'\\' if quoted => at += 1,
            b if b == by && !quoted => return at,
            _ => {}
        }
        at += 1;
    }
    text.len()
}

/// The pieces between all such.
pub(super) fn pieces(text: &[u8], by: u8) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let end = piece_end(text, by);
        rest = text.get(end + 1..);
        Some(&text[..end])
    })
}

/// Whether each quoted string has its end.
pub(super) fn is_balanced(text: &[u8]) -> bool {
    let (mut quoted, mut bytes) = (false, text.iter());
    while let Some(b) = bytes.next() {
        match b {
            b'"' => quoted = !quoted,
            b'\\' if quoted => drop(bytes.next()),
            _ => {}
        }
    }
    !quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_quotes_parts_nothing() {
        for (text, expected, balanced) in [
            ("", vec![""], true),
            ("a,b", vec!["a", "b"], true),
            (",", vec!["", ""], true),
            ("a=\"b,c\",d", vec!["a=\"b,c\"", "d"], true),
            ("\"a\\\",b\",c", vec!["\"a\\\",b\"", "c"], true),
            ("\"a,b", vec!["\"a,b"], false),
            ("\"a\\\"", vec!["\"a\\\""], false),
            ("\"a\\", vec!["\"a\\"], false),
        ] {
            let found: Vec<_> =
                pieces(text.as_bytes(), b',').map(|piece| std::str::from_utf8(piece).unwrap()).collect();
            assert_eq!(found, expected, "{text}");
            assert_eq!(is_balanced(text.as_bytes()), balanced, "{text}");
        }
    }
}
