//! How long a stored response is fresh, and what may be done with it when (RFC 9111 §4.2, RFC 5861).

use super::cache_control::delta_seconds;
use super::{FieldName, Fields, Qualified, RequestDirectives, ResponseDirectives, parse_date};

/// What the operator says where a response says nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Defaults {
    /// Freshness by status, in seconds.
    pub ttl: Option<u64>,
    /// In seconds.
    pub stale_while_revalidate: u64,
    /// In seconds.
    pub stale_if_error: u64,
    /// The same where no backend can be reached at all, in seconds.
    pub stale_if_disconnected: u64,
}

/// When a request went out and its response came in: milliseconds since the epoch.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// The request was sent.
    pub asked_ms: u64,
    /// The head of the response was received.
    pub answered_ms: u64,
}

/// The life of a stored response, in milliseconds; all that [`may_reuse`] needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Life {
    /// When it would have been made if its age were 0: `now - born` is the current age (RFC 9111 §4.2.3). Before the epoch
    /// if its Age says so.
    pub born_ms: i64,
    /// Freshness lifetime (RFC 9111 §4.2.1).
    pub fresh_ms: u64,
    /// After that, it may be used while it is validated (RFC 5861 §3).
    pub while_revalidate_ms: u64,
    /// After that, it may be used where the backend fails (RFC 5861 §4).
    pub if_error_ms: u64,
    /// The same where no backend can be reached at all (RFC 9111 §4.2.4).
    pub if_disconnected_ms: u64,
    /// Use without validation is forbidden once stale (RFC 9111 §4.2.4), or nobody says that it is allowed.
    pub forbids_stale: bool,
    /// Never to be used without validation (RFC 9111 §5.2.2.4).
    pub no_cache: bool,
    /// A client's wish to reload is not heeded while it is fresh (RFC 8246).
    pub immutable: bool,
}

impl Life {
    /// That of a response which is not stored.
    pub const NONE: Life = Life {
        born_ms: i64::MAX,
        fresh_ms: 0,
        while_revalidate_ms: 0,
        if_error_ms: 0,
        if_disconnected_ms: 0,
        forbids_stale: true,
        no_cache: true,
        immutable: false,
    };

    /// The life that a response with `status`, `fields` and `directives` has.
    #[must_use]
    pub fn of(
        status: u16,
        fields: &Fields,
        directives: &ResponseDirectives,
        defaults: &Defaults,
        times: Times,
    ) -> Life {
        let date_ms = date(fields, FieldName::Date, times.answered_ms).unwrap_or(times.answered_ms);
        // RFC 9111 §4.2.3
        // Date is to the second, and so is what is compared with it.
        let apparent_ms = (times.answered_ms / 1000 * 1000).saturating_sub(date_ms);
        let delay_ms = times.answered_ms.saturating_sub(times.asked_ms);
        let corrected_ms = age(fields) * 1000 + delay_ms;
        let initial_ms = apparent_ms.max(corrected_ms);
        let fresh_ms = lifetime(status, fields, directives, defaults, date_ms);
        let is_silent = fresh_ms == 0 && is_silent(fields, directives, defaults);
        let by_operator = defaults.stale_while_revalidate.max(defaults.stale_if_error) > 0;
        // It may be for one client alone, for all that is known.
        let forbids_stale = directives.forbids_stale() || (is_silent && !by_operator);
        let if_disconnected = if is_silent { defaults.stale_if_error } else { defaults.stale_if_disconnected };
        let window = |said: Option<u64>, default: u64| match (forbids_stale, said) {
            (true, _) => 0,
            (false, said) => said.unwrap_or(default) * 1000,
        };
        Life {
            born_ms: signed(times.answered_ms).saturating_sub(signed(initial_ms)),
            fresh_ms,
            while_revalidate_ms: window(directives.stale_while_revalidate, defaults.stale_while_revalidate),
            if_error_ms: window(directives.stale_if_error, defaults.stale_if_error),
            if_disconnected_ms: window(directives.stale_if_error, if_disconnected),
            forbids_stale,
            no_cache: directives.no_cache == Qualified::All,
            immutable: directives.immutable,
        }
    }

    /// The same, stale from `now_ms` on if it is not yet (RFC 9111 §4.3.5).
    #[must_use]
    pub fn outdated(self, now_ms: u64) -> Life {
        Life { fresh_ms: self.fresh_ms.min(self.age_ms(now_ms)), ..self }
    }

    /// Its age at `now_ms`, in milliseconds.
    #[must_use]
    pub fn age_ms(&self, now_ms: u64) -> u64 {
        u64::try_from(signed(now_ms).saturating_sub(self.born_ms)).unwrap_or(0)
    }

