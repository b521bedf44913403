use super::*;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;

mod model;

fn purges() -> Purges {
    Purges::new(Secret([7; 16]))
}

fn verdict(purges: &Purges, born: u64, url: &str, tags: &[&str]) -> Verdict {
    let tags: Vec<u64> = tags.iter().map(|tag| purges.tag(tag.as_bytes())).collect();
    purges.judge(&Marks { born, url: url.as_bytes(), tags: &tags })
}

fn hard(what: &What) -> Purges {
    let purges = purges();
    purges.purge(what, Mode::Hard);
    purges
}

const URL: &str = "https://shop.example:8443/a/b?c";

#[test]
fn what_began_before_a_purge_is_purged_and_what_begins_after_it_is_not() {
    let purges = purges();
    let before = purges.generation();
    let noted = purges.purge(&What::Tag(b"t".to_vec()), Mode::Hard);
    assert_eq!(noted, Noted { generation: 1, widened: false, collapsed: 0 });
    assert_eq!(purges.generation(), 1);
    assert_eq!(verdict(&purges, before, URL, &["x", "t"]), Verdict::Gone);
    assert_eq!(verdict(&purges, purges.generation(), URL, &["x", "t"]), Verdict::Lives);
    assert_eq!(verdict(&purges, before, URL, &["x"]), Verdict::Lives);
}

#[test]
fn each_kind_names_what_it_should_and_no_more() {
    for (what, is_named) in [
        (What::Url(URL.into()), true),
        (What::Url(b"http://shop.example:8443/a/b?c".to_vec()), false),
        (What::Url(b"https://shop.example:8443/a/b".to_vec()), false),
        (What::Prefix(b"https://shop.example:8443/a".to_vec()), true),
        (What::Prefix(URL.into()), true),
        (What::Prefix(format!("{URL}d").into()), false),
        (What::Prefix(b"https://shop.example:8443/b".to_vec()), false),
        (What::Host(b"shop.example".to_vec()), true),
        (What::Host(b"shop.example:8443".to_vec()), true),
        (What::Host(b"shop.example:443".to_vec()), false),
        (What::Host(b"example".to_vec()), false),
        (What::Tag(b"t".to_vec()), true),
        (What::Tag(b"T".to_vec()), false),
        (What::All, true),
    ] {
        let expected = if is_named { Verdict::Gone } else { Verdict::Lives };
        assert_eq!(verdict(&hard(&what), 0, URL, &["t"]), expected, "{what}");
    }
}

#[test]
fn a_host_with_a_default_port_is_the_scheme_that_has_it() {
    let purges = hard(&What::Host(b"a:443".to_vec()));
    assert_eq!(verdict(&purges, 0, "https://a/", &[]), Verdict::Gone);
    assert_eq!(verdict(&purges, 0, "http://a/", &[]), Verdict::Lives);
    assert_eq!(verdict(&purges, 0, "http://a:443/", &[]), Verdict::Gone);
    assert_eq!(verdict(&hard(&What::Host(b"[::1]".to_vec())), 0, "http://[::1]:81/", &[]), Verdict::Gone);
}

#[test]
fn what_is_soft_makes_stale_and_never_takes_back_what_is_hard() {
    let (purges, url) = (purges(), What::Url(URL.into()));
    purges.purge(&url, Mode::Soft);
    assert_eq!(verdict(&purges, 0, URL, &[]), Verdict::Stale);
    purges.purge(&url, Mode::Hard);
    purges.purge(&url, Mode::Soft);
    assert_eq!(verdict(&purges, 1, URL, &[]), Verdict::Gone);
    assert_eq!(verdict(&purges, 2, URL, &[]), Verdict::Stale);
    assert_eq!(verdict(&purges, 3, URL, &[]), Verdict::Lives);
    purges.purge(&What::All, Mode::Soft);
    assert_eq!(verdict(&purges, 1, URL, &[]), Verdict::Gone);
    assert_eq!(verdict(&purges, 3, URL, &[]), Verdict::Stale);
}

#[test]
fn everything_purged_for_good_needs_no_other_note() {
    let purges = purges();
    for at in 0..10 {
        purges.purge(&What::Tag(vec![at]), Mode::Hard);
    }
    purges.purge(&What::All, Mode::Soft);
    assert_eq!(purges.len(), 10);
    purges.purge(&What::All, Mode::Hard);
    assert!(purges.is_empty());
    assert_eq!(verdict(&purges, 11, URL, &[]), Verdict::Gone);
    assert_eq!(verdict(&purges, 12, URL, &[]), Verdict::Lives);
}

