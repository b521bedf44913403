//! A shared cache by the letter of RFC 9111: a list of responses as they were received, everything worked out anew from
//! their fields at each request. It knows nothing of the rules in `weir::http`.

use super::step::{Answer, Decision, Good, Kept, LENGTH, Learnt, Lines, ORIGIN, Outcome, Request};
use weir::cache::purge::{Mode, What};

#[derive(Default)]
pub(crate) struct Naive {
    /// Newest first.
    stored: Vec<Stored>,
    purges: Vec<(What, Mode)>,
}

#[derive(Clone)]
struct Stored {
    target: &'static str,
    status: u16,
    body: u64,
    fields: Lines,
    /// What its Vary names, in the request that it answers.
    selecting: Vec<(String, Option<String>)>,
    asked: u64,
    answered: u64,
    /// Purges that were there before.
    born: usize,
    /// When it was learnt that there is something else by now.
    outdated: Option<u64>,
}

impl Naive {
    pub(crate) fn purge(&mut self, what: &What, mode: Mode) {
        self.purges.push((what.clone(), mode));
    }

    pub(crate) fn ask(&mut self, request: &Request, answer: &Answer, now: u64, body: u64) -> Outcome {
        let mut outcome = Outcome { decision: Decision::Pass, served: None, is_saved: false, learnt: Learnt::Nothing };
        if !matches!(request.method, "GET" | "HEAD") {
            self.invalidate(request, answer);
            return outcome;
        }
        let found = self.stored.iter().find(|stored| stored.is_for(request)).cloned();
        let found = found.filter(|stored| self.purged(stored) != Some(Mode::Hard));
        let is_soft = found.as_ref().is_some_and(|stored| self.purged(stored).is_some());
        outcome.decision = found.as_ref().map_or(Decision::Fetch, |stored| stored.judge(request, is_soft, now));
        let asks = Directives::of(&request.fields, &["cache-control"]);
        match &outcome.decision {
            Decision::Validate { .. } | Decision::Fetch if asks.has("only-if-cached") => {
                outcome.decision = Decision::Refuse;
            }
            // §5.2.1.5, and HEAD has no content to be stored.
            Decision::Validate { .. } | Decision::Fetch if request.method == "HEAD" || asks.has("no-store") => {
                outcome.decision = Decision::Pass;
                if request.method == "HEAD" && !asks.has("no-store") {
                    outcome.learnt = self.overhear(request, answer, now);
                }
            }
            Decision::Fetch => outcome.learnt = self.fetch(None, request, answer, now, body),
            Decision::Validate { if_failed, .. } => {
                let stored = found.unwrap();
                if if_failed.covers(answer) {
                    // A failed attempt takes no time here.
                    (outcome.served, outcome.is_saved) = (Some(stored.shown(now)), true);
                } else {
                    outcome.learnt = self.fetch(Some(stored), request, answer, now, body);
                }
            }
            Decision::Fresh | Decision::Stale => outcome.served = found.map(|stored| stored.shown(now)),
            Decision::WhileRevalidate => {
                outcome.served = found.as_ref().map(|stored| stored.shown(now));
                if !Good::Errors.covers(answer) {
                    outcome.learnt = self.fetch(found, request, answer, now, body);
                }
            }
            Decision::Pass | Decision::Refuse => {}
        }
        outcome
    }

