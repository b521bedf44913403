use super::deliver::is_part_of;
use super::rest::may_be_joined;
use super::{Forwarded, Looked, Stale, is_within};
use crate::cache::entry::{Content, Entry};
use crate::cache::key::{Secret, push_key};
use crate::cache::purge::Verdict;
use crate::cache::search::keyed;
use crate::config::{self, CacheId, Route};
use crate::exchange::serve::Course;
use crate::exchange::{Downstream, Source};
use crate::http::{
    FieldName, Fields, Forward, IfFailed, Length, Method, NO_VARY_SEARCH, NoVarySearch, RequestDirectives, RequestHead,
    Reuse, is_alike, may_reuse, push_way,
};
use crate::live::CacheRules;
use crate::route::wrote_recently;
use std::rc::Rc;
use std::sync::Arc;

/// What a request asks the cache.
pub(in crate::exchange) struct Question<'a> {
    pub(super) id: CacheId,
    pub(super) rules: &'a CacheRules,
    pub(super) config: &'a config::Cache,
    pub(super) key: Vec<u8>,
    /// The key with the query as it came, where what responses say of it made it another.
    pub(super) raw: Option<Vec<u8>>,
    /// Where in the key the scope of the route ends.
    pub(super) scope_end: usize,
    /// Where the URL begins in the key.
    pub(super) url_at: usize,
    pub(super) hash: u128,
    pub(super) directives: RequestDirectives,
    pub(super) now_ms: u64,
    /// The client may see keys.
    pub(super) shows_key: bool,
}

