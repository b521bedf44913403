use super::format::Item;
use crate::http::is_token;
use std::fmt;

/// A line with placeholders, read once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(pub(super) Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Literal(Vec<u8>),
    Item(Item),
    /// `{request.FIELD}`, in lower case.
    Request(Vec<u8>),
    /// `{response.FIELD}`, in lower case.
    Response(Vec<u8>),
}

/// What is wrong with a template; the numbers are offsets in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TemplateError {
    /// `{name}` with a name that is not in [`crate::config::AccessFormat::PLACEHOLDERS`].
    Unknown {
        /// Where its brace opens.
        at: usize,
        /// The name.
        name: String,
    },
    /// A brace that no other matches; `{{` and `}}` write braces.
    Brace {
        /// Where it is.
        at: usize,
    },
}

impl Template {
    /// Reads a template: text, `{name}`, `{request.FIELD}`, `{response.FIELD}`, and `{{` and `}}` for braces.
    ///
    /// # Errors
    /// A placeholder is not known, or a brace stands alone.
    pub fn compile(text: &str) -> Result<Template, TemplateError> {
        let mut parts = Vec::new();
        let mut literal = Vec::new();
        let mut at = 0;
        while let Some(found) = text[at..].find(['{', '}']) {
            let brace = at + found;
            literal.extend_from_slice(&text.as_bytes()[at..brace]);
            let rest = &text[brace..];
            if rest.starts_with("{{") || rest.starts_with("}}") {
                literal.push(text.as_bytes()[brace]);
                at = brace + 2;
                continue;
            }
            // Braces inside of a placeholder are no part of any name.
            let end = rest[1..].find(['{', '}']).map(|end| end + 1);
            let end = end.filter(|&end| rest.starts_with('{') && rest[end..].starts_with('}'));
            let end = end.ok_or(TemplateError::Brace { at: brace })?;
            if !literal.is_empty() {
                parts.push(Part::Literal(std::mem::take(&mut literal)));
            }
            parts.push(placeholder(&rest[1..end], brace)?);
            at = brace + end + 1;
        }
        literal.extend_from_slice(&text.as_bytes()[at..]);
        if !literal.is_empty() {
            parts.push(Part::Literal(literal));
        }
        Ok(Template(parts))
    }
}

fn placeholder(name: &str, at: usize) -> Result<Part, TemplateError> {
    let field = |prefix| {
        name.strip_prefix(prefix).filter(|field| is_token(field.as_bytes())).map(|f| f.to_ascii_lowercase().into())
    };
    let part = Item::named(name).map(Part::Item);
    let part = part.or_else(|| field("request.").map(Part::Request)).or_else(|| field("response.").map(Part::Response));
    part.ok_or_else(|| TemplateError::Unknown { at, name: name.to_owned() })
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TemplateError::Unknown { name, .. } => write!(f, "unknown placeholder {{{name}}}"),
            TemplateError::Brace { .. } => {
                f.write_str("a brace without its other; {{ and }} write braces that are meant")
            }
        }
    }
}

impl std::error::Error for TemplateError {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn text_and_placeholders_alternate() {
        assert_eq!(
            Template::compile("a {{x}} {status}{request.User-Agent}").unwrap().0,
            [Part::Literal(b"a {x} ".to_vec()), Part::Item(Item::Status), Part::Request(b"user-agent".to_vec())]
        );
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        for (text, error) in [
            ("ab{statsu}", TemplateError::Unknown { at: 2, name: "statsu".into() }),
            ("{}", TemplateError::Unknown { at: 0, name: String::new() }),
            ("{request.}", TemplateError::Unknown { at: 0, name: "request.".into() }),
            ("{request.a b}", TemplateError::Unknown { at: 0, name: "request.a b".into() }),
            ("a}", TemplateError::Brace { at: 1 }),
            ("{status", TemplateError::Brace { at: 0 }),
            ("{sta{tus}", TemplateError::Brace { at: 0 }),
        ] {
            assert_eq!(Template::compile(text).unwrap_err(), error, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[{}a-z.é]{0,20}") {
            let _ = Template::compile(&text);
        }
    }
}
