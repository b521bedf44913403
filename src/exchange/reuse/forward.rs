use super::{Failure, Keep};
use crate::cache::flight::Flights;
use crate::cache::key::{push_origin, push_target};
use crate::http::{
    CacheStatus, FieldName, Forward, RequestHead, ResponseHead, Scheme, group_invalidations, same_origin_target,
};
use crate::live::LiveCache;
use std::sync::Arc;

/// What is to be said of, and learnt from, the response to a request that goes to a backend by itself.
pub(in crate::exchange) struct Forwarded {
    pub(super) forward: Forward,
    pub(super) detail: Option<&'static str>,
    pub(super) cache: Arc<LiveCache>,
    pub(super) flights: Arc<Flights<Failure>>,
    pub(super) key: Vec<u8>,
    pub(super) raw: Option<Vec<u8>>,
    pub(super) url_at: usize,
    pub(super) hash: u128,
    pub(super) shows_key: bool,
    /// Stores the response, if it may stand for that to a GET.
    pub(in crate::exchange) keep: Option<Keep>,
}

impl Forwarded {
    /// Adds Cache-Status to the response, and invalidates what a successful unsafe request changed (RFC 9111 §4.4).
    pub(in crate::exchange) fn respond(&self, request: &RequestHead, response: &mut ResponseHead) {
        if !request.method.is_safe() && (200..400).contains(&response.status) {
            self.invalidate(request, response);
        }
        let status = CacheStatus {
            forward: Some(self.forward),
            detail: self.detail,
            key: self.shows_key.then_some(&self.key),
            ..CacheStatus::HIT
        };
        let mut value = Vec::with_capacity(64);
        status.write(&mut value);
        response.fields.push_known(FieldName::CacheStatus, &value);
        response.fields.remove(FieldName::WeirCacheControl);
    }

    fn invalidate(&self, request: &RequestHead, response: &ResponseHead) {
        self.drop_key(self.hash, &self.key);
        let raw = self.raw.as_ref().unwrap_or(&self.key);
        if self.raw.is_some() {
            self.drop_key(self.cache.secret.hash(raw), raw);
        }
        let url = &raw[self.url_at..];
        for name in [FieldName::Location, FieldName::ContentLocation] {
            // RFC 9111 §4.4: only of the same origin, lest one site empties another's cache.
            let target = response.fields.get(name).and_then(|value| same_origin_target(value, url));
            if let Some(target) = target {
                let mut key = self.key[..self.url_at].to_vec();
                push_origin(request.scheme, &request.authority, &mut key);
                push_target(&target, &Default::default(), &mut key);
                self.drop_key(self.cache.secret.hash(&key), &key);
            }
        }
        // RFC 9875 §3
        let origin = origin(request.scheme, &request.authority);
        for group in group_invalidations(&response.fields) {
            self.cache.purge_group(&origin, group.as_bytes());
        }
    }

    fn drop_key(&self, hash: u128, key: &[u8]) {
        // First what is under way, so that nothing old is stored after.
        self.flights.bar(hash);
        self.cache.invalidate(hash, key);
    }
}

/// The origin of a request as cache groups are bound to it.
pub(super) fn origin(scheme: Scheme, authority: &[u8]) -> Vec<u8> {
    let mut origin = Vec::new();
    push_origin(scheme, authority, &mut origin);
    origin
}
