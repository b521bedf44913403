use super::{FieldName, Fields};

/// The pairs of all Cookie fields, `name=value` each (RFC 6265 §4.2.1).
pub fn cookie_pairs(fields: &Fields) -> impl Iterator<Item = &[u8]> {
    fields.all(FieldName::Cookie).flat_map(pairs)
}

/// The value of the first cookie of that name.
#[must_use]
pub fn cookie<'a>(fields: &'a Fields, name: &str) -> Option<&'a [u8]> {
    cookie_pairs(fields).find_map(|pair| pair.strip_prefix(name.as_bytes())?.strip_prefix(b"="))
}

fn pairs(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&b| b == b';').map(<[u8]>::trim_ascii).filter(|pair| !pair.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_found_in_any_field_by_their_whole_name() {
        let mut fields = Fields::default();
        fields.push(b"cookie", b"a=1; bb=2;;  c = 3");
        fields.push(b"cookie", b"d=4=5; a=6");
        let of = |name| cookie(&fields, name).map(|value| String::from_utf8_lossy(value).into_owned());
        assert_eq!(of("a").as_deref(), Some("1"));
        assert_eq!(of("bb").as_deref(), Some("2"));
        assert_eq!(of("d").as_deref(), Some("4=5"));
        assert_eq!((of("b"), of("c"), of("")), (None, None, None));
    }
}
