//! Random ranges of pages that change, from an origin that is not always as it should be: whatever a client gets is of one
//! version, byte by byte, and not older than what was changed or purged before it asked.
//!
//! `WEIR_RANGES=100000` makes it so many requests.

#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]

mod support;

#[path = "cache_random/changing.rs"]
mod changing;

use changing::{Changing, PAGES, within};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::thread;
use support::{Broken, Client, Response, Weir, library::next};

const CACHING: &str = "[server]\nworkers = 2\n\
    [cache.pages]\nmemory = \"64MiB\"\nmax_object = \"{max}\"\ndisk = { path = \"{disk}\", size = \"32MiB\" }\n\
    [[route]]\npool = \"app\"\ncache = \"pages\"\n";

#[test]
fn each_response_is_of_one_version() {
    let seed = seed();
    let disk = tempfile::tempdir().unwrap();
    let (mut weir, changing) = caching("4MiB", &disk, seed);
    let mut reader = Reader::of(&changing, seed);
    for life in 0..4 {
        if life > 0 {
            // What it has by then comes from the disk.
            weir.stop();
            weir.starts_again();
        }
        let mut client = weir.client();
        for step in 0..requests() / 8 {
            reader.step(&weir, &mut client).unwrap_or_else(|why| panic!("seed {seed} life {life} step {step}: {why}"));
        }
    }
    println!("{:?} {:?}", reader.met, changing.told());
    let (met, told) = (&reader.met, changing.told());
    let counts = [met.whole, met.part, met.parts, met.hits, met.joined];
    let said = [&told.rests, &told.changed, &told.validated, &told.odd].map(|count| count.load(SeqCst));
    assert!(counts.iter().chain(&said).all(|count| *count >= requests() / 400), "something is hardly met");
}

#[test]
fn each_response_is_of_one_version_also_where_many_ask_and_little_is_kept() {
    let seed = seed();
    let disk = tempfile::tempdir().unwrap();
    let (weir, changing) = caching("64KiB", &disk, seed);
    let floors = Reader::of(&changing, seed).floors;
    let met = thread::scope(|scope| {
        let (weir, changing, floors) = (&weir, &changing, &floors);
        let read = |number: u64| {
            let mut reader = Reader { floors: Arc::clone(floors), ..Reader::of(changing, seed ^ number << 32) };
            let mut client = weir.client();
            for step in 0..requests() / 2 / CLIENTS {
                reader.step(weir, &mut client).unwrap_or_else(|why| panic!("seed {seed} {number} step {step}: {why}"));
            }
            reader.met
        };
        let readers: Vec<_> = (1..=CLIENTS).map(|number| scope.spawn(move || read(number))).collect();
        readers.into_iter().map(|reader| reader.join().unwrap()).fold(Met::default(), Met::and)
    });
    println!("{met:?} {:?}", changing.told());
    assert!([met.whole, met.part, met.hits, met.joined].iter().all(|count| *count >= requests() / 400), "{met:?}");
}

fn caching(max: &str, disk: &tempfile::TempDir, seed: u64) -> (Weir, Changing) {
    let changing = Changing::start(seed);
    let text = CACHING.replace("{max}", max);
    (Weir::start(&text, &[("origin", &changing.address()), ("disk", &disk.path().display().to_string())]), changing)
}

/// One who asks by chance, and knows what to expect.
struct Reader {
    changing: Changing,
    random: u64,
    /// No page is seen in an older version.
    floors: Arc<[AtomicU64; PAGES]>,
    met: Met,
}

#[derive(Clone, Copy, Debug, Default)]
struct Met {
    whole: u64,
    part: u64,
    parts: u64,
    hits: u64,
    joined: u64,
    broken: u64,
    failed: u64,
}

