use super::error::Shown;
use super::file::include::{glob, is_glob};
use super::file::report::Report;
use super::file::source::Source;
use super::{AdminListen, Config, ConfigError, ConfigErrors, read};
use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use toml::de::{DeTable, DeValue};

/// Reads a configuration and the files that it includes, with variables from the process's environment.
///
/// # Errors
/// All that is wrong with it, not the first only.
pub fn load(path: &Path) -> Result<Config, ConfigErrors> {
    let source = Source::read(path).map_err(|error| ConfigErrors { errors: vec![*error], more: false })?;
    load_source(source, &|name| std::env::var(name).ok())
}

/// Where the process that serves this configuration has its admin listener, if it has one. Nothing else need be right.
///
/// # Errors
/// The file cannot be read.
pub fn admin_of(path: &Path) -> Result<Option<AdminListen>, ConfigErrors> {
    let source = Source::read(path).map_err(|error| ConfigErrors { errors: vec![*error], more: false })?;
    let gather = Gather::all(source);
    Ok(read::admin(&Report::new(&gather.sources, &|name| std::env::var(name).ok())))
}

/// Reads a configuration from a text, called `name` in messages; relative paths are relative to the directory of `name`.
///
/// # Errors
/// As [`load`].
pub fn load_text(name: &Path, text: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<Config, ConfigErrors> {
    load_source(Source::new(name, text.to_owned()), env)
}

/// The configuration of `weir run --to ADDRESS`, in [`text_for_backend`].
///
/// # Errors
/// As [`load`], if `address` is none that a pool could have.
pub fn for_backend(address: &str) -> Result<Config, ConfigErrors> {
    load_text(Path::new("--to"), &text_for_backend(address), &|_| None)
}

/// What `weir run --to ADDRESS` stands for: it listens on [`TO_LISTEN`], caches in memory, and passes the rest to `address`.
#[must_use]
pub fn text_for_backend(address: &str) -> String {
    // TOML's basic strings take JSON's escapes; a variable would be another matter.
    let backend = serde_json::Value::from(address).to_string().replace("${", "$${");
    format!(
        "version = 1\n[[listener]]\naddress = \"{TO_LISTEN}\"\n[pool.app]\nbackends = [{backend}]\n\
         [cache.pages]\nmemory = \"{TO_MEMORY}\"\n[[route]]\npool = \"app\"\ncache = \"pages\"\n"
    )
}

/// Where `weir run --to ADDRESS` listens.
pub const TO_LISTEN: &str = "127.0.0.1:8080";

/// What its cache may take.
const TO_MEMORY: &str = "256MiB";

fn load_source(source: Source, env: &dyn Fn(&str) -> Option<String>) -> Result<Config, ConfigErrors> {
    let gather = Gather::all(source);
    let report = Report::new(&gather.sources, env);
    gather.errors.into_iter().for_each(|error| report.push(error));
    let config = read::config(&report);
    let (errors, warnings) = report.finish();
    match config {
        Some(config) if errors.errors.is_empty() => {
            let shown = |warning: String| Shown(warning).to_string();
            Ok(Config { warnings: gather.warnings.into_iter().chain(warnings).map(shown).collect(), ..config })
        }
        _ => Err(errors),
    }
}

/// Follows `include`, breadth first.
struct Gather {
    seen: HashSet<PathBuf>,
    sources: Vec<Source>,
    errors: Vec<ConfigError>,
    warnings: Vec<String>,
    bytes: u64,
}

impl Gather {
    fn all(first: Source) -> Gather {
        let mut gather =
            Gather { seen: HashSet::new(), sources: Vec::new(), errors: Vec::new(), warnings: Vec::new(), bytes: 0 };
        gather.add(first);
        gather
    }

    fn add(&mut self, first: Source) {
        self.seen.insert(identity(&first.name));
        self.sources.push(first);
        let mut next = 0;
        while next < self.sources.len() {
            for (span, pattern) in includes(&self.sources[next].text) {
                if let Err(message) = self.include(next, &pattern) {
                    let error = self.sources[next].error(span, "include".into(), message);
                    self.errors.push(error);
                }
            }
            next += 1;
        }
    }

    fn include(&mut self, by: usize, pattern: &str) -> Result<(), String> {
        let dir = self.sources[by].dir.clone();
        if !is_glob(pattern) {
            return self.include_file(&dir.join(pattern), true);
        }
        let found = glob(&dir, pattern, INCLUDES_MAX + 1);
        if found.is_empty() {
            self.warnings.push(format!("{}: no file matches \"{pattern}\"", self.sources[by].name.display()));
        }
        found.iter().try_for_each(|path| self.include_file(path, false))
    }

    fn include_file(&mut self, path: &Path, by_name: bool) -> Result<(), String> {
        if !self.seen.insert(identity(path)) {
            // A pattern may well match the file that it stands in.
            return if by_name {
                Err(format!("{} is included twice, or includes itself", path.display()))
            } else {
                Ok(())
            };
        }
        if self.sources.len() > INCLUDES_MAX {
            return Err(format!("more than {INCLUDES_MAX} files are included"));
        }
        match Source::read(path) {
            Ok(source) => {
                self.bytes += source.text.len() as u64;
                if self.bytes > INCLUDED_BYTES_MAX {
                    return Err("the included files are too large together".into());
                }
                self.sources.push(source);
                Ok(())
            }
            Err(error) if error.line > 0 => {
                self.errors.push(*error);
                Ok(())
            }
            Err(error) => Err(format!("{}: {}", path.display(), error.message)),
        }
    }
}

/// What a text includes. Anything wrong with its form is said when it is read as a whole.
fn includes(text: &str) -> Vec<(std::ops::Range<usize>, String)> {
    // Most files include nothing, and need not be parsed twice.
    if !text.contains("include") {
        return Vec::new();
    }
    let (table, _) = DeTable::parse_recoverable(text);
    match table.get_ref().get("include").map(toml::Spanned::get_ref) {
        Some(DeValue::Array(patterns)) => {
            patterns.iter().filter_map(|p| Some((p.span(), p.get_ref().as_str()?.to_owned()))).collect()
        }
        _ => Vec::new(),
    }
}

fn identity(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf())
}

/// So many files may be included.
const INCLUDES_MAX: usize = 1_000;

/// Bytes of all included files together.
const INCLUDED_BYTES_MAX: u64 = 64 << 20;
