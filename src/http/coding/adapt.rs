use super::Coding;
use crate::http::{FieldName, Fields, weakened};

/// Makes the fields of a response those of its encoded form. For a response that [`compressible`](super::compressible)
/// lets pass; HEAD gets the same (RFC 9110 §9.3.2).
///
/// - Content-Encoding names the coding; Content-Length goes, the codec frames what comes.
/// - A strong ETag becomes weak. RFC 9110 §8.8.1 wants a strong one to change with every byte, and §8.8.3.3 wants two
///   codings not to share one; our bytes also depend on where a stream was flushed and on the encoder's version, so no
///   strong one of our own would be true. A weak one still validates: If-None-Match compares weakly (§13.1.2), and
///   what the client sends back matches the backend's own tag. If-Match and If-Range compare strongly: they fail, and
///   give 412 or the whole, which is safe.
/// - Accept-Ranges goes: bytes of the encoded form cannot be asked for. Digests of the encoded or representation bytes
///   go, since a coding changes both (RFC 9530 §2 and §3; Content-MD5 and Digest are their forerunners).
/// - Vary names Accept-Encoding, see [`vary`].
pub fn adapt(response: &mut Fields, coding: Coding) {
    response.set(FieldName::ContentEncoding, coding.name().as_bytes());
    response.remove(FieldName::ContentLength);
    adapt_trailers(response);
    vary(response);
}

/// Removes or weakens what an encoded form cannot say, wherever it stands: also trailers hold digests and ETag.
pub fn adapt_trailers(fields: &mut Fields) {
    GONE.iter().for_each(|name| fields.remove_named(name));
    weaken(fields);
}

/// Says that other clients get another form (RFC 9110 §12.5.5): also belongs to a compressible response that this
/// client gets as it is.
pub fn vary(response: &mut Fields) {
    if !says_vary(response) {
        response.push_member(FieldName::Vary, &[b"Accept-Encoding"]);
    }
}

/// Fits a 304 to the form that the client holds: if it asked with the weak tag that [`adapt`] gave it, the answer must
/// say the same (RFC 9110 §15.4.5), for a strong tag that it does not know freshens nothing (RFC 9111 §4.3.4).
pub fn adapt_not_modified(response: &mut Fields, request: &Fields) {
    let Some(tag) = response.get(FieldName::ETag).filter(|tag| tag.starts_with(b"\"")) else { return };
    // A comma within a tag splits it: then nothing is found, and nothing is changed.
    let holds_weak =
        request.members(FieldName::IfNoneMatch).any(|held| held.strip_prefix(b"W/").is_some_and(|held| held == tag));
    let holds_strong = request.members(FieldName::IfNoneMatch).any(|held| held == tag);
    if holds_weak && !holds_strong {
        weaken(response);
        vary(response);
    }
}

/// Whether [`vary`] would add nothing.
#[must_use]
pub fn says_vary(response: &Fields) -> bool {
    let is_said = |member: &[u8]| member == b"*" || member.eq_ignore_ascii_case(b"accept-encoding");
    response.members(FieldName::Vary).any(is_said)
}

fn weaken(fields: &mut Fields) {
    let Some(strong) = fields.get(FieldName::ETag).filter(|tag| tag.starts_with(b"\"")) else { return };
    let weak = weakened(strong);
    fields.set(FieldName::ETag, &weak);
}

const GONE: [&[u8]; 5] = [b"accept-ranges", b"content-digest", b"repr-digest", b"content-md5", b"digest"];

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(lines: &[(&str, &str)]) -> Fields {
        let mut fields = Fields::default();
        lines.iter().for_each(|(name, value)| fields.push(name.as_bytes(), value.as_bytes()));
        fields
    }

    fn sorted(fields: &Fields) -> Vec<(String, String)> {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let mut lines: Vec<_> =
            fields.iter().map(|(_, name, value)| (text(name).to_lowercase(), text(value))).collect();
        lines.sort();
        lines
    }

    #[test]
    fn an_encoded_form_says_its_coding_and_nothing_that_it_is_not() {
        let mut response = fields(&[
            ("Content-Type", "text/html"),
            ("Content-Encoding", "identity"),
            ("Content-Length", "1000"),
            ("ETag", "\"abc\""),
            ("Accept-Ranges", "bytes"),
            ("Vary", "Cookie"),
            ("Content-MD5", "x"),
            ("Digest", "sha-256=x"),
            ("Content-Digest", "sha-256=:x:"),
            ("Repr-Digest", "sha-256=:x:"),
            ("Cache-Control", "max-age=60"),
        ]);
        adapt(&mut response, Coding::Br);
        let expected = fields(&[
            ("cache-control", "max-age=60"),
            ("content-encoding", "br"),
            ("content-type", "text/html"),
            ("etag", "W/\"abc\""),
            ("vary", "Cookie, Accept-Encoding"),
        ]);
        assert_eq!(sorted(&response), sorted(&expected));
    }

    #[test]
    fn vary_is_said_once_and_a_star_says_it_too() {
        for (before, after) in
            [("accept-encoding", "accept-encoding"), ("*", "*"), ("a, Accept-ENCODING", "a, Accept-ENCODING")]
        {
            let mut response = fields(&[("Vary", before)]);
            vary(&mut response);
            assert_eq!(response.get(FieldName::Vary), Some(after.as_bytes()));
        }
        let mut response = Fields::default();
        vary(&mut response);
        assert_eq!(response.get(FieldName::Vary), Some(&b"Accept-Encoding"[..]));
    }

    #[test]
    fn a_weak_tag_and_a_broken_one_stay_as_they_are() {
        for tag in ["W/\"abc\"", "abc", ""] {
            let mut response = fields(&[("ETag", tag)]);
            adapt(&mut response, Coding::Gzip);
            assert_eq!(response.get(FieldName::ETag), Some(tag.as_bytes()));
        }
    }

    #[test]
    fn a_304_repeats_the_tag_that_the_client_holds() {
        for (asked, said) in [
            ("W/\"a\"", "W/\"a\""),
            ("\"b\", W/\"a\"", "W/\"a\""),
            ("\"a\"", "\"a\""),
            ("W/\"a\", \"a\"", "\"a\""),
            ("*", "\"a\""),
            ("W/\"b\"", "\"a\""),
        ] {
            let mut response = fields(&[("ETag", "\"a\"")]);
            adapt_not_modified(&mut response, &fields(&[("If-None-Match", asked)]));
            assert_eq!(response.get(FieldName::ETag), Some(said.as_bytes()), "{asked}");
            assert_eq!(response.has(FieldName::Vary), said.starts_with('W'));
        }
    }
}