    /// The response to a GET comes; it may be a 304 for `stale`.
    fn fetch(&mut self, stale: Option<Stored>, request: &Request, answer: &Answer, now: u64, body: u64) -> Learnt {
        if answer.is_down {
            return Learnt::Nothing;
        }
        let answered = now + answer.delay;
        let validated =
            stale.as_ref().filter(|stored| answer.not_modified && (stored.has("etag") || stored.has("last-modified")));
        let later = answer.later(answered);
        if let Some(old) = validated.filter(|old| old.is_named_by(&later)) {
            self.renew(old, later, request, (now, answered));
            return Learnt::Nothing;
        }
        if validated.is_some() {
            // §4.3.4: it is about something else; the origin is asked for that.
            self.stored.retain(|stored| stored.target != request.target);
        }
        let new = Stored {
            target: request.target,
            status: answer.status,
            body,
            fields: answer.fields(answered),
            selecting: Vec::new(),
            asked: now,
            answered,
            born: self.purges.len(),
            outdated: None,
        };
        let new = Stored { selecting: new.varies_by(request), ..new };
        if new.may_be_stored(request) {
            self.keep(new);
        } else if let Some(old) = stale.as_ref().filter(|old| old.is_outdated_by(answer.status, now)) {
            // What is stored is not what there is now.
            self.stored.retain(|stored| stored.target != old.target || stored.selecting != old.selecting);
        }
        if validated.is_some() { Learnt::NotIt } else { Learnt::Nothing }
    }

    /// §3.2: what is stored goes on with newer fields; whether it may.
    fn renew(&mut self, old: &Stored, later: Lines, request: &Request, (asked, answered): (u64, u64)) -> bool {
        let new = old.freshened(later);
        let mut selecting = new.varies_by(request);
        let names = |selecting: &[(String, Option<String>)]| -> Vec<String> {
            selecting.iter().map(|(name, _)| name.clone()).collect()
        };
        let varies_anew = names(&old.selecting) != names(&selecting);
        if !varies_anew {
            selecting.clone_from(&old.selecting);
        }
        let new = Stored { selecting, asked, answered, born: self.purges.len(), outdated: None, ..new };
        let is_kept = new.may_be_stored(request);
        if !is_kept || varies_anew {
            self.stored.retain(|stored| stored.target != request.target);
        }
        if is_kept {
            self.keep(new);
        }
        is_kept
    }

    fn keep(&mut self, new: Stored) {
        self.stored.retain(|stored| stored.target != new.target || stored.selecting != new.selecting);
        self.stored.insert(0, new);
    }

    /// §4.3.5
    fn overhear(&mut self, request: &Request, answer: &Answer, now: u64) -> Learnt {
        let mut learnt = Learnt::Nothing;
        if answer.is_down || answer.status != 200 {
            return learnt;
        }
        let answered = now + answer.delay;
        let said = answer.of_head(answered);
        for old in self.stored.clone() {
            if !old.is_for(request) || self.purged(&old) == Some(Mode::Hard) {
                continue;
            }
            if old.agrees_with(&said) {
                learnt = Learnt::Renewed;
                let fields = said.iter().filter(|(name, _)| *name != "content-length").cloned().collect();
                if !self.renew(&old, fields, request, (now, answered)) {
                    break;
                }
            } else {
                learnt = Learnt::Outdated;
                self.keep(Stored { outdated: old.outdated.or(Some(answered)), ..old });
            }
        }
        learnt
    }

    /// §4.4
    fn invalidate(&mut self, request: &Request, answer: &Answer) {
        let is_safe = request.method == "OPTIONS";
        if is_safe || answer.is_down || !(200..400).contains(&answer.status) {
            return;
        }
        let mut targets = vec![request.target.to_owned()];
        for (_, location) in answer.fields.iter().filter(|(name, _)| *name == "location") {
            let target = location.strip_prefix(ORIGIN).unwrap_or(location);
            targets.push(target.to_owned());
        }
        self.stored.retain(|stored| !targets.iter().any(|target| *target == *stored.target));
    }

