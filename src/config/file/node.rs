use super::env::{Unexpanded, expand};
use super::report::{At, Report, Wrong};
use crate::config::Place;
use std::borrow::Cow;
use std::path::PathBuf;
use toml::Spanned;
use toml::de::DeValue;

/// A value of the file, knowing where it stands.
#[derive(Clone)]
pub(crate) struct Node<'a> {
    pub(crate) report: &'a Report<'a>,
    pub(crate) at: At,
    /// As in `listener[0].timeouts.head`.
    pub(crate) path: String,
    pub(crate) value: &'a DeValue<'a>,
}

impl<'a> Node<'a> {
    pub(crate) fn new(
        report: &'a Report<'a>,
        source: usize,
        path: String,
        value: &'a Spanned<DeValue<'a>>,
    ) -> Node<'a> {
        Node { report, at: At { source, span: value.span() }, path, value: value.get_ref() }
    }

    /// Records an error here.
    pub(crate) fn wrong(&self, wrong: Wrong) {
        self.report.wrong(&self.at, &self.path, wrong);
    }

    pub(crate) fn place(&self) -> Place {
        self.report.place(&self.at)
    }

    /// A string with variables replaced; `None` if it is no string or does not expand, which the shape check has said.
    pub(crate) fn text(&self) -> Option<Cow<'a, str>> {
        expand(self.value.as_str()?, self.report.env).ok()
    }

    /// The string as it is written, for messages: what comes from the environment may be a secret.
    pub(crate) fn raw(&self) -> &'a str {
        self.value.as_str().unwrap_or_default()
    }

    /// A string, turned into something else; what is wrong with it is recorded.
    pub(crate) fn parse<T>(&self, parse: impl FnOnce(&str) -> Result<T, Wrong>) -> Option<T> {
        let parsed = parse(&self.text()?);
        let wrong = |wrong: Wrong| match self.raw().contains("${") {
            // A suggestion would repeat what the environment holds.
            true => self.wrong(wrong.label("")),
            false => self.wrong(wrong),
        };
        parsed.map_err(wrong).ok()
    }

    pub(crate) fn integer(&self) -> Option<u64> {
        let integer = self.value.as_integer()?;
        u64::from_str_radix(integer.as_str(), integer.radix()).ok()
    }

    /// A number in 1/100.
    pub(crate) fn factor(&self) -> Option<u16> {
        match self.value {
            DeValue::Float(float) => super::units::factor(float.as_str()),
            _ => u16::try_from(self.integer()?).ok()?.checked_mul(100),
        }
    }

    /// The elements of an array, or the value itself.
    pub(crate) fn elements(&self) -> Vec<Node<'a>> {
        let Some(array) = self.value.as_array() else { return vec![self.clone()] };
        let element = |(i, value)| Node::new(self.report, self.at.source, format!("{}[{i}]", self.path), value);
        array.iter().enumerate().map(element).collect()
    }

    /// The keys of a table and what they stand for, each as a node: `(key, value)`.
    pub(crate) fn entries(&self) -> Vec<(&'a str, At, Node<'a>)> {
        let Some(table) = self.value.as_table() else { return Vec::new() };
        let entry = |(key, value): (&'a Spanned<Cow<'a, str>>, &'a Spanned<DeValue<'a>>)| {
            let name: &'a str = key.get_ref();
            let at = At { source: self.at.source, span: key.span() };
            (name, at, Node::new(self.report, self.at.source, join(&self.path, name), value))
        };
        table.iter().map(entry).collect()
    }

    /// A path, joined to the directory of the file that says it.
    pub(crate) fn file_path(&self) -> Option<PathBuf> {
        self.parse(|text| match text {
            "" => Err(Wrong::new("a path cannot be empty")),
            text if text.contains('\0') => Err(Wrong::new("a path cannot hold a NUL")),
            text => Ok(self.report.sources[self.at.source].dir.join(text)),
        })
    }

    /// What is wrong with the variables of a string, if anything.
    pub(crate) fn check_variables(&self) {
        let wrong = match expand(self.raw(), self.report.env) {
            Ok(_) => return,
            Err(Unexpanded::Unset(name)) => Wrong::new(format!("the environment has no variable `{name}`")),
            Err(Unexpanded::Malformed) => Wrong::new("`${` is not followed by the name of a variable and `}`"),
        };
        self.wrong(wrong.help("`$${` stands for `${` as it is"));
    }
}

/// `a.b`, quoted where it must be.
pub(crate) fn join(path: &str, name: &str) -> String {
    let bare = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    match (path.is_empty(), bare) {
        (true, true) => name.to_owned(),
        (true, false) => format!("{name:?}"),
        (false, true) => format!("{path}.{name}"),
        (false, false) => format!("{path}.{name:?}"),
    }
}
