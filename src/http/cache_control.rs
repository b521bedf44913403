use super::quoted::piece_end;
use super::structured::{self, Item};
use super::{FieldName, Fields};

/// What a response says to caches: Cache-Control (RFC 9111 §5.2.2, RFC 5861, RFC 8246), or the first targeted field that
/// is there and valid (RFC 9213), which then is the only one that counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResponseDirectives {
    /// `max-age`, in seconds; a value that is no number is 0 (RFC 9111 §4.2.1: invalid is stale).
    pub max_age: Option<u64>,
    /// `s-maxage`, in seconds.
    pub s_maxage: Option<u64>,
    /// `stale-while-revalidate`, in seconds (RFC 5861 §3).
    pub stale_while_revalidate: Option<u64>,
    /// `stale-if-error`, in seconds (RFC 5861 §4).
    pub stale_if_error: Option<u64>,
    /// `no-store`
    pub no_store: bool,
    /// `no-cache`, perhaps for some fields only.
    pub no_cache: Qualified,
    /// `private`, perhaps for some fields only.
    pub private: Qualified,
    /// `public`
    pub public: bool,
    /// `must-revalidate`
    pub must_revalidate: bool,
    /// `proxy-revalidate`
    pub proxy_revalidate: bool,
    /// `must-understand`
    pub must_understand: bool,
    /// `immutable`
    pub immutable: bool,
    /// They came in a targeted field: Cache-Control, Expires and Pragma say nothing (RFC 9213 §2.1).
    pub targeted: bool,
}

/// A directive that may name fields (RFC 9111 §5.2.2.4, §5.2.2.7).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Qualified {
    /// Not there.
    #[default]
    No,
    /// For the whole response.
    All,
    /// For these fields; names as written.
    Fields(Vec<Box<[u8]>>),
}

impl ResponseDirectives {
    /// Reads a response's.
    #[must_use]
    pub fn of(fields: &Fields) -> ResponseDirectives {
        for name in TARGETED {
            if fields.has(name)
                && let Some(directives) = targeted(fields, name)
            {
                return directives;
            }
        }
        let mut directives = ResponseDirectives::default();
        let lines = fields.all(FieldName::CacheControl);
        each(lines, |name, value| directives.add(name, value));
        directives
    }

    fn add(&mut self, name: &[u8], value: Value<'_>) {
        let is = |text: &str| name.eq_ignore_ascii_case(text.as_bytes());
        match name.len() {
            7 if is("max-age") => least(&mut self.max_age, value.seconds()),
            8 if is("s-maxage") => least(&mut self.s_maxage, value.seconds()),
            8 if is("no-store") => self.no_store = true,
            8 if is("no-cache") => self.no_cache.add(value.names()),
            7 if is("private") => self.private.add(value.names()),
            6 if is("public") => self.public = true,
            9 if is("immutable") => self.immutable = true,
            15 if is("must-revalidate") => self.must_revalidate = true,
            15 if is("must-understand") => self.must_understand = true,
            16 if is("proxy-revalidate") => self.proxy_revalidate = true,
            22 if is("stale-while-revalidate") => least(&mut self.stale_while_revalidate, value.seconds()),
            14 if is("stale-if-error") => least(&mut self.stale_if_error, value.seconds()),
            _ => {}
        }
    }

    /// Whether a stale response must not be used, whatever the reason (RFC 9111 §4.2.4).
    #[must_use]
    pub fn forbids_stale(&self) -> bool {
        // RFC 9111 §5.2.2.10: s-maxage incorporates the semantics of proxy-revalidate.
        self.must_revalidate || self.proxy_revalidate || self.s_maxage.is_some() || self.no_cache == Qualified::All
    }
}

impl Qualified {
    fn add(&mut self, names: Option<Vec<Box<[u8]>>>) {
        *self = match (std::mem::take(self), names) {
            (Qualified::All, _) | (_, None) => Qualified::All,
            (Qualified::No, Some(names)) => Qualified::Fields(names),
            (Qualified::Fields(mut before), Some(names)) => {
                before.extend(names);
                Qualified::Fields(before)
            }
        };
    }

    /// The fields that it names.
    #[must_use]
    pub fn fields(&self) -> &[Box<[u8]>] {
        match self {
            Qualified::Fields(names) => names,
            _ => &[],
        }
    }
}

/// Weir's own first, then that of all CDNs (RFC 9213 §3).
const TARGETED: [FieldName; 2] = [FieldName::WeirCacheControl, FieldName::CdnCacheControl];

