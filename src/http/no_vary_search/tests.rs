use super::*;

fn rule(value: &str) -> NoVarySearch {
    NoVarySearch::parse([value.as_bytes()].into_iter())
}

fn normal(value: &str, query: &str) -> String {
    String::from_utf8(rule(value).normalise(query.as_bytes())).unwrap()
}

#[test]
fn the_rules_of_the_draft_are_read() {
    let names = |names: &[&str]| names.iter().map(|name| name.as_bytes().to_vec()).collect::<Vec<_>>();
    for (value, key_order_matters, params) in [
        ("params", true, Params::Only(vec![])),
        ("params=?1", true, Params::Only(vec![])),
        ("params=(\"a\")", true, Params::AllBut(names(&["a"]))),
        ("params=(\"b\" \"a\" \"b\")", true, Params::AllBut(names(&["a", "b"]))),
        ("params, except=(\"x\")", true, Params::Only(names(&["x"]))),
        ("params, except=()", true, Params::Only(vec![])),
        ("params, key-order, except=(\"x\")", false, Params::Only(names(&["x"]))),
        ("key-order, unknown=1", false, Params::AllBut(vec![])),
        ("params=(\"%C3%A9+%E6%B0%97\")", true, Params::AllBut(names(&["é 気"]))),
    ] {
        assert_eq!(rule(value), NoVarySearch { key_order_matters, params }, "{value}");
        assert!(!rule(value).is_default(), "{value}");
    }
}

#[test]
fn what_is_invalid_makes_every_difference_matter() {
    for value in [
        "",
        "unknown-key",
        "key-order=\"not a boolean\"",
        "params=\"not a boolean or inner list\"",
        "params=(not-a-string)",
        "params=(\"a\"), except=(\"x\")",
        "params=(), except=()",
        "params=?0, except=(\"x\")",
        "params, except=(not-a-string)",
        "params, except=\"not an inner list\"",
        "params, except=?1",
        "except=(\"x\")",
        "except=()",
        "key-order, params=1",
        "key-order, &",
        // Valid, but of no effect.
        "params=?0",
        "params=()",
        "key-order=?0",
    ] {
        assert!(rule(value).is_default(), "{value}");
        assert_eq!(normal(value, "b=%61&&a"), "b=%61&&a");
    }
    assert!(rule(&format!("params=(\"{}\")", "x".repeat(NAME_BYTES_MAX + 1))).is_default());
}

#[test]
fn the_equivalences_of_the_draft_hold() {
    for (value, a, b, equal) in [
        ("key-order", "a=1&b=2", "b=2&a=1", true),
        ("key-order", "a=1&a=2", "a=2&a=1", false),
        ("key-order", "a=1&b=3&a=2", "b=3&a=1&a=2", true),
        ("key-order", "a=x", "%61=%78", true),
        ("key-order", "a=é", "a=%C3%A9", true),
        ("key-order", "a=%f6", "a=%ef%bf%bd", true),
        ("key-order", "a=x&&&&", "a=x", true),
        ("key-order", "a=", "a", true),
        ("key-order", "a=%20", "a=+", true),
        ("key-order", "a=%20", "a= &", true),
        ("key-order", "a=%2B", "a=+", false),
        ("key-order", "a=b%26c=d", "a=b&c=d", false),
        ("key-order", "a=%3D", "a==", true),
        ("key-order", "%3D=", "==", false),
        ("key-order", "a=%2", "a=%252", true),
        ("key-order", "a=%zz", "a=%25zz", true),
        ("key-order", "=", "", false),
        ("params", "a=1&b=2", "", true),
        ("params=(\"utm\")", "utm=1&a=1", "a=1&utm=2&utm=3", true),
        ("params=(\"utm\")", "a=1&b=1", "b=1&a=1", false),
        ("params=(\"%C3%A9+%E6%B0%97\")", "é 気=1", "%C3%A9+%E6%B0%97=4", true),
        ("params, except=(\"id\")", "id=1&x=2", "y&id=1", true),
        ("params, except=(\"id\")", "id=1", "id=2", false),
        ("params, except=(\"id\")", "id=1", "id=1&id=1", false),
        ("params, except=(\"a\" \"b\"), key-order", "a&c&b", "b&a", true),
    ] {
        assert_eq!(normal(value, a) == normal(value, b), equal, "{value}: {a} {b}");
    }
}

proptest::proptest! {
    #[test]
    fn what_is_normal_stays_so_and_differs_only_in_order(
        query in "[ab%+=&26f\u{e9}-]{0,24}",
        names in proptest::collection::vec("[a-c]{0,2}", 0..4),
        form in 0usize..6,
    ) {
        let list = names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(" ");
        let forms = ["key-order", "params=(L)", "params", "params, except=(L)", "key-order, params=(L)", "params, except=(L), key-order"];
        let rule = rule(&forms[form].replace('L', &list));
        let once = rule.normalise(query.as_bytes());
        proptest::prop_assert_eq!(&rule.normalise(&once), &once);
        proptest::prop_assert_eq!(NoVarySearch::from_bytes(&rule.to_bytes()), Some(rule.clone()));
        if !rule.key_order_matters {
            let mut pairs: Vec<_> = query.split('&').collect();
            pairs.sort_by_key(|pair| decoded(pair.split('=').next().unwrap().as_bytes()));
            proptest::prop_assert_eq!(rule.normalise(pairs.join("&").as_bytes()), once);
        }
    }

    #[test]
    fn kept_bytes_are_read_or_refused(bytes: Vec<u8>) {
        if let Some(rule) = NoVarySearch::from_bytes(&bytes) {
            proptest::prop_assert_eq!(rule.to_bytes(), bytes);
        }
    }
}