    /// What is left of its freshness, in seconds; negative once stale.
    #[must_use]
    pub fn ttl(&self, now_ms: u64) -> i64 {
        let left = i128::from(self.fresh_ms) - i128::from(self.age_ms(now_ms));
        i64::try_from(left.div_euclid(1000)).unwrap_or(i64::MAX)
    }

    /// Whether it may be used in every way and at every time in which `other` may: what stands in its place by mistake does no harm.
    #[must_use]
    pub fn contains(&self, other: &Life) -> bool {
        let until = |life: &Life, more: u64| i128::from(life.born_ms) + i128::from(life.fresh_ms) + i128::from(more);
        let lasts = |window: fn(&Life) -> u64| until(self, window(self)) >= until(other, window(other));
        let windows: [fn(&Life) -> u64; 4] =
            [|_| 0, |life| life.while_revalidate_ms, |life| life.if_error_ms, |life| life.if_disconnected_ms];
        windows.into_iter().all(lasts) && self.forbids_stale <= other.forbids_stale && self.no_cache <= other.no_cache
    }

    /// From when on nothing but a validation can use it, in milliseconds since the epoch.
    #[must_use]
    pub fn ends_ms(&self) -> u64 {
        let after = self.while_revalidate_ms.max(self.if_error_ms).max(self.if_disconnected_ms);
        let ends = self.born_ms.saturating_add(signed(self.fresh_ms)).saturating_add(signed(after));
        u64::try_from(ends).unwrap_or(0)
    }
}

/// What may be done with a stored response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reuse {
    /// It is used as it is.
    Fresh,
    /// It is used, and validated in the background.
    WhileRevalidate,
    /// It is stale, and used because the client allows that.
    Stale,
    /// It is validated first.
    Validate(IfFailed),
}

/// What a stored response is good for if it cannot be validated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IfFailed {
    /// Nothing.
    Unusable,
    /// It is used if no backend can be reached.
    IfDisconnected,
    /// It is used also if one answers with an error.
    IfError,
}

/// RFC 9111 §4: whether a stored response that was selected may be reused for a request.
#[must_use]
pub fn may_reuse(life: &Life, request: &RequestDirectives, now_ms: u64) -> Reuse {
    let age = life.age_ms(now_ms);
    let staleness = age.checked_sub(life.fresh_ms);
    let may_error = |window: u64| !life.forbids_stale && staleness.is_none_or(|stale| stale < window);
    // RFC 5861 §4: the request may ask for it too.
    let asked_ms = request.stale_if_error.unwrap_or(0) * 1000;
    let validate = Reuse::Validate(match () {
        () if life.no_cache => IfFailed::Unusable,
        () if may_error(life.if_error_ms.max(asked_ms)) => IfFailed::IfError,
        () if may_error(life.if_disconnected_ms.max(asked_ms)) => IfFailed::IfDisconnected,
        () => IfFailed::Unusable,
    });
    if life.no_cache {
        return validate;
    }
    let is_fresh = staleness.is_none();
    // RFC 8246 §2.1: a reload of what is immutable changes nothing.
    let reloads = request.no_cache || request.max_age == Some(0);
    if reloads && !(life.immutable && is_fresh) {
        return validate;
    }
    // RFC 9111 §5.2.1.1
    if !reloads && request.max_age.is_some_and(|max| age > max.saturating_mul(1000)) {
        return validate;
    }
    match staleness {
        // RFC 9111 §5.2.1.3
        None if request.min_fresh.is_some_and(|min| life.fresh_ms - age < min.saturating_mul(1000)) => validate,
        None => Reuse::Fresh,
        Some(_) if life.forbids_stale || request.min_fresh.is_some() => validate,
        Some(stale) if stale < life.while_revalidate_ms => Reuse::WhileRevalidate,
        // RFC 9111 §5.2.1.2
        Some(stale) if request.max_stale.is_some_and(|max| stale <= max.saturating_mul(1000)) => Reuse::Stale,
        Some(_) => validate,
    }
}

fn signed(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}

/// RFC 9111 §4.2.1, in milliseconds.
fn lifetime(status: u16, fields: &Fields, directives: &ResponseDirectives, defaults: &Defaults, date_ms: u64) -> u64 {
    if let Some(seconds) = directives.s_maxage.or(directives.max_age) {
        return seconds * 1000;
    }
    // RFC 9213 §2.1: Expires is among what a targeted field replaces.
    if !directives.targeted && fields.has(FieldName::Expires) {
        // RFC 9111 §5.3: an invalid date is in the past.
        let expires = date(fields, FieldName::Expires, date_ms).unwrap_or(0);
        return expires.saturating_sub(date_ms);
    }
    if let Some(seconds) = defaults.ttl {
        return seconds * 1000;
    }
    // RFC 9111 §4.2.2
    if !(is_heuristic(status) || directives.public) {
        return 0;
    }
    let modified = date(fields, FieldName::LastModified, date_ms);
    modified.map_or(0, |modified| (date_ms.saturating_sub(modified) / HEURISTIC_PART).min(HEURISTIC_MAX_MS))
}

