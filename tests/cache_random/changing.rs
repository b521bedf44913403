//! An origin whose content changes, and which is not always as it should be; each byte shows of which version it is.

use super::support::{Framing, Wire, library::next};
use std::collections::HashMap;
use std::net::{SocketAddr, TcpListener};
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread;

/// Pages, each with a version.
#[derive(Clone)]
pub(crate) struct Changing {
    shared: Arc<Shared>,
    address: SocketAddr,
}

struct Shared {
    versions: [AtomicU64; PAGES],
    contents: Mutex<HashMap<(usize, u64), Page>>,
    random: Mutex<u64>,
    told: Told,
}

/// A page in one version.
pub(crate) type Page = Arc<Vec<u8>>;

/// What was asked and said.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// Requests with If-Range that got the rest, and those that got something else.
    pub(crate) rests: AtomicU64,
    pub(crate) changed: AtomicU64,
    pub(crate) validated: AtomicU64,
    /// Responses that are not as they should be.
    pub(crate) odd: AtomicU64,
}

/// How a response is.
#[derive(Clone, Copy, PartialEq)]
enum Mood {
    Right,
    KnowsNoRange,
    KnowsNoIfRange,
    HasNoEtag,
    HasWeakEtag,
    BreaksOff,
    SendsMore,
    Fails,
}

pub(crate) const PAGES: usize = 15;

impl Changing {
    pub(crate) fn start(seed: u64) -> Changing {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let random = Mutex::new(seed);
        let (versions, contents, told) = <_>::default();
        let changing = Changing { shared: Arc::new(Shared { versions, contents, random, told }), address };
        let theirs = changing.clone();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let theirs = theirs.clone();
                thread::spawn(move || theirs.serve(Wire::new(stream)));
            }
        });
        changing
    }

    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    pub(crate) fn told(&self) -> &Told {
        &self.shared.told
    }

    pub(crate) fn version(&self, page: usize) -> u64 {
        self.shared.versions[page].load(SeqCst)
    }

    pub(crate) fn change(&self, page: usize) {
        self.shared.versions[page].fetch_add(1, SeqCst);
    }

    /// What a page was, or is.
    pub(crate) fn content(&self, page: usize, version: u64) -> Page {
        let mut contents = self.shared.contents.lock().unwrap();
        Arc::clone(contents.entry((page, version)).or_insert_with(|| Arc::new(content(page, version))))
    }

    fn draw(&self) -> u64 {
        next(&mut self.shared.random.lock().unwrap())
    }

    fn mood(&self) -> Mood {
        use Mood::{BreaksOff, Fails, HasNoEtag, HasWeakEtag, KnowsNoIfRange, KnowsNoRange, SendsMore};
        let moods = [KnowsNoRange, KnowsNoIfRange, KnowsNoIfRange, HasNoEtag, HasWeakEtag, BreaksOff, SendsMore, Fails];
        *moods.get(self.draw() as usize % 32).unwrap_or(&Mood::Right)
    }

    fn serve(&self, mut wire: Wire) {
        while let Ok((line, fields)) = wire.head() {
            let framing = Framing::of(&fields).unwrap().unwrap_or(Framing::None);
            if wire.content(framing).is_err() {
                return;
            }
            let page: usize = line.split(' ').nth(1).unwrap()[1..].parse().unwrap();
            if line.starts_with("POST") {
                self.change(page);
            }
            let mood = if line.starts_with("POST") { Mood::KnowsNoRange } else { self.mood() };
            if mood != Mood::Right {
                self.told().odd.fetch_add(1, SeqCst);
            }
            let get = |name: &str| fields.get(name);
            let response = self.response(page, mood, get("range"), get("if-range"), get("if-none-match"));
            if wire.try_send(response).is_err() || mood == Mood::BreaksOff {
                return;
            }
        }
    }

    fn response(
        &self,
        page: usize,
        mood: Mood,
        range: Option<String>,
        if_range: Option<String>,
        if_none_match: Option<String>,
    ) -> Vec<u8> {
        if mood == Mood::Fails {
            return b"HTTP/1.1 503 Not Now\r\nContent-Length: 2\r\n\r\nno".to_vec();
        }
        let version = self.version(page);
        let (content, etag) = (self.content(page, version), format!("\"{version}\""));
        let control = match self.draw() % 128 {
            // Rare: such a page is not stored for a while.
            0 => "no-store",
            1..32 => "max-age=0",
            32..48 => "max-age=0, stale-while-revalidate=60",
            _ => "max-age=60",
        };
        let shown = if mood == Mood::HasWeakEtag { format!("W/{etag}") } else { etag.clone() };
        let mut head = format!("Cache-Control: {control}\r\nX-Version: {version}\r\n");
        if mood != Mood::HasNoEtag {
            head += &format!("ETag: {shown}\r\n");
        }
        if if_none_match.is_some_and(|tags| tags.trim_start_matches("W/") == etag) {
            self.told().validated.fetch_add(1, SeqCst);
            return format!("HTTP/1.1 304 Same\r\n{head}\r\n").into_bytes();
        }
        let is_same = if_range.as_ref().is_none_or(|tag| *tag == etag);
        if if_range.is_some() {
            let count = if is_same { &self.told().rests } else { &self.told().changed };
            count.fetch_add(1, SeqCst);
        }
        let heeds = mood != Mood::KnowsNoRange && (is_same || mood == Mood::KnowsNoIfRange);
        match range.filter(|_| heeds).and_then(|range| within(&range, content.len())) {
            None => message("200 OK", head, &content, mood, self.draw()),
            Some(range) if range.is_empty() => {
                let len = content.len();
                format!("HTTP/1.1 416 No\r\n{head}Content-Range: bytes */{len}\r\nContent-Length: 0\r\n\r\n").into()
            }
            Some(range) => {
                let wider = if mood == Mood::SendsMore { range.start / 2..content.len() } else { range };
                head += &format!("Content-Range: bytes {}-{}/{}\r\n", wider.start, wider.end - 1, content.len());
                message("206 Some", head, &content[wider], mood, self.draw())
            }
        }
    }
}

