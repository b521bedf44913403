#![allow(clippy::single_range_in_vec_init, reason = "lists of ranges, some of one")]

use super::*;
use proptest::prelude::*;

const ROOM: u64 = 1 << 30;

fn bytes(range: Range<u64>) -> Bytes {
    range.map(|at| (at * 7 % 251) as u8).collect::<Vec<_>>().into()
}

/// Parts that were added one after the other.
fn added(complete: u64, ranges: &[Range<u64>], room_bytes: u64) -> Option<Content> {
    let mut content = None;
    for range in ranges {
        let before = match &content {
            Some(Content::Parts(parts)) => Some(&**parts),
            _ => None,
        };
        content = Parts::with(before, complete, (range.start, bytes(range.clone())), room_bytes);
    }
    content
}

fn parts(complete: u64, ranges: &[Range<u64>]) -> Parts {
    match added(complete, ranges, ROOM) {
        Some(Content::Parts(parts)) => *parts,
        other => panic!("not parts, but {other:?}"),
    }
}

#[test]
fn parts_that_meet_are_one_run_and_all_of_them_the_whole() {
    for (ranges, expected) in [
        (&[2..4, 6..8][..], &[2..4, 6..8][..]),
        (&[6..8, 2..4], &[2..4, 6..8]),
        (&[2..4, 4..6], &[2..6]),
        (&[2..5, 4..7], &[2..7]),
        (&[4..7, 2..5], &[2..7]),
        (&[3..4, 2..7], &[2..7]),
        (&[2..7, 3..4], &[2..7]),
        (&[2..4, 6..8, 1..9], &[1..9]),
        (&[2..4, 6..8, 3..7], &[2..8]),
        (&[0..5], &[0..5]),
    ] {
        assert_eq!(parts(10, ranges).runs(), expected, "{ranges:?}");
    }
    for ranges in [&[0..10][..], &[0..5, 5..10], &[5..10, 0..5], &[2..8, 0..10], &[1..3, 7..9, 0..4, 3..10]] {
        let Some(Content::Whole(whole)) = added(10, ranges, ROOM) else { panic!("{ranges:?} are all") };
        assert_eq!(whole[..], bytes(0..10)[..], "{ranges:?}");
    }
}

#[test]
fn many_parts_are_written_few_times() {
    let (mut before, mut written, mut lags_most) = (None::<Parts>, 0, 0.0f64);
    for at in 0..60 {
        let first = at * 20;
        let content = Parts::with(before.as_ref(), 10_000, (first, bytes(first..first + 10)), ROOM);
        let Some(Content::Parts(parts)) = content else { panic!("not parts") };
        if parts.are_due() {
            written += parts.bytes();
        }
        lags_most = lags_most.max(parts.bytes() as f64 / parts.written as f64);
        before = Some(*parts);
    }
    assert!((600..=3 * 600).contains(&written), "{written} bytes for 600");
    assert!(lags_most < 1.5, "{lags_most} times what is written");
    let read = Parts::of(10_000, before.unwrap().list).unwrap();
    assert!(read.are_due(), "what comes from the disk is there");
    let Some(Content::Parts(other)) = Parts::with(Some(&read), 9_000, (0, bytes(0..10)), ROOM) else { panic!() };
    assert!(other.are_due(), "of another representation");
}

#[test]
fn what_cannot_be_a_part_is_none() {
    assert!(Parts::with(None, 10, (8, bytes(8..11)), ROOM).is_none());
    assert!(Parts::with(None, 10, (u64::MAX, bytes(0..1)), ROOM).is_none());
    assert!(Parts::with(None, 10, (3, Bytes::new()), ROOM).is_none());
    assert!(Parts::with(None, 10, (3, bytes(3..6)), 2).is_none(), "there is no room");
    for list in [&[][..], &[3..4, 2..3], &[2..4, 3..5], &[8..11], &[3..3]] {
        let list = list.iter().map(|range| (range.start, bytes(range.clone()))).collect();
        assert!(Parts::of(10, list).is_none());
    }
    // Of another size: nothing of it is used.
    let before = parts(10, &[2..4]);
    let Some(Content::Parts(after)) = Parts::with(Some(&before), 11, (6, bytes(6..8)), ROOM) else { panic!() };
    assert_eq!(after.runs(), [6..8]);
}

