use weir::cache::entry::{Content, Entry};
use weir::cache::record;
use weir::http::{RequestDirectives, Reuse, is_name, is_selecting, is_value, may_reuse};

/// The first byte says how many of the last ones are the content; the others are what is known of it. Whatever a disk
/// gives back, nothing that reads it panics, and what is read may be served and is written again as it was.
pub(crate) fn check(data: &[u8]) {
    let Some((&length, rest)) = data.split_first() else { return };
    let (meta, body) = rest.split_at(rest.len().saturating_sub(usize::from(length)));
    let Some(entry) = record::decode(meta, body.into(), 7) else { return };
    assert_eq!(record::encode(&entry).as_deref(), Some(meta));
    assert!(entry.fields().iter().all(|(_, name, value)| is_name(name) && is_value(value)));
    assert!(is_selecting(entry.selecting()) && entry.url().starts_with(b"http") && entry.key().ends_with(entry.url()));
    holds(&entry, body);
    for now_ms in [0, entry.life.ends_ms(), u64::MAX] {
        let reuse = may_reuse(&entry.life, &RequestDirectives::default(), now_ms);
        assert!(reuse != Reuse::Fresh || entry.life.ttl(now_ms) >= 0);
    }
}

/// Its content is what was beside it, and within the whole.
fn holds(entry: &Entry, body: &[u8]) {
    let complete = entry.complete().expect("what is read has content");
    match entry.content() {
        Content::Whole(bytes) => assert_eq!(**bytes, *body),
        Content::Parts(parts) => {
            assert_eq!(*parts.joined(), *body);
            for (first, bytes) in parts.list() {
                let range = *first..first + bytes.len() as u64;
                assert!(range.end <= complete && entry.covers(&range));
                assert_eq!(entry.piece(&range), Some(&**bytes));
            }
        }
        Content::Pending | Content::Of(_) | Content::Form(_) => panic!("no such thing is written"),
    }
    assert_eq!(entry.piece(&(complete..complete.saturating_add(1))), None);
}