/// In one piece, in chunks, or cut short.
fn message(status: &str, head: String, content: &[u8], mood: Mood, chance: u64) -> Vec<u8> {
    let mut message = format!("HTTP/1.1 {status}\r\n{head}").into_bytes();
    let kept = if mood == Mood::BreaksOff { chance as usize % content.len().max(1) } else { content.len() };
    if !chance.is_multiple_of(4) {
        message.extend(format!("Content-Length: {}\r\n\r\n", content.len()).bytes());
        message.extend(&content[..kept]);
        return message;
    }
    message.extend(b"Transfer-Encoding: chunked\r\n\r\n");
    for chunk in content[..kept].chunks(1 + chance as usize % 5000) {
        message.extend(format!("{:x}\r\n", chunk.len()).bytes());
        message.extend(chunk);
        message.extend(b"\r\n");
    }
    if kept == content.len() {
        message.extend(b"0\r\n\r\n");
    }
    message
}

/// The bytes that one range asks for, empty if there are none; `None` for several.
pub(crate) fn within(range: &str, len: usize) -> Option<Range<usize>> {
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    let last: Option<usize> = if last.is_empty() { None } else { Some(last.parse().ok()?) };
    Some(match first.parse::<usize>() {
        Err(_) => len.saturating_sub(last?)..len,
        Ok(first) if first >= len => 0..0,
        Ok(first) => first..last.map_or(len, |last| (last + 1).min(len)),
    })
}

/// Some have the same length in each version.
fn content(page: usize, version: u64) -> Vec<u8> {
    let len = [1000, 100 + version * 7 % 300, 1 + version % 9, 40_000, 300_000 + version % 3][page % 5];
    let byte = |at: u64| {
        let mixed = (version << 40 ^ at).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9).to_be_bytes()[0]
    };
    (0..len).map(byte).collect()
}
