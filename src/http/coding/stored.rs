use super::{Coding, Effort, Rules, adapt, compressible, encode_whole};
use crate::http::Fields;

/// The encoded form of a whole response, to be kept beside it: its fields, without Content-Length, and its content.
/// None if it may not have one, or if that saves nothing.
///
/// Takes as long as [`encode_whole`] does.
#[must_use]
pub fn encoded_form(
    status: u16,
    response: &Fields,
    content: &[u8],
    coding: Coding,
    rules: &Rules,
) -> Option<(Fields, Vec<u8>)> {
    if !compressible(status, response, Some(content.len() as u64), rules) {
        return None;
    }
    let encoded = encode_whole(coding, Effort::Stored, content);
    if encoded.len() >= content.len() {
        return None;
    }
    let mut fields = response.clone();
    adapt(&mut fields, coding);
    Some((fields, encoded))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::FieldName;

    #[test]
    fn a_form_is_kept_only_where_it_is_allowed_and_smaller() {
        let mut html = Fields::default();
        html.push(b"Content-Type", b"text/html");
        let (text, rules) = (b"<p>hello</p>".repeat(100), Rules::default());
        let (fields, content) = encoded_form(200, &html, &text, Coding::Zstd, &rules).unwrap();
        assert_eq!(fields.get(FieldName::ContentEncoding), Some(&b"zstd"[..]));
        assert!(content.len() < 100);
        assert!(encoded_form(206, &html, &text, Coding::Zstd, &rules).is_none());
        let mut state = 7u64;
        let mut byte = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        };
        let noise: Vec<u8> = (0..2_000).map(|_| byte()).collect();
        assert!(encoded_form(200, &html, &noise, Coding::Gzip, &rules).is_none());
    }
}