/// RFC 9213 §2.1: a structured dictionary; if it does not parse or a value has a wrong type, it is as if it were not there.
fn targeted(fields: &Fields, name: FieldName) -> Option<ResponseDirectives> {
    let members = structured::dictionary(fields.all(name))?;
    if members.is_empty() {
        return None;
    }
    let mut directives = ResponseDirectives { targeted: true, ..ResponseDirectives::default() };
    for member in &members {
        let key = member.key.as_bytes();
        let digits;
        let value = match &member.value {
            Item::Boolean(false) => continue,
            Item::Boolean(true) if takes_seconds(key) => return None,
            Item::Boolean(true) => Value(None),
            Item::Integer(n) if takes_seconds(key) => {
                digits = n.to_string();
                Value(Some(digits.as_bytes()))
            }
            _ if takes_seconds(key) => return None,
            Item::String(text) => Value(Some(text.as_bytes())),
            _ => Value(None),
        };
        directives.add(key, value);
    }
    Some(directives)
}

fn takes_seconds(key: &[u8]) -> bool {
    [&b"max-age"[..], b"s-maxage", b"stale-while-revalidate", b"stale-if-error"].contains(&key)
}

/// What a request says to caches (RFC 9111 §5.2.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestDirectives {
    /// `max-age`, in seconds.
    pub max_age: Option<u64>,
    /// `min-fresh`, in seconds.
    pub min_fresh: Option<u64>,
    /// `max-stale`, in seconds; without a value any staleness will do.
    pub max_stale: Option<u64>,
    /// `no-cache`, or `Pragma: no-cache` where there is no Cache-Control (RFC 9111 §5.4).
    pub no_cache: bool,
    /// `no-store`
    pub no_store: bool,
    /// `only-if-cached`
    pub only_if_cached: bool,
    /// `stale-if-error`, in seconds (RFC 5861 §4).
    pub stale_if_error: Option<u64>,
}

impl RequestDirectives {
    /// Reads a request's.
    #[must_use]
    pub fn of(fields: &Fields) -> RequestDirectives {
        let mut directives = RequestDirectives::default();
        if !fields.has(FieldName::CacheControl) {
            directives.no_cache =
                fields.members(FieldName::Pragma).any(|member| member.eq_ignore_ascii_case(b"no-cache"));
            return directives;
        }
        each(fields.all(FieldName::CacheControl), |name, value| directives.add(name, value));
        directives
    }

    fn add(&mut self, name: &[u8], value: Value<'_>) {
        let is = |text: &str| name.eq_ignore_ascii_case(text.as_bytes());
        match name.len() {
            7 if is("max-age") => least(&mut self.max_age, value.seconds()),
            9 if is("min-fresh") => self.min_fresh = Some(value.seconds()),
            9 if is("max-stale") => {
                self.max_stale = Some(if value.0.is_none() { u64::MAX } else { value.seconds() });
            }
            8 if is("no-cache") => self.no_cache = true,
            8 if is("no-store") => self.no_store = true,
            14 if is("only-if-cached") => self.only_if_cached = true,
            14 if is("stale-if-error") => least(&mut self.stale_if_error, value.seconds()),
            _ => {}
        }
    }
}

/// RFC 9111 §4.2.1: of several values the most restrictive one is safe.
fn least(kept: &mut Option<u64>, new: u64) {
    *kept = Some(kept.map_or(new, |kept| kept.min(new)));
}

/// A directive's argument, its quotes taken off.
#[derive(Clone, Copy)]
struct Value<'a>(Option<&'a [u8]>);

impl Value<'_> {
    /// RFC 9111 §1.2.2: seconds, cut off at 2^31; 0 if it is no such thing.
    fn seconds(self) -> u64 {
        self.0.and_then(delta_seconds).unwrap_or(0)
    }

    fn names(self) -> Option<Vec<Box<[u8]>>> {
        // What has a quote still has no end.
        let text = self.0.filter(|text| !text.contains(&b'"'))?;
        let names = text.split(|&b| b == b',').map(<[u8]>::trim_ascii).filter(|name| !name.is_empty());
        let names: Vec<Box<[u8]>> = names.take(NAMES_MAX + 1).map(Into::into).collect();
        (1..=NAMES_MAX).contains(&names.len()).then_some(names)
    }
}

/// Fields that one qualified directive may name; one that names more is for all.
const NAMES_MAX: usize = 64;

/// RFC 9111 §1.2.2: digits alone, cut off at 2^31.
#[must_use]
pub fn delta_seconds(text: &[u8]) -> Option<u64> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(text.iter().fold(0u64, |n, b| (n * 10 + u64::from(b - b'0')).min(SECONDS_MAX)))
}

