//! The table of purges: names as keyed hashes, each with the generations of its latest purges.

use super::what::{authority_at, target_at};
use super::{Marks, Mode, Verdict, What};
use crate::cache::key::Secret;
use crate::http::split_port;
use siphasher::sip128::{Hasher128, SipHasher13};
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, Hasher};

/// Purges that are noted apart; above, the older half becomes one that purges everything of its age. None is let go of
/// before: whether something as old is still stored, or on its way, would have to be asked of everything.
pub const NOTES_MAX: usize = 131_072;

/// Different lengths that noted prefixes have; above, a prefix is noted as a shorter one, or as its host.
pub const PREFIX_LENGTHS_MAX: usize = 64;

/// The notes.
#[derive(Debug, Default)]
pub(super) struct Notes {
    /// Of everything: what was asked for, and what older notes became.
    all: Stamp,
    named: Table,
    /// No note is later.
    latest: u64,
    counts: Counts,
}

type Table = HashMap<Key, Stamp, BuildHasherDefault<Already>>;

/// What kinds of notes there are, so that nobody looks for others.
#[derive(Debug, Default)]
struct Counts {
    urls: usize,
    hosts: usize,
    tags: usize,
    /// Of prefixes by their length.
    prefixes: BTreeMap<u32, usize>,
}

/// What is to be noted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name<'a> {
    All,
    Key(Key),
    /// What it is noted as depends on what is there.
    Prefix(&'a [u8]),
}

/// A name, hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Key {
    Url(u64),
    Host(u64),
    Tag(u64),
    /// With its length.
    Prefix(u64, u32),
}

/// Generations of the latest purges of a name; 0: there was none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) hard: u64,
    pub(super) soft: u64,
}

/// What came of noting a purge.
#[derive(Default)]
pub(super) struct Added {
    pub(super) widened: bool,
    pub(super) collapsed: usize,
    /// Notes that are of no use any more: large, so freed after the lock.
    _old: Table,
}

impl Notes {
    pub(super) fn add(&mut self, name: Name<'_>, stamp: Stamp, secret: &Secret) -> Added {
        self.latest = self.latest.max(stamp.last());
        let (key, widened) = match name {
            Name::All => return self.add_all(stamp),
            Name::Key(Key::Prefix(_, len)) if !self.has_room_for(len) => {
                // Its text is not known any more, so that no shorter one can be made of it.
                return Added { widened: true, ..self.add_all(stamp) };
            }
            Name::Key(key) => (key, false),
            Name::Prefix(text) => self.prefix(text, secret),
        };
        if let Some(known) = self.named.get_mut(&key) {
            known.join(stamp);
            return Added { widened, ..Added::default() };
        }
        let collapsed = if self.named.len() >= NOTES_MAX { self.collapse() } else { 0 };
        self.named.insert(key, stamp);
        self.counts.add(key);
        Added { widened, collapsed, ..Added::default() }
    }

    /// What is gone need not be named apart.
    fn add_all(&mut self, stamp: Stamp) -> Added {
        self.all.join(stamp);
        if stamp.hard < self.latest {
            return Added::default();
        }
        self.counts = Counts::default();
        Added { _old: std::mem::take(&mut self.named), ..Added::default() }
    }

    /// The key of a prefix, or of what is wider if its length is one too many.
    fn prefix(&self, text: &[u8], secret: &Secret) -> (Key, bool) {
        let len = text.len() as u32;
        if self.has_room_for(len) {
            return (Key::Prefix(secret.hash64(text), len), false);
        }
        // One that ends within the authority would be about other hosts, too.
        let shortest = target_at(text) as u32 + 1;
        let shorter = if shortest < len { self.counts.prefixes.range(shortest..len).next_back() } else { None };
        let key = match shorter {
            Some((&len, _)) => Key::Prefix(secret.hash64(&text[..len as usize]), len),
            None => Key::Host(secret.hash64(authority(text).0)),
        };
        (key, true)
    }

    fn has_room_for(&self, len: u32) -> bool {
        let lengths = &self.counts.prefixes;
        lengths.len() < PREFIX_LENGTHS_MAX || lengths.contains_key(&len)
    }

    /// The older half becomes one note, of everything: it purges more than was asked for, and never less.
    fn collapse(&mut self) -> usize {
        let mut ages: Vec<u64> = self.named.values().map(Stamp::last).collect();
        let half = ages.len() / 2;
        let (_, &mut newest, _) = ages.select_nth_unstable(half);
        let before = self.named.len();
        let all = &mut self.all;
        self.named.retain(|_, stamp| {
            let is_old = stamp.last() <= newest;
            if is_old {
                all.join(*stamp);
            }
            !is_old
        });
        self.counts = Counts::of(&self.named);
        before - self.named.len()
    }