    /// The strongest of the purges since it was born that name it.
    fn purged(&self, stored: &Stored) -> Option<Mode> {
        let url = format!("{ORIGIN}{}", stored.target);
        let names = |what: &What| {
            let name = String::from_utf8(what.name().to_vec()).unwrap();
            match what {
                What::Url(_) => url == name,
                What::Prefix(_) => url.starts_with(&name),
                What::Tag(_) => stored.values("surrogate-key").any(|tags| tags.split(' ').any(|tag| tag == name)),
                What::All => true,
                What::Host(_) => false,
            }
        };
        let modes: Vec<Mode> =
            self.purges[stored.born..].iter().filter(|(what, _)| names(what)).map(|(_, mode)| *mode).collect();
        if modes.contains(&Mode::Hard) { Some(Mode::Hard) } else { modes.first().copied() }
    }

    pub(crate) fn kept(&self) -> Vec<Kept> {
        let kept = |stored: &Stored| Kept {
            target: stored.target.to_owned(),
            status: stored.status,
            body: stored.body,
            fields: sorted(stored.fields.iter().filter(|(name, _)| *name != "age" && !stored.withholds(name))),
        };
        let mut all: Vec<Kept> = self.stored.iter().map(kept).collect();
        all.sort();
        all
    }
}

fn sorted<'a>(fields: impl Iterator<Item = &'a (&'static str, String)>) -> Vec<(String, String)> {
    let mut fields: Vec<_> = fields.map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    fields.sort();
    fields
}

