use super::*;
use crate::cache::memory::Memory;
use crate::http::coding::{Effort, encode_whole};
use crate::http::{FieldName, Fields};

fn stored(variant: u64, etag: &str, content: Content) -> Arc<Entry> {
    let mut fields = Fields::default();
    fields.push(b"Content-Type", b"text/html");
    fields.push(b"ETag", etag.as_bytes());
    fields.push(b"Accept-Ranges", b"bytes");
    Arc::new(Entry::make(Make {
        hash: 7,
        variant,
        key: b"http://a/",
        url_at: 0,
        selecting: b"",
        tags: &[],
        status: 200,
        fields: &fields,
        life: Life::NONE,
        born: 0,
        content,
    }))
}

fn page() -> Content {
    Content::Whole(b"<p>hello</p>".repeat(100).into())
}

fn encoded(entry: &Arc<Entry>, coding: Coding) -> Entry {
    Entry::form(entry, coding, encode_whole(coding, Effort::Stored, entry.whole().unwrap()).into())
}

#[test]
fn a_form_has_the_head_of_its_coding_and_stands_where_nobody_asks() {
    let entry = stored(0, "\"a\"", page());
    let form = encoded(&entry, Coding::Br);
    let fields = form.fields();
    assert_eq!(fields.get(FieldName::ContentEncoding), Some(&b"br"[..]));
    assert_eq!(fields.get(FieldName::ETag), Some(&b"W/\"a\""[..]));
    assert_eq!(fields.get(FieldName::Vary), Some(&b"Accept-Encoding"[..]));
    assert!(fields.named(b"accept-ranges").next().is_none());
    assert!(form.key().is_empty() && form.whole().unwrap().len() < 100 && form.status == 200);
    let hashes = Coding::ALL.map(|coding| entry.form_hash(coding));
    assert!(hashes.iter().all(|hash| *hash != entry.hash));
    assert!(hashes[0] != hashes[1] && hashes[1] != hashes[2] && hashes[0] != hashes[2]);
    assert_ne!(stored(1, "\"a\"", page()).form_hash(Coding::Br), entry.form_hash(Coding::Br), "variants are apart");
}

#[test]
fn a_form_fits_what_it_was_made_of_and_nothing_that_only_looks_like_it() {
    let entry = stored(0, "\"a\"", page());
    let form = encoded(&entry, Coding::Zstd);
    assert_eq!(form.fit(&entry), Fit::Fits);
    assert_eq!(form.fit(&stored(0, "\"a\"", page())), Fit::Stranger);
    let freshened = stored(0, "\"b\"", Entry::content_of(&entry));
    assert_eq!(form.fit(&freshened), Fit::ContentOnly);
    let again = form.refitted(&freshened, Coding::Zstd).unwrap();
    assert_eq!((again.fit(&freshened), again.whole()), (Fit::Fits, form.whole()));
    assert_eq!(again.etag(), Some(&b"W/\"b\""[..]));
    // Also of one that was freshened again, and when the first ones are gone.
    let twice = stored(0, "\"c\"", Entry::content_of(&freshened));
    drop((entry, freshened));
    assert_eq!(again.fit(&twice), Fit::ContentOnly);
    assert_eq!(twice.fit(&twice), Fit::Stranger, "it is no form");
}

#[test]
fn whoever_is_gone_is_not_taken_for_another_at_the_same_address() {
    let entry = stored(0, "\"a\"", page());
    let form = encoded(&entry, Coding::Gzip);
    drop(entry);
    for _ in 0..1_000 {
        assert_eq!(form.fit(&stored(0, "\"a\"", page())), Fit::Stranger);
    }
}

#[test]
fn what_a_form_counts_for_is_all_that_it_holds() {
    let entry = stored(0, "\"a\"", page());
    let form = Entry::form(&entry, Coding::Gzip, vec![0; 1_000].into());
    let own = size_of::<Entry>() + ARC_BYTES + form.lines().len() + 1_000 + ARC_BYTES + size_of::<Form>();
    // The shell of the response, which stays as long as it is linked to, is counted with it.
    let all = own + size_of::<Entry>() + ARC_BYTES;
    assert!((all..all * 5 / 4).contains(&form.bytes()), "{} for {all}", form.bytes());
    assert!(size_of::<Entry>() <= 176, "{} bytes: a response of 4 KiB takes one size class more", size_of::<Entry>());
}

#[test]
fn one_makes_a_form_and_what_is_not_worth_it_is_remembered() {
    let entry = stored(0, "\"a\"", page());
    assert!(entry.begin_form(Coding::Br) && !entry.begin_form(Coding::Br) && entry.begin_form(Coding::Gzip));
    entry.made(Coding::Gzip, Made::NotSmaller);
    assert!(entry.is_poor_in(Coding::Gzip) && !entry.is_poor_in(Coding::Br) && !entry.had_forms());
    entry.made(Coding::Br, Made::Not);
    assert!(entry.begin_form(Coding::Br) && !entry.is_poor_in(Coding::Br), "it may be tried again");
    entry.made(Coding::Br, Made::Kept);
    assert!(entry.had_forms());
    let freshened = stored(0, "\"b\"", Entry::content_of(&entry));
    assert!(entry.begin_form(Coding::Zstd));
    freshened.inherit_forms(&entry);
    assert!(freshened.had_forms() && freshened.is_poor_in(Coding::Gzip) && freshened.begin_form(Coding::Zstd));
}

#[test]
fn what_rules_said_is_known_to_the_same_rules_alone() {
    let entry = stored(0, "\"a\"", page());
    let yes = Judged { compressible: true, lacks_vary: true };
    let no = Judged { compressible: false, lacks_vary: false };
    for print in [0, 8, u64::MAX] {
        assert_eq!(entry.judged(print), None);
        entry.judge(print, yes);
        assert_eq!((entry.judged(print), entry.judged(print ^ 16)), (Some(yes), None));
        entry.judge(print, no);
        assert_eq!(entry.judged(print), Some(no));
    }
}

#[test]
fn a_form_is_let_go_of_for_room_as_any_other() {
    let memory = Memory::new(1 << 20, 4);
    let entry = stored(0, "\"a\"", page());
    let form = Arc::new(Entry::form(&entry, Coding::Gzip, vec![0; 20_000].into()));
    assert!(memory.insert_asked(Arc::clone(&form), |_| true).is_held());
    let before = memory.bytes();
    assert!(before > 20_000);
    for at in 1..100 {
        let mut other = Entry::form(&entry, Coding::Gzip, vec![0; 20_000].into());
        other.hash ^= at << 100 | at;
        drop(memory.insert(Arc::new(other), |_| false));
        assert!(memory.bytes() <= memory.capacity());
    }
    assert!(memory.variants(form.hash).is_empty());
}
