use super::*;

const T0: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
const T1: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
const T1_850: &str = "Sunday, 06-Nov-94 08:49:37 GMT";
const T2: &str = "Sun, 06 Nov 1994 08:49:38 GMT";
const NOW: u64 = 1_795_478_400;

fn request(method: Method, lines: &[(&str, &str)]) -> RequestHead {
    let mut request = RequestHead { method, ..RequestHead::default() };
    lines.iter().for_each(|(name, value)| request.fields.push(name.as_bytes(), value.as_bytes()));
    request
}

fn validators<'a>(etag: &'a str, modified: &'a str, date: &'a str) -> Validators<'a> {
    let of = |text: &'a str| Some(text.as_bytes()).filter(|text| !text.is_empty());
    Validators { etag: of(etag), last_modified: of(modified), date: of(date) }
}

fn judged(lines: &[(&str, &str)], stored: &Validators<'_>) -> Condition {
    let request = request(Method::Get, lines);
    let condition = conditions(&request, stored, NOW);
    assert!(has_conditions(&request.fields) || condition == Condition::Proceed);
    condition
}

use Condition::{NotModified, PreconditionFailed, Proceed};

#[test]
fn none_match_is_weak_and_knows_lists() {
    for (value, etag, expected) in [
        ("\"a\"", "\"a\"", NotModified),
        ("W/\"a\"", "\"a\"", NotModified),
        ("\"a\"", "W/\"a\"", NotModified),
        ("\"x\", \"a\", \"y\"", "\"a\"", NotModified),
        (",, \"x\" , W/\"a\"", "\"a\"", NotModified),
        ("\"x,a\"", "\"x,a\"", NotModified),
        ("\"x,\"", "\"x", Proceed),
        ("\"b\"", "\"a\"", Proceed),
        ("\"A\"", "\"a\"", Proceed),
        ("a", "\"a\"", Proceed),
        ("\"a\"", "a", Proceed),
        ("a", "a", NotModified),
        ("\"\u{fc}\"", "\"\u{fc}\"", NotModified),
        ("*", "\"a\"", NotModified),
        ("*", "", NotModified),
        ("\"a\"", "", Proceed),
        ("*, \"x\"", "\"a\"", Proceed),
    ] {
        let stored = validators(etag, "", "");
        assert_eq!(judged(&[("if-none-match", value)], &stored), expected, "{value} {etag}");
    }
    let lines = [("if-none-match", "\"x\""), ("if-none-match", "\"a\"")];
    assert_eq!(judged(&lines, &validators("\"a\"", "", "")), NotModified);
}

#[test]
fn match_is_strong() {
    for (value, etag, expected) in [
        ("\"a\"", "\"a\"", Proceed),
        ("\"x\", \"a\"", "\"a\"", Proceed),
        ("*", "", Proceed),
        ("W/\"a\"", "W/\"a\"", PreconditionFailed),
        ("\"a\"", "W/\"a\"", PreconditionFailed),
        ("\"b\"", "\"a\"", PreconditionFailed),
        ("\"a\"", "", PreconditionFailed),
        ("a", "a", PreconditionFailed),
        ("\"a", "\"a", PreconditionFailed),
    ] {
        assert_eq!(judged(&[("if-match", value)], &validators(etag, "", "")), expected, "{value} {etag}");
    }
}

#[test]
fn dates_are_compared_as_times_and_nonsense_is_ignored() {
    for (since, modified, read, unmodified) in [
        (T1, T1, NotModified, Proceed),
        (T2, T1, NotModified, Proceed),
        (T0, T1, Proceed, PreconditionFailed),
        (T1_850, T1, NotModified, Proceed),
        (T1, T1_850, NotModified, Proceed),
        ("0", T1, Proceed, Proceed),
        (T1, "yesterday", Proceed, Proceed),
    ] {
        let stored = validators("", modified, T0);
        assert_eq!(judged(&[("if-modified-since", since)], &stored), read, "{since} {modified}");
        assert_eq!(judged(&[("if-unmodified-since", since)], &stored), unmodified, "{since} {modified}");
    }
    let twice = [("if-modified-since", T2), ("if-modified-since", T2)];
    assert_eq!(judged(&twice, &validators("", T1, "")), Proceed);
}

