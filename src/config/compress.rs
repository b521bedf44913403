use crate::http::coding::{Coding, Rules};

/// `compress` of a route: which responses are compressed, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compress {
    /// `codings`: in order of preference, each once; at least one.
    pub codings: Vec<Coding>,
    /// `types` and `min`.
    pub rules: Rules,
}
