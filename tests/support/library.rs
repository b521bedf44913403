//! An origin whose every answer follows from what is asked for and how often that was edited, so that whoever has an answer
//! can tell whether it is right, wherever it was kept meanwhile.

use super::message::{Fields, Framing};
use super::{Response, Wire};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::thread;

/// Books, by number, on shelves. A shelf is edited as a whole; its name is the tag of its books.
#[derive(Clone)]
pub struct Library(Arc<Shared>);

struct Shared {
    address: SocketAddr,
    /// Of each shelf.
    editions: [AtomicU64; SHELVES],
    /// The edition of each shelf that everybody must have by now.
    known: [AtomicU64; SHELVES],
    asked: AtomicU64,
    longest: u64,
}

/// What somebody asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loan {
    pub book: u64,
    pub language: &'static str,
    /// First byte and last.
    pub range: Option<(u64, u64)>,
}

pub const SHELVES: usize = 8;
pub const LANGUAGES: [&str; 3] = ["de", "en", "fr"];

impl Library {
    /// One whose longest books have so many bytes.
    pub fn open(longest: u64) -> Library {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (editions, known, asked) = Default::default();
        let library = Library(Arc::new(Shared { address, editions, known, asked, longest }));
        let own = library.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (Ok(stream), own) = (stream, own.clone()) else { break };
                thread::spawn(move || own.serve(stream));
            }
        });
        library
    }

    pub fn address(&self) -> String {
        self.0.address.to_string()
    }

    /// Requests that came.
    pub fn asked(&self) -> u64 {
        self.0.asked.load(SeqCst)
    }

    /// Any loan of books below `books`, an eighth of them of a part.
    pub fn any(&self, random: &mut u64, books: u64) -> Loan {
        let book = next(random) % books;
        let language = LANGUAGES[(next(random) >> 30) as usize % 3];
        let (length, lot) = (self.length(book), next(random) >> 30);
        let is_part = has_etag(book) && length > 0 && lot.is_multiple_of(8);
        let first = (lot >> 3) % length.max(1);
        Loan { book, language, range: is_part.then(|| (first, first + (lot >> 13) % 20_000)) }
    }

    /// Puts a new edition on a shelf; its number.
    pub fn edits(&self, shelf: usize) -> u64 {
        self.0.editions[shelf].fetch_add(1, SeqCst) + 1
    }

    /// From now on nobody may get an older edition.
    pub fn made_known(&self, shelf: usize, edition: u64) {
        self.0.known[shelf].fetch_max(edition, SeqCst);
    }

    /// The edition that an answer to a request that begins now has at least.
    pub fn least(&self, book: u64) -> u64 {
        self.0.known[shelf(book)].load(SeqCst)
    }

    /// Whether a complete answer to `loan` is right; `least` is what was [known](Self::least) before it was asked for.
    pub fn is_right(&self, loan: &Loan, least: u64, answer: &Response) -> Result<(), String> {
        let edition = answer.fields.get("x-edition").and_then(|text| text.parse().ok()).unwrap_or(u64::MAX);
        let current = self.0.editions[shelf(loan.book)].load(SeqCst);
        // Who asks for a part may get all (RFC 9110 §14.2), as where nobody knows yet how long that is.
        let range = loan.range.filter(|_| answer.status != 200);
        let wanted = self.answer(&Loan { range, ..loan.clone() }, edition, None);
        let told = |name: &str| answer.fields.get(name);
        let same = |name: &str| told(name) == wanted.field(name);
        let fields = ["etag", "content-range", "content-language", "surrogate-key", "last-modified"];
        match () {
            () if edition > current => Err("of an edition that there is not".to_owned()),
            () if edition < least => Err(format!("of edition {edition}, but {least} was known")),
            () if answer.status != wanted.status => Err(format!("status {}, not {}", answer.status, wanted.status)),
            () if answer.body != wanted.body => {
                Err(format!("other bytes, {} of {}", answer.body.len(), wanted.body.len()))
            }
            () => match fields.iter().find(|name| !same(name)) {
                Some(name) => Err(format!("{name} is {:?}, not {:?}", told(name), wanted.field(name))),
                None => Ok(()),
            },
        }
        .map_err(|why| format!("{loan:?}: {why}: {:?}", answer.fields))
    }

    fn serve(&self, stream: TcpStream) {
        let mut wire = Wire::new(stream);
        while let Ok((line, fields)) = wire.head() {
            let framing = Framing::of(&fields).expect("a request without doubt").unwrap_or(Framing::None);
            let Ok(_) = wire.content(framing) else { return };
            self.0.asked.fetch_add(1, SeqCst);
            let loan = Loan::read(&line, &fields);
            let edition = self.0.editions[shelf(loan.book)].load(SeqCst);
            let answer = self.answer(&loan, edition, fields.get("if-none-match"));
            if wire.try_send(answer.bytes()).is_err() {
                return;
            }
        }
    }

    fn answer(&self, loan: &Loan, edition: u64, known: Option<String>) -> Answer {
        let Loan { book, language, range } = *loan;
        let language = if varies(book) { language } else { "en" };
        let etag = format!("\"{book}-{language}-{edition}\"");
        let lasts = if validates(book) { "no-cache" } else { "max-age=600" };
        let mut fields = vec![
            ("cache-control", lasts.to_owned()),
            ("surrogate-key", format!("shelf-{} all", shelf(book))),
            ("content-language", language.to_owned()),
            ("x-edition", edition.to_string()),
        ];
        if varies(book) {
            fields.push(("vary", "Accept-Language".to_owned()));
        }
        if has_etag(book) {
            fields.push(("etag", etag.clone()));
        } else {
            fields.push(("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT".to_owned()));
        }
        if known.is_some_and(|known| known == etag && has_etag(book)) {
            return Answer { status: 304, fields, body: Vec::new(), chunked: false };
        }
        let body = self.text(book, language, edition);
        let all = body.len() as u64;
        match range.filter(|&(first, _)| has_etag(book) && first < all) {
            None => Answer { status: 200, fields, body, chunked: book % 5 == 2 },
            Some((first, last)) => {
                let last = last.min(all - 1);
                fields.push(("content-range", format!("bytes {first}-{last}/{all}")));
                let body = body[first as usize..=last as usize].to_vec();
                Answer { status: 206, fields, body, chunked: false }
            }
        }
    }

    fn text(&self, book: u64, language: &str, edition: u64) -> Vec<u8> {
        let mut state = book << 20 ^ u64::from(language.as_bytes()[0]) << 8 ^ edition << 40 ^ 0x9e37_79b9_7f4a_7c15;
        let mut body = format!("{book} {language} {edition}\n").into_bytes();
        let length = self.length(book) as usize;
        while body.len() < length {
            body.extend_from_slice(&next(&mut state).to_le_bytes());
        }
        body.truncate(length);
        body
    }

    /// Few are long, some are empty.
    fn length(&self, book: u64) -> u64 {
        let mut state = book + 1;
        let random = next(&mut state) >> 20;
        match book % 16 {
            0 => 0,
            1..=8 => random % 4096.min(self.0.longest),
            9..=14 => random % (self.0.longest / 8).max(1),
            _ => random % self.0.longest,
        }
    }
}

