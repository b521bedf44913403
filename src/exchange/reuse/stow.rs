//! From a response to what is stored of it.

use super::Failure;
use super::forward::origin;
use crate::cache::entry::{Content, Entry, Make, Parts};
use crate::cache::flight::Flights;
use crate::cache::memory::Refused;
use crate::cache::purge::Verdict;
use crate::cache::search::keyed;
use crate::config::{self, CacheId};
use crate::exchange::Worker;
use crate::exchange::worker::Held;
use crate::http::{
    Allowed, Asked, ContentRange, FieldName, Fields, Length, Life, Method, NO_VARY_SEARCH, NoVarySearch, Overheard,
    RequestDirectives, ResponseDirectives, ResponseHead, Reuse, Scheme, Times, Unstorable, freshened, is_heuristic,
    is_strong, may_reuse, overheard, parse_content_range, push_selecting, selected, storable, strip_content_digests,
    strip_unstored, tags,
};
use crate::live::{CacheRules, LiveCache, Tier, cache_defaults};
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

/// What is known of a request when its response is to be stored.
pub(super) struct Stow {
    pub(super) worker: Rc<Worker>,
    pub(super) held: Rc<Held>,
    pub(super) cache: CacheId,
    pub(super) key: Vec<u8>,
    /// The key with the query as it came, where that is another.
    pub(super) raw: Option<Vec<u8>>,
    pub(super) url_at: usize,
    pub(super) hash: u128,
    pub(super) method: Method,
    pub(super) scheme: Scheme,
    pub(super) authority: Vec<u8>,
    /// What the client sent, which variants are told apart by.
    pub(super) asked: Fields,
    pub(super) directives: RequestDirectives,
    /// The backend is asked for a range.
    pub(super) ranged: bool,
    /// Weir itself let this client in by what it is: to RFC 9111 §3.5 that is Authorization, whatever of it goes on.
    pub(super) personal: bool,
    /// The generation of purges at which it began.
    pub(super) born: u64,
    pub(super) asked_ms: u64,
}

/// A response that is to be stored once its content is complete.
pub(super) struct Storing {
    /// As it will be stored, without content.
    pub(super) entry: Entry,
    /// Which bytes of the whole it has, and how long that is.
    part: Option<(Range<u64>, u64)>,
    pub(super) length: Length,
    room: Room,
}

/// Whether there is room for a response, as it is said to those who wait for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Room {
    /// There is, in memory.
    Promised,
    /// The disk takes it; or it is seen at the end, as nobody knows how long the content is.
    Open,
    /// There is none for what was asked for once.
    Refused,
}

impl Storing {
    /// Why it is not stored, although it may be.
    pub(super) fn why_not(&self) -> Option<Unstorable> {
        (self.room == Room::Refused).then_some(Unstorable::AskedOnce)
    }
}

impl Stow {
    pub(super) fn rules(&self) -> &CacheRules {
        &self.held.generation.snapshot.caches[self.cache.0]
    }

    pub(super) fn config(&self) -> &config::Cache {
        &self.held.generation.snapshot.config.caches[self.cache.0]
    }

    pub(super) fn cache(&self) -> &Arc<LiveCache> {
        &self.rules().cache
    }

    pub(super) fn flights(&self) -> &Arc<Flights<Failure>> {
        &self.held.generation.flights[self.cache.0]
    }

    /// The key with the query as it came: under which key the response is stored, it says itself.
    pub(super) fn raw(&self) -> &[u8] {
        self.raw.as_ref().unwrap_or(&self.key)
    }

    /// Whether a response may be stored, and as what.
    pub(super) fn storing(
        &self,
        head: &ResponseHead,
        length: Length,
        directives: &ResponseDirectives,
    ) -> Result<Storing, Unstorable> {
        let config = self.config();
        self.may_store(head.status, &head.fields, directives)?;
        // What a range met with is nothing for those who ask for the whole (RFC 9110 §15.5.17).
        if self.ranged && !matches!(head.status, 200 | 206) {
            return Err(Unstorable::Partial);
        }
        if matches!(length, Length::Known(bytes) if bytes > config.max_object) {
            return Err(Unstorable::TooLarge);
        }
        let part = if head.status == 206 { Some(part(&head.fields).ok_or(Unstorable::Partial)?) } else { None };
        let mut fields = head.fields.clone();
        strip_unstored(&mut fields, directives);
        if part.is_some() {
            fields.remove(FieldName::ContentRange);
            strip_content_digests(&mut fields);
        }
        let times = Times { asked_ms: self.asked_ms, answered_ms: self.worker.now_ms() };
        let life = Life::of(head.status, &head.fields, directives, &cache_defaults(config, head.status), times);
        if life.ends_ms() <= times.answered_ms && !has_validator(&fields) {
            return Err(Unstorable::NoFreshness);
        }
        let mut selecting = Vec::new();
        push_selecting(&head.fields, &self.asked, &self.rules().normal, &mut selecting);
        let mut key = self.raw().to_vec();
        let secret = &self.cache().secret;
        let rule = NoVarySearch::parse(head.fields.named(NO_VARY_SEARCH));
        self.cache().searches.learn(&rule, &mut key, self.url_at, |path| secret.hash(path));
        let status = if part.is_some() { 200 } else { head.status };
        let entry = self.entry(&key, status, &fields, life, Content::Pending, &selecting);
        let room = self.room(&entry, length)?;
        Ok(Storing { entry, part, length, room })
    }

