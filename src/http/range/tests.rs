#![allow(clippy::single_range_in_vec_init, reason = "a list of one range is what is meant")]

use super::*;

fn some(ranges: &[Range<u64>]) -> Ranges {
    Ranges::Some(ranges.to_vec())
}

#[test]
fn the_examples_of_rfc_9110_select_what_it_says() {
    // RFC 9110 §14.1.2: of 10000 bytes.
    for (value, expected) in [
        ("bytes=0-499", some(&[0..500])),
        ("bytes=500-999", some(&[500..1000])),
        ("bytes=-500", some(&[9500..10_000])),
        ("bytes=9500-", some(&[9500..10_000])),
        ("bytes=0-0,-1", some(&[0..1, 9999..10_000])),
        ("bytes= 0-999, 4500-5499, -1000", some(&[0..1000, 4500..5500, 9000..10_000])),
        ("bytes=500-600,601-999", some(&[500..1000])),
        ("bytes=500-700,601-999", some(&[500..1000])),
    ] {
        assert_eq!(ranges(value.as_bytes(), 10_000), expected, "{value}");
    }
}

#[test]
fn ranges_are_cut_off_at_the_end_and_none_is_beyond_it() {
    for (value, complete, expected) in [
        ("bytes=0-99", 10, some(&[0..10])),
        ("bytes=9-9", 10, some(&[9..10])),
        ("bytes=10-", 10, Ranges::Unsatisfiable),
        ("bytes=10-20", 10, Ranges::Unsatisfiable),
        ("bytes=10-20, 3-4", 10, some(&[3..5])),
        ("bytes=-99", 10, some(&[0..10])),
        ("bytes=-0", 10, Ranges::Unsatisfiable),
        ("bytes=-0", 0, Ranges::Unsatisfiable),
        ("bytes=0-", 0, Ranges::Unsatisfiable),
        ("bytes=-1", 0, Ranges::Whole),
        ("bytes=0-99999999999999999999999", 10, some(&[0..10])),
        ("bytes=99999999999999999999999-", 10, Ranges::Unsatisfiable),
        ("bytes=-99999999999999999999999", 10, some(&[0..10])),
        ("bytes=0-18446744073709551615", u64::MAX, some(&[0..u64::MAX])),
    ] {
        assert_eq!(ranges(value.as_bytes(), complete), expected, "{value} of {complete}");
    }
}

#[test]
fn what_is_invalid_or_in_another_unit_is_ignored() {
    for value in [
        "",
        "bytes",
        "bytes=",
        "bytes=,",
        "bytes=a",
        "bytes=1",
        "bytes=2-1",
        "bytes=0-1,2-1",
        "bytes=0-1,x",
        "bytes=-",
        "bytes=--1",
        "bytes=1-2-3",
        "bytes=+1-2",
        "bytes=1 -2",
        "bytes =0-1",
        "lines=0-1",
        "bytes:0-1",
        "bytes=0x1-2",
    ] {
        assert_eq!(ranges(value.as_bytes(), 10), Ranges::Whole, "{value}");
        assert_eq!(parse_range(value.as_bytes()), None, "{value}");
    }
    assert_eq!(ranges(b"BYTES=0-1", 10), some(&[0..2]));
    assert_eq!(ranges(b"bytes=,0-1, ,", 10), some(&[0..2]));
}

#[test]
fn many_ranges_are_ignored_and_near_ones_become_one() {
    let many = |count: usize| {
        let specs: Vec<String> = (0..count).map(|at| format!("{}-{}", at * 1000, at * 1000)).collect();
        format!("bytes={}", specs.join(","))
    };
    assert!(matches!(ranges(many(RANGES_MAX).as_bytes(), 1 << 20), Ranges::Some(list) if list.len() == RANGES_MAX));
    assert_eq!(ranges(many(RANGES_MAX + 1).as_bytes(), 1 << 20), Ranges::Whole);
    assert_eq!(ranges(b"bytes=0-,0-,0-", 10), some(&[0..10]));
    assert_eq!(ranges(b"bytes=900-999,0-9", 1000), some(&[900..1000, 0..10]));
    assert_eq!(ranges(b"bytes=900-999,0-9,80-89", 1000), some(&[0..90, 900..1000]));
    assert_eq!(ranges(b"bytes=0-0,81-81", 1000), some(&[0..82]));
    assert_eq!(ranges(b"bytes=0-0,82-82", 1000), some(&[0..1, 82..83]));
}

