use super::*;
use crate::http::{Normal, push_selecting};
use proptest::prelude::*;
use std::sync::Arc;

fn values() -> impl Strategy<Value = String> {
    "([a-z0-9\"=,;/-]([a-z0-9\" =,;/-]{0,20}[a-z0-9\"=,;/-])?)?"
}

fn lines() -> impl Strategy<Value = Vec<(String, String)>> {
    let names = prop_oneof![
        Just("ETag".to_owned()),
        Just("last-modified".to_owned()),
        Just("Date".to_owned()),
        Just("content-length".to_owned()),
        Just("content-language".to_owned()),
        Just("vary".to_owned()),
        "[A-Za-z0-9!#.^_|~-]{1,12}",
    ];
    prop::collection::vec((names, values()), 0..8)
}

fn fields(lines: &[(String, String)]) -> Fields {
    let mut fields = Fields::default();
    lines.iter().for_each(|(name, value)| fields.push(name.as_bytes(), value.as_bytes()));
    fields
}

fn lives() -> impl Strategy<Value = Life> {
    (any::<i64>(), any::<[u64; 4]>(), any::<[bool; 3]>()).prop_map(|(born_ms, times, is)| Life {
        born_ms,
        fresh_ms: times[0],
        while_revalidate_ms: times[1],
        if_error_ms: times[2],
        if_disconnected_ms: times[3],
        forbids_stale: is[0],
        no_cache: is[1],
        immutable: is[2],
    })
}

fn contents() -> impl Strategy<Value = Content> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..40).prop_map(Vec::into_boxed_slice);
    let parts = prop::collection::vec((0_u64..100, bytes()), 1..5).prop_map(|list| {
        // Each in a place of its own, and none at the end of another.
        let apart = list.into_iter().enumerate().map(|(at, (first, bytes))| (at as u64 * 200 + first, bytes));
        let list = apart.filter(|(_, bytes)| !bytes.is_empty()).map(|(first, bytes)| (first, bytes.into()));
        let list = list.chain([(1900, Bytes::from_static(b"x"))]).collect();
        Content::Parts(Box::new(Parts::of(2000, list).unwrap()))
    });
    prop_oneof![3 => bytes().prop_map(Content::Whole), 2 => parts]
}

prop_compose! {
    fn entries()(
        scope in "([a-z]{1,5} )?", url in "https?://[a-z.]{1,9}(:81)?/[a-z/?=&]{0,12}", request in lines(),
        response in lines(), life in lives(), numbers: [u64; 2], tags in prop::collection::vec(any::<u64>(), 0..4),
        status in prop_oneof![Just(200_u16), Just(404), Just(301), Just(599)], content in contents(),
        ours in prop_oneof![Just(""), Just("no-cache"), Just("max-age=60, private")],
    ) -> Entry {
        let (mut response, key) = (fields(&response), scope.clone() + &url);
        if !ours.is_empty() {
            response.push(b"Weir-Cache-Control", ours.as_bytes());
        }
        let mut selecting = Vec::new();
        push_selecting(&response, &fields(&request), &Normal::default(), &mut selecting);
        Entry::make(Make {
            hash: 7,
            variant: numbers[0],
            key: key.as_bytes(),
            url_at: scope.len(),
            selecting: &selecting,
            tags: &tags,
            status: if matches!(content, Content::Whole(_)) { status } else { 200 },
            fields: &response,
            life,
            born: numbers[1],
            content,
        })
    }
}

fn body(entry: &Entry) -> Box<[u8]> {
    match entry.content() {
        Content::Whole(bytes) => bytes.clone(),
        Content::Parts(parts) => parts.joined(),
        Content::Pending | Content::Of(_) | Content::Form(_) => Box::default(),
    }
}