impl Met {
    fn and(self, other: Met) -> Met {
        Met {
            whole: self.whole + other.whole,
            part: self.part + other.part,
            parts: self.parts + other.parts,
            hits: self.hits + other.hits,
            joined: self.joined + other.joined,
            broken: self.broken + other.broken,
            failed: self.failed + other.failed,
        }
    }
}

/// What is asked for.
#[derive(Debug)]
struct Asked {
    page: usize,
    range: Option<String>,
    if_range: Option<u64>,
    floor: u64,
}

impl Reader {
    fn of(changing: &Changing, seed: u64) -> Reader {
        Reader { changing: changing.clone(), random: seed, floors: Arc::default(), met: Met::default() }
    }

    fn below(&mut self, bound: u64) -> u64 {
        next(&mut self.random) % bound
    }

    fn step(&mut self, weir: &Weir, client: &mut Client) -> Result<(), String> {
        let page = self.below(PAGES as u64) as usize;
        match self.below(64) {
            0..4 => self.changing.change(page),
            4 => {
                let seen = client.post(&format!("/{page}"), "new").sees(200);
                self.rises(page, seen.value("x-version").parse().unwrap());
            }
            5 => {
                let versions: Vec<_> = (0..PAGES).map(|page| self.changing.version(page)).collect();
                weir.purges("{\"all\": true}");
                versions.into_iter().enumerate().for_each(|(page, version)| self.rises(page, version));
            }
            6 => drop(weir.purges("{\"all\": true, \"soft\": true}")),
            _ => {}
        }
        let range = (self.below(8) > 0).then(|| self.range(page));
        let version = self.changing.version(page);
        let if_range = (range.is_some() && self.below(6) == 0).then(|| version.saturating_sub(self.below(3) / 2));
        let asked = Asked { page, range, if_range, floor: self.floors[page].load(SeqCst) };
        let target = format!("/{page}");
        let mut ask = client.get(&target);
        ask = asked.range.iter().fold(ask, |ask, range| ask.field("Range", range));
        ask = asked.if_range.iter().fold(ask, |ask, version| ask.field("If-Range", &format!("\"{version}\"")));
        match ask.gets() {
            Ok(seen) => self.check(&asked, &seen).map_err(|why| format!("{why}\n{asked:?} {:?}", seen.fields)),
            Err(Broken::Short | Broken::Reset) => {
                self.met.broken += 1;
                *client = weir.client();
                Ok(())
            }
            Err(other) => Err(format!("{asked:?}: {other:?}")),
        }
    }

    fn rises(&self, page: usize, version: u64) {
        self.floors[page].fetch_max(version, SeqCst);
    }

    fn range(&mut self, page: usize) -> String {
        let len = self.changing.content(page, self.changing.version(page)).len() as u64;
        let first = self.below(len + 1);
        let reach = 1 + self.below(len);
        match self.below(8) {
            0 => format!("bytes=-{reach}"),
            1 => format!("bytes={first}-"),
            2 => format!("bytes=0-{}", reach / 3),
            3 if reach > 400 => format!("bytes=0-9,{}-{reach}", reach - 200),
            _ => format!("bytes={first}-{}", first + reach / 4),
        }
    }

