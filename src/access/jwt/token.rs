use super::{Fault, json};
use crate::access::basic::{Scheme, after_scheme};
use crate::config::{Algorithm, TokenFrom};
use crate::http::{Fields, cookie_pairs};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

/// Bytes of a token; what is longer is not looked at.
pub const TOKEN_BYTES_MAX: usize = 8 * 1024;
/// Bytes of a token's header, in base64.
const HEADER_BYTES_MAX: usize = 1024;

/// The token of a request, as it was sent.
///
/// # Errors
/// There is none, or more than one: the backend might read another than we do.
pub fn token<'f>(fields: &'f Fields, from: &TokenFrom) -> Result<&'f [u8], Fault> {
    let found = match from {
        TokenFrom::Authorization => match after_scheme(fields, b"bearer") {
            Scheme::Other => return Err(Fault::Missing),
            Scheme::Several => return Err(Fault::Malformed),
            Scheme::Found(token) => token,
        },
        TokenFrom::Cookie(name) => {
            let of_name = |pair: &'f [u8]| pair.strip_prefix(name.as_bytes())?.strip_prefix(b"=");
            only(cookie_pairs(fields).filter_map(of_name))?
        }
        TokenFrom::Field(name) => only(all_named(fields, name))?,
    };
    if found.len() > TOKEN_BYTES_MAX { Err(Fault::Malformed) } else { Ok(found) }
}

fn all_named<'f>(fields: &'f Fields, name: &str) -> impl Iterator<Item = &'f [u8]> {
    fields.iter().filter(move |(_, other, _)| other.eq_ignore_ascii_case(name.as_bytes())).map(|(_, _, value)| value)
}

fn only<'f>(mut found: impl Iterator<Item = &'f [u8]>) -> Result<&'f [u8], Fault> {
    let first = found.next().filter(|first| !first.is_empty()).ok_or(Fault::Missing)?;
    if found.next().is_some() { Err(Fault::Malformed) } else { Ok(first) }
}

/// A token in its three parts (RFC 7515 §7.1). The claims are not looked at before its signature is.
pub(super) struct Token<'t> {
    /// Header and claims as they were signed.
    pub(super) signed: &'t [u8],
    pub(super) algorithm: Algorithm,
    pub(super) key: Option<String>,
    claims: &'t [u8],
    pub(super) signature: Vec<u8>,
}

impl<'t> Token<'t> {
    pub(super) fn parse(text: &'t [u8]) -> Result<Token<'t>, Fault> {
        let mut parts = text.split(|&b| b == b'.');
        let (Some(header), Some(claims), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Fault::Malformed);
        };
        if header.len() > HEADER_BYTES_MAX {
            return Err(Fault::Malformed);
        }
        let header = json::object(&decode(header)?).ok_or(Fault::Malformed)?;
        if header.contains_key("crit") {
            // RFC 7515 §4.1.11: none of these is known here.
            return Err(Fault::Critical);
        }
        let key = match header.get("kid") {
            None => None,
            Some(Value::String(key)) => Some(key.clone()),
            Some(_) => return Err(Fault::Malformed),
        };
        let Some(Value::String(algorithm)) = header.get("alg") else { return Err(Fault::Malformed) };
        let algorithm = Algorithm::named(algorithm).ok_or(Fault::Algorithm)?;
        let signed = &text[..text.len() - signature.len() - 1];
        Ok(Token { signed, algorithm, key, claims, signature: decode(signature)? })
    }

    /// What it says, once it is known who said so.
    pub(super) fn claims(&self) -> Result<serde_json::Map<String, Value>, Fault> {
        json::object(&decode(self.claims)?).ok_or(Fault::Malformed)
    }
}