#[test]
fn date_stands_for_a_modification_date_that_is_missing() {
    let stored = validators("", "", T1);
    for (since, expected) in [(T2, NotModified), (T1, NotModified), (T0, Proceed)] {
        assert_eq!(judged(&[("if-modified-since", since)], &stored), expected, "{since}");
    }
    // RFC 9110 §13.1.4 has no such rule.
    assert_eq!(judged(&[("if-unmodified-since", T0)], &stored), Proceed);
    assert_eq!(judged(&[("if-modified-since", T2)], &validators("", "", "")), Proceed);
}

#[test]
fn the_order_is_that_of_rfc_9110() {
    let stored = validators("\"a\"", T1, T2);
    for (lines, expected) in [
        (&[("if-none-match", "\"a\""), ("if-modified-since", T0)][..], NotModified),
        (&[("if-none-match", "\"b\""), ("if-modified-since", T2)], Proceed),
        (&[("if-match", "\"a\""), ("if-unmodified-since", T0)], Proceed),
        (&[("if-match", "\"b\""), ("if-unmodified-since", T2)], PreconditionFailed),
        (&[("if-match", "\"b\""), ("if-none-match", "\"a\"")], PreconditionFailed),
        (&[("if-match", "\"a\""), ("if-none-match", "\"a\"")], NotModified),
        (&[("if-unmodified-since", T0), ("if-modified-since", T2)], PreconditionFailed),
        (&[("if-unmodified-since", T2), ("if-modified-since", T2)], NotModified),
        (&[("if-range", "\"b\"")], Proceed),
        (&[], Proceed),
    ] {
        assert_eq!(judged(lines, &stored), expected, "{lines:?}");
    }
}

#[test]
fn what_is_not_read_fails_rather_than_being_not_modified() {
    let stored = validators("\"a\"", T1, T2);
    for (method, expected) in [(Method::Head, NotModified), (Method::Put, PreconditionFailed)] {
        let request = request(method, &[("if-none-match", "\"a\"")]);
        assert_eq!(conditions(&request, &stored, NOW), expected);
    }
    assert_eq!(conditions(&request(Method::Put, &[("if-modified-since", T2)]), &stored, NOW), Proceed);
}

#[test]
fn a_range_is_of_what_the_client_has_or_not_at_all() {
    for (value, etag, modified, date, expected) in [
        ("\"a\"", "\"a\"", "", "", true),
        ("\"b\"", "\"a\"", "", "", false),
        ("W/\"a\"", "W/\"a\"", "", "", false),
        ("\"a\"", "W/\"a\"", "", "", false),
        ("\"a\"", "", "", "", false),
        ("\"a\", \"b\"", "\"a\"", "", "", false),
        ("*", "\"a\"", "", "", false),
        (T1, "", T1, T2, true),
        (T1, "", T1, T1, false),
        (T1, "", T1, "", false),
        (T2, "", T1, T2, false),
        (T1, "", T0, T2, false),
        (T1_850, "", T1, T2, false),
        (T1, "\"a\"", "", T2, false),
    ] {
        let request = request(Method::Get, &[("if-range", value)]);
        assert_eq!(range_may(&request, &validators(etag, modified, date)), expected, "{value} {modified} {date}");
    }
    assert!(range_may(&request(Method::Get, &[]), &validators("", "", "")));
    let twice = request(Method::Get, &[("if-range", "\"a\""), ("if-range", "\"a\"")]);
    assert!(!range_may(&twice, &validators("\"a\"", "", "")));
}

#[test]
fn a_request_loses_its_conditions_and_nothing_else() {
    let names = ["if-match", "a", "if-none-match", "if-modified-since", "if-unmodified-since", "if-range", "range"];
    let mut request = request(Method::Get, &names.map(|name| (name, "x")));
    strip_conditions(&mut request.fields);
    assert!(!has_conditions(&request.fields));
    assert_eq!(request.fields.iter().map(|(_, name, _)| name).collect::<Vec<_>>(), [&b"a"[..], b"range"]);
}

#[test]
fn tags_are_weakened_once() {
    assert_eq!(weakened(b"\"a\""), b"W/\"a\"");
    assert_eq!(weakened(b"W/\"a\""), b"W/\"a\"");
    assert!(is_strong(b"\"\"") && is_strong(b"\"a\xfc\"") && !is_strong(b"\"") && !is_strong(b"\"a b\""));
    assert!(!is_strong(b"w/\"a\"") && !is_strong(b"W/\"a\"") && !is_strong(b"a"));
}
