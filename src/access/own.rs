use crate::http::{FieldName, Fields, OPTIONS_MAX, is_alike};

/// The request fields by which Weir tells backends of an outcome. What a client says in them must reach no backend: it
/// would be somebody else by writing so.
///
/// `X_User` is taken for `X-User`, as CGI-like backends cannot tell them apart. Fields with a meaning of their own
/// (Authorization, Cookie) are none of these: clients may send them, and they are replaced where an access sets them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Own {
    /// In lower case, `_` as `-`; each once.
    names: Vec<Box<[u8]>>,
}

impl Own {
    /// Of names in lower case.
    #[must_use]
    pub fn of<'a>(names: impl Iterator<Item = &'a str>) -> Own {
        let is_other = |name: &&str| FieldName::of(name.as_bytes()) == FieldName::Other;
        let mut names: Vec<_> = names.filter(is_other).map(|name| name.replace('_', "-").into_bytes().into()).collect();
        names.sort_unstable();
        names.dedup();
        Own { names }
    }

    /// There are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Removes them from what a client sent.
    pub fn strip(&self, fields: &mut Fields) {
        if !self.is_empty() && fields.iter().any(|(known, name, _)| self.has(known, name)) {
            fields.retain(|known, name, _| !self.has(known, name));
        }
    }

    /// A copy without them.
    #[must_use]
    pub fn stripped(&self, fields: &Fields) -> Fields {
        let mut fields = fields.clone();
        self.strip(&mut fields);
        fields
    }

    /// Whether Connection names one of them: it would be taken away again after it was set (RFC 9110 §7.6.1).
    #[must_use]
    pub fn is_named_by_connection(&self, fields: &Fields) -> bool {
        let mut options = fields.members(FieldName::Connection).take(OPTIONS_MAX);
        !self.is_empty() && options.any(|option| self.has(FieldName::of(option), option))
    }

    /// Whether a field of that name is one of them.
    #[must_use]
    pub fn has_named(&self, name: &[u8]) -> bool {
        self.has(FieldName::of(name), name)
    }

    fn has(&self, known: FieldName, name: &[u8]) -> bool {
        known == FieldName::Other && self.names.iter().any(|own| is_alike(own, name))
    }
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
    fn no_spelling_of_an_own_field_is_left() {
        let own = Own::of(["x-user", "x_roles", "authorization"].into_iter());
        let mut sent = fields(&[
            ("X-User", "a"),
            ("x_user", "a"),
            ("X-USER", "b"),
            ("X_Roles", "c"),
            ("x-roles", "c"),
            ("x-users", "kept"),
            ("Authorization", "kept"),
        ]);
        own.strip(&mut sent);
        let left: Vec<_> = sent.iter().map(|(_, name, _)| String::from_utf8(name.to_vec()).unwrap()).collect();
        assert_eq!(left, ["x-users", "Authorization"]);
    }

    #[test]
    fn connection_that_names_one_is_seen() {
        let own = Own::of(["x-user"].into_iter());
        assert!(own.is_named_by_connection(&fields(&[("connection", "close"), ("Connection", "a, X-User")])));
        assert!(!own.is_named_by_connection(&fields(&[("connection", "close, x-users"), ("x-user", "a")])));
        assert!(!Own::default().is_named_by_connection(&fields(&[("connection", "x-user")])));
    }
}