impl<'a> Question<'a> {
    /// `memory` is what the key is written to.
    pub(super) fn ask(course: &'a Course<'_>, id: CacheId, head: &RequestHead, mut memory: Vec<u8>) -> Question<'a> {
        let snapshot = &course.held.generation.snapshot;
        let (rules, config) = (&snapshot.caches[id.0], &snapshot.config.caches[id.0]);
        memory.clear();
        let scope = course.route.map_or("", |(at, _)| &snapshot.scopes[at]);
        let told = if course.client.is_trusted() { told(scope, &rules.cache.secret, &head.fields) } else { None };
        let url_at = push_key(head, told.as_deref().unwrap_or(scope).as_bytes(), &rules.key, &mut memory);
        let raw = rules.cache.searches.rewrite(&mut memory, url_at, |path| rules.cache.secret.hash(path));
        Question {
            id,
            rules,
            config,
            hash: rules.cache.secret.hash(&memory),
            key: memory,
            raw,
            scope_end: scope.len(),
            url_at,
            directives: RequestDirectives::of(&head.fields),
            now_ms: course.worker.now_ms(),
            shows_key: !config.debug.is_empty() && is_within(&config.debug, course.who),
        }
    }

    /// The memory of the key, for the next question.
    pub(super) fn into_memory(self) -> Vec<u8> {
        self.key
    }

    /// The key with the query as it came.
    pub(super) fn raw(&self) -> &[u8] {
        self.raw.as_ref().unwrap_or(&self.key)
    }

    /// Whether what another asked for is, by what it says of its query, what this one asks for.
    pub(super) fn asks_for(&self, entry: &Entry) -> bool {
        let rule = || NoVarySearch::parse(entry.fields().named(NO_VARY_SEARCH));
        *entry.key() == *self.raw() || *entry.key() == keyed(&rule(), self.raw(), self.url_at)
    }

    pub(super) fn forwarded(&self, course: &Course<'_>, forward: Forward, detail: Option<&'static str>) -> Forwarded {
        Forwarded {
            forward,
            detail,
            held: Rc::clone(course.held),
            id: self.id,
            key: self.key.clone(),
            raw: self.raw.clone(),
            scope_end: self.scope_end,
            url_at: self.url_at,
            shows_key: self.shows_key,
            keep: None,
        }
    }

    /// Some stored response of the same key, which shows how its variants differ.
    pub(super) fn sibling(&self) -> Option<Arc<Entry>> {
        self.rules.cache.memory.variants(self.hash).into_iter().find(|entry| *entry.key() == *self.key)
    }

    pub(super) fn look<D: Downstream>(&self, course: &Course<'_>, head: &RequestHead, down: &mut D) -> Looked {
        if self.is_purge(&head.method) {
            return Looked::Purge;
        }
        if !matches!(head.method, Method::Get | Method::Head) {
            return Looked::Pass(Forward::Method, None);
        }
        let length = down.halves().0.length();
        let route = course.route.map(|(_, route)| route);
        if let Some(why) = why_not(head, length).or_else(|| writes(course, route, &head.fields)) {
            return Looked::Pass(Forward::Bypass, Some(why));
        }
        let mut others = false;
        let found = self.rules.cache.memory.find(self.hash, |entry| {
            if *entry.key() != *self.key {
                return None;
            }
            others = true;
            // RFC 9111 §4.1
            entry.is_selected_by(&head.fields, &self.rules.normal).then(|| Arc::clone(entry))
        });
        match found {
            None => Looked::Miss(if others { Forward::VaryMiss } else { Forward::UriMiss }, None),
            Some(entry) if !holds(&entry, head, self.now_ms) => Looked::Miss(Forward::Partial, None),
            Some(entry) => self.judge(entry, course),
        }
    }

    /// The method PURGE, where the configuration takes it at all; who may is asked later.
    fn is_purge(&self, method: &Method) -> bool {
        !self.config.purge.is_empty() && matches!(method, Method::Other(name) if &**name == "PURGE")
    }

    /// What memory does not have may be on disk; what is found there comes back to memory.
    pub(super) async fn look_on_disk(
        &self,
        course: &Course<'_>,
        forward: Forward,
        stale: Option<Stale>,
        head: &RequestHead,
    ) -> Looked {
        let cache = &self.rules.cache;
        if stale.is_some() || !cache.may_be_on_disk(self.hash) {
            return Looked::Miss(forward, stale);
        }
        // Where memory has parts, the disk has no others.
        let may_be_joined = |entry: &Entry| forward != Forward::Partial && may_be_joined(entry);
        let is_wanted = |entry: &Entry| {
            *entry.key() == *self.key
                && entry.is_selected_by(&head.fields, &self.rules.normal)
                && (holds(entry, head, self.now_ms) || may_be_joined(entry))
                && cache.verdict(entry) != Verdict::Gone
        };
        match cache.read(self.hash, is_wanted).await {
            None => Looked::Miss(forward, None),
            Some(entry) if !holds(&entry, head, self.now_ms) => Looked::Miss(Forward::Partial, None),
            Some(entry) => self.judge(entry, course),
        }
    }

    /// What the fetch of another stored between the look and the boarding: all that is wanted, and to be reused.
    pub(super) fn landed_meanwhile(
        &self,
        course: &Course<'_>,
        head: &RequestHead,
        known: Option<&Arc<Entry>>,
    ) -> Option<(Arc<Entry>, Reuse)> {
        let entry = self.rules.cache.memory.find(self.hash, |entry| {
            let is_wanted = *entry.key() == *self.key
                && entry.is_selected_by(&head.fields, &self.rules.normal)
                && holds(entry, head, self.now_ms);
            is_wanted.then(|| Arc::clone(entry))
        })?;
        if known.is_some_and(|known| Arc::ptr_eq(known, &entry)) {
            return None;
        }
        match self.judge(entry, course) {
            Looked::Hit(entry, reuse) => Some((entry, reuse)),
            _ => None,
        }
    }

    /// What may be done with the stored response that the request selects.
    fn judge(&self, entry: Arc<Entry>, course: &Course<'_>) -> Looked {
        let reuse = match self.rules.cache.verdict(&entry) {
            Verdict::Gone => return Looked::Miss(Forward::UriMiss, None),
            // Another member may have heard of a purge that this one has not.
            _ if !course.held.generation.snapshot.may_reuse() => Reuse::Validate(IfFailed::Unusable),
            Verdict::Stale if entry.life.forbids_stale => Reuse::Validate(IfFailed::Unusable),
            // A soft purge makes stale what the operator would still rather have than nothing.
            Verdict::Stale => Reuse::Validate(IfFailed::IfError),
            Verdict::Lives => may_reuse(&entry.life, &self.directives, self.now_ms),
        };
        match reuse {
            Reuse::Validate(if_failed) => {
                let is_fresh = entry.life.ttl(self.now_ms) > 0 && !entry.life.no_cache;
                let forward = if is_fresh { Forward::Request } else { Forward::Stale };
                Looked::Miss(forward, Some(Stale { entry, if_failed }))
            }
            reuse => Looked::Hit(entry, reuse),
        }
    }
}

