use super::source::Source;
use crate::config::{ConfigError, ConfigErrors, Place};
use std::cell::{Cell, RefCell};
use std::ops::Range;

/// Collects what is wrong while a configuration is read, so that all of it is said at once.
pub(crate) struct Report<'a> {
    pub(crate) sources: &'a [Source],
    /// Looks up environment variables.
    pub(crate) env: &'a dyn Fn(&str) -> Option<String>,
    errors: RefCell<Vec<ConfigError>>,
    more: Cell<bool>,
    warnings: RefCell<Vec<String>>,
}

/// A piece of one of the sources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct At {
    pub(crate) source: usize,
    pub(crate) span: Range<usize>,
}

/// What is wrong with a value, said by one who does not know where it stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wrong {
    message: String,
    label: String,
    help: Vec<String>,
}

impl Wrong {
    pub(crate) fn new(message: impl Into<String>) -> Wrong {
        Wrong { message: message.into(), ..Wrong::default() }
    }

    /// Shown beside the underline.
    pub(crate) fn label(mut self, label: impl Into<String>) -> Wrong {
        self.label = label.into();
        self
    }

    /// Shown below, on a line of its own.
    pub(crate) fn help(mut self, help: impl Into<String>) -> Wrong {
        self.help.push(help.into());
        self
    }

    /// "did you mean" as a label, if one of `known` is like `text`.
    pub(crate) fn suggest<'k>(self, text: &str, known: impl IntoIterator<Item = &'k str>) -> Wrong {
        match nearest(text, known) {
            Some(name) => self.label(format!("did you mean `{name}`?")),
            None => self,
        }
    }
}

impl<'a> Report<'a> {
    pub(crate) fn new(sources: &'a [Source], env: &'a dyn Fn(&str) -> Option<String>) -> Report<'a> {
        Report { sources, env, errors: RefCell::default(), more: Cell::new(false), warnings: RefCell::default() }
    }

    pub(crate) fn wrong(&self, at: &At, key: &str, wrong: Wrong) {
        let error = self.sources[at.source].error(at.span.clone(), key.to_owned(), wrong.message);
        self.push(ConfigError { label: wrong.label, help: wrong.help, ..error });
    }

    pub(crate) fn push(&self, error: ConfigError) {
        let mut errors = self.errors.borrow_mut();
        match errors.len() < ConfigErrors::MAX {
            true => errors.push(error),
            false => self.more.set(true),
        }
    }

    pub(crate) fn warn(&self, at: &At, warning: impl Into<String>) {
        let place = self.place(at);
        let warning = format!("{}:{}: {}", place.file.display(), place.line, warning.into());
        self.warnings.borrow_mut().push(warning);
    }

    pub(crate) fn place(&self, at: &At) -> Place {
        let source = &self.sources[at.source];
        Place { file: source.name.clone(), line: source.line(at.span.start) }
    }

    /// `weir.toml:12`
    pub(crate) fn shown(&self, at: &At) -> String {
        let place = self.place(at);
        format!("{}:{}", place.file.display(), place.line)
    }

    /// The errors in the order of files and lines, and the warnings.
    pub(crate) fn finish(self) -> (ConfigErrors, Vec<String>) {
        let order = |error: &ConfigError| {
            let file = self.sources.iter().position(|source| source.name == error.file);
            (file, error.line, error.column)
        };
        let mut errors = self.errors.into_inner();
        errors.sort_by_cached_key(order);
        errors.dedup();
        (ConfigErrors { errors, more: self.more.get() }, self.warnings.into_inner())
    }
}

/// The known word that `text` was likely meant to be.
pub(crate) fn nearest<'k>(text: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    if text.len() > WORD_MAX {
        return None;
    }
    let near = |name: &&'k str| {
        let distance = strsim::damerau_levenshtein(&text.to_lowercase(), &name.to_lowercase());
        (distance <= 1.max(name.chars().count() / 3)).then_some((distance, *name))
    };
    known
        .into_iter()
        .take(KNOWN_MAX)
        .filter_map(|name| near(&name))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Longer words are not compared: it takes time, and helps nobody.
const WORD_MAX: usize = 64;

/// So many known words are looked at.
const KNOWN_MAX: usize = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_found_and_far_ones_are_not() {
        let known = ["address", "protocols", "tls", "h2"];
        assert_eq!(nearest("adress", known), Some("address"));
        assert_eq!(nearest("Protocol", known), Some("protocols"));
        assert_eq!(nearest("banana", known), None);
        assert_eq!(nearest(&"a".repeat(1_000_000), known), None);
    }
}
