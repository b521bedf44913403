//! Names and passwords as clients send them (RFC 7617).

use crate::http::{FieldName, Fields};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// What a request gives.
#[derive(Debug, PartialEq, Eq)]
pub enum Given {
    /// Nothing, or something of another scheme.
    Nothing,
    /// Something that cannot be read as a name and a password.
    Malformed,
    /// Both.
    Credentials(Credentials),
}

/// A name and a password.
#[derive(PartialEq, Eq)]
pub struct Credentials {
    text: String,
    /// Of the first colon.
    colon: usize,
}

impl Credentials {
    /// The name; it has no colon.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.text[..self.colon]
    }

    /// The password.
    #[must_use]
    pub fn password(&self) -> &str {
        &self.text[self.colon + 1..]
    }
}

/// A password stands in no message.
impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:…", self.name())
    }
}

/// Reads Authorization. UTF-8 is asked for in the challenge (RFC 7617 §2.1), and nothing else is read.
#[must_use]
pub fn given(fields: &Fields) -> Given {
    match after_scheme(fields, b"basic") {
        Scheme::Other => Given::Nothing,
        Scheme::Several => Given::Malformed,
        Scheme::Found(encoded) => credentials(encoded).map_or(Given::Malformed, Given::Credentials),
    }
}

fn credentials(encoded: &[u8]) -> Option<Credentials> {
    if encoded.len() > ENCODED_BYTES_MAX {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    let colon = text.find(':')?;
    // RFC 7617 §2: neither holds control characters.
    (!text.chars().any(char::is_control)).then_some(Credentials { text, colon })
}

/// What Authorization has.
pub(super) enum Scheme<'f> {
    /// Nothing, or another scheme.
    Other,
    /// More than one field: the backend might read another than we do.
    Several,
    /// What follows the scheme.
    Found(&'f [u8]),
}

/// Reads `scheme 1*SP token68` (RFC 9110 §11.4); `scheme` is in lower case.
pub(super) fn after_scheme<'f>(fields: &'f Fields, scheme: &[u8]) -> Scheme<'f> {
    let mut lines = fields.all(FieldName::Authorization);
    let Some(value) = lines.next() else { return Scheme::Other };
    if lines.next().is_some() {
        return Scheme::Several;
    }
    match value.split_at_checked(scheme.len()) {
        Some((word, rest)) if word.eq_ignore_ascii_case(scheme) && matches!(rest.first(), None | Some(b' ')) => {
            Scheme::Found(rest.trim_ascii_start())
        }
        _ => Scheme::Other,
    }
}

/// Bytes of a name and a password in base64: hashing takes time by length.
const ENCODED_BYTES_MAX: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[&[u8]]) -> Given {
        let mut fields = Fields::default();
        lines.iter().for_each(|line| fields.push(b"Authorization", line));
        given(&fields)
    }

    fn encoded(text: impl AsRef<[u8]>) -> Vec<u8> {
        [b"Basic ", STANDARD.encode(text).as_bytes()].concat()
    }

    #[test]
    fn names_and_passwords_are_split_at_the_first_colon() {
        for (text, name, password) in [
            ("a:b", "a", "b"),
            ("a:b:c", "a", "b:c"),
            (":", "", ""),
            ("jürgen:p€w", "jürgen", "p€w"),
            ("a: b ", "a", " b "),
        ] {
            let Given::Credentials(given) = read(&[&encoded(text)]) else { panic!("{text}") };
            assert_eq!((given.name(), given.password()), (name, password));
        }
        // RFC 7617 §2: the example.
        let Given::Credentials(given) = read(&[b"bAsIC   QWxhZGRpbjpvcGVuIHNlc2FtZQ=="]) else { panic!() };
        assert_eq!((given.name(), given.password()), ("Aladdin", "open sesame"));
        assert_eq!(format!("{given:?}"), "Aladdin:…");
    }

    #[test]
    fn what_cannot_be_read_is_malformed_and_another_scheme_is_nothing() {
        for line in [&b""[..], b"Bearer abc", b"Basicx abc", b"Basi", b"Digest a=\"b\""] {
            assert_eq!(read(&[line]), Given::Nothing);
        }
        assert_eq!(read(&[]), Given::Nothing);
        let long = encoded(format!("a:{}", "x".repeat(ENCODED_BYTES_MAX)));
        for line in [
            b"Basic".to_vec(),
            b"Basic ".to_vec(),
            b"Basic YTpi=".to_vec(),
            b"Basic YTp".to_vec(),
            b"Basic YTo".to_vec(),
            b"Basic YT-_".to_vec(),
            b"Basic YTpi, YTpi".to_vec(),
            encoded("no colon"),
            encoded(b"a:\xff"),
            encoded("a:b\0"),
            encoded("a\n:b"),
            long,
        ] {
            assert_eq!(read(&[&line]), Given::Malformed, "{}", String::from_utf8_lossy(&line));
        }
        assert_eq!(read(&[&encoded("a:b"), &encoded("a:b")]), Given::Malformed);
    }
}
