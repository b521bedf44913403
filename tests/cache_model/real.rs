//! The parts of Weir's cache that know neither sockets nor clocks, put together as `exchange::reuse` does.

use super::step::{Answer, Decision, Good, Kept, Learnt, Lines, ORIGIN, Outcome, Request};
use std::sync::Arc;
use weir::cache::entry::{Content, Entry, Make};
use weir::cache::key::{KeyRules, Secret, push_key, push_origin, push_target};
use weir::cache::memory::Memory;
use weir::cache::purge::{Marks, Mode, Purges, Verdict, What};
use weir::cache::record;
use weir::http::{
    Allowed, Asked, Defaults, FieldName, Fields, IfFailed, Life, Method, Normal, Overheard, RequestDirectives,
    RequestHead, ResponseDirectives, Reuse, Scheme, Tag, Times, freshened, is_renewed_by, may_reuse, overheard,
    push_selecting, same_origin_target, selected, storable, strip_unstored, tags,
};

pub(crate) struct Real {
    secret: Secret,
    memory: Memory<Entry>,
    purges: Purges,
}

/// What a request asks.
struct Question {
    head: RequestHead,
    key: Vec<u8>,
    hash: u128,
    directives: RequestDirectives,
}

impl Question {
    fn of(request: &Request, secret: &Secret) -> Question {
        let method = match request.method {
            "GET" => Method::Get,
            "HEAD" => Method::Head,
            "OPTIONS" => Method::Options,
            "POST" => Method::Post,
            _ => Method::Put,
        };
        let (target, authority) = (request.target.into(), b"a".to_vec());
        let head = RequestHead { method, target, authority, fields: fields(&request.fields), ..RequestHead::default() };
        let mut key = Vec::new();
        push_key(&head, b"", &KeyRules::default(), &mut key);
        Question { hash: secret.hash(&key), directives: RequestDirectives::of(&head.fields), key, head }
    }
}

fn fields(lines: &Lines) -> Fields {
    let mut fields = Fields::default();
    lines.iter().for_each(|(name, value)| fields.push(name.as_bytes(), value.as_bytes()));
    fields
}

/// As `FetchReply::outdates`, for the statuses that are drawn.
fn outdates(status: u16, stale: &Entry, now: u64) -> bool {
    match status {
        404 | 410 => true,
        200..400 => may_reuse(&stale.life, &RequestDirectives::default(), now * 1000) != Reuse::Fresh,
        _ => false,
    }
}

impl Real {
    pub(crate) fn new() -> Real {
        let secret = Secret([7; 16]);
        Real { secret, memory: Memory::new(MEMORY_BYTES, VARIANTS_MAX), purges: Purges::new(secret) }
    }

    pub(crate) fn purge(&mut self, what: &What, mode: Mode) {
        let _ = self.purges.purge(what, mode);
    }

    pub(crate) fn ask(&mut self, request: &Request, answer: &Answer, now: u64, body: u64) -> Outcome {
        let question = Question::of(request, &self.secret);
        let mut outcome = Outcome { decision: Decision::Pass, served: None, is_saved: false, learnt: Learnt::Nothing };
        if !matches!(question.head.method, Method::Get | Method::Head) {
            self.pass(&question, answer);
            return outcome;
        }
        let found = self.memory.find(question.hash, |entry| {
            let is_it =
                *entry.key() == *question.key && entry.is_selected_by(&question.head.fields, &Normal::default());
            is_it.then(|| Arc::clone(entry))
        });
        let found = found.and_then(|entry| self.judge(entry, &question, now));
        match found {
            Some((entry, Reuse::Validate(if_failed))) => {
                outcome.decision = self.validates(&entry, if_failed, &question);
                if outcome.decision == Decision::Pass {
                    outcome.learnt = self.overhear(&question, answer, now);
                }
                if let Decision::Validate { if_failed, .. } = outcome.decision {
                    if if_failed.covers(answer) {
                        (outcome.served, outcome.is_saved) = (Some(shown(&entry, now)), true);
                    } else {
                        outcome.learnt = self.fetch(Some(&entry), &question, answer, now, body);
                    }
                }
            }
            Some((entry, reuse)) => {
                outcome.served = Some(shown(&entry, now));
                outcome.decision = match reuse {
                    Reuse::Fresh => Decision::Fresh,
                    Reuse::WhileRevalidate => Decision::WhileRevalidate,
                    _ => Decision::Stale,
                };
                if reuse == Reuse::WhileRevalidate && !Good::Errors.covers(answer) {
                    outcome.learnt = self.fetch(Some(&entry), &question, answer, now, body);
                }
            }
            None => {
                outcome.decision = misses(&question).unwrap_or(Decision::Fetch);
                if outcome.decision == Decision::Pass {
                    outcome.learnt = self.overhear(&question, answer, now);
                }
                if outcome.decision == Decision::Fetch {
                    outcome.learnt = self.fetch(None, &question, answer, now, body);
                }
            }
        }
        outcome
    }