impl Stored {
    fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        self.fields.iter().filter(move |(other, _)| *other == name).map(|(_, value)| value.as_str())
    }

    fn has(&self, name: &str) -> bool {
        self.values(name).next().is_some() && !self.withholds(name)
    }

    /// RFC 9213 §2: a targeted field counts alone, unless it is not valid.
    fn directives(&self) -> Directives {
        let targeted = Directives::of(&self.fields, &["cdn-cache-control"]);
        // A number in quotes is not a number of a structured field.
        let is_valid = !targeted.0.is_empty() && !self.values("cdn-cache-control").any(|value| value.contains('"'));
        if is_valid { targeted } else { Directives::of(&self.fields, &["cache-control"]) }
    }

    fn is_targeted(&self) -> bool {
        self.values("cdn-cache-control").any(|value| !value.contains('"'))
    }

    /// §5.2.2.4, §5.2.2.7: a qualified directive keeps these fields out, unless it is for all of the response too.
    fn withholds(&self, name: &str) -> bool {
        let said = self.directives();
        ["no-cache", "private"].iter().any(|directive| {
            let names: Option<Vec<&str>> = said.all(directive).collect();
            names.is_some_and(|names| names.join(",").split(',').any(|other| other.trim().eq_ignore_ascii_case(name)))
        })
    }

    /// §4.1
    fn varies_by(&self, request: &Request) -> Vec<(String, Option<String>)> {
        let mut names: Vec<String> =
            self.values("vary").flat_map(|value| value.split(',')).map(|name| name.trim().to_lowercase()).collect();
        names.sort();
        names.into_iter().map(|name| (name.clone(), combined(request, &name))).collect()
    }

    fn is_for(&self, request: &Request) -> bool {
        self.target == request.target && self.selecting.iter().all(|(name, value)| combined(request, name) == *value)
    }

    fn own(&self, name: &str) -> Option<&str> {
        Some(name).filter(|name| !self.withholds(name)).and_then(|name| self.values(name).next())
    }

    /// §4.3.4: whether a 304 with these fields is about it.
    fn is_named_by(&self, later: &Lines) -> bool {
        let said = |name: &str| later.iter().find(|(other, _)| *other == name).map(|(_, value)| value.as_str());
        let is_weak = |tag: &str| tag.starts_with("W/");
        let opaque = |tag: &str| tag.trim_start_matches("W/").to_owned();
        let own = self.own("etag");
        match (said("etag"), said("last-modified")) {
            (Some(tag), _) if !is_weak(tag) => own == Some(tag),
            (Some(tag), _) if own.is_some() => own.map(opaque) == Some(opaque(tag)),
            (Some(_), time) => time.is_some() && self.own("last-modified") == time,
            (None, Some(time)) => self.own("last-modified").is_none_or(|own| own == time),
            (None, None) => true,
        }
    }

    /// §4.3.5: whether a 200 to HEAD with these fields is of the same representation.
    fn agrees_with(&self, said: &Lines) -> bool {
        self.status == 200
            && said.iter().all(|(name, value)| match *name {
                "etag" | "last-modified" => self.own(name) == Some(value),
                "content-length" => value.parse() == Ok(LENGTH),
                _ => true,
            })
    }

    /// §3
    fn may_be_stored(&self, request: &Request) -> bool {
        let (said, asks) = (self.directives(), Directives::of(&request.fields, &["cache-control"]));
        // RFC 9110 §15: statuses whose rules are known; all of those drawn but 599.
        let is_understood = self.status != 599;
        let no_store = said.has("no-store") && !(said.has("must-understand") && is_understood);
        let is_authorized = request.fields.iter().any(|(name, _)| *name == "authorization");
        // §3.5
        let is_shared = ["public", "must-revalidate", "s-maxage"].iter().any(|name| said.has(name));
        let explicit = said.has("public") || self.lifetime_said().is_some();
        let is_heuristic = [200, 301, 404, 410].contains(&self.status);
        let validators = self.has("etag") || self.has("last-modified");
        // Beyond the RFC: what could not be used is not kept.
        let stays = self.ends() > self.answered as i64 * 1000;
        !(no_store
            || asks.has("no-store")
            || (said.has("must-understand") && !is_understood)
            || said.all("private").any(|fields| fields.is_none())
            || (is_authorized && !is_shared)
            // Beyond the RFC: a cookie is for one client.
            || self.has("set-cookie")
            || self.values("vary").any(|value| value.contains('*')))
            && (explicit || is_heuristic)
            && (validators || stays)
    }

    /// §3.2, §4.3.4; a cookie of one who validated is not for others.
    fn freshened(&self, later: Lines) -> Stored {
        let later: Lines =
            later.into_iter().filter(|(name, _)| !matches!(*name, "content-encoding" | "set-cookie")).collect();
        let is_new = |name: &str| name == "age" || later.iter().any(|(other, _)| *other == name);
        let mut fields: Lines =
            self.fields.iter().filter(|(name, _)| !is_new(name) && !self.withholds(name)).cloned().collect();
        fields.extend(later.clone());
        Stored { fields, ..self.clone() }
    }

    fn date(&self) -> i64 {
        self.values("date").next().map_or(self.answered as i64, |value| unix(value).unwrap())
    }

    /// §4.2.3, in seconds.
    fn age(&self, now: u64) -> u64 {
        let said: u64 = self.values("age").next().and_then(|value| value.parse().ok()).unwrap_or(0);
        let apparent = u64::try_from(self.answered as i64 - self.date()).unwrap_or(0);
        apparent.max(said + (self.answered - self.asked)) + (now - self.answered)
    }

    /// §4.2.1, in milliseconds.
    fn lifetime_said(&self) -> Option<i64> {
        let said = self.directives();
        let seconds = said.least("s-maxage").or_else(|| said.least("max-age"));
        let expires = self.values("expires").next().filter(|_| !self.is_targeted());
        let expires = expires.map(|value| unix(value).map_or(0, |expires| (expires - self.date()).max(0)));
        seconds.or(expires).map(|seconds| seconds * 1000)
    }

    /// §4.2, in milliseconds.
    fn lifetime(&self) -> i64 {
        let until = self.outdated.map_or(i64::MAX, |at| self.age(at) as i64 * 1000);
        self.lifetime_given().min(until)
    }

    fn lifetime_given(&self) -> i64 {
        self.lifetime_said().unwrap_or_else(|| {
            let may = [200, 301, 404, 410].contains(&self.status) || self.directives().has("public");
            let modified = self.values("last-modified").next().filter(|_| may && !self.withholds("last-modified"));
            // §4.2.2: a tenth of the time since, and a day at most.
            modified.map_or(0, |value| ((self.date() - unix(value).unwrap()).max(0) * 100).min(24 * 3600 * 1000))
        })
    }

    /// §4.2.4
    fn forbids_stale(&self) -> bool {
        let said = self.directives();
        let forbid = ["must-revalidate", "proxy-revalidate", "s-maxage"];
        forbid.iter().any(|name| said.has(name)) || self.is_no_cache() || self.is_silent()
    }

    /// Beyond the RFC: what nobody says anything of may be for one client.
    fn is_silent(&self) -> bool {
        let says = ["public", "stale-while-revalidate", "stale-if-error"];
        let says = says.iter().any(|name| self.directives().has(name));
        !says && self.lifetime_said().is_none() && self.lifetime_given() == 0
    }

    fn is_no_cache(&self) -> bool {
        self.directives().all("no-cache").any(|fields| fields.is_none())
    }

    /// RFC 5861 §3, §4; how long after the end of its freshness, in seconds: while validated, for errors, where nobody is.
    fn windows(&self) -> [i64; 3] {
        let said = self.directives();
        if self.forbids_stale() {
            return [0; 3];
        }
        let errors = said.least("stale-if-error");
        [said.least("stale-while-revalidate").unwrap_or(0), errors.unwrap_or(0), errors.unwrap_or(DISCONNECTED)]
    }

    /// When nothing but a validation can use it, in milliseconds.
    fn ends(&self) -> i64 {
        let longest = self.windows().into_iter().max().unwrap();
        (self.answered as i64 - self.age(self.answered) as i64 + longest) * 1000 + self.lifetime()
    }

    /// Beyond the RFC, where another response comes that is not stored: whether it is still used where that is allowed.
    fn is_outdated_by(&self, status: u16, now: u64) -> bool {
        let is_fresh = !self.is_no_cache() && self.lifetime() > self.age(now) as i64 * 1000;
        match status {
            404 | 410 => true,
            200..400 | 451 => !is_fresh,
            _ => false,
        }
    }

    /// §4
    fn judge(&self, request: &Request, is_soft: bool, now: u64) -> Decision {
        let asks = Directives::of(&request.fields, &["cache-control"]);
        let pragma = !request.fields.iter().any(|(name, _)| *name == "cache-control")
            && request.fields.iter().any(|(name, _)| *name == "pragma");
        let left = self.lifetime() - self.age(now) as i64 * 1000;
        let (is_fresh, stale) = (left > 0, -left);
        let [revalidate, errors, disconnected] = self.windows().map(|seconds| seconds * 1000);
        let wished = asks.least("stale-if-error").unwrap_or(0) * 1000;
        let if_failed = match () {
            () if self.forbids_stale() => Good::Nothing,
            () if is_soft || is_fresh || stale < errors.max(wished) => Good::Errors,
            () if stale < disconnected => Good::NobodyThere,
            () => Good::Nothing,
        };
        let validate = Decision::Validate {
            etag: self.own("etag").map(str::to_owned),
            modified: self.own("last-modified").map(str::to_owned),
            if_failed,
        };
        let age = self.age(now) as i64;
        let max_age = asks.least("max-age");
        // §5.2.1.1, §5.2.1.4; RFC 8246: a reload does not reach what is immutable and fresh.
        let reloads = asks.has("no-cache") || pragma || max_age == Some(0);
        let is_spared = self.directives().has("immutable") && is_fresh;
        if is_soft || self.is_no_cache() || (reloads && !is_spared) {
            return validate;
        }
        if max_age.is_some_and(|max| age > max) && !reloads {
            return validate;
        }
        let min_fresh = asks.least("min-fresh").map(|seconds| seconds * 1000);
        if is_fresh {
            return if min_fresh.is_some_and(|min| left < min) { validate } else { Decision::Fresh };
        }
        let is_allowed = asks
            .all("max-stale")
            .any(|value| value.is_none_or(|seconds| stale <= seconds.parse::<i64>().unwrap() * 1000));
        match () {
            () if self.forbids_stale() || min_fresh.is_some() => validate,
            () if stale < revalidate => Decision::WhileRevalidate,
            () if is_allowed => Decision::Stale,
            () => validate,
        }
    }

    fn shown(&self, now: u64) -> (u16, u64, u64) {
        (self.status, self.body, self.age(now))
    }
}