    /// Whether others are to wait for fetches of this key: not where each has to validate what comes.
    pub(super) fn remember(&self, life: &Life) {
        let unstored = &self.cache().unstored;
        match self.reuse(life) {
            Reuse::Validate(_) => unstored.note(self.hash, self.worker.now_ms()),
            _ => unstored.forget(self.hash),
        }
    }

    /// A response with that status is not stored: counts it, and remembers that others are not to wait, unless it is due to this
    /// request alone.
    pub(super) fn remember_unstored(&self, status: u16, why: Unstorable) {
        self.worker.metrics.unstored(&self.rules().metrics, why);
        if why != Unstorable::Authorization && !self.ranged && !is_by_request(status) {
            self.cache().unstored.note(self.hash, self.worker.now_ms());
        }
    }

    /// What one who wants nothing in particular could do with what has such a life, when this was asked for.
    pub(super) fn reuse(&self, life: &Life) -> Reuse {
        may_reuse(life, &RequestDirectives::default(), self.asked_ms)
    }

    fn room(&self, entry: &Entry, length: Length) -> Result<Room, Unstorable> {
        let content = match length {
            Length::Known(bytes) => bytes,
            Length::None => 0,
            Length::Unknown | Length::Tunnel => return Ok(Room::Open),
        };
        match self.cache().room_for(entry, content) {
            Ok(Tier::Memory) => Ok(Room::Promised),
            Ok(Tier::Disk) => Ok(Room::Open),
            Err(Refused::AskedOnce) => Ok(Room::Refused),
            Err(Refused::TooLarge) => Err(Unstorable::TooLarge),
        }
    }

    /// Whether a response is longer, as it comes, than one may be that is stored.
    pub(super) fn is_too_large(&self, storing: &Storing, taken: u64) -> bool {
        taken > self.config().max_object || !self.cache().may_hold(&storing.entry, taken)
    }

    pub(super) fn entry(
        &self,
        key: &[u8],
        status: u16,
        fields: &Fields,
        life: Life,
        content: Content,
        selecting: &[u8],
    ) -> Entry {
        let secret = &self.cache().secret;
        let origin = origin(self.scheme, &self.authority);
        let mut hashes = Vec::new();
        tags(fields).iter().for_each(|tag| self.cache().push_tag(&origin, tag, &mut hashes));
        Entry::make(Make {
            hash: if *key == *self.key { self.hash } else { secret.hash(key) },
            variant: if selecting.is_empty() { 0 } else { secret.hash64(selecting) },
            key,
            url_at: self.url_at,
            selecting,
            tags: &hashes,
            status,
            fields,
            life,
            born: self.born,
            content,
        })
    }

    /// RFC 9111 §4.3.4: what was validated goes on with its content. The error is the same for one who may have it alone: by
    /// what the 304 says it may not be stored any more, and is let go.
    pub(super) fn freshen(
        &self,
        stale: &Arc<Entry>,
        head: &ResponseHead,
        is_barred: impl Fn() -> bool,
    ) -> Result<Arc<Entry>, Arc<Entry>> {
        let merged = freshened(&stale.all_fields(), &head.fields, &ResponseDirectives::of(&head.fields));
        let directives = ResponseDirectives::of(&merged);
        let times = Times { asked_ms: self.asked_ms, answered_ms: self.worker.now_ms() };
        let mut dated = merged.clone();
        // RFC 9111 §4.2.3: the age is that of the validation, whatever Age the stored response had.
        dated.remove(FieldName::Age);
        if let Some(age) = head.fields.get(FieldName::Age) {
            dated.push_known(FieldName::Age, age);
        }
        let defaults = cache_defaults(self.config(), stale.status);
        let life = Life::of(stale.status, &dated, &directives, &defaults, times);
        let content = Entry::content_of(stale);
        let (selecting, varies_anew) = self.selecting(stale, &merged);
        let entry = self.entry(stale.key(), stale.status, &merged, life, content, &selecting);
        let may = self.may_store(stale.status, &merged, &directives);
        // What is due to this request alone leaves it to the others.
        if may.is_err_and(|why| why != Unstorable::Authorization) || (may.is_ok() && varies_anew) {
            self.cache().invalidate(stale.hash, stale.key());
        }
        if let Err(why) = may {
            self.worker.metrics.unstored(&self.rules().metrics, why);
            return Err(Arc::new(entry.because(why)));
        }
        let entry = Arc::new(entry);
        if !is_barred() {
            // Who waits is told that it is stored: it was, and has room.
            self.keep(Arc::clone(&entry), true);
        }
        Ok(entry)
    }

