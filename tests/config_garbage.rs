//! Whatever a file holds, loading it ends with a configuration or with errors that can be read.

use proptest::prelude::*;
use std::fs;
use std::path::Path;
use weir::config::{ConfigErrors, load, load_text};

fn errors_of(bytes: &[u8]) -> ConfigErrors {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("weir.toml");
    fs::write(&path, bytes).unwrap();
    load(&path).unwrap_err()
}

#[test]
fn a_missing_file_and_a_directory_are_said_to_be_such() {
    let dir = tempfile::tempdir().unwrap();
    let missing = load(&dir.path().join("none.toml")).unwrap_err().to_string();
    assert!(missing.contains("there is no such file") && missing.contains("none.toml"), "{missing}");
    let directory = load(dir.path()).unwrap_err().to_string();
    assert!(directory.contains("it is a directory"), "{directory}");
}

#[test]
fn binary_input_is_refused_at_its_first_bad_byte() {
    let errors = errors_of(b"version = 1\nx = \"\xff\xfe\"\n");
    assert_eq!((errors.errors[0].line, errors.errors[0].column), (2, 6));
    assert!(errors.to_string().contains("UTF-8"));
    let errors = errors_of(&[0; 4_096]);
    assert!(!errors.to_string().contains('\0'), "control characters are not printed");
}

#[test]
fn a_file_that_is_too_large_is_refused() {
    let text = errors_of(&vec![b'#'; (16 << 20) + 1]).to_string();
    assert!(text.contains("larger than 16MiB"), "{text}");
}

#[test]
fn deep_nesting_is_an_error_and_no_stack_overflow() {
    for text in ["[".repeat(100_000), "a.".repeat(100_000), "{a=".repeat(100_000)] {
        assert!(!errors_of(format!("x = {text}").as_bytes()).errors.is_empty());
        assert!(!errors_of(text.as_bytes()).errors.is_empty());
    }
}

#[test]
fn many_errors_are_cut_at_a_bound() {
    let text: String = (0..10_000).map(|i| format!("k{i} = 1\n")).collect();
    let errors = errors_of(text.as_bytes());
    assert_eq!((errors.errors.len(), errors.more), (ConfigErrors::MAX, true));
    assert!(errors.to_string().len() < 100_000);
}

#[test]
fn include_cycles_and_too_many_includes_end() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a.toml"), "version = 1\ninclude = [\"b.toml\"]\n").unwrap();
    fs::write(dir.path().join("b.toml"), "include = [\"a.toml\"]\n").unwrap();
    let text = load(&dir.path().join("a.toml")).unwrap_err().to_string();
    assert!(text.contains("is included twice, or includes itself") && text.contains("b.toml:1:12"), "{text}");

    fs::create_dir(dir.path().join("many")).unwrap();
    for i in 0..1_001 {
        fs::write(dir.path().join(format!("many/{i}.toml")), "").unwrap();
    }
    fs::write(dir.path().join("c.toml"), "version = 1\ninclude = [\"many/*.toml\"]\n").unwrap();
    let text = load(&dir.path().join("c.toml")).unwrap_err().to_string();
    assert!(text.contains("more than 1000 files are included"), "{text}");
}

#[test]
fn a_pattern_may_match_the_file_that_it_stands_in() {
    let dir = tempfile::tempdir().unwrap();
    let main = "version = 1\ninclude = [\"*.toml\"]\n[[listener]]\naddress = \"127.0.0.1:0\"\n";
    fs::write(dir.path().join("weir.toml"), main).unwrap();
    fs::write(dir.path().join("z.toml"), "[pool.a]\nbackends = [\"unix:a.sock\"]\n[[route]]\npool = \"a\"\n").unwrap();
    let config = load(&dir.path().join("weir.toml")).unwrap();
    assert_eq!(config.routes[0].place.line, 3);
    assert_eq!(config.routes[0].place.file, dir.path().join("z.toml"));
    assert_eq!(config.pools[0].backends[0].address.to_string(), format!("unix:{}/a.sock", dir.path().display()));
}