#[test]
fn a_prefix_of_one_length_too_many_becomes_a_shorter_one_or_its_host() {
    let purges = purges();
    let long = format!("https://shop.example:8443/a/{}", "b".repeat(2 * PREFIX_LENGTHS_MAX));
    let cut = |len: usize| What::Prefix(long.as_bytes()[..len].to_vec());
    for len in (long.len() - PREFIX_LENGTHS_MAX + 2)..=long.len() {
        assert!(!purges.purge(&cut(len), Mode::Hard).widened);
    }
    let other = "https://other.example/a/b/c";
    assert!(!purges.purge(&What::Prefix(other.into()), Mode::Hard).widened);
    let born = purges.generation();
    // Its own length is not there: that of `other` is the longest shorter one, but ends in the path, too.
    assert!(purges.purge(&cut(long.len() - PREFIX_LENGTHS_MAX), Mode::Hard).widened);
    assert_eq!(verdict(&purges, born, &long, &[]), Verdict::Gone);
    assert_eq!(verdict(&purges, born, other, &[]), Verdict::Lives);
    // One that is shorter than all lengths there are is noted as its host.
    let born = purges.generation();
    assert!(purges.purge(&What::Prefix(b"https://a/".to_vec()), Mode::Hard).widened);
    assert_eq!(verdict(&purges, born, "https://a/x", &[]), Verdict::Gone);
    assert_eq!(verdict(&purges, born, "https://b/x", &[]), Verdict::Lives);
    assert_eq!(verdict(&purges, born, &long, &[]), Verdict::Lives);
}

#[test]
fn too_many_notes_become_one_of_their_age() {
    let purges = purges();
    for at in 0..NOTES_MAX as u64 {
        assert_eq!(purges.purge(&What::Tag(at.to_le_bytes().to_vec()), Mode::Hard).collapsed, 0);
    }
    let noted = purges.purge(&What::Tag(b"one too many".to_vec()), Mode::Hard);
    assert!(noted.collapsed >= NOTES_MAX / 2);
    assert_eq!(purges.len(), NOTES_MAX + 1 - noted.collapsed);
    // What nobody named is gone if it is as old as what was forgotten, and lives if it is younger.
    let age = noted.collapsed as u64;
    assert_eq!(verdict(&purges, age - 1, URL, &[]), Verdict::Gone);
    assert_eq!(verdict(&purges, age, URL, &[]), Verdict::Lives);
    let tags = [purges.tag(&age.to_le_bytes())];
    assert_eq!(purges.judge(&Marks { born: age, url: b"", tags: &tags }), Verdict::Gone);
}

#[test]
fn there_are_never_more_notes_than_the_bound_however_they_come() {
    let (purges, journal) = (purges(), super::tests::purges());
    let room = NOTES_MAX * 5 / 2;
    let mut last = 0;
    for at in 0..room as u64 {
        let what = match at % 3 {
            0 => What::Url(format!("https://a/{at}").into()),
            1 => What::Tag(at.to_le_bytes().to_vec()),
            _ => What::Host(format!("h{at}").into()),
        };
        last = purges.purge(&what, Mode::Hard).generation;
        assert!(journal.replay(&Purges::encode(&what, Mode::Hard, last)));
        assert!(purges.len() <= NOTES_MAX && journal.len() <= NOTES_MAX, "{at}");
    }
    assert!(purges.len() > NOTES_MAX / 2, "no more is given up than must be");
    // What was given up purges what is as old; what is younger than all purges lives.
    for read in [&purges, &journal] {
        assert_eq!(verdict(read, 0, URL, &[]), Verdict::Gone);
        assert_eq!(verdict(read, last, URL, &[]), Verdict::Lives);
    }
}

#[test]
fn generations_begin_above_those_of_what_is_stored() {
    let purges = purges();
    purges.raise(40);
    purges.raise(30);
    assert_eq!(purges.generation(), 40);
    assert_eq!(purges.purge(&What::All, Mode::Hard).generation, 41);
    purges.raise(u64::MAX);
    assert!(purges.purge(&What::All, Mode::Hard).generation < u64::MAX / 2);
}