    fn check(&mut self, asked: &Asked, seen: &Response) -> Result<(), String> {
        if !matches!(seen.status, 200 | 206) {
            self.met.failed += 1;
            let is_it = matches!(seen.status, 416 | 502 | 503);
            return is_it.then_some(()).ok_or_else(|| format!("unexpected: {}", seen.status));
        }
        // What Weir says itself has none.
        let said = seen.value("cache-status");
        let version: u64 = seen.value("x-version").parse().unwrap();
        if version < asked.floor {
            return Err(format!("version {version} is older than {}", asked.floor));
        }
        let tag = format!("\"{version}\"");
        if seen.fields.get("etag").is_some_and(|etag| etag.trim_start_matches("W/") != tag) {
            return Err("the ETag is of another version than other fields".to_owned());
        }
        self.met.hits += u64::from(said.starts_with("weir; hit"));
        self.met.joined += u64::from(said.contains("fwd=partial") && said.contains("stored"));
        let content = self.changing.content(asked.page, version);
        if seen.status == 200 {
            self.met.whole += 1;
            let is_whole = !seen.fields.has("content-range") && seen.body == **content;
            return is_whole.then_some(()).ok_or_else(|| format!("not the whole of version {version}"));
        }
        // What goes to the origin as it is comes back as it is.
        let is_forwarded = said.contains("detail=if-range");
        if !is_forwarded && asked.if_range.is_some_and(|known| known != version) {
            return Err(format!("a part of version {version}"));
        }
        let range = asked.range.as_deref().ok_or("a part, where the whole was asked for")?;
        match seen.fields.get("content-range") {
            Some(part) => {
                self.met.part += 1;
                is_part(&part, &seen.body, &content)?;
                let Some(range) = within(range, content.len()) else { return Ok(()) };
                // The origin may send more than is asked for; what is stored is cut to that.
                let is_it = match said.contains("hit") {
                    true => part.starts_with(&bytes(&range)),
                    false => has(&part, &range),
                };
                is_it.then_some(()).ok_or_else(|| format!("not the range, but {part}"))
            }
            None => {
                self.met.parts += 1;
                are_parts(&seen.value("content-type"), &seen.body, &content)
            }
        }
    }
}

fn bytes(range: &Range<usize>) -> String {
    format!("bytes {}-{}/", range.start, range.end.saturating_sub(1))
}

/// First and last byte by a Content-Range, and how many there are in all.
fn read(said: &str) -> (usize, usize, &str) {
    let (range, complete) = said.strip_prefix("bytes ").unwrap().split_once('/').unwrap();
    let (first, last) = range.split_once('-').unwrap();
    (first.parse().unwrap(), last.parse().unwrap(), complete)
}

/// Whether all of a range is in a part.
fn has(said: &str, range: &Range<usize>) -> bool {
    let (first, last, _) = read(said);
    !range.is_empty() && first <= range.start && range.end <= last + 1
}

/// `said` is a Content-Range.
fn is_part(said: &str, body: &[u8], content: &[u8]) -> Result<(), String> {
    let (first, last, complete) = read(said);
    let is_it = complete == content.len().to_string() && content.get(first..=last) == Some(body);
    is_it.then_some(()).ok_or_else(|| format!("not {said} of what there was"))
}

fn are_parts(kind: &str, body: &[u8], content: &[u8]) -> Result<(), String> {
    let boundary = kind.strip_prefix("multipart/byteranges; boundary=").ok_or("parts of no type")?;
    let find = |haystack: &[u8], needle: &[u8]| haystack.windows(needle.len()).position(|window| window == needle);
    let (mut rest, mut count) = (body, 0);
    let opening = format!("--{boundary}\r\n");
    while let Some(at) = find(rest, opening.as_bytes()) {
        rest = &rest[at + opening.len()..];
        let end = find(rest, b"\r\n\r\n").ok_or("a part without a head")?;
        let head = String::from_utf8_lossy(&rest[..end]).to_ascii_lowercase();
        let said = head.lines().find_map(|line| line.strip_prefix("content-range: ")).ok_or("a part of nothing")?;
        rest = &rest[end + 4..];
        let end = find(rest, format!("\r\n--{boundary}").as_bytes()).ok_or("a part without an end")?;
        is_part(said, &rest[..end], content)?;
        count += 1;
    }
    (count > 1).then_some(()).ok_or_else(|| format!("{count} parts"))
}

fn requests() -> u64 {
    std::env::var("WEIR_RANGES").map_or(4000, |count| count.parse().unwrap())
}

fn seed() -> u64 {
    std::env::var("WEIR_SEED").map_or(7, |seed| seed.parse().unwrap())
}

const CLIENTS: u64 = 6;
