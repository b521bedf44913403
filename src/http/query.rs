//! Components of a query, as forms write them (application/x-www-form-urlencoded, WHATWG URL §5.1).

/// The bytes that a name or a value of a query stands for: without its escapes, `+` for a space; a broken escape stands for
/// itself.
pub fn decoded(raw: &[u8]) -> impl Iterator<Item = u8> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        let byte = *raw.get(at)?;
        let digit = |offset: usize| raw.get(at + offset).and_then(|&b| char::from(b).to_digit(16));
        let (byte, step) = match (byte, digit(1), digit(2)) {
            (b'%', Some(high), Some(low)) => ((high << 4 | low) as u8, 3),
            (b'+', ..) => (b' ', 1),
            _ => (byte, 1),
        };
        at += step;
        Some(byte)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_undone_and_what_is_none_stands_for_itself() {
        for (raw, expected) in [
            ("", ""),
            ("a", "a"),
            ("%61+%2b", "a +"),
            ("%zz%4", "%zz%4"),
            ("%", "%"),
            ("%C3%A4", "ä"),
            ("a%+b", "a% b"),
        ] {
            assert_eq!(decoded(raw.as_bytes()).collect::<Vec<_>>(), expected.as_bytes(), "{raw}");
        }
    }
}