/// Whether the stored content has what is asked for (RFC 9111 §3.3).
pub(super) fn holds(entry: &Entry, head: &RequestHead, now_ms: u64) -> bool {
    matches!(entry.content(), Content::Whole(_)) || is_part_of(entry, head, now_ms)
}

/// The scope with what a trusted peer says of how its client came: backends make links and redirects of it.
fn told(scope: &str, secret: &Secret, fields: &Fields) -> Option<String> {
    const NAMES: [FieldName; 3] = [FieldName::XForwardedProto, FieldName::XForwardedHost, FieldName::XForwardedPort];
    let mut told = Vec::new();
    let mut tell = |number: usize, value: &[u8]| {
        told.push(number as u8);
        told.extend_from_slice(value);
        told.push(b'\n');
    };
    for (number, name) in NAMES.into_iter().enumerate() {
        fields.all(name).for_each(|value| tell(number, value));
    }
    let mut way = Vec::new();
    fields.all(FieldName::Forwarded).for_each(|value| push_way(value, &mut way));
    if !way.is_empty() {
        tell(NAMES.len(), &way);
    }
    for (_, text, value) in fields.iter().filter(|(name, ..)| *name == FieldName::Other) {
        if let Some(at) = TOLD.iter().position(|listed| is_alike(listed, text)) {
            tell(NAMES.len() + 1 + at, value);
        }
    }
    (!told.is_empty()).then(|| format!("{scope}~{:032x}", secret.hash(&told)))
}

/// What else proxies write of how a client came.
const TOLD: [&[u8]; 8] = [
    b"x-forwarded-scheme",
    b"x-forwarded-ssl",
    b"x-forwarded-protocol",
    b"x-forwarded-server",
    // In disguise.
    b"x-forwarded-proto",
    b"x-forwarded-host",
    b"x-forwarded-port",
    b"front-end-https",
];

/// Requests in which something counts that no key holds: what they get is theirs alone.
fn why_not(head: &RequestHead, length: Length) -> Option<&'static str> {
    // RFC 9110 §9.3.1: content in a GET has no meaning, and some backends read it all the same.
    if !matches!(length, Length::None | Length::Known(0)) || !head.protocol.is_empty() {
        return Some("content");
    }
    let fields = &head.fields;
    let is_override = |(name, text, _): (FieldName, &[u8], &[u8])| {
        // Most fields are out by their first letter or their length.
        name == FieldName::Other
            && matches!(text, [b'x' | b'X', b'-' | b'_', ..])
            && OVERRIDES.iter().any(|listed| is_alike(listed, text))
    };
    fields.iter().any(is_override).then_some("override")
}

/// Fields by which frameworks let a client change the method, the target or the host.
const OVERRIDES: [&[u8]; 11] = [
    b"x-http-method-override",
    b"x-http-method",
    b"x-method-override",
    b"x-original-url",
    b"x-rewrite-url",
    b"x-original-uri",
    b"x-forwarded-prefix",
    b"x-forwarded-path",
    b"x-host",
    b"x-original-host",
    b"x-http-host-override",
];

/// A client that has just written reads what it wrote.
fn writes(course: &Course<'_>, route: Option<&Route>, fields: &Fields) -> Option<&'static str> {
    match &route?.action {
        config::Action::ReadWrite { read_your_writes: Some(ttl), .. }
            if wrote_recently(fields, course.worker.clock.date().unix(), *ttl) =>
        {
            Some("read-your-writes")
        }
        _ => None,
    }
}