#[test]
fn garbage_in_a_journal_is_refused() {
    let whole = Purges::encode(&What::Url(URL.into()), Mode::Hard, 5);
    let hashed = hard(&What::Prefix(URL.into())).records().remove(0).1;
    let mut wrong: Vec<Vec<u8>> = (0..19).map(|len| whole[..len].to_vec()).collect();
    wrong.extend((18..hashed.len()).map(|len| hashed[..len].to_vec()));
    for (at, byte) in [(0, 2), (1, 9), (1, 0x80), (1, 0), (9, 0xff), (17, 0x41)] {
        let mut broken = whole.clone();
        broken[at] = byte;
        wrong.push(broken);
    }
    wrong.push(Purges::encode(&What::All, Mode::Soft, 0));
    let purges = purges();
    for bytes in wrong {
        assert!(!purges.replay(&bytes), "{bytes:?}");
    }
    assert_eq!((purges.generation(), purges.len()), (0, 0));
    assert!(purges.replay(&whole) && purges.replay(&hashed));
    assert_eq!((purges.generation(), purges.len()), (5, 2));
}

#[test]
fn a_journal_with_little_room_purges_what_is_as_old_as_what_it_has_no_room_for() {
    let purges = purges();
    for (tag, mode) in [(b"a", Mode::Soft), (b"b", Mode::Hard), (b"c", Mode::Soft), (b"d", Mode::Hard)] {
        purges.purge(&What::Tag(tag.to_vec()), mode);
    }
    let read = |records_max| {
        let (read, records) = (super::tests::purges(), purges.records_within(records_max));
        assert!(records.len() <= records_max.max(1) && records.is_sorted());
        assert!(records.iter().all(|(_, record)| read.replay(record)));
        assert_eq!(read.generation(), 4);
        read
    };
    for (records_max, born, other, named) in [
        (4, 0, Verdict::Lives, Verdict::Gone),
        // `a` and `b` have become one.
        (3, 0, Verdict::Gone, Verdict::Gone),
        (3, 1, Verdict::Gone, Verdict::Gone),
        (3, 2, Verdict::Lives, Verdict::Gone),
        (2, 2, Verdict::Stale, Verdict::Gone),
        (2, 3, Verdict::Lives, Verdict::Gone),
        (1, 3, Verdict::Gone, Verdict::Gone),
        (0, 4, Verdict::Lives, Verdict::Lives),
    ] {
        let read = read(records_max);
        assert_eq!(verdict(&read, born, URL, &["x"]), other, "{records_max} {born}");
        assert_eq!(verdict(&read, born, URL, &["d"]), named, "{records_max} {born}");
    }
}

#[test]
fn nothing_is_served_after_its_purge_was_acknowledged_on_any_thread() {
    let purges = Arc::new(purges());
    let done = Arc::new(AtomicBool::new(false));
    let acknowledged = Arc::new(AtomicU64::new(0));
    let readers: Vec<_> = (0..2)
        .map(|_| {
            let (purges, done) = (Arc::clone(&purges), Arc::clone(&done));
            let acknowledged = Arc::clone(&acknowledged);
            thread::spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    // The generation of a purge of `t` that was acknowledged: what was born before it is gone.
                    let born = acknowledged.load(Ordering::Acquire).saturating_sub(1);
                    let expected = if born > 0 { Verdict::Gone } else { Verdict::Lives };
                    assert!(verdict(&purges, born, URL, &["t"]) >= expected);
                    assert_eq!(verdict(&purges, 0, URL, &["u"]), Verdict::Lives);
                }
            })
        })
        .collect();
    let writers: Vec<_> = (0..2)
        .map(|_| {
            let (purges, acknowledged) = (Arc::clone(&purges), Arc::clone(&acknowledged));
            thread::spawn(move || {
                for at in 0..2_000u32 {
                    let noted = purges.purge(&What::Tag(b"t".to_vec()), Mode::Hard);
                    acknowledged.fetch_max(noted.generation, Ordering::AcqRel);
                    purges.purge(&What::Url(at.to_le_bytes().to_vec()), Mode::Hard);
                }
            })
        })
        .collect();
    writers.into_iter().for_each(|writer| writer.join().unwrap());
    done.store(true, Ordering::Relaxed);
    readers.into_iter().for_each(|reader| reader.join().unwrap());
    assert_eq!(purges.generation(), 8_000);
}
