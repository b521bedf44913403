use super::key::{Default, Key, Spec};
use super::node::Node;
use super::report::{At, Wrong};
use super::units;
use std::borrow::Cow;
use std::time::Duration;

/// A table of the file together with what it may hold. Values left out, or of a wrong shape (which the shape check has
/// said), read as their defaults.
pub(crate) struct Table<'a> {
    pub(crate) node: Node<'a>,
    spec: &'static Spec,
}

impl<'a> Table<'a> {
    pub(crate) fn new(node: Node<'a>, spec: &'static Spec) -> Table<'a> {
        Table { node, spec }
    }

    /// Whether the key is written at all.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Whether all keys that are written are known.
    pub(crate) fn all_known(&self) -> bool {
        self.node.entries().iter().all(|(name, ..)| self.spec.key(name).is_some())
    }

    /// The value of a key.
    pub(crate) fn get(&self, name: &str) -> Option<Node<'a>> {
        debug_assert!(self.spec.key(name).is_some(), "{name} is not a key of {}", self.spec.title);
        let value = self.node.value.as_table()?.get(name)?;
        Some(Node::new(self.node.report, self.node.at.source, super::node::join(&self.node.path, name), value))
    }

    /// A table within this one.
    pub(crate) fn table(&self, name: &str) -> Option<Table<'a>> {
        let node = self.get(name).filter(|node| node.value.is_table())?;
        let spec = self.key(name).kind.spec()?;
        Some(Table { node, spec })
    }

    /// A table within this one, or an empty one: every key of it reads as its default.
    pub(crate) fn table_or_empty(&self, name: &str) -> Table<'a> {
        let spec = self.key(name).kind.spec().expect("only keys of tables are asked for tables");
        self.table(name).unwrap_or_else(|| Table { node: Node { value: &EMPTY, ..self.node.clone() }, spec })
    }

    /// The tables of an array of tables.
    pub(crate) fn tables(&self, name: &str) -> Vec<Table<'a>> {
        let Some(spec) = self.key(name).kind.spec() else { return Vec::new() };
        let tables = self.elements(name).into_iter().filter(|node| node.value.is_table());
        tables.map(|node| Table { node, spec }).collect()
    }

    /// The tables `[name.KEY]`, with where the key stands.
    pub(crate) fn named(&self, name: &str) -> Vec<(&'a str, At, Table<'a>)> {
        let (Some(spec), Some(node)) = (self.key(name).kind.spec(), self.get(name)) else { return Vec::new() };
        let tables = node.entries().into_iter().filter(|(_, _, node)| node.value.is_table());
        tables.map(|(key, at, node)| (key, at, Table { node, spec })).collect()
    }

    /// The elements of an array, or the one value; none if the key is not there.
    pub(crate) fn elements(&self, name: &str) -> Vec<Node<'a>> {
        self.get(name).map(|node| node.elements()).unwrap_or_default()
    }

    /// The elements that parse; what is wrong with the others is recorded.
    pub(crate) fn parse_all<T>(&self, name: &str, parse: impl Fn(&str) -> Result<T, Wrong>) -> Vec<T> {
        self.elements(name).iter().filter_map(|node| node.parse(&parse)).collect()
    }

    /// A string, if it is there.
    pub(crate) fn text(&self, name: &str) -> Option<Cow<'a, str>> {
        self.get(name)?.text()
    }

    /// A string or its default.
    pub(crate) fn text_or_default(&self, name: &str) -> Cow<'a, str> {
        self.text(name).unwrap_or_else(|| Cow::Borrowed(self.default_text(name)))
    }

    /// A duration or its default.
    pub(crate) fn duration(&self, name: &str) -> Duration {
        let default = || units::duration(self.default_text(name)).expect("defaults are durations: a test reads them");
        self.duration_if_any(name).unwrap_or_else(default)
    }

    pub(crate) fn duration_if_any(&self, name: &str) -> Option<Duration> {
        units::duration(&self.text(name)?)
    }

    /// Bytes, or their default.
    pub(crate) fn size(&self, name: &str) -> u64 {
        let default = || units::size(self.default_text(name)).expect("defaults are sizes: a test reads them");
        self.size_if_any(name).unwrap_or_else(default)
    }

    pub(crate) fn size_if_any(&self, name: &str) -> Option<u64> {
        units::size(&self.text(name)?)
    }

    /// A share or its default, in 1/10,000.
    pub(crate) fn share(&self, name: &str) -> u16 {
        let default = || units::share(self.default_text(name)).expect("defaults are shares: a test reads them");
        self.share_if_any(name).unwrap_or_else(default)
    }

    pub(crate) fn share_if_any(&self, name: &str) -> Option<u16> {
        units::share(&self.text(name)?)
    }

    /// A number or its default, in 1/100.
    pub(crate) fn factor(&self, name: &str) -> u16 {
        let default = || units::factor(self.default_text(name)).expect("defaults are factors: a test reads them");
        self.get(name).and_then(|node| node.factor()).unwrap_or_else(default)
    }

    /// An integer, if it is there.
    pub(crate) fn integer_if_any<T: TryFrom<u64>>(&self, name: &str) -> Option<T> {
        self.get(name).and_then(|node| node.integer()).and_then(|n| T::try_from(n).ok())
    }

    /// An integer or its default, which fits `T` as long as the bounds of the key do.
    pub(crate) fn integer<T: TryFrom<u64>>(&self, name: &str) -> T {
        self.integer_if_any(name).unwrap_or_else(|| match self.key(name).default {
            Some(Default::Number(n)) => T::try_from(n).ok().expect("defaults fit: a test reads them"),
            _ => unreachable!("{name} has no number as its default: a test reads them"),
        })
    }

    /// A boolean or its default.
    pub(crate) fn boolean(&self, name: &str) -> bool {
        let written = self.get(name).and_then(|node| node.value.as_bool());
        written.unwrap_or_else(|| self.default_text(name) == "true")
    }

    fn default_text(&self, name: &str) -> &'static str {
        match self.key(name).default {
            Some(Default::Value(text)) => text,
            _ => unreachable!("{name} has no text as its default: a test reads them"),
        }
    }

    fn key(&self, name: &str) -> &'static Key {
        self.spec.key(name).expect("readers ask for known keys: a test reads all of them")
    }
}

/// Stands for a table that is not there.
static EMPTY: toml::de::DeValue<'static> = toml::de::DeValue::Boolean(false);
