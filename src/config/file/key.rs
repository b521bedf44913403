//! The words with which `keys/` says what a file may hold. Readers, error texts, schema and docs all use these tables.

use super::units::{show_factor, show_integer};

/// A table of the file: a section, an inline table, or an element of an array of tables.
pub(crate) struct Spec {
    /// As in messages and docs: `[[listener]]`, `` `timeouts` of [[listener]] ``.
    pub(crate) title: &'static str,
    /// A sentence or two.
    pub(crate) doc: &'static str,
    /// In the order of the docs.
    pub(crate) keys: &'static [Key],
}

/// One key of a table.
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// What stands for it when it is left out, as it would be written in the file.
    pub(crate) default: Option<Default>,
    pub(crate) required: bool,
    pub(crate) doc: &'static str,
}

/// What stands for a key that is left out.
#[derive(Clone, Copy)]
pub(crate) enum Default {
    /// A value as it would be written, without quotes: read by the readers, shown by the docs.
    Value(&'static str),
    /// A number.
    Number(u64),
    /// Depends on something else; only the docs read it.
    Said(&'static str),
}

/// What a value may be.
pub(crate) enum Kind {
    /// `true` or `false`.
    Bool,
    /// An integer within bounds.
    Integer { min: u64, max: u64 },
    /// Text of some form, checked by a reader. Says what it is: "an address".
    Text(&'static str),
    /// One of these words; the second list is for words that a later version knows.
    Choice(&'static [&'static str], &'static [&'static str]),
    /// `"10s"`, above zero.
    Duration,
    /// `"10s"` or `"0s"`.
    DurationOrZero,
    /// `"64KiB"` within bounds of bytes.
    Size { min: u64, max: u64 },
    /// `"10%"`
    Share,
    /// `"50/s"`
    Rate,
    /// `"1MiB/s"` within bounds of bytes.
    Bandwidth { min: u64, max: u64 },
    /// `1.25`, within bounds in 1/100.
    Factor { min: u16, max: u16 },
    /// An array with at least one element.
    List(&'static Kind),
    /// An element, or an array of at least one.
    OneOrMore(&'static Kind),
    /// A table with known keys.
    Table(&'static Spec),
    /// A table whose keys the operator chooses (says what a key is), all with values of one kind.
    Map(&'static str, &'static Kind),
    /// Any of these, told apart by their TOML type.
    Either(&'static [Kind]),
}

impl Spec {
    pub(crate) fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }
}

impl Kind {
    /// The table that a value is or holds.
    pub(crate) fn spec(&'static self) -> Option<&'static Spec> {
        match self {
            Kind::Table(spec) => Some(spec),
            Kind::List(of) | Kind::OneOrMore(of) | Kind::Map(_, of) => of.spec(),
            Kind::Either(kinds) => kinds.iter().find_map(Kind::spec),
            _ => None,
        }
    }

    /// What a value should have been, for messages.
    pub(crate) fn wanted(&self) -> String {
        match self {
            Kind::Bool => "`true` or `false`".into(),
            Kind::Integer { min, max } if min == max => format!("the integer {min}"),
            Kind::Integer { min, max } => format!("an integer from {} to {}", show_integer(*min), show_integer(*max)),
            Kind::Text(what) => (*what).into(),
            Kind::Choice(words, _) => format!("one of {}", quoted(words)),
            Kind::Duration | Kind::DurationOrZero => "a duration such as \"250ms\", \"10s\", \"5m\" or \"1h\"".into(),
            Kind::Size { .. } => "a size such as \"64KiB\", \"1MiB\" or \"1GiB\"".into(),
            Kind::Share => "a share such as \"10%\"".into(),
            Kind::Rate => {
                "a rate such as \"50/s\", \"600/m\", \"1000/h\" or \"5/d\", of a million a second at most".into()
            }
            Kind::Bandwidth { .. } => "a bandwidth such as \"64KiB/s\" or \"1MiB/s\"".into(),
            Kind::Factor { min, max } => {
                format!("a number from {} to {} such as 1.25", show_factor(*min), show_factor(*max))
            }
            Kind::List(of) => format!("an array, each element {}", of.wanted()),
            Kind::OneOrMore(of) => format!("{}, or an array of such", of.wanted()),
            Kind::Table(spec) => match spec.title.starts_with('[') {
                true => format!("a table {}", spec.title),
                false => {
                    let keys: Vec<_> = spec.keys.iter().map(|key| format!("{} = …", key.name)).collect();
                    format!("a table {{ {} }}", keys.join(", "))
                }
            },
            Kind::Map(key, value) => format!("a table of {key} = {}", value.wanted()),
            Kind::Either(kinds) => kinds.iter().map(Kind::wanted).collect::<Vec<_>>().join(", or "),
        }
    }
}

/// A table and all tables in it, each once, a table's own right behind it.
pub(crate) fn inner_specs(spec: &'static Spec) -> Vec<&'static Spec> {
    fn collect(spec: &'static Spec, specs: &mut Vec<&'static Spec>) {
        if !specs.iter().any(|other| std::ptr::eq(*other, spec)) {
            specs.push(spec);
            spec.keys.iter().filter_map(|key| key.kind.spec()).for_each(|spec| collect(spec, specs));
        }
    }
    let mut specs = Vec::new();
    collect(spec, &mut specs);
    specs
}

/// `"a", "b"`
pub(crate) fn quoted(words: &[&str]) -> String {
    words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", ")
}

/// A key that must be there.
pub(crate) const fn required(name: &'static str, kind: Kind, doc: &'static str) -> Key {
    Key { name, kind, default: None, required: true, doc }
}

/// A key without which something is simply not done.
pub(crate) const fn optional(name: &'static str, kind: Kind, doc: &'static str) -> Key {
    Key { name, kind, default: None, required: false, doc }
}

/// A key with a default.
pub(crate) const fn key(name: &'static str, kind: Kind, default: Default, doc: &'static str) -> Key {
    Key { name, kind, default: Some(default), required: false, doc }
}
