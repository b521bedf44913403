//! Bytes from the network, made harmless for a line of a log.

/// Appends `bytes` as the inside of a JSON string (RFC 8259 §7). Bytes that are not UTF-8 become `\u00XX`, so that
/// the line is valid and says which byte it was; control characters, C1 and DEL among them, are escaped.
pub(super) fn json(bytes: &[u8], out: &mut Vec<u8>) {
    if bytes.iter().all(|&b| plain(b)) {
        return out.extend_from_slice(bytes);
    }
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            json_char(c, out);
        }
        chunk.invalid().iter().for_each(|&b| unit(b, out));
    }
}

fn json_char(c: char, out: &mut Vec<u8>) {
    match c {
        '"' => out.extend_from_slice(b"\\\""),
        '\\' => out.extend_from_slice(b"\\\\"),
        '\n' => out.extend_from_slice(b"\\n"),
        '\r' => out.extend_from_slice(b"\\r"),
        '\t' => out.extend_from_slice(b"\\t"),
        // All control characters are below U+00A0.
        c if c.is_control() => unit(c as u8, out),
        c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
    }
}

fn unit(byte: u8, out: &mut Vec<u8>) {
    out.extend_from_slice(b"\\u00");
    hex(byte, b"0123456789abcdef", out);
}

/// Appends `bytes` as nginx does in its text formats: what could end a line or a quoted part, and all that is not
/// printable ASCII, as `\xXX`.
pub(super) fn text(bytes: &[u8], out: &mut Vec<u8>) {
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|&b| !plain(b)) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(b"\\x");
        hex(rest[at], b"0123456789ABCDEF", out);
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
}

fn hex(byte: u8, digits: &[u8; 16], out: &mut Vec<u8>) {
    out.extend_from_slice(&[digits[usize::from(byte >> 4)], digits[usize::from(byte & 15)]]);
}

/// Printable ASCII but for the quote and the backslash.
fn plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\'
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(escape: fn(&[u8], &mut Vec<u8>), bytes: &[u8]) -> String {
        let mut out = Vec::new();
        escape(bytes, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn text_is_escaped_as_nginx_does() {
        assert_eq!(written(text, b"a\"b\\c\r\nd\x7f\xc3\xa9"), r"a\x22b\x5Cc\x0D\x0Ad\x7F\xC3\xA9");
    }

    #[test]
    fn json_keeps_text_and_shows_bytes_that_are_none() {
        assert_eq!(written(json, "é\n\u{9b}\u{1}".as_bytes()), r"é\n\u009b\u0001");
        assert_eq!(written(json, b"\xff\"\\"), r#"\u00ff\"\\"#);
    }

    proptest! {
        #[test]
        fn any_bytes_become_one_json_string_that_reads_back(bytes: Vec<u8>) {
            let line = format!("\"{}\"", written(json, &bytes));
            let read: String = serde_json::from_str(&line).unwrap();
            prop_assert!(!line.chars().any(char::is_control));
            if let Ok(valid) = std::str::from_utf8(&bytes) {
                prop_assert_eq!(read, valid);
            }
        }

        #[test]
        fn any_bytes_become_text_that_ends_neither_line_nor_quotes(bytes: Vec<u8>) {
            let line = written(text, &bytes);
            prop_assert!(line.bytes().all(|b| matches!(b, b' '..=b'~') && b != b'"'));
        }
    }
}