    /// As `Question::judge`.
    fn judge(&self, entry: Arc<Entry>, question: &Question, now: u64) -> Option<(Arc<Entry>, Reuse)> {
        let tags = entry.tags();
        let reuse = match self.purges.judge(&Marks { born: entry.born, url: entry.url(), tags: &tags }) {
            Verdict::Gone => return None,
            Verdict::Stale if entry.life.forbids_stale => Reuse::Validate(IfFailed::Unusable),
            Verdict::Stale => Reuse::Validate(IfFailed::IfError),
            Verdict::Lives => may_reuse(&entry.life, &question.directives, now * 1000),
        };
        Some((entry, reuse))
    }

    fn validates(&self, entry: &Entry, if_failed: IfFailed, question: &Question) -> Decision {
        let text = |value: Option<&[u8]>| value.map(|value| String::from_utf8(value.to_vec()).unwrap());
        misses(question).unwrap_or_else(|| Decision::Validate {
            etag: text(entry.etag()),
            modified: text(entry.last_modified()),
            if_failed: match if_failed {
                IfFailed::Unusable => Good::Nothing,
                IfFailed::IfDisconnected => Good::NobodyThere,
                IfFailed::IfError => Good::Errors,
            },
        })
    }

    /// As `FetchReply::receive`.
    fn fetch(&self, stale: Option<&Arc<Entry>>, question: &Question, answer: &Answer, now: u64, body: u64) -> Learnt {
        if answer.is_down {
            return Learnt::Nothing;
        }
        let mut learnt = Learnt::Nothing;
        let answered = now + answer.delay;
        let times = Times { asked_ms: now * 1000, answered_ms: answered * 1000 };
        if let Some(stale) = stale.filter(|stale| answer.not_modified && stale.has_validator()) {
            let later = fields(&answer.later(answered));
            if is_renewed_by(&stale.validators(), &later) {
                self.freshen(stale, &later, question, times);
                return Learnt::Nothing;
            }
            self.invalidate(question.hash, &question.key);
            learnt = Learnt::NotIt;
        }
        let head = fields(&answer.fields(answered));
        let directives = ResponseDirectives::of(&head);
        match self.stored(question, answer.status, &head, &directives, times) {
            Some((kept, life)) => {
                let mut selecting = Vec::new();
                push_selecting(&head, &question.head.fields, &Normal::default(), &mut selecting);
                let content = Content::Whole(body.to_le_bytes().into());
                self.keep(self.entry(question, answer.status, &kept, life, content, &selecting));
            }
            None => {
                if let Some(stale) = stale.filter(|stale| outdates(answer.status, stale, now)) {
                    self.memory.remove(stale.hash, |entry| std::ptr::eq(entry, &**stale));
                }
            }
        }
        learnt
    }

    /// As `Stow::storing`.
    fn stored(
        &self,
        question: &Question,
        status: u16,
        head: &Fields,
        directives: &ResponseDirectives,
        times: Times,
    ) -> Option<(Fields, Life)> {
        let authorized = question.head.fields.has(FieldName::Authorization);
        let asked = Asked { method: &Method::Get, directives: question.directives, authorized, ranged: false };
        storable(&asked, status, head, directives, Allowed::default()).ok()?;
        let mut kept = head.clone();
        strip_unstored(&mut kept, directives);
        let life = Life::of(status, head, directives, &DEFAULTS, times);
        let has_validator = kept.has(FieldName::ETag) || kept.has(FieldName::LastModified);
        (life.ends_ms() > times.answered_ms || has_validator).then_some((kept, life))
    }

    /// As `Stow::overhear`.
    fn overhear(&self, question: &Question, answer: &Answer, now: u64) -> Learnt {
        let mut learnt = Learnt::Nothing;
        let is_heard = question.head.method == Method::Head && !question.directives.no_store;
        if !is_heard || answer.is_down || answer.status != 200 {
            return learnt;
        }
        let answered = now + answer.delay;
        let times = Times { asked_ms: now * 1000, answered_ms: answered * 1000 };
        let head = fields(&answer.of_head(answered));
        for entry in self.memory.variants(question.hash) {
            let tags = entry.tags();
            let marks = Marks { born: entry.born, url: entry.url(), tags: &tags };
            let is_chosen = entry.is_selected_by(&question.head.fields, &Normal::default());
            if !is_chosen || self.purges.judge(&marks) == Verdict::Gone {
                continue;
            }
            match overheard(&entry.validators(), entry.status, entry.complete(), &head) {
                Overheard::Renews => {
                    learnt = Learnt::Renewed;
                    if !self.freshen(&entry, &head, question, times) {
                        break;
                    }
                }
                Overheard::Outdates => {
                    learnt = Learnt::Outdated;
                    self.keep(entry.with(entry.life.outdated(answered * 1000), Entry::content_of(&entry)));
                }
            }
        }
        learnt
    }

