//! `/v1/cache/top`: the keys that cost a cache most.

use super::AdminState;
use super::answer::Page;
use super::drain::{decoded, encoded};
use super::gate::Peer;
use super::job::said;
use crate::cache::top::{By, KEYS_MAX, TopKey};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Bytes;
use serde_json::{Value, json};

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopAsk {
    /// The name of the cache; `None`: all there are.
    pub cache: Option<String>,
    /// The order.
    pub by: By,
    /// How many keys.
    pub n: usize,
}

/// Gives the keys, in their order; `None`: there is no such cache.
pub type Topper = Box<dyn Fn(&TopAsk) -> Option<Vec<TopKey>> + Send + Sync>;

pub(super) const PATH: &str = "/v1/cache/top";

/// The keys, for operators: URLs may well have secrets in them.
pub(super) fn top<B>(request: &Request<B>, state: &AdminState, peer: Peer) -> Response<Full<Bytes>> {
    let not = |status, why: &str| said(status, &json!({ "error": why }));
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Page::only_read();
    }
    if let Err(barred) = state.gate.load().may_see(request.headers(), peer) {
        return barred.response();
    }
    let ask = match TopAsk::read(request.uri().query().unwrap_or_default()) {
        Ok(ask) => ask,
        Err(why) => return not(StatusCode::BAD_REQUEST, &why),
    };
    match (state.topper.get(), &ask.cache) {
        (None, _) => not(StatusCode::SERVICE_UNAVAILABLE, "there is no cache"),
        (Some(topper), cache) => match topper(&ask) {
            Some(mut keys) => {
                keys.truncate(ask.n);
                let keys: Vec<Value> = keys.iter().map(shown).collect();
                said(StatusCode::OK, &json!({ "by": ask.by.name(), "keys": keys }))
            }
            None if cache.is_none() => not(StatusCode::SERVICE_UNAVAILABLE, "there is no cache"),
            None => not(StatusCode::NOT_FOUND, "there is no cache of that name"),
        },
    }
}

fn shown(key: &TopKey) -> Value {
    json!({ "key": String::from_utf8_lossy(&key.key), "count": key.count, "bytes": key.bytes, "error": key.error })
}

impl TopAsk {
    /// The path that asks for it.
    #[must_use]
    pub fn path(&self) -> String {
        let cache = self.cache.as_ref().map_or_else(String::new, |name| format!("&cache={}", encoded(name)));
        format!("{PATH}?by={}&n={}{cache}", self.by.name(), self.n)
    }

    /// `by=misses|bytes`, `n=20`, `cache=NAME`
    fn read(query: &str) -> Result<TopAsk, String> {
        let mut ask = TopAsk { cache: None, by: By::Misses, n: N };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=').unwrap_or((pair, "")) {
                ("by", by) => ask.by = By::of(by).ok_or("by: misses or bytes")?,
                ("n", n) => {
                    let n: Option<usize> = n.parse().ok().filter(|n| (1..=KEYS_MAX).contains(n));
                    ask.n = n.ok_or_else(|| format!("n: 1 to {KEYS_MAX}"))?;
                }
                ("cache", name) => ask.cache = Some(decoded(name).ok_or("cache: a broken escape")?.into_owned()),
                (other, _) => return Err(format!("{other:?} is no parameter: by, n, cache")),
            }
        }
        Ok(ask)
    }
}

const N: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_read() {
        assert_eq!(TopAsk::read(""), Ok(TopAsk { cache: None, by: By::Misses, n: 20 }));
        for name in ["pages", "a b&n=7"] {
            let full = TopAsk { cache: Some(name.into()), by: By::Bytes, n: 5 };
            assert_eq!(TopAsk::read(full.path().split_once('?').unwrap().1), Ok(full));
        }
        for (query, why) in [
            ("by=hits", "misses or bytes"),
            ("n=0", "1 to"),
            ("n=99999", "1 to"),
            ("x", "parameter"),
            ("cache=%", "escape"),
        ] {
            assert!(TopAsk::read(query).unwrap_err().contains(why), "{query}");
        }
    }
}