#[test]
fn a_byte_order_mark_and_windows_line_ends_are_fine() {
    let text = "\u{feff}version = 1\r\n[[listener]]\r\naddress = \"127.0.0.1:0\"\r\n";
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("weir.toml"), text).unwrap();
    let config = load(&dir.path().join("weir.toml")).unwrap();
    assert_eq!(config.warnings.len(), 1, "{:?}", config.warnings);
}

/// Keys, values and punctuation of real files, thrown together.
fn piece() -> impl Strategy<Value = String> {
    let words = "version = 1|[[listener]]|[pool.a]|[[route]]|[cache.c]|[server]|[log]|[admin]|address = |backends = |pool = |\
        host = |path = |method = |field = |query = |client = |redirect = |respond = |rewrite = |request = |timeouts = |mirror = |\
        errors = |include = |tls = |{|}|[|]|,|\n|=|.|\"a\"|\"127.0.0.1:80\"|\"*\"|\"/a/*\"|\"~(\"|\"${A}\"|\"${\"|\"é\"|\"10s\"|\"1KiB\"|1|-1|1.5|true|\
        to|status|split|read|write|strip|set|remove|#|'|\"\"\"|\\|\t|\u{0}|\u{feff}|\u{2028}";
    prop_oneof![
        10 => proptest::sample::select(words.split('|').map(str::to_owned).collect::<Vec<_>>()),
        1 => any::<String>(),
    ]
}

proptest! {
    #[test]
    fn no_text_makes_loading_panic(pieces in prop::collection::vec(piece(), 0..60)) {
        if let Err(errors) = load_text(Path::new("x.toml"), &pieces.concat(), &|_| Some("v".into())) {
            prop_assert!(!errors.errors.is_empty());
            prop_assert!(!errors.to_string().is_empty());
        }
    }

    #[test]
    fn no_value_of_a_known_key_makes_loading_panic(key in "[a-z_]{2,9}", value in piece(), other in any::<String>()) {
        let quoted = serde_json::Value::from(other).to_string();
        for value in [&value, &quoted] {
            for (section, rest) in [("[[route]]", "pool = \"a\""), ("[pool.a]", ""), ("[[listener]]", ""), ("[log]", "")] {
                let text = format!("version = 1\n{section}\n{key} = {value}\n{rest}\n");
                _ = load_text(Path::new("x.toml"), &text, &|_| None).map_err(|errors| errors.to_string());
            }
        }
    }
}

#[test]
fn no_text_value_of_any_key_makes_loading_panic() {
    let values = [
        "", "*", "/", "/*", "~", "~(", "${", "${A}", "é", "\\u0000", "a:", ":", "unix:", "[::1]:1", "0s", "1%", "{",
        "}",
    ];
    let schema = weir::config::schema();
    for section in ["server", "admin", "log", "listener", "pool", "cache", "route"] {
        let spec = &schema["properties"][section];
        let keys = [&spec["properties"], &spec["items"]["properties"], &spec["additionalProperties"]["properties"]];
        let header = match section {
            "listener" | "route" => format!("[[{section}]]"),
            "pool" | "cache" => format!("[{section}.x]"),
            _ => format!("[{section}]"),
        };
        for key in keys.into_iter().filter_map(|keys| keys.as_object()).flat_map(|keys| keys.keys()) {
            for value in values {
                for form in [
                    format!("\"{value}\""),
                    format!("[\"{value}\"]"),
                    format!("{{ \"{value}\" = \"{value}\" }}"),
                    "1".into(),
                    "{}".into(),
                ] {
                    let text = format!("version = 1\n{header}\n{key} = {form}\n");
                    let result = load_text(Path::new("none/x.toml"), &text, &|_| None);
                    assert!(section == "listener" || result.is_err(), "there is no listener in {text}");
                }
            }
        }
    }
}
