use super::*;

fn read(lines: &[&str]) -> Option<Vec<(String, Item)>> {
    let members = dictionary(lines.iter().map(|line| line.as_bytes()))?;
    Some(members.into_iter().map(|member| (member.key, member.value)).collect())
}

fn of(members: &[(&str, Item)]) -> Option<Vec<(String, Item)>> {
    Some(members.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect())
}

fn strings(lines: &[&str]) -> Option<Vec<String>> {
    list_of_strings(lines.iter().map(|line| line.as_bytes()))
}

#[test]
fn a_dictionary_has_members_of_every_type() {
    let text = |text: &str| Item::String(text.to_owned());
    for (lines, expected) in [
        (&[][..], of(&[])),
        (&[""], of(&[])),
        (&["  "], of(&[])),
        (&["max-age=60"], of(&[("max-age", Item::Integer(60))])),
        (&["max-age=-60,a"], of(&[("max-age", Item::Integer(-60)), ("a", Item::Boolean(true))])),
        (&[" a=?0 \t, \t b;x=1;y; z=\"q\" "], of(&[("a", Item::Boolean(false)), ("b", Item::Boolean(true))])),
        (&["a=1.5, b=999999999999999"], of(&[("a", Item::Decimal), ("b", Item::Integer(999_999_999_999_999))])),
        (&[r#"a="x\"y\\z, w""#], of(&[("a", text(r#"x"y\z, w"#))])),
        (
            &["a=foo123/456:b, *-._9=*"],
            of(&[("a", Item::Token("foo123/456:b".into())), ("*-._9", Item::Token("*".into()))]),
        ),
        (
            &["a=:aGk=:, b=@1659578233, c=%\"f%c3%bc\""],
            of(&[("a", Item::Other), ("b", Item::Other), ("c", Item::Other)]),
        ),
        (
            &[r#"a=("x" "y";q=1  "z" );p, b=()"#],
            of(&[("a", Item::Strings(vec!["x".into(), "y".into(), "z".into()])), ("b", Item::Strings(vec![]))]),
        ),
        (&["a=(\"x\" y)"], of(&[("a", Item::Other)])),
        // RFC 9651 §3.2: the last of equal keys counts, where the first stood.
        (&["a=1, b", "a=2"], of(&[("a", Item::Integer(2)), ("b", Item::Boolean(true))])),
    ] {
        assert_eq!(read(lines), expected, "{lines:?}");
    }
}

#[test]
fn one_flaw_is_the_end_of_the_whole_field() {
    for lines in [
        &["a=1, &&&&&"][..],
        &["a=1,"],
        &[",a"],
        &["a=1", ""],
        &["a=1,,b"],
        &["a =1"],
        &["a= 1"],
        &["max-age=100 200"],
        &["A=1"],
        &["1=1"],
        &["a="],
        &["a=1000000000000000"],
        &["a=1234567890123.0"],
        &["a=1.2345"],
        &["a=1."],
        &["a=-"],
        &["a=\"x"],
        &["a=\"\\x\""],
        &["a=\"\u{e9}\""],
        &["a=\"\t\""],
        &["a=?2"],
        &["a=?"],
        &["a=:a"],
        &["a=@1.5"],
        &["a=%\"%C3%BC\""],
        &["a=%\"%c3\""],
        &["a=(1 2"],
        &["a=(1,2)"],
        &["a=(\"x\"\"y\")"],
        &["a=(\"x\"\t\"y\")"],
        &["a=((1))"],
        &["a;"],
        &["a;X"],
        &["a;b="],
        &["\ta"],
    ] {
        assert_eq!(read(lines), None, "{lines:?}");
    }
}

#[test]
fn what_is_read_is_bounded() {
    let many = |count: usize, one: &str, between: &str| vec![one; count].join(between);
    assert_eq!(read(&[&many(MEMBERS_MAX, "a", ",")]).map(|members| members.len()), Some(1));
    assert_eq!(read(&[&many(MEMBERS_MAX + 1, "a", ",")]), None);
    assert!(read(&[&format!("a=({})", many(256, "1", " "))]).is_some());
    assert_eq!(read(&[&format!("a=({})", many(257, "1", " "))]), None);
    assert!(read(&[&format!("a{}", many(256, ";b", ""))]).is_some());
    assert_eq!(read(&[&format!("a{}", many(257, ";b", ""))]), None);
}

#[test]
fn a_list_of_strings_has_nothing_else() {
    let list = |texts: &[&str]| Some(texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>());
    assert_eq!(strings(&[r#""scripts""#]), list(&["scripts"]));
    assert_eq!(strings(&[r#""a";x=1, "b""#, r#""a""#]), list(&["a", "b", "a"]));
    assert_eq!(strings(&[]), list(&[]));
    for lines in [&["scripts"][..], &["\"a\", 1"], &["\"a\","], &["\"a\" \"b\""], &["(\"a\")"]] {
        assert_eq!(strings(lines), None, "{lines:?}");
    }
}

proptest::proptest! {
    #[test]
    fn strings_come_back_as_they_were(texts in proptest::collection::vec("[ -~]{0,12}", 0..6), cut in 0usize..6) {
        let quoted: Vec<String> =
            texts.iter().map(|text| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))).collect();
        let (head, tail) = quoted.split_at(cut.min(quoted.len()));
        let lines = [head.join(", "), tail.join(",")];
        let lines: Vec<&str> = lines.iter().map(String::as_str).filter(|line| !line.is_empty()).collect();
        proptest::prop_assert_eq!(strings(&lines), Some(texts));
    }

    #[test]
    fn no_bytes_are_too_strange(text in "[a-z=,;()\"?@:%*0-9 .\t-]{0,40}", bytes: Vec<u8>) {
        let _ = read(&[&text]);
        let _ = dictionary([&bytes[..]].into_iter());
        let _ = list_of_strings([&bytes[..], text.as_bytes()].into_iter());
    }
}