    /// RFC 9111 §4.3.5: what a response to HEAD says of the stored responses that the request selects.
    pub(super) fn overhear(&self, head: &ResponseHead) {
        let rule = || NoVarySearch::parse(head.fields.named(NO_VARY_SEARCH));
        let is_of_another = |raw: &Vec<u8>| keyed(&rule(), raw, self.url_at) != self.key;
        if head.status != 200 || self.raw.as_ref().is_some_and(is_of_another) {
            return;
        }
        let cache = self.cache();
        for entry in cache.memory.variants(self.hash) {
            let is_chosen = *entry.key() == *self.key && entry.is_selected_by(&self.asked, &self.rules().normal);
            if !is_chosen || cache.verdict(&entry) == Verdict::Gone {
                continue;
            }
            match overheard(&entry.validators(), entry.status, entry.complete(), &head.fields) {
                Overheard::Renews => {
                    // What may be stored no more is gone by then, with all that is stored of it.
                    if self.freshen(&entry, head, || false).is_err() {
                        return;
                    }
                }
                Overheard::Outdates => {
                    let life = entry.life.outdated(self.worker.now_ms());
                    self.keep(Arc::new(entry.with(life, Entry::content_of(&entry))), false);
                }
            }
        }
    }

    /// The selecting fields of what was validated; whether they are of other names than before, which is the request's then.
    fn selecting(&self, stale: &Entry, merged: &Fields) -> (Vec<u8>, bool) {
        let normal = &self.rules().normal;
        let mut now = Vec::new();
        push_selecting(merged, &self.asked, normal, &mut now);
        match now == selected(stale.selecting(), &self.asked, normal) {
            true => (stale.selecting().to_vec(), false),
            false => (now, true),
        }
    }

    /// RFC 9111 §3
    fn may_store(&self, status: u16, fields: &Fields, directives: &ResponseDirectives) -> Result<(), Unstorable> {
        let config = self.config();
        let asked = Asked {
            method: &self.method,
            directives: self.directives,
            authorized: self.personal || self.asked.has(FieldName::Authorization),
            ranged: self.ranged,
        };
        let allowed = Allowed { ttl: config.ttl(status).is_some(), set_cookie: config.set_cookie };
        storable(&asked, status, fields, directives, allowed)?;
        if varies_by_ours(fields) { Err(Unstorable::VaryAll) } else { Ok(()) }
    }

    /// Stores a response that is complete, unless what it is of was changed meanwhile.
    pub(super) fn store(&self, storing: Storing, whole: Box<[u8]>, is_barred: impl Fn() -> bool) {
        let content = match storing.part {
            None => Some(Content::Whole(whole)),
            // What is longer than it says is no part of anything; what is shorter is as much of it (RFC 9111 §3.3).
            Some((range, _)) if range.end - range.start < whole.len() as u64 => None,
            Some((range, complete)) => self.combined(&storing.entry, range.start, complete, whole),
        };
        if let Some(content) = content.filter(|_| !is_barred()) {
            let entry = storing.entry.with(storing.entry.life, content);
            self.keep(Arc::new(entry), storing.room == Room::Promised);
        }
    }

    /// Stores the beginning of a response that was given up, as the part that it is (RFC 9111 §3.3): where a strong validator says
    /// what it may be put together with.
    pub(super) fn store_begun(&self, storing: Storing, begun: Box<[u8]>, is_barred: impl Fn() -> bool) {
        let Storing { entry, part, length, .. } = &storing;
        let (first, last, complete) = match (part, length) {
            (Some((range, complete)), _) => (range.start, range.end, *complete),
            (None, Length::Known(complete)) => (0, *complete, *complete),
            (None, _) => return,
        };
        // A digest is of all the content that there was to be.
        let may_be_joined = entry.status == 200 && entry.etag().is_some_and(is_strong) && !has_digest(&entry.fields());
        let end = first.saturating_add(begun.len() as u64);
        if may_be_joined && !self.has_whole(entry) && !begun.is_empty() && end <= last {
            self.store(Storing { part: Some((first..end, complete)), ..storing }, begun, is_barred);
        }
    }

