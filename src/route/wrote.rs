//! How Weir remembers that a client wrote: a cookie that holds the time until which its reads follow its writes.
//!
//! The memory is the client's own, so it needs no table and works across workers and machines. It is not signed: whoever
//! forges it only sends his own reads to the write pool, which he could load by writing as well.

use crate::http::{FieldName, Fields, cookie_pairs};
use std::time::Duration;

/// The value of a Set-Cookie field for the response to an unsafe method; `now` in unix seconds.
#[must_use]
pub fn wrote_cookie(now: u64, ttl: Duration) -> Vec<u8> {
    let until = until(now, ttl);
    format!("weir_wrote={until}; Max-Age={}; Path=/; HttpOnly; SameSite=Lax", until - now).into_bytes()
}

/// Whether the client's cookie says that it wrote within `ttl` before `now` (unix seconds).
#[must_use]
pub fn wrote_recently(fields: &Fields, now: u64, ttl: Duration) -> bool {
    // A time further off than we ever set is not ours.
    let is_current = |value: &[u8]| parse(value).is_some_and(|end| now < end && end <= until(now, ttl));
    cookie_pairs(fields).filter_map(|pair| pair.strip_prefix(NAME)).any(is_current)
}

/// Takes our cookie out of the request, so that no backend sees it; the others become one line.
pub fn strip_wrote_cookie(fields: &mut Fields) {
    if !cookie_pairs(fields).any(|pair| pair.starts_with(NAME)) {
        return;
    }
    let mut kept = Vec::new();
    for pair in cookie_pairs(fields).filter(|pair| !pair.starts_with(NAME)) {
        if !kept.is_empty() {
            kept.extend_from_slice(b"; ");
        }
        kept.extend_from_slice(pair);
    }
    fields.remove(FieldName::Cookie);
    if !kept.is_empty() {
        fields.push_known(FieldName::Cookie, &kept);
    }
}

/// The second in which a write at `now` is forgotten: never less than `ttl` later, though `now` was rounded down.
fn until(now: u64, ttl: Duration) -> u64 {
    let part = u64::from(ttl.subsec_nanos() > 0);
    now.saturating_add(ttl.as_secs()).saturating_add(part).saturating_add(1)
}

fn parse(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

const NAME: &[u8] = b"weir_wrote=";

#[cfg(test)]
mod tests {
    use super::*;

    const TTL: Duration = Duration::from_millis(4500);

    fn cookies(lines: &[&str]) -> Fields {
        let mut fields = Fields::default();
        lines.iter().for_each(|line| fields.push(b"Cookie", line.as_bytes()));
        fields
    }

    #[test]
    fn a_write_is_remembered_for_its_time_and_no_longer() {
        let cookie = String::from_utf8(wrote_cookie(100, TTL)).unwrap();
        assert_eq!(cookie, "weir_wrote=106; Max-Age=6; Path=/; HttpOnly; SameSite=Lax");
        let fields = cookies(&["a=1; weir_wrote=106"]);
        assert!(wrote_recently(&fields, 100, TTL) && wrote_recently(&fields, 105, TTL));
        assert!(!wrote_recently(&fields, 106, TTL));
        for other in ["a=weir_wrote=106", "weir_wrote=", "weir_wrote=-1", "weir_wrote=99999999", "xweir_wrote=106"] {
            assert!(!wrote_recently(&cookies(&[other]), 100, TTL), "{other}");
        }
    }

    #[test]
    fn the_backend_sees_all_cookies_but_ours() {
        let mut fields = cookies(&["a=1; weir_wrote=106;b=2", "weir_wrote=1", "c=3"]);
        strip_wrote_cookie(&mut fields);
        assert_eq!(fields.all(FieldName::Cookie).collect::<Vec<_>>(), [b"a=1; b=2; c=3"]);
        let mut only = cookies(&["weir_wrote=106"]);
        strip_wrote_cookie(&mut only);
        assert!(only.is_empty());
        let mut none = cookies(&["a=1;  b", "c"]);
        strip_wrote_cookie(&mut none);
        assert_eq!(none.len(), 2);
    }
}