/// RFC 9111 §1.2.2
const SECONDS_MAX: u64 = 1 << 31;

/// Directives of all lines, commas within quotes left alone.
fn each<'a>(lines: impl Iterator<Item = &'a [u8]>, mut tell: impl FnMut(&'a [u8], Value<'a>)) {
    for line in lines {
        let mut rest = line;
        while !rest.is_empty() {
            let end = piece_end(rest, b',');
            let member = rest[..end].trim_ascii();
            rest = rest.get(end + 1..).unwrap_or_default();
            if member.is_empty() {
                continue;
            }
            match memchr::memchr(b'=', member) {
                // White space around `=` is no part of the grammar: a name with it is no directive that we know.
                Some(at) => tell(&member[..at], Value(Some(unquoted(&member[at + 1..])))),
                None => tell(member, Value(None)),
            }
        }
    }
}

/// RFC 9111 §5.2: both forms of an argument are to be accepted.
fn unquoted(value: &[u8]) -> &[u8] {
    value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(lines: &[(&str, &str)]) -> ResponseDirectives {
        let mut fields = Fields::default();
        lines.iter().for_each(|(name, value)| fields.push(name.as_bytes(), value.as_bytes()));
        ResponseDirectives::of(&fields)
    }

    #[test]
    fn seconds_are_digits_alone_and_what_is_not_is_stale() {
        for (text, expected) in [
            ("max-age=3600", Some(3600)),
            ("max-age=003600", Some(3600)),
            ("MAX-AGE=\"10\"", Some(10)),
            ("max-age=99999999999999999999999", Some(SECONDS_MAX)),
            ("max-age='3600'", Some(0)),
            ("max-age=3600.0", Some(0)),
            ("max-age=-1", Some(0)),
            ("max-age", Some(0)),
            ("max-age =3600", None),
            ("x=\"max-age=3600\", max-age=1", Some(1)),
            ("max-age=1, x=\"a\\\",max-age=3600\"", Some(1)),
            ("max-age=5,,max-age=3", Some(3)),
        ] {
            assert_eq!(response(&[("cache-control", text)]).max_age, expected, "{text}");
        }
    }

    #[test]
    fn qualified_directives_name_fields_unless_they_stand_alone_too() {
        let read = |text: &str| response(&[("cache-control", text)]).no_cache;
        assert_eq!(read("no-cache=\"a, b\""), Qualified::Fields(vec![b"a"[..].into(), b"b"[..].into()]));
        assert_eq!(read("no-cache=\"a\", no-cache"), Qualified::All);
        assert_eq!(read("no-cache=\"\""), Qualified::All);
        assert_eq!(read("no-cache=\"a"), Qualified::All);
        assert_eq!(read("no-cache=\"a\\\"b\""), Qualified::All);
        let named = |count: usize| read(&format!("no-cache=\"{}\"", vec!["a"; count].join(",")));
        assert_eq!(named(NAMES_MAX).fields().len(), NAMES_MAX);
        assert_eq!(named(NAMES_MAX + 1), Qualified::All);
        assert_eq!(read("max-age=1"), Qualified::No);
    }

    #[test]
    fn a_valid_targeted_field_is_the_only_one_that_counts() {
        let both = |cdn| response(&[("cdn-cache-control", cdn), ("cache-control", "no-store, max-age=7")]);
        assert_eq!(both("max-age=10").max_age, Some(10));
        assert!(!both("max-age=10").no_store && both("foo, max-age=10").targeted);
        for invalid in ["max-age=\"10\"", "max-age=10, &&&", "", "MAX-AGE=1"] {
            assert_eq!(both(invalid).max_age, Some(7), "{invalid}");
        }
        let own = [("cdn-cache-control", "max-age=10"), ("weir-cache-control", "max-age=20")];
        assert_eq!(response(&own).max_age, Some(20));
    }

    #[test]
    fn requests_have_pragma_only_without_cache_control() {
        let read = |lines: &[(&str, &str)]| {
            let mut fields = Fields::default();
            lines.iter().for_each(|(name, value)| fields.push(name.as_bytes(), value.as_bytes()));
            RequestDirectives::of(&fields)
        };
        assert!(read(&[("pragma", "no-cache")]).no_cache);
        assert!(!read(&[("pragma", "no-cache"), ("cache-control", "max-stale")]).no_cache);
        assert_eq!(read(&[("cache-control", "max-stale")]).max_stale, Some(u64::MAX));
        assert_eq!(read(&[("cache-control", "max-stale=5, min-fresh=3")]).max_stale, Some(5));
    }
}
