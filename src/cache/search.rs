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
    /// Rewrites the query of a key by the rule of its path, if there is one; `hash` hashes the key without its query.
    /// Whether it did.
    pub fn rewrite(&self, key: &mut Vec<u8>, hash: impl FnOnce(&[u8]) -> u128) -> bool {
        if self.known.load(Ordering::Relaxed) == 0 {
            return false;
        }
        let Some(at) = memchr::memchr(b'?', key) else { return false };
        let rules = self.rules.read().unwrap_or_else(PoisonError::into_inner);
        let Some(rule) = rules.get(&hash(&key[..at])) else { return false };
        apply(rule, key, at);
        true
    }

    /// Learns the rule of a path from a response, or that it has none, and rewrites the key that the response is stored under.
    pub fn learn(&self, rule: &NoVarySearch, key: &mut Vec<u8>, hash: impl FnOnce(&[u8]) -> u128) {
        let known = self.known.load(Ordering::Relaxed);
        if rule.is_default() && known == 0 {
            return;
        }
        let at = memchr::memchr(b'?', key).unwrap_or(key.len());
        let path = hash(&key[..at]);
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
        let mut key = b"http://a/p?utm=1&b=2".to_vec();
        assert!(!searches.rewrite(&mut key, hash));
        searches.learn(&rule, &mut key, hash);
        assert_eq!(key, b"http://a/p?b=2");
        let mut other = b"http://a/p?b=2&utm=9".to_vec();
        assert!(searches.rewrite(&mut other, hash));
        assert_eq!(other, b"http://a/p?b=2");
        assert!(!searches.rewrite(&mut b"http://a/q?utm=9".to_vec(), hash));
        searches.learn(&NoVarySearch::parse([].into_iter()), &mut key, hash);
        assert!(!searches.rewrite(&mut other, hash));
    }
}
