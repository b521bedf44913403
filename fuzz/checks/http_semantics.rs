use std::ops::Range;
use weir::http::structured::{Item, dictionary, list_of_strings};
use weir::http::{
    Condition, FieldName, Fields, Multipart, NoVarySearch, RANGES_MAX, Ranges, RequestHead, TAG_BYTES_MAX, TAGS_MAX,
    Tag, Validators, conditions, content_range, has_conditions, imf_fixdate, is_strong, parse_content_range,
    parse_date, parse_range, range_may, ranges, strip_conditions, strong_eq, tags, weak_eq, weakened,
};

/// The first line is read by each of the rules for one value, both lines by those for two or for several.
pub(crate) fn check(data: &[u8]) {
    let (first, rest) = data.split_at(memchr(data).unwrap_or(data.len()));
    let second = rest.get(1..).unwrap_or_default();
    dates(first, second);
    structured(first, second);
    selects(first, second.len() as u64);
    judges(first, second);
    normalises(first, second);
    groups(first, second);
}

fn memchr(data: &[u8]) -> Option<usize> {
    data.iter().position(|&b| b == b'\n')
}

fn dates(first: &[u8], second: &[u8]) {
    let now = second.first_chunk().map_or(NOW, |bytes| u64::from_le_bytes(*bytes));
    if let Some(unix) = parse_date(first, now) {
        assert_eq!(parse_date(&imf_fixdate(unix), now), Some(unix.min(UNIX_MAX)));
    }
}

fn structured(first: &[u8], second: &[u8]) {
    let both = dictionary([first, second].into_iter());
    assert_eq!(both, dictionary([&[first, b", ", second].concat()[..]].into_iter()));
    for member in dictionary([first].into_iter()).iter().flatten() {
        assert!(!member.key.is_empty() && member.key.is_ascii());
        assert!(!matches!(member.value, Item::Integer(n) if n.unsigned_abs() >= 1_000_000_000_000_000));
    }
    let Some(strings) = list_of_strings([first].into_iter()) else { return };
    let quoted: Vec<String> =
        strings.iter().map(|text| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))).collect();
    assert_eq!(list_of_strings([quoted.join(", ").as_bytes()].into_iter()), Some(strings));
}

fn selects(value: &[u8], complete: u64) {
    for complete in [complete, 1 << 20, u64::MAX] {
        let selected = ranges(value, complete);
        if let Some(spec) = parse_range(value) {
            let expected = spec.within(complete).map_or(selected.clone(), |range| Ranges::Some(vec![range]));
            assert_eq!(selected, expected);
        }
        let Ranges::Some(list) = selected else { continue };
        assert!((1..=RANGES_MAX).contains(&list.len()));
        let mut sorted = list.clone();
        sorted.sort_unstable_by_key(|range| range.start);
        assert!(sorted.iter().all(|range| range.start < range.end && range.end <= complete));
        assert!(sorted.windows(2).all(|two| two[0].end < two[1].start));
        planned(list, complete, value);
    }
    if let Some(content) = parse_content_range(value) {
        assert!(content.range.start < content.range.end);
        let complete = content.complete.unwrap_or(u64::MAX);
        let again = parse_content_range(content_range(&content.range, complete).as_bytes());
        assert_eq!(again.map(|again| again.range), Some(content.range));
    }
}

fn planned(list: Vec<Range<u64>>, complete: u64, content_type: &[u8]) {
    let plan = Multipart::new(list.clone(), complete, Some(content_type), "boundary");
    assert!(plan.parts().map(|(_, range)| range).eq(&list));
    let bytes: u128 = plan.parts().map(|(head, range)| head.len() as u128 + u128::from(range.end - range.start)).sum();
    assert_eq!(u128::from(plan.length()), (bytes + plan.closing().len() as u128).min(u128::from(u64::MAX)));
}

fn judges(first: &[u8], second: &[u8]) {
    for name in [&b"if-match"[..], b"if-none-match", b"if-modified-since", b"if-unmodified-since", b"if-range"] {
        let mut request = RequestHead::default();
        request.fields.push(name, first);
        let stored = Validators { etag: Some(second), last_modified: Some(second), date: Some(first) };
        let condition = conditions(&request, &stored, NOW);
        assert!(has_conditions(&request.fields) || condition == Condition::Proceed);
        if range_may(&request, &stored) && name == b"if-range" {
            assert!(first == second);
        }
        strip_conditions(&mut request.fields);
        assert!(request.fields.is_empty() && conditions(&request, &stored, NOW) == Condition::Proceed);
    }
    assert_eq!(weak_eq(first, second), weak_eq(second, first));
    assert!(!strong_eq(first, second) || (weak_eq(first, second) && is_strong(first)));
    assert!(weak_eq(first, &weakened(first)) && !is_strong(&weakened(first)));
}

fn normalises(first: &[u8], second: &[u8]) {
    let rule = NoVarySearch::parse([first].into_iter());
    assert_eq!(NoVarySearch::from_bytes(&rule.to_bytes()).as_ref(), Some(&rule));
    for rule in [Some(rule), NoVarySearch::from_bytes(first)].into_iter().flatten() {
        let once = rule.normalise(second);
        assert_eq!(rule.normalise(&once), once);
        assert!(!rule.is_default() || once == second);
    }
}

fn groups(first: &[u8], second: &[u8]) {
    let mut fields = Fields::default();
    for name in [&b"surrogate-key"[..], b"cache-tag", b"cache-groups"] {
        assert_eq!(FieldName::of(name), FieldName::Other);
        fields.push(name, first);
        fields.push(name, second);
    }
    let tags = tags(&fields);
    assert!(tags.len() <= TAGS_MAX && tags.is_sorted_by(|a, b| a < b));
    assert!(tags.iter().all(|(Tag::Own(name) | Tag::Group(name))| name.len() <= TAG_BYTES_MAX));
}

/// 2026-11-24
const NOW: u64 = 1_795_478_400;
/// The last second that can be written.
const UNIX_MAX: u64 = 253_402_300_799;