proptest! {
    #[test]
    fn an_entry_is_read_as_it_was_written(entry in entries()) {
        let meta = encode(&entry).unwrap();
        // What has nothing of it is as it always was.
        prop_assert_eq!(meta[0], if entry.ours().is_empty() { 1 } else { 2 });
        let again = decode(&meta, body(&entry), 7).unwrap();
        // All of it but its content, which may be shared, is compared as it is shown.
        prop_assert_eq!(format!("{again:?}"), format!("{entry:?}"));
        prop_assert_eq!(encode(&again), Some(meta));
    }

    #[test]
    fn what_is_cut_short_or_grown_is_none(entry in entries(), at: prop::sample::Index) {
        let (meta, body) = (encode(&entry).unwrap(), body(&entry));
        prop_assert!(decode(&meta[..at.index(meta.len())], body.clone(), 7).is_none());
        prop_assert!(decode(&[&meta[..], &[0][..]].concat(), body.clone(), 7).is_none());
        if let Content::Parts(_) = entry.content() {
            prop_assert!(decode(&meta, body[..body.len() - 1].into(), 7).is_none());
            prop_assert!(decode(&meta, [&body[..], &[0][..]].concat().into(), 7).is_none());
        }
    }

    #[test]
    fn a_flipped_bit_makes_none_or_another_entry_that_may_be_served(
        entry in entries(), at: prop::sample::Index, bit in 0_u8..8,
    ) {
        let mut meta = encode(&entry).unwrap();
        let at = at.index(meta.len());
        meta[at] ^= 1 << bit;
        if let Some(other) = decode(&meta, body(&entry), 7) {
            prop_assert_eq!(encode(&other), Some(meta));
            prop_assert!(lines_are_fields(other.lines()) && is_selecting(other.selecting()));
            prop_assert!(other.fields().iter().all(|(_, name, value)| is_name(name) && is_value(value)));
        }
    }
}

#[test]
fn what_shares_its_content_is_written_with_it() {
    let base = Arc::new(made(Content::Whole(b"abc"[..].into())));
    let freshened = base.with(base.life, Entry::content_of(&base));
    let again = decode(&encode(&freshened).unwrap(), body(&freshened), 7).unwrap();
    assert_eq!(again.whole(), Some(&b"abc"[..]));
}

#[test]
fn what_is_not_stored_is_not_written() {
    assert_eq!(encode(&made(Content::Pending)), None);
}

#[test]
fn parts_that_touch_are_written_as_one() {
    let part = |first| (first, Bytes::from_static(b"abc"));
    let touching = Parts::of(20, vec![part(3), part(6), part(12)]).unwrap();
    let made = made(Content::Parts(Box::new(touching)));
    let again = decode(&encode(&made).unwrap(), body(&made), 7).unwrap();
    let Content::Parts(parts) = again.content() else { panic!("parts") };
    assert_eq!((parts.list().len(), parts.runs()), (2, vec![3..9, 12..15]));
}

#[test]
fn nothing_is_sent_that_would_split_a_response() {
    let good = encode(&made(Content::Whole(Box::default()))).unwrap();
    for (from, to) in [
        (&b"a: b\r\n"[..], &b"a: \n\r\n"[..]),
        (b"a: b\r\n", b"a: \r\r\n"),
        (b"a: b\r\n", b": ab\r\n"),
        (b"a: b\r\n", b"a:  \r\n"),
        (b"a: b\r\n", b"te:b\r\n"),
        (b"http:", b"htp::"),
    ] {
        let at = memchr::memmem::find(&good, from).unwrap();
        let mut bad = good.clone();
        bad[at..at + from.len()].copy_from_slice(to);
        assert!(decode(&bad, Box::default(), 7).is_none(), "{to:?}");
    }
}

fn made(content: Content) -> Entry {
    let life = Life { fresh_ms: 5, ..Life::NONE };
    let fields = &fields(&[("a".to_owned(), "b".to_owned())]);
    let (key, selecting) = (&b"http://a/"[..], &b"x\x01\n"[..]);
    let (variant, born, status) = (1, 2, 200);
    Entry::make(Make { hash: 7, variant, key, url_at: 0, selecting, tags: &[9], status, fields, life, born, content })
}