    /// As `Stow::freshen`.
    fn freshen(&self, stale: &Arc<Entry>, new: &Fields, question: &Question, times: Times) -> bool {
        let merged = freshened(&stale.fields(), new, &ResponseDirectives::of(new));
        let directives = ResponseDirectives::of(&merged);
        let mut dated = merged.clone();
        dated.remove(FieldName::Age);
        if let Some(age) = new.get(FieldName::Age) {
            dated.push_known(FieldName::Age, age);
        }
        let (mut selecting, normal) = (Vec::new(), Normal::default());
        push_selecting(&merged, &question.head.fields, &normal, &mut selecting);
        let varies_anew = selecting != selected(stale.selecting(), &question.head.fields, &normal);
        let selecting = if varies_anew { selecting } else { stale.selecting().to_vec() };
        let stored = self.stored(question, stale.status, &dated, &directives, times);
        if stored.is_none() || varies_anew {
            self.invalidate(question.hash, &question.key);
        }
        let is_kept = stored.is_some();
        if let Some((kept, life)) = stored {
            self.keep(self.entry(question, stale.status, &kept, life, Entry::content_of(stale), &selecting));
        }
        is_kept
    }

    /// As `Stow::entry`; then written down and read back, as the disk tier does.
    fn entry(
        &self,
        question: &Question,
        status: u16,
        fields: &Fields,
        life: Life,
        content: Content,
        selecting: &[u8],
    ) -> Entry {
        let name = |tag: &Tag| match tag {
            Tag::Own(name) | Tag::Group(name) => self.purges.tag(name),
        };
        let tags: Vec<u64> = tags(fields).iter().map(name).collect();
        let made = Entry::make(Make {
            hash: question.hash,
            variant: if selecting.is_empty() { 0 } else { self.secret.hash64(selecting) },
            key: &question.key,
            url_at: 0,
            selecting,
            tags: &tags,
            status,
            fields,
            life,
            born: self.purges.generation(),
            content,
        });
        let content = made.whole().unwrap().into();
        record::decode(&record::encode(&made).unwrap(), content, made.hash).unwrap()
    }

    /// As `Stow::keep`.
    fn keep(&self, entry: Entry) {
        let (key, selecting) = (entry.key().to_vec(), entry.selecting().to_vec());
        let is_same = |old: &Entry| *old.key() == *key && *old.selecting() == *selecting;
        let inserted = self.memory.insert(Arc::new(entry), is_same);
        assert!(inserted.is_held() && inserted.evicted.is_empty() && inserted.dropped.is_empty());
    }

    /// As `Forwarded::respond`.
    fn pass(&self, question: &Question, answer: &Answer) {
        if question.head.method.is_safe() || answer.is_down || !(200..400).contains(&answer.status) {
            return;
        }
        self.invalidate(question.hash, &question.key);
        let location = fields(&answer.fields).get(FieldName::Location).map(<[u8]>::to_vec);
        if let Some(target) = location.and_then(|value| same_origin_target(&value, &question.key)) {
            let mut key = Vec::new();
            push_origin(Scheme::Http, b"a", &mut key);
            push_target(&target, &KeyRules::default(), &mut key);
            self.invalidate(self.secret.hash(&key), &key);
        }
    }

    fn invalidate(&self, hash: u128, key: &[u8]) {
        self.memory.remove(hash, |entry| *entry.key() == *key);
    }

    pub(crate) fn kept(&self) -> Vec<Kept> {
        let mut all = Vec::new();
        for target in ["/x", "/x?q", "/y"] {
            let hash = self.secret.hash(format!("{ORIGIN}{target}").as_bytes());
            all.extend(self.memory.variants(hash).iter().map(|entry| kept(target, entry)));
        }
        all.sort();
        all
    }
}

fn kept(target: &str, entry: &Entry) -> Kept {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let mut fields: Vec<_> = entry.fields().iter().map(|(_, name, value)| (text(name), text(value))).collect();
    fields.sort();
    Kept { target: target.to_owned(), status: entry.status, body: body(entry), fields }
}

fn body(entry: &Entry) -> u64 {
    u64::from_le_bytes(entry.whole().unwrap().try_into().unwrap())
}

fn shown(entry: &Entry, now: u64) -> (u16, u64, u64) {
    (entry.status, body(entry), entry.life.age_ms(now * 1000) / 1000)
}

/// As `Course::miss`: what is not asked of a backend for all.
fn misses(question: &Question) -> Option<Decision> {
    match () {
        () if question.directives.only_if_cached => Some(Decision::Refuse),
        () if question.head.method != Method::Get || question.directives.no_store => Some(Decision::Pass),
        () => None,
    }
}

/// Nothing is let go for want of room here.
const MEMORY_BYTES: usize = 4 << 20;
const VARIANTS_MAX: usize = 64;

/// As a configuration has them that says nothing.
const DEFAULTS: Defaults =
    Defaults { ttl: None, stale_while_revalidate: 0, stale_if_error: 0, stale_if_disconnected: 600 };
