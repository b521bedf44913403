use std::borrow::Cow;

/// Why a text could not be expanded.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unexpanded<'t> {
    /// No variable of that name is set.
    Unset(&'t str),
    /// `${` that is not followed by a name and `}`.
    Malformed,
}

/// Replaces each `${NAME}` by the variable of that name, and `$${` by `${`.
pub(crate) fn expand<'t>(text: &'t str, env: &dyn Fn(&str) -> Option<String>) -> Result<Cow<'t, str>, Unexpanded<'t>> {
    if !text.contains("${") {
        return Ok(Cow::Borrowed(text));
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        if rest[..at].ends_with('$') {
            out.push_str(&rest[..at]);
            out.push('{');
            rest = &rest[at + 2..];
            continue;
        }
        out.push_str(&rest[..at]);
        let inner = &rest[at + 2..];
        let name = inner.find('}').map(|end| &inner[..end]).filter(|name| is_name(name));
        let name = name.ok_or(Unexpanded::Malformed)?;
        out.push_str(&env(name).ok_or(Unexpanded::Unset(name))?);
        rest = &inner[name.len() + 1..];
    }
    out.push_str(rest);
    Ok(Cow::Owned(out))
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(name: &str) -> Option<String> {
        (name == "HOME").then(|| "/root${X}".to_owned())
    }

    #[test]
    fn names_are_replaced_once_and_a_doubled_dollar_is_kept_single() {
        assert_eq!(expand("a${HOME}b${HOME}", &env).as_deref(), Ok("a/root${X}b/root${X}"));
        assert_eq!(expand("$${HOME} $5 $", &env).as_deref(), Ok("${HOME} $5 $"));
        assert_eq!(expand("plain", &env).as_deref(), Ok("plain"));
    }

    #[test]
    fn unset_names_and_malformed_braces_are_told_apart() {
        assert_eq!(expand("${NOPE}", &env), Err(Unexpanded::Unset("NOPE")));
        for bad in ["${", "${}", "${1}", "${a b}", "x${HOME"] {
            assert_eq!(expand(bad, &env), Err(Unexpanded::Malformed), "{bad}");
        }
    }
}
