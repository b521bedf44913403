use super::{FieldName, Fields};

/// In which form an error page is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageKind {
    /// `text/html`
    Html,
    /// `application/json`
    Json,
    /// `text/plain`
    Plain,
}

/// The form that a client likes best (RFC 9110 §12.5.1): by weight, then by how exactly Accept names it, then by order.
///
/// Plain where nothing is asked for (no Accept, `*/*`) and where nothing that is asked for can be had: an error in some
/// form is better than a 406 about it.
#[must_use]
pub fn preferred(fields: &Fields) -> PageKind {
    let kinds =
        [(PageKind::Plain, "text", "plain"), (PageKind::Html, "text", "html"), (PageKind::Json, "application", "json")];
    let mut best = (PageKind::Plain, Liking::default());
    for (kind, main, sub) in kinds {
        let liking = liking(fields, main.as_bytes(), sub.as_bytes());
        if liking.weight > 0 && liking > best.1 {
            best = (kind, liking);
        }
    }
    best.0
}

/// How much a type is liked; greater is more.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Liking {
    /// In thousandths.
    weight: u16,
    exactness: u8,
    /// Counted down, so that earlier is greater; all that only a wildcard names come equal.
    place: u16,
}

/// What the most exact range that covers `main/sub` says of it.
fn liking(fields: &Fields, main: &[u8], sub: &[u8]) -> Liking {
    let mut best = Liking::default();
    for (at, member) in fields.members(FieldName::Accept).take(RANGES_MAX).enumerate() {
        let mut parts = member.split(|&b| b == b';').map(<[u8]>::trim_ascii);
        let exactness = exactness(parts.next().unwrap_or_default(), main, sub);
        if exactness > best.exactness {
            let place = if exactness == EXACT { (RANGES_MAX - at) as u16 } else { 0 };
            best = Liking { weight: parts.find_map(weight).unwrap_or(1000), exactness, place };
        }
    }
    best
}

fn exactness(range: &[u8], main: &[u8], sub: &[u8]) -> u8 {
    let Some(at) = memchr::memchr(b'/', range) else { return 0 };
    let (range_main, range_sub) = (&range[..at], &range[at + 1..]);
    let same_main = range_main.eq_ignore_ascii_case(main);
    // `application/problem+json` is content with JSON.
    let suffixed = memchr::memrchr(b'+', range_sub).is_some_and(|at| range_sub[at + 1..].eq_ignore_ascii_case(sub));
    match (same_main, range_sub) {
        (true, sub_type) if sub_type.eq_ignore_ascii_case(sub) || (sub == b"json" && suffixed) => EXACT,
        (true, b"*") => 2,
        (false, b"*") if range_main == b"*" => 1,
        _ => 0,
    }
}

/// `q=0.5` in thousandths (§12.4.2); a malformed weight counts as none wished.
pub(super) fn weight(parameter: &[u8]) -> Option<u16> {
    let value = parameter.strip_prefix(b"q=").or_else(|| parameter.strip_prefix(b"Q="))?;
    let (whole, decimals) = match value {
        [whole @ (b'0' | b'1')] => (*whole, &[][..]),
        [whole @ (b'0' | b'1'), b'.', decimals @ ..] if decimals.len() <= 3 => (*whole, decimals),
        _ => return Some(0),
    };
    if !decimals.iter().all(u8::is_ascii_digit) {
        return Some(0);
    }
    let digit = |at: usize| decimals.get(at).map_or(0, |&b| u16::from(b - b'0'));
    let weight = u16::from(whole - b'0') * 1000 + digit(0) * 100 + digit(1) * 10 + digit(2);
    Some(weight.min(1000))
}

const EXACT: u8 = 3;
/// Members of Accept that are looked at.
const RANGES_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_get_html_programs_json_and_the_rest_plain_text() {
        for (accept, expected) in [
            (None, PageKind::Plain),
            (Some("*/*"), PageKind::Plain),
            (Some("text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"), PageKind::Html),
            (Some("application/json, text/plain, */*"), PageKind::Json),
            (Some("application/problem+json"), PageKind::Json),
            (Some("APPLICATION/JSON;Q=1.000"), PageKind::Json),
            (Some("text/html;q=0.1, application/json;q=0.11"), PageKind::Json),
            (Some("text/html;q=0, */*"), PageKind::Plain),
            (Some("text/plain;q=0, */*;q=0.1"), PageKind::Html),
            (Some("text/*"), PageKind::Plain),
            (Some("application/*"), PageKind::Json),
            (Some("image/png"), PageKind::Plain),
            (Some("text/html;q=x, application/json;q=0.001"), PageKind::Json),
            (Some(";;q=,/,text/"), PageKind::Plain),
        ] {
            let mut fields = Fields::default();
            accept.iter().for_each(|value| fields.push(b"Accept", value.as_bytes()));
            assert_eq!(preferred(&fields), expected, "{accept:?}");
        }
    }
}
