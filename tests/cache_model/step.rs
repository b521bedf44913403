//! What happens to a cache, and what comes of it.

use weir::cache::purge::{Mode, What};

/// One thing that happens.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Ask(Request, Answer),
    /// Seconds pass.
    Wait(u64),
    Purge(What, Mode),
}

/// Names and values.
pub(crate) type Lines = Vec<(&'static str, String)>;

#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: &'static str,
    pub(crate) target: &'static str,
    pub(crate) fields: Lines,
}

/// What the origin says, should it be asked.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// Nobody can be reached.
    pub(crate) is_down: bool,
    /// What is validated has not changed.
    pub(crate) not_modified: bool,
    /// Seconds that it takes.
    pub(crate) delay: u64,
    pub(crate) status: u16,
    pub(crate) fields: Lines,
    /// Times against that of the answer, in seconds.
    pub(crate) date: Option<i64>,
    pub(crate) expires: Option<i64>,
    pub(crate) modified: Option<Modified>,
    /// What a 304 says of what it is about.
    pub(crate) renewed: Lines,
    /// The same by time.
    pub(crate) renewed_time: Option<Modified>,
    /// Content-Length of a response to HEAD.
    pub(crate) said_length: Option<u64>,
}

/// A time of modification.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Modified {
    /// Against the time of the answer, in seconds.
    By(i64),
    /// The same each time.
    Once,
}

impl Modified {
    fn date(self, now: u64) -> String {
        match self {
            Modified::By(offset) => date(now.saturating_add_signed(offset)),
            Modified::Once => date(ONCE),
        }
    }
}

impl Answer {
    /// The fields of an answer at `now`. Where the origin does not say Date, whoever receives it does (RFC 9110 §6.6.1).
    pub(crate) fn fields(&self, now: u64) -> Lines {
        let time = |name, offset: Option<i64>| offset.map(|offset| (name, date(now.saturating_add_signed(offset))));
        let mut fields = self.fields.clone();
        fields.extend(time("date", Some(self.date.unwrap_or(0))));
        fields.extend(time("expires", self.expires));
        fields.extend(self.modified.map(|modified| ("last-modified", modified.date(now))));
        fields
    }

    /// The fields of a 304 at `now`.
    pub(crate) fn later(&self, now: u64) -> Lines {
        let mut fields = self.fields(now);
        fields.retain(|(name, _)| !matches!(*name, "etag" | "last-modified"));
        fields.extend(self.renewed.clone());
        fields.extend(self.renewed_time.map(|modified| ("last-modified", modified.date(now))));
        fields
    }

    /// The fields of a response to HEAD at `now`.
    pub(crate) fn of_head(&self, now: u64) -> Lines {
        let mut fields = self.fields(now);
        fields.extend(self.said_length.map(|length| ("content-length", length.to_string())));
        fields
    }
}

fn date(unix: u64) -> String {
    String::from_utf8(weir::http::imf_fixdate(unix).to_vec()).unwrap()
}

/// 2026-11-24, a while before all exchanges.
const ONCE: u64 = 1_795_478_000;

/// Bytes of content that each response has.
pub(crate) const LENGTH: u64 = 8;

/// The origin of all targets.
pub(crate) const ORIGIN: &str = "http://a";

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) decision: Decision,
    /// Status, content and age of what is served from the store.
    pub(crate) served: Option<(u16, u64, u64)>,
    /// It is served because the backend failed.
    pub(crate) is_saved: bool,
    pub(crate) learnt: Learnt,
}

/// What a response without content told of what is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Learnt {
    #[default]
    Nothing,
    /// A 304 was about something else.
    NotIt,
    /// A response to HEAD renewed something.
    Renewed,
    /// A response to HEAD said that there is something else by now.
    Outdated,
}

/// What a cache does with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    Fresh,
    WhileRevalidate,
    /// The client allows it.
    Stale,
    Validate {
        etag: Option<String>,
        modified: Option<String>,
        if_failed: Good,
    },
    Fetch,
    /// It goes on to the backend, and the cache takes nothing of the response.
    Pass,
    /// 504
    Refuse,
}

/// What a stored response is good for if it cannot be validated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Good {
    Nothing,
    NobodyThere,
    Errors,
}

impl Good {
    /// Whether it is served in the stead of that answer.
    pub(crate) fn covers(self, answer: &Answer) -> bool {
        match answer.is_down {
            true => self != Good::Nothing,
            false => self == Good::Errors && matches!(answer.status, 500 | 502 | 503 | 504),
        }
    }
}

/// What is stored, to be compared: target, status, content, its fields in order of their names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Kept {
    pub(crate) target: String,
    pub(crate) status: u16,
    pub(crate) body: u64,
    pub(crate) fields: Vec<(String, String)>,
}
