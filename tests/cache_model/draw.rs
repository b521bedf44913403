//! Steps by chance: the same for the same seed.

use super::step::{Answer, LENGTH, Lines, Modified, ORIGIN, Request, Step};
use weir::cache::purge::{Mode, What};

/// A source of chance (Steele et al., SplitMix64).
pub(crate) struct Draw(u64);

impl Draw {
    pub(crate) fn of(seed: u64) -> Draw {
        Draw(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    pub(crate) fn steps(&mut self, count: usize) -> Vec<Step> {
        (0..count).map(|_| self.step()).collect()
    }

    fn step(&mut self) -> Step {
        match self.below(20) {
            0..4 => Step::Wait(*self.one(&[1, 2, 3, 5, 10, 30, 700])),
            4 if self.one_in(3) => {
                let mode = *self.one(&[Mode::Hard, Mode::Soft]);
                Step::Purge(self.what(), mode)
            }
            _ => Step::Ask(self.request(), self.answer()),
        }
    }

    fn what(&mut self) -> What {
        let target = *self.one::<&str>(TARGETS);
        let text = |text: String| text.into_bytes();
        match self.below(8) {
            0..3 => What::Url(text(format!("{ORIGIN}{target}"))),
            3..6 => What::Tag(text((*self.one(&["t", "u"])).to_owned())),
            6 => What::Prefix(text(format!("{ORIGIN}/x"))),
            _ => What::All,
        }
    }

    fn request(&mut self) -> Request {
        let method = if self.one_in(9) { *self.one(&["HEAD", "HEAD", "OPTIONS", "POST", "PUT"]) } else { "GET" };
        let mut fields = Lines::new();
        if method == "HEAD" && self.one_in(2) {
            // What is fresh would be answered without the origin.
            fields.push(("cache-control", "no-cache".to_owned()));
        } else if self.one_in(3) {
            let seconds = self.seconds();
            let directive = match self.below(10) {
                0 => format!("max-age={seconds}"),
                1 => format!("min-fresh={seconds}"),
                2 => "max-stale".to_owned(),
                3 | 8 | 9 => format!("max-stale={seconds}"),
                4 => "no-cache".to_owned(),
                5 => "no-store".to_owned(),
                6 => "only-if-cached".to_owned(),
                _ => format!("stale-if-error={seconds}"),
            };
            let more = if self.one_in(4) { format!(", max-age={}", self.seconds()) } else { String::new() };
            fields.push(("cache-control", directive + &more));
        }
        self.maybe(12, &mut fields, "pragma", &["no-cache"]);
        self.maybe(12, &mut fields, "authorization", &["x"]);
        self.maybe(4, &mut fields, "x-a", &["1", "2", "1 ,2", ""]);
        self.maybe(8, &mut fields, "x-a", &["2"]);
        self.maybe(3, &mut fields, "x-b", &["1", "2"]);
        Request { method, target: self.one::<&str>(TARGETS), fields }
    }

    fn answer(&mut self) -> Answer {
        let is_down = self.one_in(10);
        let status = match self.below(10) {
            0 => *self.one(&[500, 502, 503, 504]),
            1 => *self.one(&[201, 301, 302, 404, 410, 451, 599]),
            _ => 200,
        };
        let mut fields = Lines::new();
        if !self.one_in(4) {
            let count = 1 + self.below(3);
            let list: Vec<String> = (0..count).map(|_| self.directive()).collect();
            fields.push(("cache-control", list.join(", ")));
        }
        self.maybe(
            12,
            &mut fields,
            "cdn-cache-control",
            &["max-age=4", "no-store", "s-maxage=\"4\"", "max-age=9, private"],
        );
        self.maybe(4, &mut fields, "age", &["0", "1", "4", "90", "x"]);
        self.maybe(2, &mut fields, "etag", &["\"1\"", "W/\"2\""]);
        self.maybe(5, &mut fields, "vary", &["X-A", "x-b", "x-b, X-A", "x-b", "*"]);
        self.maybe(20, &mut fields, "set-cookie", &["a=b"]);
        self.maybe(3, &mut fields, "x-c", &["1", "2"]);
        self.maybe(9, &mut fields, "x-c", &["3"]);
        self.maybe(4, &mut fields, "surrogate-key", &["t", "u", "t u"]);
        self.maybe(9, &mut fields, "location", &["/x", "http://a/y", "http://b/x"]);
        self.maybe(9, &mut fields, "content-encoding", &["br", "gzip"]);
        let date = self.one_in(3).then(|| *self.one(&[-20, -3, -1, 0, 5]));
        let expires = self.one_in(4).then(|| *self.one(&[-20, 0, 4, 10, 60]));
        let modified = self.one_in(3).then(|| self.modified());
        let mut renewed = Lines::new();
        self.maybe(3, &mut renewed, "etag", &["\"1\"", "\"1\"", "W/\"1\"", "W/\"2\"", "\"2\""]);
        let renewed_time = self.one_in(8).then(|| self.modified());
        let said_length = self.one_in(3).then(|| *self.one(&[LENGTH, LENGTH, LENGTH + 1]));
        let delay = *self.one(&[0, 0, 0, 1, 3]);
        let not_modified = self.one_in(2);
        Answer {
            is_down,
            not_modified,
            delay,
            status,
            fields,
            date,
            expires,
            modified,
            renewed,
            renewed_time,
            said_length,
        }
    }

    fn modified(&mut self) -> Modified {
        match self.below(2) {
            0 => Modified::Once,
            _ => Modified::By(*self.one(&[-10_000_000, -1000, -100, 0, 10])),
        }
    }

    fn directive(&mut self) -> String {
        let seconds = self.seconds();
        match self.below(28) {
            24.. => format!("max-age={seconds}, stale-while-revalidate=60"),
            0..8 => format!("max-age={seconds}"),
            8 => format!("s-maxage={seconds}"),
            9..12 => format!("stale-while-revalidate={seconds}"),
            12..15 => format!("stale-if-error={seconds}"),
            15 => "no-store".to_owned(),
            16 => "no-cache".to_owned(),
            17 => "private".to_owned(),
            18 => "public".to_owned(),
            19 => (*self.one(&["must-revalidate", "proxy-revalidate"])).to_owned(),
            20 => "immutable".to_owned(),
            21 => "must-understand".to_owned(),
            22 => (*self.one(&["no-cache=\"x-c\"", "private=\"set-cookie, X-C\""])).to_owned(),
            _ => (*self.one(&["max-age", "x=\"a, no-store\"", "MAX-AGE=\"7\""])).to_owned(),
        }
    }

    fn seconds(&mut self) -> u64 {
        *self.one(&[0, 1, 2, 5, 10, 60])
    }

    fn maybe(&mut self, of: u64, fields: &mut Lines, name: &'static str, values: &[&str]) {
        if self.one_in(of) {
            fields.push((name, (*self.one(values)).to_owned()));
        }
    }

    fn one<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len() as u64) as usize]
    }

    fn one_in(&mut self, of: u64) -> bool {
        self.below(of) == 0
    }

    fn below(&mut self, of: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % of
    }
}

const TARGETS: &[&str] = &["/x", "/x?q", "/y"];
