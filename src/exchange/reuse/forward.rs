use super::Keep;
use super::depart::{as_in_key, host_as_in_key};
use super::keep::Fate;
use crate::cache::key::{KeyRules, push_origin, push_target};
use crate::config::CacheId;
use crate::exchange::worker::Held;
use crate::http::{
    CacheStatus, FieldName, Forward, Length, Method, RequestHead, ResponseHead, Scheme, group_invalidations,
    same_origin_target,
};
use crate::live::CacheRules;
use std::rc::Rc;

/// What is to be said of, and learnt from, the response to a request that goes to a backend by itself.
pub(in crate::exchange) struct Forwarded {
    pub(super) forward: Forward,
    pub(super) detail: Option<&'static str>,
    pub(super) held: Rc<Held>,
    pub(super) id: CacheId,
    pub(super) key: Vec<u8>,
    /// The key with the query as it came, where that is another.
    pub(super) raw: Option<Vec<u8>>,
    /// Where in the key the scope of the route ends.
    pub(super) scope_end: usize,
    pub(super) url_at: usize,
    pub(super) shows_key: bool,
    /// Stores the response, if it may stand for that to a GET.
    pub(in crate::exchange) keep: Option<Keep>,
}

impl Forwarded {
    /// Invalidates what a successful unsafe request changed (RFC 9111 §4.4), and takes what may be stored after that.
    pub(in crate::exchange) fn learn(&self, request: &RequestHead, response: &ResponseHead, length: Length) {
        if !request.method.is_safe() && (200..400).contains(&response.status) {
            self.invalidate(response);
        }
        if let Some(keep) = &self.keep {
            keep.head(response, length);
        }
    }

    /// Adds Cache-Status to the response.
    pub(in crate::exchange) fn respond(&self, response: &mut ResponseHead) {
        let (detail, ttl) = match self.keep.as_ref().map(Keep::fate).unwrap_or_default() {
            Fate::Open => (self.detail, None),
            Fate::Stored(ttl) => (None, Some(ttl)),
            Fate::Unstored(why) => (Some(why.as_str()), None),
        };
        let status = CacheStatus {
            forward: Some(self.forward),
            detail,
            ttl,
            stored: ttl.is_some(),
            key: self.shows_key.then_some(&self.key),
            ..CacheStatus::HIT
        };
        let mut value = Vec::with_capacity(64);
        status.write(&mut value);
        response.fields.push_known(FieldName::CacheStatus, &value);
        response.fields.remove(FieldName::WeirCacheControl);
    }

    /// Makes a request that may tell something of what is stored ask for no more than the key has.
    pub(in crate::exchange) fn limit(&self, request: &mut RequestHead) {
        match request.method {
            Method::Get | Method::Head => as_in_key(request, &self.rules().key),
            // To a write its whole query may matter.
            _ if self.keep.is_some() => host_as_in_key(request),
            _ => {}
        }
    }

    fn rules(&self) -> &CacheRules {
        &self.held.generation.snapshot.caches[self.id.0]
    }

    /// RFC 9111 §4.4: for all, whichever route they ask by.
    fn invalidate(&self, response: &ResponseHead) {
        let url = &self.raw.as_ref().unwrap_or(&self.key)[self.url_at..];
        self.drop_url(url);
        for name in [FieldName::Location, FieldName::ContentLocation] {
            // RFC 9111 §4.4: only of the same origin, lest one site empties another's cache.
            let target = response.fields.get(name).and_then(|value| same_origin_target(value, url));
            if let Some(target) = target {
                self.drop_url(&[origin_of(url), &keyed(&target, &self.rules().key)].concat());
            }
        }
        // RFC 9875 §3
        for group in group_invalidations(&response.fields) {
            self.rules().cache.purge_group(origin_of(url), group.as_bytes());
        }
    }

    fn drop_url(&self, url: &[u8]) {
        let cache = &self.rules().cache;
        // A key with a scope has a space before its URL.
        let told = &self.key[self.scope_end..self.url_at.saturating_sub(1).max(self.scope_end)];
        for key in self.rules().keys(told, url) {
            let hash = cache.secret.hash(&key);
            // First what is under way, so that nothing old is stored after.
            self.held.generation.flights[self.id.0].bar(hash);
            cache.invalidate(hash, &key);
        }
    }
}

/// A target as keys have it.
pub(super) fn keyed(target: &[u8], rules: &KeyRules) -> Vec<u8> {
    let mut keyed = Vec::with_capacity(target.len());
    push_target(target, rules, &mut keyed);
    keyed
}

/// The origin of a URL in a key.
fn origin_of(url: &[u8]) -> &[u8] {
    let host_at = memchr::memmem::find(url, b"://").map_or(0, |at| at + 3);
    let path_at = url[host_at..].iter().position(|b| matches!(b, b'/' | b'?')).unwrap_or(url.len() - host_at);
    &url[..host_at + path_at]
}

/// The origin of a request as cache groups are bound to it.
pub(super) fn origin(scheme: Scheme, authority: &[u8]) -> Vec<u8> {
    let mut origin = Vec::new();
    push_origin(scheme, authority, &mut origin);
    origin
}
