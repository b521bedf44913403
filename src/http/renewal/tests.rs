use super::*;

fn fields(lines: &[(&str, &str)]) -> Fields {
    let mut fields = Fields::default();
    lines.iter().for_each(|(name, value)| fields.push(name.as_bytes(), value.as_bytes()));
    fields
}

fn validators<'a>(etag: &'a str, modified: &'a str) -> Validators<'a> {
    let of = |text: &'a str| Some(text.as_bytes()).filter(|text| !text.is_empty());
    Validators { etag: of(etag), last_modified: of(modified), date: None }
}

#[test]
fn a_304_renews_what_has_its_validators_and_nothing_else() {
    let lines = |etag: &'static str, modified: &'static str| {
        let all = [("etag", etag), ("last-modified", modified)];
        all.into_iter().filter(|(_, value)| !value.is_empty()).collect::<Vec<_>>()
    };
    for (stored, new, expected) in [
        // A strong one decides alone.
        (("\"1\"", ""), ("\"1\"", ""), true),
        (("\"1\"", ""), ("\"2\"", ""), false),
        (("\"1\"", "A"), ("\"1\"", "B"), true),
        (("\"1\"", "A"), ("\"2\"", "A"), false),
        (("W/\"1\"", ""), ("\"1\"", ""), false),
        (("", "A"), ("\"1\"", "A"), false),
        // Then a weak one, by weak comparison.
        (("W/\"1\"", ""), ("W/\"1\"", ""), true),
        (("\"1\"", ""), ("W/\"1\"", ""), true),
        (("W/\"1\"", "A"), ("W/\"1\"", "B"), true),
        (("W/\"1\"", "A"), ("W/\"2\"", "A"), false),
        (("1", ""), ("1", ""), true),
        (("1", ""), ("2", ""), false),
        (("", "A"), ("W/\"1\"", "A"), true),
        (("", "A"), ("W/\"1\"", "B"), false),
        (("", "A"), ("W/\"1\"", ""), false),
        // Then the time.
        (("", "A"), ("", "A"), true),
        (("", "A"), ("", "B"), false),
        (("\"1\"", "A"), ("", "A"), true),
        (("\"1\"", "A"), ("", "B"), false),
        (("\"1\"", ""), ("", "A"), true),
        // Nothing is said.
        (("\"1\"", "A"), ("", ""), true),
        (("", ""), ("", ""), true),
    ] {
        let (is_renewed, new) = (validators(stored.0, stored.1), fields(&lines(new.0, new.1)));
        assert_eq!(is_renewed_by(&is_renewed, &new), expected, "{stored:?} {new:?}");
    }
}

#[test]
fn a_head_renews_what_agrees_in_all_that_it_says_and_outdates_the_rest() {
    use Overheard::{Outdates, Renews};
    let stored = validators("\"1\"", "A");
    for (status, bytes, lines, expected) in [
        (200, Some(10), &[][..], Renews),
        (200, Some(10), &[("etag", "\"1\"")], Renews),
        (200, Some(10), &[("etag", "W/\"1\"")], Outdates),
        (200, Some(10), &[("etag", "\"2\"")], Outdates),
        (200, Some(10), &[("last-modified", "A")], Renews),
        (200, Some(10), &[("last-modified", "B")], Outdates),
        (200, Some(10), &[("etag", "\"1\""), ("last-modified", "B")], Outdates),
        (200, Some(10), &[("content-length", "10")], Renews),
        (200, Some(10), &[("content-length", "11")], Outdates),
        (200, Some(10), &[("content-length", "ten")], Outdates),
        (200, None, &[("content-length", "10")], Outdates),
        (200, Some(10), &[("etag", "\"1\""), ("content-length", "11")], Outdates),
        (200, Some(10), &[("etag", "\"1\""), ("last-modified", "A"), ("content-length", "10")], Renews),
        // What there is now is no error.
        (404, Some(10), &[], Outdates),
    ] {
        assert_eq!(overheard(&stored, status, bytes, &fields(lines)), expected, "{status} {bytes:?} {lines:?}");
    }
    let bare = validators("", "");
    assert_eq!(overheard(&bare, 200, Some(1), &fields(&[("etag", "\"1\"")])), Outdates);
    assert_eq!(overheard(&bare, 200, Some(1), &fields(&[("content-length", "1")])), Renews);
}
