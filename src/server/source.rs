use super::LoadError;
use crate::config::{self, Config};
use std::path::PathBuf;

/// Where the configuration comes from.
#[derive(Clone, Debug)]
pub enum Source {
    /// A file, read again on reload.
    File(PathBuf),
    /// `weir run --to ADDRESS`
    To(String),
    /// A text in the binary, and the name that errors show.
    Text(&'static str, String),
}

impl Source {
    pub(super) fn load(&self) -> Result<Config, LoadError> {
        match self {
            Source::File(path) => config::load(path),
            Source::To(address) => config::for_backend(address),
            Source::Text(name, text) => config::load_text(name.as_ref(), text, &|_| None),
        }
        .map_err(LoadError::Config)
    }
}
