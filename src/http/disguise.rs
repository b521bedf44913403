//! Names of fields as backends read them that get them as variables, where `_` and `-` are one (RFC 3875 §4.1.18).

/// Whether `name` is `plain`, which is in lower case and has no `_`, to such a backend.
#[must_use]
pub fn is_alike(plain: &[u8], name: &[u8]) -> bool {
    plain.len() == name.len() && begins_alike(plain, name)
}

/// Whether `name` begins with `plain` to such a backend.
#[must_use]
pub fn begins_alike(plain: &[u8], name: &[u8]) -> bool {
    let as_read = |b: &u8| if *b == b'_' { b'-' } else { b.to_ascii_lowercase() };
    plain.len() <= name.len() && plain.iter().zip(name).all(|(plain, b)| *plain == as_read(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_case_nor_underscores_hide_a_name() {
        for (name, is, begins) in [
            ("x-a-b", true, true),
            ("X_A-b", true, true),
            ("x_a_b", true, true),
            ("x-a-b-c", false, true),
            ("x-a", false, false),
            ("xxa-b", false, false),
            ("", false, false),
        ] {
            assert_eq!(is_alike(b"x-a-b", name.as_bytes()), is, "{name}");
            assert_eq!(begins_alike(b"x-a-b", name.as_bytes()), begins, "{name}");
        }
    }
}