impl Loan {
    /// The whole of a book, in a language.
    pub fn whole(book: u64, language: &'static str) -> Loan {
        Loan { book, language, range: None }
    }

    pub fn target(&self) -> String {
        format!("/books/{}", self.book)
    }

    /// As it is sent, on a connection that stays.
    pub fn request(&self) -> String {
        let range = self.range.map(|(first, last)| format!("Range: bytes={first}-{last}\r\n")).unwrap_or_default();
        let (target, language) = (self.target(), self.language);
        format!("GET {target} HTTP/1.1\r\nHost: library.test\r\nAccept-Language: {language}\r\n{range}\r\n")
    }

    fn read(line: &str, fields: &Fields) -> Loan {
        let number = line.split(' ').nth(1).and_then(|target| target.strip_prefix("/books/")?.parse().ok());
        let wanted = fields.get("accept-language").unwrap_or_default();
        let language = LANGUAGES.into_iter().find(|language| wanted == *language).unwrap_or("en");
        let range = fields.get("range");
        let range = range.as_ref().and_then(|text| text.strip_prefix("bytes=")?.split_once('-'));
        let range = range.map(|(first, last)| (first.parse().unwrap(), last.parse().unwrap()));
        Loan { book: number.expect("the number of a book"), language, range }
    }
}

struct Answer {
    status: u16,
    fields: Vec<(&'static str, String)>,
    body: Vec<u8>,
    chunked: bool,
}

impl Answer {
    fn field(&self, name: &str) -> Option<String> {
        self.fields.iter().find(|(other, _)| *other == name).map(|(_, value)| value.clone())
    }

    fn bytes(&self) -> Vec<u8> {
        let mut out = format!("HTTP/1.1 {} Said\r\n", self.status);
        self.fields.iter().for_each(|(name, value)| out += &format!("{name}: {value}\r\n"));
        match self.status {
            304 => return (out + "\r\n").into_bytes(),
            _ if self.chunked => out += "transfer-encoding: chunked\r\n\r\n",
            _ => out += &format!("content-length: {}\r\n\r\n", self.body.len()),
        }
        let mut out = out.into_bytes();
        if !self.chunked {
            out.extend_from_slice(&self.body);
            return out;
        }
        for piece in self.body.chunks(10_000) {
            out.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
            out.extend_from_slice(piece);
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b"0\r\n\r\n");
        out
    }
}

/// Where a book stands.
pub fn shelf(book: u64) -> usize {
    (book % SHELVES as u64) as usize
}

/// Whether there are translations of it.
pub fn varies(book: u64) -> bool {
    book % 7 == 3
}

/// Whether it is validated each time.
pub fn validates(book: u64) -> bool {
    book % 11 == 5 && has_etag(book)
}

pub fn has_etag(book: u64) -> bool {
    !book.is_multiple_of(3)
}

/// Xorshift (Marsaglia 2003).
pub fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}