/// RFC 7515 §2: without padding, and with no bits left over, so that no token has two spellings.
fn decode(text: &[u8]) -> Result<Vec<u8>, Fault> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| Fault::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(lines: &[(&str, &str)]) -> Fields {
        let mut fields = Fields::default();
        lines.iter().for_each(|(name, value)| fields.push(name.as_bytes(), value.as_bytes()));
        fields
    }

    #[test]
    fn a_token_is_found_where_it_is_said_to_be_and_only_once() {
        let cookie = TokenFrom::Cookie("t".into());
        let field = TokenFrom::Field("x-t".into());
        for (from, lines, wanted) in [
            (&TokenFrom::Authorization, &[("authorization", "Bearer abc")][..], Ok("abc")),
            (&TokenFrom::Authorization, &[("authorization", "bearer  abc")], Ok("abc")),
            (&TokenFrom::Authorization, &[("authorization", "Basic abc")], Err(Fault::Missing)),
            (&TokenFrom::Authorization, &[("cookie", "t=abc")], Err(Fault::Missing)),
            (
                &TokenFrom::Authorization,
                &[("authorization", "Bearer a"), ("authorization", "Bearer a")],
                Err(Fault::Malformed),
            ),
            (&cookie, &[("cookie", "a=1; t=abc; tt=d")], Ok("abc")),
            (&cookie, &[("cookie", "t=abc"), ("cookie", "t=d")], Err(Fault::Malformed)),
            (&cookie, &[("cookie", "t=; a=b")], Err(Fault::Missing)),
            (&cookie, &[("authorization", "Bearer abc")], Err(Fault::Missing)),
            (&field, &[("X-T", "abc")], Ok("abc")),
            (&field, &[("X-T", "abc"), ("x-t", "abc")], Err(Fault::Malformed)),
            (&field, &[], Err(Fault::Missing)),
        ] {
            let fields = fields(lines);
            let found = token(&fields, from).map(|token| std::str::from_utf8(token).unwrap());
            assert_eq!(found, wanted, "{lines:?}");
        }
        let long = "x".repeat(TOKEN_BYTES_MAX + 1);
        assert_eq!(token(&fields(&[("x-t", &long)]), &field), Err(Fault::Malformed));
    }

    #[test]
    fn what_is_not_three_parts_with_a_plain_header_is_not_read() {
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let parse = |text: String| Token::parse(text.as_bytes()).map(drop);
        let with = |header: &str| parse(format!("{}.{}.{}", part(header), part("{}"), part("s")));
        assert_eq!(with(r#"{"alg":"ES256","kid":"k","typ":"JWT","jku":"https://evil.example"}"#), Ok(()));
        for (header, wanted) in [
            (r#"{"alg":"none"}"#, Fault::Algorithm),
            (r#"{"alg":"None"}"#, Fault::Algorithm),
            (r#"{"alg":"HS256"}"#, Fault::Algorithm),
            (r#"{"alg":"es256"}"#, Fault::Algorithm),
            (r#"{"alg":""}"#, Fault::Algorithm),
            (r#"{"alg":["ES256"]}"#, Fault::Malformed),
            (r#"{"alg":"none","alg":"ES256"}"#, Fault::Malformed),
            (r#"{"kid":"k"}"#, Fault::Malformed),
            (r#"{"alg":"ES256","kid":1}"#, Fault::Malformed),
            (r#"{"alg":"ES256","crit":["b64"],"b64":false}"#, Fault::Critical),
            (r#"{"alg":"ES256","crit":[]}"#, Fault::Critical),
            ("[]", Fault::Malformed),
            ("", Fault::Malformed),
        ] {
            assert_eq!(with(header), Err(wanted), "{header}");
        }
        let header = part(r#"{"alg":"ES256"}"#);
        for text in [
            String::new(),
            header.clone(),
            format!("{header}.e30"),
            format!("{header}.e30.c2ln.e30"),
            format!("{header}.e30.c2ln.a.b"),
            format!("{header}=.e30.c2ln"),
            format!(" {header}.e30.c2ln"),
            format!("{header}.e30.c2l+"),
            // `s` in another spelling.
            format!("{header}.e30.cx"),
            format!("{}.e30.c2ln", part(&format!(r#"{{"alg":"ES256","x":"{}"}}"#, "x".repeat(HEADER_BYTES_MAX)))),
        ] {
            assert_eq!(parse(text.clone()), Err(Fault::Malformed), "{text}");
        }
    }
}