/// The value of a field in a request, its lines combined, without white space that means nothing.
fn combined(request: &Request, name: &str) -> Option<String> {
    let values: Vec<&str> =
        request.fields.iter().filter(|(other, _)| *other == name).map(|(_, value)| value.as_str()).collect();
    let members: Vec<&str> = values.iter().flat_map(|value| value.split(',')).map(str::trim).collect();
    (!values.is_empty()).then(|| members.join(","))
}

/// Names in lower case, and what they are given.
struct Directives(Vec<(String, Option<String>)>);

impl Directives {
    fn of(fields: &Lines, names: &[&str]) -> Directives {
        let lines = fields.iter().filter(|(name, _)| names.contains(name)).map(|(_, value)| value.as_str());
        let text = lines.collect::<Vec<_>>().join(",");
        let (mut members, mut is_quoted) = (vec![String::new()], false);
        for c in text.chars() {
            is_quoted ^= c == '"';
            match c {
                ',' if !is_quoted => members.push(String::new()),
                c => members.last_mut().unwrap().push(c),
            }
        }
        let split = |member: &String| match member.trim().split_once('=') {
            Some((name, value)) => (name.to_lowercase(), Some(value.trim_matches('"').to_owned())),
            None => (member.trim().to_lowercase(), None),
        };
        Directives(members.iter().map(split).filter(|(name, _)| !name.is_empty()).collect())
    }