    pub(super) fn judge(&self, marks: &Marks<'_>, secret: &Secret) -> Verdict {
        let born = marks.born;
        let look = |key| self.named.get(&key).map_or(Verdict::Lives, |stamp| stamp.verdict(born));
        let mut verdict = self.all.verdict(born);
        if self.counts.tags > 0 {
            verdict = marks.tags.iter().map(|tag| look(Key::Tag(*tag))).fold(verdict, Verdict::max);
        }
        if self.counts.urls > 0 {
            verdict = verdict.max(look(Key::Url(secret.hash64(marks.url))));
        }
        if self.counts.hosts > 0 {
            let (host, port) = authority(marks.url);
            verdict = verdict.max(look(Key::Host(secret.hash64(host))));
            verdict = verdict.max(look(Key::Host(hash_parts(secret, &[host, b":", port]))));
        }
        self.prefixes_of(marks.url, secret).map(look).fold(verdict, Verdict::max)
    }

    /// The keys that prefixes of `url` would have: hashed in one pass.
    fn prefixes_of<'a>(&'a self, url: &'a [u8], secret: &Secret) -> impl Iterator<Item = Key> + 'a {
        let mut hasher = SipHasher13::new_with_key(&secret.0);
        let mut at = 0;
        let lengths = self.counts.prefixes.keys().take_while(|len| **len as usize <= url.len());
        lengths.map(move |&len| {
            hasher.write(&url[at..len as usize]);
            at = len as usize;
            Key::Prefix(hasher.finish128().as_u128() as u64, len)
        })
    }

    /// All of them, that of everything too.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Option<Key>, Stamp)> {
        let all = (self.all.last() > 0).then_some((None, self.all));
        all.into_iter().chain(self.named.iter().map(|(key, stamp)| (Some(*key), *stamp)))
    }

    pub(super) fn len(&self) -> usize {
        self.named.len()
    }
}

impl<'a> Name<'a> {
    pub(super) fn of(what: &'a What, secret: &Secret) -> Name<'a> {
        match what {
            What::Url(url) => Name::Key(Key::Url(secret.hash64(url))),
            What::Prefix(prefix) => Name::Prefix(prefix),
            What::Host(host) => Name::Key(Key::Host(secret.hash64(host))),
            What::Tag(tag) => Name::Key(Key::Tag(secret.hash64(tag))),
            What::All => Name::All,
        }
    }
}

impl Stamp {
    pub(super) fn new(mode: Mode, generation: u64) -> Stamp {
        match mode {
            Mode::Hard => Stamp { hard: generation, soft: 0 },
            Mode::Soft => Stamp { hard: 0, soft: generation },
        }
    }

    pub(super) fn last(&self) -> u64 {
        self.hard.max(self.soft)
    }

    pub(super) fn join(&mut self, other: Stamp) {
        *self = Stamp { hard: self.hard.max(other.hard), soft: self.soft.max(other.soft) };
    }

    fn verdict(&self, born: u64) -> Verdict {
        match () {
            () if born < self.hard => Verdict::Gone,
            () if born < self.soft => Verdict::Stale,
            () => Verdict::Lives,
        }
    }
}

impl Counts {
    fn of(named: &Table) -> Counts {
        let mut counts = Counts::default();
        named.keys().for_each(|key| counts.add(*key));
        counts
    }

    fn add(&mut self, key: Key) {
        match key {
            Key::Url(_) => self.urls += 1,
            Key::Host(_) => self.hosts += 1,
            Key::Tag(_) => self.tags += 1,
            Key::Prefix(_, len) => *self.prefixes.entry(len).or_default() += 1,
        }
    }
}

/// Host and port of a URL in the form of keys, where a default port is left out.
fn authority(url: &[u8]) -> (&[u8], &[u8]) {
    let at = authority_at(url);
    let (host, port) = split_port(&url[at..target_at(url)]);
    let default: &[u8] = if url.starts_with(b"https:") { b"443" } else { b"80" };
    (host, port.unwrap_or(default))
}

/// As if the parts were one.
fn hash_parts(secret: &Secret, parts: &[&[u8]]) -> u64 {
    let mut hasher = SipHasher13::new_with_key(&secret.0);
    parts.iter().for_each(|part| hasher.write(part));
    hasher.finish128().as_u128() as u64
}

/// Keys are keyed hashes already.
#[derive(Debug, Default)]
struct Already(u64);

impl Hasher for Already {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u64(&mut self, part: u64) {
        self.0 = self.0.rotate_left(SPREAD_BITS) ^ part;
    }

    fn write_u32(&mut self, part: u32) {
        self.0 ^= u64::from(part);
    }

    fn write_isize(&mut self, part: isize) {
        self.0 ^= part as u64;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

const SPREAD_BITS: u32 = 23;