/// Whether neither side says anything of freshness, of staleness, or that it is for all.
fn is_silent(fields: &Fields, directives: &ResponseDirectives, defaults: &Defaults) -> bool {
    let seconds = [
        directives.s_maxage,
        directives.max_age,
        directives.stale_while_revalidate,
        directives.stale_if_error,
        defaults.ttl,
    ];
    let has_expires = !directives.targeted && fields.has(FieldName::Expires);
    !directives.public && !has_expires && seconds.iter().all(Option::is_none)
}

/// RFC 9111 §4.2.2: a typical fraction.
const HEURISTIC_PART: u64 = 10;
/// A day: longer is for the origin to say.
const HEURISTIC_MAX_MS: u64 = 24 * 3600 * 1000;

/// RFC 9110 §15.1: statuses that are heuristically cacheable. 206 is stored as what it is part of.
#[must_use]
pub fn is_heuristic(status: u16) -> bool {
    matches!(status, 200 | 203 | 204 | 206 | 300 | 301 | 308 | 404 | 405 | 410 | 414 | 501)
}

/// RFC 9111 §5.1: the first member of the first line; what is no number is not there.
fn age(fields: &Fields) -> u64 {
    let first = fields.get(FieldName::Age).and_then(|value| value.split(|&b| b == b',').next());
    first.and_then(|value| delta_seconds(value.trim_ascii())).unwrap_or(0)
}

