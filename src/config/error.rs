use std::fmt::{self, Write as _};
use std::path::PathBuf;

/// Everything that is wrong with a configuration, in the order of the files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfigErrors {
    /// At least one.
    pub errors: Vec<ConfigError>,
    /// More were found than are kept (see [`ConfigErrors::MAX`]).
    pub more: bool,
}

/// One thing that is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The file as the operator named it, or as `include` found it.
    pub file: PathBuf,
    /// Counted from 1; 0 if it concerns the file as a whole.
    pub line: usize,
    /// In characters, counted from 1; 0 if it concerns the file as a whole.
    pub column: usize,
    /// The key, such as `listener[0].timeouts.head`; may be empty.
    pub key: String,
    /// What is wrong.
    pub message: String,
    /// What to write instead, if it fits beside the underline.
    pub label: String,
    /// What is allowed, and what else helps.
    pub help: Vec<String>,
    /// The line as it stands in the file, cut to a readable piece.
    pub excerpt: Excerpt,
}

/// The piece of a line that is shown under a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Excerpt {
    /// Without line end, control characters replaced.
    pub text: String,
    /// Characters before the underline.
    pub indent: usize,
    /// Characters underlined; 0 if there is no line to show.
    pub width: usize,
}

impl ConfigErrors {
    /// So many errors are kept; a file with more is not read to its end by anybody.
    pub const MAX: usize = 100;

    /// For `weir check --json`: an array of objects with `file`, `line`, `column`, `key`, `message` and `help`.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        self.errors.iter().map(ConfigError::to_json).collect()
    }
}

impl ConfigError {
    /// An error about a file as a whole.
    pub(crate) fn of_file(file: PathBuf, message: String) -> ConfigError {
        ConfigError {
            file,
            line: 0,
            column: 0,
            key: String::new(),
            message,
            label: String::new(),
            help: Vec::new(),
            excerpt: Excerpt::default(),
        }
    }

    fn to_json(&self) -> serde_json::Value {
        let label = (!self.label.is_empty()).then_some(&self.label);
        serde_json::json!({
            "file": self.file.display().to_string(),
            "line": self.line,
            "column": self.column,
            "key": self.key,
            "message": self.message,
            "help": label.into_iter().chain(&self.help).collect::<Vec<_>>(),
        })
    }
}

impl std::error::Error for ConfigErrors {}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for error in &self.errors {
            writeln!(f, "{error}")?;
        }
        match (self.errors.len(), self.more) {
            (_, true) => write!(f, "more than {} errors; the rest is not shown", self.errors.len()),
            (1, _) => f.write_str("1 error"),
            (n, _) => write!(f, "{n} errors"),
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "error: {}", Shown(&self.message))?;
        let gutter = if self.line == 0 { 1 } else { self.line.to_string().len() + 1 };
        if self.line == 0 {
            writeln!(f, "{:gutter$}--> {}", "", Shown(self.file.display()))?;
        } else {
            writeln!(f, "{:gutter$}--> {}:{}:{}", "", Shown(self.file.display()), self.line, self.column)?;
        }
        if self.excerpt.width > 0 {
            let Excerpt { text, indent, width } = &self.excerpt;
            writeln!(f, "{:gutter$} |", "")?;
            writeln!(f, " {} | {text}", self.line)?;
            let label = if self.label.is_empty() { String::new() } else { format!(" {}", Shown(&self.label)) };
            writeln!(f, "{:gutter$} | {:indent$}{:^<width$}{label}", "", "", "")?;
        }
        for help in &self.help {
            writeln!(f, "{:gutter$} = {}", "", Shown(help))?;
        }
        Ok(())
    }
}

/// Text that a file or a name may have had a part in, without control characters: a terminal would obey them.
pub(crate) struct Shown<T>(pub(crate) T);

impl<T: fmt::Display> fmt::Display for Shown<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaping(f), "{}", self.0)
    }
}

/// Writes control characters as a string literal would.
struct Escaping<'a, 'b>(&'a mut fmt::Formatter<'b>);

impl fmt::Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for piece in text.split_inclusive(char::is_control) {
            match piece.chars().next_back() {
                Some(last) if last.is_control() => {
                    write!(self.0, "{}{}", &piece[..piece.len() - last.len_utf8()], last.escape_default())?;
                }
                _ => self.0.write_str(piece)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_shown_as_an_escape() {
        assert_eq!(Shown("plain é").to_string(), "plain é");
        assert_eq!(Shown("a\0b\x1b[2J\n\u{9b}").to_string(), "a\\u{0}b\\u{1b}[2J\\n\\u{9b}");
        let error = ConfigError {
            label: "x\ty".into(),
            help: vec!["\r".into()],
            ..ConfigError::of_file("a\nb".into(), "c\0".into())
        };
        assert_eq!(error.to_string(), "error: c\\u{0}\n --> a\\nb\n  = \\r\n");
    }
}