    fn all(&self, name: &str) -> impl Iterator<Item = Option<&str>> {
        self.0.iter().filter(move |(other, _)| other == name).map(|(_, value)| value.as_deref())
    }

    fn has(&self, name: &str) -> bool {
        self.all(name).next().is_some()
    }

    /// §4.2.1: the most restrictive of several; what is no number is stale.
    fn least(&self, name: &str) -> Option<i64> {
        self.all(name).map(|value| value.and_then(|text| text.parse().ok()).unwrap_or(0)).min()
    }
}

/// Seconds since the epoch of `Sun, 06 Nov 1994 08:49:37 GMT`, counted day by day.
fn unix(text: &str) -> Option<i64> {
    let parts: Vec<&str> = text.split([' ', ':']).collect();
    let [_, day, month, year, hour, minute, second, _] = parts.as_slice() else { return None };
    let number = |text: &str| text.parse::<i64>().ok();
    let (day, year) = (number(day)?, number(year)?);
    let month = MONTHS.iter().position(|(name, _)| name == month)?;
    let is_leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let years: i64 = (1970..year).map(|year| if is_leap(year) { 366 } else { 365 }).sum();
    let months: i64 = MONTHS[..month].iter().map(|(_, days)| days).sum::<i64>() + i64::from(month > 1 && is_leap(year));
    Some(((years + months + day - 1) * 24 + number(hour)?) * 3600 + number(minute)? * 60 + number(second)?)
}

const MONTHS: [(&str, i64); 12] = [
    ("Jan", 31),
    ("Feb", 28),
    ("Mar", 31),
    ("Apr", 30),
    ("May", 31),
    ("Jun", 30),
    ("Jul", 31),
    ("Aug", 31),
    ("Sep", 30),
    ("Oct", 31),
    ("Nov", 30),
    ("Dec", 31),
];

/// What the operator's configuration has where nothing is said: stale responses bridge a backend that nobody reaches.
const DISCONNECTED: i64 = 600;