#[test]
fn a_single_range_is_known_before_the_length() {
    for (value, expected) in [
        ("bytes=0-499", Some(RangeSpec::FromTo(0, Some(499)))),
        ("bytes=9500-", Some(RangeSpec::FromTo(9500, None))),
        ("bytes=-5", Some(RangeSpec::Suffix(5))),
        ("bytes=0-0,-1", None),
    ] {
        assert_eq!(parse_range(value.as_bytes()), expected, "{value}");
    }
}

#[test]
fn content_range_is_read_and_written() {
    let of = |range, complete| Some(ContentRange { range, complete });
    for (value, expected) in [
        ("bytes 42-1233/1234", of(42..1234, Some(1234))),
        ("bytes 42-1233/*", of(42..1234, None)),
        ("Bytes 0-0/1", of(0..1, Some(1))),
        ("bytes */1234", None),
        ("bytes 5-4/10", None),
        ("bytes 0-10/10", None),
        ("bytes 0-9/10/10", None),
        ("bytes 0-9", None),
        ("bytes=0-9/10", None),
        ("bytes  0-9/10", None),
        ("lines 0-9/10", None),
        ("bytes 0-18446744073709551615/*", None),
        ("bytes 0-9/99999999999999999999999", None),
        ("bytes -9/10", None),
    ] {
        assert_eq!(parse_content_range(value.as_bytes()), expected, "{value}");
    }
    assert_eq!(content_range(&(42..1234), 1234), "bytes 42-1233/1234");
    assert_eq!(unsatisfied(47_022), "bytes */47022");
}

#[test]
fn several_ranges_go_out_as_parts() {
    let content = b"0123456789";
    let plan = Multipart::new(vec![0..2, 8..10], 10, Some(b"text/plain"), "X");
    let mut out = Vec::new();
    for (head, range) in plan.parts() {
        out.extend_from_slice(head);
        out.extend_from_slice(&content[range.start as usize..range.end as usize]);
    }
    out.extend_from_slice(plan.closing());
    let expected = "--X\r\nContent-Type: text/plain\r\nContent-Range: bytes 0-1/10\r\n\r\n01\r\n--X\r\n\
                    Content-Type: text/plain\r\nContent-Range: bytes 8-9/10\r\n\r\n89\r\n--X--\r\n";
    assert_eq!(String::from_utf8(out).unwrap(), expected);
    assert_eq!(plan.length(), expected.len() as u64);
    assert_eq!(plan.content_type(), "multipart/byteranges; boundary=X");
    let bare = Multipart::new(vec![0..u64::MAX, 0..u64::MAX], u64::MAX, None, "X");
    assert!(bare.length() == u64::MAX && bare.parts().all(|(head, _)| !head.windows(4).any(|four| four == b"Type")));
}

proptest::proptest! {
    #[test]
    fn a_byte_is_selected_if_any_range_asks_for_it(
        asked in proptest::collection::vec((0u64..600, 0u64..200, 0u8..3), 1..6),
        complete in 1u64..700,
        at in 0u64..700,
    ) {
        let specs: Vec<(String, bool)> = asked.iter().map(|&(first, length, form)| match form {
            0 => (format!("{first}-{}", first + length), (first..=first + length).contains(&at)),
            1 => (format!("{first}-"), at >= first),
            _ => (format!("-{length}"), at >= complete.saturating_sub(length)),
        }).collect();
        let value = format!("bytes={}", specs.iter().map(|(text, _)| text.as_str()).collect::<Vec<_>>().join(","));
        let wanted = at < complete && specs.iter().any(|(_, wanted)| *wanted);
        let list = match ranges(value.as_bytes(), complete) {
            Ranges::Some(list) => list,
            Ranges::Unsatisfiable => Vec::new(),
            Ranges::Whole => panic!("{value} is valid"),
        };
        proptest::prop_assert!(!wanted || list.iter().any(|range| range.contains(&at)), "{value} {list:?}");
        for (index, range) in list.iter().enumerate() {
            proptest::prop_assert!(range.start < range.end && range.end <= complete);
            let apart = |other: &Range<u64>| other.end < range.start || range.end < other.start;
            proptest::prop_assert!(list.iter().enumerate().all(|(at, other)| at == index || apart(other)));
        }
    }

    #[test]
    fn content_range_comes_back_as_it_was(first: u64, length in 1u64.., more: u64) {
        let end = first.saturating_add(length);
        let complete = end.saturating_add(more);
        if first < end {
            let value = content_range(&(first..end), complete);
            let read = ContentRange { range: first..end, complete: Some(complete) };
            proptest::prop_assert_eq!(parse_content_range(value.as_bytes()), Some(read));
        }
    }
}