#[test]
fn what_is_missing_reaches_from_the_first_gap_to_the_last() {
    let held = parts(100, &[10..20, 30..40, 80..90]);
    for (range, expected) in [
        (0..5, Some(0..5)),
        (0..15, Some(0..10)),
        (10..20, None),
        (12..18, None),
        (12..25, Some(20..25)),
        (20..30, Some(20..30)),
        (19..31, Some(20..30)),
        (0..25, Some(0..25)),
        (0..20, Some(0..10)),
        (12..40, Some(20..30)),
        (12..50, Some(20..50)),
        (12..85, Some(20..80)),
        (0..100, Some(0..100)),
        (99..100, Some(99..100)),
    ] {
        assert_eq!(held.missing(&range), expected, "{range:?}");
    }
}

#[test]
fn many_tiny_ranges_are_bounded_and_take_nothing_from_large_ones() {
    let complete = 1 << 40;
    let mut content = added(complete, &[1000..100_000], ROOM);
    for at in 0..10_000u64 {
        let Some(Content::Parts(parts)) = &content else { panic!() };
        let first = 1_000_000 + at * 10;
        content = Parts::with(Some(parts), complete, (first, bytes(first..first + 1)), ROOM);
    }
    let Some(Content::Parts(parts)) = content else { panic!() };
    assert!(parts.list.len() == PARTS_MAX && parts.missing(&(1000..100_000)).is_none(), "{}", parts.list.len());
}

#[test]
fn small_ranges_in_a_row_are_joined() {
    let complete = 1 << 20;
    let ranges: Vec<_> = (1..1000u64).map(|at| at * 100..at * 100 + 100).collect();
    let parts = parts(complete, &ranges);
    assert_eq!(parts.runs(), [100..100_000]);
    assert!(parts.list.len() <= PARTS_MAX);
}

#[test]
fn the_larger_ones_have_the_room_and_of_those_alike_the_newest() {
    let Some(Content::Parts(parts)) = added(100, &[0..10, 20..30, 40..45, 50..60], 30) else { panic!() };
    assert_eq!(parts.runs(), [0..10, 20..30, 50..60]);
    let Some(Content::Parts(parts)) = added(100, &[0..10, 20..30, 50..60], 20) else { panic!() };
    assert_eq!(parts.runs().last(), Some(&(50..60)));
    assert_eq!(parts.bytes(), 20);
}

proptest! {
    #[test]
    fn what_is_held_is_right_and_as_much_as_was_added(
        ranges in prop::collection::vec((0..200u64, 1..60u64), 1..20), wanted in (0..260u64, 1..260u64),
    ) {
        const COMPLETE: u64 = 260;
        let ranges: Vec<_> = ranges.into_iter().map(|(first, len)| first..first + len).collect();
        let wanted = wanted.0..(wanted.0 + wanted.1).min(COMPLETE);
        let is_added = |at: u64| ranges.iter().any(|range| range.contains(&at));
        match added(COMPLETE, &ranges, ROOM).unwrap() {
            Content::Whole(whole) => prop_assert!(whole[..] == bytes(0..COMPLETE)[..] && (0..COMPLETE).all(is_added)),
            Content::Parts(parts) => {
                for at in 0..COMPLETE {
                    let piece = parts.piece(&(at..COMPLETE));
                    prop_assert_eq!(piece.is_some(), is_added(at), "{}", at);
                    if let Some(piece) = piece {
                        prop_assert_eq!(piece, &bytes(at..at + piece.len() as u64)[..]);
                    }
                }
                match parts.missing(&wanted) {
                    None => {
                        prop_assert!(wanted.clone().all(is_added));
                        let pieces: Vec<u8> = parts.pieces(&wanted).flatten().collect();
                        prop_assert_eq!(pieces, bytes(wanted.clone()));
                    }
                    Some(missing) => {
                        prop_assert!(!is_added(missing.start) && !is_added(missing.end - 1), "no more than is missing");
                        prop_assert!((wanted.start..missing.start).all(is_added), "from the first");
                        prop_assert!((missing.end..wanted.end).all(is_added), "to the last");
                    }
                }
                let list = parts.list().to_vec();
                prop_assert!(Parts::of(COMPLETE, list).is_some());
                prop_assert_eq!(parts.bytes() as usize, (0..COMPLETE).filter(|at| is_added(*at)).count());
            }
            other => prop_assert!(false, "{other:?}"),
        }
    }
}