    /// Whether a whole is stored in its place, which may stand in for a backend that fails: worth more than the beginning of what
    /// comes after it.
    fn has_whole(&self, entry: &Entry) -> bool {
        self.cache().memory.variants(entry.hash).iter().any(|old| {
            old.is_same_variant(entry) && old.whole().is_some() && self.cache().verdict(old) != Verdict::Gone
        })
    }

    /// Whether what is fresh is stored in its place.
    pub(super) fn has_fresh(&self, entry: &Entry) -> bool {
        let now_ms = self.worker.now_ms();
        let is_fresh = |old: &Entry| old.life.ttl(now_ms) > 0 && self.cache().verdict(old) == Verdict::Lives;
        self.cache().memory.variants(entry.hash).iter().any(|old| old.is_same_variant(entry) && is_fresh(old))
    }

    /// RFC 9111 §3.4: parts of the same representation, by a strong validator, become one. `None`: nothing of it is kept.
    fn combined(&self, entry: &Entry, first: u64, complete: u64, part: Box<[u8]>) -> Option<Content> {
        let before = self.cache().memory.variants(entry.hash).into_iter().find(|old| self.is_of_same(old, entry));
        // Sizes are rounded up to those that the allocator has.
        let in_memory = self.cache().memory.largest().saturating_sub(entry.bytes_with(0)) as u64 / 4 * 3;
        let room_bytes = self.config().max_object.min(in_memory);
        let mut content = match before.as_ref().map(|old| (old, old.content())) {
            // The whole came meanwhile.
            Some((old, Content::Whole(bytes))) if bytes.len() as u64 == complete => Some(Entry::content_of(old)),
            Some((_, Content::Parts(parts))) => Parts::with(Some(parts), complete, (first, part.into()), room_bytes),
            _ => Parts::with(None, complete, (first, part.into()), room_bytes),
        };
        if let (Some(Content::Parts(parts)), Some(old)) = (&mut content, &before)
            && !(entry.life.contains(&old.life) && entry.tags() == old.tags())
        {
            // What is on the disk would be used, or outlive a purge, where this may not.
            parts.become_due();
        }
        content
    }

    /// Whether what is stored is of the same representation, and was not purged.
    fn is_of_same(&self, old: &Entry, entry: &Entry) -> bool {
        let coding = |entry: &Entry| entry.fields().get(FieldName::ContentEncoding).map(<[u8]>::to_vec);
        old.is_same_variant(entry)
            && old.status == entry.status
            && entry.etag().is_some_and(|etag| is_strong(etag) && old.etag() == Some(etag))
            && coding(old) == coding(entry)
            && self.cache().verdict(old) != Verdict::Gone
    }

    /// Puts an entry in the place of the one for the same variant; `promised`: that was said already.
    fn keep(&self, entry: Arc<Entry>, promised: bool) {
        let (metrics, counters) = (&self.worker.metrics, &self.rules().metrics);
        let is_on_disk = self.cache().write_down(&entry);
        let inserted = self.cache().put(&entry, promised);
        match inserted.refused.filter(|_| !is_on_disk) {
            None => metrics.stored(counters, inserted.evicted.len(), inserted.dropped.len()),
            Some(Refused::TooLarge) => metrics.unstored(counters, Unstorable::TooLarge),
            Some(Refused::AskedOnce) => metrics.unstored(counters, Unstorable::AskedOnce),
        }
    }
}

/// The bytes of a part and how many the whole has.
fn part(fields: &Fields) -> Option<(Range<u64>, u64)> {
    let ContentRange { range, complete } = parse_content_range(fields.get(FieldName::ContentRange)?)?;
    Some((range, complete?))
}

/// Whether such a response, not stored, is the request's own fault, or a passing one: it says nothing of what others get.
fn is_by_request(status: u16) -> bool {
    status >= 400 && !is_heuristic(status)
}

fn has_digest(fields: &Fields) -> bool {
    let mut without = fields.clone();
    strip_content_digests(&mut without);
    without.iter().count() < fields.iter().count()
}

fn has_validator(fields: &Fields) -> bool {
    fields.has(FieldName::ETag) || fields.has(FieldName::LastModified)
}

/// Vary by what Weir itself tells the backend of a client: there would be as many variants as clients.
fn varies_by_ours(fields: &Fields) -> bool {
    fields.members(FieldName::Vary).any(|member| {
        matches!(
            FieldName::of(member),
            FieldName::XForwardedFor | FieldName::Forwarded | FieldName::XRequestId | FieldName::Via
        )
    })
}
