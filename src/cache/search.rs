//! What responses say of their queries (No-Vary-Search), by path: learnt when one is stored, used for the keys that follow.

use crate::http::NoVarySearch;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock};

/// The rules of paths, bounded in number.
#[derive(Debug, Default)]
pub struct Searches {
    known: AtomicUsize,
    rules: RwLock<HashMap<u128, NoVarySearch>>,
}

/// Paths whose rule is known; more are treated as if they had none.
pub const PATHS_MAX: usize = 4096;

impl Searches {
    /// Rewrites the query of a key by the rule of its path, if there is one; `hash` hashes the URL without its query, which
    /// begins at `url_at`. What the key was, if it is another now.
    pub fn rewrite(&self, key: &mut Vec<u8>, url_at: usize, hash: impl FnOnce(&[u8]) -> u128) -> Option<Vec<u8>> {
        if self.known.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let at = query_at(key, url_at)?;
        let rules = self.rules.read().unwrap_or_else(PoisonError::into_inner);
        let rule = rules.get(&hash(&key[url_at..at]))?;
        let before = key.clone();
        apply(rule, key, at);
        (before != *key).then_some(before)
    }

    /// Learns the rule of a path from a response, or that it has none, and rewrites the key that the response is stored under.
    pub fn learn(&self, rule: &NoVarySearch, key: &mut Vec<u8>, url_at: usize, hash: impl FnOnce(&[u8]) -> u128) {
        let known = self.known.load(Ordering::Relaxed);
        if rule.is_default() && known == 0 {
            return;
        }
        let at = query_at(key, url_at).unwrap_or(key.len());
        let path = hash(&key[url_at..at]);
        let mut rules = self.rules.write().unwrap_or_else(PoisonError::into_inner);
        if rule.is_default() {
            rules.remove(&path);
        } else if rules.len() < PATHS_MAX || rules.contains_key(&path) {
            rules.insert(path, rule.clone());
            if at < key.len() {
                apply(rule, key, at);
            }
        }
        self.known.store(rules.len(), Ordering::Relaxed);
    }
}

/// The key of a request, as that of the response which has this rule.
#[must_use]
pub fn keyed(rule: &NoVarySearch, key: &[u8], url_at: usize) -> Vec<u8> {
    let mut keyed = key.to_vec();
    if let Some(at) = query_at(key, url_at).filter(|_| !rule.is_default()) {
        apply(rule, &mut keyed, at);
    }
    keyed
}

fn query_at(key: &[u8], url_at: usize) -> Option<usize> {
    memchr::memchr(b'?', &key[url_at..]).map(|at| url_at + at)
}

/// A query in which nothing is left stays a query: `/a?` is another URL than `/a`, unless the rule says that none counts.
fn apply(rule: &NoVarySearch, key: &mut Vec<u8>, at: usize) {
    let query = rule.normalise(&key[at + 1..]);
    key.truncate(at);
    if !query.is_empty() {
        key.push(b'?');
        key.extend_from_slice(&query);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_holds_for_its_path_alone_and_until_a_response_has_it_no_more() {
        let searches = Searches::default();
        let hash = |text: &[u8]| u128::from_le_bytes(std::array::from_fn(|at| text.get(at + 9).copied().unwrap_or(0)));
        let rule = NoVarySearch::parse([&b"params=(\"utm\")"[..]].into_iter());
        // In front of the URL may stand what parts keys, and it may be anything.
        for scope in ["", "route?a=1 "] {
            let url = |text: &str| format!("{scope}http://a{text}").into_bytes();
            let at = scope.len();
            let rewritten = |text: &str| {
                let (mut key, before) = (url(text), url(text));
                let was = searches.rewrite(&mut key, at, hash);
                assert_eq!(was, (key != before).then_some(before));
                key
            };
            let mut key = url("/p?utm=1&b=2");
            assert_eq!(rewritten("/p?utm=1&b=2"), key);
            assert_eq!(keyed(&rule, &key, at), url("/p?b=2"));
            searches.learn(&rule, &mut key, at, hash);
            assert_eq!(key, url("/p?b=2"));
            assert_eq!(rewritten("/p?b=2&utm=9"), url("/p?b=2"));
            assert_eq!(rewritten("/p?utm=9"), url("/p"));
            assert_eq!(rewritten("/q?utm=9"), url("/q?utm=9"));
            searches.learn(&NoVarySearch::default(), &mut key, at, hash);
            assert_eq!(rewritten("/p?utm=9"), url("/p?utm=9"));
        }
    }
}
