use crate::config::error::{ConfigError, Excerpt};
use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// A file of the configuration: its name, its text, and where its lines start.
pub(crate) struct Source {
    /// As the operator named it, or as `include` found it.
    pub(crate) name: PathBuf,
    /// What relative paths in it are relative to.
    pub(crate) dir: PathBuf,
    pub(crate) text: String,
    lines: Vec<usize>,
}

impl Source {
    pub(crate) fn new(name: &Path, text: String) -> Source {
        let dir = name.parent().map(Path::to_path_buf).unwrap_or_default();
        let lines = std::iter::once(0).chain(memchr::memchr_iter(b'\n', text.as_bytes()).map(|at| at + 1)).collect();
        Source { name: name.to_path_buf(), dir, text, lines }
    }

    /// Reads a file of at most [`FILE_BYTES_MAX`].
    pub(crate) fn read(name: &Path) -> Result<Source, ConfigError> {
        let bytes = read_bounded(name, FILE_BYTES_MAX)
            .map_err(|why| ConfigError::of_file(name.to_path_buf(), format!("cannot read the configuration: {why}")))?;
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Source::new(name, text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))),
            Err(e) => {
                let at = e.utf8_error().valid_up_to();
                let source = Source::new(name, String::from_utf8_lossy(e.as_bytes()).into_owned());
                let message = "the file is not text in UTF-8".to_owned();
                Err(source.error(at..at + 1, String::new(), message))
            }
        }
    }

    /// The line on which a byte stands, counted from 1.
    pub(crate) fn line(&self, at: usize) -> usize {
        self.lines.partition_point(|start| *start <= at).max(1)
    }

    /// An error at a piece of the text.
    pub(crate) fn error(&self, span: Range<usize>, key: String, message: String) -> ConfigError {
        let line = self.line(span.start);
        let start = self.lines[line - 1];
        let text = self.text[start..].split('\n').next().unwrap_or_default().trim_end_matches('\r');
        let before = chars_before(text, span.start.saturating_sub(start));
        let end = chars_before(text, span.end.saturating_sub(start));
        ConfigError {
            line,
            column: before + 1,
            key,
            excerpt: excerpt(text, before, end.saturating_sub(before).max(1)),
            ..ConfigError::of_file(self.name.clone(), message)
        }
    }
}

/// Reads at most `max` bytes of a file, or says why not.
pub(crate) fn read_bounded(path: &Path, max: u64) -> Result<Vec<u8>, String> {
    let read = || -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        File::open(path)?.take(max + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    match read() {
        Ok(bytes) if bytes.len() as u64 > max => Err(format!("it is larger than {}", super::units::show_size(max))),
        Ok(bytes) => Ok(bytes),
        Err(e) => Err(explain(&e)),
    }
}

/// An I/O error in words, without its number.
pub(crate) fn explain(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".into(),
        io::ErrorKind::PermissionDenied => "permission denied".into(),
        io::ErrorKind::IsADirectory => "it is a directory".into(),
        _ => error.to_string(),
    }
}

fn chars_before(text: &str, bytes: usize) -> usize {
    text.char_indices().take_while(|(at, _)| *at < bytes).count()
}

/// Cuts a long line to the piece around the underline, and makes it safe to print.
fn excerpt(line: &str, before: usize, width: usize) -> Excerpt {
    let total = line.chars().count();
    let from = if total <= EXCERPT_CHARS { 0 } else { before.saturating_sub(EXCERPT_CHARS / 4) };
    let printable = |c: char| match c {
        '\t' => ' ',
        c if c.is_control() => '\u{fffd}',
        c => c,
    };
    let text: String = line.chars().skip(from).take(EXCERPT_CHARS).map(printable).collect();
    let shown = text.chars().count();
    let indent = (before - from).min(shown);
    Excerpt { text, indent, width: width.min((shown - indent).max(1)) }
}

/// A configuration file larger than this is refused unread.
pub(crate) const FILE_BYTES_MAX: u64 = 16 << 20;

/// Characters of a line that a message shows at most.
const EXCERPT_CHARS: usize = 160;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_count_characters_from_one() {
        let source = Source::new(Path::new("dir/a.toml"), "é = 1\r\nfoo = 2".to_owned());
        let error = source.error(12..15, "foo".into(), "bad".into());
        assert_eq!((error.line, error.column), (2, 5));
        let error = source.error(3..4, String::new(), "bad".into());
        assert_eq!((error.line, error.column, error.excerpt.text.as_str()), (1, 3, "é = 1"));
        assert_eq!(source.dir, Path::new("dir"));
    }

    #[test]
    fn spans_at_the_end_and_long_lines_are_shown_within_bounds() {
        let source = Source::new(Path::new("a"), "x".repeat(1_000));
        assert_eq!(source.error(1_000..1_000, String::new(), String::new()).column, 1_001);
        let error = source.error(500..900, String::new(), String::new());
        assert_eq!((error.excerpt.text.len(), error.excerpt.indent), (EXCERPT_CHARS, EXCERPT_CHARS / 4));
        assert!(error.excerpt.width <= EXCERPT_CHARS);
    }
}
