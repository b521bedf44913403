use super::accept::weight;

/// The value that stands for Accept-Language (all its lines joined by commas) in a cache key: lower case, no white
/// space, by weight, then by name. Equal for requests that say the same.
///
/// RFC 9110 §12.5.4 gives no meaning to the order of languages with the same weight, so `en, de` and `de, en` are
/// equal. A language with weight 0 stays: it is refused, which is not the same as not named.
#[must_use]
pub fn normalise_language(value: &[u8]) -> Vec<u8> {
    let mut ranges = ranges(value);
    ranges.sort_by(|(a, a_weight), (b, b_weight)| b_weight.cmp(a_weight).then_with(|| a.cmp(b)));
    ranges.dedup();
    let mut normal = Vec::with_capacity(value.len());
    for (range, weight) in &ranges {
        if !normal.is_empty() {
            normal.push(b',');
        }
        normal.extend_from_slice(range);
        push_weight(*weight, &mut normal);
    }
    normal
}

/// Whether the client likes no language better than `tag`, which it names: then a response in it is what any choice
/// between languages would have given. Equal tags only, without the ranges of RFC 4647.
#[must_use]
pub fn likes_best(value: &[u8], tag: &[u8]) -> bool {
    let ranges = ranges(value);
    let best = ranges.iter().map(|(_, weight)| *weight).max().unwrap_or(0);
    best > 0 && ranges.iter().any(|(range, weight)| *weight == best && range.eq_ignore_ascii_case(tag))
}

/// Each range in lower case with its weight in thousandths; as many as a head holds, since a key must tell all apart.
fn ranges(value: &[u8]) -> Vec<(Vec<u8>, u16)> {
    let members = value.split(|&b| b == b',').map(<[u8]>::trim_ascii).filter(|member| !member.is_empty());
    let range = |member: &[u8]| {
        let mut parts = member.split(|&b| b == b';').map(<[u8]>::trim_ascii);
        let range = parts.next().unwrap_or_default().to_ascii_lowercase();
        (range, parts.find_map(weight).unwrap_or(WHOLE))
    };
    members.map(range).collect()
}

/// `;q=0.5` in the shortest form; nothing for 1.
fn push_weight(weight: u16, out: &mut Vec<u8>) {
    if weight < WHOLE {
        let decimals = format!("{weight:03}");
        let decimals = decimals.trim_end_matches('0');
        out.extend_from_slice(if decimals.is_empty() { b";q=0" } else { b";q=0." });
        out.extend_from_slice(decimals.as_bytes());
    }
}

const WHOLE: u16 = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    fn normal(value: &str) -> String {
        String::from_utf8(normalise_language(value.as_bytes())).unwrap()
    }

    #[test]
    fn equal_meaning_gives_equal_bytes() {
        for (value, expected) in [
            ("en, de", "de,en"),
            ("de, en", "de,en"),
            ("eN, De", "de,en"),
            (" en ,   de", "de,en"),
            ("fr;q=0.5, de;q=1.0", "de,fr;q=0.5"),
            ("fr ; Q=0.500,de", "de,fr;q=0.5"),
            ("en-GB,en;q=0.9,*;q=0.05", "en-gb,en;q=0.9,*;q=0.05"),
            ("de;q=0", "de;q=0"),
            ("de;q=x, en", "en,de;q=0"),
            ("de, en, de", "de,en"),
            ("", ""),
            (" , ,", ""),
        ] {
            assert_eq!(normal(value), expected, "{value}");
        }
    }

    #[test]
    fn other_meaning_gives_other_bytes() {
        let values = ["en", "en;q=0", "en;q=0.5,de", "de;q=0.5,en", "en,de", "en-GB,de", "*", "", "en;q=0.001"];
        for (at, a) in values.iter().enumerate() {
            values[at + 1..].iter().for_each(|b| assert_ne!(normal(a), normal(b)));
        }
    }

    #[test]
    fn the_language_liked_best_is_named_and_unsurpassed() {
        for (value, tag, best) in [
            ("fr;q=0.5, de;q=1.0", "de", true),
            ("fr;q=0.5, de;q=1.0", "DE", true),
            ("fr;q=0.5, de;q=1.0", "fr", false),
            ("en, de", "de", true),
            ("en", "de", false),
            ("de;q=0", "de", false),
            ("", "de", false),
            ("en-GB", "en", false),
        ] {
            assert_eq!(likes_best(value.as_bytes(), tag.as_bytes()), best, "{value} {tag}");
        }
    }
}
