//! What a purge names.

use crate::cache::key::{KeyRules, push_target};
use std::fmt;

/// What a purge names. URLs are in the form that keys have, `scheme://host[:port]/path?query`: [`parse`](super::parse)
/// makes it of what an operator writes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum What {
    /// A URL: all of its variants.
    Url(Vec<u8>),
    /// URLs that begin with this, which has the scheme and the whole authority at least.
    Prefix(Vec<u8>),
    /// A host in lower case: all its schemes, and all its ports unless one is said, be it a default one.
    Host(Vec<u8>),
    /// A tag, as it is, its case too.
    Tag(Vec<u8>),
    /// Everything.
    All,
}

/// What becomes of what is purged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// It is gone.
    Hard,
    /// It is stale from now on.
    Soft,
}

impl What {
    /// A URL without the parameters that keys do not have; all else as it is.
    #[must_use]
    pub fn keyed(self, rules: &KeyRules) -> What {
        match self {
            What::Url(url) if !rules.ignore_query.is_empty() => {
                let at = target_at(&url);
                let mut keyed = url[..at].to_vec();
                push_target(&url[at..], rules, &mut keyed);
                What::Url(keyed)
            }
            other => other,
        }
    }

    /// The word for its kind: `url`, `prefix`, `host`, `tag`, `all`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            What::Url(_) => "url",
            What::Prefix(_) => "prefix",
            What::Host(_) => "host",
            What::Tag(_) => "tag",
            What::All => "all",
        }
    }

    /// What it names; empty for everything.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        match self {
            What::Url(name) | What::Prefix(name) | What::Host(name) | What::Tag(name) => name,
            What::All => b"",
        }
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            What::All => f.write_str("everything"),
            what => write!(f, "{} {}", what.kind(), String::from_utf8_lossy(what.name())),
        }
    }
}

/// Where the authority of a URL begins.
pub(super) fn authority_at(url: &[u8]) -> usize {
    memchr::memmem::find(url, b"://").map_or(0, |at| at + 3)
}

/// Where the target of a URL begins.
pub(super) fn target_at(url: &[u8]) -> usize {
    let at = authority_at(url);
    memchr::memchr2(b'/', b'?', &url[at..]).map_or(url.len(), |more| at + more)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_loses_the_parameters_that_keys_do_not_have() {
        let rules = KeyRules { ignore_query: vec![b"utm_*"[..].into()] };
        for (url, keyed) in [
            ("http://a/x?utm_source=1&b=2", "http://a/x?b=2"),
            ("http://a/x?utm_source=1", "http://a/x"),
            ("http://a/", "http://a/"),
        ] {
            assert_eq!(What::Url(url.into()).keyed(&rules), What::Url(keyed.into()));
        }
        let prefix = What::Prefix(b"http://a/x?utm_".to_vec());
        assert_eq!(prefix.clone().keyed(&rules), prefix);
    }

    #[test]
    fn a_url_is_cut_at_its_parts() {
        for (url, authority, target) in
            [("http://a:1/b?c", 7, 10), ("https://a", 8, 9), ("https://a?b", 8, 9), ("a/b", 0, 1), ("", 0, 0)]
        {
            assert_eq!((authority_at(url.as_bytes()), target_at(url.as_bytes())), (authority, target), "{url}");
        }
    }
}
