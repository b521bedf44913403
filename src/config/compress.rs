use crate::http::coding::{Coding, Rules};
use std::hash::{DefaultHasher, Hash, Hasher};

/// `compress` of a route: which responses are compressed, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compress {
    /// `codings`: in order of preference, each once; at least one.
    pub codings: Vec<Coding>,
    /// `types` and `min`.
    pub rules: Rules,
    /// Stands for the rules: others have another one, but for a chance of one in 2^61.
    pub print: u64,
}

impl Compress {
    /// Offers these codings, in this order, for what the rules say.
    #[must_use]
    pub fn new(codings: Vec<Coding>, rules: Rules) -> Compress {
        let mut hasher = DefaultHasher::new();
        rules.hash(&mut hasher);
        Compress { codings, rules, print: hasher.finish() }
    }
}