fn date(fields: &Fields, name: FieldName, now_ms: u64) -> Option<u64> {
    parse_date(fields.get(name)?, now_ms / 1000)?.checked_mul(1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 784_111_777_000;
    const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

    #[test]
    fn a_life_contains_another_if_nothing_that_the_other_allows_is_forbidden_by_it() {
        let life = Life { born_ms: 1000, fresh_ms: 60, while_revalidate_ms: 30, if_error_ms: 20, ..Life::NONE };
        let life = Life { no_cache: false, forbids_stale: false, if_disconnected_ms: 10, ..life };
        let later = Life { born_ms: 1001, ..life };
        assert!(life.contains(&life) && later.contains(&life) && !life.contains(&later));
        for (stricter, what) in [
            (Life { fresh_ms: 58, ..later }, "fresh for a shorter time"),
            (Life { while_revalidate_ms: 28, ..later }, "while it is validated"),
            (Life { if_error_ms: 18, ..later }, "if it fails"),
            (Life { if_disconnected_ms: 8, ..later }, "if it cannot be reached"),
            (Life { forbids_stale: true, ..later }, "stale"),
            (Life { no_cache: true, ..later }, "without validation"),
        ] {
            assert!(!stricter.contains(&life), "{what}");
        }
    }

    fn life(lines: &[(&str, &str)], defaults: Defaults) -> Life {
        let mut fields = Fields::default();
        lines.iter().for_each(|(name, value)| fields.push(name.as_bytes(), value.as_bytes()));
        let directives = ResponseDirectives::of(&fields);
        Life::of(200, &fields, &directives, &defaults, Times { asked_ms: NOW, answered_ms: NOW })
    }

    #[test]
    fn lifetimes_come_from_the_first_source_that_says_something() {
        let later = ("expires", "Sun, 06 Nov 1994 08:50:37 GMT");
        let modified = ("last-modified", "Sat, 05 Nov 1994 08:49:37 GMT");
        let cc = |text| ("cache-control", text);
        for (lines, expected) in [
            (&[cc("max-age=5, s-maxage=9"), later][..], 9_000),
            (&[cc("max-age=5"), later], 5_000),
            (&[("date", DATE), later], 60_000),
            (&[("date", DATE), ("expires", "0"), modified], 0),
            (&[("date", DATE), modified], 8_640_000),
            (&[("date", DATE)], 0),
            (&[("cdn-cache-control", "foo"), later], 0),
        ] {
            assert_eq!(life(lines, Defaults::default()).fresh_ms, expected, "{lines:?}");
        }
        let ttl = Defaults { ttl: Some(7), ..Defaults::default() };
        assert_eq!(life(&[modified], ttl).fresh_ms, 7_000);
        assert_eq!(life(&[cc("max-age=1")], ttl).fresh_ms, 1_000);
    }

    #[test]
    fn the_age_is_the_greater_of_what_date_and_age_say() {
        for (age, expected) in
            [("30", 30), ("-1", 0), ("7200.0", 0), ("7, 0", 7), ("0, 7", 0), ("7;a=b", 0), ("9999999999", 1 << 31)]
        {
            assert_eq!(
                life(&[("date", DATE), ("age", age)], Defaults::default()).age_ms(NOW),
                expected * 1000,
                "{age}"
            );
        }
        let earlier = life(&[("date", "Sun, 06 Nov 1994 08:49:27 GMT"), ("age", "3")], Defaults::default());
        assert_eq!(earlier.age_ms(NOW + 1000), 11_000);
    }

    #[test]
    fn what_says_nothing_is_good_for_nothing_once_stale_unless_the_operator_says_otherwise() {
        let bridge = Defaults { stale_if_disconnected: 600, ..Defaults::default() };
        let modified = ("last-modified", "Sat, 05 Nov 1994 08:49:37 GMT");
        let cc = |text| ("cache-control", text);
        for (lines, defaults, expected) in [
            (&[("date", DATE)][..], bridge, (true, 0)),
            (&[("etag", "\"1\""), cc("no-transform")], bridge, (true, 0)),
            (&[("date", DATE), ("last-modified", DATE)], bridge, (true, 0)),
            (&[("date", DATE), modified], bridge, (false, 600)),
            (&[cc("max-age=0")], bridge, (false, 600)),
            (&[("expires", "0")], bridge, (false, 600)),
            (&[cc("public")], bridge, (false, 600)),
            (&[cc("stale-if-error=5")], bridge, (false, 5)),
            (&[], Defaults { ttl: Some(0), ..bridge }, (false, 600)),
            (&[], Defaults { stale_if_error: 7, stale_if_disconnected: 7, ..bridge }, (false, 7)),
            (&[], Defaults { stale_while_revalidate: 7, ..bridge }, (false, 0)),
        ] {
            let life = life(lines, defaults);
            assert_eq!((life.forbids_stale, life.if_disconnected_ms / 1000), expected, "{lines:?} {defaults:?}");
        }
    }

    #[test]
    fn what_may_be_done_depends_on_age_and_both_sides() {
        let stored = |text| {
            life(
                &[("cache-control", text)],
                Defaults { stale_if_error: 5, stale_if_disconnected: 7, ..Defaults::default() },
            )
        };
        let asks = |text: &str| {
            let mut fields = Fields::default();
            fields.push(b"cache-control", text.as_bytes());
            RequestDirectives::of(&fields)
        };
        let [hard, gone, soft] = [IfFailed::Unusable, IfFailed::IfDisconnected, IfFailed::IfError].map(Reuse::Validate);
        for (response, request, age, expected) in [
            ("max-age=10", "", 9, Reuse::Fresh),
            ("max-age=10", "", 10, soft),
            ("max-age=10", "", 15, gone),
            ("max-age=10", "", 17, hard),
            ("max-age=10", "no-cache", 1, soft),
            ("max-age=10", "max-age=0", 0, soft),
            ("max-age=10", "max-age=3", 4, soft),
            ("max-age=10", "max-age=3", 3, Reuse::Fresh),
            ("max-age=10", "min-fresh=5", 5, Reuse::Fresh),
            ("max-age=10", "min-fresh=6", 5, soft),
            ("max-age=10", "max-stale", 99, Reuse::Stale),
            ("max-age=10", "max-stale=2", 12, Reuse::Stale),
            ("max-age=10", "max-stale=2", 13, soft),
            ("max-age=10", "stale-if-error=9", 18, soft),
            ("max-age=10, must-revalidate", "max-stale", 11, hard),
            ("s-maxage=10", "", 11, hard),
            ("max-age=10, no-cache", "", 1, hard),
            ("max-age=10, immutable", "no-cache", 1, Reuse::Fresh),
            ("max-age=10, immutable", "no-cache", 11, soft),
            ("max-age=10, stale-while-revalidate=5", "", 14, Reuse::WhileRevalidate),
            ("max-age=10, stale-while-revalidate=5", "", 15, gone),
            ("max-age=10, stale-while-revalidate=5, proxy-revalidate", "", 12, hard),
            ("max-age=10, stale-if-error=60", "", 50, soft),
            ("max-age=10, stale-if-error=0", "", 11, hard),
        ] {
            assert_eq!(
                may_reuse(&stored(response), &asks(request), NOW + age * 1000),
                expected,
                "{response} {request} {age}"
            );
        }
    }
}
